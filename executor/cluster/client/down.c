/*
 * down.c - the last step of a cluster's end: when all handles are closed, the future of its end is done.
 */
#include "down_internal.h"

#include <assert.h>

void soon__cluster_closed_one(struct soon__cluster *cluster)
{
    soon_promise *down;

    assert(cluster->loop.open > 0);
    if (--cluster->loop.open || !cluster->loop.is_closing)
        return;
    down = cluster->backlog.locked.down; /* it is closing: nobody changes that any more */
    soon__future_ref(&down->future);     /* the cluster may be freed as soon as it is resolved */
    soon_promise_set_result(down, NULL, 0);
    soon__future_unref(&down->future);
}
