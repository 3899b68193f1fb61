/*
 * callback.c - the callbacks of a future: registering, taking off, removing.
 *
 * They form a ring whose last node is future->locked.callbacks: internal ones, then users' in order of registration,
 * then those that were delivered to a loop and have not run there.
 *
 *     registered --complete--> taken off and run                    (internal, user)
 *         |      --complete--> delivered --claimed by its loop--> run     (posted)
 *         +--------------------------+--removed--> gone
 *
 * The first removal of a callback among more than a few makes an index of them all, by what they call. It is kept up
 * from then on; where nothing is removed there is none, so that adding and completing do not pay for it. Its root is
 * kept in the ring's last node.
 */
#include "callback_internal.h"

#include "callback_index_internal.h"
#include "future_internal.h"

#include <errno.h>
#include <stdlib.h>

static void push_first_locked(soon_future *future, struct soon__callback *callback)
{
    struct soon__callback *last = future->locked.callbacks;

    if (!last) {
        future->locked.callbacks = last = callback->next = callback;
        callback->index.root = NULL;
    }
    callback->previous = last;
    callback->next = last->next;
    last->next->previous = callback;
    last->next = callback;
}

static void push_last_locked(soon_future *future, struct soon__callback *callback)
{
    struct soon__callback *root = future->locked.callbacks ? future->locked.callbacks->index.root : NULL;

    push_first_locked(future, callback);
    future->locked.callbacks = callback;
    callback->index.root = root ? soon__callback_index_add(root, callback) : NULL;
}

static void unlink_locked(soon_future *future, struct soon__callback *callback)
{
    struct soon__callback *previous = callback->previous, *root = future->locked.callbacks->index.root;

    if (root && callback->kind != SOON__CALLBACK_INTERNAL)
        root = soon__callback_index_remove(root, callback);
    callback->next->previous = previous;
    previous->next = callback->next;
    if (future->locked.callbacks == callback)
        future->locked.callbacks = previous == callback ? NULL : previous;
    if (future->locked.callbacks)
        future->locked.callbacks->index.root = root;
    callback->next = NULL;
}

static struct soon__callback *first_locked(const soon_future *future)
{
    return future->locked.callbacks ? future->locked.callbacks->next : NULL;
}

void soon__callbacks_order_locked(soon_future *future)
{
    struct soon__callback *turned = NULL, **end = &turned, *first, *next;

    while ((first = first_locked(future)) && first->kind == SOON__CALLBACK_INTERNAL) {
        unlink_locked(future, first);
        *end = first;
        end = &first->next;
    }
    for (; turned; turned = next) {
        next = turned->next;
        push_first_locked(future, turned);
    }
}

static void deliver_locked(soon_future *future, struct soon__callback *callback)
{
    callback->delivered = true;
    push_last_locked(future, callback);
    soon__future_ref(future);
}

int soon__future_add_callback(soon_future *future, struct soon__callback *callback)
{
    bool done;

    if (soon__future_is_pre_fork(future))
        return soon__word_final(soon__future_word(future)) ? 0 : SOON_EFORKED;
    if (callback->kind != SOON__CALLBACK_POSTED && soon__word_final(soon__future_word(future)))
        return 0;
    soon__future_lock(future);
    done = soon__word_final(soon__future_word(future));
    if (done && callback->kind != SOON__CALLBACK_POSTED) {
        soon__future_unlock(future);
        return 0;
    }
    if (done)
        deliver_locked(future, callback);
    else if (callback->kind == SOON__CALLBACK_INTERNAL)
        push_first_locked(future, callback);
    else
        push_last_locked(future, callback);
    soon__future_set_bits(future, SOON__LISTS);
    soon__future_unlock(future);
    if (done)
        callback->deliver(callback, future);
    return 1;
}

void soon__future_add_internal_locked(soon_future *future, struct soon__callback *callback)
{
    push_first_locked(future, callback);
    soon__future_set_bits(future, SOON__LISTS);
}

void soon__future_begin_with(soon_future *future, struct soon__callback *callback)
{
    uint32_t bits = callback->kind == SOON__CALLBACK_POSTED ? SOON__LISTS | SOON__FOR_LOOP : SOON__LISTS;

    callback->delivered = false;
    callback->next = callback->previous = callback;
    callback->index.root = NULL;
    future->locked.callbacks = callback;
    /* Relaxed: no other thread knows the future yet. */
    atomic_store_explicit(&future->word, atomic_load_explicit(&future->word, memory_order_relaxed) | bits,
                          memory_order_relaxed);
}

/* If the callback before this one has forked, and this is the child, the rest is the parent's. */
struct soon__callback *soon__callback_next(soon_future *future, unsigned kinds)
{
    struct soon__callback *first;

    if (soon__future_is_pre_fork(future))
        return NULL;
    soon__future_lock(future);
    first = first_locked(future);
    if (first && (first->delivered || !(kinds >> first->kind & 1)))
        first = NULL;
    if (first)
        unlink_locked(future, first);
    if (first && first->kind == SOON__CALLBACK_POSTED)
        deliver_locked(future, first);
    soon__future_unlock(future);
    return first;
}

void soon__callback_run(soon_future *future, struct soon__callback *callback)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__frame frame = {.below = self->frames};
    soon_done_fn fn = callback->fn;
    soon_free_fn let_go = callback->let_go;
    void *data = callback->data;

    if (callback->kind == SOON__CALLBACK_POSTED) {
        callback->deliver(callback, future);
        return;
    }
    if (callback->kind == SOON__CALLBACK_USER)
        self->frames = &frame;
    if (callback->release)
        callback->release(callback);
    fn(future, data);
    if (let_go)
        let_go(data);
    self->frames = frame.below;
}

static void release_allocated(struct soon__callback *callback)
{
    free(callback);
}

int soon__future_tell(soon_future *future, soon_done_fn fn, void *data, soon_free_fn let_go)
{
    struct soon__callback *callback;
    int rc;

    if (!future || !fn)
        return soon__is_null(future ? "fn" : "the future");
    callback = malloc(sizeof *callback);
    if (!callback)
        return -ENOMEM;
    *callback = (struct soon__callback){
        .kind = SOON__CALLBACK_USER, .fn = fn, .data = data, .let_go = let_go, .release = release_allocated};
    rc = soon__future_add_callback(future, callback);
    if (rc == 0)
        soon__callback_run(future, callback);
    else if (rc < 0)
        free(callback);
    return rc < 0 ? rc : 0;
}

int soon_future_add_done_callback(soon_future *future, soon_done_fn fn, void *data)
{
    return soon__failed(soon__future_tell(future, fn, data, NULL), "soon_future_add_done_callback");
}

enum { FEW = 16 };

/* Makes the index of users' callbacks, of which there are some. */
static void make_index_locked(soon_future *future)
{
    struct soon__callback *last = future->locked.callbacks, *callback = last->next, *root = NULL;

    while (callback->kind == SOON__CALLBACK_INTERNAL)
        callback = callback->next;
    for (;; callback = callback->next) {
        root = soon__callback_index_add(root, callback);
        if (callback == last)
            break;
    }
    last->index.root = root;
}

/* Returns the first of the users' callbacks that calls `fn` with `data` and has not begun to run, or NULL. */
static struct soon__callback *find_locked(soon_future *future, soon_done_fn fn, const void *data)
{
    struct soon__callback *last = future->locked.callbacks, *callback = last, *found = NULL;

    if (!last)
        return NULL;
    for (int i = 0; !last->index.root && callback->kind != SOON__CALLBACK_INTERNAL; i++) {
        if (callback->fn == fn && callback->data == data)
            found = callback;
        if (i == FEW)
            make_index_locked(future);
        if (callback == last->next)
            break;
        callback = callback->previous;
    }
    return last->index.root ? soon__callback_index_find(last->index.root, fn, data) : found;
}

bool soon_future_remove_done_callback(soon_future *future, soon_done_fn fn, void *data)
{
    struct soon__callback *callback;
    soon_free_fn let_go = NULL;
    bool delivered = false;

    if (!soon__check(future, "soon_future_remove_done_callback: NULL") || soon__future_is_pre_fork(future))
        return false;
    soon__future_lock(future);
    callback = find_locked(future, fn, data);
    if (callback) {
        unlink_locked(future, callback);
        delivered = callback->delivered;
        let_go = callback->let_go;
    }
    soon__future_unlock(future);
    if (delivered)
        ; /* its loop drops it, and may have freed it by now */
    else if (callback && callback->kind == SOON__CALLBACK_POSTED)
        callback->removed(callback, future);
    else if (callback && callback->release)
        callback->release(callback);
    if (let_go)
        let_go(data);
    return callback != NULL;
}

bool soon__future_take_callback(soon_future *future, struct soon__callback *callback)
{
    bool there;

    soon__future_lock(future);
    there = callback->next != NULL;
    if (there)
        unlink_locked(future, callback);
    soon__future_unlock(future);
    return there;
}
