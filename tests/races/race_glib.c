/*
 * race_glib.c - many threads at GLib's main loop, which has a loop of ours among its sources.
 */
#include "../support/completions.h"

#include <glib-unix.h>

TestSuite(race_glib);

static GMainLoop *main_loop;
static bool ticked;

static void detach_at_the_end(soon_future *future, void *word)
{
    (void)future;
    detach_saying(word);
}

static gboolean dispatch(gint fd, GIOCondition condition, gpointer loop)
{
    int rc = soon_loop_dispatch(loop, 64);

    (void)fd;
    cr_assert_eq(condition, G_IO_IN);
    cr_assert(rc >= 0 || rc == SOON_EEND, "%d", rc);
    if (rc == SOON_EEND)
        g_main_loop_quit(main_loop);
    return rc != SOON_EEND;
}

static gboolean tick(gpointer data)
{
    (void)data;
    ticked = true;
    return G_SOURCE_REMOVE;
}

Test(race_glib, takes_100000_completions_from_four_threads)
{
    cr_assert_eq(soon_loop_new(&on), 0);
    main_loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(soon_loop_fd(on), G_IO_IN, dispatch, on);
    g_timeout_add(1, tick, NULL);
    start_completions(detach_at_the_end);
    g_main_loop_run(main_loop);
    assert_all_completed();
    cr_assert(ticked); /* between many callbacks */
    g_main_loop_unref(main_loop);
    test_accept_open_descriptors(); /* GLib keeps its own */
}
