/*
 * items_internal.h - several items in one call: a chunk of a map.
 */
#ifndef SOON_EXECUTOR_CORE_ITEMS_INTERNAL_H
#define SOON_EXECUTOR_CORE_ITEMS_INTERNAL_H

#include "../items.h"
#include "outcome_internal.h"

/* Lent to the call until it has ended. */
struct soon__items {
    size_t count;
    const void *args; /* count * arg_size bytes, lent */
    void *results;    /* count * result_size bytes to write to; NULL: done() gets each in heap memory */
    int64_t deadline; /* no item starts after it, as wanted() would say too */
    soon_item *each;  /* instead of `args`: each argument by itself, with its label and payload; NULL: `args` */
    size_t running;   /* with `each`: the one that a thread is at */
    size_t begun;     /* the first so many have begun: more than have ended, if some were lost or not wanted any more */
    /* Called by the run, in order, one at a time, on the worker. */
    bool (*wanted)(struct soon__items *items, size_t index); /* false: do not start it; done() is not called */
    void (*done)(struct soon__items *items, size_t index, struct soon__outcome *outcome); /* takes what is in it */
    /* Plain items; NULL: they are not. The run stores here how many went well, and calls done() for the others
     * alone; and wanted() not for one after another that went well, if there is nothing in `stopped`. */
    _Atomic size_t *finished;
    const _Atomic uint32_t *stopped;
    /* The run's: the sample of the call, if a trace has its items; and since when the one under way runs. */
    const struct soon__sample *traced;
    int64_t began_ns;
};

/* A string that is its own label: that is copied once, and sent once. */
static inline bool soon__item_is_own_label(const soon_item *item)
{
    return item->label && item->label == item->data && item->size && !item->label[item->size - 1];
}

/* The label of an item, if it has one of its own. */
static inline const char *soon__items_label(const struct soon__items *items, size_t index)
{
    return items && items->each ? items->each[index].label : NULL;
}

#endif
