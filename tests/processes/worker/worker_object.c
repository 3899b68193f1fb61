/*
 * worker_object.c - a shared object with a task, for soon-worker to load.
 */
#include <soon.h>

SOON_TASK(loaded, int, int)
{
    *result = *arg + 1000;
    return 0;
}
