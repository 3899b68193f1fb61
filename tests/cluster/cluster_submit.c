/*
 * cluster_submit.c - what a task of a cluster is told, and how it ends by itself.
 */
#include "worker_fixture.h"

TestSuite(cluster_submit);

struct point {
    int32_t x, y;
};
SOON_TASK(measure, struct point, int64_t)
{
    *result = arg->x * arg->y;
    return 0;
}
SOON_TASK_BYTES(shout)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

Test(cluster_submit, takes_an_argument_there_and_a_result_back)
{
    with_server(server);
    soon_executor *cluster = new_cluster(&server);
    soon_future *f = soon_submit(cluster, measure, .x = 6, .y = 7);
    struct worker worker = worker_new(server.port, "measure");
    struct job job = worker_grab(&worker);
    struct point point;
    int64_t result = 42;

    cr_assert_eq(job.call.argument.size, sizeof point);
    memcpy(&point, job.call.argument.data, sizeof point);
    cr_assert(point.x == 6 && point.y == 7);
    cr_assert_eq(job.call.digest, soon__function_digest(&measure_task));
    cr_assert_eq(job.call.attempt, 1);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    job_starts(&worker, &job);
    test_wait_until(soon_future_running(f));
    job_succeeds(&worker, &job, &result, sizeof result);
    result = 0;
    cr_assert_eq(soon_result(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_future_attempt(f), 1);

    soon_future_unref(f);
    job_free(&job);
    worker_free(&worker);
    free_pool(cluster);
    gearmand_kill(&server);
}
