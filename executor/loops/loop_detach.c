/*
 * loop_detach.c - detaching a program's loop, of any kind. The invariants are in loop.c.
 */
#include "loop_internal.h"
#include "loop_post_internal.h"
#include "loop_table_internal.h"

/* Takes one attach away: 1, and its spare; 0: the last, the loop can be found no more; -1: there was none. */
static int take_attach(soon_loop *loop, struct soon__loop_post **ret_spare)
{
    int left;

    soon__loop_table_lock();
    left = loop->tabled.spares ? 1 : loop->tabled.attached ? 0 : -1;
    if (left == 1) {
        *ret_spare = loop->tabled.spares;
        loop->tabled.spares = (struct soon__loop_post *)loop->tabled.spares->entry.next;
    }
    if (left >= 0)
        loop->tabled.attached--;
    soon__loop_table_unlock();
    return left;
}

static void close_open(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    bool lost;

    pthread_mutex_lock(&loop->mutex);
    loop->own.on_closed = on_closed;
    loop->own.on_closed_data = data;
    lost = loop->locked.state == SOON__LOOP_LOST;
    soon__loop_move_locked(loop, lost ? SOON__LOOP_LOST_CLOSING : SOON__LOOP_CLOSING);
    soon__loop_update_locked(loop);
    lost = loop->locked.state == SOON__LOOP_LOST_CLOSING;
    soon__loop_leave(loop);
    if (lost && on_closed)
        soon__loop_call(loop, on_closed, data); /* no turn of a loop will */
}

/* A detach that is not the last. */
static void post_closed(soon_loop *loop, struct soon__loop_post *spare, soon_loop_fn on_closed, void *data)
{
    *spare = (struct soon__loop_post){.fn = on_closed, .data = data, .is_closed = true};
    if (soon__loop_push_post(loop, spare) < 0) /* it is lost: an attached one takes it */
        soon__loop_run_post(&spare->entry);
}

void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    struct soon__loop_post *spare = NULL;
    int left;

    if (!loop)
        return;
    if (soon__loop_is_pre_fork(loop)) {
        loop->kind->close_inherited(loop, on_closed, data);
        return;
    }
    if (!soon__check(soon__loop_claim_thread(loop), "soon_loop_detach: not on the loop's thread"))
        return;
    left = take_attach(loop, &spare);
    if (!soon__check(left >= 0, "soon_loop_detach: more often than attached"))
        return;
    if (left)
        post_closed(loop, spare, on_closed, data);
    else
        close_open(loop, on_closed, data);
}
