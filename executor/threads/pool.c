/*
 * pool.c - the thread pool as an executor: its class, and how it is made. The states and invariants are in
 * state_internal.h.
 */
#include "../../futures/park_internal.h"
#include "../core/executor_table_internal.h"
#include "../core/trace_internal.h"
#include "closing_internal.h"
#include "deque_internal.h"
#include "scheduler_internal.h"
#include "watch_internal.h"

#include "../system/cpu_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPARE_IDLE_MS = 1000 };

/*
 * The class
 */

static int push_locked(struct soon__pool *pool, soon_call *call, bool bounded)
{
    int rc = soon__backlog_admit_locked(&pool->backlog, bounded);

    if (rc < 0)
        return rc;
    soon__queue_push(&pool->backlog.locked.queue, call);
    pool->backlog.locked.submitted++;
    if (soon__call_extra(call) && soon__call_extra(call)->queue_deadline != SOON__NEVER)
        soon__pool_alarm_locked(pool, soon__call_extra(call)->queue_deadline);
    pool->locked.cannot_start = false;
    return 0;
}

/* Submits under the mutex, since a worker may have to be woken, or the call to be refused. */
static __attribute__((noinline)) int submit_by_mutex(struct soon__pool *pool, soon_call *call, bool may_block)
{
    soon_executor *executor = pool->backlog.executor;
    bool bounded, pinned = false;
    int rc;

    bounded = pool->backlog.bound && !(call->flags & SOON__CALL_EXEMPT) &&
              !soon__thread_in_executor(executor); /* as its workers always are */
    for (;;) {
        soon__pool_lock(pool);
        rc = push_locked(pool, call, bounded);
        if (rc == SOON_EFULL && may_block && !pinned) {
            soon__executor_pin(executor); /* it is open, and will not end before we have left */
            pinned = true;
        }
        soon__pool_unlock(pool);
        if (rc != SOON_EFULL || !may_block)
            break;
        rc = soon__backlog_wait_for_place(&pool->backlog, call);
        if (rc < 0)
            break;
    }
    if (pinned)
        soon__executor_unpin(executor);
    return rc;
}

/* Submits a call that does not come from a task of the pool, or that the worker of that task may not keep. */
static __attribute__((noinline)) int submit_to_all(struct soon__pool *pool, soon_call *call, bool may_block)
{
    return soon__pool_push(pool, call) ? 0 : submit_by_mutex(pool, call, may_block);
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct soon__thread *thread = soon__thread_self();

    if (thread->pool == self && soon__deque_push(thread->worker, self, call))
        return 0;
    return submit_to_all(self, call, may_block);
}

static bool take_back(void *self, soon_call *call)
{
    struct soon__pool *pool = self;
    bool taken;

    soon__pool_lock(pool);
    taken = soon__pool_take_back_locked(pool, call);
    if (taken) {
        pool->backlog.locked.ended[SOON__ENDED_CANCELLED]++;
        soon__pool_end_if_empty_locked(pool);
    }
    soon__pool_unlock(pool);
    return taken;
}

static int shut_down(void *self, soon_shutdown mode, soon_promise *down)
{
    soon__pool_shut_down(self, mode, down);
    return 0;
}

/* Are workers still starting? One that has retired meanwhile does not count: it was ready before. */
static bool is_starting_locked(struct soon__backlog *backlog)
{
    const struct soon__pool *pool = (const struct soon__pool *)backlog;

    return pool->locked.in[SOON__WORKER_STARTING] + pool->locked.in[SOON__WORKER_STARTING_PARKED] > 0;
}

static int boot(void *self, int64_t deadline)
{
    struct soon__pool *pool = self;
    struct soon__long_wait wait;
    int rc = soon__long_wait_begin(&wait);
    size_t threads;

    if (rc < 0)
        return rc;
    soon__pool_lock(pool);
    pool->backlog.locked.start_error = 0;
    threads = soon__pool_threads_locked(pool);
    if (pool->backlog.locked.state == SOON__OPEN && threads < pool->options.max)
        soon__pool_start_locked(pool, pool->options.max - threads);
    soon__pool_unlock(pool);
    soon__mutex_lock(&pool->backlog.mutex);
    rc = soon__backlog_wait_for_workers_locked(&pool->backlog, is_starting_locked, deadline);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__long_wait_end(&wait);
    return rc > 0 ? -ETIMEDOUT : rc;
}

/* What its own thread has counted. Relaxed, all: a snapshot. */
static void add_worker(soon_stats *ret, const struct soon__worker *worker)
{
    uint64_t ended[SOON__ENDINGS];

    for (int how = 0; how < SOON__ENDINGS; how++)
        ended[how] = atomic_load_explicit(&worker->counts.ended[how], memory_order_relaxed);
    soon__stats_add_endings(ret, ended);
    ret->running += atomic_load_explicit(&worker->counts.running, memory_order_relaxed);
    ret->submitted += atomic_load_explicit(&worker->counts.submitted, memory_order_relaxed);
}

static void stats(void *self, soon_stats *ret)
{
    struct soon__pool *pool = self;
    const size_t *in = pool->locked.in;

    soon__pool_lock(pool);
    soon__deques_gather_locked(pool, SIZE_MAX);
    soon__backlog_stats_locked(&pool->backlog, ret);
    ret->workers = soon__pool_threads_locked(pool);
    ret->spares = ret->workers > pool->options.max ? ret->workers - pool->options.max : 0;
    ret->idle = in[SOON__WORKER_IDLE];
    ret->workers_starting = in[SOON__WORKER_STARTING] + in[SOON__WORKER_STARTING_PARKED];
    ret->workers_running = in[SOON__WORKER_RUNNING];
    ret->workers_waiting = in[SOON__WORKER_PARKED];
    ret->workers_retiring = in[SOON__WORKER_LEAVING];
    ret->wakeups = pool->locked.wakeups;
    for (struct soon__worker *worker = pool->locked.workers; worker; worker = worker->locked.next)
        add_worker(ret, worker);
    soon__pool_unlock(pool);
}

static size_t workers(void *self, soon_worker *ret, size_t count)
{
    struct soon__pool *pool = self;
    size_t there = 0;

    soon__pool_lock(pool);
    for (struct soon__worker *worker = pool->locked.workers; worker; worker = worker->locked.next) {
        if (there < count) {
            ret[there] = (soon_worker){.id = atomic_load_explicit(&worker->id, memory_order_relaxed),
                                       .busy = atomic_load_explicit(&worker->counts.running, memory_order_relaxed) > 0};
            soon__worker_name(ret[there].name, sizeof ret[there].name, pool->backlog.name, worker->number);
        }
        there++;
    }
    soon__pool_unlock(pool);
    return there;
}

static size_t width(void *self)
{
    return ((struct soon__pool *)self)->options.max;
}

static void free_pool(void *self)
{
    struct soon__pool *pool = self;

    pthread_attr_destroy(&pool->options.attributes);
    free(pool->deques);
    soon__backlog_fini(&pool->backlog);
    free(pool);
}

static const struct soon__executor_class pool_class = {
    .public = {.size = sizeof(soon_executor_class),
               .name = "thread pool",
               .submit = submit,
               .take_back = take_back,
               .shutdown = shut_down,
               .stats = stats,
               .free = free_pool},
    .of_library = true,
    .boot = boot,
    .reason = soon__backlog_reason,
    .counted_here = soon__backlog_counted_here,
    .width = width,
    .workers = workers,
    .takes_items = true,
    .call_flags = SOON__CALL_SPINS,
};

/*
 * Making
 */

/* A worker has the signal mask of the thread that made the pool. */
static void init_attributes(pthread_attr_t *attributes)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_attr_init(attributes);
    pthread_attr_setsigmask_np(attributes, &mask);
}

static void make(struct soon__pool *pool, const soon_thread_pool_options *o)
{
    int cpus = soon__cpu_count();

    init_attributes(&pool->options.attributes);
    soon__surroundings_take(&pool->options.surroundings);
    pool->options.max = (size_t)(o->workers ? o->workers : cpus);
    pool->options.spin_ns = cpus > 1 ? SOON__SPIN_NS : 0;
    soon__spin_allow((uint32_t)cpus / 2);
    pool->options.idle_limit_ns = soon__span_ns(o->idle_timeout_ms, SPARE_IDLE_MS);
    pool->options.all_retire = o->idle_timeout_ms;
    pool->loop.watch.run = soon__pool_watch;
    pool->locked.alarm = SOON__NEVER;
}

static int set_stack_size(struct soon__pool *pool, size_t size)
{
    if (!size || pthread_attr_setstacksize(&pool->options.attributes, size) == 0)
        return 0;
    return soon__refuse(-EINVAL, ".stack_size = %zu is less than a thread needs, %ld", size,
                        sysconf(_SC_THREAD_STACK_MIN));
}

static int pool_new(struct soon__pool **ret, const soon_thread_pool_options *o)
{
    struct soon__pool *pool = calloc(1, sizeof *pool);
    int rc;

    if (!pool)
        return -ENOMEM;
    make(pool, o);
    rc = soon__deques_new(pool);
    if (rc == 0)
        rc =
            soon__backlog_init(&pool->backlog, &(struct soon__backlog_options){
                                                   .name = o->name,
                                                   .bound = o->queue_max,
                                                   .initializer = {.function = o->initializer,
                                                                   .arg = {o->initializer_arg, o->initializer_arg_size},
                                                                   .extra = o->initializer_extra},
                                               });
    if (rc == 0)
        rc = set_stack_size(pool, o->stack_size);
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
    soon__trace_start_asked();
    rc = soon__executor_new(&pool->backlog.executor, &pool_class, pool, o.when_full);
    if (rc < 0) {
        free_pool(pool);
        return rc;
    }
    pool->backlog.executor->shared = soon__shared_ref(o.shared);
    soon__executor_publish(pool->backlog.executor, o.name ? o.name : pool->backlog.name);
    *ret = pool->backlog.executor;
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
