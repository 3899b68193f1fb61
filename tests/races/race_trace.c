/*
 * race_trace.c - traces that begin and end while tasks come and go, and threads that record at once.
 */
#include "../../executor/trace/ring_internal.h"
#include "../support/json.h"
#include "../support/pools.h"

#include <errno.h>

TestSuite(race_trace);

/*
 * The ring: what comes out is what went in, whole and in the order of each thread, and the rest was counted.
 */

enum { PUSHERS = 3, CELLS = 64 };

static struct soon__trace_cell cells[CELLS];
static struct soon__trace_ring ring;
static _Atomic int pushing;
static int pushes;

static void *push_all(void *data)
{
    uint64_t me = (uintptr_t)data;
    struct soon__trace_event event = {.kind = SOON__TRACE_RUN};

    for (int i = 1; i <= pushes; i++) {
        event.id = me;
        event.begin_ns = event.end_ns = i;
        memset(event.label, (int)(i % 100) + 1, sizeof event.label);
        (void)soon__trace_ring_push(&ring, &event);
    }
    pushing--;
    return NULL;
}

static void check(const struct soon__trace_event *event, int64_t last[PUSHERS])
{
    cr_assert_lt(event->id, (uint64_t)PUSHERS);
    cr_assert_gt(event->begin_ns, last[event->id]);
    cr_assert_eq(event->begin_ns, event->end_ns);
    for (size_t i = 0; i < sizeof event->label; i++)
        cr_assert_eq(event->label[i], event->begin_ns % 100 + 1);
    last[event->id] = event->begin_ns;
}

Test(race_trace, an_event_comes_out_whole_or_is_counted_as_dropped)
{
    const struct soon__trace_event *event;
    int64_t last[PUSHERS] = {0};
    pthread_t threads[PUSHERS];
    uint64_t popped = 0;
    bool all;

    pushes = test_rounds(30000);
    soon__trace_ring_init(&ring, cells, CELLS);
    pushing = PUSHERS;
    for (uintptr_t i = 0; i < PUSHERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, push_all, (void *)i), 0);
    do {
        all = pushing == 0;
        while ((event = soon__trace_ring_next(&ring))) {
            check(event, last);
            soon__trace_ring_pop(&ring);
            popped++;
        }
    } while (!all);
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(threads[i], NULL);

    cr_assert_eq(popped + ring.dropped, (uint64_t)PUSHERS * (uint64_t)pushes);
    cr_assert_gt(popped, 0);
}

/*
 * Traces
 */

SOON_TASK(increment, int, int)
{
    (void)task;
    *result = *arg + 1;
    return 0;
}

static soon_executor *pool;
static _Atomic bool over;

static void *submit_all_the_time(void *data)
{
    soon_future *futures[8], *then;

    (void)data;
    while (!over) {
        for (int i = 0; i < 8; i++)
            futures[i] = soon_submit(pool, increment, i);
        then = soon_then(futures[0], pool, &increment_task);
        soon_wait(futures, 8, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
        soon_wait(&then, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
        soon_future_unref(then);
        for (int i = 0; i < 8; i++)
            soon_future_unref(futures[i]);
    }
    return NULL;
}

static char path[40];

static void check_file(void)
{
    char *text = text_of_file(path);

    cr_assert_gt(json_array(text), 0);
    cr_assert_eq(count_in(text, "\"ph\":\"b\""), count_in(text, "\"ph\":\"e\""));
    cr_assert_eq(count_in(text, "\"ph\":\"s\""), count_in(text, "\"ph\":\"f\""));
    free(text);
}

static void begin(pthread_t threads[2], void *(*body)(void *))
{
    strcpy(path, "/tmp/soon-trace-XXXXXX");
    close(mkstemp(path));
    over = false;
    pool = new_pool(.workers = 2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, body, NULL), 0);
}

static void end(pthread_t threads[2])
{
    over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    free_pool(pool);
    unlink(path);
}

Test(race_trace, begins_and_ends_while_tasks_run)
{
    pthread_t threads[2];

    begin(threads, submit_all_the_time);
    for (int i = test_rounds(100); i > 0; i--) {
        cr_assert_eq(soon_trace_start(path, &(soon_trace_options){.buffer_size = 64 << 10}), 0);
        for (int naps = i % 5; naps > 0; naps--)
            sched_yield();
        cr_assert_eq(soon_trace_stop(), 0);
        check_file();
    }
    end(threads);
}

static _Atomic int begun, ended;

static void *begin_and_end(void *data)
{
    (void)data;
    for (int i = test_rounds(100); i > 0; i--) {
        int rc = soon_trace_start(path, &(soon_trace_options){.buffer_size = 64 << 10});

        cr_assert(rc == 0 || rc == -EALREADY);
        begun += rc == 0;
        rc = soon_trace_stop();
        cr_assert(rc == 0 || rc == -EALREADY);
        ended += rc == 0;
    }
    return NULL;
}

Test(race_trace, is_begun_and_ended_as_often_by_threads_that_compete)
{
    pthread_t threads[2];
    soon_future *future;

    begin(threads, begin_and_end);
    for (int i = test_rounds(500); i > 0; i--) {
        future = soon_submit(pool, increment, i);
        soon_wait(&future, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
        soon_future_unref(future);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ended += soon_trace_stop() == 0;
    cr_assert_eq(begun, ended);
    check_file();
    free_pool(pool);
    unlink(path);
}
