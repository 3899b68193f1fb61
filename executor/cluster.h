/**
 * @file cluster.h
 * Tasks on other machines, by way of a Gearman server.
 *
 *     soon_executor *cluster;
 *
 *     soon_cluster_new(&cluster, &(soon_cluster_options){.servers = "10.0.0.5:4730, 10.0.0.6"});
 *     f = soon_submit(cluster, slow_add, .x = 6, .y = 7);
 *
 * It is an executor as the pools are: submit, the maps, callbacks, progress, cancel, kill, limits and shutdown mean the
 * same. What differs:
 * - A task runs *at least once*. If the server is lost while the task is under way, or its worker says nothing any
 *   more, its future ends with SOON_ELOST, or the task is tried again, if it has `retries`. It may have run all the
 *   same. If the daemon that runs it dies, the server sees that, and gives it to another, as often as its option
 *   `--job-retries` says: soon_future_attempt() counts that, too, if the task has options.
 * - Up to `in_flight_max` tasks are with the server. One of these that has not started is PENDING, and a cancel of it
 *   is a request, which the server confirms: soon_future_cancel() returns false, and the future is CANCELLED a moment
 *   later. A task that still waits here is cancelled at once.
 * - RUNNING is a task that a daemon has given to its processes. Where these are just being replaced it has not begun
 *   yet. If it is killed then, its error is SOON_EKILLED as well.
 * - Of the submit option `priority` the server knows three: above 0, 0, below 0; and that for each function.
 * - `retries` are for a worker process that dies (SOON_EWORKERDIED) and for a loss (SOON_ELOST). For the death of a
 *   process each item of a map has them, on the machine that has its chunk.
 * - Functions that share memory (SOON_TASK_LOCAL) are refused with SOON_ELOCAL. There is no initializer, and no shared
 *   memory: a worker daemon has those of its own.
 *
 * @addtogroup soon_cluster
 * @{
 */
#ifndef SOON_EXECUTOR_CLUSTER_H
#define SOON_EXECUTOR_CLUSTER_H

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_cluster_options {
    /**
     * Gearman servers: "10.0.0.5:4730, gear.example, [::1]:4731". One at a time is used; when it is lost, the next is
     * tried. Without a port it is 4730. Copied. Required.
     */
    const char *servers SOON__ZERO;
    const char *name SOON__ZERO;     /**< copied. NULL: soon-1, soon-2 ... */
    size_t in_flight_max SOON__ZERO; /**< so many tasks are with the server, the others wait here; 0: 1,024 */
    size_t queue_max SOON__ZERO;     /**< so many tasks may wait for their start, here and there; 0: no bound */
    soon_full when_full SOON__ZERO;  /**< what a submit does then; SOON_FULL_RUN_HERE is -EINVAL */
    /**
     * Milliseconds without a sign of life after which a task that runs is lost, with its machine: a worker sends three
     * in that time. The server is asked before: what it has put back into its queue is not lost. 0: 15,000.
     */
    int64_t lease_ms SOON__ZERO;
    /**
     * Milliseconds that the other side has to do what it is asked: to kill a task, to take back one that waits, to end
     * all of them in a shutdown by force. Then the future ends all the same. 0: 3,000; -1: at once.
     */
    int64_t grace_ms SOON__ZERO;
    /**
     * Milliseconds without any server after which all tasks fail with SOON_ELOST, what is submitted later, too, until a
     * server is there again. The executor goes on looking for one. 0: 60,000; -1: they wait for ever.
     */
    int64_t lost_after_ms SOON__ZERO;
    /**
     * About how many tasks the machines run at once: maps choose chunks by it, and statistics show it as workers. 0: 16
     */
    int slots SOON__ZERO;
} soon_cluster_options;

/**
 * Makes an executor whose tasks run on other machines, where the program soon-workerd has their functions. It begins to
 * connect, and does not wait for that: a server that is not there yet is waited for, see `lost_after_ms`. To hear of a
 * wrong address at once, call soon_executor_boot(), which returns when a server is there, or when each of them was
 * tried in vain: -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH (no such host) ..., and soon_last_error() says which and why.
 *
 * A Gearman server knows neither passwords nor encryption: it belongs into a private network.
 *
 * soon_cluster_new() is the form to use in programs.
 *
 * Ownership: the caller owns the executor until soon_executor_free(). Options are copied.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -EINVAL: `ret` is NULL, or an option makes no sense;
 * - -ENOMEM;
 * - -EMFILE, -EAGAIN ...: the library's own loop could not start.
 *
 * As mpi4py.futures' MPIPoolExecutor, and Client of Dask, with futures as in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE int soon_cluster_new_sized(soon_executor **ret, const soon_cluster_options *options,
                                                  size_t size);

/** soon_cluster_new_sized() with the options' size that this program was compiled with. */
static inline SOON_MUST_USE int soon_cluster_new(soon_executor **ret, const soon_cluster_options *options)
{
    return soon_cluster_new_sized(ret, options, sizeof *options);
}

/** A function that the server knows. */
typedef struct soon_cluster_function {
    const char *name; /**< by which clients submit it */
    uint64_t pending; /**< tasks that wait for a worker, of all clients */
    uint64_t running; /**< tasks that are with a worker */
    unsigned workers; /**< connections of workers that have the function; 0: such a task waits for ever */
} soon_cluster_function;

/** A connection of a worker. */
typedef struct soon_cluster_worker {
    const char *host;             /**< its address, as the server sees it */
    const char *name;             /**< as it calls itself, or "" */
    const char *const *functions; /**< what it is capable of */
    size_t function_count;        /**< how many these are */
} soon_cluster_worker;

/** What a server says of itself. */
typedef struct soon_cluster_status {
    const char *server;                     /**< "10.0.0.5:4730" */
    const soon_cluster_function *functions; /**< without those by which daemons are told to cancel */
    size_t function_count;                  /**< how many these are */
    const soon_cluster_worker *workers;     /**< without clients, and without connections for such orders */
    size_t worker_count;                    /**< how many these are */
} soon_cluster_status;

/**
 * Asks the server for its queues and workers: is there a worker for this function, how much waits?
 *
 * Ownership: the caller owns the status, and frees it by soon_cluster_status_free().
 * Threads: any thread but the library's, many at once. Blocks up to `timeout_ms` milliseconds.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -ETIMEDOUT: there was no answer in time;
 * - SOON_ESHUTDOWN: the executor is down;
 * - -EINVAL: NULL, no cluster, or `timeout_ms` is negative and not SOON_FOREVER;
 * - SOON_EDEADLK: on a thread of the library;
 * - SOON_EFORKED; -ENOMEM.
 */
SOON_API SOON_MUST_USE int soon_cluster_get_status(soon_executor *cluster, int64_t timeout_ms,
                                                   soon_cluster_status **ret);

/** Frees it; NULL is allowed. Any thread. */
SOON_API void soon_cluster_status_free(soon_cluster_status *status);

#ifdef __cplusplus
}
#endif

/**
 * SOON_TASK_FOREIGN(reverse, "reverse"); declares and defines a function that workers have which are not of this
 * library: the `gearman` command, a program in PHP or Perl. It makes `reverse_task`, `reverse_submit(executor, data,
 * size, options)` and `reverse_try_submit(&future, executor, data, size, options)`. The worker gets these bytes, and
 * what it returns is the result, as bytes. See SOON_FUNCTION_FOREIGN.
 *
 * Payloads, `extra` and `time_limit_ms` are refused with -ENOTSUP. Such a worker need not say that it has begun. As
 * long as it has told neither progress nor data the future is PENDING, its queue limit goes on, and a cancel ends it;
 * `started` of its error is false then, though the worker may be at work. A running task of such a worker hears of no
 * cancel; a kill ends its future, and not the task.
 */
#define SOON_TASK_FOREIGN(name, its_name)                                                                              \
    SOON__OF_BYTES(name)                                                                                               \
    const soon_function name##_task = {its_name, 0, 0, 0, "", "", SOON_FUNCTION_FOREIGN, 0, 0, 0, 0, {0, 0}};          \
    struct soon__semicolon

/** @} */
#endif
