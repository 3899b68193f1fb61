/*
 * callbacks.c - tasks submitted on a libuv loop, and their callbacks on that loop.
 *
 *     pool= workers= tasks= passes=
 */
#include "add_up.h"

#include <uv.h>

static int64_t run(soon_executor *pool, soon_loop *on, uv_loop_t *loop, uint64_t tasks)
{
    struct count count = {0, 0};
    int64_t started_ns = bench_now_ns();

    for (uint64_t i = 0; i < tasks; i++)
        /* The callback gives up the reference. */
        (void)!soon_submit_with(pool, (.on_done = add_up, .on_done_data = &count, .on_done_loop = on), add_one, i);
    while (count.calls < tasks)
        uv_run(loop, UV_RUN_ONCE);
    started_ns = bench_now_ns() - started_ns;
    bench_check(count.calls == tasks && count.sum == bench_sum(tasks), "the sum of the results");
    return started_ns;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    uint64_t tasks = (uint64_t)bench_number("tasks", 100000);
    soon_executor *pool = bench_pool();
    soon_loop *on;
    uv_loop_t loop;

    uv_loop_init(&loop);
    bench_check(soon_loop_attach(&on, &loop) == 0, "soon_loop_attach");
    run(pool, on, &loop, tasks / 10 + 1);
    for (int64_t i = bench_number("passes", 3); i > 0; i--)
        bench_metric("ns_per_task", (double)run(pool, on, &loop, tasks) / (double)tasks);
    soon_loop_detach(on, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_check(uv_loop_close(&loop) == 0, "uv_loop_close");
    soon_executor_free(pool);
    return bench_finish();
}
