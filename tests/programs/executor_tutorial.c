/*
 * executor_tutorial.c - the examples of Python's concurrent.futures documentation: submit and result, futures as keys
 * of what they came from, the map over primes, the deadlock that is none here, and the methods of a Future.
 */
#include "program.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

SOON_TASK(is_prime, int64_t, bool)
{
    *result = *arg == 2 || (*arg > 2 && *arg % 2 != 0);
    for (int64_t i = 3; *result && i * i <= *arg; i += 2)
        *result = *arg % i != 0;
    return 0;
}

SOON_TASK(
    power,
    struct {
        int base;
        int exponent;
    },
    int)
{
    *result = 1;
    for (int i = 0; i < arg->exponent; i++)
        *result *= arg->base;
    return 0;
}

/* load_url(url, timeout): a page of so many bytes, or an error. */
SOON_TASK_BYTES(load_url)
{
    static const char dead[] = "http://nonexistant-subdomain.python.org/";

    if (arg.size == sizeof dead - 1 && memcmp(arg.data, dead, arg.size) == 0)
        return soon_raise(task, ENOENT, "Name or service not known");
    void *page = soon_task_return_space(task, arg.size * 1000);
    if (!page)
        return -ENOMEM;
    memset(page, 'x', arg.size * 1000);
    return 0;
}

SOON_TASK(wait_on_future, soon_none, int)
{
    return soon_take(soon_submit(soon_task_executor(task), power, 5, 2), result);
}

static void load_urls(void)
{
    static const char *const urls[] = {"http://www.foxnews.com/", "http://www.cnn.com/", "http://europe.wsj.com/",
                                       "http://www.bbc.co.uk/", "http://nonexistant-subdomain.python.org/"};
    SOON_AUTO_EXECUTOR *executor = pool_of(5);
    char lines[5][120];
    soon_as_completed *set;
    soon_future *future;

    must(soon_as_completed_new(&set, NULL, 0, 60000) == 0);
    for (size_t i = 0; i < 5; i++)
        must(soon_as_completed_give(set, load_url_submit(executor, urls[i], strlen(urls[i]),
                                                         &(soon_submit_options){.data = lines[i], .label = urls[i]})) ==
             0);
    while (soon_as_completed_next(set, &future) == 0) {
        soon_bytes page;

        if (soon_future_result(future, 0, &page) == 0)
            snprintf(soon_future_data(future), sizeof lines[0], "'%s' page is %zu bytes", soon_future_label(future),
                     page.size);
        else
            snprintf(soon_future_data(future), sizeof lines[0], "'%s' generated an exception: %s",
                     soon_future_error(future)->label, soon_future_error(future)->message);
        soon_future_unref(future);
    }
    soon_as_completed_free(set);
    for (size_t i = 0; i < 5; i++)
        puts(lines[i]);
}

static void primes(void)
{
    static const int64_t numbers[] = {112272535095293, 112582705942171, 112272535095293,
                                      115280095190773, 115797848077099, 1099726899285419};
    SOON_AUTO_EXECUTOR *executor = pool_of(0);
    bool prime[6];

    must(soon_map(executor, is_prime, numbers, 6, prime) == 0);
    for (size_t i = 0; i < 6; i++)
        printf("%lld is prime: %s\n", (long long)numbers[i], prime[i] ? "True" : "False");
}

static void no_deadlock(void)
{
    SOON_AUTO_EXECUTOR *executor = pool_of(1);
    int x;

    must(soon_take(soon_submit(executor, wait_on_future), &x) == 0);
    printf("a task that waits for one that would need the same worker: %d\n", x);
}

static void methods(void)
{
    SOON_AUTO_EXECUTOR *executor = pool_of(1);
    SOON_AUTO_FUTURE *future = soon_submit(executor, power, .base = 323, .exponent = 2);
    const soon_error *exception;
    int x;

    must(soon_result(future, &x) == 0);
    must(soon_future_exception(future, 0, &exception) == 0 && !exception);
    must(!soon_future_cancel(future) && !soon_future_cancelled(future) && !soon_future_running(future));
    must(soon_future_done(future) && soon_future_state(future) == SOON_FINISHED);
    printf("323 to the 2nd is %d\n", x);
    must(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER) == 0);
    SOON_AUTO_FUTURE *late = soon_submit(executor, power, 1, 1);
    must(soon_future_exception(late, 0, &exception) == 0 && exception);
    printf("RuntimeError: %s, started: %d\n", exception->message, exception->started);
}

int main(void)
{
    load_urls();
    primes();
    no_deadlock();
    methods();
    return 0;
}
