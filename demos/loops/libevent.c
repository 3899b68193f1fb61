/*
 * libevent.c - a program with the loop of libevent counts primes on all CPUs. The results come to that loop.
 *
 *     $ libevent
 *     2762 primes below 25000
 *     5133 primes below 50000
 *     9592 primes below 100000
 *     17984 primes below 200000
 *     the pool is gone
 *
 * The counts come in the order in which they are ready.
 */
#include <event2/event.h>
#include <soon.h>
#include <stdio.h>

struct primes {
    int below, count;
};

SOON_TASK(count_primes, int, struct primes)
{
    result->below = *arg;
    result->count = 0;
    for (int n = 2, divisor; n < *arg; n++) {
        for (divisor = 2; divisor * divisor <= n && n % divisor; divisor++)
            ;
        result->count += divisor * divisor > n;
    }
    return 0;
}

static soon_loop *loop;
static struct event *due;

static void show(soon_future *future, void *data)
{
    struct primes primes;

    (void)data;
    if (soon_result(future, &primes) == 0) /* it is done: this does not wait */
        printf("%d primes below %d\n", primes.count, primes.below);
}

/* In the last dispatch, when nothing is outstanding any more. The descriptor is still open. */
static void on_closed(void *data)
{
    (void)data;
    event_free(due); /* now the base has nothing left to wait for */
}

static void on_pool_end(void *data)
{
    (void)data;
    puts("the pool is gone");
    soon_loop_detach(loop, on_closed, NULL);
}

static void on_due(evutil_socket_t fd, short what, void *data)
{
    (void)fd, (void)what, (void)data;
    soon_loop_dispatch(loop, 0);
}

int main(void)
{
    const int below[] = {25000, 50000, 100000, 200000};
    soon_executor *pool;

    if (soon_thread_pool_new(&pool, NULL) < 0 || soon_loop_new(&loop) < 0) {
        fprintf(stderr, "libevent: %s\n", soon_last_error()->message);
        return 1;
    }
    struct event_base *base = event_base_new();
    due = event_new(base, soon_loop_fd(loop), EV_READ | EV_PERSIST, on_due, NULL);
    event_add(due, NULL);

    for (int i = 0; i < 4; i++)
        soon_future_unref(soon_submit_with(pool, (.on_done = show, .on_done_loop = loop), count_primes, below[i]));
    if (soon_executor_end(pool, &(soon_end_options){.loop = loop, .on_end = on_pool_end}) < 0) /* when all are done */
        return 1;

    event_base_dispatch(base);
    event_base_free(base);
    return 0;
}
