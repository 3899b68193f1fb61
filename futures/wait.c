/*
 * wait.c - soon_wait().
 *
 * ALL_COMPLETED waits for one future after the other, the last one first. Queues are mostly served in order, so most of
 * the others are done by then; and a worker may run each of them here. The other modes iterate over a set until one
 * future is enough.
 */
#include "wait.h"

#include "as_completed_internal.h"
#include "await_internal.h"
#include "depend_internal.h"
#include "set_internal.h"

#include <errno.h>
#include <stdlib.h>

static int wait_for_all(soon_future *const *futures, size_t count, int64_t deadline)
{
    for (size_t i = count; i-- > 0;) {
        int rc = soon__future_await(futures[i], deadline);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool has_failed(const soon_future *future)
{
    /* A cancellation does not count. */
    return (soon__future_word(future) & (SOON__STATE | SOON__FAILED)) == (SOON__FINISHED | SOON__FAILED);
}

static int wait_for_first(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms)
{
    soon_as_completed *set;
    soon_future *future;
    bool found = false;
    int rc = soon_as_completed_new(&set, futures, count, timeout_ms);

    if (rc < 0)
        return rc;
    if (when == SOON_FIRST_EXCEPTION)
        soon__as_completed_await(set, has_failed);
    while (!found && (rc = soon_as_completed_next(set, &future)) == 0) {
        found = when == SOON_FIRST_COMPLETED || has_failed(future);
        soon_future_unref(future);
    }
    soon_as_completed_free(set);
    return rc == SOON_EEND ? 0 : rc;
}

/* Goes over the futures once, before any wait: the wait may be over already, or could never end. */
static int examine(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms, bool *ret_over)
{
    bool inside = when == SOON_ALL_COMPLETED && timeout_ms && soon__thread_is_busy(), found = false;
    size_t done = 0;

    for (size_t i = 0; i < count; i++) {
        if (soon__word_final(soon__future_word(futures[i]))) {
            done++;
            found |= when == SOON_FIRST_COMPLETED || (when == SOON_FIRST_EXCEPTION && has_failed(futures[i]));
        } else if (soon__future_is_pre_fork(futures[i])) {
            return SOON_EFORKED;
        } else if (inside && soon__thread_is_inside(futures[i])) {
            return SOON_EDEADLK;
        }
    }
    *ret_over = found || done == count;
    return 0;
}

/* Returns how many are done, each once, in agreement with `ret_done`. */
static int64_t snapshot(struct soon__set *seen, struct soon__member *members, soon_future *const *futures, size_t count,
                        bool *ret_done)
{
    int64_t done = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_done = soon__word_final(soon__future_word(futures[i]));

        if (ret_done)
            ret_done[i] = is_done;
        if (is_done && (soon__future_is_immortal(futures[i]) || soon__set_add(seen, &members[i], futures[i]) > 0))
            done++;
    }
    return done;
}

static int wait_until(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms)
{
    int64_t deadline = soon__deadline(timeout_ms);
    bool over;
    int rc = examine(futures, count, when, timeout_ms, &over);

    if (rc < 0 || over || !timeout_ms)
        return rc;
    return when == SOON_ALL_COMPLETED ? wait_for_all(futures, count, deadline)
                                      : wait_for_first(futures, count, when, timeout_ms);
}

static int check(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms)
{
    int rc = soon__check_futures(futures, count);

    if (rc == 0)
        rc = soon__check_timeout(timeout_ms);
    if (rc == 0 && (when < SOON_ALL_COMPLETED || when > SOON_FIRST_EXCEPTION))
        rc = soon__refuse(-EINVAL, "when = %d is none of soon_when", (int)when);
    return rc;
}

int64_t soon_wait(soon_future *const *futures, size_t count, soon_when when, int64_t timeout_ms, bool *ret_done)
{
    struct soon__set seen = {NULL, 0, 0};
    struct soon__member *members;
    int64_t rc;

    rc = check(futures, count, when, timeout_ms);
    if (rc < 0 || count == 0)
        return soon__failed((int)rc, "soon_wait");
    rc = -ENOMEM;
    members = soon__array_fits(count, sizeof *members) ? malloc(count * sizeof *members) : NULL;
    if (members && soon__set_reserve(&seen, count) == 0)
        rc = wait_until(futures, count, when, timeout_ms);
    if (rc == 0 || rc == -ETIMEDOUT)
        rc = snapshot(&seen, members, futures, count, ret_done);
    soon__set_fini(&seen);
    free(members);
    return rc < 0 ? soon__failed((int)rc, "soon_wait") : rc;
}
