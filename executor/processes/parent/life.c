/*
 * life.c - a worker process from its start to its end, as the library's loop sees it: adopted, ready, answering,
 * signalled, dead, reaped. Loop thread only, but for what marks under the mutex.
 *
 * Signals: a process that is to go gets SIGTERM, and SIGKILL when the grace period is over. One that was killed for a
 * task that has ended meanwhile is let live. One that we may not signal is asked by its socket, and if it does not end for
 * that its tasks are not waited for.
 */
#include "state_internal.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KILLED_AT_ONCE = 16 }; /* starts that others ended are made up for at once, so many in a row */
#define BACK_OFF_FIRST_NS INT64_C(10000000)
#define BACK_OFF_MAX_NS INT64_C(1000000000)
#define ONE_TURN_NS INT64_C(1000000) /* a timer that is set on the loop and not over at once: it polls before that */
#define LEAVE_NS INT64_C(3000000000) /* for one that was asked to end by itself */

static void died(struct soon__process *process);
static void abandon(struct soon__process *process);
static void drop_corrupt(struct soon__process *process);
static void on_death(struct soon__watch *watch);
static void on_bell(struct soon__watch *watch);
static void on_control(struct soon__watch *watch);
static void on_overdue(uv_timer_t *timer);
static void on_turn(uv_timer_t *timer);

/*
 * Signals
 */

/* We have given up our rights, or it has others by now. Its control thread does what we may not, whatever its task does.
 * There is no grace then: a task that was not signalled does not know of it. */
static void ask_to_end(struct soon__process *process, int why)
{
    struct soon__message end = {
        .magic = SOON__CHANNEL_MAGIC, .kind = SOON__MESSAGE_END, .version = SOON__CHANNEL_VERSION};

    process->denied = why;
    process->signal_sent = SIGKILL;
    (void)soon__socket_send(process->control, &end, sizeof end, NULL, 0);
    soon__socket_hang_up(process->control); /* it ends for that, too: if the socket was full */
    soon__loop_timer(&process->timer, on_overdue, soon__later(soon__clock_ns(), LEAVE_NS));
}

void soon__process_kill(struct soon__process *process, int signal)
{
    int rc;

    assert(soon__library_on_loop());
    if (process->signal_sent == SIGKILL || process->signal_sent == signal)
        return;
    process->signal_sent = signal;
    rc = soon__process_signal(process->watch, process->pid, signal);
    if (rc < 0 && rc != -ESRCH) /* that: its death is on its way to us */
        ask_to_end(process, rc);
    else if (signal != SIGKILL)
        soon__loop_timer(&process->timer, on_overdue, soon__later(soon__clock_ns(), process->pool->grace_ns));
}

static void stop(struct soon__process *process)
{
    soon__process_kill(process, process->pool->grace_ns ? SIGTERM : SIGKILL);
}

/* What a starting process has waited for a CPU is not its own time: many start at once, or others take the machine. Nor
 * is what this thread has waited for one: what the process has sent meanwhile is read before it is given up. */
static bool has_more_time(struct soon__process *process)
{
    int64_t now = soon__clock_ns();
    int64_t until = soon__later(process->ready_by, soon__process_starved_ns(process->pid));

    if (until <= now && process->late)
        return false;
    process->late = until <= now;
    soon__loop_timer(&process->timer, on_overdue, soon__later(process->late ? now : until, ONE_TURN_NS));
    return true;
}

/* It was to be ready, or gone, by now. */
static void on_overdue(uv_timer_t *timer)
{
    struct soon__process *process = timer->data;
    bool starting;

    soon__mutex_lock(&process->pool->mutex);
    starting = process->stage == SOON__STARTING;
    soon__mutex_unlock(&process->pool->mutex);
    if (starting && !process->signal_sent && has_more_time(process))
        return;
    if (process->denied) {
        abandon(process);
    } else if (starting) {
        process->timed_out = true;
        soon__process_kill(process, SIGKILL);
    } else if (process->signal_sent == SIGTERM) {
        soon__process_kill(process, SIGKILL);
    } else {
        stop(process);
    }
}

/* Not counted among those that take work any more. */
static void leave_service_locked(struct soon__process *process, int stage)
{
    struct soon__process_pool *pool = process->pool;

    if (process->stage == SOON__STARTING || process->stage == SOON__READY)
        pool->locked.alive--;
    if (process->stage == SOON__READY)
        pool->locked.ready--;
    process->stage = stage;
}

/* P13 */
static void pass_sentence_locked(struct soon__process *process, int code, uint32_t slot)
{
    if (slot < SOON__SLOTS) {
        if (!process->slots[slot].sentence)
            process->slots[slot].sentence = code;
    } else if (!process->condemned) {
        process->condemned = true;
        process->condemned_for = code;
    }
}

/* Before it is ended: a task that listens gets the grace period to end by itself. */
static void ask_to_stop_locked(struct soon__process *process, uint32_t slot)
{
    for (uint32_t each = 0; each < SOON__SLOTS; each++) {
        if ((slot == each || slot == SOON__SLOTS) && process->slots[each].stage == SOON__SLOT_IN_USE)
            soon__channel_request_stop(&process->channel, each);
    }
}

void soon__process_condemn_locked(struct soon__process *process, int code, uint32_t slot)
{
    if (process->stage == SOON__DEAD)
        return;
    pass_sentence_locked(process, code, slot);
    ask_to_stop_locked(process, slot);
    if (process->stage == SOON__DOOMED)
        return;
    leave_service_locked(process, SOON__DOOMED);
    soon__process_return_unclaimed_locked(process);
    soon__process_pool_look_soon_locked(process->pool);
}

/* The tasks that it was doomed for have ended by themselves. */
static bool reprieve_locked(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    if (process->condemned)
        return false;
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (process->slots[slot].stage == SOON__SLOT_IN_USE && process->slots[slot].sentence)
            return false;
    }
    soon__channel_stop_none(&process->channel);
    process->stage = SOON__READY;
    pool->locked.alive++;
    pool->locked.ready++;
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool); /* the limits of what it has begun meanwhile */
    return true;
}

void soon__process_execute(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    bool reprieved;
    int rc = soon__process_drain(process, false);

    if (rc < 0) {
        drop_corrupt(process);
        return;
    }
    if (rc > 0)
        uv_timer_start(&process->again, on_turn, 0, 0);
    soon__mutex_lock(&pool->mutex);
    reprieved = reprieve_locked(process);
    if (!reprieved) /* one whose task listens holds the signal off, and ends when that has ended */
        soon__channel_retire(&process->channel);
    soon__mutex_unlock(&pool->mutex);
    if (!reprieved)
        stop(process);
}

void soon__process_retire_locked(struct soon__process *process)
{
    leave_service_locked(process, SOON__RETIRING);
    soon__channel_retire(&process->channel);
    soon__loop_timer(&process->timer, on_overdue, soon__later(soon__clock_ns(), LEAVE_NS));
}

/*
 * Starts
 */

static int64_t back_off_locked(const struct soon__process_pool *pool)
{
    int short_starts = pool->locked.short_starts;
    int times = pool->locked.failed_starts + short_starts + (short_starts > 0);

    if (times > 1)
        return times > 7 ? BACK_OFF_MAX_NS : BACK_OFF_FIRST_NS << (times - 2);
    return pool->locked.killed_starts > KILLED_AT_ONCE ? BACK_OFF_FIRST_NS : 0;
}

/* As long as the allowed number of starts may take. */
static int64_t patience_ms(const struct soon__process_pool *pool)
{
    int64_t ms;

    if (pool->max_restarts < 0 || __builtin_mul_overflow(pool->start_timeout_ns / 1000000, pool->max_restarts, &ms))
        return INT64_MAX;
    return ms;
}

/* A signal from outside says nothing about the program: that is given up only when no worker has become ready for that
 * long. */
static bool gives_up_locked(const struct soon__process_pool *pool, int64_t now)
{
    if (pool->max_restarts < 0 || pool->locked.ready)
        return false;
    return pool->locked.failed_starts >= pool->max_restarts ||
           (pool->locked.killed_starts >= pool->max_restarts &&
            (now - pool->locked.failing_since_ns) / 1000000 >= patience_ms(pool));
}

/* What waits then fails. */
static int64_t short_until(const struct soon__process_pool *pool)
{
    int64_t ms = patience_ms(pool);

    return pool->locked.short_since_ns && ms < INT64_MAX / 1000000
               ? soon__later(pool->locked.short_since_ns, ms * 1000000)
               : SOON__NEVER;
}

/* True: no worker was ready for so long. With one that is, or when nobody has asked for one meanwhile, time begins anew. */
static bool is_short_for_long_locked(struct soon__process_pool *pool, int64_t now)
{
    int64_t since = pool->locked.short_since_ns;
    bool anew = now - pool->locked.short_ns > 3 * BACK_OFF_MAX_NS + pool->start_timeout_ns;

    pool->locked.short_ns = now;
    pool->locked.short_since_ns = pool->locked.ready ? 0 : !since || anew ? now : since;
    return pool->locked.short_since_ns && now >= short_until(pool);
}

/* P14. One could not be started, or not become ready, for want of something. */
static void start_was_short(struct soon__process_pool *pool, int code)
{
    soon_error fields = {.code = code};
    int64_t now = soon__clock_ns();
    bool give_up;

    soon__mutex_lock(&pool->mutex);
    pool->locked.short_starts += pool->locked.short_starts < INT_MAX;
    soon__process_pool_want_none_locked(pool);
    give_up = is_short_for_long_locked(pool, now);
    if (give_up) { /* who comes later waits anew */
        pool->locked.short_starts = 1;
        pool->locked.short_since_ns = 0;
    }
    pool->locked.start_again_at = soon__later(now, back_off_locked(pool));
    if (pool->locked.start_again_at > short_until(pool))
        pool->locked.start_again_at = short_until(pool);
    if (pool->locked.at_least)
        pool->locked.start_error = code;
    soon__condition_tell_all(&pool->ready);
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->mutex);
    if (give_up)
        soon__process_pool_fail_pending(pool, soon__error_newf(&fields, "no worker could be started in %lld ms: %s",
                                                               (long long)patience_ms(pool), soon__shortage(code)));
}

/* One did not get ready, for `why`. `killed`: by somebody else. */
static void start_failed(struct soon__process_pool *pool, bool killed, int code, const char *why)
{
    soon_error fields = {.code = SOON_EBROKEN};
    int64_t now = soon__clock_ns();
    bool give_up;
    int times;

    soon__mutex_lock(&pool->mutex);
    if (!pool->locked.failed_starts && !pool->locked.killed_starts)
        pool->locked.failing_since_ns = now;
    pool->locked.failed_starts += !killed;
    pool->locked.killed_starts += killed;
    times = pool->locked.failed_starts + pool->locked.killed_starts;
    pool->locked.start_again_at = soon__later(now, back_off_locked(pool));
    soon__process_pool_want_none_locked(pool);
    give_up = gives_up_locked(pool, now);
    if (code && (pool->locked.at_least || give_up))
        pool->locked.start_error = code;
    soon__condition_tell_all(&pool->ready);
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->mutex);
    if (give_up)
        soon__process_pool_break(
            pool,
            soon__error_newf(&fields, "%d workers in a row died before they were ready, the last one %s", times, why));
}

/* Its bell is told of once for each ring: that goes on where it cannot be made quiet. */
static int watch_all(struct soon__process *process)
{
    int rc;

    process->on_bell.ready = on_bell;
    process->on_control.ready = on_control;
    process->on_death.ready = on_death;
    rc = soon__library_watch(&process->on_bell, process->channel.bell, true);
    if (rc == 0)
        rc = soon__library_watch(&process->on_control, process->control, false);
    if (rc == 0)
        rc = process->watch < 0 ? -ESRCH : soon__library_watch(&process->on_death, process->watch, false);
    return rc;
}

void soon__process_start_is_short(struct soon__process *process, int code)
{
    process->shortage = soon__shortage(code) ? code : 0;
    soon__process_kill(process, SIGKILL);
}

static void adopt(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    int rc;

    uv_timer_init(soon__library_uv(), &process->timer);
    process->timer.data = process;
    uv_timer_init(soon__library_uv(), &process->again);
    process->again.data = process;
    process->handles = 2;
    rc = watch_all(process);
    process->ready_by = soon__later(soon__clock_ns(), pool->start_timeout_ns);
    soon__loop_timer(&process->timer, on_overdue, process->ready_by);
    soon__mutex_lock(&pool->mutex);
    process->next = pool->locked.processes;
    if (process->next)
        process->next->previous = process;
    pool->locked.processes = process;
    soon__mutex_unlock(&pool->mutex);
    if (rc == 0) {
        (void)soon__channel_want_bell(&process->channel, 0);
        return;
    }
    /* It is dead already, and somebody else has reaped it; or we could not hear of its end, which comes at once then. */
    if (process->watch >= 0)
        soon__process_start_is_short(process, rc);
    died(process);
}

void soon__process_begin(struct soon__process_pool *pool)
{
    struct soon__process *process;
    char why[SOON__CRASH_TEXT];
    int rc = soon__process_new(&process, pool);

    if (rc == 0) {
        adopt(process);
        return;
    }
    soon__mutex_lock(&pool->mutex);
    pool->locked.alive--;
    pool->locked.present--;
    soon__mutex_unlock(&pool->mutex);
    if (soon__shortage(rc))
        start_was_short(pool, rc);
    else
        start_failed(pool, false, rc, soon__launch_explain(&pool->launch, rc, why, sizeof why));
}

static void initializer_failed(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__error *error = process->initializer_error;

    process->initializer_error = NULL;
    soon__mutex_lock(&pool->mutex);
    soon__process_retire_locked(process);
    soon__mutex_unlock(&pool->mutex);
    process->unwanted = true;
    soon__process_pool_break(pool, error);
}

/* One more is ready: it gets the oldest that wait, not what came after those that were posted ahead of time. */
static void return_unclaimed_locked(struct soon__process_pool *pool)
{
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->stage == SOON__READY && process->assigned > 1)
            soon__process_return_unclaimed_locked(process);
    }
}

void soon__process_is_ready(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    soon_error fields = {.code = SOON_EBROKEN};
    int rc = 0;

    if (process->dying || process->signal_sent) /* it was given up before this was heard */
        return;
    if (pool->initializer.function && !process->initialised) {
        process->initialised = true;
        soon__mutex_lock(&pool->mutex);
        if (soon__directory_find(&process->directory, pool->initializer.function) >= 0)
            rc = soon__process_post_initializer_locked(process);
        else
            process->initializer_error =
                soon__error_newf(&fields, "the initializer failed: %s: %s", pool->initializer.function->name,
                                 soon_strerror(SOON_ENOFUNCTION));
        soon__mutex_unlock(&pool->mutex);
        if (rc < 0)
            soon__process_start_is_short(process, rc);
        if (!process->initializer_error)
            return;
    }
    if (process->initializer_error) {
        initializer_failed(process);
        return;
    }
    soon__mutex_lock(&pool->mutex);
    if (process->stage == SOON__STARTING) {
        soon__loop_timer(&process->timer, on_overdue, SOON__NEVER); /* else that is for another end */
        process->stage = SOON__READY;
        process->served = true;
        process->idle_since = soon__clock_ns();
        pool->locked.ready++;
        pool->locked.failed_starts = pool->locked.killed_starts = pool->locked.short_starts = 0;
        pool->locked.short_since_ns = 0;
        pool->locked.start_again_at = 0;
        if (pool->locked.ready >= pool->max)
            pool->locked.at_least = 0; /* they may retire again, whoever waits for the boot */
        soon__condition_tell_all(&pool->ready);
        return_unclaimed_locked(pool);
        soon__process_pool_dispatch_locked(pool, soon__clock_ns());
        soon__process_pool_look_soon_locked(pool); /* its idle timeout begins */
    }
    soon__mutex_unlock(&pool->mutex);
}

/*
 * Replies
 */

/* It writes nonsense. */
static void drop_corrupt(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    process->corrupt = true;
    soon__mutex_lock(&pool->mutex);
    soon__process_condemn_locked(process, 0, SOON__SLOTS);
    soon__mutex_unlock(&pool->mutex);
    soon__process_kill(process, SIGKILL);
}

void soon__process_serve(struct soon__process *process)
{
    int rc;

    soon__channel_want_no_bell(&process->channel);
    rc = soon__process_drain(process, false);
    if (rc < 0)
        drop_corrupt(process);
    else if (rc > 0)
        uv_timer_start(&process->again, on_turn, 0, 0); /* there is more: after others had theirs */
}

static void on_turn(uv_timer_t *timer)
{
    soon__process_serve(timer->data);
}

#define PROCESS_OF(watch, member) ((struct soon__process *)((char *)(watch)-offsetof(struct soon__process, member)))

static void on_bell(struct soon__watch *watch)
{
    struct soon__process *process = PROCESS_OF(watch, on_bell);
    struct soon__process_pool *pool = process->pool;

    soon__bell_quiet(process->channel.bell);
    soon__process_serve(process);
    soon__process_pool_stay(pool);
    /* A claim may have made room in a bounded queue; or the worker is over its memory limit. */
    soon__mutex_lock(&pool->mutex);
    soon__condition_tell_all(&pool->place);
    if (pool->memory_limit)
        soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->mutex);
}

static int receive(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    int rc;

    soon__mutex_lock(&pool->mutex);
    while (process->is_read)
        soon__condition_wait(&pool->read, &pool->mutex, SOON__NEVER);
    process->is_read = true;
    soon__mutex_unlock(&pool->mutex);
    rc = soon__process_receive(process);
    soon__mutex_lock(&pool->mutex);
    process->is_read = false;
    soon__condition_tell_all(&pool->read);
    soon__mutex_unlock(&pool->mutex);
    return rc;
}

static void on_control(struct soon__watch *watch)
{
    struct soon__process *process = PROCESS_OF(watch, on_control);
    int rc = process->corrupt ? 0 : receive(process);

    if (rc < 0)
        drop_corrupt(process);
    if (rc <= 0)
        soon__library_unwatch(watch); /* its end is closed: that is not its death yet */
}

/* What the channel says of a process's slots. */
struct claims {
    uint64_t claimed[SOON__SLOTS]; /* the request's number; 0: it is not claimed */
    bool garbage, asleep;
};

static void read_claims(struct soon__process *process, struct claims *ret)
{
    enum soon__look look;

    *ret = (struct claims){.garbage = false};
    soon__mutex_lock(&process->pool->mutex);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (process->slots[slot].stage != SOON__SLOT_IN_USE)
            continue;
        look = soon__channel_look(&process->channel, slot, process->slots[slot].sequence);
        ret->garbage |= look == SOON__LOOK_GARBAGE;
        if (look == SOON__LOOK_CLAIMED)
            ret->claimed[slot] = process->slots[slot].sequence;
    }
    ret->asleep = soon__channel_is_asleep(&process->channel);
    soon__mutex_unlock(&process->pool->mutex);
}

/* How many of those claims have no answer. */
static size_t count_unanswered(struct soon__process *process, const struct claims *claims)
{
    size_t count = 0;

    soon__mutex_lock(&process->pool->mutex);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
        count += claims->claimed[slot] && process->slots[slot].stage == SOON__SLOT_IN_USE &&
                 process->slots[slot].sequence == claims->claimed[slot];
    soon__mutex_unlock(&process->pool->mutex);
    return count;
}

/* A worker answers what it has claimed before it claims another one, and before it sleeps. So of the claims that were
 * seen before its answers were taken in, one is left at most, and none if it slept. */
void soon__process_inspect(struct soon__process *process)
{
    struct claims claims;
    size_t left;

    soon__channel_wake_anyway(&process->channel); /* whatever it says of its sleep */
    read_claims(process, &claims);
    soon__process_serve(process);
    left = count_unanswered(process, &claims);
    if (claims.garbage || left > (claims.asleep ? 0 : 1))
        drop_corrupt(process);
}

/*
 * Death
 */

static void gone(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    soon__mutex_lock(&pool->mutex);
    pool->locked.present--;
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->mutex);
    soon__process_close(process);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct soon__process *process = handle->data;

    if (--process->handles == 0)
        gone(process);
}

static void close_handles(struct soon__process *process)
{
    soon__library_unwatch(&process->on_bell);
    soon__library_unwatch(&process->on_control);
    soon__library_unwatch(&process->on_death);
    uv_close((uv_handle_t *)&process->timer, on_handle_closed);
    uv_close((uv_handle_t *)&process->again, on_handle_closed);
}

/* What it had. */
static size_t take_lost_locked(struct soon__process *process, struct soon__assignment lost[SOON__SLOTS],
                               uint32_t lost_slots[SOON__SLOTS])
{
    size_t count = 0;

    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (process->slots[slot].stage != SOON__SLOT_IN_USE)
            continue; /* empty, or left to who is filling it */
        if (process->slots[slot].call) {
            process->slots[slot].call->posted = false;
            lost[count] = process->slots[slot];
            lost_slots[count++] = slot;
        }
        soon__process_release_locked(process, slot, soon__clock_ns());
    }
    return count;
}

/* Off the list; what it had not claimed goes back; `lost`: what it had. */
static size_t bury_locked(struct soon__process *process, struct soon__assignment lost[SOON__SLOTS],
                          uint32_t lost_slots[SOON__SLOTS])
{
    struct soon__process_pool *pool = process->pool;
    size_t count;

    soon__process_return_unclaimed_locked(process);
    leave_service_locked(process, SOON__DEAD);
    if (pool->locked.spinner == process)
        pool->locked.spinner = NULL;
    count = take_lost_locked(process, lost, lost_slots);
    if (process->next)
        process->next->previous = process->previous;
    if (process->previous)
        process->previous->next = process->next;
    else
        pool->locked.processes = process->next;
    return count;
}

static bool died_by_itself(const struct soon__process *process, int stage)
{
    return stage == SOON__READY || (stage == SOON__STARTING && !process->unwanted && !process->shortage) ||
           process->corrupt;
}

static void break_for_death(struct soon__process_pool *pool, const char *how)
{
    soon_error fields = {.code = SOON_EBROKEN};

    soon__process_pool_break(pool, soon__error_newf(&fields, "a worker died: %s", how));
}

/* It has ended by itself before its first word, which soon_init() says. */
static void add_silence(const struct soon__process *process, const struct soon__exit *exit, char *text, size_t size)
{
    size_t length = strlen(text);

    if (!process->greeted && exit->known && !exit->killed && exit->number != SOON__EXIT_LOAD)
        snprintf(text + length, size - length, ", and had not come to soon_init()");
}

static void count_failed_start(struct soon__process *process, const struct soon__exit *exit)
{
    bool killed =
        exit->known && exit->killed && (exit->number == SIGKILL || exit->number == SIGTERM) && !process->signal_sent;
    char why[SOON__CRASH_TEXT];

    if (process->shortage) {
        start_was_short(process->pool, process->shortage);
        return;
    }
    if (process->timed_out)
        snprintf(why, sizeof why, "was not ready in %lld ms", (long long)(process->pool->start_timeout_ns / 1000000));
    else if (process->corrupt)
        snprintf(why, sizeof why, "said what no worker says");
    else
        soon__launch_add_missing(&process->pool->launch, exit, soon__crash_describe(why, sizeof why, exit), sizeof why);
    add_silence(process, exit, why, sizeof why);
    start_failed(process->pool, killed, 0, why);
}

/* How it ended. What cannot be reaped yet is kept, with its watch: nothing is to be signalled any more. */
static void reap(struct soon__process *process, struct soon__exit *ret)
{
    if (process->watch < 0) /* its number may be another's by now */
        return;
    if (soon__process_reap(process->watch, process->pid, ret))
        return;
    soon__remains_keep(process->remains, process->watch, process->pid);
    process->remains = NULL;
    process->watch = -1;
}

/* What came back from one that is no use any more. */
static void hand_out(struct soon__process_pool *pool)
{
    soon__mutex_lock(&pool->mutex);
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->mutex);
}

/* It could not be ended, nor does it do that itself: it has become another program, or stands still. Its tasks are waited
 * for no longer. It is: its place is its own until it is gone (P12). */
static void abandon(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment lost[SOON__SLOTS];
    uint32_t slots[SOON__SLOTS];
    size_t count;

    (void)soon__process_drain(process, true);
    soon__mutex_lock(&pool->mutex);
    count = take_lost_locked(process, lost, slots);
    soon__mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < count; i++)
        soon__process_lost_call(process, &lost[i], slots[i], &(struct soon__exit){.denied = process->denied});
    hand_out(pool);
}

static void died(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__assignment lost[SOON__SLOTS];
    uint32_t slots[SOON__SLOTS];
    char how[SOON__CRASH_TEXT];
    struct soon__exit exit = {.known = false};
    int stage;
    size_t count;

    process->dying = true;
    /* What it could still tell counts (P4). */
    (void)receive(process);
    (void)soon__process_drain(process, true);
    if (process->watch >= 0) /* what it has left in its group goes with it; its number is its own until it is reaped */
        (void)soon__process_signal(process->watch, process->pid, SIGKILL);
    reap(process, &exit);
    if (!process->served && !process->shortage)
        process->shortage = soon__crash_shortage(&exit);
    soon__crash_describe(how, sizeof how, &exit);
    soon__mutex_lock(&pool->mutex);
    stage = process->stage;
    pool->locked.deaths += died_by_itself(process, stage);
    count = bury_locked(process, lost, slots);
    soon__mutex_unlock(&pool->mutex);
    if (pool->break_on_death &&
        (stage == SOON__READY || (stage == SOON__STARTING && !process->signal_sent && !process->shortage)))
        break_for_death(pool, how);
    for (size_t i = 0; i < count; i++)
        soon__process_lost_call(process, &lost[i], slots[i], &exit);
    if (!process->served && !process->unwanted)
        count_failed_start(process, &exit);
    close_handles(process);
    hand_out(pool);
}

static void on_death(struct soon__watch *watch)
{
    died(PROCESS_OF(watch, on_death));
}
