/*
 * init.c - the first call of a program. It will take over in worker processes; so far there are none.
 */
#include "pool.h"

#include <errno.h>

int soon_init(int argc, char **argv)
{
    if (argc < 0 || (argc > 0 && !argv))
        return -EINVAL;
    return 0;
}
