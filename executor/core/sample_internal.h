/*
 * sample_internal.h - some calls are sampled: the library takes the times of their submit, start and end, for the
 * histograms of their executor. A trace has all of them sampled, and hears of each moment.
 *
 *     submitted ---------> queued --> started --> ended --> told
 *         |                  ^                      ^
 *         +--after another---+                      |
 *         +----------------never started------------+
 *
 * A call is chosen when it was made. A thread that submits counts down to its next one: S1. A call that is not chosen
 * costs that countdown, and nothing else. One that is has a struct soon__sample in its struct soon__call_extra, and so
 * it is not plain: it goes the way of calls with options, where its times are taken.
 *
 * S1  Of each gap between sampled calls of a thread the length is random, so that no rhythm of the program meets ours.
 *     A sampled call counts for itself and for those of the gap before it: so the weights of a thread's samples add up
 *     to its calls. The mean of the gaps is 1 while the calls of a thread come slowly, more than SLOW_NS apart. In a
 *     flood it doubles after each SAMPLES_EACH samples, up to MEAN_MAX, and it is divided by FASTER after each gap that
 *     was slow. So rare calls are all sampled, in a flood one of many is, and a pause between two floods costs little.
 * S2  A sample belongs to the holder of its call. Only soon__sample_ended() tells the histograms, once, before the
 *     outcome can be seen: the executor lives until then.
 * S3  Without memory for a sample the call goes without it.
 *
 * A trace has all calls sampled, by soon__executors_sample_all(). The tracer hears of each moment on the thread that it
 * happens on. It may be called under a pool's mutex or a future's LOCK: it calls nothing of a pool, waits for nothing,
 * and runs no user code.
 */
#ifndef SOON_EXECUTOR_CORE_SAMPLE_INTERNAL_H
#define SOON_EXECUTOR_CORE_SAMPLE_INTERNAL_H

#include "../trace/record_internal.h"
#include "executor_internal.h"
#include "outcome_internal.h"

#include <stdatomic.h>

/* What a trace has to know of a call. It is changed by the holder of the call, as the sample. */
struct soon__traced {
    uint64_t number;                 /* 0: it is in no trace */
    struct soon__trace_row from, at; /* who has submitted it; who runs it, or has run it last: `tid` 0: nobody */
    int64_t queued_ns, began_ns;     /* of this try */
    bool waits;                      /* it counts as waiting */
};

struct soon__sample {
    uint32_t weight; /* so many calls it stands for; 0: the call is not sampled, or its end was told */
    unsigned worker; /* the number of its worker, from 1 on; 0: a thread of the program, or none yet */
    soon_executor *executor;
    const soon_function *function;
    const char *label;    /* NULL: none */
    int64_t submitted_ns; /* of soon__clock_ns() */
    int64_t queued_ns;    /* the same; but of a call that waits for others, when they were done */
    int64_t waited_ns;    /* up to its first start */
    int64_t started_ns;   /* at its last try; of a chunk, at its first; 0: it has not started */
    int64_t ended_ns;     /* when its body has ended, if its worker has said so; 0: it has not */
    struct soon__traced traced;
};

/* What happens to a worker. */
enum soon__worker_moment {
    SOON__MOMENT_STARTED,   /* a thread runs, a process was started; `detail` is 1 if that replaces one that has died */
    SOON__MOMENT_READY,     /* its initializer is through */
    SOON__MOMENT_SENTENCED, /* a process is to be ended for a task: `detail` is SOON_ETIMELIMIT or SOON_EKILLED */
    SOON__MOMENT_SIGNALLED, /* a process gets a signal: `detail` is its number */
    SOON__MOMENT_RETIRED,   /* it ends in good order: `detail` is an enum soon__recycled */
    SOON__MOMENT_ENDED,     /* a thread has ended, or a process that was to end is gone */
    SOON__MOMENT_DIED,      /* a process is gone that was not to end: `detail` is the signal, 0: it has exited */
};
/* Why a worker ends in good order. */
enum soon__recycled {
    SOON__RECYCLED_IDLE,   /* idle_timeout_ms; a spare that is not needed any more */
    SOON__RECYCLED_TASKS,  /* max_tasks_per_worker */
    SOON__RECYCLED_MEMORY, /* memory_limit */
    SOON__RECYCLED_CAUSES,
    SOON__NOT_RECYCLED = SOON__RECYCLED_CAUSES, /* its pool ends */
};
struct soon__worker_told {
    soon_executor *executor;
    enum soon__worker_moment moment;
    unsigned number; /* as in struct soon__sample */
    int id;          /* of the process, or of the thread; 0: not known */
    int detail;
    char name[16]; /* as the system shows it */
};

/* One item of a chunk has ended. */
struct soon__item_told {
    size_t index;
    struct soon__trace_row row;
    int64_t began_ns, ended_ns;
    enum soon__ending how;
};
/* What a thread keeps while it hands a call over, which may be gone when it has done so. */
struct soon__submit_note {
    bool is_traced;
    struct soon__trace_event event;
};

/* Who hears of all moments. */
struct soon__tracer {
    void (*submitted)(struct soon__sample *sample);
    /* Around the submit of one that is traced. */
    void (*submits)(const struct soon__sample *sample, struct soon__submit_note *ret);
    void (*has_submitted)(struct soon__submit_note *note);
    void (*queued)(struct soon__sample *sample);  /* it is handed to its executor, having waited for others or not */
    void (*dropped)(struct soon__sample *sample); /* which has refused it, and there is no end of it */
    void (*started)(struct soon__sample *sample); /* on threads: its body begins now, on this thread */
    /* Of a worker process it is told with the end that it has begun, and where. */
    void (*ran)(struct soon__sample *sample, struct soon__trace_row row, int64_t began_ns);
    /* It goes back to the queue: its worker has died, or not all items of a chunk fitted into one request. */
    void (*again)(struct soon__sample *sample, enum soon__ending how);
    void (*ended)(struct soon__sample *sample, enum soon__ending how);
    void (*item)(const struct soon__sample *sample, const struct soon__item_told *told);
    void (*worker)(const struct soon__worker_told *told);
};
/* NULL: nobody. The release that sets it pairs with the acquire of each moment. The table lives for ever. */
extern _Atomic(const struct soon__tracer *) soon__tracer;

/* Of each thread that submits: S1. Its storage is as that of soon__this_thread. */
struct soon__sampler {
    int32_t left;          /* so many calls come before the next that is sampled; -1: that is due */
    uint32_t gap;          /* how many those were in all, the sampled one included; 0: none was sampled yet */
    uint32_t mean;         /* of the gaps that are chosen now */
    uint32_t at_this_mean; /* so many more are sampled before it doubles */
    uint32_t random;
    int64_t last_ns; /* when a call was sampled last */
};
extern _Thread_local struct soon__sampler soon__this_sampler __attribute__((tls_model("initial-exec")));

/* Counts a call of this thread. True: it is to be sampled, by soon__sample_choose(). */
static inline bool soon__sample_is_due(void)
{
    return --soon__this_sampler.left < 0;
}
/* Counts a call of this thread, or is about one that is due. Returns the weight of its sample; 0: it has none. */
uint32_t soon__sample_choose(void);

/* The moments of a call. */
void soon__sample_submitted(struct soon__sample *sample);
/* `sample` NULL: the call has none. */
void soon__sample_submits(const struct soon__sample *sample, struct soon__submit_note *ret);
void soon__sample_has_submitted(struct soon__submit_note *note);
/* `waited`: it had to wait for others. */
void soon__sample_queued(struct soon__sample *sample, bool waited);
void soon__sample_dropped(struct soon__sample *sample);
void soon__sample_started(struct soon__sample *sample, unsigned worker);
/* It has started earlier, and has perhaps ended, by what a worker process says: within bounds, or it counts for
 * nothing. `ended_ns` 0: not that the worker knows. `goes_on`: it is a chunk. */
void soon__sample_ran(struct soon__sample *sample, unsigned worker, struct soon__trace_row row, int64_t began_ns,
                      int64_t ended_ns, bool goes_on);
void soon__sample_again(struct soon__sample *sample, enum soon__ending how);
void soon__sample_ended(struct soon__sample *sample, enum soon__ending how);
void soon__sample_item(const struct soon__sample *sample, const struct soon__item_told *told);
/* Is the call in the trace that is written, as far as that can be told now? `sample` may be NULL. */
static inline bool soon__sample_is_traced(const struct soon__sample *sample)
{
    return sample && sample->traced.number && soon__trace_is_on();
}

#endif
