/*
 * race_progress.c - progress that is set while its future completes, while it is taken back and while it is told.
 */
#include "../support/loop_fixture.h"

#include <time.h>

TestSuite(race_progress, .init = open_loop, .fini = close_loop);

enum { ROUNDS = 200 };

static struct {
    uint64_t last;
    bool done;
} heard;
static atomic_int dones, releases;

static void hear(soon_future *future, soon_progress progress, void *data)
{
    (void)future, (void)data;
    cr_assert_not(heard.done);
    cr_assert_gt(progress.done, heard.last);
    heard.last = progress.done;
}

static void note_done(soon_future *future, void *data)
{
    (void)future, (void)data;
    heard.done = true;
    dones++;
}

static void note_release(void *data)
{
    (void)data;
    releases++;
}

struct setter {
    soon_promise *promise;
    uint64_t count;
};

static void *set_and_complete(void *data)
{
    struct setter *setter = data;

    for (uint64_t i = 1; i <= setter->count; i++) {
        soon_promise_set_progress(setter->promise, i, 0);
        if (i % 64 == 0)
            sched_yield();
    }
    soon_promise_set_result(setter->promise, NULL, 0);
    return NULL;
}

/* `every_ms` SOON_FOREVER: it is taken back meanwhile. */
static void run_round(int round, soon_loop *loop, bool take_back)
{
    struct halves made = pending();
    struct setter setter = {made.promise, 1 + (uint64_t)(round * 97 % 3000)};
    pthread_t thread;
    bool taken = false;

    heard.last = 0;
    heard.done = false;
    dones = releases = 0;
    cr_assert_eq(soon_future_add_done_callback_owned(made.future, loop, note_done, NULL, NULL), 0);
    cr_assert_eq(soon_future_add_progress_callback(made.future, loop, 1, hear, NULL, note_release), 0);
    cr_assert_eq(pthread_create(&thread, NULL, set_and_complete, &setter), 0);
    if (take_back) {
        sched_yield();
        uv_run(&uv, UV_RUN_NOWAIT);
        taken = soon_future_remove_progress_callback(made.future, hear, NULL);
    }
    while (dones == 0 || releases == 0) {
        uv_run(&uv, UV_RUN_NOWAIT);
        sched_yield();
    }
    pthread_join(thread, NULL);
    run_to_the_end();
    cr_assert_eq(releases, 1);
    if (!taken)
        cr_assert_eq(heard.last, setter.count);
    release(made);
}

Test(race_progress, the_last_one_is_told_before_the_end_on_a_loop)
{
    for (int i = 0; i < test_rounds(ROUNDS); i++)
        run_round(i, on, false);
}

Test(race_progress, the_last_one_is_told_before_the_end_on_the_callback_thread)
{
    for (int i = 0; i < test_rounds(ROUNDS); i++)
        run_round(i, NULL, false);
}

Test(race_progress, is_taken_back_while_it_is_told)
{
    for (int i = 0; i < test_rounds(ROUNDS); i++)
        run_round(i, i % 2 ? on : NULL, true);
}

/* Each step comes some time after the last was told: as the library's loop looks, before it rests, or when it does. */
Test(race_progress, a_step_more_is_always_told)
{
    struct halves made = pending();

    heard.last = 0;
    cr_assert_eq(soon_future_add_progress_callback(made.future, on, 1, hear, NULL, note_release), 0);
    for (int i = 1; i <= test_rounds(ROUNDS); i++) {
        nanosleep(&(struct timespec){.tv_nsec = i * 7919 % 2500 * 1000}, NULL);
        soon_promise_set_progress(made.promise, (uint64_t)i, 0);
        while (heard.last < (uint64_t)i)
            uv_run(&uv, UV_RUN_ONCE);
    }
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    release(made);
}
