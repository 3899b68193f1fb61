/*
 * aside.c - what few futures have: progress, and payloads beside the result.
 */
#include "aside_internal.h"

#include <errno.h>
#include <stdlib.h>

int soon__future_lock_aside(soon_future *future)
{
    struct soon__aside *made = NULL;

    while (soon__future_lock_unfinished(future)) {
        if (!future->aside) {
            future->aside = made;
            made = NULL;
        }
        if (future->aside) {
            free(made);
            return 0;
        }
        soon__future_unlock(future);
        made = calloc(1, sizeof *made);
        if (!made)
            return -ENOMEM;
    }
    free(made);
    return SOON_EINVALIDSTATE;
}

void soon__future_set_progress(soon_future *future, uint64_t done, uint64_t total)
{
    if (soon__future_lock_aside(future) < 0)
        return;
    future->aside->progress = (soon_progress){.done = done, .total = total};
    if (future->aside->hook)
        future->aside->hook->moved(future->aside->hook);
    soon__future_unlock(future);
}

int soon__future_set_payload(soon_future *future, soon_buffer *payload)
{
    soon_buffer *old = payload;
    int rc = soon__future_lock_aside(future);

    if (rc == 0) {
        old = future->aside->payload;
        future->aside->payload = payload;
        soon__future_unlock(future);
    }
    soon_buffer_unref(old);
    return rc;
}

int soon__future_add_payload(soon_future *future, soon_buffer *payload)
{
    int rc = soon__future_lock_aside(future);

    if (rc < 0) {
        soon_buffer_unref(payload);
        return rc;
    }
    if (!future->aside->payload)
        future->aside->payload = payload;
    else
        rc = soon__buffers_add(&future->aside->further, payload);
    soon__future_unlock(future);
    return rc;
}

int soon__future_set_payloads(soon_future *future, soon_buffer *payload, struct soon__buffers *further)
{
    int rc = soon__future_lock_aside(future);

    if (rc < 0) {
        soon_buffer_unref(payload);
        soon__buffers_free(further);
        return rc;
    }
    future->aside->payload = payload;
    future->aside->further = further;
    soon__future_unlock(future);
    return 0;
}

/* Returns where the payloads of a future are that has succeeded; NULL: it has none. */
static const struct soon__aside *payloads_of(soon_future *future)
{
    if (!soon__word_final(soon__future_word(future)) || soon__future_error(future))
        return NULL;
    return soon__future_shown(future)->aside;
}

soon_buffer *soon_future_payload(soon_future *future)
{
    const struct soon__aside *aside = soon__check(future, "soon_future_payload: NULL") ? payloads_of(future) : NULL;

    return aside ? aside->payload : NULL;
}

soon_buffer *soon_future_payload_at(soon_future *future, size_t index)
{
    const struct soon__aside *aside = soon__check(future, "soon_future_payload_at: NULL") ? payloads_of(future) : NULL;

    return aside ? soon__buffers_at(aside->payload, aside->further, index) : NULL;
}

size_t soon_future_payload_count(soon_future *future)
{
    const struct soon__aside *aside =
        soon__check(future, "soon_future_payload_count: NULL") ? payloads_of(future) : NULL;

    return aside ? soon__buffers_count(aside->payload, aside->further) : 0;
}

soon_progress soon_future_progress(const soon_future *future)
{
    soon_progress progress = {0, 0};
    soon_future *shown;
    bool shared;

    if (!soon__check(future, "soon_future_progress: NULL"))
        return progress;
    shown = soon__future_shown(future);
    if (shown->class->progress)
        return shown->class->progress(shown);
    shared = !soon__future_is_pre_fork(shown) && !soon__future_is_immortal(shown);
    if (shared) {
        soon__future_refresh(shown);
        soon__future_lock(shown);
    }
    if (shown->aside)
        progress = shown->aside->progress;
    if (shared)
        soon__future_unlock(shown);
    return progress;
}
