/*
 * delivery.c - callbacks of futures on a program's loop.
 *
 *     REGISTERED --completed--> DELIVERED --entry runs, claimed--> called, freed
 *         |                         |
 *      removed                   removed
 *         v                         v
 *       freed                    DROPPED --entry runs--> freed
 *
 * D1  A future's ring of callbacks says whether a delivery is still to run. A remove takes it off under the
 *     future's LOCK, and so does the loop when it runs the entry. Only one of them finds it there.
 * D2  Once delivered it is in the loop's list, or on its way there, and it is freed when the loop runs the entry. A
 *     remove that has taken it off then must not touch it any more.
 * D3  So a remove on the loop's thread is exact: no entry is between claiming and calling, unless it is further down
 *     the stack.
 * D4  The thread that has taken it off the ring, and no other, lets go of its data: the loop after the call, a remove
 *     at once. What is dropped, because somebody else has closed the loop's handle, may be dropped on any thread and
 *     under a pin: there the callback thread lets go of it.
 */
#include "../../futures/callback_internal.h"
#include "../../futures/run_callbacks_internal.h"
#include "delivery_internal.h"
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

void soon__calling_begin(struct soon__calling *calling)
{
    calling->frame = (struct soon__frame){.executor = NULL};
    soon__thread_enter(&calling->frame, &calling->saved);
    calling->held = soon__callbacks_defer();
}

void soon__calling_end(struct soon__calling *calling)
{
    soon__callbacks_resume(calling->held);
    soon__thread_leave(&calling->frame, &calling->saved);
}

static void call(soon_future *future, soon_done_fn fn, void *data, soon_free_fn let_go)
{
    struct soon__calling calling;

    soon__calling_begin(&calling);
    fn(future, data);
    if (let_go)
        let_go(data);
    soon__calling_end(&calling);
}

static struct soon__delivery *of_entry(struct soon__loop_entry *entry)
{
    return (struct soon__delivery *)((char *)entry - offsetof(struct soon__delivery, entry));
}

/* On the loop's thread. The last unref may free an embedded one. */
static void run(struct soon__loop_entry *entry)
{
    struct soon__delivery *delivery = of_entry(entry);
    soon_future *future = delivery->future;
    soon_done_fn fn = delivery->callback.fn;
    soon_free_fn let_go = delivery->callback.let_go;
    void *data = delivery->callback.data;
    bool claimed = delivery->unlisted || soon__future_take_callback(future, &delivery->callback); /* D1 */

    if (!claimed)
        soon__loop_ran_nothing(delivery->loop);
    if (!delivery->embedded)
        free(delivery);
    if (claimed)
        call(future, fn, data, let_go);
    soon__future_unref(future);
}

static void forget(struct soon__delivery *delivery)
{
    soon_future *future = delivery->future;

    if (!delivery->embedded)
        free(delivery);
    soon__future_unref(future);
}

static void let_go_later(struct soon__job *job)
{
    struct soon__delivery *delivery = (struct soon__delivery *)((char *)job - offsetof(struct soon__delivery, job));

    delivery->callback.let_go(delivery->callback.data);
    forget(delivery);
}

/* As if it had been removed. */
static void drop(struct soon__loop_entry *entry)
{
    struct soon__delivery *delivery = of_entry(entry);
    bool claimed = delivery->unlisted || soon__future_take_callback(delivery->future, &delivery->callback);

    if (claimed && delivery->callback.let_go) { /* D4 */
        delivery->job.run = let_go_later;
        soon__library_callbacks_post(&delivery->job);
    } else {
        forget(delivery);
    }
}

int soon__delivery_init(struct soon__delivery *delivery, soon_loop *loop, soon_done_fn fn, void *data,
                        soon_free_fn let_go)
{
    int rc = let_go ? soon__library_start() : 0; /* D4 */

    if (rc < 0 || !loop || !fn)
        return rc < 0 ? rc : -EINVAL;
    *delivery = (struct soon__delivery){
        .callback = {.kind = SOON__CALLBACK_POSTED,
                     .fn = fn,
                     .data = data,
                     .let_go = let_go,
                     .deliver = deliver,
                     .removed = removed},
        .entry = {.run = run, .drop = drop},
        .loop = loop,
    };
    return soon__loop_count_in(loop);
}

void soon__delivery_drop(struct soon__delivery *delivery)
{
    soon__loop_count_out(delivery->loop);
}

static int add(soon_future *future, soon_loop *loop, soon_done_fn fn, void *data, soon_free_fn let_go)
{
    struct soon__delivery *delivery;
    int rc;

    if (!future || !loop || !fn)
        return soon__is_null(!future ? "the future" : loop ? "fn" : "the loop");
    delivery = malloc(sizeof *delivery);
    if (!delivery)
        return -ENOMEM;
    rc = soon__delivery_init(delivery, loop, fn, data, let_go);
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

int soon_future_add_done_callback_on(soon_future *future, soon_loop *loop, soon_done_fn fn, void *data)
{
    return soon__failed(add(future, loop, fn, data, NULL), "soon_future_add_done_callback_on");
}

int soon_future_add_done_callback_owned(soon_future *future, soon_loop *loop, soon_done_fn fn, void *data,
                                        soon_free_fn release)
{
    int rc = loop ? add(future, loop, fn, data, release) : soon__future_tell(future, fn, data, release);

    if (rc < 0 && release)
        release(data);
    return soon__failed(rc, "soon_future_add_done_callback_owned");
}
