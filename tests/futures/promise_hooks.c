/*
 * promise_hooks.c - what the maker hears of its readers, on their threads.
 */
#include "../support/futures.h"

struct heard {
    int cancels, kills;
    soon_promise *promise;
    soon_state state; /* at the last cancel */
    soon_future *future;
    int answer; /* to a kill */
};

static void on_cancel(soon_promise *promise, void *data)
{
    struct heard *heard = data;

    heard->cancels++;
    heard->promise = promise;
    heard->state = soon_future_state(heard->future);
    cr_assert(soon_promise_cancel_requested(promise));
}

static int on_kill(soon_promise *promise, void *data)
{
    struct heard *heard = data;

    heard->kills++;
    heard->promise = promise;
    return heard->answer;
}

static struct halves pending_heard(struct heard *ret)
{
    soon_promise_hooks hooks = {.on_cancel = on_cancel, .on_kill = on_kill, .data = ret};
    struct halves both;

    *ret = (struct heard){.cancels = 0};
    both = pending_with(&hooks); /* copied: it goes out of scope */
    ret->future = both.future;
    return both;
}

Test(promise_hooks, cancel_of_a_pending_one_is_told_when_it_is_final)
{
    struct heard heard;
    struct halves both = pending_heard(&heard);

    cr_assert(soon_future_cancel(both.future));
    cr_assert_eq(heard.cancels, 1);
    cr_assert_eq(heard.promise, both.promise);
    cr_assert_eq(heard.state, SOON_CANCELLED);

    release(both);
}

Test(promise_hooks, cancel_of_a_running_one_is_told_each_time)
{
    struct heard heard;
    struct halves both = pending_heard(&heard);

    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    cr_assert_not(soon_future_cancel(both.future));
    cr_assert_not(soon_future_cancel(both.future));
    cr_assert_eq(heard.cancels, 2);
    cr_assert_eq(heard.state, SOON_RUNNING);
    cr_assert_eq(soon_promise_set_cancelled(both.promise), 0);
    cr_assert(soon_future_cancelled(both.future));

    release(both);
}

Test(promise_hooks, nothing_is_told_of_a_done_one)
{
    struct heard heard;
    struct halves both = pending_heard(&heard);

    set_int(both.promise, 1);
    cr_assert_not(soon_future_cancel(both.future));
    cr_assert_eq(soon_future_kill(both.future), SOON_EINVALIDSTATE);
    cr_assert_eq(heard.cancels + heard.kills, 0);

    release(both);
}

Test(promise_hooks, kill_gets_the_makers_answer)
{
    struct heard heard;
    struct halves both = pending_heard(&heard);

    heard.answer = -EPERM;
    cr_assert_eq(soon_future_kill(both.future), -EPERM);
    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    heard.answer = 0;
    cr_assert_eq(soon_future_kill(both.future), 0);
    cr_assert_eq(heard.kills, 2);
    cr_assert_eq(heard.promise, both.promise);
    cr_assert_eq(soon_promise_set_exception(both.promise, SOON_EKILLED, NULL), 0);
    cr_assert_eq(code_of(both.future), SOON_EKILLED);

    release(both);
}

Test(promise_hooks, without_them_a_kill_is_not_supported)
{
    struct halves rows[] = {pending(), running()};

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert_eq(soon_future_kill(rows[i].future), -ENOTSUP);
        cr_assert_not(soon_future_done(rows[i].future));
        release(rows[i]);
    }
}

Test(promise_hooks, a_cancel_without_them_raises_the_request)
{
    struct halves both = running();

    cr_assert_not(soon_promise_cancel_requested(both.promise));
    cr_assert_not(soon_future_cancel(both.future));
    cr_assert(soon_promise_cancel_requested(both.promise));

    release(both);
}

static void resolve(soon_promise *promise, void *data)
{
    (void)data;
    (void)soon_promise_set_cancelled(promise);
}

Test(promise_hooks, on_cancel_may_resolve_it)
{
    struct halves both = pending_with(&(soon_promise_hooks){.on_cancel = resolve});

    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    cr_assert(soon_future_cancel(both.future), "the maker gave in at once");

    release(both);
}

/* The maker is another thread, which ends it when somebody sleeps for that. */

static void wait_for_the_end(soon_promise *promise, void *data)
{
    (void)promise;
    cr_assert_eq(soon_future_wait(*(soon_future **)data, SOON_FOREVER), 0);
}

static void *give_in(void *data)
{
    struct halves *both = data;

    test_wait_until(has_sleeper(both->future));
    cr_assert_eq(soon_promise_set_cancelled(both->promise), 0);
    return NULL;
}

/* Guards that the frame of a hook names no future that only this stack could end. */
Test(promise_hooks, on_cancel_may_wait_for_the_maker)
{
    soon_future *future;
    struct halves both = pending_with(&(soon_promise_hooks){.on_cancel = wait_for_the_end, .data = &future});
    pthread_t maker;

    future = both.future;
    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    start_thread(&maker, give_in, &both);
    cr_assert(soon_future_cancel(future));

    pthread_join(maker, NULL);
    release(both);
}

static void free_it(soon_promise *promise, void *data)
{
    (void)data;
    soon_promise_free(promise);
}

static int free_it_killed(soon_promise *promise, void *data)
{
    (void)data;
    cr_assert_eq(soon_promise_set_exception(promise, SOON_EKILLED, NULL), 0);
    soon_promise_free(promise);
    return 0;
}

Test(promise_hooks, may_free_their_promise)
{
    const soon_promise_hooks hooks = {.on_cancel = free_it, .on_kill = free_it_killed};
    struct halves pending_one = pending_with(&hooks), running_one = pending_with(&hooks), killed_one;

    killed_one = pending_with(&hooks);
    cr_assert_eq(soon_promise_set_running(running_one.promise), 0);

    cr_assert(soon_future_cancel(pending_one.future));
    cr_assert_not(soon_future_cancel(running_one.future));
    cr_assert_eq(soon_future_kill(killed_one.future), 0);

    cr_assert(soon_future_cancelled(pending_one.future));
    cr_assert_eq(code_of(running_one.future), SOON_EABANDONED);
    cr_assert_eq(code_of(killed_one.future), SOON_EKILLED);
    soon_future_unref(pending_one.future);
    soon_future_unref(running_one.future);
    soon_future_unref(killed_one.future);
}

/*
 * A hook that runs while another thread frees the promise.
 */

struct slow {
    soon_future *future;
    soon_promise *promise;
    _Atomic bool inside, left;
};

static void stay_until_it_is_being_freed(soon_promise *promise, void *data)
{
    struct slow *slow = data;

    (void)promise;
    atomic_store(&slow->inside, true);
    test_wait_until(soon_future_done(slow->future)); /* free abandons it first */
    for (int i = 0; i < 1000; i++)
        sched_yield(); /* so that a free that does not wait is over by now */
    atomic_store(&slow->left, true);
}

static void *cancel(void *data)
{
    struct slow *slow = data;

    (void)soon_future_cancel(slow->future);
    return NULL;
}

/* Guards wait_for_hooks() in soon_promise_free(). */
Test(promise_hooks, are_waited_for_by_the_free)
{
    struct slow slow = {.inside = false};
    soon_promise_hooks hooks = {.on_cancel = stay_until_it_is_being_freed, .data = &slow};
    struct halves both = pending_with(&hooks);
    pthread_t canceller;

    slow.future = both.future;
    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    start_thread(&canceller, cancel, &slow);
    test_wait_until(atomic_load(&slow.inside));
    soon_promise_free(both.promise);

    cr_assert(atomic_load(&slow.left), "the hook's data goes now");
    pthread_join(canceller, NULL);
    soon_future_unref(both.future);
}

/*
 * What keeps an owner alive while a reader is inside: it is pinned under the future's LOCK, while that is unfinished.
 */

static int pins, unpins;

static void *pin(soon_future *future)
{
    uint32_t word = soon__future_word(future);

    cr_assert((word & SOON__LOCK) && !soon__word_final(word));
    pins++;
    return &pins;
}

static void unpin(void *owner)
{
    cr_assert_eq(owner, &pins);
    unpins++;
}

static int kill_it(soon_future *future, void *owner)
{
    cr_assert_eq(owner, &pins);
    cr_assert_not(soon__future_word(future) & SOON__LOCK);
    return 0;
}

static void free_block(soon_future *future)
{
    soon__future_fini(future);
    free(future);
}

/* Guards the place of pin() in cancel_one() and soon_future_kill(). */
Test(promise_hooks, come_between_a_pin_under_the_lock_and_an_unpin)
{
    static const struct soon__class class = {.destroy = free_block, .pin = pin, .unpin = unpin, .kill = kill_it};
    soon_future *future = malloc(sizeof *future);

    soon__future_init(future, &class, 1, 0);
    cr_assert_eq(soon_future_kill(future), 0);
    cr_assert(pins == 1 && unpins == 1);
    cr_assert(soon_future_cancel(future));
    cr_assert(pins == 2 && unpins == 2);
    cr_assert(soon_future_cancel(future));
    cr_assert_eq(soon_future_kill(future), SOON_EINVALIDSTATE);
    cr_assert_eq(pins, 2, "a done one has no owner any more");

    soon_future_unref(future);
}

/*
 * Calls are promises too, of an executor's.
 */

SOON_TASK(two, int, int)
{
    *result = 2;
    return 0;
}

TestMisuse(promise_hooks, free_of_a_calls_promise)
{
    struct drawer drawer;
    soon_executor *executor = make_drawer(&drawer);
    soon_future *future = two_submit(executor, NULL, NULL);

    soon_promise_free(soon_call_promise(drawer.calls[0]));

    cr_assert_not(soon_future_done(future), "nothing happens");
    cr_assert_eq(soon_executor_free(executor), 0);
    cr_assert_eq(int_of(future), 2);
    soon_future_unref(future);
}
