/**
 * @file on_signal.h
 * Ctrl-C and SIGTERM that shut an executor down.
 *
 *     soon_executor_shutdown_on_signal(pool, SOON_CANCEL_PENDING);
 *     ...
 *     int signal = soon_executor_signal(pool);
 *     soon_executor_free(pool);
 *     return signal ? 128 + signal : 0;
 *
 * @addtogroup soon_pools
 * @{
 */
#ifndef SOON_EXECUTOR_ON_SIGNAL_H
#define SOON_EXECUTOR_ON_SIGNAL_H

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_signal_options {
    const int *signals SOON__ZERO;  /**< their numbers, up to a 0; NULL: SIGINT and SIGTERM */
    soon_shutdown again SOON__ZERO; /**< the mode with the second signal; 0: SOON_KILL */
} soon_signal_options;

/**
 * From now on, the first SIGINT or SIGTERM that this process gets shuts the executor down as `mode` says. The second,
 * of either, does it by force, with SOON_KILL. The third does what it did before this call, which mostly is to end the
 * program. Nothing waits for the shutdown: futures end as after soon_executor_shutdown(), threads that wait for them go
 * on, and main() goes its way to soon_executor_free(). soon_executor_shutdown_on_signal() and
 * soon_executor_shutdown_on_signal_with() are the forms to use in programs.
 *
 * Until soon_executor_free() the signals have a handler of the library's; after it, what they had before. That is
 * called too, if it is a handler. A signal that is ignored when this is called stays ignored, as SIGINT is in a program
 * that a shell has started in the background. A handler that is set later, by sigaction() or an uv_signal_t, takes the
 * signal away from here.
 *
 * Any number of executors hear a signal, and each counts for itself. Some thread, such as main's, must not have the
 * signal blocked; the library's own have. The handler restarts what it interrupts (SA_RESTART); poll(), sleep() and
 * their like end with EINTR, as with any handler. A forked child has what was there before.
 *
 * Ownership: options are copied.
 * Threads: any thread, once for an executor. Never blocks.
 * Returns: 0; else
 * - -EINVAL: NULL, a signal that cannot be caught or that tells of a fault, or an `again` that is weaker than `mode`;
 * - SOON_EINVALIDSTATE: it was called for this executor before;
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -ENOMEM, -EMFILE, -EAGAIN ...: the library's own threads could not start.
 *
 * As a KeyboardInterrupt that leaves `with Executor()` in Python, except for what is cancelled and killed then.
 */
SOON_API int soon_executor_shutdown_on_signal_sized(soon_executor *executor, soon_shutdown mode,
                                                    const soon_signal_options *options, size_t size);

/** soon_executor_shutdown_on_signal_sized() with the default options. */
static inline int soon_executor_shutdown_on_signal(soon_executor *executor, soon_shutdown mode)
{
    return soon_executor_shutdown_on_signal_sized(executor, mode, NULL, 0);
}

/**
 * soon_executor_shutdown_on_signal_sized() with the options' size that this program was compiled with. `options` NULL:
 * defaults.
 */
static inline int soon_executor_shutdown_on_signal_with(soon_executor *executor, soon_shutdown mode,
                                                        const soon_signal_options *options)
{
    return soon_executor_shutdown_on_signal_sized(executor, mode, options, sizeof *options);
}

/**
 * Returns the signal that has shut the executor down, the first one. With it main() can end as the signal would have
 * ended it: by `raise(signal)` after soon_executor_free(), or by `return 128 + signal`.
 *
 * Threads: any thread. Never blocks.
 * Returns: the number of the signal, from before the first future of the executor ends for it. 0: none has come, nobody
 * has asked for signals, this is a forked child, or NULL.
 */
SOON_API int soon_executor_signal(const soon_executor *executor);

/**
 * Gives a future that finishes with the first signal and has its number, an int, as its result. It is cancelled when
 * the executor is freed before a signal has come. It is to be waited for beside others, or to have a callback on a loop
 * of the program's.
 *
 * Ownership: the caller owns one reference, which outlives the executor.
 * Threads: any thread. Never blocks.
 * Returns: a future, never NULL. One that is done with -EINVAL for NULL; with SOON_EFORKED; or with SOON_EINVALIDSTATE
 * if nobody has asked for signals.
 */
SOON_API SOON_MUST_USE soon_future *soon_executor_signalled(soon_executor *executor);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
