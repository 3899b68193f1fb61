/*
 * loops.c - as callbacks.c, on each kind of loop: tasks submitted on a loop, and their callbacks on that loop.
 *
 *     loop=uv|epoll|glib|libevent max=HOW_MANY_A_DISPATCH_RUNS pool= workers= tasks= passes=
 */
#include "add_up.h"

#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>
#ifdef HAVE_GLIB
#include <glib-unix.h>
#endif
#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#endif

static soon_loop *on;
static int most; /* a dispatch runs */

/*
 * The loops: made, turned once, which may sleep, and closed
 */

static uv_loop_t uv;

static void open_uv(void)
{
    uv_loop_init(&uv);
    bench_check(soon_loop_attach(&on, &uv) == 0, "soon_loop_attach");
}

static void turn_uv(void)
{
    uv_run(&uv, UV_RUN_ONCE);
}

static void close_uv(void)
{
    soon_loop_detach(on, NULL, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    bench_check(uv_loop_close(&uv) == 0, "uv_loop_close");
}

static void dispatch(void)
{
    bench_check(soon_loop_dispatch(on, most) >= 0, "soon_loop_dispatch");
}

static void close_own(void)
{
    soon_loop_detach(on, NULL, NULL);
    bench_check(soon_loop_dispatch(on, 0) == SOON_EEND, "the end");
}

static int set;

static void open_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};

    bench_check(soon_loop_new(&on) == 0, "soon_loop_new");
    set = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(set, EPOLL_CTL_ADD, soon_loop_fd(on), &event);
}

static void turn_epoll(void)
{
    struct epoll_event event;

    if (epoll_wait(set, &event, 1, -1) == 1)
        dispatch();
}

static void close_epoll(void)
{
    close_own();
    close(set);
}

#ifdef HAVE_GLIB
static gboolean on_fd(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd, (void)condition, (void)data;
    dispatch();
    return G_SOURCE_CONTINUE;
}

static guint source;

static void open_glib(void)
{
    bench_check(soon_loop_new(&on) == 0, "soon_loop_new");
    source = g_unix_fd_add(soon_loop_fd(on), G_IO_IN, on_fd, NULL);
}

static void turn_glib(void)
{
    g_main_context_iteration(NULL, TRUE);
}

static void close_glib(void)
{
    g_source_remove(source);
    close_own();
}
#endif

#ifdef HAVE_LIBEVENT
static struct event_base *base;
static struct event *due;

static void on_event(evutil_socket_t fd, short what, void *data)
{
    (void)fd, (void)what, (void)data;
    dispatch();
}

static void open_libevent(void)
{
    bench_check(soon_loop_new(&on) == 0, "soon_loop_new");
    base = event_base_new();
    due = event_new(base, soon_loop_fd(on), EV_READ | EV_PERSIST, on_event, NULL);
    event_add(due, NULL);
}

static void turn_libevent(void)
{
    event_base_loop(base, EVLOOP_ONCE);
}

static void close_libevent(void)
{
    event_free(due);
    event_base_free(base);
    close_own();
}
#endif

static const struct kind {
    const char *name;
    void (*open)(void), (*turn)(void), (*close)(void);
} kinds[] = {
    {"uv", open_uv, turn_uv, close_uv},
    {"epoll", open_epoll, turn_epoll, close_epoll},
#ifdef HAVE_GLIB
    {"glib", open_glib, turn_glib, close_glib},
#endif
#ifdef HAVE_LIBEVENT
    {"libevent", open_libevent, turn_libevent, close_libevent},
#endif
};

static const struct kind *choose(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    bench_skip("there is no such loop, or it was not there when this was built");
}

static int64_t run(soon_executor *pool, const struct kind *kind, uint64_t tasks)
{
    struct count count = {0, 0};
    int64_t started_ns = bench_now_ns();

    for (uint64_t i = 0; i < tasks; i++)
        /* The callback gives up the reference. */
        (void)!soon_submit_with(pool, (.on_done = add_up, .on_done_data = &count, .on_done_loop = on), add_one, i);
    while (count.calls < tasks)
        kind->turn();
    started_ns = bench_now_ns() - started_ns;
    bench_check(count.calls == tasks && count.sum == bench_sum(tasks), "the sum of the results");
    return started_ns;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    uint64_t tasks = (uint64_t)bench_number("tasks", 100000);
    const struct kind *kind = choose(bench_word("loop", "uv"));
    soon_executor *pool = bench_pool();

    most = (int)bench_number("max", 0);
    kind->open();
    run(pool, kind, tasks / 10 + 1);
    for (int64_t i = bench_number("passes", 3); i > 0; i--)
        bench_metric("ns_per_task", (double)run(pool, kind, tasks) / (double)tasks);
    kind->close();
    soon_executor_free(pool);
    return bench_finish();
}
