/*
 * dispatch_fixture.h - a loop that the test polls and dispatches by itself; it must close after the test.
 */
#ifndef SOON_TESTS_DISPATCH_FIXTURE_H
#define SOON_TESTS_DISPATCH_FIXTURE_H

#include "said.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

static inline void open_loop(void)
{
    cr_assert_eq(soon_loop_new(&on), 0);
}

/* Waits without end if need be. Returns whether it is readable. */
static inline bool poll_loop(soon_loop *loop, int timeout_ms)
{
    struct pollfd due = {.fd = soon_loop_fd(loop), .events = POLLIN};
    int rc;

    while ((rc = poll(&due, 1, timeout_ms)) < 0 && errno == EINTR)
        ;
    cr_assert_geq(rc, 0);
    return rc == 1;
}

static inline bool is_due(void)
{
    return poll_loop(on, 0);
}

/* Dispatches when it is readable, until it has closed. */
static inline void run_to_the_close(soon_loop *loop)
{
    int rc;

    do
        cr_assert(poll_loop(loop, -1));
    while ((rc = soon_loop_dispatch(loop, 0)) >= 0);
    cr_assert_eq(rc, SOON_EEND);
}

static inline void close_loop(void)
{
    soon_loop *loop = on;

    if (!loop)
        return;
    soon_loop_detach(loop, NULL, NULL);
    run_to_the_close(loop);
}

#endif
