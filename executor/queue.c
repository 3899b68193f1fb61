/*
 * queue.c - a list for the usual priority, a heap for the others. Every operation but those on heaps is a few
 * stores; a call in the middle is unlinked at once, so that what is counted is what is there.
 */
#include "queue_internal.h"

static struct soon__call_extra *extra_of(struct soon__heap_node *node, size_t offset)
{
    return (struct soon__call_extra *)((char *)node - offset);
}

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

/* All but its place in the list; true: it has one. */
static inline bool enter(struct soon__queue *queue, soon_call *call)
{
    call->queued = true;
    queue->count++;
    return !(call->flags & SOON__CALL_HAS_EXTRA) || enter_heaps(queue, call);
}

void soon__queue_push(struct soon__queue *queue, soon_call *call)
{
    soon__queue_pass(queue, call);
    if (!enter(queue, call))
        return;
    call->next = NULL;
    call->previous = queue->tail;
    if (queue->tail)
        queue->tail->next = call;
    else
        queue->head = call;
    queue->tail = call;
}

void soon__queue_return(struct soon__queue *queue, soon_call *call)
{
    soon_call *next = queue->head;

    if (!enter(queue, call))
        return;
    while (next && next->number < call->number) /* only others that came back are older */
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
    call->queued = false;
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
