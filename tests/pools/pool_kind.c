/*
 * pool_kind.c - soon_pool_new(): one constructor for threads and processes, with what both have.
 */
#include "../harness/test.h"

#include <errno.h>
#include <soon.h>
#include <unistd.h>

struct told {
    pid_t pid;
    int sum;
};

/* Leaves its argument to the tasks of its worker. */
SOON_TASK(begin, int, soon_none)
{
    static _Thread_local int kept;

    kept = *arg;
    soon_task_set_local(task, &kept, NULL);
    return 0;
}

SOON_TASK(tell, int, struct told)
{
    result->pid = getpid();
    result->sum = *arg + *(int *)soon_task_local(task) + *(int *)soon_task_shared(task);
    return 0;
}

static void init(void)
{
    cr_assert_eq(soon_init(0, NULL), 0);
}

TestSuite(pool_kind, .init = init);

Test(pool_kind, takes_what_both_have)
{
    static const soon_pool_kind kinds[] = {SOON_THREADS, SOON_PROCESSES};
    soon_executor *pool;
    soon_shared *shared;
    struct told told;

    cr_assert_eq(soon_shared_new(&shared, sizeof(int)), 0);
    *(int *)soon_shared_data(shared) = 100;
    for (size_t i = 0; i < 2; i++) {
        soon_pool_options options = {.workers = 2,
                                     .name = "both",
                                     .initializer = &begin_task,
                                     .initializer_arg = &(int){20},
                                     .shared = shared,
                                     .queue_max = 10};

        cr_assert_eq(soon_pool_new(&pool, kinds[i], &options), 0);
        cr_assert_eq(soon_take(soon_submit(pool, tell, 3), &told), 0);
        cr_assert_eq(told.sum, 123);
        cr_assert_eq(told.pid == getpid(), kinds[i] == SOON_THREADS);
        cr_assert_eq(soon_executor_free(pool), 0);
    }
    soon_shared_unref(shared);
}

Test(pool_kind, may_be_left_to_the_defaults)
{
    soon_executor *pool;

    cr_assert_eq(soon_pool_new(&pool, SOON_THREADS, NULL), 0);
    cr_assert_eq(soon_executor_free(pool), 0);
}

Test(pool_kind, that_there_is_not_is_refused_by_name)
{
    soon_executor *pool = (soon_executor *)&pool;

    cr_assert_eq(soon_pool_new(&pool, (soon_pool_kind)7, NULL), -EINVAL);
    cr_assert_null(pool);
    cr_assert_str_eq(soon_last_error()->message, "soon_pool_new: kind = 7 is none of soon_pool_kind");
    cr_assert_eq(soon_pool_new(NULL, SOON_THREADS, NULL), -EINVAL);
    cr_assert_eq(soon_pool_new(&pool, SOON_PROCESSES, &(soon_pool_options){.workers = -3}), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message, "soon_process_pool_new: .workers = -3 is negative");
}
