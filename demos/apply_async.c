/*
 * apply_async.c - the seven steps of the tutorials on Python's Pool.apply_async(), one after the other.
 *
 *     $ apply_async
 *     Task executing
 *     Task executing: Hello world
 *     Callback got 36
 *     Error callback got: x must not be negative, it is -6
 *     Waiting...
 *     Ready, successful
 *     Result = 49
 *     Error = x must not be negative, it is -7
 */
#include "demo.h"

#include <soon.h>

struct message {
    char text[32];
};

struct number {
    int x, pause_ms;
};

SOON_TASK(execute, struct message, soon_none)
{
    printf("Task executing%s%s\n", arg->text[0] ? ": " : "", arg->text);
    return 0;
}

SOON_TASK(square, struct number, int)
{
    demo_pause(arg->pause_ms);
    if (arg->x < 0)
        return soon_raise(task, EDOM, "x must not be negative, it is %d", arg->x);
    *result = arg->x * arg->x;
    return 0;
}

static void print_value(soon_bytes result, void *data)
{
    printf("%s got %d\n", (const char *)data, *(const int *)result.data);
}

static void print_error(const soon_error *error, void *data)
{
    printf("%s got: %s\n", (const char *)data, error->message);
}

int main(int argc, char **argv)
{
    int workers = 0, pause = 300, x;
    demo_start(argc, argv, "apply_async", (struct demo_option[]){{"-j", &workers, 0}, {"--pause-ms", &pause, 0}, {0}});
    soon_executor *pool = demo_pool(workers);

    /* 1, 2: no argument, an argument */
    soon_take(soon_apply_async(pool, NULL, NULL, NULL, execute, .text = ""), &(soon_none){0});
    soon_take(soon_apply_async(pool, NULL, NULL, NULL, execute, .text = "Hello world"), &(soon_none){0});

    /* 3, 4: callback, error callback: it has run when the future is done */
    soon_take(soon_apply_async(pool, print_value, print_error, "Callback", square, .x = 6, .pause_ms = pause), &x);
    soon_take(soon_apply_async(pool, print_value, print_error, "Error callback", square, .x = -6, .pause_ms = pause),
              &x);

    /* 5, 6: wait, get */
    soon_future *good = soon_apply_async(pool, NULL, NULL, NULL, square, .x = 7, .pause_ms = pause);
    puts("Waiting...");
    soon_future_wait(good, SOON_FOREVER);
    printf("Ready, %s\n", soon_future_succeeded(good) ? "successful" : "failed");
    if (soon_take(good, &x) == 0)
        printf("Result = %d\n", x);

    /* 7: an exception */
    SOON_AUTO_FUTURE *bad = soon_apply_async(pool, NULL, NULL, NULL, square, .x = -7, .pause_ms = pause);
    if (soon_result(bad, &x) < 0)
        printf("Error = %s\n", soon_future_error(bad)->message);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
