/*
 * notice.c - notices: how a running task that blocks hears that it is to end.
 *
 *     none --the task asks for one--> listed --told--> listed, told: readable, its callbacks run, each once
 *                                        |                |
 *                                        +-- the body returns --> spare, with its descriptor, for any next task
 *
 * N1  A task finds its notice by its host: the notice is a copy of that, which takes its place. An error that means nothing
 *     marks the outcome, so that the end of the body, which looks for one, finds the notice: who has none is not looked at.
 * N2  Nobody is missed. Who asks a task to end says so where its host looks, then a full fence, then looks for a notice; who
 *     makes one lists it, then a full fence, then looks whether the task was asked.
 * N3  Nobody is told for another. A notice is told under the mutex, by the future that it is listed for: who tells has a
 *     reference of that, so no other task can have its address. The end takes it off the list and empties its descriptor
 *     under the same mutex. A request of a worker process has a number that no other ever has.
 * N4  Callbacks run outside the mutex. One that runs stays listed, with its thread, until it has returned: the end, and who
 *     takes it back, wait for that; but not the callback itself.
 * N5  A thread that has the mutex, or is counted by N4, is not cancelled meanwhile: the task would wait for ever.
 * N6  A forked child shares the descriptors with its parent: it closes those that are spare, and its tasks get no notice
 *     from a host of the parent's.
 */
#include "notice_internal.h"

#include "../system/ipc_internal.h"
#include "executor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARES_MAX = 64 };

struct hook {
    struct hook *next;
    soon_cancel_fn fn;
    void *data;
    bool runs;
    pthread_t thread; /* where it runs */
};

struct soon__notice {
    struct soon__task_host host; /* first: the task's, as long as it has this notice */
    const struct soon__task_host *before;
    struct soon__notice *next;
    const soon_future *future;     /* NULL: of an initializer, or in a worker process */
    const soon_executor *executor; /* NULL: in a worker process */
    uint64_t request;              /* 0: in no worker process */
    int64_t deadline;              /* of a task in this process; SOON__NEVER: its host tells */
    uint32_t generation;
    bool told;
    int bell;           /* -1: none was asked for yet */
    ino_t inode;        /* of the bell: a task may have closed it, and opened something else in its place */
    struct hook *hooks; /* in the order of their registration */
};

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

    return notice->bell >= 0 && fstat(notice->bell, &now) == 0 && now.st_ino == notice->inode &&
           !(now.st_mode & S_IFMT);
}

static void free_notice(struct soon__notice *notice)
{
    if (has_bell(notice))
        close(notice->bell);
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
    notice->bell = bell;
    notice->inode = now.st_ino;
    if (notice->told)
        soon__bell_ring(bell);
    return 0;
}

static void free_all(struct soon__notice *notice)
{
    struct soon__notice *next;

    for (; notice; notice = next) {
        next = notice->next;
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
        end = &(*end)->next;
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

static void tell_locked(struct soon__notice *notice)
{
    if (!notice->told && has_bell(notice))
        soon__bell_ring(notice->bell);
    notice->told = true;
}

static struct hook *next_hook_locked(const struct soon__notice *notice)
{
    struct hook *hook = notice->hooks;

    while (hook && hook->runs)
        hook = hook->next;
    return hook;
}

static void remove_locked(struct soon__notice *notice, struct hook *hook)
{
    struct hook **link = &notice->hooks;

    while (*link != hook)
        link = &(*link)->next;
    *link = hook->next;
    free(hook);
}

/* N4. On top of this thread's stack there is a callback, which cannot wait for the task that waits for it. */
static void run_locked(struct soon__notice *notice, struct hook *hook)
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
static struct hook *tell_some_locked(bool (*matches)(const struct soon__notice *, const void *), const void *what,
                                     struct soon__notice **ret)
{
    struct hook *hook = NULL;

    for (struct soon__notice *notice = notices.locked.listed; notice && !hook; notice = notice->next) {
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
    struct hook *hook;
    int state;

    /* N2: pairs with the fence in list(): we see the notice, or its task sees that it was asked. */
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
    for (struct soon__notice *notice = notices.locked.listed; notice; notice = notice->next) {
        if (is_expired(notice, &now)) {
            tell_locked(notice);
            *ret_callbacks |= next_hook_locked(notice) != NULL;
        } else if (!notice->told && notice->deadline < next) {
            next = notice->deadline;
        }
    }
    unlock(state);
    return next;
}

/*
 * From its making to its end
 */

static struct soon__notice *take_spare(void)
{
    struct soon__notice *notice;
    int state;

    lock(&state);
    notice = notices.locked.spares;
    if (notice) {
        notices.locked.spares = notice->next;
        notices.locked.spare_count--;
    }
    unlock(state);
    if (notice)
        return notice;
    notice = malloc(sizeof *notice);
    if (notice)
        notice->bell = -1;
    return notice;
}

static void give_spare(struct soon__notice *notice)
{
    bool kept;
    int state;

    lock(&state);
    kept = notices.locked.spare_count < SPARES_MAX;
    if (kept) {
        notice->next = notices.locked.spares;
        notices.locked.spares = notice;
        notices.locked.spare_count++;
    }
    unlock(state);
    if (!kept)
        free_notice(notice);
}

static void count_locked(uint32_t more)
{
    /* Relaxed: under the mutex; who reads it without has a fence. */
    atomic_store_explicit(&notices.count, atomic_load_explicit(&notices.count, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static void list(struct soon__notice *notice)
{
    int state;

    lock(&state);
    notice->next = notices.locked.listed;
    notices.locked.listed = notice;
    count_locked(1);
    unlock(state);
    /* N2: pairs with the fence in tell(), and with that of who asks a worker process. */
    atomic_thread_fence(memory_order_seq_cst);
}

/* N4 */
static bool is_awaited_locked(const struct soon__notice *notice)
{
    struct hook *hook = notice->hooks;

    while (hook && !hook->runs)
        hook = hook->next;
    return hook;
}

/* N3 */
static void unlist(struct soon__notice *notice)
{
    struct soon__notice **link;
    int state;

    lock(&state);
    while (is_awaited_locked(notice))
        pthread_cond_wait(&notices.returned, &notices.mutex);
    for (link = &notices.locked.listed; *link != notice; link = &(*link)->next)
        ;
    *link = notice->next;
    count_locked((uint32_t)-1);
    while (notice->hooks)
        remove_locked(notice, notice->hooks);
    if (!has_bell(notice))
        notice->bell = -1;
    else if (notice->told)
        soon__bell_reset(notice->bell);
    unlock(state);
}

static void init(struct soon__notice *notice, const soon_task *task, const struct soon__task_host *host)
{
    int bell = notice->bell;
    ino_t inode = bell < 0 ? 0 : notice->inode;

    *notice = (struct soon__notice){.host = *host,
                                    .before = host,
                                    .future = task->future,
                                    .executor = task->executor,
                                    .deadline = task->executor ? task->deadline : SOON__NEVER,
                                    .generation = soon__generation(),
                                    .bell = bell,
                                    .inode = inode};
    notice->host.notice = notice;
}

/* N6 */
static int check(uint32_t generation)
{
    return generation == soon__generation() ? 0
                                            : soon__refuse(SOON_EFORKED, "a forked child of a task hears of no cancel");
}

/* Whether the task may have one here, and what it needs beside. */
static int prepare(const soon_task *task)
{
    int rc = task->executor ? check(task->executor->generation) : 0; /* else its host looks */

    return rc == 0 && task->executor && task->deadline != SOON__NEVER ? soon__notice_clock_start() : rc;
}

static int make(struct soon__notice **ret, soon_task *task, const struct soon__task_host *host)
{
    struct soon__notice *notice;
    int rc = prepare(task);

    if (rc < 0)
        return rc;
    notice = take_spare();
    if (!notice)
        return -ENOMEM;
    init(notice, task, host);
    if (host->listen)
        rc = host->listen(task, &notice->request);
    if (rc < 0) {
        give_spare(notice);
        return rc;
    }
    /* N1. Release: the copy; pairs with the acquire of the task's other threads. */
    atomic_store_explicit(&task->host, &notice->host, memory_order_release);
    if (!task->outcome.error)
        task->outcome.error = &soon__error_cancelled;
    list(notice);
    if (notice->deadline != SOON__NEVER)
        soon__notice_clock_set();
    if (soon_task_cancel_requested(task))
        tell(is_itself, notice);
    *ret = notice;
    return 0;
}

void soon__notice_end(soon_task *task)
{
    struct soon__notice *notice = soon__task_host(task)->notice;

    if (notice->before->listen)
        notice->before->listen_no_more(task);
    unlist(notice);
    atomic_store_explicit(&task->host, notice->before, memory_order_release);
    if (task->outcome.error == &soon__error_cancelled)
        task->outcome.error = NULL;
    give_spare(notice);
}

/* The task's, which is made at the first need. */
static int notice_of(struct soon__notice **ret, soon_task *task)
{
    const struct soon__task_host *host = soon__task_host(task);

    if (!host->notice)
        return make(ret, task, host);
    *ret = host->notice;
    return check(host->notice->generation);
}

/*
 * What a task asks for
 */

int soon_task_cancel_fd(soon_task *task)
{
    struct soon__notice *notice;
    int rc = task ? notice_of(&notice, task) : soon__is_null("the task"), state;

    if (rc == 0) {
        lock(&state);
        if (!has_bell(notice))
            rc = open_bell_locked(notice);
        unlock(state);
    }
    return rc < 0 ? soon__failed(rc, "soon_task_cancel_fd") : notice->bell;
}

/* At the end. False: it is too late for that. */
static bool add(struct soon__notice *notice, struct hook *hook)
{
    struct hook **end = &notice->hooks;
    bool told;
    int state;

    lock(&state);
    told = notice->told;
    while (*end)
        end = &(*end)->next;
    if (!told)
        *end = hook;
    unlock(state);
    return !told;
}

static int add_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    struct soon__notice *notice;
    struct hook *hook;
    int rc;

    if (!task || !fn)
        return soon__is_null(task ? "fn" : "the task");
    rc = notice_of(&notice, task);
    if (rc < 0)
        return rc;
    hook = malloc(sizeof *hook);
    if (!hook)
        return -ENOMEM;
    *hook = (struct hook){.fn = fn, .data = data};
    if (add(notice, hook))
        return 0;
    free(hook);
    fn(data);
    return 0;
}

int soon_task_add_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    return soon__failed(add_callback(task, fn, data), "soon_task_add_cancel_callback");
}

/* The first with these two; `runs`: that does, on another thread. */
static struct hook *find_locked(const struct soon__notice *notice, soon_cancel_fn fn, const void *data, bool runs)
{
    struct hook *hook = notice->hooks;

    while (hook && (hook->fn != fn || hook->data != data || hook->runs != runs ||
                    (runs && pthread_equal(hook->thread, pthread_self()))))
        hook = hook->next;
    return hook;
}

bool soon_task_remove_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    struct soon__notice *notice;
    struct hook *hook;
    int state;

    if (!soon__check(task, "soon_task_remove_cancel_callback: NULL"))
        return false;
    notice = soon__task_host(task)->notice;
    if (!notice)
        return false;
    lock(&state);
    hook = find_locked(notice, fn, data, false);
    if (hook)
        remove_locked(notice, hook);
    while (!hook && find_locked(notice, fn, data, true))
        pthread_cond_wait(&notices.returned, &notices.mutex);
    unlock(state);
    return hook;
}
