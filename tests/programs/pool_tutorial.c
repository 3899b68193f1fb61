/*
 * pool_tutorial.c - the examples of Python's multiprocessing.Pool documentation, line by line, with this library's
 * words.
 */
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

SOON_TASK(f, int, int) /* def f(x): return x*x */
{
    *result = *arg * *arg;
    return 0;
}

SOON_TASK(sleep_ms, long, soon_none)
{
    for (long slept = 0; slept < *arg; slept++) {
        if (soon_task_cancel_requested(task))
            return -ECANCELED;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 0;
}

struct pair {
    int x, y;
};

SOON_TASK(power, struct pair, long) /* starmap */
{
    *result = 1;
    for (int i = 0; i < arg->y; i++)
        *result *= arg->x;
    return 0;
}

SOON_TASK(reciprocal, int, double)
{
    if (*arg == 0)
        return soon_raise(task, EDOM, "division by zero");
    *result = 1.0 / *arg;
    return 0;
}

SOON_TASK(hello, soon_none, int)
{
    *result = 42;
    return 0;
}

static int counter(void *arg, void *data)
{
    int *next = data;

    *(int *)arg = *next;
    return (*next)++ < 10;
}

static void imap(soon_executor *pool, bool unordered)
{
    soon_map_options options = {.unordered = unordered};
    int next = 0, square, sum = 0;
    soon_future *future;
    soon_imap *it;

    must(soon_imap_new(&it, pool, &f_task, &options, counter, &next) == 0);
    printf(unordered ? "imap_unordered:" : "imap:");
    while (soon_imap_next(it, SOON_FOREVER, &future, NULL) == 0) {
        must(soon_take(future, &square) == 0);
        sum += square;
        if (!unordered)
            printf(" %d", square);
    }
    if (unordered)
        printf(" sum %d", sum);
    puts("");
    soon_imap_free(it);
}

static atomic_int callbacks, error_callbacks;

static void got(soon_bytes result, void *data)
{
    must(result.size == sizeof(double) && data == &callbacks);
    atomic_fetch_add(&callbacks, 1);
}

static void failed(const soon_error *error, void *data)
{
    must(error->code == SOON_ERAISED && error->raised == EDOM && data == &callbacks);
    atomic_fetch_add(&error_callbacks, 1);
}

int main(int argc, char **argv)
{
    int numbers[10], squares[10], errors[4], result;
    struct pair pairs[] = {{2, 10}, {3, 4}, {10, 3}};
    soon_executor *pool;
    soon_none none;
    long powers[3];
    double some[4];

    must(soon_init(argc, argv) == 0);
    must(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 4}) ==
         0); /* with Pool(processes=4) as pool: */

    for (int i = 0; i < 10; i++)
        numbers[i] = i;
    must(soon_map(pool, f, numbers, 10, squares) == 0); /* print(pool.map(f, range(10))) */
    printf("map:");
    for (int i = 0; i < 10; i++)
        printf(" %d", squares[i]);
    puts("");

    imap(pool, false);
    imap(pool, true); /* for i in pool.imap_unordered(f, range(10)) */

    soon_future *res = soon_submit(pool, f, 20);          /* res = pool.apply_async(f, (20,)) */
    must(soon_result_within(res, 1000000, &result) == 0); /* res.get(timeout=1) */
    printf("apply_async: %d\n", result);
    soon_future_unref(res);

    must(soon_take(soon_submit(pool, hello), &result) == 0); /* pool.apply(hello) */
    printf("apply: %d\n", result);

    soon_future *multiple[4]; /* [pool.apply_async(os.getpid, ()) for i in range(4)] */
    for (int i = 0; i < 4; i++)
        multiple[i] = soon_submit(pool, f, i);
    for (int i = 0; i < 4; i++)
        must(soon_take(multiple[i], &result) == 0 && result == i * i);

    res = soon_submit(pool, sleep_ms, 60000); /* res = pool.apply_async(time.sleep, (10,)) */
    must(soon_result_within(res, 20, &none) == -ETIMEDOUT);
    puts("We lacked patience and got a multiprocessing.TimeoutError");

    must(soon_map(pool, power, pairs, 3, powers) == 0); /* pool.starmap(pow, [(2, 10), (3, 4), (10, 3)]) */
    printf("starmap: %ld %ld %ld\n", powers[0], powers[1], powers[2]);

    /* Errors: one of four divisions. Python's map forgets the others. */
    must(soon_map_with(pool, (.chunk = 2), reciprocal, ((int[]){1, 2, 0, 4}), 4, some, errors) == SOON_ERAISED);
    printf("map: %.2f %.2f (%s) %.2f\n", some[0], some[1], soon_errname(errors[2]), some[3]);

    soon_future *async = soon_map_async(pool, f, numbers, 10);
    must(soon_future_wait(async, SOON_FOREVER) == 0 && soon_future_succeeded(async));
    must(soon_take(async, &squares) == 0);
    printf("map_async: ... %d\n", squares[9]);

    soon_future *first = soon_apply_async(pool, got, failed, &callbacks, reciprocal, 8);
    soon_future *second = soon_apply_async(pool, got, failed, &callbacks, reciprocal, 0);
    must(soon_take(first, &some[0]) == 0 && soon_take(second, &some[1]) == SOON_ERAISED);
    printf("callbacks: %d, error callbacks: %d\n", callbacks, error_callbacks);

    must(soon_executor_shutdown(pool, SOON_TERMINATE, SOON_FOREVER) == 0); /* pool.terminate(); pool.join() */
    must(soon_future_cancelled(res));
    soon_future_unref(res);
    must(soon_executor_free(pool) == 0);
    puts("Now the pool is closed and no longer available");
    return 0;
}
