/*
 * shared_counter.c - worker processes count together in shared memory: in an atomic, and under a lock in two numbers
 * that must be equal. One worker dies between the two, with the lock; the next holder is told, and mends the numbers.
 *
 *     $ shared_counter
 *     8 tasks count to 10000 each, one more dies inside the lock
 *     It has failed: the worker died while it ran the task: worker 104711 killed by signal 9 (SIGKILL)
 *     The atomic: 80000
 *     Under the lock: 80000 and 80000, mended 1 time
 */
#include "demo.h"

#include <signal.h>
#include <soon.h>
#include <stdatomic.h>

enum { TASKS = 8 };

struct counters {
    atomic_int atomic;
    soon_lock lock;
    int left, right, mended; /* under the lock */
};

static void enter(struct counters *counters)
{
    if (soon_lock_lock(&counters->lock) == -EOWNERDEAD) { /* the lock is ours all the same */
        counters->left = counters->right;
        counters->mended++;
    }
}

SOON_TASK(count, int, soon_none)
{
    struct counters *counters = soon_task_shared(task);
    for (int i = 0; i < *arg; i++) {
        atomic_fetch_add_explicit(&counters->atomic, 1, memory_order_relaxed); /* relaxed: nothing else depends on it */
        enter(counters);
        counters->left++;
        counters->right++;
        soon_lock_unlock(&counters->lock);
    }
    return 0;
}

SOON_TASK(die_inside, soon_none, soon_none)
{
    struct counters *counters = soon_task_shared(task);
    enter(counters);
    counters->left++;
    return raise(SIGKILL);
}

int main(int argc, char **argv)
{
    int workers = 0, times = 10000;
    soon_shared *memory;
    soon_executor *pool;
    soon_future *futures[TASKS];
    demo_why_no_threads = "on threads a death would end the program";
    demo_start(argc, argv, "shared_counter", (struct demo_option[]){{"-j", &workers, 0}, {"-n", &times, 0}, {0}});

    if (soon_shared_new(&memory, sizeof(struct counters)) < 0)
        return 1;
    struct counters *counters = soon_shared_data(memory);
    soon_lock_init(&counters->lock);
    if (soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = workers, .shared = memory}) < 0)
        return 1;

    printf("%d tasks count to %d each, one more dies inside the lock\n", TASKS, times);
    for (int i = 0; i < TASKS; i++)
        futures[i] = soon_submit(pool, count, times);
    SOON_AUTO_FUTURE *death = soon_submit_with(pool, (.priority = 1), die_inside);
    if (soon_result(death, &(soon_none){0}) < 0)
        printf("It has failed: %s\n", soon_future_error(death)->message);
    soon_wait(futures, TASKS, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    soon_futures_unref(futures, TASKS);

    enter(counters);
    printf("The atomic: %d\n", counters->atomic);
    printf("Under the lock: %d and %d, mended %d time\n", counters->left, counters->right, counters->mended);
    soon_lock_unlock(&counters->lock);
    soon_shared_unref(memory);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
