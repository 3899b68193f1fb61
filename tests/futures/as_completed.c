/*
 * as_completed.c - sets that give their futures out as they are done, and that grow.
 */
#include "../support/executors.h"
#include "../support/futures.h"

TestSuite(as_completed, .init = close_gate);

SOON_TASK(
    multiply,
    struct {
        int x;
        int y;
    },
    int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    return wait_at_gate(task);
}

static soon_as_completed *set_of(soon_future *const *futures, size_t count, int64_t timeout_ms)
{
    soon_as_completed *set;

    cr_assert_eq(soon_as_completed_new(&set, futures, count, timeout_ms), 0);
    return set;
}

/* The next one, which must be there; the reference is given up: the test has its own. */
static soon_future *next_of(soon_as_completed *set)
{
    soon_future *future = NULL;

    cr_assert_eq(soon_as_completed_next(set, &future), 0);
    cr_assert(soon_future_done(future));
    soon_future_unref(future);
    return future;
}

static void assert_next_is(soon_as_completed *set, int code)
{
    soon_future *untouched = (soon_future *)set, *future = untouched;

    cr_assert_eq(soon_as_completed_next(set, &future), code);
    cr_assert_eq(future, untouched);
}

static size_t index_of(soon_future *future, soon_future *const *futures, size_t count)
{
    size_t i = 0;

    while (i < count && futures[i] != future)
        i++;
    return i;
}

/* CPython: test_no_timeout */
TestOnEach(as_completed, gives_each_one_once)
{
    struct halves a = cancelled(), b = failed(), c = successful();
    soon_future *futures[] = {soon_submit(executor, multiply, 2, 21), soon_submit(executor, multiply, 7, 6), a.future,
                              b.future, c.future};
    soon_as_completed *set = set_of(futures, COUNT(futures), SOON_FOREVER);
    bool given[COUNT(futures)] = {false};

    for (size_t i = 0; i < COUNT(futures); i++) {
        size_t index = index_of(next_of(set), futures, COUNT(futures));

        cr_assert_lt(index, COUNT(futures));
        cr_assert_not(given[index]);
        given[index] = true;
    }
    assert_next_is(set, SOON_EEND);

    soon_as_completed_free(set);
    soon_futures_unref(futures, 2);
    release(a);
    release(b);
    release(c);
}

/* CPython: test_future_times_out */
TestOnEach(as_completed, gives_what_is_done_before_it_times_out)
{
    for (int64_t timeout_ms = 0; timeout_ms < 2; timeout_ms++) {
        struct halves a = cancelled(), b = failed(), c = successful();
        soon_future *stuck = at_gate_submit(executor, NULL, NULL);
        soon_future *const futures[] = {stuck, a.future, b.future, c.future};
        soon_as_completed *set = set_of(futures, COUNT(futures), timeout_ms);

        for (size_t i = 1; i < COUNT(futures); i++)
            cr_assert_eq(next_of(set), futures[i]);
        assert_next_is(set, -ETIMEDOUT);
        assert_next_is(set, -ETIMEDOUT);

        soon_as_completed_free(set);
        cr_assert_not(soon_future_done(stuck), "nothing was cancelled");
        open_gate();
        cr_assert_eq(int_of(stuck), 0);
        close_gate();
        soon_future_unref(stuck);
        release(a);
        release(b);
        release(c);
    }
}

/* CPython: test_duplicate_futures */
TestOnEach(as_completed, gives_a_duplicate_once)
{
    soon_future *future = at_gate_submit(executor, NULL, NULL);
    soon_future *const futures[] = {future, future, future};
    soon_as_completed *set = set_of(futures, 3, SOON_FOREVER);

    cr_assert_eq(soon_as_completed_left(set, NULL), 1);
    open_gate();
    cr_assert_eq(next_of(set), future);
    assert_next_is(set, SOON_EEND);

    close_gate();
    soon_as_completed_free(set);
    soon_future_unref(future);
}

/* CPython: test_free_reference_yielded_future */
Test(as_completed, keeps_nothing_of_what_it_has_given)
{
    enum { MANY = 8 };
    soon_promise *promises[MANY];
    soon_as_completed *set = set_of(NULL, 0, SOON_FOREVER);

    for (int i = 0; i < MANY; i++) {
        struct halves both = pending();

        promises[i] = both.promise;
        cr_assert_eq(soon_as_completed_give(set, both.future), 0);
    }
    for (int i = 0; i < MANY; i++) {
        soon_future *future;

        set_int(promises[i], i);
        soon_promise_free(promises[i]);
        cr_assert_eq(soon_as_completed_next(set, &future), 0);
        cr_assert_eq(int_of(future), i);
        soon_future_unref(future);
        cr_assert_eq(soon__blocks_alive(), (size_t)(MANY - 1 - i));
    }
    soon_as_completed_free(set);
}

/* CPython: test_correct_timeout_exception_msg */
Test(as_completed, tells_how_many_of_how_many_are_unfinished)
{
    struct halves all[] = {cancelled(), pending(), running(), successful()};
    soon_future *const futures[] = {all[0].future, all[1].future, all[2].future, all[3].future};
    soon_as_completed *set = set_of(futures, 4, 0);
    size_t total;

    next_of(set);
    next_of(set);
    assert_next_is(set, -ETIMEDOUT);
    cr_assert_eq(soon_as_completed_left(set, &total), 2);
    cr_assert_eq(total, 4);

    soon_as_completed_free(set);
    for (size_t i = 0; i < 4; i++)
        release(all[i]);
}

/*
 * Order
 */

Test(as_completed, gives_the_done_ones_first_and_the_others_as_they_end)
{
    struct halves all[] = {pending(), successful(), pending(), failed(), pending()};
    soon_future *const futures[] = {all[0].future, all[1].future, all[2].future, all[3].future, all[4].future};
    static const size_t order[] = {1, 3, 2, 4, 0};
    soon_as_completed *set = set_of(futures, 5, SOON_FOREVER);

    set_int(all[2].promise, 1);
    cr_assert(soon_future_cancel(all[4].future));
    set_int(all[0].promise, 1);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(next_of(set), futures[order[i]]);

    soon_as_completed_free(set);
    for (size_t i = 0; i < 5; i++)
        release(all[i]);
}

/*
 * Growing
 */

Test(as_completed, goes_on_after_its_end)
{
    struct halves a = successful(), b = successful();
    soon_as_completed *set = set_of(NULL, 0, SOON_FOREVER);
    size_t total;

    assert_next_is(set, SOON_EEND);
    cr_assert_eq(soon_as_completed_add(set, a.future), 0);
    cr_assert_eq(next_of(set), a.future);
    assert_next_is(set, SOON_EEND);
    cr_assert_eq(soon_as_completed_add(set, b.future), 0);
    cr_assert_eq(next_of(set), b.future);
    assert_next_is(set, SOON_EEND);
    cr_assert_eq(soon_as_completed_left(set, &total), 0);
    cr_assert_eq(total, 2);

    soon_as_completed_free(set);
    release(a);
    release(b);
}

Test(as_completed, gives_one_again_that_was_added_again_after_it_was_given)
{
    struct halves both = successful();
    soon_as_completed *set = set_of(&both.future, 1, SOON_FOREVER);

    cr_assert_eq(soon_as_completed_add(set, both.future), 0); /* not given yet: counts once */
    next_of(set);
    assert_next_is(set, SOON_EEND);
    cr_assert_eq(soon_as_completed_add(set, both.future), 0);
    next_of(set);
    assert_next_is(set, SOON_EEND);

    soon_as_completed_free(set);
    release(both);
}

struct adder {
    soon_as_completed *set;
    soon_future *first, *added;
};

static void *add_when_it_sleeps(void *data)
{
    struct adder *adder = data;

    test_wait_until(has_waiter(adder->first));
    cr_assert_eq(soon_as_completed_add(adder->set, adder->added), 0);
    return NULL;
}

Test(as_completed, a_done_one_added_by_another_thread_wakes_the_iterator)
{
    struct halves unfinished = pending(), done = successful();
    struct adder adder = {set_of(&unfinished.future, 1, SOON_FOREVER), unfinished.future, done.future};
    pthread_t thread;

    start_thread(&thread, add_when_it_sleeps, &adder);
    cr_assert_eq(next_of(adder.set), done.future);
    pthread_join(thread, NULL);

    soon_as_completed_free(adder.set);
    release(unfinished);
    release(done);
}

/* A crawler: each page that is done brings new ones. */
TestOnEach(as_completed, grows_while_it_is_iterated)
{
    soon_as_completed *set = set_of(NULL, 0, SOON_FOREVER);
    soon_future *page;
    int rc, pages = 0;

    cr_assert_eq(soon_as_completed_give(set, soon_submit(executor, multiply, 1, 1)), 0);
    while ((rc = soon_as_completed_next(set, &page)) == 0) {
        int number = int_of(page);

        soon_future_unref(page);
        pages++;
        for (int child = 2 * number; child <= 2 * number + 1 && child < 500; child++)
            cr_assert_eq(soon_as_completed_give(set, soon_submit(executor, multiply, 1, child)), 0);
    }
    cr_assert_eq(rc, SOON_EEND);
    cr_assert_eq(pages, 499);

    soon_as_completed_free(set);
}

Test(as_completed, takes_a_hundred_thousand)
{
    enum { MANY = 100000 };
    struct halves *all = calloc(MANY, sizeof *all);
    soon_as_completed *set = set_of(NULL, 0, SOON_FOREVER);

    for (int i = 0; i < MANY; i++) {
        all[i] = pending();
        cr_assert_eq(soon_as_completed_add(set, all[i].future), 0);
        cr_assert_eq(soon_as_completed_add(set, all[i / 2].future), 0);
    }
    cr_assert_eq(soon_as_completed_left(set, NULL), MANY);
    for (int i = 0; i < MANY; i++) {
        int which = (int)((i * 7919ll) % MANY); /* in no order */

        set_int(all[which].promise, which);
        cr_assert_eq(next_of(set), all[which].future);
    }
    assert_next_is(set, SOON_EEND);

    soon_as_completed_free(set);
    for (int i = 0; i < MANY; i++)
        release(all[i]);
    free(all);
}

/* Members that are given and added in any order, in growing numbers: what is in the set, and only that, counts once. */
Test(as_completed, knows_its_members_among_all_that_it_has_given)
{
    enum { MANY = 2000, STEPS = 40000 };
    struct halves *all = calloc(MANY, sizeof *all);
    bool *is_member = calloc(MANY, sizeof *is_member);
    soon_as_completed *set = set_of(NULL, 0, SOON_FOREVER);
    size_t members = 0, total = 0, seen;
    unsigned seed = 7;

    for (int i = 0; i < MANY; i++)
        all[i] = successful();
    for (int step = 0; step < STEPS; step++) {
        size_t which = (size_t)rand_r(&seed) % (size_t)(1 + step * MANY / STEPS);

        if (members > 0 && rand_r(&seed) % 2) {
            soon_future *given = next_of(set);
            for (which = 0; all[which].future != given; which++)
                continue;
            cr_assert(is_member[which]);
            is_member[which] = false;
            members--;
        } else {
            cr_assert_eq(soon_as_completed_add(set, all[which].future), 0);
            total += !is_member[which];
            members += !is_member[which];
            is_member[which] = true;
        }
        cr_assert_eq(soon_as_completed_left(set, &seen), members);
        cr_assert_eq(seen, total);
    }

    soon_as_completed_free(set);
    for (int i = 0; i < MANY; i++)
        release(all[i]);
    free(all);
    free(is_member);
}

/*
 * Arguments, the end
 */

Test(as_completed, refuses_what_makes_no_sense)
{
    struct halves both = successful();
    soon_future *const futures[] = {both.future, NULL};
    soon_as_completed *set = (soon_as_completed *)&both;
    soon_future *future;

    cr_assert_eq(soon_as_completed_new(NULL, futures, 1, 0), -EINVAL);
    cr_assert_eq(soon_as_completed_new(&set, NULL, 1, 0), -EINVAL);
    cr_assert_eq(soon_as_completed_new(&set, futures, 2, 0), -EINVAL);
    cr_assert_eq(soon_as_completed_new(&set, futures, 1, -2), -EINVAL);
    cr_assert_null(set);

    set = set_of(futures, 1, 0);
    cr_assert_eq(soon_as_completed_add(set, NULL), -EINVAL);
    cr_assert_eq(soon_as_completed_add(NULL, both.future), -EINVAL);
    cr_assert_eq(soon_as_completed_give(set, NULL), -EINVAL);
    cr_assert_eq(soon_as_completed_give(NULL, soon_future_ref(both.future)), -EINVAL); /* it takes it all the same */
    cr_assert_eq(soon_as_completed_next(NULL, &future), -EINVAL);
    cr_assert_eq(soon_as_completed_next(set, NULL), -EINVAL);
    soon_as_completed_free(set);
    soon_as_completed_free(NULL);

    release(both);
}

TestMisuse(as_completed, left_of_null)
{
    size_t total = 7;

    cr_assert_eq(soon_as_completed_left(NULL, &total), 0);
    cr_assert_eq(total, 0);
}

Test(as_completed, give_takes_a_duplicate_too)
{
    struct halves both = pending();
    soon_as_completed *set = set_of(&both.future, 1, SOON_FOREVER);

    cr_assert_eq(soon_as_completed_give(set, soon_future_ref(both.future)), 0);
    cr_assert_eq(soon_as_completed_left(set, NULL), 1);
    soon_as_completed_free(set);

    release(both);
}

Test(as_completed, freed_early_forgets_and_cancels_nothing)
{
    struct halves unfinished = pending(), done = successful();
    soon_future *const futures[] = {unfinished.future, done.future};

    soon_as_completed_free(set_of(futures, 2, SOON_FOREVER));

    cr_assert_not(has_waiter(unfinished.future));
    cr_assert_not(soon_future_done(unfinished.future));
    set_int(unfinished.promise, 1);
    release(unfinished);
    release(done);
}

Test(as_completed, its_time_begins_with_the_making)
{
    struct halves both = pending();
    soon_as_completed *set = set_of(&both.future, 1, 1);

    assert_next_is(set, -ETIMEDOUT);
    set_int(both.promise, 1);
    cr_assert_eq(next_of(set), both.future, "what is done is given, time or not");

    soon_as_completed_free(set);
    release(both);
}

/*
 * In a task
 */

/* Takes a moment, another one each time. */
SOON_TASK(same, int, int)
{
    for (volatile int i = *arg * 40; i > 0; i--)
        continue;
    *result = *arg;
    return 0;
}

/* Sets of what another pool completes at the same time. */
SOON_TASK_LOCAL(collect, soon_executor *, int, NULL, NULL)
{
    enum { EACH = 7 };
    int sets = ROUNDS(60000);

    for (int i = 0; i < sets; i++) {
        soon_future *futures[EACH], *next;
        soon_as_completed *set;
        int value;

        for (int k = 0; k < EACH; k++)
            futures[k] = soon_submit(*arg, same, (k + i) % EACH);
        set = set_of(futures, EACH, SOON_FOREVER);
        soon_futures_unref(futures, EACH);
        while (soon_as_completed_next(set, &next) == 0) {
            cr_assert_eq(soon_take(next, &value), 0);
            *result += value;
        }
        soon_as_completed_free(set);
    }
    *result /= sets;
    return 0;
}

/* It asks whether what it waits for could end at all, while that ends: neither may wait for the other. */
Test(as_completed, may_be_waited_for_in_a_task)
{
    soon_executor *pool, *other;
    int sum = 0;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
    cr_assert_eq(soon_thread_pool_new(&other, &(soon_thread_pool_options){.workers = 2}), 0);
    cr_assert_eq(soon_take(collect_submit(pool, &other, NULL), &sum), 0);
    cr_assert_eq(sum, 21);
    cr_assert_eq(soon_executor_free(pool), 0);
    cr_assert_eq(soon_executor_free(other), 0);
}

/* Others may add to it meanwhile. */
struct growing {
    soon_as_completed *set;
    soon_executor *other;
    _Atomic bool begun;
};

static void *add_some(void *data)
{
    struct growing *growing = data;

    test_wait_until(atomic_load(&growing->begun));
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(soon_as_completed_give(growing->set, soon_submit(growing->other, same, i % 7)), 0);
    return NULL;
}

SOON_TASK_LOCAL(collect_all, struct growing *, int, NULL, NULL)
{
    soon_future *next;
    int value;

    atomic_store(&(*arg)->begun, true);
    for (int i = 0; i < 2001; i++) {
        while (soon_as_completed_left((*arg)->set, NULL) == 0)
            sched_yield();
        cr_assert_eq(soon_as_completed_next((*arg)->set, &next), 0);
        cr_assert_eq(soon_take(next, &value), 0);
        ++*result;
    }
    return 0;
}

Test(as_completed, may_grow_while_it_is_waited_for_in_a_task)
{
    struct growing growing = {.begun = false}, *arg = &growing;
    soon_executor *pool;
    soon_future *first;
    pthread_t thread;
    int count = 0;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1}), 0);
    cr_assert_eq(soon_thread_pool_new(&growing.other, &(soon_thread_pool_options){.workers = 2}), 0);
    first = soon_submit(growing.other, same, 1);
    growing.set = set_of(&first, 1, SOON_FOREVER);
    soon_future_unref(first);
    start_thread(&thread, add_some, &growing);
    cr_assert_eq(soon_take(collect_all_submit(pool, &arg, NULL), &count), 0);
    cr_assert_eq(count, 2001);
    pthread_join(thread, NULL);
    soon_as_completed_free(growing.set);
    cr_assert_eq(soon_executor_free(pool), 0);
    cr_assert_eq(soon_executor_free(growing.other), 0);
}

/*
 * A worker that is about to sleep
 */

static int asked;

static bool is_ours(void *worker, soon_future *future)
{
    (void)worker;
    (void)future;
    asked++;
    return false;
}

static int refuse_sleep(void *worker, soon_future *awaited, bool others)
{
    (void)worker;
    (void)awaited;
    cr_assert_not(others);
    return SOON_EDEADLK;
}

static const struct soon__parking refusing = {.before_park = refuse_sleep, .is_others = is_ours};

/* It sleeps once for each of them, perhaps. */
Test(as_completed, asks_of_some_of_many_alone_who_ends_them)
{
    enum { MANY = 1000 };
    struct halves many[MANY];
    soon_future *futures[MANY], *given;
    soon_as_completed *set;

    for (int i = 0; i < MANY; i++) {
        many[i] = pending();
        futures[i] = many[i].future;
    }
    cr_assert_eq(soon_as_completed_new(&set, futures, MANY, SOON_FOREVER), 0);
    soon__thread_self()->parking = &refusing;
    cr_assert_eq(soon_as_completed_next(set, &given), SOON_EDEADLK);
    soon__thread_self()->parking = NULL;
    cr_assert(asked > 0 && asked < MANY / 10, "%d", asked);

    soon_as_completed_free(set);
    for (int i = 0; i < MANY; i++)
        release(many[i]);
}
