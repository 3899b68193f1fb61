/*
 * service.c - a service on its own libuv loop, which nothing here ever blocks: a bounded queue that refuses, requests
 * that wait too long, run too long, fail or lose their client, and an end in which the executor is freed by a loop
 * callback.
 */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <uv.h>

struct request {
    enum { HOLD, PLAIN, SPIN, FAIL } what;
    int number;
};

static atomic_bool released;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

SOON_TASK(answer, struct request, int)
{
    switch (arg->what) {
    case HOLD:
        while (!atomic_load(&released))
            nap();
        break;
    case SPIN:
        while (!soon_task_cancel_requested(task))
            nap();
        return -ECANCELED;
    case FAIL:
        return soon_raise(task, EPROTO, "request %d makes no sense", arg->number);
    case PLAIN:
        break;
    }
    *result = arg->number * 100;
    return 0;
}

struct service {
    uv_loop_t loop;
    uv_idle_t idle;
    pthread_t thread;
    soon_loop *on;
    soon_executor *pool;
    soon_future *down, *held;
    int open, step;
};
static struct service service;

static void next_step(void);

static void send_reply(soon_future *future, void *data)
{
    int reply;

    must(pthread_equal(pthread_self(), service.thread));
    must(data == &service && soon_future_data(future) == &service.step);
    if (soon_result_within(future, 0, &reply) == 0)
        printf("%s: 200 %d\n", soon_future_label(future), reply);
    else
        printf("%s: 500 %s (%s)\n", soon_future_label(future), soon_errname(soon_future_error(future)->code),
               soon_future_error(future)->message);
    if (--service.open == 0)
        next_step();
}

/* NULL: refused, and the client was told. The caller owns the reference. */
static soon_future *handle(const char *label, struct request request, int64_t queue_limit_ms, int64_t time_limit_ms)
{
    soon_future *future = NULL;
    int rc = soon_try_submit_bytes(&future, service.pool, &answer_task, &request, sizeof request,
                                   &(soon_submit_options){.label = label,
                                                          .data = &service.step,
                                                          .queue_limit_ms = queue_limit_ms,
                                                          .time_limit_ms = time_limit_ms,
                                                          .on_done = send_reply,
                                                          .on_done_data = &service,
                                                          .on_done_loop = service.on});
    if (rc < 0)
        printf("%s: 503 %s\n", label, soon_errname(rc));
    else
        service.open++;
    return future;
}

static void forget(soon_future *future)
{
    must(future);
    soon_future_unref(future); /* nobody waits: the reply comes all the same */
}

/* Replies come on the loop while the worker is still held: now let it go. */
static void release(uv_idle_t *idle)
{
    if (service.open > 2)
        return;
    uv_idle_stop(idle);
    atomic_store(&released, true);
}

static void leave(soon_future *future)
{
    must(soon_future_cancel(future));
    must(soon_future_cancelled(future));
    soon_future_unref(future);
}

/* The worker is busy for as long as we like: three more fit into the queue. The hurried one comes when that was seen: it
 * gives its place back whenever its time is over. */
static void rush(uv_idle_t *idle)
{
    if (!soon_future_running(service.held))
        return;
    forget(service.held);
    forget(handle("GET /patient", (struct request){PLAIN, 2}, 0, 0));
    soon_future *left = handle("GET /gone", (struct request){PLAIN, 3}, 0, 0);
    soon_future *left_too = handle("GET /gone-too", (struct request){PLAIN, 4}, 0, 0);
    must(!handle("GET /late", (struct request){PLAIN, 5}, 0, 0));
    leave(left);
    leave(left_too);
    forget(handle("GET /hurried", (struct request){PLAIN, 6}, 1, 0));
    uv_idle_stop(idle);
    uv_idle_start(idle, release);
}

static void closed(void *data)
{
    must(data == &service);
    puts("detached");
}

static void is_down(soon_future *down, void *data)
{
    must(soon_future_succeeded(down) && data == &service);
    soon_future_unref(service.down);
    must(soon_executor_free(service.pool) == 0);
    puts("freed in a callback of the loop");
    soon_loop_detach(service.on, closed, &service);
    must(soon_loop_post(service.on, closed, NULL) == SOON_ESHUTDOWN);
}

static void stop(void)
{
    service.down = soon_executor_down(service.pool);
    must(soon_future_add_done_callback_on(service.down, service.on, is_down, &service) == 0);
    int rc = soon_executor_shutdown(service.pool, SOON_DRAIN, 0);
    must(rc == 0 || rc == -ETIMEDOUT || rc == SOON_EDEADLK); /* begun, this is a callback */
    must(!handle("GET /after", (struct request){PLAIN, 9}, 0, 0));
}

static void next_step(void)
{
    switch (++service.step) {
    case 1:
        service.held = handle("GET /hold", (struct request){HOLD, 1}, 0, 0);
        uv_idle_start(&service.idle, rush);
        break;
    case 2:
        forget(handle("GET /spin", (struct request){SPIN, 7}, 0, 20));
        break;
    case 3:
        forget(handle("POST /nonsense", (struct request){FAIL, 8}, 0, 0));
        break;
    case 4:
        uv_close((uv_handle_t *)&service.idle, NULL);
        stop();
        break;
    }
}

int main(int argc, char **argv)
{
    must(soon_init(argc, argv) == 0);
    must(uv_loop_init(&service.loop) == 0);
    must(uv_idle_init(&service.loop, &service.idle) == 0);
    service.thread = pthread_self();
    must(soon_loop_attach(&service.on, &service.loop) == 0);
    must(soon_thread_pool_new(&service.pool,
                              &(soon_thread_pool_options){.workers = 1, .name = "web", .queue_max = 3}) == 0);

    next_step();
    must(uv_run(&service.loop, UV_RUN_DEFAULT) == 0);
    must(uv_loop_close(&service.loop) == 0);
    puts("the loop has ended");
    return 0;
}
