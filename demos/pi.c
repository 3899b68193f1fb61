/*
 * pi.c - pi as the area under 4 / (1 + x * x) from 0 to 1, in N strips: the sum split over the workers with
 * apply_async, by one worker and by all. A terminal on stderr shows how far it is.
 *
 *     $ pi -j 2 -n 10000000
 *     1 worker:  pi = 3.141592653590, 0.060 s
 *     2 workers: pi = 3.141592653590, 0.030 s
 *
 * With --cluster SERVERS the sum is split over -j slots, 8 if it is not said, where `soon-workerd --program pi` runs.
 */
#define SOON_DEMO_CLUSTER
#include "demo.h"

#include <soon.h>

struct slice {
    int64_t first, last, strips;
};

SOON_TASK(sum_slice, struct slice, double)
{
    double width = 1.0 / (double)arg->strips, sum = 0;
    for (int64_t i = arg->first; i < arg->last; i++) {
        double x = ((double)i + 0.5) * width;
        sum += 4 / (1 + x * x);
        if (i % 1000000 == 0)
            soon_task_set_progress(task, (uint64_t)(i - arg->first), (uint64_t)(arg->last - arg->first));
    }
    *result = sum * width;
    return 0;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns: 0, or the code of the first slice that failed. */
static int compute(soon_executor *pool, size_t slices, int64_t strips, double *ret)
{
    int rc = 0;
    double sum = 0;
    soon_future **parts = calloc(slices, sizeof *parts);
    if (!parts)
        return -ENOMEM;
    soon_progress_bar *bar; /* without one it goes on, too */
    soon_progress_bar_new(&bar,
                          &(soon_progress_bar_options){.label = "pi", .plain_every_ms = SOON_FOREVER, .vanish = true});
    for (size_t i = 0; i < slices; i++) {
        parts[i] = soon_apply_async(pool, NULL, NULL, NULL, sum_slice, .first = strips * (int64_t)i / (int64_t)slices,
                                    .last = strips * (int64_t)(i + 1) / (int64_t)slices, .strips = strips);
        soon_progress_bar_add(bar, parts[i]);
    }
    for (size_t i = 0; i < slices; i++) {
        double part = 0;
        int failed = soon_take(parts[i], &part);
        rc = rc < 0 ? rc : failed;
        sum += part;
    }
    soon_progress_bar_free(bar);
    free(parts);
    *ret = sum;
    return rc;
}

/* The slices of a pool are as many as its workers. Returns: the exit status. */
static int run(int workers, int64_t strips)
{
    soon_executor *pool = demo_pool(workers);
    int rc = soon_executor_boot(pool, SOON_FOREVER); /* so that only the work is timed */
    soon_stats stats = {.workers = (size_t)workers};
    if (!demo_servers)
        soon_executor_stats(pool, &stats);

    double pi, start_s = now_s();
    if (rc == 0)
        rc = compute(pool, stats.workers, strips, &pi);
    if (rc == 0)
        printf("%zu %s%s pi = %.12f, %.3f s\n", stats.workers, demo_servers ? "slot" : "worker",
               stats.workers > 1 ? "s:" : ": ", pi, now_s() - start_s);
    else
        fprintf(stderr, "pi: %s\n", soon_last_error()->message);
    soon_executor_free(pool);
    return rc < 0;
}

int main(int argc, char **argv)
{
    int workers = 0, strips = 200000000;
    demo_start(argc, argv, "pi", (struct demo_option[]){{"-j", &workers, 0}, {"-n", &strips, 1}, {0}});

    if (demo_servers)
        return run(workers ? workers : 8, strips);
    return run(1, strips) || run(workers, strips);
}
