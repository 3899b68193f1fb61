/*
 * on_signal_fixture.h - pools that signals shut down, and signals to this process.
 */
#ifndef SOON_TESTS_ON_SIGNAL_FIXTURE_H
#define SOON_TESTS_ON_SIGNAL_FIXTURE_H

#include "../support/process_fixture.h"

static inline soon_executor *make(bool processes)
{
    return processes ? new_processes(.workers = 1, .grace_ms = 50) : new_pool(.workers = 1);
}

static inline soon_executor *listening(bool processes, soon_shutdown mode)
{
    soon_executor *pool = make(processes);

    cr_assert_eq(soon_executor_shutdown_on_signal(pool, mode), 0);
    return pool;
}

/* Sends a signal to this process. On return its handler has run. */
static inline void deliver(int signal)
{
    cr_assert_eq(raise(signal), 0);
}

static inline struct sigaction action_of(int signal)
{
    struct sigaction action;

    cr_assert_eq(sigaction(signal, NULL, &action), 0);
    return action;
}

static inline bool is_default(int signal)
{
    return action_of(signal).sa_handler == SIG_DFL;
}

#endif
