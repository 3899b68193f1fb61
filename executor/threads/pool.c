/*
 * pool.c - the thread pool as an executor. The invariants are in pool_internal.h.
 */
#include "state_internal.h"

#include "../pools/backlog_internal.h"
#include "../system/cpu_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPARE_IDLE_MS = 1000 };

/*
 * The class
 */

static bool is_full_locked(const struct soon__pool *pool)
{
    return pool->locked.queue.count >= pool->queue_max && !pool->locked.closed && !pool->locked.broken;
}

/* Up to the call's queue limit. A worker of another pool that waits here gives its place to a spare there; not under
 * our mutex. */
static int wait_for_place(struct soon__pool *pool, const soon_call *call)
{
    int64_t deadline = soon__call_extra(call) ? soon__call_extra(call)->queue_deadline : SOON__NEVER;
    struct soon__long_wait wait;
    int rc = soon__long_wait_begin(&wait);

    if (rc < 0)
        return rc;
    soon__mutex_lock(&pool->mutex); /* nothing comes in without it where there is a bound */
    while (is_full_locked(pool) && soon__deadline_check(deadline) == 0)
        soon__condition_wait(&pool->place, &pool->mutex, deadline);
    rc = is_full_locked(pool) ? SOON_EEXPIRED : 0;
    soon__mutex_unlock(&pool->mutex);
    soon__long_wait_end(&wait);
    return rc;
}

static int push_locked(struct soon__pool *pool, soon_call *call, bool bounded)
{
    if (pool->locked.closed)
        return SOON_ESHUTDOWN;
    if (pool->locked.broken)
        return SOON_EBROKEN;
    if (bounded && is_full_locked(pool))
        return SOON_EFULL;
    soon__queue_push(&pool->locked.queue, call);
    pool->locked.submitted++;
    if (soon__call_extra(call) && soon__call_extra(call)->queue_deadline != SOON__NEVER)
        soon__pool_alarm_locked(pool, soon__call_extra(call)->queue_deadline);
    pool->locked.cannot_start = false;
    return 0;
}

/* With the mutex: somebody has to be told, or it is to be refused. */
static __attribute__((noinline)) int submit_by_mutex(struct soon__pool *pool, soon_call *call, bool may_block)
{
    soon_executor *executor = pool->executor;
    bool bounded, pinned = false;
    int rc;

    /* Its workers are in it all the time. */
    bounded = pool->queue_max && !(call->flags & SOON__CALL_EXEMPT) && !soon__thread_in_executor(executor);
    for (;;) {
        soon__pool_lock(pool);
        rc = push_locked(pool, call, bounded);
        if (rc == SOON_EFULL && may_block && !pinned) {
            soon__executor_pin(executor); /* the end waits until those that wait here have left: it is open */
            pinned = true;
        }
        soon__pool_unlock(pool);
        if (rc != SOON_EFULL || !may_block)
            break;
        rc = wait_for_place(pool, call);
        if (rc < 0)
            break;
    }
    if (pinned)
        soon__executor_unpin(executor);
    return rc;
}

/* From elsewhere than a task of the pool, or what its worker may not keep. */
static __attribute__((noinline)) int submit_to_all(struct soon__pool *pool, soon_call *call, bool may_block)
{
    return soon__pool_push(pool, call) ? 0 : submit_by_mutex(pool, call, may_block);
}

static int submit(void *self, soon_call *call, bool may_block)
{
    return soon__worker_push(self, call) ? 0 : submit_to_all(self, call, may_block);
}

static bool take_back(void *self, soon_call *call)
{
    struct soon__pool *pool = self;
    bool taken;

    soon__pool_lock(pool);
    taken = soon__pool_take_back_locked(pool, call);
    if (taken) {
        pool->locked.cancelled++;
        soon__pool_close_if_empty_locked(pool);
    }
    soon__pool_unlock(pool);
    return taken;
}

/* Of its end, or that it is broken. */
static void tell_all_locked(struct soon__pool *pool)
{
    while (pool->locked.idle)
        soon__worker_ring(soon__pool_pop_idle_locked(pool));
    soon__condition_tell_all(&pool->place);
    soon__condition_tell_all(&pool->ready);
}

static int begin_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct soon__pool *pool = self;
    soon_call *pending = NULL;

    soon__pool_lock(pool);
    pool->locked.closed = true;
    soon__pool_take_in_locked(pool);
    if (!pool->down) /* a stronger mode may come while the loop is about to resolve it */
        pool->down = down;
    if (mode >= SOON_CANCEL_PENDING) {
        pool->locked.cancelled += pool->locked.queue.count;
        pending = soon__queue_take_all(&pool->locked.queue);
    }
    tell_all_locked(pool);
    soon__pool_close_if_empty_locked(pool);
    soon__pool_unlock(pool);
    soon__calls_cancel(pending);
    return 0;
}

void soon__pool_fail_pending(struct soon__pool *pool)
{
    soon_call *pending;
    struct soon__error *broken;

    soon__pool_lock(pool);
    soon__pool_take_in_locked(pool);
    pool->locked.failed += pool->locked.queue.count;
    pending = soon__queue_take_all(&pool->locked.queue);
    broken = soon__error_ref(pool->locked.broken);
    soon__pool_unlock(pool);
    soon__calls_fail(pending, broken);
    soon__error_unref(broken);
}

void soon__pool_break(struct soon__pool *pool, struct soon__error *why)
{
    soon_error fields = {.code = SOON_EBROKEN};
    struct soon__error *broken = soon__error_newf(&fields, "the initializer failed: %s", why->public.message);

    soon__error_unref(why);
    soon__pool_lock(pool);
    if (!pool->locked.broken)
        pool->locked.broken = soon__error_ref(broken);
    soon__executor_break(pool->executor);
    tell_all_locked(pool);
    soon__pool_unlock(pool);
    soon__error_unref(broken);
    soon__pool_fail_pending(pool);
}

static struct soon__error *reason(void *self)
{
    struct soon__pool *pool = self;
    struct soon__error *error;

    soon__pool_lock(pool);
    error = soon__error_ref(pool->locked.broken);
    soon__pool_unlock(pool);
    return error;
}

/* 1: some are still starting. One that has retired meanwhile was ready. */
static int boot_state_locked(const struct soon__pool *pool)
{
    if (pool->locked.broken)
        return SOON_EBROKEN;
    if (pool->locked.closed)
        return SOON_ESHUTDOWN;
    if (pool->locked.start_error)
        return pool->locked.start_error;
    return pool->locked.starting > 0;
}

static int boot(void *self, int64_t deadline)
{
    struct soon__pool *pool = self;
    struct soon__long_wait wait;
    size_t missing = 0;
    int rc = soon__long_wait_begin(&wait);

    if (rc < 0)
        return rc;
    soon__pool_lock(pool);
    pool->locked.start_error = 0;
    if (!pool->locked.closed && !pool->locked.broken && pool->locked.threads < pool->max) {
        missing = pool->max - pool->locked.threads;
        soon__pool_count_start_locked(pool, missing);
    }
    soon__pool_unlock(pool);
    while (missing--)
        soon__worker_start(pool);
    soon__mutex_lock(&pool->mutex); /* what has come in stays there, since nothing is decided (I9) */
    while ((rc = boot_state_locked(pool)) > 0 && soon__deadline_check(deadline) == 0)
        soon__condition_wait(&pool->ready, &pool->mutex, deadline);
    soon__mutex_unlock(&pool->mutex);
    soon__long_wait_end(&wait);
    return rc > 0 ? -ETIMEDOUT : rc;
}

static void stats(void *self, soon_stats *ret)
{
    struct soon__pool *pool = self;

    soon__pool_lock(pool);
    soon__deques_look_locked(pool, SIZE_MAX);
    *ret = (soon_stats){.workers = pool->locked.threads,
                        .idle = pool->locked.idle,
                        .pending = pool->locked.queue.count,
                        .submitted = pool->locked.submitted,
                        .succeeded = pool->locked.succeeded,
                        .failed = pool->locked.failed,
                        .cancelled = pool->locked.cancelled,
                        .spares = pool->locked.threads > pool->max ? pool->locked.threads - pool->max : 0,
                        .wakeups = pool->locked.wakeups};
    for (struct soon__worker *worker = pool->locked.workers; worker; worker = worker->next) {
        ret->succeeded += atomic_load_explicit(&worker->succeeded, memory_order_relaxed);
        ret->failed += atomic_load_explicit(&worker->failed, memory_order_relaxed);
        ret->cancelled += atomic_load_explicit(&worker->cancelled, memory_order_relaxed);
        ret->running += atomic_load_explicit(&worker->running, memory_order_relaxed);
        ret->submitted += atomic_load_explicit(&worker->submitted, memory_order_relaxed);
    }
    soon__pool_unlock(pool);
}

static size_t workers(void *self, soon_worker *ret, size_t count)
{
    struct soon__pool *pool = self;
    size_t there = 0;

    soon__pool_lock(pool);
    for (struct soon__worker *worker = pool->locked.workers; worker; worker = worker->next) {
        if (there < count) {
            ret[there] = (soon_worker){.id = atomic_load_explicit(&worker->id, memory_order_relaxed),
                                       .busy = atomic_load_explicit(&worker->running, memory_order_relaxed) > 0};
            soon__worker_name(ret[there].name, sizeof ret[there].name, pool->name, worker->number);
        }
        there++;
    }
    soon__pool_unlock(pool);
    return there;
}

static void counted_here(void *self, const struct soon__outcome *outcome)
{
    struct soon__pool *pool = self;

    soon__pool_lock(pool);
    pool->locked.submitted++;
    pool->locked.succeeded += !outcome->error;
    pool->locked.failed += outcome->error && !outcome->cancelled;
    pool->locked.cancelled += outcome->error && outcome->cancelled;
    soon__pool_unlock(pool);
}

static size_t width(void *self)
{
    return ((struct soon__pool *)self)->max;
}

static void free_pool(void *self)
{
    struct soon__pool *pool = self;

    pthread_attr_destroy(&pool->attributes);
    soon__error_unref(pool->locked.broken);
    free(pool->deques);
    soon__initializer_fini(&pool->initializer);
    free(pool);
}

static const soon_executor_class pool_class = {
    .size = sizeof(soon_executor_class),
    .name = "thread pool",
    .submit = submit,
    .take_back = take_back,
    .shutdown = begin_shutdown,
    .stats = stats,
    .free = free_pool,
};

static const struct soon__executor_extra pool_extra = {.boot = boot,
                                                       .reason = reason,
                                                       .counted_here = counted_here,
                                                       .width = width,
                                                       .workers = workers,
                                                       .takes_items = true,
                                                       .spins = true};

/*
 * Making
 */

/* Whoever starts a worker, it has the signal mask of who made the pool. */
static void init_attributes(pthread_attr_t *attributes)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_attr_init(attributes);
    pthread_attr_setsigmask_np(attributes, &mask);
}

static int pool_new(struct soon__pool **ret, const soon_thread_pool_options *o)
{
    struct soon__pool *pool = calloc(1, sizeof *pool);
    int rc;

    if (!pool)
        return -ENOMEM;
    init_attributes(&pool->attributes);
    soon__surroundings_take(&pool->surroundings);
    pool->max = o->workers ? (size_t)o->workers : (size_t)soon__cpu_count();
    pool->queue_max = o->queue_max;
    pool->look.run = soon__pool_look;
    pool->locked.alarm = SOON__NEVER;
    pool->linger_ns = soon__cpu_count() > 1 ? SOON__SPIN_NS : 0;
    soon__spin_allow((uint32_t)soon__cpu_count() / 2);
    pool->idle_limit_ns = soon__span_ns(o->idle_timeout_ms, SPARE_IDLE_MS);
    pool->all_retire = o->idle_timeout_ms;
    soon__pool_name(pool->name, sizeof pool->name, o->name);
    rc = soon__deques_new(pool);
    if (rc == 0)
        rc = soon__initializer_init(&pool->initializer,
                                    &(struct soon__initializer){.function = o->initializer,
                                                                .arg = {o->initializer_arg, o->initializer_arg_size},
                                                                .extra = o->initializer_extra});
    if (rc == 0 && o->stack_size && pthread_attr_setstacksize(&pool->attributes, o->stack_size))
        rc = soon__refuse(-EINVAL, ".stack_size = %zu is less than a thread needs, %ld", o->stack_size,
                          sysconf(_SC_THREAD_STACK_MIN));
    if (rc < 0) {
        free_pool(pool);
        return rc;
    }
    *ret = pool;
    return 0;
}

static int executor_new(soon_executor **ret, const soon_thread_pool_options *options, size_t size)
{
    soon_thread_pool_options o;
    struct soon__pool *pool = NULL;
    int rc = soon__options_read(&o, sizeof o, options, size);

    if (rc == 0)
        rc = soon__pool_options_check(o.workers, o.idle_timeout_ms, o.when_full, o.initializer);
    if (rc == 0)
        rc = soon__library_start();
    if (rc == 0)
        rc = pool_new(&pool, &o);
    if (rc < 0)
        return rc;
    rc = soon__executor_new(&pool->executor, &pool_class, pool, &pool_extra, o.when_full);
    if (rc < 0) {
        free_pool(pool);
        return rc;
    }
    pool->executor->shared = soon__shared_ref(o.shared);
    *ret = pool->executor;
    return 0;
}

int soon_thread_pool_new_sized(soon_executor **ret, const soon_thread_pool_options *options, size_t size)
{
    soon_executor *executor = NULL;
    int rc = ret ? executor_new(&executor, options, size) : soon__is_null("ret");

    if (ret)
        *ret = executor;
    return soon__failed(rc, "soon_thread_pool_new");
}
