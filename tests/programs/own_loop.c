/*
 * own_loop.c - an executor of one's own on the main libuv loop: each call runs in a turn of the loop, so that it may
 * touch the loop's handles. A pool of threads computes, the loop's executor prints, soon_then carries the results over.
 */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <pthread.h>
#include <uv.h>

enum { MAX_CALLS = 256 };

struct looper {
    uv_loop_t *loop;
    uv_async_t wake;
    uv_mutex_t mutex;
    soon_call *calls[MAX_CALLS]; /* a ring */
    size_t first, count;
    soon_promise *down;
    pthread_t thread;
};

/* In order. An empty place is that of a call that was taken back. NULL: none is left. */
static soon_call *pop(struct looper *looper)
{
    soon_call *call = NULL;

    uv_mutex_lock(&looper->mutex);
    while (!call && looper->count > 0) {
        call = looper->calls[looper->first];
        looper->first = (looper->first + 1) % MAX_CALLS;
        looper->count--;
    }
    uv_mutex_unlock(&looper->mutex);
    return call;
}

static void closed(uv_handle_t *wake)
{
    struct looper *looper = wake->data;

    soon_promise_set_result(looper->down, NULL, 0);
}

static void turn(uv_async_t *wake)
{
    struct looper *looper = wake->data;
    soon_call *call;

    while ((call = pop(looper)))
        soon_call_run(call);
    uv_mutex_lock(&looper->mutex);
    bool end = looper->down && looper->count == 0;
    uv_mutex_unlock(&looper->mutex);
    if (end && !uv_is_closing((uv_handle_t *)wake))
        uv_close((uv_handle_t *)wake, closed);
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct looper *looper = self;
    int rc = 0;

    (void)may_block; /* a loop's executor never blocks */
    uv_mutex_lock(&looper->mutex);
    if (looper->down)
        rc = SOON_ESHUTDOWN;
    else if (looper->count == MAX_CALLS)
        rc = SOON_EFULL;
    else
        looper->calls[(looper->first + looper->count++) % MAX_CALLS] = call;
    if (rc == 0)
        uv_async_send(&looper->wake);
    uv_mutex_unlock(&looper->mutex);
    return rc;
}

static bool take_back(void *self, soon_call *call)
{
    struct looper *looper = self;
    bool found = false;

    uv_mutex_lock(&looper->mutex);
    for (size_t i = 0; i < looper->count && !found; i++) {
        soon_call **place = &looper->calls[(looper->first + i) % MAX_CALLS];

        found = *place == call;
        if (found)
            *place = NULL;
    }
    uv_mutex_unlock(&looper->mutex);
    return found;
}

/* A mode stronger than a drain: what waits is cancelled here, before the loop's next turn. */
static int begin_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct looper *looper = self;
    soon_call *call;

    uv_mutex_lock(&looper->mutex);
    looper->down = down;
    uv_mutex_unlock(&looper->mutex);
    while (mode > SOON_DRAIN && (call = pop(looper))) {
        soon_promise_set_cancelled(soon_call_promise(call));
        soon_call_free(call);
    }
    uv_async_send(&looper->wake);
    return 0;
}

static void free_looper(void *self)
{
    struct looper *looper = self;

    uv_mutex_destroy(&looper->mutex);
    free(looper);
}

static soon_executor *looper_new(uv_loop_t *loop)
{
    static const soon_executor_class klass = {.size = sizeof(soon_executor_class),
                                              .name = "loop",
                                              .submit = submit,
                                              .take_back = take_back,
                                              .shutdown = begin_shutdown,
                                              .free = free_looper};
    struct looper *looper = calloc(1, sizeof *looper);
    soon_executor *executor;

    must(looper && uv_mutex_init(&looper->mutex) == 0 && uv_async_init(loop, &looper->wake, turn) == 0);
    looper->loop = loop;
    looper->thread = pthread_self();
    looper->wake.data = looper;
    must(soon_executor_new(&executor, &klass, looper) == 0);
    return executor;
}

static pthread_t main_thread;
static soon_future *last;
static soon_executor *printer;

SOON_TASK(cube, int, long)
{
    *result = (long)*arg * *arg * *arg;
    return 0;
}

SOON_TASK(print, long, soon_none)
{
    must(pthread_equal(pthread_self(), main_thread));
    printf("cube: %ld\n", *arg);
    return 0;
}

static void shut_down(soon_future *printed, void *data)
{
    (void)data;
    must(soon_future_succeeded(printed));
    soon_future *pending = soon_submit(printer, print, 0), *cancelled = soon_submit(printer, print, 1);
    must(soon_future_cancel(cancelled));
    (void)soon_executor_shutdown(printer, SOON_CANCEL_PENDING, 0);
    must(soon_future_cancelled(pending) && soon_future_cancelled(cancelled));
    soon_future_unref(cancelled);
    soon_future_unref(pending);
    puts("the rest is cancelled");
}

int main(void)
{
    uv_loop_t loop;

    must(uv_loop_init(&loop) == 0);
    main_thread = pthread_self();
    printer = looper_new(&loop);
    soon_executor *pool = pool_of(2);

    for (int i = 1; i <= 5; i++) {
        soon_future *computed = soon_submit(pool, cube, i);
        must(soon_future_wait(computed, SOON_FOREVER) == 0); /* in order, so that the output is */
        soon_future *printed = soon_then(computed, printer, &print_task);
        soon_future_unref(computed);
        soon_future_unref(last);
        last = printed;
    }
    must(soon_future_add_done_callback(last, shut_down, NULL) == 0);
    soon_future_unref(last);

    must(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    must(soon_executor_free(printer) == 0);
    must(soon_executor_free(pool) == 0);
    must(uv_loop_close(&loop) == 0);
    puts("the loop has ended");
    return 0;
}
