/*
 * epoll.c - a program with a loop of its own, of epoll, counts primes on all CPUs. The results come to that loop.
 *
 *     $ epoll
 *     2762 primes below 25000
 *     5133 primes below 50000
 *     9592 primes below 100000
 *     17984 primes below 200000
 *     the pool is gone
 *
 * The counts come in the order in which they are ready.
 */
#include <soon.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

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
static int set; /* of epoll: all that the program waits for is in it */

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
    epoll_ctl(set, EPOLL_CTL_DEL, soon_loop_fd(loop), NULL);
}

static void on_pool_end(void *data)
{
    (void)data;
    puts("the pool is gone");
    soon_loop_detach(loop, on_closed, NULL);
}

int main(void)
{
    const int below[] = {25000, 50000, 100000, 200000};
    soon_executor *pool;

    if (soon_thread_pool_new(&pool, NULL) < 0 || soon_loop_new(&loop) < 0) {
        fprintf(stderr, "epoll: %s\n", soon_last_error()->message);
        return 1;
    }
    set = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(set, EPOLL_CTL_ADD, soon_loop_fd(loop), &(struct epoll_event){.events = EPOLLIN, .data.ptr = loop});

    for (int i = 0; i < 4; i++)
        soon_future_unref(soon_submit_with(pool, (.on_done = show, .on_done_loop = loop), count_primes, below[i]));
    if (soon_executor_end(pool, &(soon_end_options){.loop = loop, .on_end = on_pool_end}) < 0) /* when all are done */
        return 1;

    for (int rc = 0; rc != SOON_EEND;) {
        struct epoll_event event;

        if (epoll_wait(set, &event, 1, -1) == 1 && event.data.ptr == loop)
            rc = soon_loop_dispatch(loop, 0);
    }
    close(set);
    return 0;
}
