/**
 * @file pool.h
 * Executors: how they are made, used and shut down.
 *
 *     soon_executor *pool;
 *
 *     soon_thread_pool_new(&pool, NULL);
 *     ...
 *     soon_executor_free(pool);
 *
 * @addtogroup soon_pools
 * @{
 */
#ifndef SOON_EXECUTOR_POOL_H
#define SOON_EXECUTOR_POOL_H

#include "loop.h"
#include "shared.h"
#include "stats.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Stands at the top of main() in programs with process pools. A worker of such a pool is this very program, started
 * anew with one more argument, `--soon-worker-process`. soon_init() finds that argument and becomes the worker, so in a
 * worker it never returns; and what main() does before it, every worker does, too. Without process pools it does
 * nothing, and need not be called.
 *
 * It may be called any number of times. `argc` 0 with `argv` NULL only notes the call: for a program that cannot reach
 * main's arguments and starts its workers with another program.
 *
 * Threads: before any other thread uses the library. Never blocks.
 * Returns: 0; -EINVAL: a negative `argc`, or `argv` is missing. In a worker it does not return.
 */
SOON_API int soon_init(int argc, char **argv);

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_thread_pool_options {
    int workers SOON__ZERO;      /**< how many at most; 0: one for each CPU that this process may use */
    const char *name SOON__ZERO; /**< copied; workers are called name_n. NULL: soon-1, soon-2 ... */
    /** Runs once on each worker before its first task. If it fails, the pool is broken. NULL: there is none. */
    const soon_function *initializer SOON__ZERO;
    const void *initializer_arg SOON__ZERO; /**< copied; NULL: zeroes */
    soon_shared *shared SOON__ZERO;         /**< what soon_task_shared() shows; the pool takes a reference of its own */
    size_t queue_max SOON__ZERO;            /**< so many tasks may wait for a worker; 0: no bound */
    soon_full when_full SOON__ZERO;         /**< SOON_FULL_RUN_HERE with an initializer is -EINVAL */
    int64_t idle_timeout_ms SOON__ZERO;     /**< a worker that has no work for so many milliseconds ends; 0: never */
    size_t stack_size SOON__ZERO;           /**< in bytes; 0: that of the system */
    size_t initializer_arg_size SOON__ZERO; /**< in bytes; if its argument has no fixed size, else 0 or that size */
    soon_bytes initializer_extra SOON__ZERO; /**< copied; what soon_task_extra() gives to the initializer */
} soon_thread_pool_options;

/**
 * Makes a pool of worker threads, which start as tasks come. `queue_max` never refuses nor blocks a submit from its own
 * tasks. A task may wait for tasks of the same pool without a deadlock. soon_thread_pool_new() is the form to use in
 * programs.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied.
 * Threads: any thread.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -EINVAL: `ret` is NULL, or an option makes no sense;
 * - -ENOMEM;
 * - -EMFILE, -EAGAIN ...: the library's own loop could not start.
 *
 * As ThreadPoolExecutor(max_workers, thread_name_prefix, initializer, initargs) in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE int soon_thread_pool_new_sized(soon_executor **ret, const soon_thread_pool_options *options,
                                                      size_t size);

/**
 * soon_thread_pool_new_sized() with the options' size that this program was compiled with. `options` NULL: defaults.
 */
static inline SOON_MUST_USE int soon_thread_pool_new(soon_executor **ret, const soon_thread_pool_options *options)
{
    return soon_thread_pool_new_sized(ret, options, sizeof *options);
}

/** What the death of a worker process means for its pool. */
typedef enum soon_on_death {
    SOON_REPLACE, /**< only the task that it was running fails; the worker is replaced */
    SOON_BREAK    /**< every task fails and the pool is broken, as in Python; also if a worker dies while it starts */
} soon_on_death;

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_process_pool_options {
    int workers SOON__ZERO;      /**< how many at most; 0: one for each CPU that this process may use */
    const char *name SOON__ZERO; /**< copied; workers are called name_n. NULL: soon-1, soon-2 ... */
    /** Runs once on each worker before its first task. If it fails, the pool is broken. NULL: there is none. */
    const soon_function *initializer SOON__ZERO;
    const void *initializer_arg SOON__ZERO; /**< copied; NULL: zeroes */
    soon_shared *shared SOON__ZERO;         /**< what soon_task_shared() shows; the pool takes a reference of its own */
    size_t queue_max SOON__ZERO;            /**< so many tasks may wait for a worker; 0: no bound */
    soon_full when_full SOON__ZERO;     /**< SOON_FULL_RUN_HERE: in this process; with an initializer it is -EINVAL */
    int64_t idle_timeout_ms SOON__ZERO; /**< a worker that has no work for so many milliseconds ends; 0: never */
    /**
     * Shared objects, up to a NULL. Workers are then the installed program soon-worker, which loads them, instead of
     * this program, which need not call soon_init().
     */
    const char *const *load SOON__ZERO;
    const char *worker_program SOON__ZERO;     /**< a program that calls soon_init(); NULL: this one */
    const char *const *worker_args SOON__ZERO; /**< its arguments behind its name, up to a NULL; NULL: none */
    const char *const *environment SOON__ZERO; /**< "NAME=value", up to a NULL: added to that of this process */
    const char *directory SOON__ZERO;          /**< where workers work; NULL: where this process is now */
    int max_tasks_per_worker SOON__ZERO; /**< then a worker is replaced; a chunk of a map counts as one. 0: no limit */
    /** In bytes: a worker whose own memory has grown above that is replaced, between tasks. 0: no limit. */
    uint64_t memory_limit SOON__ZERO;
    /**
     * So many workers in a row that died before they were ready break the pool. 0: 5; -1: it never gives up. Want of
     * descriptors, processes or memory does not count: if there has been no worker for so many times
     * `start_timeout_ms`, what is pending fails with -EMFILE, -EAGAIN, -ENOMEM ..., and the pool goes on.
     */
    int max_restarts SOON__ZERO;
    /** A worker must be ready within so many milliseconds, without those that it waited for a CPU. 0: 10,000. */
    int64_t start_timeout_ms SOON__ZERO;
    int64_t grace_ms SOON__ZERO; /**< milliseconds between SIGTERM and SIGKILL; 0: 3,000; -1: SIGKILL at once */
    soon_on_death on_worker_death SOON__ZERO; /**< what the death of a worker means for the pool */
    size_t initializer_arg_size SOON__ZERO;   /**< in bytes; if its argument has no fixed size, else 0 or that size */
    soon_bytes initializer_extra SOON__ZERO;  /**< copied; what soon_task_extra() gives to the initializer */
} soon_process_pool_options;

/**
 * Makes a pool of worker processes, which start as tasks come and are replaced when they die. A worker is this very
 * program, started anew, so main() must begin with soon_init(). Arguments and results travel by value: functions that
 * share memory with their caller (SOON_TASK_LOCAL) are refused with SOON_ELOCAL. soon_process_pool_new() is the form to
 * use in programs.
 *
 * Paths in the options mean what they mean now, from where this process is now, whatever becomes of that later:
 * `worker_program` and `directory` are held by descriptors, and objects to `load` get whole paths.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied. The environment is taken as it is
 * now.
 * Threads: any thread.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns
 * - -EINVAL: `ret` is NULL, or an option makes no sense;
 * - -ENOMEM;
 * - SOON_ENOINIT: soon_init() was not called, or this is a worker that it has not taken over yet;
 * - SOON_EDEPTH: this is a worker of a pool of a worker ..., ten deep;
 * - SOON_ENOPROGRAM: the file of this program cannot be executed again;
 * - -ENOENT ...: `worker_program`, `directory` or an object to `load` is not there;
 * - -ENOSYS ...: the system has no pidfd or no sealed memory.
 *
 * As ProcessPoolExecutor(max_workers, initializer, initargs, max_tasks_per_child) in Python's concurrent.futures, and
 * multiprocessing.Pool.
 */
SOON_API SOON_MUST_USE int soon_process_pool_new_sized(soon_executor **ret, const soon_process_pool_options *options,
                                                       size_t size);

/**
 * soon_process_pool_new_sized() with the options' size that this program was compiled with. `options` NULL: defaults.
 */
static inline SOON_MUST_USE int soon_process_pool_new(soon_executor **ret, const soon_process_pool_options *options)
{
    return soon_process_pool_new_sized(ret, options, sizeof *options);
}

/** What runs the tasks of a pool. */
typedef enum soon_pool_kind {
    SOON_THREADS,  /**< threads of this process */
    SOON_PROCESSES /**< processes: main() begins with soon_init() */
} soon_pool_kind;

/**
 * What both kinds of pool have, with the same meaning. Every field: 0 is the default. A negative value where it makes
 * no sense is -EINVAL.
 */
typedef struct soon_pool_options {
    int workers SOON__ZERO;      /**< how many at most; 0: one for each CPU that this process may use */
    const char *name SOON__ZERO; /**< copied; workers are called name_n. NULL: soon-1, soon-2 ... */
    /** Runs once on each worker before its first task. If it fails, the pool is broken. NULL: there is none. */
    const soon_function *initializer SOON__ZERO;
    const void *initializer_arg SOON__ZERO;  /**< copied; NULL: zeroes */
    size_t initializer_arg_size SOON__ZERO;  /**< in bytes; if its argument has no fixed size, else 0 or that size */
    soon_bytes initializer_extra SOON__ZERO; /**< copied; what soon_task_extra() gives to the initializer */
    soon_shared *shared SOON__ZERO;     /**< what soon_task_shared() shows; the pool takes a reference of its own */
    size_t queue_max SOON__ZERO;        /**< so many tasks may wait for a worker; 0: no bound */
    soon_full when_full SOON__ZERO;     /**< SOON_FULL_RUN_HERE with an initializer is -EINVAL */
    int64_t idle_timeout_ms SOON__ZERO; /**< a worker that has no work for so many milliseconds ends; 0: never */
} soon_pool_options;

/**
 * Makes a pool of either kind, for programs that choose at run time: `soon_pool_new(&pool, crash_proof ? SOON_PROCESSES
 * : SOON_THREADS, NULL)`. Options that only one kind has are those of its own constructor. soon_pool_new() is the form
 * to use in programs.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied.
 * Threads: any thread.
 * Returns: as soon_thread_pool_new_sized() and soon_process_pool_new_sized(); -EINVAL also for another kind.
 *
 * As choosing between ThreadPoolExecutor and ProcessPoolExecutor in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE int soon_pool_new_sized(soon_executor **ret, soon_pool_kind kind,
                                               const soon_pool_options *options, size_t size);

/** soon_pool_new_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_pool_new(soon_executor **ret, soon_pool_kind kind,
                                              const soon_pool_options *options)
{
    return soon_pool_new_sized(ret, kind, options, sizeof *options);
}

/** How a shutdown treats the tasks that are there, from weak to strong. */
typedef enum soon_shutdown {
    SOON_DRAIN,          /**< everything that was submitted still runs */
    SOON_CANCEL_PENDING, /**< what has not started is cancelled */
    SOON_TERMINATE,      /**< besides, what runs is asked to stop; worker processes get SIGTERM, later SIGKILL */
    SOON_KILL            /**< the same, with SIGKILL at once. A thread cannot be killed: its task is asked to stop */
} soon_shutdown;

/**
 * Starts all workers and waits until they are ready. It need not be called: they start on demand.
 *
 * Threads: any thread but a worker of the executor. Blocks up to `timeout_ms` milliseconds.
 * Returns: 0, also at once for an executor of the program's own; else
 * - -ETIMEDOUT: they go on starting;
 * - -EMFILE, -EAGAIN, -ENOMEM ...: a worker could not be started for want of that. Those that could be are there;
 * - SOON_EBROKEN, SOON_ESHUTDOWN: the executor takes no tasks;
 * - SOON_EDEADLK: inside one of its tasks; or inside a task of another pool whose last thread would wait here;
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -EINVAL: NULL, or `timeout_ms` is negative and not SOON_FOREVER.
 */
SOON_API int soon_executor_boot(soon_executor *executor, int64_t timeout_ms);

/**
 * Refuses new tasks from now on, treats the others as `mode` says, and waits until every worker is gone. A stronger
 * mode may follow a weaker one; a weaker one then changes nothing. After 0, every future of this executor is done: of
 * its tasks, its thens, its maps and their items, and of soon_apply_async(), whose callbacks have run.
 *
 * Threads: any thread, many at once. Blocks up to `timeout_ms` milliseconds (0: it only begins).
 * Returns: 0; else
 * - -ETIMEDOUT: the shutdown goes on by itself;
 * - -EINTR: the same; see soon_thread_set_interrupt();
 * - SOON_EDEADLK: the shutdown has begun, and could wait for itself here: inside its own tasks, on the library's
 *   threads, in callbacks, and in other functions of the program's that a call of this executor runs and its end waits
 *   for (a release that a shutdown or a cancel leads to, a function of its soon_executor_class);
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -EINVAL: NULL, a mode that is none, or `timeout_ms` is negative and not SOON_FOREVER;
 * - what the `shutdown` of an executor of the program's own returns.
 *
 * As Executor.shutdown(wait, cancel_futures), terminate_workers() and kill_workers() in Python's concurrent.futures;
 * close(), terminate() and join() of multiprocessing.Pool.
 */
SOON_API int soon_executor_shutdown(soon_executor *executor, soon_shutdown mode, int64_t timeout_ms);

/**
 * Gives a future that finishes when every worker is gone and no other thread is busy in the executor. It does not begin
 * a shutdown, and it cannot be cancelled. A wait for it that could never end is SOON_EDEADLK.
 *
 * Ownership: the caller owns one reference, which outlives the executor.
 * Threads: any thread. Never blocks.
 * Returns: a future, never NULL. One that is done, with -EINVAL for NULL or SOON_EFORKED for the executor of the parent
 * of this process.
 */
SOON_API SOON_MUST_USE soon_future *soon_executor_down(soon_executor *executor);

/**
 * Drains the executor if it is open, waits until its workers are gone, and frees it. Futures may outlive it.
 * soon_executor_end() does that without waiting. SOON_AUTO_EXECUTOR calls this at the end of a scope.
 *
 * Threads: one thread, after every other use. Blocks, unless the future of soon_executor_down() is done.
 * Returns: 0, also for NULL. Else nothing is freed:
 * - SOON_EDEADLK: inside one of its own tasks, in the `free` of its own class; and, unless its workers are gone,
 *   wherever soon_executor_shutdown() returns that;
 * - -EINTR: the drain goes on; see soon_thread_set_interrupt();
 * - SOON_EFORKED: in a child of the process that has made it.
 *
 * As leaving `with Executor()` in Python.
 */
SOON_API int soon_executor_free(soon_executor *executor);

/** How an executor is to end. Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_end_options {
    soon_shutdown mode SOON__ZERO;      /**< what it begins with; 0: SOON_DRAIN */
    int64_t grace_ms SOON__ZERO;        /**< in milliseconds: after that time `then_mode` follows; 0: it does not */
    soon_shutdown then_mode SOON__ZERO; /**< stronger than `mode`; 0: SOON_TERMINATE, or SOON_KILL behind that */
    soon_loop *loop SOON__ZERO;         /**< where it is freed and on_end runs; NULL: on the callback thread */
    soon_loop_fn on_end SOON__ZERO;     /**< called when the executor is gone; NULL: nobody is told */
    void *data SOON__ZERO;              /**< given to on_end */
    soon_free_fn release SOON__ZERO;    /**< gets `data` once: when on_end has run, or never will */
} soon_end_options;

/**
 * Ends an executor without waiting: shuts it down as `mode` says, goes on with a stronger mode when `grace_ms` is over,
 * frees it when its workers are gone, then calls `on_end`. The library keeps the time; no loop need run for that.
 * Choose soon_executor_free() where a thread may wait. soon_executor_end() is the form to use in programs.
 *
 * The executor is alive until `on_end` is called. So on the loop's thread it may be used until then, by
 * soon_executor_shutdown() with a stronger mode and by soon_executor_stats(). To have a future for the end, call
 * soon_executor_down() before this.
 *
 * With a loop, what comes to it from tasks of the executor comes before `on_end`. So it comes by way of the library's
 * callback thread, and a callback that blocks there holds it up. A loop that is attached keeps uv_run() going until
 * then, as for soon_future_add_done_callback_on(). A loop that is detached meanwhile still gets it. If somebody else
 * has closed the loop's handle, `on_end` does not run; the executor is freed and `release` called on the library's
 * callback thread. There `on_end` runs if no loop was given: it may start, end and free other things, but must not wait
 * for an executor.
 *
 * A task on a thread that never looks at soon_task_cancel_requested() ends when it returns, whatever the mode, and
 * `on_end` comes after that. If the program ends before, it does not come. In a worker process SOON_TERMINATE leaves
 * such a task the `grace_ms` of its pool, which is added to the one given here; with SOON_KILL there is none.
 *
 * Ownership: with 0, executor and `data` are taken: the executor must not be freed nor ended again. A failure takes
 * nothing.
 * Threads: any thread, tasks and callbacks of the executor included; one of them. Never blocks.
 * Returns: 0; else
 * - -EINVAL: NULL; a `then_mode` that is not stronger than `mode`, or that has no `grace_ms`; or the executor is being
 *   ended already;
 * - SOON_EDEADLK: in the `free` of its own class;
 * - SOON_ESHUTDOWN: the loop is detached;
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -ENOMEM; -EMFILE, -EAGAIN ...: the library's own threads could not start;
 * - what the `shutdown` of an executor of the program's own returns.
 *
 * As uv_close() with a handle of libuv.
 */
SOON_API SOON_MUST_USE int soon_executor_end_sized(soon_executor *executor, const soon_end_options *options,
                                                   size_t size);

/** soon_executor_end_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_executor_end(soon_executor *executor, const soon_end_options *options)
{
    return soon_executor_end_sized(executor, options, sizeof *options);
}

/**
 * Tells whether the executor takes tasks, and if not, why. Changes nothing.
 *
 * Ownership: lent until soon_executor_free().
 * Threads: any thread. Never blocks.
 * Returns: an error, never NULL. Its `code` is 0 while tasks are taken; SOON_ESHUTDOWN from the first shutdown on;
 * SOON_EBROKEN, with what broke it; SOON_EFORKED; -EINVAL for NULL.
 */
SOON_API const soon_error *soon_executor_error(soon_executor *executor);

#if defined(__GNUC__)
static inline void soon__executor_free(soon_executor **e)
{
    (void)soon_executor_free(*e);
}
/** `SOON_AUTO_EXECUTOR *pool = NULL;` is freed at the end of its scope. */
#define SOON_AUTO_EXECUTOR __attribute__((cleanup(soon__executor_free))) soon_executor
#endif

#ifdef __cplusplus
}
#endif

/** @} */
#endif
