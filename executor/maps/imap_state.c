/*
 * imap_state.c - the states of an imap, what is in flight, and what of it is ready.
 *
 * I5  With `unordered` each item in flight has left a waiter with its future, which puts the item on the ready list.
 */
#include "imap_state_internal.h"

#include <assert.h>
#include <stdlib.h>

void soon__imap_move(soon_imap *imap, enum soon__imap_state to)
{
    assert(to > imap->iterating.state);
    imap->iterating.state = to;
}

void soon__imap_close(soon_imap *imap, int code)
{
    if (imap->iterating.state >= SOON__IMAP_CLOSED)
        return;
    imap->iterating.end_code = code;
    soon__imap_move(imap, SOON__IMAP_CLOSED);
}

/* I5 */
static void make_ready(struct soon__waiter *waiter, soon_future *future)
{
    struct soon__imap_item *item = (struct soon__imap_item *)waiter;
    soon_imap *imap = item->imap;

    (void)future;
    item->next_ready = NULL;
    pthread_mutex_lock(&imap->mutex);
    *imap->locked.ready_end = item;
    imap->locked.ready_end = &item->next_ready;
    /* Still under the mutex: a thread that pops the item may free the imap next. Relaxed: the mutex orders it. */
    atomic_fetch_add_explicit(&imap->bell, 1, memory_order_relaxed);
    soon__unpark_all(&imap->bell);
    pthread_mutex_unlock(&imap->mutex);
}

struct soon__imap_item *soon__imap_pop_ready(soon_imap *imap)
{
    struct soon__imap_item *item;

    pthread_mutex_lock(&imap->mutex);
    item = imap->locked.ready;
    if (item) {
        imap->locked.ready = item->next_ready;
        if (!imap->locked.ready)
            imap->locked.ready_end = &imap->locked.ready;
    }
    pthread_mutex_unlock(&imap->mutex);
    return item;
}

void soon__imap_forget_ready(soon_imap *imap)
{
    imap->locked.ready = NULL;
    imap->locked.ready_end = &imap->locked.ready;
}

void soon__imap_enter_flight(soon_imap *imap, struct soon__imap_item *item)
{
    item->imap = imap;
    item->index = imap->iterating.taken++;
    item->next = NULL;
    item->previous = imap->iterating.last;
    if (item->previous)
        item->previous->next = item;
    else
        imap->iterating.first = item;
    imap->iterating.last = item;
    imap->iterating.in_flight++;
    item->waiter.notify = make_ready;
    if (imap->unordered && !soon__future_add_waiter(item->future, &item->waiter))
        make_ready(&item->waiter, item->future);
}

soon_future *soon__imap_leave_flight(soon_imap *imap, struct soon__imap_item *item)
{
    soon_future *future = item->future;

    if (item->previous)
        item->previous->next = item->next;
    else
        imap->iterating.first = item->next;
    if (item->next)
        item->next->previous = item->previous;
    else
        imap->iterating.last = item->previous;
    imap->iterating.in_flight--;
    if (!item->chunk)
        free(item);
    return future;
}
