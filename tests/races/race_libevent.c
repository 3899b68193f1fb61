/*
 * race_libevent.c - many threads at a libevent base, which has a loop of ours among its events.
 */
#include "../support/completions.h"

#include <event2/event.h>

TestSuite(race_libevent);

static bool ticked;

static void detach_at_the_end(soon_future *future, void *word)
{
    (void)future;
    detach_saying(word);
}

static struct event *due;

static void dispatch(evutil_socket_t fd, short what, void *loop)
{
    int rc = soon_loop_dispatch(loop, 64);

    (void)fd;
    cr_assert(what & EV_READ);
    cr_assert(rc >= 0 || rc == SOON_EEND, "%d", rc);
    if (rc == SOON_EEND)
        event_free(due); /* the base has nothing left, and ends */
}

static void tick(evutil_socket_t fd, short what, void *data)
{
    (void)fd, (void)what, (void)data;
    ticked = true;
}

/* By levels, or by edges. */
static void run_with(short flags)
{
    struct event_base *base = event_base_new();

    cr_assert_eq(soon_loop_new(&on), 0);
    due = event_new(base, soon_loop_fd(on), (short)(EV_READ | EV_PERSIST | flags), dispatch, on);
    cr_assert_eq(event_add(due, NULL), 0);
    cr_assert_eq(event_base_once(base, -1, EV_TIMEOUT, tick, NULL, &(struct timeval){.tv_usec = 1000}), 0);
    start_completions(detach_at_the_end);
    cr_assert_eq(event_base_dispatch(base), 1);
    assert_all_completed();
    cr_assert(ticked); /* between many callbacks */
    event_base_free(base);
    libevent_global_shutdown();
}

Test(race_libevent, takes_100000_completions_from_four_threads)
{
    run_with(0);
}

Test(race_libevent, takes_100000_completions_by_edges)
{
    run_with(EV_ET);
}
