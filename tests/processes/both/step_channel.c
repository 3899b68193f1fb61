/*
 * step_channel.c - what happens between any two instructions of the one side while the other side acts. Two threads would not
 * meet within so few: so one side runs in a child that is traced, step by step. Each test was seen to fail with what it
 * guards broken.
 */
#include "../../support/channel_fixture.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

enum { STEPS_MAX = 5000 };

struct stepped {
    void (*before)(void);
    void (*body)(void);    /* in the child */
    void (*between)(void); /* here, after so many steps of it */
    void (*after)(void);
};

static void run_traced(void (*body)(void))
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    body();
    raise(SIGSTOP);
    _exit(0);
}

/* False: it has come to the end of its body. */
static bool step(pid_t child)
{
    int status;

    cr_assert_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSTOPPED(status));
    return WSTOPSIG(status) == SIGTRAP;
}

static void finish(pid_t child)
{
    int status;

    do {
        ptrace(PTRACE_CONT, child, NULL, NULL);
        cr_assert_eq(waitpid(child, &status, 0), child);
    } while (WIFSTOPPED(status));
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Whether there were so many steps. */
static bool run_after_steps(const struct stepped *what, int steps)
{
    bool is_within = true;
    pid_t child;

    what->before();
    child = test_fork();
    if (child == 0)
        run_traced(what->body);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    for (int i = 0; i < steps && is_within; i++)
        is_within = step(child);
    what->between();
    finish(child);
    what->after();
    return is_within;
}

static void run_stepped(const struct stepped *what)
{
    int steps = 0;

    while (run_after_steps(what, steps))
        cr_assert_lt(++steps, STEPS_MAX);
    cr_assert_gt(steps, 10);
}

static void nothing(void)
{
}

/* With a sanitizer's instructions among them there are a hundred times as many places to stop at, and nothing else to see. */
TestSuite(step_channel, .init = make_channel, .fini = free_channel, .disabled = UNDER_TSAN || UNDER_ASAN);

/*
 * Progress
 */

static uint64_t progress = 1;

static void set_progress(void)
{
    progress++;
    soon__channel_set_progress(&worker, 0, progress, progress * 7);
}

static void set_progress_twice(void)
{
    set_progress();
    set_progress();
}

static void look_at_progress(void)
{
    uint64_t done, total;

    cr_assert(soon__channel_progress(&parent, 0, &done, &total));
    cr_assert_eq(total, done * 7);
}

static void look_and_exit(void)
{
    uint64_t done, total;

    if (!soon__channel_progress(&parent, 0, &done, &total) || total != done * 7)
        _exit(1);
}

/* Guards the look at the sequence after the two were read in soon__channel_progress(). */
Test(step_channel, progress_may_change_while_it_is_read)
{
    run_stepped(&(struct stepped){set_progress, look_and_exit, set_progress_twice, nothing});
}

/* Guards that soon__channel_set_progress() leaves the last pair alone. */
Test(step_channel, progress_may_be_read_while_it_changes)
{
    run_stepped(&(struct stepped){set_progress, set_progress, look_at_progress, set_progress});
}

/*
 * Sleep
 */

static pthread_t sleeper;
static _Atomic bool over;
static uint64_t sequence, head;

static void *serve(void *data)
{
    uint64_t claimed;
    uint32_t slot;

    while (!soon__channel_claim(&worker, &slot, &claimed))
        soon__channel_await_request(&worker);
    atomic_store(&over, true);
    return data;
}

/* It says that it sleeps just before it does. */
static void begin_sleep(void *(*body)(void *), _Atomic uint32_t *says)
{
    atomic_store(&over, false);
    start_thread(&sleeper, body, NULL);
    test_wait_until(atomic_load(&over) || atomic_load(says));
    for (int i = 0; i < 100; i++)
        sched_yield();
}

static void end_sleep(void)
{
    pthread_join(sleeper, NULL);
}

static void next_request(void)
{
    fill_request(0, ++sequence, 0);
}

static void post_it(void)
{
    publish_and_wake(0, sequence);
}

static void let_worker_sleep(void)
{
    begin_sleep(serve, &parent.replies->asleep);
}

/* Guards that soon__channel_wake() changes the bell before it looks whether the worker sleeps: else this hangs. */
Test(step_channel, a_worker_may_fall_asleep_while_a_request_is_posted)
{
    run_stepped(&(struct stepped){next_request, post_it, let_worker_sleep, end_sleep});
}

static void *await_ack(void *data)
{
    cr_assert_eq(soon__channel_await_ack(&worker, head - 1), head);
    atomic_store(&over, true);
    return data;
}

static void next_head(void)
{
    head++;
}

static void consume_it(void)
{
    soon__channel_ack(&parent, head);
}

static void let_worker_starve(void)
{
    begin_sleep(await_ack, &parent.replies->starved);
}

/* Guards that soon__channel_ack() publishes the count before it wakes the worker: else this hangs. */
Test(step_channel, a_worker_may_starve_while_replies_are_consumed)
{
    run_stepped(&(struct stepped){next_head, consume_it, let_worker_starve, end_sleep});
}

/*
 * Claims
 */

static bool both_taken;

static void claim_it(void)
{
    uint64_t claimed;
    uint32_t slot;

    (void)soon__channel_claim(&worker, &slot, &claimed);
}

static void take_back_twice(void)
{
    both_taken = soon__channel_take_back(&parent, 0, sequence);
    if (!both_taken)
        return;
    next_request();
    post_it();
    both_taken = soon__channel_take_back(&parent, 0, sequence);
}

static void is_not_claimed(void)
{
    cr_assert(!both_taken || soon__channel_look(&parent, 0, sequence) == SOON__LOOK_UNCLAIMED);
}

static void post_next(void)
{
    next_request();
    post_it();
}

/* Guards that look_at() passes over numbers below that of the word: else the first of the two is claimed. */
Test(step_channel, what_is_claimed_may_be_taken_back_with_its_successor)
{
    run_stepped(&(struct stepped){post_next, claim_it, take_back_twice, is_not_claimed});
}

static void post_two(void)
{
    next_request();
    fill_request(3, sequence, 2 * sequence);
    publish_and_wake(3, sequence);
    fill_request(5, sequence, 2 * sequence + 1);
    publish_and_wake(5, sequence);
}

static void the_first_is_claimed_first(void)
{
    cr_assert(soon__channel_look(&parent, 5, sequence) == SOON__LOOK_UNCLAIMED ||
              soon__channel_look(&parent, 3, sequence) == SOON__LOOK_CLAIMED);
    claim_it();
    claim_it();
}

/* Guards the second scan in look(): else what was posted behind it is claimed before the one that it has missed. */
Test(step_channel, two_may_be_posted_while_one_is_looked_for)
{
    run_stepped(&(struct stepped){nothing, claim_it, post_two, the_first_is_claimed_first});
}

enum { POSTED = 4 };

static uint64_t dealt[POSTED]; /* the number of the request in each slot */

static void deal(uint32_t in_slot, uint64_t order)
{
    dealt[in_slot] = ++sequence;
    fill_request(in_slot, sequence, order);
    soon__channel_publish(&parent, in_slot, sequence);
}

static void deal_all(void)
{
    for (uint32_t i = 0; i < POSTED; i++)
        deal(i, i + 1);
    soon__channel_wake(&parent, (1 << POSTED) - 1);
}

/* As when another worker becomes ready: it gets every other one. The bell has not rung yet. */
static void deal_again(void)
{
    bool taken[POSTED];
    uint32_t to = 0;

    for (uint32_t i = POSTED; i-- > 0;)
        taken[i] = soon__channel_take_back(&parent, i, dealt[i]);
    for (uint32_t i = 0; i < POSTED; i += 2) {
        while (!taken[to])
            to++;
        if (taken[i])
            deal(to++, i + 1);
    }
}

static void claim_the_oldest(void)
{
    uint64_t claimed;
    uint32_t slot;

    if (!soon__channel_claim(&worker, &slot, &claimed) || atomic_load(&worker.requests->request[slot].order) != 1)
        _exit(1);
}

static void claim_the_rest(void)
{
    uint64_t claimed;
    uint32_t slot;

    while (soon__channel_claim(&worker, &slot, &claimed))
        continue;
}

/* Guards that look() scans until it finds nothing new, and also where it has found something: else the second is
 * claimed before the oldest, which lies where the worker had found it before it was taken back. */
Test(step_channel, all_may_be_dealt_again_while_one_is_claimed)
{
    run_stepped(&(struct stepped){deal_all, claim_the_oldest, deal_again, claim_the_rest});
}

/*
 * The bell
 */

static bool must_ring;

static void no_bell(void)
{
    soon__channel_want_no_bell(&parent);
    soon__bell_quiet(parent.bell);
    head = soon__channel_published_count(&worker);
    soon__channel_ack(&parent, head);
}

static void reply_it(void)
{
    reply_done(0, 1);
}

static void want_bell(void)
{
    must_ring = !soon__channel_want_bell(&parent, head);
}

static void hear(void)
{
    cr_assert(!must_ring || bell_rings(0));
    cr_assert_eq(soon__channel_published_count(&worker), head + 1);
}

/* Guards that soon__channel_reply() publishes before it looks whether the bell is wanted. */
Test(step_channel, the_bell_may_be_wanted_while_a_reply_is_published)
{
    run_stepped(&(struct stepped){no_bell, reply_it, want_bell, hear});
}
