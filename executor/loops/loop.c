/*
 * loop.c - a caller's loop, to which callbacks are posted.
 *
 *     attach --> OPEN --last detach--> CLOSING --nothing outstanding--> CLOSED --on_closed--> freed
 *                  |                      |
 *                  +--somebody else has---+--> LOST --last detach, nothing outstanding--> freed
 *                     closed our handle
 *
 * L1  Other threads touch nothing of the uv loop's: they ring a bell of ours, a descriptor, which the uv loop polls. So it
 *     does not matter to them what becomes of the handle, or of the uv loop. (uv_async_send() would touch both, and abort
 *     when the loop is closed.) CLOSED is reached under the mutex when nothing is outstanding.
 * L2  `here` and `outstanding` together count registrations, from soon__loop_count_in() until they ran or were counted
 *     out, and posts: one is the loop's thread's own, the other everybody's, and either alone may be below 0. What that
 *     thread takes from its own is followed by a look at both under the mutex; who takes from the other looks there. So
 *     somebody sees that nothing is left. CLOSING lets no new ones in.
 * L3  uv_ref, uv_unref and uv_close are for the loop's thread, which brings the handle in line with the count: in
 *     each turn, and at once when that thread itself changes the count. Other threads wake the loop for it.
 * L4  The handle begins referenced and woken: the first turn tells which thread runs the loop. Before it nobody
 *     need reference the handle, so nobody need know.
 * L5  One wake-up for a whole list: who finds it empty pushes and rings under the mutex, as it is taken under that. Who
 *     finds some there pushes without, and looks at nothing of the loop after that: it may be gone. A turn runs at
 *     most TURN_MAX entries, then wakes itself, so that timers and sockets have their turn.
 * L6  Somebody else may close the handle, on the loop's thread: uv_walk() and uv_close() are the usual end of a program. We
 *     are not told, so whatever we do on that thread looks first. Then it is LOST: nothing comes in, and what is there,
 *     or comes when futures complete, is dropped. The uv loop, which may be gone as well, is not touched any more. It has
 *     the handle's memory until it has finished with it, and we do not hear of that either: so that memory is kept.
 */
#include "../system/ipc_internal.h"
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
    union {
        struct soon__loop_entry entry; /* first */
        struct soon__job job;          /* it was dropped, and its data is let go of on the callback thread */
    };
    soon_loop *loop;
    soon_loop_fn fn; /* NULL: nobody is told */
    void *data;
    soon_free_fn let_go; /* when `fn` has run, or will not; NULL: nobody is told */
    bool is_closed;      /* the word that a detach is over: it comes in any case */
};

/* What the uv loop has of us. */
struct handle {
    uv_poll_t poll;      /* first */
    struct handle *next; /* of those that are kept (L6) */
};

struct soon_loop {
    const uv_loop_t *uv;   /* its address */
    struct handle *handle; /* loop's thread only */
    int bell;              /* as long as the loop is there */
    uint32_t generation;

    /* Under the table's mutex. */
    soon_loop *next;
    size_t attached;
    struct post *spares; /* one for each attach but the first, so that a detach needs no memory */

    _Atomic uint64_t thread_number; /* of the thread that runs the loop, written under the mutex; 0: no turn yet (L4) */
    _Atomic(struct soon__loop_entry *) posted; /* the latest first (L5) */

    /* Loop's thread only. */
    struct list ready;    /* taken from `posted`, comes before it */
    _Atomic int64_t here; /* L2; read by others */
    soon_loop_fn on_closed;
    void *on_closed_data;

    pthread_mutex_t mutex;
    struct {
        int64_t outstanding; /* L2 */
        bool closing; /* this and `referenced`: written by the loop's thread, which reads them without the mutex */
        bool referenced;
        bool lost;
        struct list dropped; /* L6 */
        bool rung;
        pid_t thread_id;
    } locked;
};

/* All that there are: to find a loop that is attached again, and for leak checkers those that are lost while they close. */
static struct {
    pthread_mutex_t mutex;
    soon_loop *first;
    struct handle *kept; /* L6; so that leak checkers find them */
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* In a child the parent's loops stay in the list: never found, never freed. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&table.mutex); /* one of the first: there is room */
}

/* Its mutex may be held by a thread that is not here. */
static bool is_pre_fork(const soon_loop *loop)
{
    return loop->generation != soon__generation();
}

static bool is_thread_here(soon_loop *loop)
{
    /* Relaxed: only the thread whose number it is has written it. */
    return soon__thread_self()->number &&
           atomic_load_explicit(&loop->thread_number, memory_order_relaxed) == soon__thread_self()->number;
}

/* Relaxed, both: see L2. */
static void count_here(soon_loop *loop, int64_t more)
{
    atomic_store_explicit(&loop->here, atomic_load_explicit(&loop->here, memory_order_relaxed) + more,
                          memory_order_relaxed);
}
static bool is_needed_locked(soon_loop *loop)
{
    return loop->locked.outstanding + atomic_load_explicit(&loop->here, memory_order_relaxed) > 0;
}

/* Moves what is posted behind what is there, in the order of the pushes. */
static void take_posted_locked(soon_loop *loop, struct list *to)
{
    struct soon__loop_entry *entry, *next, *last, *turned = NULL;

    /* Relaxed: what is not there now comes with a ring of its own. */
    if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
        return;
    /* Acquire: the entries; pairs with the release of the pushes. */
    last = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    for (entry = last; entry; entry = next) {
        next = entry->next;
        entry->next = turned;
        turned = entry;
    }
    if (to->head)
        to->tail->next = turned;
    else
        to->head = turned;
    to->tail = last;
}

static uv_handle_t *handle_of(const soon_loop *loop)
{
    return (uv_handle_t *)&loop->handle->poll;
}

/*
 * The count and the handle
 */

static void ring_locked(soon_loop *loop)
{
    if (!loop->locked.rung)
        (void)soon__bell_ring(loop->bell); /* if it is not there, somebody has closed what is not his */
    loop->locked.rung = true;
}

/* L6: on the loop's thread. */
static bool is_lost_locked(soon_loop *loop)
{
    if (loop->locked.lost || !uv_is_closing(handle_of(loop)))
        return loop->locked.lost;
    loop->locked.lost = true;
    loop->locked.dropped = loop->ready;
    loop->ready.head = NULL;
    return true;
}

static void loop_free(soon_loop *loop);

/* Gives the mutex back, and of a lost one drops what is there. The loop may be gone then. */
static void leave(soon_loop *loop)
{
    struct soon__loop_entry *entry = NULL, *next;
    bool over;

    if (loop->locked.lost) {
        take_posted_locked(loop, &loop->locked.dropped);
        entry = loop->locked.dropped.head;
        loop->locked.dropped.head = NULL;
    }
    for (next = entry; next; next = next->next)
        loop->locked.outstanding--;
    over = loop->locked.lost && loop->locked.closing && !is_needed_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    if (over)
        loop_free(loop);
    for (; entry; entry = next) {
        next = entry->next;
        entry->drop(entry);
    }
}

static void on_close(uv_handle_t *handle);

/* L3: on the loop's thread. */
static void update_locked(soon_loop *loop)
{
    uv_handle_t *handle = handle_of(loop);
    bool needed = is_needed_locked(loop);

    if (is_lost_locked(loop))
        return;
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
    if (is_thread_here(loop))
        update_locked(loop);
    else
        ring_locked(loop);
}

static int count_in_locked(soon_loop *loop)
{
    if (loop->locked.closing || loop->locked.lost)
        return SOON_ESHUTDOWN;
    if (is_thread_here(loop) && is_lost_locked(loop))
        return SOON_ESHUTDOWN;
    loop->locked.outstanding++;
    if (!loop->locked.referenced)
        update_or_wake_locked(loop);
    return 0;
}

/* False: there is none yet, and `even_first` is false. */
static bool push(soon_loop *loop, struct soon__loop_entry *entry, bool even_first)
{
    struct soon__loop_entry *latest = atomic_load_explicit(&loop->posted, memory_order_relaxed);

    do {
        if (!latest && !even_first)
            return false;
        entry->next = latest;
        /* Release: pairs with the acquire in take_posted_locked(). */
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &latest, entry, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

static void push_locked(soon_loop *loop, struct soon__loop_entry *entry)
{
    push(loop, entry, true);
    if (!entry->next)
        ring_locked(loop); /* L5 */
}

int soon__loop_count_in(soon_loop *loop)
{
    int rc;

    if (is_pre_fork(loop))
        return SOON_EFORKED;
    if (is_thread_here(loop) && loop->locked.referenced && !loop->locked.closing && !uv_is_closing(handle_of(loop))) {
        count_here(loop, 1);
        return 0;
    }
    pthread_mutex_lock(&loop->mutex);
    rc = count_in_locked(loop);
    leave(loop);
    return rc;
}

void soon__loop_count_again(soon_loop *loop)
{
    if (is_pre_fork(loop))
        return;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.outstanding++;
    pthread_mutex_unlock(&loop->mutex);
}

void soon__loop_count_out(soon_loop *loop)
{
    if (is_pre_fork(loop))
        return;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.outstanding--;
    if (!is_needed_locked(loop))
        update_or_wake_locked(loop);
    leave(loop);
}

void soon__loop_push(soon_loop *loop, struct soon__loop_entry *entry)
{
    if (is_pre_fork(loop))
        return; /* the parent's copy of it runs */
    if (push(loop, entry, false))
        return;
    pthread_mutex_lock(&loop->mutex);
    push_locked(loop, entry);
    leave(loop);
}

/*
 * Posts
 */

/* No callbacks of futures: these may join and free executors. So the frame is no callback and nobody's task. */
void soon__loop_call(soon_loop *loop, soon_loop_fn fn, void *data)
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
        soon__loop_call(post.loop, post.fn, post.data);
    if (post.let_go)
        soon__loop_call(post.loop, post.let_go, post.data);
}

static void let_go_later(struct soon__job *job)
{
    struct post post = *(struct post *)job;

    free(job);
    post.let_go(post.data);
}

static void drop_post(struct soon__loop_entry *entry)
{
    struct post *post = (struct post *)entry;

    if (post->is_closed) {
        run_post(entry);
    } else if (post->let_go) { /* as D4 in delivery.c */
        post->job.run = let_go_later;
        soon__library_callbacks_post(&post->job);
    } else {
        free(post);
    }
}

/* Takes `post` if 0. */
static int push_post(soon_loop *loop, struct post *post)
{
    int rc;

    post->entry.run = run_post;
    post->entry.drop = drop_post;
    post->loop = loop;
    pthread_mutex_lock(&loop->mutex);
    rc = count_in_locked(loop);
    if (rc == 0)
        push_locked(loop, &post->entry);
    leave(loop);
    return rc;
}

static int post_fn(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn let_go)
{
    struct post *post;
    int rc;

    if (!loop || !fn)
        return soon__is_null(loop ? "fn" : "the loop");
    rc = let_go ? soon__library_start() : 0;
    if (rc < 0)
        return rc;
    if (is_pre_fork(loop))
        return SOON_EFORKED;
    post = malloc(sizeof *post);
    if (!post)
        return -ENOMEM;
    *post = (struct post){.fn = fn, .data = data, .let_go = let_go};
    rc = push_post(loop, post);
    if (rc < 0)
        free(post);
    return rc;
}

int soon_loop_post(soon_loop *loop, soon_loop_fn fn, void *data)
{
    return soon__failed(post_fn(loop, fn, data, NULL), "soon_loop_post");
}

int soon_loop_post_owned(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn release)
{
    int rc = post_fn(loop, fn, data, release);

    if (rc < 0 && release)
        release(data);
    return soon__failed(rc, "soon_loop_post_owned");
}

/*
 * A turn of the loop
 */

static void set_thread_locked(soon_loop *loop)
{
    static _Atomic uint64_t numbers;
    struct soon__thread *self = soon__thread_self();

    if (is_thread_here(loop))
        return;
    if (!self->number)
        self->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&loop->thread_number, self->number, memory_order_relaxed);
    loop->locked.thread_id = gettid();
}

static void begin_turn(soon_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    set_thread_locked(loop);
    soon__bell_reset(loop->bell); /* libuv tells of it as long as it is readable */
    loop->locked.rung = false;
    take_posted_locked(loop, &loop->ready);
    pthread_mutex_unlock(&loop->mutex);
}

static void end_turn(soon_loop *loop, size_t count)
{
    count_here(loop, -(int64_t)count);
    pthread_mutex_lock(&loop->mutex);
    if (loop->ready.head)
        ring_locked(loop); /* L5 */
    update_locked(loop);
    leave(loop);
}

static void on_bell(uv_poll_t *poll, int status, int events)
{
    soon_loop *loop = poll->data;
    struct soon__loop_entry *entry;
    size_t count;

    (void)status;
    (void)events;
    if (is_pre_fork(loop)) { /* it is the parent's that rings */
        uv_poll_stop(poll);
        return;
    }
    begin_turn(loop);
    for (count = 0; count < TURN_MAX && (entry = loop->ready.head) && !uv_is_closing(handle_of(loop)); count++) {
        loop->ready.head = entry->next;
        entry->run(entry);
        if (is_pre_fork(loop))
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
    ours = !loop->locked.thread_id || is_thread_here(loop) || is_gone(loop->locked.thread_id);
    if (ours)
        set_thread_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return ours;
}

static soon_loop *find_locked(const uv_loop_t *uv)
{
    soon_loop *loop = table.first;

    while (loop && (is_pre_fork(loop) || loop->uv != uv || !loop->attached))
        loop = loop->next;
    return loop;
}

/* What is attached already, and can be found no more if it is lost (L6): of the same loop, or of one that was at its place. */
static soon_loop *find_open_locked(const uv_loop_t *uv)
{
    soon_loop *loop = find_locked(uv);

    if (!loop || !uv_is_closing(handle_of(loop)))
        return loop;
    loop->uv = NULL;
    pthread_mutex_lock(&loop->mutex);
    (void)is_lost_locked(loop);
    pthread_mutex_unlock(&loop->mutex); /* what is there is dropped with the detach that is owed */
    return NULL;
}

static int handle_new(struct handle **ret, int bell)
{
    *ret = malloc(sizeof **ret);
    /* libuv aborts where it has no memory for its table of descriptors: looks first if there is. */
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
    rc = handle_new(&loop->handle, loop->bell);
    if (rc < 0)
        goto fail_handle;
    rc = uv_poll_init(uv, &loop->handle->poll, loop->bell);
    if (rc < 0)
        goto fail_poll;
    loop->handle->poll.data = loop;
    (void)uv_poll_start(&loop->handle->poll, UV_READABLE, on_bell);
    return 0;

fail_poll:
    free(loop->handle);
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
    loop->attached = 1;
    loop->locked.referenced = true;
    loop->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    ring_locked(loop); /* L4 */
    loop->next = table.first;
    table.first = loop;
    *ret = loop;
    return 0;
}

static int attach_again_locked(soon_loop *loop)
{
    struct post *spare;

    if (!soon__check(claim_thread(loop), "soon_loop_attach: not on the loop's thread"))
        return soon__refuse(-EINVAL, "this is not the loop's thread");
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
    soon_loop *loop = NULL;
    int rc;

    if (ret)
        *ret = NULL;
    if (!ret || !uv)
        return soon__failed(soon__is_null(ret ? "the uv_loop_t" : "ret"), "soon_loop_attach");
    pthread_mutex_lock(&table.mutex);
    loop = find_open_locked(uv);
    rc = loop ? attach_again_locked(loop) : attach_locked(&loop, uv);
    pthread_mutex_unlock(&table.mutex);
    if (rc == 0)
        *ret = loop;
    return soon__failed(rc, "soon_loop_attach");
}

/* Takes one attach away: 1, and its spare; 0: the last, the loop can be found no more; -1: there was none. */
static int take_attach(soon_loop *loop, struct post **ret_spare)
{
    int left;

    pthread_mutex_lock(&table.mutex);
    left = loop->spares ? 1 : loop->attached ? 0 : -1;
    if (left == 1) {
        *ret_spare = loop->spares;
        loop->spares = (struct post *)loop->spares->entry.next;
    }
    if (left >= 0)
        loop->attached--;
    pthread_mutex_unlock(&table.mutex);
    return left;
}

static void close_open(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    bool lost;

    loop->on_closed = on_closed;
    loop->on_closed_data = data;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.closing = true;
    update_locked(loop);
    lost = loop->locked.lost;
    leave(loop);
    if (lost && on_closed)
        soon__loop_call(loop, on_closed, data); /* no turn of a loop will */
}

/* A detach that is not the last. */
static void post_closed(soon_loop *loop, struct post *spare, soon_loop_fn on_closed, void *data)
{
    *spare = (struct post){.fn = on_closed, .data = data, .is_closed = true};
    if (push_post(loop, spare) < 0) /* it is lost: an attached one takes it */
        run_post(&spare->entry);
}

/* In a forked child: the handle is the child's, all else the parent's. */
static void close_inherited(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    if (uv_is_closing(handle_of(loop)))
        return;
    loop->on_closed = on_closed;
    loop->on_closed_data = data;
    uv_close(handle_of(loop), on_close);
}

void soon_loop_detach(soon_loop *loop, soon_loop_fn on_closed, void *data)
{
    struct post *spare = NULL;
    int left;

    if (!loop)
        return;
    if (is_pre_fork(loop)) {
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

static void on_close(uv_handle_t *handle)
{
    soon_loop *loop = handle->data;

    if (loop->on_closed)
        soon__loop_call(loop, loop->on_closed, loop->on_closed_data);
    if (is_pre_fork(loop)) {
        close(loop->bell);
        return; /* the parent's registrations, in this memory too, point to it */
    }
    free(loop->handle);
    loop->handle = NULL;
    loop_free(loop);
}

static void loop_free(soon_loop *loop)
{
    soon_loop **link = &table.first;

    pthread_mutex_lock(&table.mutex);
    while (*link != loop)
        link = &(*link)->next;
    *link = loop->next;
    if (loop->handle) { /* L6 */
        loop->handle->next = table.kept;
        table.kept = loop->handle;
    }
    pthread_mutex_unlock(&table.mutex);
    close(loop->bell);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}
