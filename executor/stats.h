/**
 * @file stats.h
 * What an operator sees of an executor: its numbers, how long tasks wait and run, its workers.
 *
 * docs/watching.md says how exact each of it is.
 *
 * @addtogroup soon_pools
 * @{
 */
#ifndef SOON_EXECUTOR_STATS_H
#define SOON_EXECUTOR_STATS_H

#include "function.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A snapshot of an executor. Later versions add fields at the end.
 *
 * A task is what a submit has made, and a map has one for each of its chunks: that has succeeded when its items are
 * through, whether they have failed or not. At rest `submitted` is `pending` + `running` + `succeeded` + `failed` +
 * `cancelled`; while tasks move, one may be in none of them for a moment. A task that waits for others
 * (soon_then(), `after`) counts from when they are done. One that ran on its submitter's thread, since the queue was
 * full, counts when it has ended.
 *
 * An executor of the program's own fills in what it knows.
 */
typedef struct soon_stats {
    size_t workers;         /**< workers that live, spares included */
    size_t idle;            /**< of these, those without work */
    size_t pending;         /**< tasks that wait for a worker */
    size_t running;         /**< tasks that run, those that wait for others included */
    uint64_t submitted;     /**< tasks that were taken since the start */
    uint64_t succeeded;     /**< tasks that ended with a result */
    uint64_t failed;        /**< tasks that ended with an error */
    uint64_t cancelled;     /**< tasks that ended CANCELLED */
    uint64_t worker_deaths; /**< worker processes that have died */
    size_t spares;          /**< workers beyond the pool's number, in the place of those that wait inside tasks */
    uint64_t wakeups;       /**< how often a sleeping worker was woken */
    size_t workers_max;     /**< the most workers it will have, without spares; 0: an executor of the program's own */

    size_t workers_starting; /**< of `workers`: started, or about to be, and not ready */
    size_t workers_running;  /**< of these: with a task, or just looking for one */
    size_t workers_waiting;  /**< of these: threads that wait inside a task, for another task or a lock of ours */
    size_t workers_retiring; /**< they take nothing any more, and are not gone; threads are not in `workers` then */

    uint64_t failed_raised;      /**< of `failed`, here and below: the task has failed by itself */
    uint64_t failed_time_limit;  /**< over `time_limit_ms` */
    uint64_t failed_expired;     /**< over `queue_limit_ms` */
    uint64_t failed_worker_died; /**< the worker process has died */
    uint64_t failed_killed;      /**< by soon_future_kill(), or by a shutdown with force */
    uint64_t failed_otherwise;   /**< it could not be run: no memory, no such function, a broken pool ... */
    uint64_t retries;            /**< how often a task or an item was tried again, by `retries` */

    uint64_t worker_starts;      /**< workers that were started */
    uint64_t worker_restarts;    /**< of these, processes in the place of one that had died */
    uint64_t recycled_idle;      /**< workers that ended for `idle_timeout_ms`, and spares that were not needed */
    uint64_t recycled_tasks;     /**< processes that ended for `max_tasks_per_worker` */
    uint64_t recycled_memory;    /**< processes that ended for `memory_limit` */
    uint64_t bytes_to_workers;   /**< arguments, payloads, labels sent to processes. Threads get theirs in place: 0 */
    uint64_t bytes_from_workers; /**< results, payloads, messages that came from processes */
    uint64_t failed_lost;        /**< of `failed`: the server, the machine or the network was lost; of a cluster */
} soon_stats;

/**
 * Fills in `*ret`, with zeroes for NULL and in a forked child. soon_executor_stats() is the form to use in programs.
 *
 * Threads: any thread. Never blocks.
 */
SOON_API void soon_executor_stats_sized(soon_executor *executor, soon_stats *ret, size_t size);

/** soon_executor_stats_sized() with the size that this program was compiled with. */
static inline void soon_executor_stats(soon_executor *executor, soon_stats *ret)
{
    soon_executor_stats_sized(executor, ret, sizeof *ret);
}

/**
 * Returns the name of an executor: the option `name`; "soon-1", "soon-2" ... for a pool without one; for an executor of
 * the program's own that of its class. Cut to 63 bytes. "" for NULL.
 *
 * Ownership: lent until soon_executor_free().
 * Threads: any thread. Never blocks.
 */
SOON_API const char *soon_executor_name(const soon_executor *executor);

/** Is called with an executor. */
typedef void (*soon_executor_fn)(soon_executor *executor, void *data);

/**
 * Calls `fn` for each executor of the process, in the order in which they were made: so one exporter serves all.
 * Executors may be made, ended and freed meanwhile, on other threads and by `fn`. One whose workers are all gone is
 * left out, and so are those that are made after the walk has begun, and, in a forked child, those of the parent.
 *
 * `fn` may do with the executor what any thread may do that knows it, but must not wait for its end:
 * soon_executor_free() and a wait for the shutdown are SOON_EDEADLK there. While it runs soon_executor_free() waits
 * for it, on another thread.
 *
 * Threads: any thread, many at once; also from `fn`. Blocks no longer than `fn` does.
 * Returns: how many executors it was called for.
 */
SOON_API size_t soon_executors_each(soon_executor_fn fn, void *data);

/** What a histogram is of. */
typedef enum soon_timing {
    SOON_QUEUE_WAIT = 0, /**< from the submit to the start; of a task that waits for others, from their end on */
    SOON_RUN_TIME = 1,   /**< from the start of the body to its end; of a task with retries, at the last try */
} soon_timing;

enum {
    SOON_TIMINGS = 2,             /**< how many kinds of histograms there are */
    SOON_HISTOGRAM_BUCKETS = 1376 /**< of a soon_histogram; the last counts all from 39 hours on */
};

/**
 * How long tasks have waited or run, in nanoseconds. Counts and sums only grow, so what came between two of them is
 * their difference, field by field but for `max_ns`.
 */
typedef struct soon_histogram {
    uint64_t count;    /**< of how many tasks: those that have started. An estimate, where not all were measured */
    uint64_t measured; /**< how many were measured for that */
    uint64_t sum_ns;   /**< of all their times; an estimate likewise */
    uint64_t max_ns;   /**< the longest that was measured */
    /** How many were in each bucket. Below 64 each nanosecond has its own; above that a bucket is 1/32 of a power of
     *  two wide. soon_histogram_at_most() and soon_histogram_quantile() know where they are. */
    uint64_t buckets[SOON_HISTOGRAM_BUCKETS];
} soon_histogram;

/**
 * Fills in one of the two histograms of the executor, with zeroes for NULL and in a forked child. It has 11 kB.
 * soon_executor_histogram() is the form to use in programs.
 *
 * Always on. Tasks are measured one by one as long as a thread submits less than a thousand a second, and one of 512,
 * which then counts for so many, in a flood. On an executor of the program's own only those count that soon_call_run()
 * runs.
 *
 * Threads: any thread. Never blocks.
 * Returns: 0, also for an executor that has run nothing; -EINVAL: no such timing.
 */
SOON_API int soon_executor_histogram_sized(soon_executor *executor, soon_timing timing, soon_histogram *ret,
                                           size_t size);

/** soon_executor_histogram_sized() with the size that this program was compiled with. */
static inline int soon_executor_histogram(soon_executor *executor, soon_timing timing, soon_histogram *ret)
{
    return soon_executor_histogram_sized(executor, timing, ret, sizeof *ret);
}

/**
 * Returns the time that a part `q` of the tasks stayed within: 0.5 for the median, 0.99 for p99; from 1 on it is
 * `max_ns`. At most 1.6 % off, as what was measured goes; 0 if nothing was. Any thread.
 */
SOON_API uint64_t soon_histogram_quantile(const soon_histogram *histogram, double q);

/**
 * Returns how many tasks took at most `ns`: what Prometheus wants of each of its buckets. Tasks within 3.2 % below that
 * may be missing, and none is too many. Any thread.
 */
SOON_API uint64_t soon_histogram_at_most(const soon_histogram *histogram, uint64_t ns);

/** Adds what another histogram has counted: for one of several executors. Any thread that has both. */
SOON_API void soon_histogram_add(soon_histogram *to, const soon_histogram *other);

/** One worker of a pool. Later versions add fields at the end. */
typedef struct soon_worker {
    char name[16]; /**< as `ps` and `top -H` show it */
    int id;        /**< of the process, or of the thread as gettid() gives it; 0: it has not been started yet */
    bool busy;     /**< it runs a task, or has been given one */
} soon_worker;

/**
 * Writes the first `count` of the workers that live now to `ret`, spares and those that are being started included; one
 * that was only asked for, by a submit a moment ago, may be missing. It is for monitors, debuggers and tests: workers
 * come and go meanwhile, and a number may be another's by the time that it is used. soon_executor_workers() is the form
 * to use in programs.
 *
 * Ownership: `ret` is an array of `count` elements of `size` bytes, which begin as a soon_worker. It may be NULL with
 * `count` 0.
 * Threads: any thread. Never blocks.
 * Returns: how many workers there are. 0 for NULL, in a forked child, and for an executor of the program's own.
 */
SOON_API size_t soon_executor_workers_sized(soon_executor *executor, soon_worker *ret, size_t count, size_t size);

/** soon_executor_workers_sized() with the size that this program was compiled with. */
static inline size_t soon_executor_workers(soon_executor *executor, soon_worker *ret, size_t count)
{
    return soon_executor_workers_sized(executor, ret, count, sizeof *ret);
}

#ifdef __cplusplus
}
#endif

/** @} */
#endif
