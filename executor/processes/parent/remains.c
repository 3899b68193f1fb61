/*
 * remains.c - worker processes that have died and could not be reaped yet.
 *
 * A process that somebody traces, as debuggers, crash handlers and LeakSanitizer do, stays with the system until the
 * tracer has seen its end, which may take for ever. Its pool does not wait for that: it knows that the process has
 * ended, its task has failed, and a shutdown goes on. What remains of the process is kept here, and reaping it is tried
 * again from time to time.
 *
 * R1  The memory is asked for when the process is started, so that a death needs none.
 * R2  The list belongs to the library's loop. A forked child has another loop, and none of these processes.
 */
#include "remains_internal.h"

#include "../../loops/library_loop_internal.h"
#include "../../system/process_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_MS = 10, MAX_MS = 200 };

struct soon__remains {
    struct soon__remains *next;
    pid_t pid;
    int watch;
};

/* Loop thread only. */
static struct {
    uint32_t generation; /* that of the process whose loop has the timer, plus one; 0: no loop has it */
    uv_timer_t timer;
    uint64_t wait_ms;
    struct soon__remains *first;
} remains;

static void on_timer(uv_timer_t *timer);

static void try_again_later(void)
{
    uv_timer_start(&remains.timer, on_timer, remains.wait_ms, 0);
    remains.wait_ms = remains.wait_ms * 2 < MAX_MS ? remains.wait_ms * 2 : MAX_MS;
}

static bool reap(struct soon__remains *one)
{
    struct soon__exit unused;

    if (!soon__process_reap(one->watch, one->pid, &unused))
        return false;
    if (one->watch >= 0)
        close(one->watch);
    free(one);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct soon__remains **link = &remains.first, *next;

    (void)timer;
    while (*link) {
        next = (*link)->next;
        if (reap(*link))
            *link = next;
        else
            link = &(*link)->next;
    }
    if (remains.first)
        try_again_later();
}

/* R2. Begins anew in another process. */
static void prepare(void)
{
    if (remains.generation == soon__generation() + 1)
        return;
    remains.generation = soon__generation() + 1;
    remains.first = NULL;
    uv_timer_init(soon__library_uv(), &remains.timer);
}

struct soon__remains *soon__remains_new(void)
{
    return malloc(sizeof(struct soon__remains));
}

void soon__remains_keep(struct soon__remains *one, int watch, pid_t pid)
{
    assert(soon__library_on_loop());
    prepare();
    *one = (struct soon__remains){.next = remains.first, .pid = pid, .watch = watch};
    remains.first = one;
    remains.wait_ms = FIRST_MS;
    try_again_later();
}
