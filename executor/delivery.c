/*
 * delivery.c - callbacks of futures on a caller's loop.
 *
 *     REGISTERED --completed--> DELIVERED --turn, claimed--> run
 *         |                         |
 *      removed                   removed
 *         v                         v
 *       freed                    DROPPED --turn--> freed
 *
 * D1  A future's ring of callbacks says whether a delivery is still to run: a remove takes it off under the
 *     future's LOCK, and so does the turn that reaches it. One of them alone finds it there.
 * D2  Once delivered it is in the loop's list (or on its way there), so it is freed by the turn that reaches it. A
 *     remove that has taken it off then must not look at it any more.
 * D3  So a remove on the loop's thread is exact: no turn is between claiming and calling, unless it is further down
 *     the stack.
 */
#include "loop_internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* On the completing thread. */
static void deliver(struct soon__callback *callback, soon_future *future)
{
    struct soon__delivery *delivery = (struct soon__delivery *)callback;

    delivery->future = future;
    soon__loop_push(delivery->loop, &delivery->entry);
}

/* On the removing thread, before it was delivered. */
static void removed(struct soon__callback *callback, soon_future *future)
{
    struct soon__delivery *delivery = (struct soon__delivery *)callback;
    soon_loop *loop = delivery->loop;

    (void)future;
    if (!delivery->embedded)
        free(delivery);
    soon__loop_count_out(loop);
}

/* As any callback: those of futures that it completes come after it. */
static void call(soon_future *future, soon_done_fn fn, void *data)
{
    struct soon__frame frame = {.executor = NULL};
    struct soon__thread_saved saved;
    bool held;

    soon__thread_enter(&frame, &saved);
    held = soon__callbacks_hold();
    fn(future, data);
    soon__callbacks_release(held);
    soon__thread_leave(&frame, &saved);
}

/* On the loop's thread. The last unref may free an embedded one. */
static void run(struct soon__loop_entry *entry)
{
    struct soon__delivery *delivery = (struct soon__delivery *)((char *)entry - offsetof(struct soon__delivery, entry));
    soon_future *future = delivery->future;
    soon_done_fn fn = delivery->callback.fn;
    void *data = delivery->callback.data;
    bool claimed = delivery->unlisted || soon__future_take_callback(future, &delivery->callback); /* D1 */

    if (!delivery->embedded)
        free(delivery);
    if (claimed)
        call(future, fn, data);
    soon__future_unref(future);
}

/* As if it had been removed. */
static void drop(struct soon__loop_entry *entry)
{
    struct soon__delivery *delivery = (struct soon__delivery *)((char *)entry - offsetof(struct soon__delivery, entry));
    soon_future *future = delivery->future;

    if (!delivery->unlisted)
        (void)soon__future_take_callback(future, &delivery->callback);
    if (!delivery->embedded)
        free(delivery);
    soon__future_unref(future);
}

int soon__delivery_init(struct soon__delivery *delivery, soon_loop *loop, soon_done_fn fn, void *data)
{
    if (!loop || !fn)
        return -EINVAL;
    *delivery = (struct soon__delivery){
        .callback = {.kind = SOON__CALLBACK_POSTED, .fn = fn, .data = data, .deliver = deliver, .removed = removed},
        .entry = {.run = run, .drop = drop},
        .loop = loop,
    };
    return soon__loop_count_in(loop);
}

void soon__delivery_drop(struct soon__delivery *delivery)
{
    soon__loop_count_out(delivery->loop);
}

int soon_future_add_done_callback_on(soon_future *future, soon_loop *loop, soon_done_fn fn, void *data)
{
    struct soon__delivery *delivery;
    int rc;

    if (!future || !loop || !fn)
        return -EINVAL;
    delivery = malloc(sizeof *delivery);
    if (!delivery)
        return -ENOMEM;
    rc = soon__delivery_init(delivery, loop, fn, data);
    if (rc < 0)
        goto fail_delivery;
    rc = soon__future_add_callback(future, &delivery->callback);
    if (rc < 0)
        goto fail_count;
    if (rc == 0) { /* done, and it keeps no list any more */
        delivery->unlisted = true;
        deliver(&delivery->callback, soon__future_ref(future));
    }
    return 0;

fail_count:
    soon__delivery_drop(delivery);
fail_delivery:
    free(delivery);
    return rc;
}
