/*
 * race_deque.c - what tasks submit to their own pool, under stress. Q1 to Q5 are those of threads/deque.c.
 */
#include "../support/pools.h"

enum { CHILDREN = 6 };

TestSuite(race_deque);

static const int widths[] = {1, 2, 3, 8};
static _Atomic uint64_t bodies; /* of leaves that have run */

/* A different sequence per thread and call. */
static unsigned random_below(unsigned limit)
{
    static atomic_uint seeds;
    static _Thread_local unsigned state;

    if (!state)
        state = 2463534242u + 7919u * ++seeds;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % limit;
}

/*
 * Each runs once
 */

SOON_TASK(leaf, uint64_t, uint64_t)
{
    bodies++;
    *result = *arg + 1;
    return 0;
}

/* Some of its children are awaited in order, some the other way round, some with an end, some by another task, some are
 * cancelled, and some are nobody's. */
SOON_TASK(branch, int, uint64_t)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *children[CHILDREN];
    bool backwards = random_below(2);

    for (unsigned i = 0; i < CHILDREN; i++)
        children[i] = *arg > 0 ? soon_submit(pool, branch, *arg - 1) : soon_submit(pool, leaf, i);
    for (unsigned i = 0; i < CHILDREN; i++) {
        soon_future *child = children[backwards ? CHILDREN - 1 - i : i];
        uint64_t value = 0;
        int rc = 0;

        switch (random_below(8)) {
        case 0:
            if (soon_future_cancel(child)) {
                rc = soon_future_error(child)->code == -ECANCELED ? 0 : -EINVAL;
                break;
            }
            rc = soon_future_wait(child, SOON_FOREVER);
            break;
        case 1:
            rc = soon_future_wait(child, 0);
            if (rc == -ETIMEDOUT)
                rc = soon_result(child, &value);
            break;
        case 2:
            break; /* it ends some time */
        default:
            rc = soon_result(child, &value);
            break;
        }
        if (rc < 0) {
            soon_futures_unref(children, CHILDREN);
            return soon_raise(task, rc, "child %u: %s", i, soon_strerror(rc));
        }
        *result += value;
    }
    soon_futures_unref(children, CHILDREN);
    return 0;
}

/* Also what is nobody's: it submits, too. */
static bool is_at_rest(soon_executor *pool)
{
    soon_stats stats = stats_of(pool);

    return stats.submitted == stats.succeeded + stats.failed + stats.cancelled;
}

static void check_counts(soon_executor *pool)
{
    soon_stats stats = stats_of(pool);

    cr_assert_eq(stats.submitted, stats.succeeded + stats.failed + stats.cancelled);
    cr_assert_eq(stats.failed, 0);
    cr_assert_eq(stats.pending, 0);
    cr_assert_eq(stats.running, 0);
}

/* Q1, Q2. Caught: a deque that is emptied without its lock. */
Test(race_deque, each_task_runs_once_or_is_cancelled)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);

        for (int round = 0; round < test_rounds(100); round++) {
            soon_future *trees[3];

            for (size_t i = 0; i < 3; i++)
                trees[i] = soon_submit(pool, branch, 3);
            for (size_t i = 0; i < 3; i++)
                cr_assert_eq(soon_future_wait(trees[i], SOON_FOREVER), 0);
            for (size_t i = 0; i < 3; i++)
                cr_assert_eq(soon_future_error(trees[i])->code, 0, "%s", soon_future_error(trees[i])->message);
            soon_futures_unref(trees, 3);
        }
        test_wait_until(is_at_rest(pool));
        check_counts(pool);
        cr_assert_gt(bodies, 0);
        free_pool(pool);
    }
}

/*
 * Nobody sleeps while there is something
 */

SOON_TASK_LOCAL(raise_flag, _Atomic bool *, soon_none, NULL, NULL)
{
    **arg = true;
    return 0;
}

static void last_up_to(unsigned most)
{
    for (volatile unsigned spins = random_below(most); spins; spins--)
        ;
}

/* It does not wait for the futures: nobody but other workers runs the children. They come at once, or one after the other. */
SOON_TASK(need_another, int, soon_none)
{
    _Atomic bool flags[3] = {false};
    soon_future *children[3];
    unsigned pause = random_below(2) * 1000;
    int rc = 0;

    for (int i = 0; i < *arg; i++) {
        children[i] = soon_submit(soon_task_executor(task), raise_flag, &flags[i]);
        last_up_to(1 + pause);
    }
    for (int i = 0; i < *arg; i++) {
        while (!flags[i])
            sched_yield();
        if (outcome_of(children[i]) < 0)
            rc = -EINVAL;
    }
    return rc;
}

SOON_TASK(last_a_moment, soon_none, soon_none)
{
    last_up_to(3000);
    return 0;
}

/* Q3: the other worker is on its way to sleep, or spins, or sleeps, when the child comes. Without an end: it hangs.
 * Caught: an injector that is closed without a look at the deques after that; deques with more in them that are taken for
 * empty ones; a search for work that does not look at them; at times, a push that does not look at the injector again. */
Test(race_deque, child_finds_another_worker)
{
    for (size_t w = 1; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);

        for (int round = 0; round < test_rounds(4000); round++) {
            soon_future *parent, *others[3];

            for (int i = 0; i < widths[w] - 1 && i < 3; i++)
                others[i] = soon_submit(pool, last_a_moment);
            parent = soon_submit(pool, need_another, 1 + round % 3);
            for (int i = 0; i < widths[w] - 1 && i < 3; i++)
                cr_assert_eq(outcome_of(others[i]), 0);
            cr_assert_eq(outcome_of(parent), 0);
        }
        free_pool(pool);
    }
}

/*
 * The end
 */

SOON_TASK(grow, int, soon_none)
{
    soon_future *children[CHILDREN];
    int failed = 0;

    for (unsigned i = 0; i < CHILDREN; i++)
        children[i] = *arg > 0 ? soon_submit(soon_task_executor(task), grow, *arg - 1)
                               : soon_submit(soon_task_executor(task), last_a_moment);
    for (unsigned i = 0; i < CHILDREN; i++) {
        int rc = outcome_of(children[i]);

        failed += rc == -ECANCELED || rc == SOON_ESHUTDOWN || rc == SOON_ERAISED;
        if (rc < 0 && rc != -ECANCELED && rc != SOON_ESHUTDOWN && rc != SOON_ERAISED)
            return -EINVAL;
    }
    return failed ? soon_raise(task, -ECANCELED, "%d are missing", failed) : 0;
}

/* Each submit either comes before the shutdown, and is ended by it, or is refused. */
Test(race_deque, shutdown_meets_tasks_that_submit)
{
    static const soon_shutdown modes[] = {SOON_DRAIN, SOON_CANCEL_PENDING, SOON_TERMINATE};

    for (int round = 0; round < test_rounds(300); round++) {
        soon_executor *pool = new_pool(.workers = widths[round % 4]);
        soon_future *tree = soon_submit(pool, grow, 3);

        for (volatile unsigned spins = random_below(40000); spins; spins--)
            ;
        cr_assert_eq(soon_executor_shutdown(pool, modes[round % 3], SOON_FOREVER), 0);
        cr_assert(soon_future_done(tree));
        soon_future_unref(tree);
        cr_assert_eq(stats_of(pool).pending, 0);
        cr_assert_eq(stats_of(pool).submitted,
                     stats_of(pool).succeeded + stats_of(pool).failed + stats_of(pool).cancelled);
        free_pool(pool);
    }
}

/*
 * Taken of the queue at once
 */

static atomic_int met;

SOON_TASK(wait_for_another, soon_none, soon_none)
{
    met++;
    while (met % 2)
        sched_yield();
    return 0;
}

/* Q2, Q5: a worker that takes some at once, and begins a long one of these, leaves the others to whoever looks. Two that wait
 * for each other lie side by side in a flood, so that mostly one worker takes both. Caught: a taking that nobody is told of. */
Test(race_deque, task_that_was_taken_with_others_is_found_by_another_worker)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[400];

    for (int round = 0; round < test_rounds(300); round++) {
        for (int i = 0; i < 400; i++)
            futures[i] = i == 300 || i == 301 ? soon_submit(pool, wait_for_another) : soon_submit(pool, nothing);
        for (int i = 0; i < 400; i++)
            cr_assert_eq(outcome_of(futures[i]), 0);
    }
    free_pool(pool);
}
