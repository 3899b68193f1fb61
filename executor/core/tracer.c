/*
 * tracer.c - from the moments of calls and workers to the events of a trace.
 *
 * A call is in the trace in which it was submitted: its number, which no other call ever has, is one of this trace. So
 * a call of an earlier trace, or of none, is not counted in this one.
 *
 * An event that joins two moments has all of both in it: a run has its wait and the arrow from its submit. So an event
 * that is dropped leaves nothing behind that has one end.
 */
#include "tracer_internal.h"

#include "../../futures/gather_internal.h"
#include "../trace/format_internal.h"
#include "../trace/record_internal.h"
#include "call_class_internal.h"
#include "call_internal.h"
#include "executor_table_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* All relaxed: a call has its number from its submit on, and a thread that still sees the trace before this one records
 * in none. */
static _Atomic uint64_t last_number, first_number;

static bool is_in_trace(const struct soon__sample *sample)
{
    return sample->traced.number && sample->traced.number >= atomic_load_explicit(&first_number, memory_order_relaxed);
}

static struct soon__call_extra *extra_of(const struct soon__sample *sample)
{
    return (struct soon__call_extra *)((char *)sample - offsetof(struct soon__call_extra, sample));
}

static int code_of(enum soon__ending how)
{
    static const int codes[SOON__ENDINGS] = {
        [SOON__ENDED_CANCELLED] = -ECANCELED,
        [SOON__ENDED_RAISED] = SOON_ERAISED,
        [SOON__ENDED_LATE] = SOON_ETIMELIMIT,
        [SOON__ENDED_EXPIRED] = SOON_EEXPIRED,
        [SOON__ENDED_WORKER_DIED] = SOON_EWORKERDIED,
        [SOON__ENDED_KILLED] = SOON_EKILLED,
        [SOON__ENDED_LOST] = SOON_ELOST,
        [SOON__ENDED_OTHERWISE] = -EIO,
    };

    return codes[how];
}

/* An event of this call, with what is told of it in each. */
static struct soon__trace_event event_of(const struct soon__sample *sample, enum soon__trace_kind kind)
{
    struct soon__trace_event event = {.kind = (uint8_t)kind, .id = sample->traced.number};

    soon__trace_copy(event.executor, sizeof event.executor, sample->executor->name);
    soon__trace_copy(event.text, sizeof event.text, sample->function->name);
    soon__trace_copy(event.label, sizeof event.label, sample->label);
    return event;
}

/*
 * Counts
 */

enum { COUNT_BITS = 24, COUNT_MAX = (1 << COUNT_BITS) - 1 };

/* Relaxed. Tells apart the counts of two traces; they begin with 0 in each. */
static _Atomic uint16_t trace_mark;

static uint64_t add_to(uint64_t count, int more)
{
    return more < 0 && !count ? 0 : (count + (uint64_t)more) & COUNT_MAX;
}

static uint64_t counts_after(uint64_t counts, int waiting, int running)
{
    uint64_t mark = atomic_load_explicit(&trace_mark, memory_order_relaxed);

    if (counts >> 2 * COUNT_BITS != mark)
        counts = 0;
    return mark << 2 * COUNT_BITS | add_to(counts >> COUNT_BITS & COUNT_MAX, waiting) << COUNT_BITS |
           add_to(counts & COUNT_MAX, running);
}

/* What runs in worker processes is not told when it begins: as many tasks run as there are workers for them. */
static void spread(const soon_executor *executor, struct soon__trace_event *event)
{
    int outstanding = event->value + event->code;
    /* Relaxed: a number to be shown. */
    int workers = atomic_load_explicit(&executor->ready, memory_order_relaxed);

    if (!executor->klass.tells_no_start)
        return;
    event->code = outstanding < workers ? outstanding : workers;
    event->value = outstanding - event->code;
}

/* So many more calls wait, and run. The clock is read between the load and the exchange, so the times of two changes
 * are in the order of the changes. */
static void count(soon_executor *executor, int waiting, int running)
{
    uint64_t before = atomic_load_explicit(&executor->traced, memory_order_relaxed), after;
    struct soon__trace_event event = {.kind = SOON__TRACE_TASKS};

    do {
        event.begin_ns = soon__clock_ns();
        after = counts_after(before, waiting, running);
        /* Acquire-release: that order. */
    } while (!atomic_compare_exchange_weak_explicit(&executor->traced, &before, after, memory_order_acq_rel,
                                                    memory_order_acquire));
    event.value = (int32_t)(after >> COUNT_BITS & COUNT_MAX);
    event.code = (int32_t)(after & COUNT_MAX);
    spread(executor, &event);
    soon__trace_copy(event.executor, sizeof event.executor, executor->name);
    soon__trace_record(&event);
}

/*
 * Calls
 */

static void submitted(struct soon__sample *sample)
{
    struct soon__trace_row row = soon__trace_own_row();

    if (!row.tid)
        return;
    sample->traced = (struct soon__traced){
        .number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1, .from = row};
}

static void queued(struct soon__sample *sample)
{
    if (!is_in_trace(sample))
        return;
    sample->traced.queued_ns = soon__clock_ns();
    sample->traced.waits = true;
    count(sample->executor, 1, 0);
}

static void dropped(struct soon__sample *sample)
{
    if (!is_in_trace(sample) || !sample->traced.waits)
        return;
    sample->traced.waits = false;
    count(sample->executor, -1, 0);
}

static void started(struct soon__sample *sample)
{
    if (!is_in_trace(sample))
        return;
    sample->traced.at = soon__trace_own_row();
    sample->traced.began_ns = sample->started_ns;
    count(sample->executor, sample->traced.waits ? -1 : 0, 1);
    sample->traced.waits = false;
}

/* A worker process has run it, from `began_ns` on. */
static void ran(struct soon__sample *sample, struct soon__trace_row row, int64_t began_ns)
{
    if (!is_in_trace(sample))
        return;
    sample->traced.at = row;
    sample->traced.began_ns = began_ns;
}

/* It has left a worker, or the queue. */
static void leave(struct soon__sample *sample)
{
    bool waited = sample->traced.waits;

    if (waited)
        count(sample->executor, -1, 0);
    else if (sample->traced.at.tid)
        count(sample->executor, 0, -1);
    sample->traced.waits = false;
}

static void record_run(struct soon__sample *sample, int code, uint8_t flags)
{
    struct soon__trace_event event = event_of(sample, SOON__TRACE_RUN);
    const struct soon__items *items = extra_of(sample)->items;

    event.code = code;
    event.flags = flags | (items ? SOON__TRACE_IS_CHUNK : 0);
    event.value = items ? (int32_t)items->count : 0;
    event.row = sample->traced.at;
    event.from = (struct soon__trace_point){sample->traced.from, sample->submitted_ns + 1};
    event.queued_ns = sample->traced.queued_ns;
    event.begin_ns = sample->traced.began_ns;
    event.end_ns = sample->ended_ns;
    soon__trace_record(&event);
}

static void record_wait(struct soon__sample *sample, int code)
{
    struct soon__trace_event event = event_of(sample, SOON__TRACE_WAIT);

    event.code = code;
    event.queued_ns = sample->traced.queued_ns ? sample->traced.queued_ns : sample->submitted_ns;
    event.end_ns = sample->ended_ns;
    soon__trace_record(&event);
}

/* From what it has waited for: the end of another call, if that is in the trace and has run. */
static void record_arrow(const struct soon__sample *sample, const soon_future *first)
{
    const soon_call *call = soon__call_of(first);
    const struct soon__call_extra *extra = call ? soon__call_extra(call) : NULL;
    struct soon__trace_event event = {.kind = SOON__TRACE_ARROW};

    if (!extra || !is_in_trace(&extra->sample) || !extra->sample.traced.at.tid)
        return;
    event.from = (struct soon__trace_point){extra->sample.traced.at, extra->sample.ended_ns - 1};
    if (event.from.ns < extra->sample.traced.began_ns)
        event.from.ns = extra->sample.traced.began_ns;
    event.row = sample->traced.at;
    event.begin_ns = sample->traced.began_ns;
    event.id = sample->traced.number;
    soon__trace_record(&event);
}

static void record_arrows(const struct soon__sample *sample)
{
    const soon_future *first = extra_of(sample)->first;
    size_t count = first ? soon__group_count(first) : 0;

    if (first && !count)
        record_arrow(sample, first);
    for (size_t i = 0; i < count; i++)
        record_arrow(sample, soon__group_member(first, i));
}

static void again(struct soon__sample *sample, enum soon__ending how)
{
    if (!is_in_trace(sample))
        return;
    if (sample->traced.at.tid)
        record_run(sample, code_of(how), SOON__TRACE_IS_AGAIN);
    sample->traced.at = (struct soon__trace_row){0};
    sample->traced.queued_ns = sample->ended_ns;
}

static void ended(struct soon__sample *sample, enum soon__ending how)
{
    if (!is_in_trace(sample))
        return;
    leave(sample);
    if (!sample->traced.at.tid) {
        record_wait(sample, code_of(how));
        return;
    }
    record_run(sample, code_of(how), 0);
    record_arrows(sample);
}

/*
 * Items of a chunk
 */

static void item(const struct soon__sample *sample, const struct soon__item_told *told)
{
    const struct soon__items *items = extra_of(sample)->items;
    struct soon__trace_event event;

    if (!is_in_trace(sample))
        return;
    event = event_of(sample, SOON__TRACE_RUN);
    event.flags = SOON__TRACE_IS_ITEM;
    event.code = code_of(told->how);
    event.value = (int32_t)told->index;
    event.row = told->row;
    event.begin_ns = told->began_ns;
    event.end_ns = told->ended_ns;
    if (soon__items_label(items, told->index))
        soon__trace_copy(event.label, sizeof event.label, soon__items_label(items, told->index));
    soon__trace_record(&event);
}

/*
 * Submits
 */

static void submits(const struct soon__sample *sample, struct soon__submit_note *ret)
{
    ret->is_traced = is_in_trace(sample);
    if (!ret->is_traced)
        return;
    ret->event = event_of(sample, SOON__TRACE_SUBMIT);
    ret->event.row = sample->traced.from;
    ret->event.begin_ns = sample->submitted_ns;
}

static void has_submitted(struct soon__submit_note *note)
{
    note->event.end_ns = soon__clock_ns();
    /* The arrow begins in this slice. */
    if (note->event.end_ns < note->event.begin_ns + 2)
        note->event.end_ns = note->event.begin_ns + 2;
    soon__trace_record(&note->event);
}

/*
 * Workers
 */

static const char *mark_of(const struct soon__worker_told *told)
{
    switch (told->moment) {
    case SOON__MOMENT_STARTED:
        return told->detail ? "restarted" : "started";
    case SOON__MOMENT_READY:
        return "ready";
    case SOON__MOMENT_SENTENCED:
        return told->detail == SOON_ETIMELIMIT ? "time limit" : "task to be killed";
    case SOON__MOMENT_SIGNALLED:
        return "killed";
    case SOON__MOMENT_RETIRED:
        return "recycled";
    case SOON__MOMENT_DIED:
        return "died";
    default:
        return "ended";
    }
}

static const char *reason_of(const struct soon__worker_told *told)
{
    static const char *const reasons[] = {
        [SOON__RECYCLED_IDLE] = "idle",
        [SOON__RECYCLED_TASKS] = "tasks per worker",
        [SOON__RECYCLED_MEMORY] = "memory limit",
        [SOON__NOT_RECYCLED] = "the pool ends",
    };

    if (told->moment == SOON__MOMENT_RETIRED)
        return reasons[told->detail];
    if ((told->moment == SOON__MOMENT_SIGNALLED || told->moment == SOON__MOMENT_DIED) && told->detail)
        return sigdescr_np(told->detail);
    return NULL;
}

static void name_process(struct soon__trace_row row, const char *name)
{
    struct soon__trace_event event = {.kind = SOON__TRACE_ROW, .flags = SOON__TRACE_IS_PROCESS, .row = row};

    soon__trace_copy(event.text, sizeof event.text, name);
    soon__trace_record(&event);
}

static void record_workers(soon_executor *executor, int64_t now)
{
    /* Relaxed: a number to be shown. */
    struct soon__trace_event event = {.kind = SOON__TRACE_WORKERS,
                                      .begin_ns = now,
                                      .value = atomic_load_explicit(&executor->live, memory_order_relaxed)};

    soon__trace_copy(event.executor, sizeof event.executor, executor->name);
    soon__trace_record(&event);
}

static void worker(const struct soon__worker_told *told)
{
    struct soon__trace_event event = {.kind = SOON__TRACE_MARK, .begin_ns = soon__clock_ns()};
    bool is_process = told->executor->klass.tells_no_start;

    event.row =
        is_process ? (struct soon__trace_row){told->id, told->id} : (struct soon__trace_row){getpid(), told->id};
    if (told->moment == SOON__MOMENT_STARTED && is_process)
        name_process(event.row, told->name);
    else if (told->moment == SOON__MOMENT_STARTED)
        (void)soon__trace_own_row();
    soon__trace_copy(event.executor, sizeof event.executor, told->executor->name);
    soon__trace_copy(event.text, sizeof event.text, mark_of(told));
    soon__trace_copy(event.label, sizeof event.label, reason_of(told));
    soon__trace_record(&event);
    if (told->moment == SOON__MOMENT_STARTED || told->moment == SOON__MOMENT_ENDED || told->moment == SOON__MOMENT_DIED)
        record_workers(told->executor, event.begin_ns);
}

/*
 * Beginning and end
 */

static const struct soon__tracer tracer = {
    .submitted = submitted,
    .submits = submits,
    .has_submitted = has_submitted,
    .queued = queued,
    .dropped = dropped,
    .started = started,
    .ran = ran,
    .again = again,
    .ended = ended,
    .item = item,
    .worker = worker,
};

void soon__tracer_begin(void)
{
    atomic_fetch_add_explicit(&trace_mark, 1, memory_order_relaxed);
    atomic_store_explicit(&first_number, atomic_load_explicit(&last_number, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    /* Release: what is above; pairs with the acquire of each moment. */
    atomic_store_explicit(&soon__tracer, &tracer, memory_order_release);
    soon__executors_sample_all(true);
}

void soon__tracer_end(void)
{
    /* Relaxed: a thread that still sees it records nothing, since the gate is closed. */
    atomic_store_explicit(&soon__tracer, NULL, memory_order_relaxed);
    soon__executors_sample_all(false);
}
