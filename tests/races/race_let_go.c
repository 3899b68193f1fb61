/*
 * race_let_go.c - groups that are given up, and thens that are cancelled, while what they wait for ends. Each test names what
 * it guards; each was seen to fail, under a sanitizer at least, with that broken.
 */
#include "../support/futures.h"

enum { MEMBERS = 2 };

static struct round {
    struct halves members[MEMBERS];
    soon_future *future;
    soon_future *futures[MEMBERS];
} all[BATCH];

static _Atomic int calls;

static void count(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    calls++;
}

static void make_members(void)
{
    calls = 0;
    for (int i = 0; i < BATCH; i++) {
        for (int j = 0; j < MEMBERS; j++) {
            all[i].members[j] = pending();
            all[i].futures[j] = all[i].members[j].future;
        }
    }
}

static soon_future *make_group(int i)
{
    return i % 2 ? soon_any(all[i].futures, MEMBERS) : soon_gather(all[i].futures, MEMBERS);
}

static void make_groups(void)
{
    make_members();
    for (int i = 0; i < BATCH; i++) {
        all[i].future = make_group(i);
        if (i % 4 > 1)
            cr_assert_eq(soon_future_add_done_callback(all[i].future, count, NULL), 0);
    }
}

static void give_up_members(void)
{
    for (int i = 0; i < BATCH; i++) {
        for (int j = 0; j < MEMBERS; j++)
            release(all[i].members[j]);
    }
    assert_alive(0);
}

static void end_member(int i, unsigned j, unsigned *seed)
{
    soon_promise *promise = all[i].members[j].promise;

    if (dice(seed, 3))
        set_int(promise, (int)j);
    else
        cr_assert_eq(soon_promise_set_exception(promise, EDOM, NULL), 0);
}

/* One ends a member, one gives up the group: which its only other member is not done with. */
static void end_or_give_up(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (thread)
            end_member(i, dice(seed, MEMBERS), seed);
        else
            soon_future_unref(all[i].future);
    }
}

/* Guards `given_up` under LOCK in give_up() and enter(), and `blocks`, in gather.c. */
Test(race_let_go, a_group_ends_or_is_given_up)
{
    run_race(&(struct race){
        .threads = 2, .rounds = ROUNDS(5000), .before = make_groups, .body = end_or_give_up, .after = give_up_members});
}

static void make_shared_groups(void)
{
    make_groups();
    for (int i = 0; i < BATCH; i++)
        soon_future_ref(all[i].future);
}

static void give_up_one_of_two(unsigned thread, unsigned *seed)
{
    (void)thread;
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (dice(seed, 8) == 0)
            (void)soon_future_cancel(all[i].future);
        soon_future_unref(all[i].future);
    }
}

/* Guards the exchange in unref_watched() in future.c: the last but one must not miss that it is. */
Test(race_let_go, the_last_two_readers_leave)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(5000),
                            .before = make_shared_groups,
                            .body = give_up_one_of_two,
                            .after = give_up_members});
}

/* One makes it while its members end. */
static void make_or_end(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (thread) {
            for (unsigned j = 0; j < MEMBERS; j++)
                end_member(i, j, seed);
        } else {
            all[i].future = make_group(i);
        }
    }
}

static void assert_done(void)
{
    for (int i = 0; i < BATCH; i++) {
        cr_assert(soon_future_done(all[i].future));
        soon_future_unref(all[i].future);
    }
    give_up_members();
}

/* Guards G2 in gather.c: who is still registering with members lets go of them. */
Test(race_let_go, a_group_is_made_of_what_ends)
{
    run_race(&(struct race){
        .threads = 2, .rounds = ROUNDS(5000), .before = make_members, .body = make_or_end, .after = assert_done});
}

SOON_TASK(increment, int, int)
{
    *result = *arg + 1;
    return 0;
}

static soon_executor *executor;

static void make_thens(void)
{
    make_members();
    cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = 1}), 0);
    for (int i = 0; i < BATCH; i++) {
        cr_assert_eq(soon_promise_set_running(all[i].members[0].promise), 0); /* a cancel does not reach it */
        all[i].future = soon_then(all[i].futures[0], executor, &increment_task);
    }
}

static void end_or_cancel_first(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        if (thread)
            end_member(i, 0, seed);
        else if (dice(seed, 4))
            (void)soon_future_cancel(all[i].future);
    }
    if (thread == 0)
        soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0);
}

static void assert_thens_done(void)
{
    cr_assert_eq(soon_executor_free(executor), 0);
    assert_done();
}

/* Guards the node's reference in take_back_continuation() in then.c. */
Test(race_let_go, a_then_is_cancelled_as_its_first_ends)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(1000),
                            .before = make_thens,
                            .body = end_or_cancel_first,
                            .after = assert_thens_done});
}

static void make_thens_and_shut_down(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        if (thread == 0)
            all[i].future = soon_then(all[i].futures[0], executor, &increment_task);
        else if (i == BATCH / 2 || dice(seed, BATCH) == 0)
            soon_executor_shutdown(executor, SOON_CANCEL_PENDING, 0);
    }
}

static void make_pool(void)
{
    make_members();
    cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = 1}), 0);
}

static void assert_nothing_is_left(void)
{
    cr_assert_eq(soon_executor_free(executor), 0);
    for (int i = 0; i < BATCH; i++) {
        cr_assert(soon_future_done(all[i].future));
        soon_future_unref(all[i].future);
    }
    assert_alive(BATCH * MEMBERS); /* the members have not ended: nothing lies with them */
    give_up_members();
}

/* Guards the second look, after registering, in start() in then.c. */
Test(race_let_go, a_then_is_made_as_its_executor_is_shut_down)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(1000),
                            .before = make_pool,
                            .body = make_thens_and_shut_down,
                            .after = assert_nothing_is_left});
}
