/*
 * loop_dispatch.c - a loop that is a program's own poll: the program watches the bell, and calls soon_loop_dispatch()
 * when that can be read. What all loops share, and the invariants, are in loop.c.
 *
 * P1  The bell can be read when something is due (an entry, or the word that the loop is closed) and no turn is under
 *     way. Then one ring has been made for it, so pollers that want edges have seen one. A registration, or one that is
 *     taken back, rings nobody: this loop is not held (L3).
 * P2  What is CLOSED is due like an entry: the last dispatch, of its own, calls `on_closed` and frees the loop. So
 *     nobody has to wait in a detach, and the program can take the descriptor out of its poll while it is still open.
 * P3  Nobody else closes such a loop, so it is never LOST.
 * P4  A forked child shares the bell with its parent: to read it there would take the parent's wake-up away. So a child
 *     does not dispatch, and its detach, which no dispatch will follow, calls `on_closed` at once.
 */
#include "loop_internal.h"
#include "loop_state_internal.h"
#include "loop_table_internal.h"

#include "../system/ipc_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* P2 */
static void close_locked(soon_loop *loop)
{
    soon__loop_ring_locked(loop);
}

/* P4. A second detach finds no bell. */
static void close_inherited(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    if (loop->bell < 0)
        return;
    loop->own.on_closed = on_closed;
    loop->own.on_closed_data = data;
    soon__loop_closed(loop);
}

static void free_loop(soon_loop *loop)
{
    free(loop);
}

static const struct soon__loop_kind kind = {
    .close_locked = close_locked,
    .close_inherited = close_inherited,
    .free = free_loop,
    .changes_hands = true,
};

int soon_loop_new(soon_loop **ret)
{
    soon_loop *loop;
    int bell;

    if (!ret)
        return soon__failed(soon__is_null("ret"), "soon_loop_new");
    *ret = NULL;
    loop = calloc(1, sizeof *loop);
    bell = loop ? soon__bell_new() : -ENOMEM;
    if (bell < 0) {
        free(loop);
        return soon__failed(bell, "soon_loop_new");
    }
    loop->bell = bell;
    soon__loop_init(loop, &kind);
    soon__loop_table_lock();
    soon__loop_add_locked(loop);
    soon__loop_table_unlock();
    *ret = loop;
    return 0;
}

static int check(const soon_loop *loop)
{
    if (!loop)
        return soon__is_null("the loop");
    if (loop->kind != &kind)
        return soon__refuse(-EINVAL, "this is a libuv loop, which uv_run() polls and dispatches");
    return soon__loop_is_pre_fork(loop) ? SOON_EFORKED : 0;
}

int soon_loop_fd(const soon_loop *loop)
{
    int rc = check(loop);

    return rc < 0 ? soon__failed(rc, "soon_loop_fd") : loop->bell;
}

int soon_loop_dispatch(soon_loop *loop, int max)
{
    int rc = check(loop);

    if (rc == 0 && max < 0)
        rc = soon__refuse(-EINVAL, "max = %d is negative", max);
    if (rc == 0)
        rc = soon__loop_turn(loop, max ? (size_t)max : INT_MAX);
    if (rc == -EBUSY)
        rc = soon__refuse(rc, "it is being dispatched, by another thread or further down this stack");
    return rc < 0 ? soon__failed(rc, "soon_loop_dispatch") : rc;
}
