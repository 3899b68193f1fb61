/*
 * loop_uv.c - a libuv loop that is attached: its handle. What all loops share, and the invariants, are in loop.c.
 *
 * The uv loop polls the bell. libuv does not say when it has finished with the memory of a handle that somebody else
 * has closed (L6): so that memory is kept.
 */
#include "loop_internal.h"
#include "loop_post_internal.h"
#include "loop_table_internal.h"

#include "../system/ipc_internal.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { TURN_MAX = 64 }; /* callbacks, so that timers and sockets come to theirs; a wake-up costs as much as a few */

/* What the uv loop has of us. */
struct handle {
    uv_poll_t poll;      /* first */
    struct handle *next; /* of those that are kept */
};

/* So that leak checkers find them. Under the table's mutex. */
static struct handle *kept;

/*
 * What its kind says of it
 */

static void hold_locked(soon_loop *loop, bool needed)
{
    if (needed)
        uv_ref(loop->handle);
    else
        uv_unref(loop->handle);
}

static void on_close(uv_handle_t *handle)
{
    soon__loop_closed(handle->data);
}

static void close_locked(soon_loop *loop)
{
    uv_close(loop->handle, on_close);
}

/* The handle is the child's, all else the parent's. */
static void close_inherited(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    if (uv_is_closing(loop->handle))
        return;
    loop->own.on_closed = on_closed;
    loop->own.on_closed_data = data;
    close_locked(loop);
}

static void free_loop(soon_loop *loop)
{
    struct handle *handle = (struct handle *)loop->handle;

    if (soon__loop_is_lost_state(loop->locked.state)) {
        soon__loop_table_lock();
        handle->next = kept;
        kept = handle;
        soon__loop_table_unlock();
    } else {
        free(handle);
    }
    free(loop);
}

static const struct soon__loop_kind kind = {
    .hold_locked = hold_locked,
    .close_locked = close_locked,
    .close_inherited = close_inherited,
    .free = free_loop,
};

static void on_bell(uv_poll_t *poll, int status, int events)
{
    soon_loop *loop = poll->data;

    (void)status;
    (void)events;
    if (soon__loop_is_pre_fork(loop)) /* it is the parent's that rings */
        uv_poll_stop(poll);
    else
        (void)soon__loop_turn(loop, TURN_MAX); /* L7: refused in a uv_run() inside a callback */
}

/*
 * Attaching
 */

/* What is attached already, and can be found no more if it is lost (L6): of the same loop, or of one that was at its
 * place. */
static soon_loop *find_open_locked(const uv_loop_t *uv)
{
    soon_loop *loop = soon__loop_find_locked(uv);

    if (!loop || !uv_is_closing(loop->handle))
        return loop;
    loop->uv = NULL;
    pthread_mutex_lock(&loop->mutex);
    (void)soon__loop_is_lost_locked(loop);
    pthread_mutex_unlock(&loop->mutex); /* what is there is dropped with the detach that is owed */
    return NULL;
}

static int handle_new(struct handle **ret, int bell)
{
    *ret = malloc(sizeof **ret);
    /* libuv aborts where it has no memory for its table of descriptors: asks first whether there is. */
    if (*ret) {
        void *probe = malloc(((size_t)bell + 4) * 2 * sizeof(void *));

        if (probe) {
            free(probe);
            return 0;
        }
    }
    free(*ret);
    return -ENOMEM;
}

static int open_handle(soon_loop *loop, uv_loop_t *uv)
{
    struct handle *handle;
    int rc;

    loop->bell = soon__bell_new();
    if (loop->bell < 0)
        return loop->bell;
    rc = handle_new(&handle, loop->bell);
    if (rc < 0)
        goto fail_handle;
    rc = uv_poll_init(uv, &handle->poll, loop->bell);
    if (rc < 0)
        goto fail_poll;
    handle->poll.data = loop;
    (void)uv_poll_start(&handle->poll, UV_READABLE, on_bell);
    loop->handle = (uv_handle_t *)&handle->poll;
    return 0;

fail_poll:
    free(handle);
fail_handle:
    close(loop->bell);
    return rc;
}

static int attach_locked(soon_loop **ret, uv_loop_t *uv)
{
    soon_loop *loop = calloc(1, sizeof *loop);
    int rc;

    if (!loop)
        return -ENOMEM;
    rc = open_handle(loop, uv);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    loop->uv = uv;
    soon__loop_init(loop, &kind);
    soon__loop_ring_locked(loop); /* L4 */
    soon__loop_add_locked(loop);
    *ret = loop;
    return 0;
}

static int attach_again_locked(soon_loop *loop)
{
    struct soon__loop_post *spare;

    if (!soon__check(soon__loop_claim_thread(loop), "soon_loop_attach: not on the loop's thread"))
        return soon__refuse(-EINVAL, "this is not the loop's thread");
    spare = malloc(sizeof *spare);
    if (!spare)
        return -ENOMEM;
    spare->entry.next = (struct soon__loop_entry *)loop->tabled.spares;
    loop->tabled.spares = spare;
    loop->tabled.attached++;
    return 0;
}

int soon_loop_attach(soon_loop **ret, uv_loop_t *uv)
{
    soon_loop *loop = NULL;
    int rc;

    if (ret)
        *ret = NULL;
    if (!ret || !uv)
        return soon__failed(soon__is_null(ret ? "the uv_loop_t" : "ret"), "soon_loop_attach");
    soon__loop_table_lock();
    loop = find_open_locked(uv);
    rc = loop ? attach_again_locked(loop) : attach_locked(&loop, uv);
    soon__loop_table_unlock();
    if (rc == 0)
        *ret = loop;
    return soon__failed(rc, "soon_loop_attach");
}
