/*
 * notice.c - notices: how a running task that blocks hears that it is to end. The task's side is task_cancel.c.
 *
 *     SPARE --the task asks for one--> LISTED --told--> TOLD: readable, its callbacks run, each once
 *       ^                                |                |
 *       +-------the body returns---------+----------------+
 *
 *     A spare one keeps its descriptor, for any task.
 *
 * N1  A task finds its notice by its host: the notice is a copy of that, which takes its place. An error that means
 *     nothing marks the outcome, so that the end of the body, which looks for one, finds the notice: a task without one
 *     pays nothing.
 * N2  Nobody is missed. A thread that asks a task to end says so where its host looks, then makes a full fence, then
 *     looks for a notice; a task that makes one lists it, then makes a full fence, then looks whether it was asked.
 * N3  Nobody is told for another. A notice is told under the mutex, by the future that it is listed for: the teller has
 *     a reference of that, so no other task can have its address. The end takes it off the list and empties its
 *     descriptor under the same mutex. A request of a worker process has a number that no other ever has.
 * N4  Callbacks run outside the mutex. One that runs stays listed, with its thread, until it has returned: the end, and
 *     a thread that takes it back, wait for that; but not the callback itself.
 * N5  A thread that has the mutex, or runs a callback (N4), is not cancelled meanwhile: the task would wait for ever.
 * N6  A forked child shares the descriptors with its parent: it closes those that are spare, and its tasks get no
 *     notice from a host of the parent's.
 */
#include "notice_internal.h"

#include "../system/ipc_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARES_MAX = 64 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t returned; /* a callback has */
    _Atomic uint32_t count;  /* of those listed: written under the mutex */
    struct {
        struct soon__notice *listed, *spares;
        size_t spare_count;
        struct soon__notice *inherited; /* the parent's, reachable for leak checkers */
    } locked;
} notices = {.mutex = PTHREAD_MUTEX_INITIALIZER, .returned = PTHREAD_COND_INITIALIZER};

/* N5 */
static void lock(int *ret_cancel_state)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, ret_cancel_state);
    pthread_mutex_lock(&notices.mutex);
}

static void unlock(int cancel_state)
{
    pthread_mutex_unlock(&notices.mutex);
    pthread_setcancelstate(cancel_state, NULL);
}

/*
 * Descriptors
 */

static bool has_bell(const struct soon__notice *notice)
{
    struct stat now;

    return notice->locked.bell >= 0 && fstat(notice->locked.bell, &now) == 0 && now.st_ino == notice->locked.inode &&
           !(now.st_mode & S_IFMT);
}

static void free_notice(struct soon__notice *notice)
{
    if (has_bell(notice))
        close(notice->locked.bell);
    free(notice);
}

static int open_bell_locked(struct soon__notice *notice)
{
    struct stat now;
    int bell = soon__bell_new();

    if (bell < 0)
        return bell;
    if (fstat(bell, &now) < 0) {
        int error = errno;

        close(bell);
        return -error;
    }
    notice->locked.bell = bell;
    notice->locked.inode = now.st_ino;
    if (notice->locked.state == SOON__NOTICE_TOLD)
        soon__bell_ring(bell);
    return 0;
}

static void free_all(struct soon__notice *notice)
{
    struct soon__notice *next;

    for (; notice; notice = next) {
        next = notice->locked.next;
        free_notice(notice);
    }
}

void soon__notices_trim(void)
{
    struct soon__notice *spares;
    int state;

    lock(&state);
    spares = notices.locked.spares;
    notices.locked.spares = NULL;
    notices.locked.spare_count = 0;
    unlock(state);
    free_all(spares);
}

/* N6 */
static void forget_in_child(void)
{
    struct soon__notice **end = &notices.locked.inherited;

    while (*end)
        end = &(*end)->locked.next;
    *end = notices.locked.listed;
    notices.locked.listed = NULL;
    atomic_store_explicit(&notices.count, 0, memory_order_relaxed);
    notices.returned = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    free_all(notices.locked.spares);
    notices.locked.spares = NULL;
    notices.locked.spare_count = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
    /* One of the first: there is room. */
    (void)soon__lock_at_fork(&notices.mutex);
    (void)soon__at_fork(NULL, NULL, forget_in_child);
}

/*
 * Telling
 */

static void move_locked(struct soon__notice *notice, enum soon__notice_state to)
{
    assert(notice->locked.state != to);
    assert((notice->locked.state == SOON__NOTICE_SPARE) == (to == SOON__NOTICE_LISTED));
    notice->locked.state = to;
}

static void tell_locked(struct soon__notice *notice)
{
    if (notice->locked.state == SOON__NOTICE_TOLD)
        return;
    move_locked(notice, SOON__NOTICE_TOLD);
    if (has_bell(notice))
        soon__bell_ring(notice->locked.bell);
}

static struct soon__hook *next_hook_locked(const struct soon__notice *notice)
{
    struct soon__hook *hook = notice->locked.hooks;

    while (hook && hook->runs)
        hook = hook->next;
    return hook;
}

static void remove_locked(struct soon__notice *notice, struct soon__hook *hook)
{
    struct soon__hook **link = &notice->locked.hooks;

    while (*link != hook)
        link = &(*link)->next;
    *link = hook->next;
    free(hook);
}

/* N4. On top of this thread's stack there is a callback, which cannot wait for the task that waits for it. */
static void run_locked(struct soon__notice *notice, struct soon__hook *hook)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__frame frame = {.below = self->frames, .future = notice->future};

    hook->runs = true;
    hook->thread = pthread_self();
    pthread_mutex_unlock(&notices.mutex);
    self->frames = &frame;
    hook->fn(hook->data);
    self->frames = frame.below;
    pthread_mutex_lock(&notices.mutex);
    remove_locked(notice, hook);
    pthread_cond_broadcast(&notices.returned);
}

/* N3. One of those that match with a callback to be run; they are all told. */
static struct soon__hook *tell_some_locked(bool (*matches)(const struct soon__notice *, const void *), const void *what,
                                           struct soon__notice **ret)
{
    struct soon__hook *hook = NULL;

    for (struct soon__notice *notice = notices.locked.listed; notice && !hook; notice = notice->locked.next) {
        if (!matches(notice, what))
            continue;
        tell_locked(notice);
        hook = next_hook_locked(notice);
        *ret = notice;
    }
    return hook;
}

static void tell(bool (*matches)(const struct soon__notice *, const void *), const void *what)
{
    struct soon__notice *notice;
    struct soon__hook *hook;
    int state;

    /* N2: pairs with the fence in soon__notice_list(): we see the notice, or its task sees that it was asked. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence orders it. */
    if (atomic_load_explicit(&notices.count, memory_order_relaxed) == 0)
        return;
    lock(&state);
    while ((hook = tell_some_locked(matches, what, &notice)))
        run_locked(notice, hook);
    unlock(state);
}

static bool is_of_future(const struct soon__notice *notice, const void *future)
{
    return notice->future == future;
}
void soon__notices_tell(const soon_future *future)
{
    tell(is_of_future, future);
}

static bool is_of_executor(const struct soon__notice *notice, const void *executor)
{
    return notice->executor == executor && notice->future; /* an initializer is not asked */
}
void soon__notices_tell_executor(const soon_executor *executor)
{
    tell(is_of_executor, executor);
}

static bool is_of_request(const struct soon__notice *notice, const void *request)
{
    return notice->request == *(const uint64_t *)request;
}
void soon__notices_tell_request(uint64_t request)
{
    tell(is_of_request, &request);
}

static bool is_itself(const struct soon__notice *notice, const void *itself)
{
    return notice == itself;
}
void soon__notice_tell(const struct soon__notice *notice)
{
    tell(is_itself, notice);
}

static bool is_expired(const struct soon__notice *notice, const void *now)
{
    return notice->deadline <= *(const int64_t *)now;
}
void soon__notices_tell_expired(void)
{
    int64_t now = soon__clock_ns();

    tell(is_expired, &now);
}

int64_t soon__notices_expire(int64_t now, bool *ret_callbacks)
{
    int64_t next = SOON__NEVER;
    int state;

    *ret_callbacks = false;
    lock(&state);
    for (struct soon__notice *notice = notices.locked.listed; notice; notice = notice->locked.next) {
        if (is_expired(notice, &now)) {
            tell_locked(notice);
            *ret_callbacks |= next_hook_locked(notice) != NULL;
        } else if (notice->locked.state == SOON__NOTICE_LISTED && notice->deadline < next) {
            next = notice->deadline;
        }
    }
    unlock(state);
    return next;
}

/*
 * From its making to its end
 */

struct soon__notice *soon__notice_take(void)
{
    struct soon__notice *notice;
    int state;

    lock(&state);
    notice = notices.locked.spares;
    if (notice) {
        notices.locked.spares = notice->locked.next;
        notices.locked.spare_count--;
    }
    unlock(state);
    if (notice)
        return notice;
    notice = calloc(1, sizeof *notice);
    if (notice)
        notice->locked.bell = -1;
    return notice;
}

void soon__notice_give(struct soon__notice *notice)
{
    bool kept;
    int state;

    lock(&state);
    kept = notices.locked.spare_count < SPARES_MAX;
    if (kept) {
        notice->locked.next = notices.locked.spares;
        notices.locked.spares = notice;
        notices.locked.spare_count++;
    }
    unlock(state);
    if (!kept)
        free_notice(notice);
}

static void count_locked(uint32_t more)
{
    /* Relaxed: it is written under the mutex, and read without it after a fence. */
    atomic_store_explicit(&notices.count, atomic_load_explicit(&notices.count, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void soon__notice_list(struct soon__notice *notice)
{
    int state;

    lock(&state);
    move_locked(notice, SOON__NOTICE_LISTED);
    notice->locked.next = notices.locked.listed;
    notices.locked.listed = notice;
    count_locked(1);
    unlock(state);
    /* N2: pairs with the fence in tell(), and with that of a parent that asks a worker process. */
    atomic_thread_fence(memory_order_seq_cst);
}

/* N4 */
static bool is_awaited_locked(const struct soon__notice *notice)
{
    struct soon__hook *hook = notice->locked.hooks;

    while (hook && !hook->runs)
        hook = hook->next;
    return hook;
}

/* N3 */
void soon__notice_unlist(struct soon__notice *notice)
{
    struct soon__notice **link;
    int state;

    lock(&state);
    while (is_awaited_locked(notice))
        pthread_cond_wait(&notices.returned, &notices.mutex);
    for (link = &notices.locked.listed; *link != notice; link = &(*link)->locked.next)
        ;
    *link = notice->locked.next;
    count_locked((uint32_t)-1);
    while (notice->locked.hooks)
        remove_locked(notice, notice->locked.hooks);
    if (!has_bell(notice))
        notice->locked.bell = -1;
    else if (notice->locked.state == SOON__NOTICE_TOLD)
        soon__bell_reset(notice->locked.bell);
    move_locked(notice, SOON__NOTICE_SPARE);
    unlock(state);
}

/*
 * What a task has of its notice
 */

int soon__notice_descriptor(struct soon__notice *notice)
{
    int rc = 0, state;

    lock(&state);
    if (!has_bell(notice))
        rc = open_bell_locked(notice);
    unlock(state);
    return rc < 0 ? rc : notice->locked.bell;
}

/* At the end. False: it is too late for that. */
static bool add_hook(struct soon__notice *notice, struct soon__hook *hook)
{
    struct soon__hook **end = &notice->locked.hooks;
    bool told;
    int state;

    lock(&state);
    told = notice->locked.state == SOON__NOTICE_TOLD;
    while (*end)
        end = &(*end)->next;
    if (!told)
        *end = hook;
    unlock(state);
    return !told;
}

int soon__notice_add(struct soon__notice *notice, soon_cancel_fn fn, void *data)
{
    struct soon__hook *hook = malloc(sizeof *hook);

    if (!hook)
        return -ENOMEM;
    *hook = (struct soon__hook){.fn = fn, .data = data};
    if (add_hook(notice, hook))
        return 0;
    free(hook);
    fn(data);
    return 0;
}

/* The first with these two; `runs`: that does, on another thread. */
static struct soon__hook *find_locked(const struct soon__notice *notice, soon_cancel_fn fn, const void *data, bool runs)
{
    struct soon__hook *hook = notice->locked.hooks;

    while (hook && (hook->fn != fn || hook->data != data || hook->runs != runs ||
                    (runs && pthread_equal(hook->thread, pthread_self()))))
        hook = hook->next;
    return hook;
}

bool soon__notice_remove(struct soon__notice *notice, soon_cancel_fn fn, const void *data)
{
    struct soon__hook *hook;
    int state;

    lock(&state);
    hook = find_locked(notice, fn, data, false);
    if (hook)
        remove_locked(notice, hook);
    while (!hook && find_locked(notice, fn, data, true))
        pthread_cond_wait(&notices.returned, &notices.mutex);
    unlock(state);
    return hook;
}
