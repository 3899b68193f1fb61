/*
 * own_promises.c - two ways to get futures out of what exists already: promises that a thread of one's own keeps, with
 * hooks that hear of cancels and kills; and an executor that sends its calls to a "remote" thread, which answers by
 * promise.
 */
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* A printer that makes a page whenever it is told to. */
struct printer {
    atomic_int cancels, kills;
};

static void on_cancel(soon_promise *promise, void *data)
{
    (void)promise;
    atomic_fetch_add(&((struct printer *)data)->cancels, 1);
}

static int on_kill(soon_promise *promise, void *data)
{
    atomic_fetch_add(&((struct printer *)data)->kills, 1);
    return soon_promise_set_exception(promise, SOON_EKILLED, "unplugged");
}

static void *print_pages(void *data)
{
    soon_promise *promise = data;

    must(soon_promise_set_running(promise) == 0);
    must(soon_promise_set_running(promise) == SOON_EINVALIDSTATE);
    for (uint64_t page = 1; page <= 3; page++)
        soon_promise_set_progress(promise, page, 3);
    must(soon_promise_set_result(promise, "printed", 8) == 0);
    must(soon_promise_set_result(promise, "again", 6) == SOON_EINVALIDSTATE);
    soon_promise_free(promise);
    return NULL;
}

static void *gives_in(void *data)
{
    soon_promise *promise = data;

    must(soon_promise_set_running(promise) == 0);
    while (!soon_promise_cancel_requested(promise))
        ;
    must(soon_promise_set_cancelled(promise) == 0);
    soon_promise_free(promise);
    return NULL;
}

static void by_hand(void)
{
    struct printer printer = {0};
    soon_promise_hooks hooks = {.on_cancel = on_cancel, .on_kill = on_kill, .data = &printer};
    soon_promise *promise;
    pthread_t thread;
    char text[8];

    must(soon_promise_new(&promise, NULL) == 0);
    SOON_AUTO_FUTURE *printed = soon_promise_future(promise);
    must(pthread_create(&thread, NULL, print_pages, promise) == 0);
    must(soon_result(printed, &text) == 0);
    soon_progress progress = soon_future_progress(printed);
    printf("%s, page %d of %d\n", text, (int)progress.done, (int)progress.total);
    pthread_join(thread, NULL);

    must(soon_promise_new(&promise, &hooks) == 0);
    SOON_AUTO_FUTURE *running = soon_promise_future(promise);
    must(pthread_create(&thread, NULL, gives_in, promise) == 0);
    while (!soon_future_running(running))
        ;
    (void)soon_future_cancel(running); /* true if it was quick */
    must(soon_future_wait(running, SOON_FOREVER) == 0 && soon_future_cancelled(running));
    pthread_join(thread, NULL);

    must(soon_promise_new(&promise, &hooks) == 0);
    SOON_AUTO_FUTURE *killed = soon_promise_future(promise);
    must(soon_promise_set_running(promise) == 0);
    must(soon_future_kill(killed) == 0);
    printf("%s: %s\n", soon_errname(soon_future_error(killed)->code), soon_future_error(killed)->message);
    soon_promise_free(promise);

    must(soon_promise_new(&promise, &hooks) == 0);
    SOON_AUTO_FUTURE *dropped = soon_promise_future(promise);
    soon_promise_free(promise);
    printf("%s: %s\n", soon_errname(soon_future_error(dropped)->code), soon_future_error(dropped)->message);
    printf("%d cancels, %d kills were heard of\n", atomic_load(&printer.cancels), atomic_load(&printer.kills));
}

/* The executor: a line to one other thread, which knows the functions by name only. */
struct remote {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    soon_call *call; /* on the line; one at a time */
    soon_promise *down;
};

static void answer(soon_call *call)
{
    soon_promise *promise = soon_call_promise(call);
    soon_bytes arg = soon_call_arg(call);
    char reply[64];

    if (soon_promise_set_running(promise) == 0) {
        if (strcmp(soon_call_function(call)->name, "greet") == 0) {
            int length = snprintf(reply, sizeof reply, "hello %.*s", (int)arg.size, (const char *)arg.data);
            must(soon_promise_set_result(promise, reply, (size_t)length) == 0);
        } else {
            must(soon_promise_set_exception(promise, SOON_ENOFUNCTION, "%s is not known here",
                                            soon_call_function(call)->name) == 0);
        }
    }
    soon_call_free(call);
}

static void *serve(void *data)
{
    struct remote *remote = data;

    pthread_mutex_lock(&remote->mutex);
    while (remote->call || !remote->down) {
        soon_call *call = remote->call;

        remote->call = NULL;
        pthread_cond_broadcast(&remote->changed);
        if (!call) {
            pthread_cond_wait(&remote->changed, &remote->mutex);
            continue;
        }
        pthread_mutex_unlock(&remote->mutex);
        answer(call);
        pthread_mutex_lock(&remote->mutex);
    }
    pthread_mutex_unlock(&remote->mutex);
    soon_promise_set_result(remote->down, NULL, 0);
    return NULL;
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct remote *remote = self;
    int rc = 0;

    if (soon_call_function(call)->flags & SOON_FUNCTION_LOCAL)
        return SOON_ELOCAL;
    pthread_mutex_lock(&remote->mutex);
    while (remote->call && may_block && !remote->down)
        pthread_cond_wait(&remote->changed, &remote->mutex);
    if (remote->down)
        rc = SOON_ESHUTDOWN;
    else if (remote->call)
        rc = SOON_EFULL;
    else
        remote->call = call;
    pthread_cond_broadcast(&remote->changed);
    pthread_mutex_unlock(&remote->mutex);
    return rc;
}

static int begin_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct remote *remote = self;

    (void)mode;
    pthread_mutex_lock(&remote->mutex);
    remote->down = down;
    pthread_cond_broadcast(&remote->changed);
    pthread_mutex_unlock(&remote->mutex);
    return 0;
}

static void hang_up(void *self)
{
    struct remote *remote = self;

    pthread_join(remote->thread, NULL);
    puts("hung up");
}

SOON_TASK_BYTES(greet)
{
    return soon_raise(task, 1, "this body never runs here");
}

SOON_TASK_BYTES(unknown)
{
    return soon_raise(task, 1, "nor does this");
}

typedef const char *text;
SOON_TASK_LOCAL(local, text, int, NULL, NULL)
{
    return soon_raise(task, 1, "nor this");
}

int main(void)
{
    static struct remote remote = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    static const soon_executor_class klass = {
        .size = sizeof klass, .name = "remote", .submit = submit, .shutdown = begin_shutdown, .free = hang_up};
    const char *names[] = {"ann", "bob", "cleo"};
    soon_future *greetings[3];
    soon_executor *executor;
    soon_bytes reply;

    by_hand();

    must(soon_executor_new(&executor, &klass, &remote) == 0);
    must(pthread_create(&remote.thread, NULL, serve, &remote) == 0);
    for (size_t i = 0; i < 3; i++)
        greetings[i] = greet_submit(executor, names[i], strlen(names[i]), NULL);
    for (size_t i = 0; i < 3; i++) {
        must(soon_future_result(greetings[i], SOON_FOREVER, &reply) == 0);
        printf("%.*s\n", (int)reply.size, (const char *)reply.data);
    }
    soon_futures_unref(greetings, 3);

    SOON_AUTO_FUTURE *lost = unknown_submit(executor, NULL, 0, NULL);
    must(soon_future_wait(lost, SOON_FOREVER) == 0);
    puts(soon_future_error(lost)->message);
    must(soon_take(soon_submit(executor, local, "here"), &(int){0}) == SOON_ELOCAL);
    must(soon_executor_free(executor) == 0);
    return 0;
}
