/*
 * end.c - ending an executor: it is shut down, then freed. soon_executor_free() waits for that; soon_executor_end()
 * does not, and somebody is told:
 *
 *     BEGUN --workers gone--> DOWN --timer closed, no reference left--> freed and told
 *       |                       ^
 *       +--grace is over--> a stronger mode
 *
 * E1  Once `given_up` is claimed, nobody else frees the executor. It lives until both references are given up: that of
 *     its end, and that of a stronger mode which is on its way to the callback thread.
 * E2  The timer belongs to the library's loop. The job that opens it is posted before the job that closes it, and that
 *     one before the end gives its reference up. So the executor is alive when the timer is due.
 * E3  A class's own functions are the program's code, and so not for the library's loop: the callback thread asks for a
 *     stronger mode of an executor of the user's own. The library's pools are asked by the loop itself, since a
 *     callback that takes long, perhaps because it waits for a task, must not keep the grace from ending.
 * E4  All memory is there before the shutdown begins, so nothing can fail after that.
 * E5  The word that it is gone goes to the program's loop by way of the callback thread, and so comes behind what that
 *     has to bring there for futures of the executor.
 */
#include "../../futures/callback_internal.h"
#include "../loops/library_loop_internal.h"
#include "../loops/library_timer_internal.h"
#include "../loops/loop_internal.h"
#include "executor_table_internal.h"
#include "notice_internal.h"
#include "on_signal_internal.h"
#include "shutdown_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct ending {
    soon_executor *executor;
    soon_end_options options;
    int64_t deadline; /* of `options.mode`; SOON__NEVER: none */
    _Atomic uint32_t refs;
    struct soon__callback on_down;
    struct soon__job open, close;          /* on the library's loop */
    struct soon__job stronger, tell, gone; /* on the callback thread */
    struct soon__loop_entry entry;         /* on the program's loop */
    uv_timer_t timer;
};

#define OF(type, member, pointer) ((struct type *)((char *)(pointer)-offsetof(struct type, member)))

/* The executor is down. This calls the class, which is user code where the program has written it. */
static void free_down(soon_executor *executor)
{
    soon__on_signal_free(executor);
    executor->freeing = true;
    if (executor->klass.public.free)
        executor->klass.public.free(executor->self);
    soon__notices_trim();
    soon__executor_withdraw(executor);
    soon__executor_destroy(executor);
}

/*
 * With waiting
 */

static int free_executor(soon_executor *executor)
{
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    /* Relaxed: it only finds a mistake of a single thread. */
    if (atomic_load_explicit(&executor->given_up, memory_order_relaxed))
        return soon__refuse(-EINVAL, "soon_executor_end() has it, and will free it");
    if (executor->freeing || soon__thread_in_executor(executor) ||
        (!soon__executor_is_down(executor) && soon__executor_may_not_wait(executor)))
        return soon__refuse(
            SOON_EDEADLK, "the end would wait for what this thread is in the middle of; soon_executor_end() does not");
    rc = soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER);
    if (rc == 0)
        free_down(executor);
    return rc;
}

int soon_executor_free(soon_executor *executor)
{
    return executor ? soon__failed(free_executor(executor), "soon_executor_free") : 0;
}

/*
 * The end of an end without waiting
 */

static void finish(struct ending *ending, bool told)
{
    soon_end_options options = ending->options;

    free_down(ending->executor);
    free(ending);
    if (told && options.on_end)
        options.on_end(options.data);
    if (options.release)
        options.release(options.data);
}

static void finish_on_loop(void *data)
{
    finish(data, true);
}

static void run_entry(struct soon__loop_entry *entry)
{
    struct ending *ending = OF(ending, entry, entry);

    soon__loop_call(ending->options.loop, finish_on_loop, ending);
}

/* On any thread. */
static void drop_entry(struct soon__loop_entry *entry)
{
    soon__library_callbacks_post(&OF(ending, entry, entry)->gone);
}

static void run_gone(struct soon__job *job)
{
    struct ending *ending = OF(ending, gone, job);

    finish(ending, !ending->options.loop);
}

/* E5 */
static void run_tell(struct soon__job *job)
{
    struct ending *ending = OF(ending, tell, job);

    soon__loop_push(ending->options.loop, &ending->entry);
}

static void unref(struct ending *ending)
{
    /* Acquire-release: what others did with the executor comes before it is freed. */
    if (atomic_fetch_sub_explicit(&ending->refs, 1, memory_order_acq_rel) > 1)
        return;
    soon__library_callbacks_post(ending->options.loop ? &ending->tell : &ending->gone);
}

/*
 * The grace
 */

static void ask_stronger(struct ending *ending)
{
    /* Nobody could be told what the class returns. */
    (void)soon__executor_begin_shutdown(ending->executor, ending->options.then_mode);
}

static void run_stronger(struct soon__job *job)
{
    struct ending *ending = OF(ending, stronger, job);

    ask_stronger(ending);
    unref(ending);
}

/* E2, E3 */
static void on_timer(uv_timer_t *timer)
{
    struct ending *ending = timer->data;

    if (ending->executor->klass.of_library) {
        ask_stronger(ending);
        return;
    }
    /* Relaxed: the end has a reference of its own. */
    atomic_fetch_add_explicit(&ending->refs, 1, memory_order_relaxed);
    soon__library_callbacks_post(&ending->stronger);
}

static void run_open(struct soon__job *job)
{
    struct ending *ending = OF(ending, open, job);

    uv_timer_init(soon__library_uv(), &ending->timer);
    ending->timer.data = ending;
    soon__loop_timer(&ending->timer, on_timer, ending->deadline);
}

static void on_closed(uv_handle_t *timer)
{
    unref(timer->data);
}

static void run_close(struct soon__job *job)
{
    assert(soon__library_on_loop());
    uv_close((uv_handle_t *)&OF(ending, close, job)->timer, on_closed);
}

/* Runs on the thread that calls the program back. */
static void is_down(soon_future *down, void *data)
{
    struct ending *ending = data;

    (void)down;
    if (ending->deadline != SOON__NEVER)
        soon__library_loop_post(&ending->close);
    else
        unref(ending);
}

/*
 * The beginning
 */

static int check_modes(const soon_end_options *o)
{
    const struct soon__range ranges[] = {{"mode", (int)o->mode, 0, SOON_KILL},
                                         {"then_mode", (int)o->then_mode, 0, SOON_KILL},
                                         {"grace_ms", o->grace_ms, 0, INT64_MAX}};
    int rc = soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);

    if (rc < 0)
        return rc;
    if (o->then_mode && !o->grace_ms)
        return soon__refuse(-EINVAL, ".then_mode wants a .grace_ms, after which it is to follow");
    if (o->then_mode && o->then_mode <= o->mode)
        return soon__refuse(-EINVAL, ".then_mode = %d is not stronger than .mode = %d", o->then_mode, o->mode);
    if (o->grace_ms && o->mode == SOON_KILL)
        return soon__refuse(-EINVAL, ".grace_ms is set, but no mode is stronger than .mode = SOON_KILL");
    return 0;
}

static int check(const soon_executor *executor, const soon_end_options *o)
{
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    return executor->freeing ? SOON_EDEADLK : check_modes(o);
}

static int ending_new(struct ending **ret, soon_executor *executor, const soon_end_options *options)
{
    struct ending *ending = malloc(sizeof *ending);
    int rc;

    if (!ending)
        return -ENOMEM;
    *ending = (struct ending){
        .executor = executor,
        .options = *options,
        .deadline = options->grace_ms ? soon__deadline(options->grace_ms) : SOON__NEVER,
        .refs = 1,
        .on_down = {.kind = SOON__CALLBACK_INTERNAL, .fn = is_down, .data = ending},
        .open.run = run_open,
        .close.run = run_close,
        .stronger.run = run_stronger,
        .tell.run = run_tell,
        .gone.run = run_gone,
        .entry = {.run = run_entry, .drop = drop_entry},
    };
    if (!ending->options.then_mode)
        ending->options.then_mode = options->mode < SOON_TERMINATE ? SOON_TERMINATE : SOON_KILL;
    rc = options->loop ? soon__loop_count_in(options->loop) : 0;
    if (rc < 0)
        free(ending);
    else
        *ret = ending;
    return rc;
}

/* E1. Relaxed, both: one thread ends it, and what others have done with it comes before by other means. */
static int claim(soon_executor *executor)
{
    if (atomic_exchange_explicit(&executor->given_up, true, memory_order_relaxed))
        return soon__refuse(-EINVAL, "it is being ended already");
    return 0;
}

static int begin(struct ending *ending)
{
    soon_executor *executor = ending->executor;
    int rc = claim(executor);

    if (rc < 0)
        return rc;
    rc = soon__executor_begin_shutdown(executor, ending->options.mode);
    if (rc < 0)
        atomic_store_explicit(&executor->given_up, false, memory_order_relaxed);
    return rc;
}

static int end(soon_executor *executor, const soon_end_options *options)
{
    struct ending *ending = NULL;
    int rc = soon__library_start();

    if (rc == 0)
        rc = ending_new(&ending, executor, options);
    if (rc < 0)
        return rc;
    rc = begin(ending);
    if (rc < 0) {
        if (options->loop)
            soon__loop_count_out(options->loop);
        free(ending);
        return rc;
    }
    if (ending->deadline != SOON__NEVER)
        soon__library_loop_post(&ending->open);
    /* From here on the executor may be gone at any time. */
    if (soon__future_add_callback(executor->down_future, &ending->on_down) == 0)
        is_down(NULL, ending);
    return 0;
}

int soon_executor_end_sized(soon_executor *executor, const soon_end_options *options, size_t size)
{
    soon_end_options own;
    int rc = soon__options_read(&own, sizeof own, options, size);

    if (rc == 0)
        rc = check(executor, &own);
    if (rc == 0)
        rc = end(executor, &own);
    return soon__failed(rc, "soon_executor_end");
}
