/*
 * pool.c - the process pool as an executor. The invariants are in state_internal.h.
 */
#include "../../../futures/aside_internal.h"
#include "../../../futures/park_internal.h"
#include "../../core/executor_table_internal.h"
#include "../../core/trace_internal.h"
#include "../../system/cpu_internal.h"
#include "../../system/system_internal.h"
#include "agenda_internal.h"
#include "closing_internal.h"
#include "dispatch_internal.h"
#include "marshal_internal.h"
#include "sentence_internal.h"
#include "slots_internal.h"
#include "spin_internal.h"
#include "supervisor_internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

/* So long a worker process spins for a request, and a thread for a reply: about what it takes to go to sleep and be
 * woken again. On a thread pool it is SOON__SPIN_NS. */
enum { SPIN_NS = 20000 };

static int push_locked(struct soon__process_pool *pool, soon_call *call, bool bounded)
{
    int rc = soon__backlog_admit_locked(&pool->backlog, bounded);

    if (rc < 0)
        return rc;
    soon__process_pool_queue_injected_locked(pool); /* those calls came before this one */
    pool->backlog.locked.submitted++;
    if (soon__call_extra(call) && soon__future_word(soon__call_future(call)) & SOON__CANCEL_REQUESTED) {
        /* It was cancelled on its way here, as a then may be. */
        soon__process_pool_refuse_locked(pool, call, -ECANCELED);
        return 0;
    }
    soon__queue_push(&pool->backlog.locked.queue, call);
    if (soon__call_extra(call))
        soon__process_pool_alarm_locked(pool, soon__call_extra(call)->queue_deadline);
    soon__process_pool_dispatch_locked(pool, soon__call_extra(call) ? soon__clock_ns() : soon__clock_coarse_ns());
    return 0;
}

/* True: the call is in a slot. The pool need not be pinned, since the mutex is not left in between. */
static bool submit_plain(struct soon__process_pool *pool, soon_call *call)
{
    bool posted;

    if (pool->backlog.bound || !soon__marshal_is_plain(call))
        return false;
    soon__mutex_lock(&pool->backlog.mutex);
    posted = pool->backlog.locked.state == SOON__OPEN && soon__process_pool_post_plain_locked(pool, call);
    pool->backlog.locked.submitted += posted;
    soon__mutex_unlock(&pool->backlog.mutex);
    return posted;
}

static __attribute__((noinline)) int submit_any(struct soon__process_pool *pool, soon_call *call, bool may_block)
{
    soon_executor *executor = pool->backlog.executor;
    bool bounded = pool->backlog.bound && !(call->flags & SOON__CALL_EXEMPT);
    int rc;

    /* The mutex is left in between, so the pool must not end before we are out of here. */
    soon__executor_pin(executor);
    do {
        soon__mutex_lock(&pool->backlog.mutex);
        rc = push_locked(pool, call, bounded);
        soon__mutex_unlock(&pool->backlog.mutex);
        if (rc != SOON_EFULL || !may_block)
            break;
        rc = soon__backlog_wait_for_place(&pool->backlog, call);
    } while (rc == 0);
    soon__executor_unpin(executor);
    return rc;
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct soon__process_pool *pool = self;

    if (call->function->flags & SOON_FUNCTION_LOCAL)
        return SOON_ELOCAL;
    if (!soon__call_extra(call) && (soon__inject_push(&pool->backlog.inject, call) || submit_plain(pool, call)))
        return 0;
    return submit_any(pool, call, may_block);
}

/* Takes a call out of where it waits for a worker. False: it does not wait. */
static bool take_out_locked(struct soon__process_pool *pool, soon_call *call)
{
    soon__process_pool_queue_injected_locked(pool);
    if (soon__call_place(call) == SOON__CALL_QUEUED)
        soon__queue_remove(&pool->backlog.locked.queue, call);
    else if (soon__call_place(call) != SOON__CALL_IN_SLOT || !soon__process_take_back_locked(call))
        return false;
    soon__condition_tell_one(&pool->backlog.place);
    return true;
}

static bool take_back(void *self, soon_call *call)
{
    struct soon__process_pool *pool = self;
    bool taken;

    soon__mutex_lock(&pool->backlog.mutex);
    taken = take_out_locked(pool, call);
    if (taken) {
        pool->backlog.locked.ended[SOON__ENDED_CANCELLED]++;
        soon__process_pool_dispatch_locked(pool, soon__clock_ns()); /* its slot is free */
        if (soon__backlog_is_ending_locked(&pool->backlog))
            soon__process_pool_look_soon_locked(pool); /* it may have been the last */
    }
    soon__mutex_unlock(&pool->backlog.mutex);
    return taken;
}

/* The slot in which a call runs; SOON__SLOTS: it does not run, or not any more. */
static uint32_t running_slot_locked(const soon_call *call)
{
    if (soon__call_place(call) != SOON__CALL_IN_SLOT || !soon__process_is_running_locked(call->process, call->slot))
        return SOON__SLOTS;
    return call->slot;
}

/* The call runs, or waits for its first or next try; or the loop has it, on its way to one of these or to its end. */
static int kill_call(void *self, soon_call *call)
{
    struct soon__process_pool *pool = self;
    uint32_t slot;
    int rc = 0;

    /* Set before the mutex is taken, under which a thread that has the call in hand looks for it. */
    soon__future_set_bits(soon__call_future(call), SOON__KILL_REQUESTED);
    soon__mutex_lock(&pool->backlog.mutex);
    if (take_out_locked(pool, call))
        soon__process_pool_refuse_locked(pool, call, SOON_EKILLED);
    else if ((slot = running_slot_locked(call)) < SOON__SLOTS)
        soon__process_condemn_task_locked(call->process, slot, SOON_EKILLED);
    else if (soon__word_final(soon__future_word(soon__call_future(call))))
        rc = SOON_EINVALIDSTATE;
    soon__mutex_unlock(&pool->backlog.mutex);
    return rc;
}

static void ask_to_cancel(void *self, soon_call *call)
{
    struct soon__process_pool *pool = self;

    soon__mutex_lock(&pool->backlog.mutex);
    if (soon__call_place(call) == SOON__CALL_IN_SLOT)
        soon__channel_request_cancel(&call->process->channel, call->slot);
    soon__mutex_unlock(&pool->backlog.mutex);
}

static void refresh(void *self, soon_call *call)
{
    struct soon__process_pool *pool = self;
    uint64_t done = 0, total = 0;
    uint32_t slot;
    bool moved = false;

    soon__mutex_lock(&pool->backlog.mutex);
    slot = running_slot_locked(call);
    if (slot < SOON__SLOTS)
        moved = soon__channel_progress(&call->process->channel, slot, &done, &total);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (slot < SOON__SLOTS)
        soon__future_start(soon__call_future(call));
    if (moved)
        soon__future_set_progress(soon__call_future(call), done, total);
}

static bool is_starting_locked(struct soon__backlog *backlog)
{
    const struct soon__process_pool *pool = (const struct soon__process_pool *)backlog;

    return pool->locked.ready < pool->options.max;
}

static int boot(void *self, int64_t deadline)
{
    struct soon__process_pool *pool = self;
    struct soon__long_wait wait;
    int rc = soon__long_wait_begin(&wait);

    if (rc < 0)
        return rc;
    soon__mutex_lock(&pool->backlog.mutex);
    pool->backlog.locked.start_error = 0;
    if (pool->backlog.locked.state == SOON__OPEN && is_starting_locked(&pool->backlog)) { /* P11 */
        pool->locked.at_least = pool->options.max;
        soon__process_pool_look_soon_locked(pool);
    }
    rc = soon__backlog_wait_for_workers_locked(&pool->backlog, is_starting_locked, deadline);
    if (rc <= 0)
        pool->locked.at_least = 0;
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__long_wait_end(&wait);
    return rc > 0 ? -ETIMEDOUT : rc;
}

static size_t workers(void *self, soon_worker *ret, size_t count)
{
    struct soon__process_pool *pool = self;
    size_t there = 0;

    soon__mutex_lock(&pool->backlog.mutex);
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (there < count) {
            ret[there] = (soon_worker){.id = process->pid, .busy = process->locked.assigned > 0};
            soon__worker_name(ret[there].name, sizeof ret[there].name, pool->backlog.name, process->number);
        }
        there++;
    }
    soon__mutex_unlock(&pool->backlog.mutex);
    return there;
}

static void stats(void *self, soon_stats *ret)
{
    struct soon__process_pool *pool = self;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_pool_queue_injected_locked(pool);
    soon__backlog_stats_locked(&pool->backlog, ret);
    ret->workers = pool->locked.present;
    ret->workers_starting = pool->locked.alive - pool->locked.ready;
    ret->workers_retiring = pool->locked.present - pool->locked.alive;
    ret->worker_deaths = pool->locked.deaths;
    ret->worker_restarts = pool->locked.restarts;
    ret->retries = pool->locked.retries;
    ret->bytes_to_workers = pool->locked.bytes_to;
    /* Relaxed: a snapshot. */
    ret->bytes_from_workers = pool->locked.bytes_from + atomic_load_explicit(&pool->bytes_from, memory_order_relaxed);
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        ret->idle += process->locked.stage == SOON__READY && !process->locked.assigned;
        for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
            if (process->locked.slots[slot].is_initializer)
                continue;
            if (soon__process_is_running_locked(process, slot))
                ret->running++;
            else
                ret->pending += soon__slot_is_unclaimed(&process->locked.slots[slot]);
        }
    }
    ret->workers_running = pool->locked.ready - ret->idle;
    soon__mutex_unlock(&pool->backlog.mutex);
}

static size_t width(void *self)
{
    return ((struct soon__process_pool *)self)->options.max;
}

static void pool_free(void *self)
{
    struct soon__process_pool *pool = self;

    soon__launch_fini(&pool->launch);
    soon__backlog_fini(&pool->backlog);
    free(pool);
}

static const struct soon__executor_class pool_class = {
    .public = {.size = sizeof(soon_executor_class),
               .name = "process pool",
               .submit = submit,
               .take_back = take_back,
               .kill = kill_call,
               .shutdown = soon__process_pool_shutdown,
               .stats = stats,
               .free = pool_free},
    .of_library = true,
    .boot = boot,
    .reason = soon__backlog_reason,
    .counted_here = soon__backlog_counted_here,
    .width = width,
    .workers = workers,
    .tries_again = true,
    .tells_no_start = true,
    .takes_items = true,
    .ends_on_loop = true,
    .call_flags = SOON__CALL_SPIN_HOOK,
    .mappable_above = SOON__BODY_MAX,
    .ask_to_cancel = ask_to_cancel,
    .refresh = refresh,
    .spin = soon__process_pool_spin,
};

static int check_options(const soon_process_pool_options *o)
{
    const struct soon__range ranges[] = {
        {"max_tasks_per_worker", o->max_tasks_per_worker, 0, INT_MAX}, {"max_restarts", o->max_restarts, -1, INT_MAX},
        {"start_timeout_ms", o->start_timeout_ms, 0, INT64_MAX},       {"grace_ms", o->grace_ms, -1, INT64_MAX},
        {"on_worker_death", (int)o->on_worker_death, 0, SOON_BREAK},
    };
    int rc = soon__pool_options_check(o->workers, o->idle_timeout_ms, o->when_full, o->initializer);

    if (rc == 0)
        rc = soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);
    if (rc < 0)
        return rc;
    if (o->load && (o->worker_program || o->worker_args))
        return soon__refuse(-EINVAL, ".load and .%s are both set: objects are loaded by a program of the library's own",
                            o->worker_program ? "worker_program" : "worker_args");
    if (o->initializer && (o->initializer->flags & SOON_FUNCTION_LOCAL))
        return soon__refuse(SOON_ELOCAL, ".initializer = %s shares memory with its caller: make it with SOON_TASK",
                            o->initializer->name);
    return 0;
}

static void copy_options(struct soon__process_pool *pool, const soon_process_pool_options *o)
{
    pool->options.cpus = (size_t)soon__cpu_count();
    pool->options.max = o->workers ? (size_t)o->workers : pool->options.cpus;
    pool->options.idle_timeout_ns = soon__span_ns(o->idle_timeout_ms, 0);
    pool->options.start_timeout_ns = soon__span_ns(o->start_timeout_ms, 10000);
    pool->options.grace_ns = o->grace_ms < 0 ? 0 : soon__span_ns(o->grace_ms, 3000);
    pool->options.tasks_per_worker = (size_t)o->max_tasks_per_worker;
    pool->options.memory_limit = o->memory_limit;
    pool->options.may_retire =
        pool->options.tasks_per_worker || pool->options.idle_timeout_ns || pool->options.memory_limit;
    pool->options.max_restarts = o->max_restarts ? o->max_restarts : 5;
    pool->options.break_on_death = o->on_worker_death == SOON_BREAK;
    pool->options.spin_ns = pool->options.cpus > 1 ? SPIN_NS : 0;
}

/* A call that was posted counts against the bound until it is claimed. */
static size_t pending_locked(struct soon__backlog *backlog)
{
    return soon__process_pool_pending_locked((struct soon__process_pool *)backlog);
}

static int pool_new(struct soon__process_pool **ret, const soon_process_pool_options *o)
{
    struct soon__process_pool *pool = calloc(1, sizeof *pool);
    int rc;

    if (!pool)
        return -ENOMEM;
    pool->backlog.pending_locked = pending_locked;
    atomic_init(&pool->backlog.inject.word, SOON__SHUT);
    pool->locked.alarm = pool->locked.inspect_at = SOON__NEVER;
    soon__surroundings_take(&pool->surroundings);
    copy_options(pool, o);
    pool->launch = (struct soon__launch){.program.file = -1, .directory = -1, .null = -1};
    rc = soon__backlog_init(&pool->backlog, &(struct soon__backlog_options){
                                                .name = o->name,
                                                .bound = o->queue_max,
                                                .initializer = {.function = o->initializer,
                                                                .arg = {o->initializer_arg, o->initializer_arg_size},
                                                                .extra = o->initializer_extra},
                                            });
    if (rc == 0)
        rc = soon__launch_init(&pool->launch, o);
    if (rc < 0) {
        pool_free(pool);
        return rc;
    }
    *ret = pool;
    return 0;
}

static int executor_new(soon_executor **ret, const soon_process_pool_options *options, size_t size)
{
    soon_process_pool_options o;
    struct soon__process_pool *pool = NULL;
    int rc = soon__options_read(&o, sizeof o, options, size);

    if (rc == 0)
        rc = check_options(&o);
    if (rc == 0)
        rc = soon__processes_supported();
    if (rc == 0)
        rc = soon__library_start();
    if (rc == 0)
        rc = pool_new(&pool, &o);
    if (rc < 0)
        return rc;
    soon__trace_start_asked();
    rc = soon__executor_new(&pool->backlog.executor, &pool_class, pool, o.when_full);
    if (rc < 0) {
        pool_free(pool);
        return rc;
    }
    if (!pool->options.spin_ns)
        pool->backlog.executor->klass.call_flags = 0; /* no thread is to spin for a reply */
    pool->backlog.executor->shared = soon__shared_ref(o.shared);
    soon__process_pool_watch(pool);
    soon__executor_publish(pool->backlog.executor, o.name ? o.name : pool->backlog.name);
    *ret = pool->backlog.executor;
    return 0;
}

int soon_process_pool_new_sized(soon_executor **ret, const soon_process_pool_options *options, size_t size)
{
    soon_executor *executor = NULL;
    int rc = ret ? executor_new(&executor, options, size) : soon__is_null("ret");

    if (ret)
        *ret = executor;
    return soon__failed(rc, "soon_process_pool_new");
}
