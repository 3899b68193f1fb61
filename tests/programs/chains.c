/*
 * chains.c - a million of each: thens in a row, gathers of gathers, anys of anys, callbacks that complete the next
 * promise. None may overflow a stack, neither when they complete nor when they are cancelled or freed. `chains N` for
 * another number.
 */
#include "program.h"

#include <errno.h>

static size_t length = 1000000;

SOON_TASK(increment, int64_t, int64_t)
{
    *result = *arg + 1;
    return 0;
}

static soon_promise *start(soon_future **ret)
{
    soon_promise *promise;

    must(soon_promise_new(&promise, NULL) == 0);
    *ret = soon_promise_future(promise);
    return promise;
}

static void finish(soon_promise *promise)
{
    int64_t zero = 0;

    must(soon_promise_set_result(promise, &zero, sizeof zero) == 0);
    soon_promise_free(promise);
}

/* Each link holds the one before; the caller holds the last. */
typedef soon_future *(*link_fn)(soon_future *before, soon_executor *pool);

static soon_future *then(soon_future *before, soon_executor *pool)
{
    return soon_then(before, pool, &increment_task);
}

static soon_future *gather(soon_future *before, SOON_UNUSED soon_executor *pool)
{
    return soon_gather(&before, 1);
}

static soon_future *any(soon_future *before, SOON_UNUSED soon_executor *pool)
{
    return soon_any(&before, 1);
}

static soon_future *chain(soon_future *first, link_fn link, soon_executor *pool)
{
    soon_future *last = first;

    for (size_t i = 0; i < length; i++) {
        soon_future *next = link(last, pool);

        soon_future_unref(last);
        last = next;
    }
    return last;
}

static void succeeds(const char *what, link_fn link, soon_executor *pool)
{
    soon_future *first, *last;
    soon_promise *promise = start(&first);
    int64_t count = -1;

    last = chain(first, link, pool);
    must(!soon_future_done(last));
    finish(promise);
    must(soon_future_wait(last, SOON_FOREVER) == 0 && soon_future_succeeded(last));
    if (link != gather) /* which has no bytes of its own */
        must(soon_result(last, &count) == 0 && count == (link == then ? (int64_t)length : 0));
    soon_future_unref(last);
    printf("%s: done\n", what);
}

static void fails(const char *what, link_fn link, soon_executor *pool)
{
    soon_future *first, *last;
    soon_promise *promise = start(&first);

    last = chain(first, link, pool);
    must(soon_promise_set_exception(promise, EDOM, "the first link broke") == 0);
    soon_promise_free(promise);
    must(soon_future_wait(last, SOON_FOREVER) == 0);
    must(soon_future_error(last)->code == SOON_ERAISED && soon_future_error(last)->raised == EDOM);
    soon_future_unref(last);
    printf("%s: failed\n", what);
}

static void is_cancelled(const char *what, link_fn link, soon_executor *pool)
{
    soon_future *first, *last;
    soon_promise *promise = start(&first);

    soon_future_ref(first);
    last = chain(first, link, pool);
    (void)soon_future_cancel(last);
    must(soon_future_wait(last, SOON_FOREVER) == 0);
    must(soon_future_error(last)->code == -ECANCELED);
    must(soon_future_cancelled(first));
    soon_future_unref(first);
    soon_future_unref(last);
    soon_promise_free(promise);
    printf("%s: cancelled\n", what);
}

/* A callback that completes the next promise, whose callback completes the next. */
static void pass_on(soon_future *future, void *data)
{
    soon_promise *next = data;

    must(soon_future_done(future));
    must(soon_promise_set_result(next, NULL, 0) == 0);
    soon_promise_free(next);
}

static void callbacks(void)
{
    soon_future *first, *last;
    soon_promise *promise = start(&first);

    last = soon_future_ref(first);
    for (size_t i = 0; i < length; i++) {
        soon_future *next;
        soon_promise *maker = start(&next);

        must(soon_future_add_done_callback(last, pass_on, maker) == 0);
        soon_future_unref(last);
        last = next;
    }
    soon_future_unref(first);
    finish(promise);
    must(soon_future_wait(last, 0) == 0);
    soon_future_unref(last);
    puts("callbacks: done");
}

static void wide(soon_executor *pool)
{
    soon_future **futures = malloc(length * sizeof *futures);
    int64_t sum = 0, x;

    must(futures);
    for (size_t i = 0; i < length; i++)
        futures[i] = soon_submit(pool, increment, (int64_t)i);
    soon_future *all = soon_gather(futures, length);
    soon_future *one = soon_any(futures, length);
    must(soon_result(one, &x) == 0 && x > 0);
    must(soon_future_wait(all, SOON_FOREVER) == 0 && soon_future_succeeded(all));
    for (size_t i = 0; i < length; i++) {
        must(soon_take(futures[i], &x) == 0);
        sum += x;
    }
    must(sum == (int64_t)(length * (length + 1) / 2));
    soon_future_unref(all);
    soon_future_unref(one);
    free(futures);
    puts("wide: done");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        link_fn link;
    } links[] = {{"then", then}, {"gather", gather}, {"any", any}};

    if (argc > 1)
        length = strtoul(argv[1], NULL, 10);
    SOON_AUTO_EXECUTOR *pool = pool_of(2);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        succeeds(links[i].name, links[i].link, pool);
        fails(links[i].name, links[i].link, pool);
        is_cancelled(links[i].name, links[i].link, pool);
    }
    callbacks();
    wide(pool);
    return 0;
}
