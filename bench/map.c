/*
 * map.c - one cheap function over many items, with chunks that are chosen by the library.
 *
 *     pool= workers= items= passes=
 */
#include "pool.h"

#include <stdlib.h>

SOON_TASK(add_one, uint32_t, uint32_t)
{
    *result = *arg + 1;
    return 0;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    size_t items = (size_t)bench_number("items", 1000000);
    uint32_t *args = bench_alloc(items, sizeof *args), *results = bench_alloc(items, sizeof *results);
    soon_executor *pool = bench_pool();

    for (size_t i = 0; i < items; i++)
        results[i] = args[i] = (uint32_t)i;
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        uint64_t sum = 0;
        int64_t started_ns = bench_now_ns();
        bench_check(soon_map(pool, add_one, args, items, results) == 0, "soon_map");
        bench_metric("ns_per_item", (double)(bench_now_ns() - started_ns) / (double)items);
        for (size_t i = 0; i < items; i++)
            sum += results[i];
        bench_check(sum == bench_sum(items), "the sum of the results");
    }
    soon_executor_free(pool);
    free(args);
    free(results);
    return bench_finish();
}
