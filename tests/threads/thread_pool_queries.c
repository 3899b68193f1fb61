/*
 * thread_pool_queries.c - what may be asked of an executor without changing it: whether it takes tasks, and who its workers are.
 */
#include "../support/pools.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void init(void)
{
    cr_assert_eq(soon_init(0, NULL), 0);
}

TestSuite(thread_pool_queries, .init = init);

static soon_executor *pool_of(soon_pool_kind kind)
{
    soon_executor *pool;

    cr_assert_eq(soon_pool_new(&pool, kind, &(soon_pool_options){.workers = 2, .name = "asked"}), 0);
    return pool;
}

static void assert_lives(const soon_worker *worker, soon_pool_kind kind)
{
    cr_assert_eq(strncmp(worker->name, "asked_", 6), 0, "%s", worker->name);
    cr_assert_neq(worker->id, getpid());
    cr_assert_eq(syscall(SYS_tgkill, kind == SOON_PROCESSES ? worker->id : getpid(), worker->id, 0), 0);
}

Test(thread_pool_queries, name_the_workers_that_live)
{
    for (int kind = SOON_THREADS; kind <= SOON_PROCESSES; kind++) {
        soon_executor *pool = pool_of((soon_pool_kind)kind);
        soon_worker workers[3] = {{.id = 7}, {.id = 7}, {.id = 7}};
        soon_stats stats;

        soon_executor_stats(pool, &stats);
        cr_assert_eq(stats.workers_max, 2);
        cr_assert_eq(soon_executor_workers(pool, workers, 3), 0, "they start as tasks come");
        cr_assert_eq(workers[0].id, 7);
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
        cr_assert_eq(soon_executor_workers(pool, NULL, 0), 2);
        cr_assert_eq(soon_executor_workers(pool, workers, 1), 2);
        cr_assert_eq(workers[1].id, 7);
        cr_assert_eq(soon_executor_workers(pool, workers, 3), 2);
        for (int i = 0; i < 2; i++)
            assert_lives(&workers[i], (soon_pool_kind)kind);
        cr_assert_neq(workers[0].id, workers[1].id);
        cr_assert_str_neq(workers[0].name, workers[1].name);
        cr_assert_eq(workers[2].id, 7);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
    cr_assert_eq(soon_executor_workers(NULL, NULL, 0), 0);
}

Test(thread_pool_queries, tell_which_worker_is_busy)
{
    soon_executor *pool = new_pool(.workers = 1);
    struct gate gate = gate_new();
    soon_future *f = occupy_one(pool, gate);
    soon_worker worker;

    cr_assert_eq(soon_executor_workers(pool, &worker, 1), 1);
    cr_assert(worker.busy);
    gate_open(gate, 1);
    soon_future_unref(f);
    free_pool(pool);
    gate_free(gate);
}

/* Of a program that was compiled with an older header, and with a newer one. */
Test(thread_pool_queries, fill_workers_of_any_size)
{
    struct newer {
        soon_worker known;
        char more[8];
    } newer[2];
    soon_executor *pool = pool_of(SOON_THREADS);
    char older[2][16];

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    memset(newer, 0xff, sizeof newer);
    cr_assert_eq(soon_executor_workers_sized(pool, &newer[0].known, 2, sizeof *newer), 2);
    cr_assert_eq(newer[1].more[0], 0);
    assert_lives(&newer[1].known, SOON_THREADS);
    cr_assert_eq(soon_executor_workers_sized(pool, (soon_worker *)(void *)older, 2, sizeof *older), 2);
    cr_assert_str_eq(older[0], newer[0].known.name);
    cr_assert_str_eq(older[1], newer[1].known.name);
    cr_assert_eq(soon_executor_free(pool), 0);
}

SOON_TASK(refuse, soon_none, soon_none)
{
    return soon_raise(task, 5, "no worker is made");
}

Test(thread_pool_queries, tell_why_an_executor_takes_nothing)
{
    soon_executor *pool;

    for (int kind = SOON_THREADS; kind <= SOON_PROCESSES; kind++) {
        pool = pool_of((soon_pool_kind)kind);
        cr_assert_eq(soon_executor_error(pool)->code, 0);
        cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
        cr_assert_eq(soon_executor_error(pool)->code, SOON_ESHUTDOWN);
        cr_assert_eq(soon_executor_free(pool), 0);

        cr_assert_eq(soon_pool_new(&pool, (soon_pool_kind)kind, &(soon_pool_options){.initializer = &refuse_task}), 0);
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), SOON_EBROKEN);
        cr_assert_eq(soon_executor_error(pool)->code, SOON_EBROKEN);
        cr_assert_not_null(strstr(soon_executor_error(pool)->message, "no worker is made"), "%s",
                           soon_executor_error(pool)->message);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
    cr_assert_eq(soon_executor_error(NULL)->code, -EINVAL);
}
