/*
 * cluster_program.c - a program whose workers are a daemon's: its tasks are those of the tests, and one that tells
 * whether the initializer has run before it.
 */
#include "../support/cluster_tasks.h"

SOON_TASK(far_prepare, soon_none, soon_none)
{
    static int prepared = 77;

    soon_task_set_local(task, &prepared, NULL);
    return 0;
}

SOON_TASK(far_prepared, soon_none, int)
{
    const int *prepared = soon_task_local(task);

    *result = prepared ? *prepared : 0;
    return 0;
}

int main(int argc, char **argv)
{
    return soon_init(argc, argv) == 0 ? 3 : 4;
}
