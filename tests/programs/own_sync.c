/*
 * own_sync.c - the smallest executor of one's own: it runs each call where it is submitted. The whole API works on it.
 */
#include "program.h"

#include <errno.h>
#include <string.h>

struct here {
    bool closed;
    int calls;
};

static int here_submit(void *self, soon_call *call, bool may_block)
{
    struct here *here = self;

    (void)may_block;
    if (here->closed)
        return SOON_ESHUTDOWN;
    here->calls++;
    soon_call_run(call);
    return 0;
}

static int here_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct here *here = self;

    (void)mode;
    if (!here->closed) {
        here->closed = true;
        soon_promise_set_result(down, NULL, 0);
    }
    return 0;
}

static void here_stats(void *self, soon_stats *ret)
{
    ret->submitted = (uint64_t)((struct here *)self)->calls;
}

static void here_free(void *self)
{
    printf("%d calls were made\n", ((struct here *)self)->calls);
    free(self);
}

static soon_executor *here_new(void)
{
    static const soon_executor_class klass = {.size = sizeof(soon_executor_class),
                                              .name = "here",
                                              .submit = here_submit,
                                              .shutdown = here_shutdown,
                                              .stats = here_stats,
                                              .free = here_free};
    struct here *here = calloc(1, sizeof *here);
    soon_executor *executor;

    must(here && soon_executor_new(&executor, &klass, here) == 0);
    return executor;
}

SOON_TASK(square, int, int)
{
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    *result = *arg * *arg;
    return 0;
}

SOON_TASK(fourth_power, int, int)
{
    return soon_take(soon_submit(soon_task_executor(task), square, *arg * *arg), result);
}

SOON_TASK_BYTES(shout)
{
    char *text = soon_task_return_space(task, arg.size);

    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < arg.size; i++)
        text[i] = (char)(((const char *)arg.data)[i] & ~0x20);
    return 0;
}

static int one_to_five(void *arg, void *data)
{
    int *next = data;

    *(int *)arg = ++*next;
    return *next <= 5;
}

static void print_result(soon_future *future, void *data)
{
    soon_bytes bytes;

    must(soon_future_result(future, 0, &bytes) == 0);
    printf("%s: %.*s\n", (const char *)data, (int)bytes.size, (const char *)bytes.data);
}

static void use(soon_executor *executor)
{
    int x, next = 0, numbers[] = {1, 2, -3, 4}, squares[4];
    soon_future *future;
    soon_imap *imap;

    must(soon_take(soon_submit(executor, fourth_power, 3), &x) == 0 && x == 81);
    must(soon_map(executor, square, numbers, 4, squares) == SOON_ERAISED);
    printf("squares: %d %d %d %d\n", squares[0], squares[1], squares[2], squares[3]);

    must(soon_imap_new(&imap, executor, &square_task, NULL, one_to_five, &next) == 0);
    while (soon_imap_next(imap, SOON_FOREVER, &future, NULL) == 0) {
        must(soon_take(future, &x) == 0);
        printf("imap: %d\n", x);
    }
    soon_imap_free(imap);

    future =
        shout_submit(executor, "hello", 5, &(soon_submit_options){.on_done = print_result, .on_done_data = "shout"});
    must(soon_future_done(future));
    must(!soon_future_cancel(future));
    soon_future *again = soon_then(future, executor, &shout_task);
    must(soon_future_add_done_callback(again, print_result, "then") == 0);
    soon_future_unref(again);
    soon_future_unref(future);
}

int main(void)
{
    soon_executor *executor = here_new();
    soon_stats stats;
    int x;

    use(executor);
    soon_executor_stats(executor, &stats);
    printf("stats: %llu\n", (unsigned long long)stats.submitted);
    must(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER) == 0);
    must(soon_take(soon_submit(executor, square, 1), &x) == SOON_ESHUTDOWN);
    must(soon_executor_free(executor) == 0);
    return 0;
}
