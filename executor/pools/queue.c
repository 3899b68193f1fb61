/*
 * queue.c - a list for priority 0, and heaps for the other priorities and for queue limits. Operations on the list are
 * a few stores. A call that leaves from the middle is unlinked at once, so that `count` is what is there.
 */
#include "queue_internal.h"

static struct soon__call_extra *extra_of(struct soon__heap_node *node, size_t offset)
{
    return (struct soon__call_extra *)((char *)node - offset);
}

/* True: it belongs into the list. */
static __attribute__((noinline)) bool enter_heaps(struct soon__queue *queue, soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    extra->call = call;
    if (extra->queue_deadline != SOON__NEVER)
        soon__heap_push(&queue->queue_limits, &extra->by_deadline, extra->queue_deadline, call->number);
    if (!extra->options.priority)
        return true;
    soon__heap_push(&queue->prioritised, &extra->by_priority, -(int64_t)extra->options.priority, call->number);
    return false;
}

/* Appends a list of `count` calls. */
static inline void append(struct soon__queue *queue, soon_call *first, soon_call *last, size_t count)
{
    first->previous = queue->tail;
    if (queue->tail)
        queue->tail->next = first;
    else
        queue->head = first;
    queue->tail = last;
    queue->count += count;
}

void soon__queue_push(struct soon__queue *queue, soon_call *call)
{
    soon__queue_pass(queue, call);
    soon__call_move(call, SOON__CALL_QUEUED);
    call->next = NULL;
    if (!(call->flags & SOON__CALL_HAS_EXTRA) || enter_heaps(queue, call))
        append(queue, call, call, 1);
    else
        queue->count++;
}

/* It has no priority and no queue limit. */
static inline bool is_ordinary(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return !extra || (!extra->options.priority && extra->queue_deadline == SOON__NEVER);
}

size_t soon__queue_push_list(struct soon__queue *queue, soon_call *latest)
{
    soon_call *first = NULL, *call, *next;
    bool ordinary = true;
    size_t count = 0;

    for (call = latest; call; call = next) {
        next = call->next;
        call->next = first;
        if (first)
            first->previous = call;
        ordinary = ordinary && is_ordinary(call);
        first = call;
    }
    for (call = first; call; call = next, count++) {
        next = call->next;
        if (!ordinary) {
            soon__queue_push(queue, call);
        } else {
            soon__queue_pass(queue, call);
            soon__call_move(call, SOON__CALL_QUEUED);
        }
    }
    if (count && ordinary)
        append(queue, first, latest, count);
    return count;
}

size_t soon__queue_take_plain(struct soon__queue *queue, size_t most, soon_call **ret_first, soon_call **ret_last)
{
    soon_call *last = NULL, *call;
    size_t count = 0;

    for (call = queue->head; count < most && call && is_ordinary(call); call = call->next, count++) {
        soon__call_move(call, SOON__CALL_IN_HAND);
        last = call;
    }
    if (!count)
        return 0;
    *ret_first = queue->head;
    *ret_last = last;
    queue->count -= count;
    queue->head = call;
    if (call)
        call->previous = NULL;
    else
        queue->tail = NULL;
    last->next = NULL;
    return count;
}

void soon__queue_return(struct soon__queue *queue, soon_call *call)
{
    soon_call *next = queue->head;

    soon__call_move(call, SOON__CALL_QUEUED);
    queue->count++;
    if (call->flags & SOON__CALL_HAS_EXTRA && !enter_heaps(queue, call))
        return;
    while (next && next->number < call->number) /* only other calls that were put back are older */
        next = next->next;
    call->next = next;
    call->previous = next ? next->previous : queue->tail;
    if (call->previous)
        call->previous->next = call;
    else
        queue->head = call;
    if (next)
        next->previous = call;
    else
        queue->tail = call;
}

static inline void unlink_call(struct soon__queue *queue, soon_call *call)
{
    if (call->next)
        call->next->previous = call->previous;
    else
        queue->tail = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        queue->head = call->next;
    call->next = call->previous = NULL;
}

/* True: it is in the list. */
static __attribute__((noinline)) bool leave_heaps(struct soon__queue *queue, soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    if (extra->by_deadline.linked)
        soon__heap_remove(&queue->queue_limits, &extra->by_deadline);
    if (!extra->options.priority)
        return true;
    soon__heap_remove(&queue->prioritised, &extra->by_priority);
    return false;
}

void soon__queue_remove(struct soon__queue *queue, soon_call *call)
{
    soon__call_move(call, SOON__CALL_IN_HAND);
    queue->count--;
    if (!(call->flags & SOON__CALL_HAS_EXTRA) || leave_heaps(queue, call))
        unlink_call(queue, call);
}

soon_call *soon__queue_first(const struct soon__queue *queue)
{
    struct soon__heap_node *first = soon__heap_first(&queue->prioritised);

    if (first && (first->key < 0 || !queue->head))
        return extra_of(first, offsetof(struct soon__call_extra, by_priority))->call;
    return queue->head;
}

soon_call *soon__queue_pop(struct soon__queue *queue)
{
    soon_call *call = soon__queue_first(queue);

    if (call)
        soon__queue_remove(queue, call);
    return call;
}

soon_call *soon__queue_take_all(struct soon__queue *queue)
{
    soon_call *all = NULL, **end = &all, *call;

    while ((call = soon__queue_pop(queue))) {
        *end = call;
        end = &call->next;
    }
    *end = NULL;
    return all;
}

soon_call *soon__queue_pop_expired(struct soon__queue *queue, int64_t now)
{
    struct soon__heap_node *first = soon__heap_first(&queue->queue_limits);
    soon_call *call;

    if (!first || first->key > now)
        return NULL;
    call = extra_of(first, offsetof(struct soon__call_extra, by_deadline))->call;
    soon__queue_remove(queue, call);
    return call;
}

int64_t soon__queue_next_limit(const struct soon__queue *queue)
{
    struct soon__heap_node *first = soon__heap_first(&queue->queue_limits);

    return first ? first->key : SOON__NEVER;
}
