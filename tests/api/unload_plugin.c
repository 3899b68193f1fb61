/*
 * unload_plugin.c - an object for unload.c to load and unload, which has a library of its own inside.
 */
#include <soon.h>

SOON_TASK(plugin_twice, int, int)
{
    *result = 2 * *arg;
    return 0;
}

__attribute__((visibility("default"))) int plugin_runs_a_task(int x);
__attribute__((visibility("default"))) int plugin_makes_a_promise(int x);

/* 2 * x; -1: something failed. */
int plugin_runs_a_task(int x)
{
    soon_executor *pool;
    int result;

    if (soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}) < 0 ||
        soon_take(soon_submit(pool, plugin_twice, x), &result) < 0 || soon_executor_free(pool) < 0)
        return -1;
    return result;
}

/* The same, without a pool. */
int plugin_makes_a_promise(int x)
{
    soon_promise *promise;
    soon_future *future;
    int result = -1;

    if (soon_promise_new(&promise, NULL) < 0)
        return -1;
    future = soon_promise_future(promise);
    x *= 2;
    if (soon_promise_set_result(promise, &x, sizeof x) == 0)
        (void)soon_take(future, &result);
    else
        soon_future_unref(future);
    soon_promise_free(promise);
    return result;
}
