/*
 * program.c - a user's program: built against the installed library, and against it as a subproject.
 */
#include <soon.h>
#include <stdio.h>
#include <string.h>

struct add {
    int x, y;
};

SOON_TASK(add, struct add, int)
{
    *result = arg->x + arg->y;
    return 0;
}

int main(int argc, char **argv)
{
    soon_executor *pool;
    int sum = 0;

    if (soon_init(argc, argv) < 0 || soon_thread_pool_new(&pool, NULL) < 0)
        return 1;
    int rc = soon_take(soon_submit(pool, add, .x = 6, .y = 7), &sum);
    soon_executor_free(pool);
    printf("%s %d\n", soon_version(), sum);
    return rc < 0 || sum != 13;
}
