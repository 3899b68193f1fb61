/*
 * loop.c - a caller's loop, to which callbacks are posted.
 *
 *     attach --> OPEN --last detach--> CLOSING --nothing outstanding--> CLOSED --on_closed--> freed
 *
 * L1  Other threads touch a soon_loop under its mutex only, and that includes uv_async_send(). CLOSED is reached
 *     under the mutex when nothing is outstanding: nobody is left who could send to a handle that closes.
 * L2  `outstanding` counts registrations, from soon__loop_count_in() until they ran or were counted out, and posts.
 *     CLOSING lets no new ones in.
 * L3  uv_ref, uv_unref and uv_close are for the loop's thread, which brings the handle in line with the count: in
 *     each turn, and at once when that thread itself changes the count. Other threads wake the loop for it.
 * L4  The handle begins referenced and woken: the first turn tells which thread runs the loop. Before it nobody
 *     need reference the handle, so nobody need know.
 * L5  One wake-up for a whole list: who finds it empty sends. A turn runs at most TURN_MAX entries, then wakes
 *     itself, so that timers and sockets have their turn.
 */
#include "loop_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum {
    TURN_MAX = 64 /* a wake-up costs as much as a few */
};

struct list {
    struct soon__loop_entry *head, *tail;
};

struct post {
    struct soon__loop_entry entry; /* first */
    soon_loop *loop;
    soon_loop_fn fn; /* NULL: nobody is told */
    void *data;
};

struct soon_loop {
    uv_async_t async;
    uint32_t generation;

    /* Under the table's mutex. */
    soon_loop *next;
    size_t attached;
    struct post *spares; /* one for each attach but the first, so that a detach needs no memory */

    /* Loop's thread only. */
    struct list ready; /* taken from `posted`, comes before it */
    soon_loop_fn on_closed;
    void *on_closed_data;

    pthread_mutex_t mutex;
    struct {
        struct list posted;
        size_t outstanding;
        bool closing;
        bool referenced;
        const struct soon__thread *thread; /* that runs the loop; NULL: no turn yet (L4) */
        pid_t thread_id;
    } locked;
};

/* The attached ones, to find a loop that is attached again. */
static struct {
    pthread_mutex_t mutex;
    soon_loop *first;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* In a child the parent's loops stay in the list: never found, never freed. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__hold_at_fork(&table.mutex); /* one of the first: there is room */
}

/* Its mutex may be held by a thread that is not here. */
static bool is_foreign(const soon_loop *loop)
{
    return loop->generation != soon__generation();
}

/* Appends all of `from`, which is left empty. */
static void append(struct list *to, struct list *from)
{
    if (!from->head)
        return;
    if (to->head)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    from->head = NULL;
}

/*
 * The count and the handle
 */

static void on_close(uv_handle_t *handle);

/* L3: on the loop's thread. */
static void update_locked(soon_loop *loop)
{
    uv_handle_t *handle = (uv_handle_t *)&loop->async;
    bool needed = loop->locked.outstanding > 0;

    if (loop->locked.closing && !needed) {
        uv_close(handle, on_close);
        return;
    }
    if (needed && !loop->locked.referenced)
        uv_ref(handle);
    else if (!needed && loop->locked.referenced)
        uv_unref(handle);
    loop->locked.referenced = needed;
}

static void update_or_wake_locked(soon_loop *loop)
{
    if (loop->locked.thread == soon__thread_self())
        update_locked(loop);
    else
        uv_async_send(&loop->async);
}

static int count_in_locked(soon_loop *loop)
{
    if (loop->locked.closing)
        return SOON_ESHUTDOWN;
    loop->locked.outstanding++;
    if (!loop->locked.referenced)
        update_or_wake_locked(loop);
    return 0;
}

static void push_locked(soon_loop *loop, struct soon__loop_entry *entry)
{
    struct list one = {entry, entry};

    entry->next = NULL;
    if (!loop->locked.posted.head)
        uv_async_send(&loop->async); /* L5 */
    append(&loop->locked.posted, &one);
}

int soon__loop_count_in(soon_loop *loop)
{
    int rc;

    if (is_foreign(loop))
        return SOON_EFORKED;
    pthread_mutex_lock(&loop->mutex);
    rc = count_in_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return rc;
}

void soon__loop_count_out(soon_loop *loop)
{
    if (is_foreign(loop))
        return;
    pthread_mutex_lock(&loop->mutex);
    if (--loop->locked.outstanding == 0)
        update_or_wake_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
}

void soon__loop_push(soon_loop *loop, struct soon__loop_entry *entry)
{
    if (is_foreign(loop))
        return; /* the parent's copy of it runs */
    pthread_mutex_lock(&loop->mutex);
    push_locked(loop, entry);
    pthread_mutex_unlock(&loop->mutex);
}

/*
 * Posts
 */

/* No callbacks of futures: these may join and free executors. So the frame is no callback and nobody's task. */
static void call_fn(soon_loop *loop, soon_loop_fn fn, void *data)
{
    struct soon__frame frame = {.executor = loop};
    struct soon__thread_saved saved;

    soon__thread_enter(&frame, &saved);
    fn(data);
    soon__thread_leave(&frame, &saved);
}

static void run_post(struct soon__loop_entry *entry)
{
    struct post post = *(struct post *)entry;

    free(entry);
    if (post.fn)
        call_fn(post.loop, post.fn, post.data);
}

/* Takes `post` if 0. */
static int push_post(soon_loop *loop, struct post *post, soon_loop_fn fn, void *data)
{
    int rc;

    *post = (struct post){.entry.run = run_post, .loop = loop, .fn = fn, .data = data};
    pthread_mutex_lock(&loop->mutex);
    rc = count_in_locked(loop);
    if (rc == 0)
        push_locked(loop, &post->entry);
    pthread_mutex_unlock(&loop->mutex);
    return rc;
}

int soon_loop_post(soon_loop *loop, soon_loop_fn fn, void *data)
{
    struct post *post;
    int rc;

    if (!loop || !fn)
        return -EINVAL;
    if (is_foreign(loop))
        return SOON_EFORKED;
    post = malloc(sizeof *post);
    if (!post)
        return -ENOMEM;
    rc = push_post(loop, post, fn, data);
    if (rc < 0)
        free(post);
    return rc;
}

/*
 * A turn of the loop
 */

static void set_thread_locked(soon_loop *loop)
{
    if (loop->locked.thread == soon__thread_self())
        return;
    loop->locked.thread = soon__thread_self();
    loop->locked.thread_id = gettid();
}

static void begin_turn(soon_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    set_thread_locked(loop);
    append(&loop->ready, &loop->locked.posted);
    pthread_mutex_unlock(&loop->mutex);
}

static void end_turn(soon_loop *loop, size_t count)
{
    pthread_mutex_lock(&loop->mutex);
    loop->locked.outstanding -= count;
    if (loop->ready.head)
        uv_async_send(&loop->async); /* L5 */
    update_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
}

static void on_async(uv_async_t *async)
{
    soon_loop *loop = async->data;
    struct soon__loop_entry *entry;
    size_t count;

    if (is_foreign(loop)) { /* woken before the fork */
        uv_unref((uv_handle_t *)async);
        return;
    }
    begin_turn(loop);
    for (count = 0; count < TURN_MAX && (entry = loop->ready.head); count++) {
        loop->ready.head = entry->next;
        entry->run(entry);
        if (is_foreign(loop))
            return; /* it forked, and this is the child */
    }
    end_turn(loop, count);
}

/*
 * Attach and detach
 */

static bool is_gone(pid_t thread_id)
{
    return tgkill(getpid(), thread_id, 0) < 0 && errno == ESRCH;
}

/* True on the loop's thread; if none has run the loop yet, or that one has ended, on any: then it is this one. */
static bool claim_thread(soon_loop *loop)
{
    bool ours;

    pthread_mutex_lock(&loop->mutex);
    ours = !loop->locked.thread || loop->locked.thread == soon__thread_self() || is_gone(loop->locked.thread_id);
    if (ours)
        set_thread_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return ours;
}

static soon_loop *find_locked(const uv_loop_t *uv)
{
    soon_loop *loop = table.first;

    while (loop && (is_foreign(loop) || loop->async.loop != uv))
        loop = loop->next;
    return loop;
}

static int attach_locked(soon_loop **ret, uv_loop_t *uv)
{
    soon_loop *loop = calloc(1, sizeof *loop);
    int rc;

    if (!loop)
        return -ENOMEM;
    rc = uv_async_init(uv, &loop->async, on_async);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    loop->async.data = loop;
    loop->generation = soon__generation();
    loop->attached = 1;
    loop->locked.referenced = true;
    loop->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    uv_async_send(&loop->async); /* L4 */
    loop->next = table.first;
    table.first = loop;
    *ret = loop;
    return 0;
}

static int attach_again_locked(soon_loop *loop)
{
    struct post *spare;

    if (!soon__check(claim_thread(loop), "soon_loop_attach: not on the loop's thread"))
        return -EINVAL;
    spare = malloc(sizeof *spare);
    if (!spare)
        return -ENOMEM;
    spare->entry.next = (struct soon__loop_entry *)loop->spares;
    loop->spares = spare;
    loop->attached++;
    return 0;
}

int soon_loop_attach(soon_loop **ret, uv_loop_t *uv)
{
    soon_loop *loop;
    int rc;

    if (!ret || !uv)
        return -EINVAL;
    pthread_mutex_lock(&table.mutex);
    loop = find_locked(uv);
    rc = loop ? attach_again_locked(loop) : attach_locked(&loop, uv);
    pthread_mutex_unlock(&table.mutex);
    if (rc == 0)
        *ret = loop;
    return rc;
}

/* Takes one attach away: 1, and its spare; 0: the last, the loop can be found no more; -1: there was none. */
static int take_attach(soon_loop *loop, struct post **ret_spare)
{
    soon_loop **link = &table.first;
    int left;

    pthread_mutex_lock(&table.mutex);
    left = loop->spares ? 1 : loop->attached ? 0 : -1;
    if (left == 1) {
        *ret_spare = loop->spares;
        loop->spares = (struct post *)loop->spares->entry.next;
    }
    if (left == 0) {
        while (*link != loop)
            link = &(*link)->next;
        *link = loop->next;
    }
    if (left >= 0)
        loop->attached--;
    pthread_mutex_unlock(&table.mutex);
    return left;
}

static void close_open(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    loop->on_closed = on_closed;
    loop->on_closed_data = data;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.closing = true;
    update_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
}

/* In a forked child: the handle is the child's, all else the parent's. */
static void close_inherited(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    if (uv_is_closing((uv_handle_t *)&loop->async))
        return;
    loop->on_closed = on_closed;
    loop->on_closed_data = data;
    uv_close((uv_handle_t *)&loop->async, on_close);
}

void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    struct post *spare = NULL;
    int left;

    if (!loop)
        return;
    if (is_foreign(loop)) {
        close_inherited(loop, on_closed, data);
        return;
    }
    if (!soon__check(claim_thread(loop), "soon_loop_detach: not on the loop's thread"))
        return;
    left = take_attach(loop, &spare);
    if (!soon__check(left >= 0, "soon_loop_detach: more often than attached"))
        return;
    if (left)
        push_post(loop, spare, on_closed, data); /* an attached loop takes it */
    else
        close_open(loop, on_closed, data);
}

static void on_close(uv_handle_t *handle)
{
    soon_loop *loop = handle->data;

    if (loop->on_closed)
        call_fn(loop, loop->on_closed, loop->on_closed_data);
    if (is_foreign(loop))
        return; /* the parent's registrations, in this memory too, point to it */
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}
