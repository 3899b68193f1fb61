/*
 * library_loop_guest.c - jobs of the library's loop that a thread of the program does in its place, while it sleeps.
 */
#include "../support/library_loop_fixture.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(library_loop_guest);

/* Until one was done here: the loop may be awake now and then. The job notes itself first. */
static void run_here(struct noted *noted)
{
    size_t runs = 0;

    do {
        soon__library_loop_run_or_post(&noted->job);
        test_wait_until(ran == runs + 1);
        runs++;
    } while (!pthread_equal(noted->thread, pthread_self()));
}

Test(library_loop_guest, does_a_job_on_its_own_thread_while_the_loop_sleeps)
{
    struct noted job = {.job.run = note};

    wait_for_both_threads();
    run_here(&job);
    cr_assert(job.on_loop);
    cr_assert_not(job.of_library);
    cr_assert_not(soon__library_on_loop());
    cr_assert_not(soon__library_is_quiet());
}

struct hold {
    struct soon__job job; /* first */
    atomic_bool held, ends;
};

static void hold_loop(struct soon__job *job)
{
    struct hold *hold = (struct hold *)job;

    hold->held = true;
    test_wait_until(hold->ends);
}

Test(library_loop_guest, leaves_a_job_to_the_loop_that_is_awake)
{
    struct hold hold = {.job.run = hold_loop};
    struct noted job = {.job.run = note};

    wait_for_both_threads();
    soon__library_loop_post(&hold.job);
    test_wait_until(hold.held);
    soon__library_loop_run_or_post(&job.job);
    cr_assert_eq(ran, 0);
    hold.ends = true;
    test_wait_until(ran == 1);
    cr_assert(job.on_loop);
    cr_assert(job.of_library);
}

Test(library_loop_guest, comes_behind_what_was_posted)
{
    struct noted posted = {.job.run = note}, job = {.job.run = note};

    wait_for_both_threads();
    for (size_t i = 0; i < 2000; i++) {
        soon__library_loop_post(&posted.job);
        soon__library_loop_run_or_post(&job.job);
        test_wait_until(ran == 2 * i + 2);
        cr_assert_lt(posted.turn, job.turn);
    }
}

Test(library_loop_guest, is_no_thread_that_is_in_the_loops_place_already)
{
    struct noted job = {.job.run = note};
    struct soon__loop_guest guest;

    wait_for_both_threads();
    soon__library_guest_begin(&guest);
    for (size_t i = 0; i < 100; i++) {
        soon__library_loop_run_or_post(&job.job);
        test_wait_until(ran == i + 1);
        cr_assert(job.of_library);
    }
    soon__library_guest_end(&guest);
}

/*
 * What its job leaves to the loop
 */

static struct {
    struct noted job; /* first */
    uv_timer_t timer;
    bool there;
    atomic_int fired;
} timed;

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    timed.fired++;
}

static void start_timer(struct soon__job *job)
{
    if (!timed.there)
        uv_timer_init(soon__library_uv(), &timed.timer);
    timed.there = true;
    uv_timer_start(&timed.timer, on_timer, 5, 0);
    note(job);
}

Test(library_loop_guest, wakes_the_loop_for_a_timer)
{
    wait_for_both_threads();
    timed.job.job.run = start_timer;
    for (int i = 0; i < 3; i++) {
        int before = timed.fired;

        ran = 0;
        run_here(&timed.job);
        test_wait_until(timed.fired > before);
    }
}

static void complete_here(struct soon__job *job)
{
    complete(job);
    errno = EDOM;
}

Test(library_loop_guest, has_callbacks_run_on_the_callback_thread)
{
    struct completion completion;

    wait_for_both_threads();
    do {
        new_completion(&completion, complete_here);
        cr_assert_eq(soon_future_add_done_callback(completion.future, note_callback, &completion), 0);
        errno = ERANGE;
        soon__library_loop_run_or_post(&completion.job);
        cr_assert_eq(errno, ERANGE);
        test_wait_until(completion.called == 1);
        cr_assert(completion.in_callback);
        cr_assert_not(pthread_equal(completion.callback_thread, completion.loop_thread));
        cr_assert_not(pthread_equal(completion.callback_thread, pthread_self()));
        soon_future_unref(completion.future);
        soon_promise_free(completion.promise);
    } while (!pthread_equal(completion.loop_thread, pthread_self()));
}

/*
 * Many at once
 */

enum { GUESTS = 3, TURNS = 3000, FORKS = 30 };

static unsigned long turns; /* of whoever has the loop's place: no more than one at a time */

struct guest {
    struct soon__job job; /* first */
    atomic_bool done;
    pthread_t thread;
};

static void take_turn(struct soon__job *job)
{
    turns++;
    ((struct guest *)job)->done = true;
}

static void *take_turns(void *data)
{
    struct guest *guest = data;

    for (int i = 0; i < TURNS; i++) {
        guest->done = false;
        soon__library_loop_run_or_post(&guest->job);
        test_wait_until(guest->done);
    }
    return NULL;
}

static int use_it_in_child(void)
{
    static struct noted job = {.job.run = note};

    if (soon__library_start() < 0)
        return 1;
    ran = 0;
    soon__library_loop_run_or_post(&job.job);
    test_wait_until(ran == 1);
    return 0;
}

static void fork_once(void)
{
    pid_t child = test_fork();
    int status;

    if (child == 0)
        _exit(use_it_in_child());
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(library_loop_guest, is_one_at_a_time_and_lets_forks_go_first)
{
    static struct guest guests[GUESTS];

    wait_for_both_threads();
    for (int i = 0; i < GUESTS; i++) {
        guests[i].job.run = take_turn;
        pthread_create(&guests[i].thread, NULL, take_turns, &guests[i]);
    }
    for (int i = 0; i < FORKS; i++)
        fork_once();
    for (int i = 0; i < GUESTS; i++)
        pthread_join(guests[i].thread, NULL);
    cr_assert_eq(turns, GUESTS * TURNS);
}
