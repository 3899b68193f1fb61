/*
 * main.c - a job service over HTTP: one process, one loop, one thread of its own; the jobs run in worker processes.
 *
 *     $ service --root /usr/share --port 0
 *     http://127.0.0.1:40761/
 *     $ curl -d '{"kind": "pi"}' -H 'Content-Type: application/json' http://127.0.0.1:40761/jobs
 *
 * API.md is what it speaks, service.h has its phases; docs/service.md walks through the code. This file starts and ends
 * it all.
 */
#include "http.h"
#include "service.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 1000,
    LAST_WORDS_MS = 20,  /* between two looks whether the streams have told their last events */
    LAST_WORDS_MAX = 100 /* looks: the time alone would say nothing of a process that does not get a CPU */
};

static void on_tick(uv_timer_t *timer)
{
    struct service *service = timer->data;
    events_tick(&service->events);
    listener_tick(&service->listener);
}

/* The last part: nothing is on the loop any more when this has been done. */
static void close_all(struct service *service)
{
    uv_close((uv_handle_t *)&service->terminate, NULL);
    uv_close((uv_handle_t *)&service->interrupt, NULL);
    uv_close((uv_handle_t *)&service->tick, NULL);
    uv_close((uv_handle_t *)&service->last_words, NULL);
    listener_close(&service->listener);
    http_stop(service);
    soon_loop_detach(service->on, NULL, NULL);
}

static void on_last_words(uv_timer_t *timer)
{
    struct service *service = timer->data;
    events_stop(&service->events);
    if (service->events.count == 0 || ++service->looks > LAST_WORDS_MAX)
        close_all(service);
}

static void on_pool_gone(void *data)
{
    struct service *service = data;
    service->phase = STOPPING;
    service->jobs.pool = NULL; /* it is freed; who asks for numbers now gets zeroes */
    uv_timer_start(&service->last_words, on_last_words, 0, LAST_WORDS_MS);
}

/* SIGTERM, SIGINT: the first drains, the second kills. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct service *service = handle->data;
    (void)number;
    if (service->phase == SERVING) {
        service->phase = DRAINING;
        int rc = soon_executor_end(service->jobs.pool, &(soon_end_options){.mode = SOON_DRAIN,
                                                                           .grace_ms = service->options.drain_ms,
                                                                           .then_mode = SOON_KILL,
                                                                           .loop = service->on,
                                                                           .on_end = on_pool_gone,
                                                                           .data = service});
        if (rc < 0)
            exit(1); /* there was no memory to end in good order */
    } else if (service->phase == DRAINING) {
        soon_executor_shutdown(service->jobs.pool, SOON_KILL, 0);
    }
}

static void on_change(struct job *job, void *data)
{
    struct service *service = data;
    service->killed |= service->phase != SERVING && job->state == JOB_CANCELLED && !job->cancelling;
    events_changed(&service->events, job);
}

static void start_handles(struct service *service)
{
    uv_signal_init(&service->loop, &service->terminate);
    uv_signal_init(&service->loop, &service->interrupt);
    uv_timer_init(&service->loop, &service->tick);
    uv_timer_init(&service->loop, &service->last_words);
    service->terminate.data = service->interrupt.data = service->tick.data = service->last_words.data = service;
    uv_signal_start(&service->terminate, on_signal, SIGTERM);
    uv_signal_start(&service->interrupt, on_signal, SIGINT);
    uv_timer_start(&service->tick, on_tick, TICK_MS, TICK_MS);
    listener_start(&service->listener);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "service: %s: %s\n", what, why);
    return -1;
}

/* Where the service has the right to, its loop goes before all that computes: new kernels let even a computation of the
 * policy SCHED_IDLE go on until a tick. What it starts does not inherit that. */
static void go_first(void)
{
    const struct sched_param least = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &least);
}

/* Returns: 0; -1: it has printed why not. */
static int start(struct service *service)
{
    const struct options *options = &service->options;
    struct timespec now;
    int rc;
    clock_gettime(CLOCK_REALTIME, &now);
    service->started_s = (double)now.tv_sec;
    if ((rc = page_init(&service->page, options->page)) < 0)
        return fail("the page's files", strerror(-rc));
    if ((rc = listener_open(&service->listener, service)) < 0)
        return fail(options->address, strerror(-rc));
    if ((rc = uv_loop_init(&service->loop)) < 0)
        return fail("the loop", uv_strerror(rc));
    if ((rc = soon_loop_attach(&service->on, &service->loop)) < 0)
        return fail("the loop", soon_strerror(rc));
    if ((rc = jobs_init(&service->jobs, options, service->on, on_change, service)) < 0)
        return fail("the pool", soon_last_error()->message);
    if (http_start(service) < 0)
        return fail("libwebsockets", "does it have its event library for libuv (Debian: libwebsockets-evlib-uv)?");
    events_init(&service->events, &service->jobs);
    start_handles(service);
    return 0;
}

static void show_address(const struct service *service)
{
    const struct listener *listener = &service->listener;
    printf(listener->is_ipv6 ? "http://[%s]:%d/\n" : "http://%s:%d/\n", service->options.address, listener->port);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct service service; /* large, and other threads of the library may outlive main() */
    if (soon_init(argc, argv) < 0)
        return 1;
    options_read(&service.options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (start(&service) < 0)
        return 1;
    go_first();
    show_address(&service);
    uv_run(&service.loop, UV_RUN_DEFAULT);

    jobs_fini(&service.jobs);
    page_fini(&service.page);
    bool clean = uv_loop_close(&service.loop) == 0; /* nobody has left anything on it */
    return service.killed || !clean ? 1 : 0;
}
