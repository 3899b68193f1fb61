/*
 * glib.c - a program with GLib's main loop counts primes on all CPUs. The results come to that loop.
 *
 *     $ glib
 *     2762 primes below 25000
 *     5133 primes below 50000
 *     9592 primes below 100000
 *     17984 primes below 200000
 *     the pool is gone
 *
 * The counts come in the order in which they are ready.
 */
#include <glib-unix.h>
#include <soon.h>
#include <stdio.h>

struct primes {
    int below, count;
};

SOON_TASK(count_primes, int, struct primes)
{
    result->below = *arg;
    result->count = 0;
    for (int n = 2, divisor; n < *arg; n++) {
        for (divisor = 2; divisor * divisor <= n && n % divisor; divisor++)
            ;
        result->count += divisor * divisor > n;
    }
    return 0;
}

static soon_loop *loop;
static GMainLoop *main_loop;

static void show(soon_future *future, void *data)
{
    struct primes primes;

    (void)data;
    if (soon_result(future, &primes) == 0) /* it is done: this does not wait */
        printf("%d primes below %d\n", primes.count, primes.below);
}

/* In the last dispatch, when nothing is outstanding any more. The descriptor is still open. */
static void on_closed(void *data)
{
    (void)data;
    g_main_loop_quit(main_loop);
}

static void on_pool_end(void *data)
{
    (void)data;
    puts("the pool is gone");
    soon_loop_detach(loop, on_closed, NULL);
}

/* SOON_EEND: on_closed has run; then the source goes, too. */
static gboolean on_due(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd, (void)condition, (void)data;
    return soon_loop_dispatch(loop, 0) != SOON_EEND;
}

int main(void)
{
    const int below[] = {25000, 50000, 100000, 200000};
    soon_executor *pool;

    if (soon_thread_pool_new(&pool, NULL) < 0 || soon_loop_new(&loop) < 0) {
        fprintf(stderr, "glib: %s\n", soon_last_error()->message);
        return 1;
    }
    main_loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(soon_loop_fd(loop), G_IO_IN, on_due, NULL);

    for (int i = 0; i < 4; i++)
        soon_future_unref(soon_submit_with(pool, (.on_done = show, .on_done_loop = loop), count_primes, below[i]));
    if (soon_executor_end(pool, &(soon_end_options){.loop = loop, .on_end = on_pool_end}) < 0) /* when all are done */
        return 1;

    g_main_loop_run(main_loop);
    g_main_loop_unref(main_loop);
    return 0;
}
