/*
 * payload.c - bulk data to a worker and as much back: the caller writes the argument, the task reads all of it and
 * writes a result of the same size, the caller reads all of that.
 *
 *     pool= workers=1 size= rounds= passes=, as=bytes (argument and result of variable size) or buffer (soon_buffer)
 */
#include "pool.h"
#include "touch.h"

#include <errno.h>
#include <stdlib.h>

SOON_TASK_BYTES(answer_bytes)
{
    void *space = soon_task_return_space(task, arg.size);

    if (!space)
        return soon_raise(task, ENOMEM, NULL);
    touch_fill(space, arg.size, touch_sum(arg.data, arg.size));
    return 0;
}

SOON_TASK(answer_buffer, soon_none, soon_none)
{
    soon_buffer *asked = soon_task_payload(task), *answer;
    int rc = soon_buffer_new(&answer, soon_buffer_size(asked));

    if (rc < 0)
        return soon_raise(task, -rc, NULL);
    touch_fill(soon_buffer_data(answer), soon_buffer_size(answer),
               touch_sum(soon_buffer_data(asked), soon_buffer_size(asked)));
    return soon_task_return_payload(task, answer);
}

static soon_future *send_bytes(soon_executor *pool, char *data, size_t size, uint64_t seed)
{
    touch_fill(data, size, seed);
    return answer_bytes_submit(pool, data, size, NULL);
}

static soon_future *send_buffer(soon_executor *pool, size_t size, uint64_t seed)
{
    soon_buffer *buffer;

    bench_check(soon_buffer_new(&buffer, size) == 0, "soon_buffer_new");
    touch_fill(soon_buffer_data(buffer), size, seed);
    return answer_buffer_submit(pool, NULL, &(soon_submit_options){.payload = buffer});
}

static void exchange(soon_executor *pool, char *data, size_t size, bool as_buffer, uint64_t seed)
{
    soon_future *future = as_buffer ? send_buffer(pool, size, seed) : send_bytes(pool, data, size, seed);
    soon_bytes result;
    int rc = soon_future_result(future, SOON_FOREVER, &result);

    if (rc < 0)
        bench_check(false, soon_future_error(future)->message);
    if (as_buffer)
        result =
            (soon_bytes){soon_buffer_data(soon_future_payload(future)), soon_buffer_size(soon_future_payload(future))};
    bench_check(result.size == size, "the result's size");
    bench_check(touch_sum(result.data, size) == touch_answer(size, seed), "the result's bytes");
    soon_future_unref(future);
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    size_t size = (size_t)bench_number("size", 1 << 20);
    int64_t rounds = bench_number("rounds", 20);
    bool as_buffer = strcmp(bench_word("as", "bytes"), "buffer") == 0;
    char *data = bench_alloc(1, size);
    soon_executor *pool = bench_pool();

    exchange(pool, data, size, as_buffer, 1);
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        int64_t started_ns = bench_now_ns();
        for (int64_t i = 0; i < rounds; i++)
            exchange(pool, data, size, as_buffer, (uint64_t)i);
        bench_metric("ns_per_exchange", (double)(bench_now_ns() - started_ns) / (double)rounds);
    }
    soon_executor_free(pool);
    free(data);
    return bench_finish();
}
