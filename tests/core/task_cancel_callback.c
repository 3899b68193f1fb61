/*
 * task_cancel_callback.c - callbacks of a task's cancel: when they run, how often, where, and when no more.
 */
#include "../support/executors.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

TestSuite(task_cancel_callback);

/* What a task blocks in that is no descriptor. */
struct sleeper {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int calls;
    pthread_t thread;
};

static void wake(void *data)
{
    struct sleeper *sleeper = data;

    pthread_mutex_lock(&sleeper->mutex);
    sleeper->calls++;
    sleeper->thread = pthread_self();
    pthread_cond_broadcast(&sleeper->changed);
    pthread_mutex_unlock(&sleeper->mutex);
}

static struct sleeper new_sleeper(void)
{
    return (struct sleeper){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

static void sleep_for_calls(struct sleeper *sleeper, int calls)
{
    pthread_mutex_lock(&sleeper->mutex);
    while (sleeper->calls < calls)
        pthread_cond_wait(&sleeper->changed, &sleeper->mutex);
    pthread_mutex_unlock(&sleeper->mutex);
}

static int code_of(soon_future *f)
{
    int code = soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0});

    soon_future_unref(f);
    return code;
}

SOON_TASK(sleep_until_called, soon_none, int)
{
    struct sleeper sleeper = new_sleeper();
    int rc = soon_task_add_cancel_callback(task, wake, &sleeper);

    if (rc < 0)
        return rc;
    common()->arrived++;
    sleep_for_calls(&sleeper, 1);
    common()->runs++;
    *result = soon_task_remove_cancel_callback(task, wake, &sleeper) || pthread_equal(sleeper.thread, pthread_self());
    return *result || !soon_task_cancel_requested(task) ? soon_raise(task, EPROTO, NULL) : -ECANCELED;
}

TestOnEach(task_cancel_callback, wakes_a_task_that_blocks)
{
    for (int round = 1; round <= 5; round++) {
        soon_future *f = soon_submit(executor, sleep_until_called);

        await_arrivals(round);
        cr_assert(test_is_asked_to_end(f));
        cr_assert_eq(code_of(f), -ECANCELED);
    }
}

TestOnEach(task_cancel_callback, comes_with_the_end_of_its_time)
{
    common()->runs = 0;
    for (int limit_ms = 20; common()->runs == 0; limit_ms *= 2) /* on a slow machine it does not listen by then */
        cr_assert_eq(code_of(soon_submit_with(executor, (.time_limit_ms = limit_ms), sleep_until_called)),
                     SOON_ETIMELIMIT);
}

TestOnEach(task_cancel_callback, comes_with_the_shutdown_that_terminates)
{
    soon_future *f;

    common()->runs = 0;
    f = soon_submit(executor, sleep_until_called);
    await_arrivals(1);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_TERMINATE, SOON_FOREVER), 0);
    cr_assert_eq(code_of(f), tasks_are_elsewhere ? SOON_EKILLED : -ECANCELED);
    cr_assert_eq(common()->runs, 1);
}

/* Each registration once, in order, and the descriptor beside. */
static int order[3], called;
static void note(void *data)
{
    order[called++] = (int)(intptr_t)data;
}

SOON_TASK(several, soon_none, int)
{
    struct sleeper sleeper = new_sleeper();
    int fd = soon_task_cancel_fd(task), rc = fd < 0 ? fd : 0;

    called = 0;
    for (intptr_t i = 1; i <= 3 && rc == 0; i++)
        rc = soon_task_add_cancel_callback(task, note, (void *)(i == 2 ? 1 : i));
    /* Of two that are the same the first is taken back. */
    if (rc == 0 && !soon_task_remove_cancel_callback(task, note, (void *)1))
        rc = EPROTO;
    if (rc == 0 && soon_task_remove_cancel_callback(task, note, (void *)2))
        rc = EPROTO;
    if (rc == 0)
        rc = soon_task_add_cancel_callback(task, wake, &sleeper);
    if (rc)
        return soon_raise(task, rc, NULL);
    common()->arrived++;
    sleep_for_calls(&sleeper, 1);
    *result = called == 2 && order[0] == 1 && order[1] == 3 && sleeper.calls == 1 &&
              poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
    return 0;
}

TestOnEach(task_cancel_callback, may_be_several_which_run_in_order)
{
    soon_future *f = soon_submit(executor, several);
    int good;

    await_arrivals(1);
    (void)soon_future_cancel(f);
    (void)soon_future_cancel(f);
    cr_assert_eq(soon_take(f, &good), 0);
    cr_assert(good);
}

SOON_TASK(add_late, soon_none, int)
{
    struct sleeper sleeper = new_sleeper();
    int rc = wait_at_gate(task);

    if (soon_task_add_cancel_callback(task, wake, &sleeper) < 0 || sleeper.calls != 1)
        return soon_raise(task, EPROTO, NULL);
    return pthread_equal(sleeper.thread, pthread_self()) ? rc : soon_raise(task, EPROTO, NULL);
}

TestOnEach(task_cancel_callback, added_after_the_cancel_runs_at_once)
{
    soon_future *f = soon_submit(executor, add_late);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(f));
    cr_assert_eq(code_of(f), -ECANCELED);
}

static void never(void *data)
{
    (void)data;
    abort();
}

SOON_TASK(add_and_take_back, soon_none, int)
{
    int rc = soon_task_add_cancel_callback(task, never, NULL);

    *result = soon_task_remove_cancel_callback(task, never, NULL);
    if (soon_task_remove_cancel_callback(task, never, NULL))
        return soon_raise(task, EPROTO, NULL);
    return rc < 0 ? rc : wait_at_gate(task);
}

/* Left to the end of its task, which takes it back. */
SOON_TASK(add_and_leave, soon_none, int)
{
    return soon_task_add_cancel_callback(task, never, NULL);
}

TestOnEach(task_cancel_callback, taken_back_does_not_run)
{
    soon_future *f = soon_submit(executor, add_and_take_back);

    await_arrivals(1);
    cr_assert(test_is_asked_to_end(f));
    cr_assert_eq(code_of(f), -ECANCELED);
}

TestOnEach(task_cancel_callback, ends_with_its_task)
{
    soon_future *f = soon_submit(executor, add_and_leave);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(code_of(f), 0);
    f = soon_submit(executor, add_late);
    await_arrivals(1);
    cr_assert(test_is_asked_to_end(f));
    cr_assert_eq(code_of(f), -ECANCELED);
}

/*
 * In this process, where a test can look inside.
 */

static soon_future *own;
static _Atomic int waited;

static void wait_for_own_task(void *data)
{
    (void)data;
    waited = soon_future_wait(own, SOON_FOREVER);
}

SOON_TASK_LOCAL(wait_in_callback, soon_none, int, NULL, NULL)
{
    int fd = soon_task_cancel_fd(task), rc = soon_task_add_cancel_callback(task, wait_for_own_task, NULL);

    if (fd < 0 || rc < 0)
        return soon_raise(task, EPROTO, NULL);
    common()->arrived++;
    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
    return -ECANCELED;
}

TestOnEachHere(task_cancel_callback, that_would_wait_for_its_task_is_told)
{
    own = soon_submit(executor, wait_in_callback);
    waited = 0;
    await_arrivals(1);
    (void)soon_future_cancel(own);
    cr_assert_eq(waited, SOON_EDEADLK);
    cr_assert_eq(code_of(own), -ECANCELED);
}

/* The task's end, and its taking back, wait for one that runs. */
static struct {
    _Atomic bool runs, may_return, has_returned;
} slow;

static void take_time(void *data)
{
    (void)data;
    slow.runs = true;
    test_wait_until(slow.may_return);
    slow.has_returned = true;
}

static void *let_it_return(void *data)
{
    (void)data;
    test_wait_until(slow.runs);
    for (int i = 0; i < 100; i++)
        sched_yield();
    slow.may_return = true;
    return NULL;
}

SOON_TASK_LOCAL(leave_while_it_runs, bool, bool, NULL, NULL)
{
    pthread_t helper;

    if (soon_task_add_cancel_callback(task, take_time, NULL) < 0)
        return soon_raise(task, EPROTO, NULL);
    common()->arrived++;
    test_wait_until(slow.runs);
    pthread_create(&helper, NULL, let_it_return, NULL);
    if (*arg && soon_task_remove_cancel_callback(task, take_time, NULL))
        return soon_raise(task, EPROTO, NULL);
    if (*arg)
        *result = slow.has_returned;
    pthread_detach(helper);
    return 0;
}

static void done(soon_future *future, void *data)
{
    (void)future;
    *(_Atomic int *)data = slow.has_returned ? 1 : -1;
}

TestOnEachHere(task_cancel_callback, is_waited_for_by_the_end_of_its_task)
{
    _Atomic int seen = 0;
    soon_future *f;

    slow.runs = slow.may_return = slow.has_returned = false;
    f = soon_submit_with(executor, (.on_done = done, .on_done_data = (void *)&seen), leave_while_it_runs, false);
    await_arrivals(1);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(code_of(f), 0);
    test_wait_until(seen);
    cr_assert_eq(seen, 1);
}

TestOnEachHere(task_cancel_callback, is_waited_for_by_who_takes_it_back)
{
    bool had_returned;
    soon_future *f;

    slow.runs = slow.may_return = slow.has_returned = false;
    f = soon_submit(executor, leave_while_it_runs, true);
    await_arrivals(1);
    (void)soon_future_cancel(f);
    cr_assert_eq(soon_take(f, &had_returned), 0);
    cr_assert(had_returned);
}

/* A worker that waits in a task runs another on its stack: each hears of its own cancel. */
SOON_TASK_LOCAL(inner, int, int, NULL, NULL)
{
    struct pollfd what[] = {{.fd = *arg, .events = POLLIN}, {.fd = soon_task_cancel_fd(task), .events = POLLIN}};

    common()->arrived++;
    while (poll(what, 2, -1) < 0 && errno == EINTR)
        ;
    *result = what[0].revents && !what[1].revents && what[1].fd >= 0 && what[1].fd != *arg;
    return 0;
}

SOON_TASK_LOCAL(outer, soon_none, int, NULL, NULL)
{
    int fd = soon_task_cancel_fd(task);
    soon_future *f = soon_submit(soon_task_executor(task), inner, fd);

    return fd < 0 ? fd : soon_take(f, result);
}

Test(task_cancel_callback, of_a_task_is_not_that_of_the_one_on_top_of_it)
{
    soon_executor *pool = make_one_thread();
    soon_future *f;
    int good;

    common_begin();
    close_gate();
    f = soon_submit(pool, outer);
    await_arrivals(1);
    cr_assert_not(soon_future_cancel(f));
    cr_assert_eq(soon_take(f, &good), 0);
    cr_assert(good);
    cr_assert_eq(soon_executor_free(pool), 0);
}

/* On the thread of who submits it, since the queue is full. */
static soon_executor *full;

SOON_TASK_LOCAL(cancel_itself, soon_none, int, NULL, NULL)
{
    int fd = soon_task_cancel_fd(task);
    struct sleeper sleeper = new_sleeper();

    if (fd < 0 || soon_task_add_cancel_callback(task, wake, &sleeper) < 0)
        return soon_raise(task, EPROTO, NULL);
    (void)soon_executor_shutdown(full, SOON_TERMINATE, 0);
    *result = sleeper.calls == 1 && pthread_equal(sleeper.thread, pthread_self()) &&
              poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
    return 0;
}

SOON_TASK_LOCAL(wait_there, soon_none, int, NULL, NULL)
{
    return wait_at_gate(task);
}

Test(task_cancel_callback, reaches_a_task_on_its_submitters_thread)
{
    soon_future *running, *queued, *here;
    int good;

    common_begin();
    close_gate();
    cr_assert_eq(soon_thread_pool_new(&full, &(soon_thread_pool_options){.workers = 1, .queue_max = 1}), 0);
    running = soon_submit(full, wait_there);
    await_arrivals(1);
    queued = soon_submit(full, wait_there);
    here = soon_submit_with(full, (.when_full = SOON_FULL_RUN_HERE), cancel_itself);

    cr_assert_eq(soon_take(here, &good), 0);
    cr_assert(good);
    cr_assert_eq(code_of(running), -ECANCELED);
    cr_assert_eq(code_of(queued), -ECANCELED);
    cr_assert_eq(soon_executor_free(full), 0);
}

/* It is not asked to end; but what it calls may ask for a descriptor. */
SOON_TASK_LOCAL(initialize, soon_none, soon_none, NULL, NULL)
{
    int fd = soon_task_cancel_fd(task);

    return fd < 0 || soon_task_add_cancel_callback(task, never, NULL) < 0 ? soon_raise(task, EPROTO, NULL) : 0;
}

Test(task_cancel_callback, may_be_asked_for_in_an_initializer)
{
    soon_executor *pool;

    cr_assert_eq(
        soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2, .initializer = &initialize_task}), 0);
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_free(pool), 0);
}
