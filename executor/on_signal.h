/**
 * @file on_signal.h
 * Ctrl-C and SIGTERM that shut an executor down.
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

/** Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_signal_options {
    const int *signals SOON__ZERO;  /**< copied; up to a 0; NULL: SIGINT and SIGTERM */
    soon_shutdown again SOON__ZERO; /**< with the second signal; 0: SOON_KILL */
} soon_signal_options;

/**
 * From now on the first SIGINT or SIGTERM that this process gets shuts the executor down as `mode` says, and the second one, of
 * either, by force: SOON_KILL. The third does what it did before, which mostly is to end the program. Nothing is waited for:
 * futures end as after soon_executor_shutdown(), what waits for them goes on, and main goes its way to soon_executor_free().
 * Until that the signals have a handler of the library's; after it, what they had before. A signal that is ignored when this is
 * called, as SIGINT of a program that a shell has started in the background, stays ignored. A handler that was there before is
 * called too. Who sets another one later, by sigaction() or an uv_signal_t, takes the signal away from here.
 *
 * Any number of executors hear a signal, each counts for itself. Some thread, such as main's, must not have it blocked; the
 * library's own have. The handler restarts what it interrupts (SA_RESTART); poll(), sleep() and their like end with EINTR as with
 * any handler. A forked child has what was there before.
 *
 * Threads: any thread, once for an executor. Never blocks.
 * Returns: 0; -EINVAL, also for a signal that cannot be caught or tells of a fault, and for an `again` that is weaker than
 * `mode`; SOON_EINVALIDSTATE: it does so already; -ENOMEM, -EMFILE, -EAGAIN ...; SOON_EFORKED.
 *
 * As a KeyboardInterrupt that leaves `with Executor()` in Python, but for what is cancelled and killed then.
 */
SOON_API int soon_executor_shutdown_on_signal_sized(soon_executor *executor, soon_shutdown mode,
                                                    const soon_signal_options *options, size_t size);

/** soon_executor_shutdown_on_signal_sized() with the default options. */
static inline int soon_executor_shutdown_on_signal(soon_executor *executor, soon_shutdown mode)
{
    return soon_executor_shutdown_on_signal_sized(executor, mode, NULL, 0);
}

/** soon_executor_shutdown_on_signal_sized() with the options' size that this program was compiled with. NULL: defaults. */
static inline int soon_executor_shutdown_on_signal_with(soon_executor *executor, soon_shutdown mode,
                                                        const soon_signal_options *options)
{
    return soon_executor_shutdown_on_signal_sized(executor, mode, options, sizeof *options);
}

/**
 * The signal that has shut it down, the first one; 0: none has come. For main, which is to end as the signal would have ended it:
 * `raise(signal)` after soon_executor_free(), or `return 128 + signal`.
 *
 * Threads: any thread. Never blocks. Returns: the number, from before the first future of the executor ends for it; 0, also
 * for NULL, in a forked child, and where nobody has asked for signals.
 */
SOON_API int soon_executor_signal(const soon_executor *executor);

/**
 * A future that finishes with the first signal, its number (an int) as its result; it is cancelled when the executor is freed and
 * none has come. To wait for, beside others, or for a callback on a loop of the program's.
 *
 * Ownership: the caller owns one reference; it outlives the executor. Threads: any thread. Never blocks.
 * Returns: never NULL; a future that is done with -EINVAL for NULL, SOON_EFORKED, SOON_EINVALIDSTATE where nobody has asked for
 * signals.
 */
SOON_API SOON_MUST_USE soon_future *soon_executor_signalled(soon_executor *executor);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
