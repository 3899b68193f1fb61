/*
 * trace.c - traces begin and end.
 *
 *     OFF --start--> STARTING --the file is open--> ON --stop, or exit--> STOPPING --all is written--> OFF
 *                       |
 *                       +--it cannot be--> OFF                        In a forked child all become OFF.
 *
 * T1  There is one trace at a time. `state` and `writer` change under the mutex, which is a leaf. The thread that has
 *     made it STARTING or STOPPING does the rest without the mutex: it opens files, waits for the writer's thread, and
 *     takes other locks. It owns the writer.
 * T2  A child of a fork has the parent's descriptor and ring, and no thread that writes: it closes the one and drops
 *     the other, and may begin a trace of its own.
 * T3  At the end of the program tasks may still run on other threads, and record. The writer is not freed then, and
 *     nobody waits for those threads.
 */
#include "trace_internal.h"

#include "../../futures/refuse_internal.h"
#include "../../futures/system_internal.h"
#include "../trace.h"
#include "../trace/record_internal.h"
#include "../trace/writer_internal.h"
#include "executor_internal.h"
#include "role_internal.h"
#include "tracer_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VARIABLE "SOON_TRACE"
enum { BUFFER_SIZE = 8 << 20, FLUSH_MS = 100 };

static struct {
    pthread_mutex_t mutex;
    struct {
        enum state { OFF, STARTING, ON, STOPPING } state;
        struct soon__trace_writer *writer;
        uint32_t count; /* of starts so far */
    } locked;
    _Atomic bool asked; /* the environment was looked at */
} trace = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The one function that changes the state. */
static void become_locked(enum state to, struct soon__trace_writer *writer)
{
    assert(to == OFF || to == (trace.locked.state + 1));
    assert((to == ON || to == STOPPING) == (writer != NULL));
    trace.locked.state = to;
    trace.locked.writer = writer;
}

static void become(enum state to, struct soon__trace_writer *writer)
{
    pthread_mutex_lock(&trace.mutex);
    become_locked(to, writer);
    pthread_mutex_unlock(&trace.mutex);
}

/* T2 */
static void forget_in_child(void)
{
    struct soon__trace_writer *writer = trace.locked.writer;

    become_locked(OFF, NULL);
    soon__tracer_end();
    (void)soon__trace_gate_forget();
    if (!writer)
        return;
    (void)soon__trace_writer_close(writer);
    soon__trace_writer_free(writer);
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&trace.mutex); /* one of the first: there is room */
    (void)soon__at_fork(NULL, NULL, forget_in_child);
}

/*
 * Start
 */

/* T1. Returns the number of the trace; 0: there is one already. */
static uint32_t begin_start(void)
{
    uint32_t number = 0;

    pthread_mutex_lock(&trace.mutex);
    if (trace.locked.state == OFF) {
        become_locked(STARTING, NULL);
        number = ++trace.locked.count;
    }
    pthread_mutex_unlock(&trace.mutex);
    return number;
}

static int start_writer(const char *path, const soon_trace_options *o, uint32_t number)
{
    int64_t flush_ms = o->flush_every_ms ? o->flush_every_ms : FLUSH_MS;
    struct soon__trace_writer *writer;
    int rc = soon__trace_writer_start(&writer, path, o->buffer_size ? o->buffer_size : BUFFER_SIZE,
                                      flush_ms < INT64_MAX / 2000000 ? flush_ms * 1000000 : INT64_MAX / 2, number);

    if (rc < 0) {
        become(OFF, NULL);
        return rc;
    }
    soon__trace_gate_open(writer);
    soon__tracer_begin();
    become(ON, writer);
    return 0;
}

static int start(const char *path, const soon_trace_options *o)
{
    const struct soon__range ranges[] = {{"flush_every_ms", o->flush_every_ms, 0, INT64_MAX}};
    int rc = path ? soon__check_ranges(ranges, 1) : soon__is_null("the path");
    int cancel_state;
    uint32_t number;

    if (rc < 0)
        return rc;
    soon__stay_loaded();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    number = begin_start();
    rc = number ? start_writer(path, o, number) : soon__refuse(-EALREADY, "a trace is written already");
    pthread_setcancelstate(cancel_state, NULL);
    return rc;
}

int soon_trace_start_sized(const char *path, const soon_trace_options *options, size_t size)
{
    soon_trace_options o;
    int rc = soon__options_read(&o, sizeof o, options, size);

    if (rc == 0)
        rc = start(path, &o);
    return soon__failed(rc, "soon_trace_start");
}

void soon__trace_start_asked(void)
{
    const char *path;

    /* Relaxed, both: a thread that comes second need not wait for the first. */
    if (soon__role() == SOON__ROLE_WORKER || atomic_load_explicit(&trace.asked, memory_order_relaxed) ||
        atomic_exchange_explicit(&trace.asked, true, memory_order_relaxed))
        return;
    path = secure_getenv(VARIABLE);
    if (path && *path)
        (void)start(path, &(soon_trace_options){0}); /* the program goes on without a trace */
}

/*
 * Stop
 */

/* T1. NULL: there is no trace to stop. */
static struct soon__trace_writer *begin_stop(bool wait)
{
    struct soon__trace_writer *writer = NULL;

    pthread_mutex_lock(&trace.mutex);
    if (trace.locked.state == ON) {
        writer = trace.locked.writer;
        become_locked(STOPPING, writer);
    }
    pthread_mutex_unlock(&trace.mutex);
    if (!writer)
        return NULL;
    soon__tracer_end();
    soon__trace_gate_close(wait);
    return writer;
}

static int stop(void)
{
    struct soon__trace_writer *writer;
    int cancel_state, rc = -EALREADY;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    writer = begin_stop(true);
    if (writer) {
        soon__trace_writer_stop(writer);
        rc = soon__trace_writer_close(writer);
        become(OFF, NULL);
        soon__trace_writer_free(writer);
    }
    pthread_setcancelstate(cancel_state, NULL);
    return writer ? rc : soon__refuse(rc, "no trace is written");
}

int soon_trace_stop(void)
{
    return soon__failed(stop(), "soon_trace_stop");
}

/* Is another thread just beginning it, or ending it? */
static bool is_changing(void)
{
    bool changing;

    pthread_mutex_lock(&trace.mutex);
    changing = trace.locked.state == STARTING || trace.locked.state == STOPPING;
    pthread_mutex_unlock(&trace.mutex);
    return changing;
}

/* T3. What another thread is just writing is written, too. */
__attribute__((destructor)) static void end_with_program(void)
{
    struct soon__trace_writer *writer;

    while (!(writer = begin_stop(false)) && is_changing())
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (writer)
        soon__trace_writer_stop(writer);
}
