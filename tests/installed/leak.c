/*
 * leak.c - a user's program that forgets an unref, if its argument says so: `leak forget`. It is built with a sanitizer, or runs
 * under valgrind, and the installed library is as it is.
 */
#include <sched.h>
#include <soon.h>
#include <stdio.h>
#include <string.h>

SOON_TASK(twice, int, int)
{
    *result = *arg * 2;
    return 0;
}

/* Nothing of it stays on the stack of main. */
static __attribute__((noinline)) int run(soon_executor *pool, bool forget)
{
    int value = 0;

    for (int i = 0; i < 5; i++) {
        soon_future *f = soon_submit(pool, twice, 21);

        if (soon_result(f, &value) < 0 || value != 42)
            return 1;
        if (!forget || i != 3)
            soon_future_unref(f);
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool forget = argc > 1 && strcmp(argv[1], "forget") == 0;
    soon_executor *pool;
    int rc;

    if (soon_init(argc, argv) < 0 || soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}) < 0)
        return 1;
    rc = run(pool, forget);
    soon_executor_free(pool);
    while (soon_futures_alive() != forget) /* the library gives up its own a moment later */
        sched_yield();
    printf("%d futures are left\n", forget);
    fflush(stdout); /* a report ends the program without that */
    return rc;
}
