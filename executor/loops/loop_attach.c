/*
 * loop_attach.c - attaching a program's loop, and detaching it. The invariants are in loop.c.
 */
#include "loop_internal.h"
#include "loop_post_internal.h"
#include "loop_table_internal.h"

#include "../system/ipc_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_gone(pid_t thread_id)
{
    return tgkill(getpid(), thread_id, 0) < 0 && errno == ESRCH;
}

/* True on the loop's thread; if none has run the loop yet, or that one has ended, on any: then it is this one. */
static bool claim_thread(soon_loop *loop)
{
    bool ours;

    pthread_mutex_lock(&loop->mutex);
    ours = !loop->locked.thread_id || soon__loop_is_thread_here(loop) || is_gone(loop->locked.thread_id);
    if (ours)
        soon__loop_set_thread_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return ours;
}

/* What is attached already, and can be found no more if it is lost (L6): of the same loop, or of one that was at its
 * place. */
static soon_loop *find_open_locked(const uv_loop_t *uv)
{
    soon_loop *loop = soon__loop_find_locked(uv);

    if (!loop || !uv_is_closing(soon__loop_uv_handle(loop)))
        return loop;
    loop->uv = NULL;
    pthread_mutex_lock(&loop->mutex);
    (void)soon__loop_is_lost_locked(loop);
    pthread_mutex_unlock(&loop->mutex); /* what is there is dropped with the detach that is owed */
    return NULL;
}

static int handle_new(struct soon__loop_handle **ret, int bell)
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
    int rc;

    loop->bell = soon__bell_new();
    if (loop->bell < 0)
        return loop->bell;
    rc = handle_new(&loop->own.handle, loop->bell);
    if (rc < 0)
        goto fail_handle;
    rc = uv_poll_init(uv, &loop->own.handle->poll, loop->bell);
    if (rc < 0)
        goto fail_poll;
    loop->own.handle->poll.data = loop;
    (void)uv_poll_start(&loop->own.handle->poll, UV_READABLE, soon__loop_on_bell);
    return 0;

fail_poll:
    free(loop->own.handle);
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
    loop->generation = soon__generation();
    loop->tabled.attached = 1;
    loop->locked.referenced = true;
    loop->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    soon__loop_ring_locked(loop); /* L4 */
    soon__loop_add_locked(loop);
    *ret = loop;
    return 0;
}

static int attach_again_locked(soon_loop *loop)
{
    struct soon__loop_post *spare;

    if (!soon__check(claim_thread(loop), "soon_loop_attach: not on the loop's thread"))
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

    loop->own.on_closed = on_closed;
    loop->own.on_closed_data = data;
    pthread_mutex_lock(&loop->mutex);
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

/* In a forked child: the handle is the child's, all else the parent's. */
static void close_inherited(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    if (uv_is_closing(soon__loop_uv_handle(loop)))
        return;
    loop->own.on_closed = on_closed;
    loop->own.on_closed_data = data;
    uv_close(soon__loop_uv_handle(loop), soon__loop_on_close);
}

void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    struct soon__loop_post *spare = NULL;
    int left;

    if (!loop)
        return;
    if (soon__loop_is_pre_fork(loop)) {
        close_inherited(loop, on_closed, data);
        return;
    }
    if (!soon__check(claim_thread(loop), "soon_loop_detach: not on the loop's thread"))
        return;
    left = take_attach(loop, &spare);
    if (!soon__check(left >= 0, "soon_loop_detach: more often than attached"))
        return;
    if (left)
        post_closed(loop, spare, on_closed, data);
    else
        close_open(loop, on_closed, data);
}
