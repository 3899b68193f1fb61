/*
 * program.cc - the same in C++.
 */
#include <cstdio>
#include <soon.h>

struct sum_of {
    int x, y;
};

SOON_TASK(add, sum_of, int)
{
    *result = arg->x + arg->y;
    return 0;
}

int main(int argc, char **argv)
{
    soon_executor *pool;
    const sum_of numbers = {6, 7};
    int sum = 0;

    if (soon_init(argc, argv) < 0 || soon_thread_pool_new(&pool, nullptr) < 0)
        return 1;
    soon_future *future = add_submit(pool, &numbers, nullptr);
    int rc = add_get(future, SOON_FOREVER, &sum);
    soon_future_unref(future);
    soon_executor_free(pool);
    std::printf("%s %d\n", soon_version(), sum);
    return rc < 0 || sum != 13;
}
