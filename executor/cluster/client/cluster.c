/*
 * cluster.c - a cluster as an executor. The invariants are in state_internal.h.
 */
#include "../../cluster.h"

#include "../../../futures/park_internal.h"
#include "../../core/executor_table_internal.h"
#include "../../core/trace_internal.h"
#include "look_internal.h"
#include "send_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Submitting
 */

/* The loop is to end it with this code. */
static void refuse_locked(struct soon__cluster *cluster, soon_call *call, int code)
{
    soon__call_move(call, SOON__CALL_REFUSED);
    call->refusal = code;
    call->next = cluster->locked.refused;
    cluster->locked.refused = call;
    cluster->backlog.locked.ended[soon__ending_of_code(code)]++;
    soon__cluster_look_soon_locked(cluster);
}

/* F8: 1: the caller is to look, without the mutex. */
static int push_locked(struct soon__cluster *cluster, soon_call *call, bool bounded)
{
    int rc = soon__backlog_admit_locked(&cluster->backlog, bounded);
    bool is_first = cluster->locked.in_flight == 0 && cluster->backlog.locked.queue.count == 0;

    if (rc < 0)
        return rc;
    cluster->backlog.locked.submitted++;
    if (soon__call_extra(call) && soon__future_word(soon__call_future(call)) & SOON__CANCEL_REQUESTED)
        refuse_locked(cluster, call, -ECANCELED); /* on its way here, as a then may be */
    else
        soon__queue_push(&cluster->backlog.locked.queue, call);
    if (is_first && soon__cluster_begin_look_locked(cluster))
        return 1;
    soon__cluster_look_soon_locked(cluster);
    return 0;
}

static int push(struct soon__cluster *cluster, soon_call *call, bool bounded)
{
    int rc;

    soon__mutex_lock(&cluster->backlog.mutex);
    rc = push_locked(cluster, call, bounded);
    soon__mutex_unlock(&cluster->backlog.mutex);
    if (rc <= 0)
        return rc;
    soon__library_loop_run_or_post(&cluster->loop.look); /* until it has run, the cluster stays: F7 */
    return 0;
}

static int submit_bounded(struct soon__cluster *cluster, soon_call *call, bool may_block)
{
    soon_executor *executor = cluster->backlog.executor;
    int rc;

    /* The mutex is left in between, so the cluster must not end before we are out of here. */
    soon__executor_pin(executor);
    do {
        rc = push(cluster, call, true);
        if (rc != SOON_EFULL || !may_block)
            break;
        rc = soon__backlog_wait_for_place(&cluster->backlog, call);
    } while (rc == 0);
    soon__executor_unpin(executor);
    return rc;
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct soon__cluster *cluster = self;
    int rc = 0;

    if (call->function->flags & SOON_FUNCTION_LOCAL)
        return SOON_ELOCAL;
    if (soon__function_is_foreign(call->function))
        rc = soon__foreign_check(call);
    if (rc < 0)
        return rc;
    if (cluster->backlog.bound && !(call->flags & SOON__CALL_EXEMPT))
        return submit_bounded(cluster, call, may_block);
    return push(cluster, call, false);
}

/* Calls in flight that have not begun count against the bound, too. */
static size_t pending_locked(struct soon__backlog *backlog)
{
    const struct soon__cluster *cluster = (const struct soon__cluster *)backlog;

    return backlog->locked.queue.count + cluster->locked.in_flight - cluster->locked.running;
}

/*
 * Cancelling
 */

static bool take_back(void *self, soon_call *call)
{
    struct soon__cluster *cluster = self;
    bool taken;

    soon__mutex_lock(&cluster->backlog.mutex);
    taken = soon__call_place(call) == SOON__CALL_QUEUED;
    if (taken) {
        soon__queue_remove(&cluster->backlog.locked.queue, call);
        cluster->backlog.locked.ended[SOON__ENDED_CANCELLED]++;
        soon__condition_tell_one(&cluster->backlog.place);
        if (soon__backlog_is_ending_locked(&cluster->backlog))
            soon__cluster_look_soon_locked(cluster); /* it may have been the last */
    }
    soon__mutex_unlock(&cluster->backlog.mutex);
    return taken;
}

/* F1. What is asked for is in the future's bits. */
static void ask_locked(struct soon__cluster *cluster, soon_call *call)
{
    struct soon__flight *flight = call->flight;

    if (flight->locked.is_asked)
        return;
    flight->locked.is_asked = true;
    flight->locked.next_asked = cluster->locked.asked;
    cluster->locked.asked = flight;
    soon__cluster_look_soon_locked(cluster);
}

static void ask_to_cancel(void *self, soon_call *call)
{
    struct soon__cluster *cluster = self;

    soon__mutex_lock(&cluster->backlog.mutex);
    if (soon__call_place(call) == SOON__CALL_IN_FLIGHT)
        ask_locked(cluster, call);
    soon__mutex_unlock(&cluster->backlog.mutex);
}

static int kill_call(void *self, soon_call *call)
{
    struct soon__cluster *cluster = self;
    int rc = 0;

    /* Set before the mutex is taken, under which the loop, which may have the call in its hand, looks for it. */
    soon__future_set_bits(soon__call_future(call), SOON__KILL_REQUESTED);
    soon__mutex_lock(&cluster->backlog.mutex);
    if (soon__call_place(call) == SOON__CALL_IN_FLIGHT) {
        ask_locked(cluster, call);
    } else if (soon__call_place(call) == SOON__CALL_QUEUED) {
        soon__queue_remove(&cluster->backlog.locked.queue, call);
        refuse_locked(cluster, call, SOON_EKILLED);
    } else if (soon__word_final(soon__future_word(soon__call_future(call)))) {
        rc = SOON_EINVALIDSTATE;
    }
    soon__mutex_unlock(&cluster->backlog.mutex);
    return rc;
}

/*
 * The whole
 */

static int shut_down(void *self, soon_shutdown mode, soon_promise *down)
{
    struct soon__cluster *cluster = self;
    soon_call *pending = NULL;

    soon__mutex_lock(&cluster->backlog.mutex);
    soon__backlog_close_locked(&cluster->backlog, down);
    if (cluster->locked.stop < (int)mode)
        cluster->locked.stop = (int)mode;
    if (mode >= SOON_CANCEL_PENDING)
        pending =
            soon__backlog_take_all_locked(&cluster->backlog, &cluster->backlog.locked.ended[SOON__ENDED_CANCELLED]);
    soon__cluster_look_soon_locked(cluster);
    soon__mutex_unlock(&cluster->backlog.mutex);
    soon__calls_cancel(pending);
    return 0;
}

static bool is_starting_locked(struct soon__backlog *backlog)
{
    return !((const struct soon__cluster *)backlog)->locked.is_up;
}

/* None has refused either. */
static int refuse_silent(const struct soon__servers *servers)
{
    if (servers->count == 1)
        return soon__refuse(-ETIMEDOUT, "%s: no answer in this time", servers->each[0].text);
    return soon__refuse(-ETIMEDOUT, "%s and %zu more: no answer in this time", servers->each[0].text,
                        servers->count - 1);
}

static int boot(void *self, int64_t deadline)
{
    struct soon__cluster *cluster = self;
    char text[sizeof cluster->locked.start_text];
    struct soon__long_wait wait;
    int rc = soon__long_wait_begin(&wait);

    if (rc < 0)
        return rc;
    soon__mutex_lock(&cluster->backlog.mutex);
    cluster->backlog.locked.start_error = 0;
    rc = soon__backlog_wait_for_workers_locked(&cluster->backlog, is_starting_locked, deadline);
    snprintf(text, sizeof text, "%s", cluster->locked.start_text);
    soon__mutex_unlock(&cluster->backlog.mutex);
    soon__long_wait_end(&wait);
    if (rc == 0 || rc == SOON_EBROKEN || rc == SOON_ESHUTDOWN)
        return rc;
    if (rc > 0)
        rc = -ETIMEDOUT;
    return *text ? soon__refuse(rc, "%s", text) : rc == -ETIMEDOUT ? refuse_silent(cluster->servers) : rc;
}

static void stats(void *self, soon_stats *ret)
{
    struct soon__cluster *cluster = self;

    soon__mutex_lock(&cluster->backlog.mutex);
    soon__backlog_stats_locked(&cluster->backlog, ret);
    ret->pending = pending_locked(&cluster->backlog);
    ret->running = cluster->locked.running;
    /* Of the machines no more is known than how many slots they are said to have, as long as there is a server. */
    if (cluster->locked.is_up && !cluster->locked.is_closing) {
        ret->workers = cluster->options.slots > ret->running ? cluster->options.slots : ret->running;
        ret->workers_running = ret->running;
        ret->idle = ret->workers - ret->running;
    }
    ret->retries = cluster->locked.retries;
    ret->bytes_to_workers = cluster->locked.bytes_to;
    ret->bytes_from_workers = cluster->locked.bytes_from;
    soon__mutex_unlock(&cluster->backlog.mutex);
}

static size_t width(void *self)
{
    return ((struct soon__cluster *)self)->options.slots;
}

static void cluster_free(void *self)
{
    struct soon__cluster *cluster = self;

    free(cluster->loop.handles.buckets);
    soon__servers_free(cluster->servers);
    soon__backlog_fini(&cluster->backlog);
    free(cluster);
}

static const struct soon__executor_class cluster_class = {
    .public = {.size = sizeof(soon_executor_class),
               .name = "cluster",
               .submit = submit,
               .take_back = take_back,
               .kill = kill_call,
               .shutdown = shut_down,
               .stats = stats,
               .free = cluster_free},
    .of_library = true,
    .boot = boot,
    .reason = soon__backlog_reason,
    .counted_here = soon__backlog_counted_here,
    .width = width,
    .takes_items = true,
    .takes_foreign = true,
    .tells_no_start = true,
    .ends_on_loop = true,
    .ask_to_cancel = ask_to_cancel,
};

/*
 * Making one
 */

static int check_options(const soon_cluster_options *o)
{
    const struct soon__range ranges[] = {
        {"lease_ms", o->lease_ms, 0, INT64_MAX},
        {"grace_ms", o->grace_ms, -1, INT64_MAX},
        {"lost_after_ms", o->lost_after_ms, -1, INT64_MAX},
        {"slots", o->slots, 0, INT_MAX},
    };
    int rc = soon__pool_options_check(0, 0, o->when_full, NULL);

    if (rc == 0)
        rc = soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);
    if (rc < 0)
        return rc;
    if (o->when_full == SOON_FULL_RUN_HERE)
        return soon__refuse(-EINVAL, ".when_full = SOON_FULL_RUN_HERE: tasks of a cluster run on other machines");
    return o->servers ? 0 : soon__is_null(".servers");
}

static void copy_options(struct soon__cluster *cluster, const soon_cluster_options *o)
{
    cluster->options.in_flight_max = o->in_flight_max ? o->in_flight_max : 1024;
    cluster->options.lease_ns = soon__span_ns(o->lease_ms, 15000);
    cluster->options.grace_ns = o->grace_ms < 0 ? 0 : soon__span_ns(o->grace_ms, 3000);
    cluster->options.lost_after_ns = o->lost_after_ms < 0 ? SOON__NEVER : soon__span_ns(o->lost_after_ms, 60000);
    cluster->options.slots = o->slots ? (size_t)o->slots : 16;
}

static int cluster_new(struct soon__cluster **ret, const soon_cluster_options *o)
{
    struct soon__cluster *cluster = calloc(1, sizeof *cluster);
    const struct soon__backlog_options options = {.name = o->name, .bound = o->queue_max};
    int rc;

    if (!cluster)
        return -ENOMEM;
    cluster->backlog.pending_locked = pending_locked;
    atomic_init(&cluster->backlog.inject.word, SOON__SHUT);
    cluster->locked.stop = cluster->loop.stopped = -1;
    copy_options(cluster, o);
    rc = soon__backlog_init(&cluster->backlog, &options);
    if (rc == 0)
        rc = soon__servers_parse(&cluster->servers, o->servers);
    if (rc < 0)
        cluster_free(cluster);
    else
        *ret = cluster;
    return rc;
}

static int executor_new(soon_executor **ret, const soon_cluster_options *options, size_t size)
{
    struct soon__cluster *cluster = NULL;
    soon_cluster_options o;
    int rc = soon__options_read(&o, sizeof o, options, size);

    if (rc == 0)
        rc = check_options(&o);
    if (rc == 0)
        rc = soon__library_start();
    if (rc == 0)
        rc = cluster_new(&cluster, &o);
    if (rc < 0)
        return rc;
    soon__trace_start_asked();
    rc = soon__executor_new(&cluster->backlog.executor, &cluster_class, cluster, o.when_full);
    if (rc < 0) {
        cluster_free(cluster);
        return rc;
    }
    soon__cluster_start(cluster);
    soon__executor_publish(cluster->backlog.executor, o.name ? o.name : cluster->backlog.name);
    *ret = cluster->backlog.executor;
    return 0;
}

int soon_cluster_new_sized(soon_executor **ret, const soon_cluster_options *options, size_t size)
{
    soon_executor *executor = NULL;
    int rc = ret ? executor_new(&executor, options, size) : soon__is_null("ret");

    if (ret)
        *ret = executor;
    return soon__failed(rc, "soon_cluster_new");
}

/*
 * Its status
 */

static int wait_for_answer(struct soon__cluster *cluster, struct soon__question *question, int64_t deadline)
{
    struct soon__question **link;

    soon__mutex_lock(&cluster->backlog.mutex);
    if (cluster->locked.is_closing) {
        question->rc = SOON_ESHUTDOWN;
    } else {
        question->next = cluster->locked.questions;
        cluster->locked.questions = question;
        soon__cluster_look_soon_locked(cluster);
    }
    while (question->rc > 0 && soon__deadline_check(deadline) == 0)
        soon__condition_wait(&cluster->answered, &cluster->backlog.mutex, deadline);
    if (question->rc > 0) {
        for (link = &cluster->locked.questions; *link != question; link = &(*link)->next)
            ;
        *link = question->next;
        question->rc = -ETIMEDOUT;
    }
    soon__mutex_unlock(&cluster->backlog.mutex);
    return question->rc;
}

static int get_status(soon_executor *executor, int64_t timeout_ms, soon_cluster_status **ret)
{
    struct soon__question question = {.rc = 1};
    int64_t deadline = soon__deadline(timeout_ms);
    struct soon__long_wait wait;
    int rc = soon__executor_check(executor);

    if (rc == 0 && executor->klass.public.submit != submit)
        rc = soon__refuse(-EINVAL, "%s is no cluster", executor->name);
    if (rc == 0)
        rc = soon__check_timeout(timeout_ms);
    if (rc == 0 && soon__thread_self()->of_library)
        rc = SOON_EDEADLK;
    if (rc == 0 && !soon__executor_try_pin(executor))
        rc = SOON_ESHUTDOWN;
    if (rc < 0)
        return rc;
    rc = soon__long_wait_begin(&wait);
    if (rc == 0) {
        rc = wait_for_answer(executor->self, &question, deadline);
        soon__long_wait_end(&wait);
    }
    soon__executor_unpin(executor);
    *ret = question.answer;
    return rc;
}

int soon_cluster_get_status(soon_executor *cluster, int64_t timeout_ms, soon_cluster_status **ret)
{
    int rc = ret ? 0 : soon__is_null("ret");

    if (ret) {
        *ret = NULL;
        rc = get_status(cluster, timeout_ms, ret);
    }
    return soon__failed(rc, "soon_cluster_get_status");
}
