/**
 * @file pool.h
 * Executors: making, using, shutting down.
 *
 * @addtogroup soon_pools
 * @{
 */
#ifndef SOON_EXECUTOR_POOL_H
#define SOON_EXECUTOR_POOL_H

#include "loop.h"
#include "shared.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * At the top of main, for programs with process pools. A worker of theirs is this very program, started anew with one
 * more argument, `--soon-worker-process`: here it finds that, and becomes the worker. So in a worker it never returns,
 * and what main does before it every worker does too. A program without process pools may call it; it does nothing
 * there.
 *
 * Threads: before any other thread uses the library. Any number of times; `argc` 0 with `argv` NULL only notes that it
 * was called, for who cannot reach main's arguments and starts workers with another program.
 * Returns: 0; -EINVAL for a negative `argc` or a missing `argv`. In a worker it does not return.
 */
SOON_API int soon_init(int argc, char **argv);

/** Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_thread_pool_options {
    int workers SOON__ZERO;      /**< 0: one per CPU this process may use */
    const char *name SOON__ZERO; /**< copied; NULL: "soon-1" and so on. Workers are called name_n */
    const soon_function *initializer
        SOON__ZERO; /**< run once per worker before its first task; its failure breaks the pool */
    const void *initializer_arg SOON__ZERO; /**< copied; NULL: zeroes */
    soon_shared *shared SOON__ZERO;         /**< what soon_task_shared() shows; the pool holds a reference of its own */
    size_t queue_max SOON__ZERO;            /**< tasks that wait for a worker; 0: unbounded */
    soon_full when_full SOON__ZERO;     /**< RUN_HERE with an initializer: -EINVAL (a stranger's thread has no local) */
    int64_t idle_timeout_ms SOON__ZERO; /**< a worker without work for so long ends; 0: never */
    size_t stack_size SOON__ZERO;       /**< bytes; 0: the system's */
    size_t initializer_arg_size SOON__ZERO;  /**< of an initializer of variable size; else 0, or what its type has */
    soon_bytes initializer_extra SOON__ZERO; /**< copied; what soon_task_extra() gives to the initializer */
} soon_thread_pool_options;

/**
 * Makes a pool of worker threads, which start as tasks come. Submits from its own tasks are never refused or blocked
 * by `queue_max`, and waiting in a task for tasks of the same pool cannot deadlock.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL; -ENOMEM; -EMFILE, -EAGAIN ... if the library's own loop
 * could not start; and sets it to NULL.
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
    SOON_BREAK    /**< as in Python: every task fails, and the pool is broken; also if it dies while it starts */
} soon_on_death;

/** Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_process_pool_options {
    int workers SOON__ZERO;                      /**< 0: one per CPU this process may use */
    const char *name SOON__ZERO;                 /**< copied; NULL: "soon-1" and so on. Workers are called name_n */
    const soon_function *initializer SOON__ZERO; /**< run once per worker before its first task; its failure breaks the
                                                      pool */
    const void *initializer_arg SOON__ZERO;      /**< copied; NULL: zeroes */
    soon_shared *shared SOON__ZERO;     /**< what soon_task_shared() shows; the pool holds a reference of its own */
    size_t queue_max SOON__ZERO;        /**< tasks that wait for a worker; 0: unbounded */
    soon_full when_full SOON__ZERO;     /**< RUN_HERE runs tasks in this process; with an initializer: -EINVAL */
    int64_t idle_timeout_ms SOON__ZERO; /**< a worker without work for so long ends; 0: never */
    const char *const *load SOON__ZERO; /**< NULL-ended: workers run the installed soon-worker with these shared objects
                                             instead of this program; then soon_init() is not needed here */
    const char *worker_program SOON__ZERO;     /**< any program that calls soon_init(); NULL: this one */
    const char *const *worker_args SOON__ZERO; /**< NULL-ended: arguments after its name */
    const char *const *environment SOON__ZERO; /**< NULL-ended "NAME=value", added to this process's own */
    const char *directory SOON__ZERO;          /**< where workers work; NULL: where this process is now */
    int max_tasks_per_worker SOON__ZERO;       /**< then it is replaced; a chunk of a map counts as one; 0: no limit */
    uint64_t memory_limit SOON__ZERO; /**< bytes of its own memory above which a worker is replaced, between tasks; 0:
                                           none */
    int max_restarts SOON__ZERO;      /**< so many workers in a row that died before they were ready break the pool;
                                              0: 5; -1: never give up. Want of descriptors, processes or memory does not
                                              count: with no worker for so many times `start_timeout_ms`, what is pending
                                              fails with -EMFILE, -EAGAIN, -ENOMEM ..., and the pool goes on */
    int64_t start_timeout_ms SOON__ZERO;      /**< a worker must be ready after it, not counting what it had to wait for
                                                   a CPU; 0: 10 s */
    int64_t grace_ms SOON__ZERO;              /**< between SIGTERM and SIGKILL; 0: 3 s; -1: SIGKILL at once */
    soon_on_death on_worker_death SOON__ZERO; /**< REPLACE */
    size_t initializer_arg_size SOON__ZERO;   /**< of an initializer of variable size; else 0, or what its type has */
    soon_bytes initializer_extra SOON__ZERO;  /**< copied; what soon_task_extra() gives to the initializer */
} soon_process_pool_options;

/**
 * Makes a pool of worker processes, which start as tasks come and are replaced when they die. A worker is this very
 * program, started anew: main() must begin with soon_init(). Arguments and results travel by value; functions that
 * share memory with their caller (SOON_TASK_LOCAL) are refused with SOON_ELOCAL.
 *
 * Paths mean what they mean now, from where this process is now, whatever it becomes later: `worker_program` and
 * `directory` are held by descriptors, and objects to `load` get whole paths.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied; the environment is taken as it is
 * now.
 * Threads: any thread. Returns: 0 and sets `*ret`; -EINVAL; -ENOMEM; SOON_ENOINIT: soon_init() was not called, or this
 * is a worker and it has not taken over yet; SOON_EDEPTH: in a worker of a worker ..., ten deep; -ENOSYS and the like
 * where the system has no pidfd or sealed memory; SOON_ENOPROGRAM: this program's file cannot be
 * executed again; -ENOENT ... for a program or a directory that is not there; and sets it to NULL.
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
    SOON_PROCESSES /**< processes: soon_init() at the top of main */
} soon_pool_kind;

/** What both kinds have, with the same meaning. Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_pool_options {
    int workers SOON__ZERO;                      /**< 0: one per CPU this process may use */
    const char *name SOON__ZERO;                 /**< copied; NULL: "soon-1" and so on. Workers are called name_n */
    const soon_function *initializer SOON__ZERO; /**< run once per worker before its first task; its failure breaks the
                                                      pool */
    const void *initializer_arg SOON__ZERO;      /**< copied; NULL: zeroes */
    size_t initializer_arg_size SOON__ZERO;  /**< of an initializer of variable size; else 0, or what its type has */
    soon_bytes initializer_extra SOON__ZERO; /**< copied; what soon_task_extra() gives to the initializer */
    soon_shared *shared SOON__ZERO;     /**< what soon_task_shared() shows; the pool holds a reference of its own */
    size_t queue_max SOON__ZERO;        /**< tasks that wait for a worker; 0: unbounded */
    soon_full when_full SOON__ZERO;     /**< RUN_HERE with an initializer: -EINVAL */
    int64_t idle_timeout_ms SOON__ZERO; /**< a worker without work for so long ends; 0: never */
} soon_pool_options;

/**
 * Makes a pool of either kind, for programs that choose at run time: `soon_pool_new(&pool, crash_proof ? SOON_PROCESSES :
 * SOON_THREADS, NULL)`. What one kind alone has, its own constructor takes.
 *
 * Ownership: the caller owns the pool until soon_executor_free(). Options are copied.
 * Threads: any thread. Returns: as soon_thread_pool_new_sized() and soon_process_pool_new_sized(); -EINVAL for another kind.
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

/** How a shutdown treats what is there, from weak to strong. */
typedef enum soon_shutdown {
    SOON_DRAIN,          /**< everything submitted still runs */
    SOON_CANCEL_PENDING, /**< what has not started is cancelled */
    SOON_TERMINATE,      /**< and what runs is asked to stop; processes get SIGTERM, then SIGKILL */
    SOON_KILL            /**< and what runs is asked to stop; processes get SIGKILL */
} soon_shutdown;

/**
 * Starts all workers and waits until they are ready. Not needed: they start on demand.
 *
 * Threads: any thread but a worker of it. Blocks up to `timeout_ms`.
 * Returns: 0; -ETIMEDOUT (they go on starting); SOON_EBROKEN; SOON_ESHUTDOWN; SOON_EDEADLK in one of its tasks, or in the
 * task of another pool whose last thread that would be; -EMFILE, -EAGAIN, -ENOMEM ... if one could not be started for want of
 * that (those that could are there); -EINVAL;
 * SOON_EFORKED. 0 at once for an executor of the user's own.
 */
SOON_API int soon_executor_boot(soon_executor *executor, int64_t timeout_ms);

/**
 * Refuses new tasks from now on, treats the others as `mode` says, and waits until every worker is gone. A stronger
 * mode may follow a weaker one, a weaker one changes nothing. After 0, no future of this executor is unresolved: of its
 * tasks, its thens, its maps and their items; and of soon_apply_async(), whose callbacks have run.
 * Threads cannot be killed: SOON_TERMINATE and SOON_KILL raise the cancel request of what runs.
 *
 * Threads: any thread, many at once. Blocks up to `timeout_ms` (0: only begins).
 * Returns: 0; -ETIMEDOUT: it goes on by itself; SOON_EDEADLK where it could wait for itself: inside its own tasks, on the
 * library's threads, in callbacks, and in what else a call runs of the program's while the executor's end waits for that
 * call (a release that a shutdown or a cancel leads to, a class's own function): begun, not waited for; -EINVAL;
 * SOON_EFORKED.
 *
 * As Executor.shutdown(wait, cancel_futures), terminate_workers and kill_workers; close, terminate and join of Pool.
 */
SOON_API int soon_executor_shutdown(soon_executor *executor, soon_shutdown mode, int64_t timeout_ms);

/**
 * A future that finishes when every worker is gone, and no other thread is busy in the executor. Does not begin a
 * shutdown, and cannot be cancelled. To wait for it where that could never end is SOON_EDEADLK.
 *
 * Ownership: the caller owns one reference; it outlives the executor. Threads: any thread. Never blocks.
 * Returns: never NULL; a future that is done with -EINVAL for NULL, SOON_EFORKED.
 */
SOON_API SOON_MUST_USE soon_future *soon_executor_down(soon_executor *executor);

/**
 * Drains the executor if it is open, waits until its workers are gone, frees it. Futures may outlive it.
 *
 * Threads: one thread, after every other use. Blocks, unless soon_executor_down() is done already.
 * Returns: 0, also for NULL; SOON_EDEADLK, and nothing is freed: inside one of its own tasks, in the `free` of its own
 * class, and, unless it is down, wherever soon_executor_shutdown() says so; SOON_EFORKED in a child of the process that made it.
 *
 * As leaving `with Executor()` in Python. SOON_AUTO_EXECUTOR does it at the end of a scope.
 */
SOON_API int soon_executor_free(soon_executor *executor);

/** How an executor is to end. Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_end_options {
    soon_shutdown mode SOON__ZERO;      /**< SOON_DRAIN */
    int64_t grace_ms SOON__ZERO;        /**< if it is not over by then, a stronger mode follows; 0: none does */
    soon_shutdown then_mode SOON__ZERO; /**< that mode; 0: SOON_TERMINATE, after that one SOON_KILL */
    soon_loop *loop SOON__ZERO;         /**< the executor is freed, and on_end runs, there; NULL: on the library's
                                             callback thread */
    soon_loop_fn on_end SOON__ZERO;     /**< it is gone; NULL: nobody is told */
    void *data SOON__ZERO;              /**< for on_end */
    soon_free_fn release SOON__ZERO;    /**< gets `data` once: when on_end has run, or never will */
} soon_end_options;

/**
 * Ends an executor without waiting: shuts it down as `mode` says, with a stronger mode when `grace_ms` is over, frees it when
 * its workers are gone, then calls `on_end`. The library keeps the time: no loop need run for that. As uv_close() with a
 * handle. Choose soon_executor_free() where a thread may wait.
 *
 * The executor is alive until `on_end` is called, so on the loop's thread it may be used until then:
 * soon_executor_shutdown() with a stronger mode, soon_executor_stats(). Who wants a future for the end takes
 * soon_executor_down() before.
 *
 * With a loop, uv_run() goes on until `on_end` has run, as for soon_future_add_done_callback_on(); what comes to that loop
 * from tasks of the executor comes before it. A loop that is detached meanwhile still gets it. If somebody else has closed
 * the loop's handle, `on_end` does not run, but the executor is freed, and `release` called, on the library's callback
 * thread. So is one for which no loop was given; its `on_end` may start, end and free other things, and waits for no
 * executor.
 *
 * A task on a thread that never looks at soon_task_cancel_requested() has no end before it returns, whatever the mode:
 * then `on_end` comes when it comes. If the program ends before, it does not come.
 *
 * Ownership: a 0 takes executor and `data`; a failure takes nothing. It is not to be freed, nor ended again.
 * Threads: any thread, tasks and callbacks of the executor included; one of them. Never blocks.
 * Returns: 0; -EINVAL: NULL, a `then_mode` that is not stronger than `mode`, or without `grace_ms`; it is being ended
 * already; SOON_EDEADLK in the `free` of its own class; SOON_ESHUTDOWN: the loop is detached; SOON_EFORKED; -ENOMEM; -EMFILE,
 * -EAGAIN ... if the library's own threads could not start; what the `shutdown` of an executor of the user's own says.
 */
SOON_API SOON_MUST_USE int soon_executor_end_sized(soon_executor *executor, const soon_end_options *options,
                                                   size_t size);

/** soon_executor_end_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE int soon_executor_end(soon_executor *executor, const soon_end_options *options)
{
    return soon_executor_end_sized(executor, options, sizeof *options);
}

/** A snapshot. Grows at the end. */
typedef struct soon_stats {
    size_t workers;         /**< alive, spares included */
    size_t idle;            /**< of these, without work */
    size_t pending;         /**< tasks in the queue */
    size_t running;         /**< tasks that run, those that wait for others included */
    uint64_t submitted;     /**< taken since the start */
    uint64_t succeeded;     /**< ended with a result */
    uint64_t failed;        /**< ended with an error */
    uint64_t cancelled;     /**< ended CANCELLED */
    uint64_t worker_deaths; /**< processes */
    size_t spares;          /**< workers beyond the pool's number, for those that wait inside tasks */
    uint64_t wakeups;       /**< times a sleeping worker was woken */
    size_t workers_max;     /**< the most it will have, spares not counted; 0: an executor of the user's own */
} soon_stats;

/** Fills `*ret`. Any thread. Zeroes for NULL and in a forked child. */
SOON_API void soon_executor_stats_sized(soon_executor *executor, soon_stats *ret, size_t size);

/** soon_executor_stats_sized() with the size that this program was compiled with. */
static inline void soon_executor_stats(soon_executor *executor, soon_stats *ret)
{
    soon_executor_stats_sized(executor, ret, sizeof *ret);
}

/**
 * Whether it takes tasks, and if not, why: `code` 0 while it does, SOON_ESHUTDOWN from the first shutdown on, SOON_EBROKEN with
 * what broke it, SOON_EFORKED, -EINVAL for NULL. Changes nothing. Never NULL.
 *
 * Ownership: lent until soon_executor_free(). Threads: any thread. Never blocks.
 */
SOON_API const soon_error *soon_executor_error(soon_executor *executor);

/** One worker of a pool. Grows at the end. */
typedef struct soon_worker {
    char name[16]; /**< as `ps` and `top -H` show it */
    int id;        /**< of the process; of a thread as gettid(); 0: it has not been started yet */
    bool busy;     /**< it runs a task, or has been given one */
} soon_worker;

/**
 * Those that live now, spares and those that are being started included: the first `count` of them to `ret`. For monitors,
 * debuggers, and tests. They come and go meanwhile: a number may be another's by the time that it is used.
 *
 * Ownership: `ret` (may be NULL with `count` 0) is an array of `count` of `size` bytes each, which begin as a soon_worker.
 * Threads: any thread. Never blocks. Returns: how many there are; 0 for NULL, in a forked child, and for an executor of the
 * user's own.
 */
SOON_API size_t soon_executor_workers_sized(soon_executor *executor, soon_worker *ret, size_t count, size_t size);

/** soon_executor_workers_sized() with the size that this program was compiled with. */
static inline size_t soon_executor_workers(soon_executor *executor, soon_worker *ret, size_t count)
{
    return soon_executor_workers_sized(executor, ret, count, sizeof *ret);
}

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
