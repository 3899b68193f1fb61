/*
 * race_dispatch.c - many threads at a loop that is the caller's own poll: load, remove against completion, detach
 * against posts, sleep against wake-up, threads that dispatch it in turns.
 */
#include "../support/completions.h"
#include "../support/contested.h"
#include "../support/dispatch_fixture.h"

TestSuite(race_dispatch, .init = open_loop, .fini = close_loop);

/*
 * Load
 */

static void detach_at_the_end(soon_future *future, void *word)
{
    (void)future;
    detach_saying(word);
}

/* As a program that has its own epoll loop. */
static void run_with(uint32_t flags, int max)
{
    struct epoll_event event = {.events = EPOLLIN | flags};
    int set = epoll_create1(EPOLL_CLOEXEC), rc = 0;
    soon_loop *loop = on;

    cr_assert_eq(epoll_ctl(set, EPOLL_CTL_ADD, soon_loop_fd(on), &event), 0);
    start_completions(detach_at_the_end);
    while (rc >= 0) {
        if (epoll_wait(set, &event, 1, -1) < 1)
            continue;
        rc = soon_loop_dispatch(loop, max);
        cr_assert(rc <= max || max == 0);
    }
    cr_assert_eq(rc, SOON_EEND);
    assert_all_completed();
    close(set);
}

Test(race_dispatch, takes_100000_completions_from_four_threads)
{
    run_with(0, 0);
}

/* An edge that was lost would hang. */
Test(race_dispatch, takes_100000_completions_by_edges_some_at_a_time)
{
    run_with(EPOLLET, 7);
}

/*
 * Remove against completion and dispatch: of the three, one wins
 */

/* What has run is as much as the dispatches said. */
static void end_round_of(size_t ran)
{
    while (is_due())
        ran += (size_t)soon_loop_dispatch(on, 0);
    cr_assert_eq(ran, contested_ran);
    end_round();
}

Test(race_dispatch, callback_is_removed_or_runs_once)
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t completer, remover;
        size_t ran = 0;

        begin_round();
        pthread_create(&completer, NULL, complete_batch, NULL);
        pthread_create(&remover, NULL, remove_batch, NULL);
        for (int i = 0; i < ALL; i++)
            ran += (size_t)soon_loop_dispatch(on, 3);
        pthread_join(completer, NULL);
        pthread_join(remover, NULL);
        end_round_of(ran);
    }
}

Test(race_dispatch, remove_on_the_dispatching_thread_is_exact)
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t completer;
        size_t ran = 0;

        cr_assert_eq(soon_loop_dispatch(on, 0), 0); /* this is its thread */
        begin_round();
        pthread_create(&completer, NULL, complete_batch, NULL);
        for (size_t i = 0; i < ALL; i++) {
            take_back_exactly(&contested[i]);
            ran += (size_t)soon_loop_dispatch(on, 2);
        }
        pthread_join(completer, NULL);
        end_round_of(ran);
    }
}

/*
 * Detach against posts: what was accepted runs before on_closed
 */

Test(race_dispatch, what_was_accepted_before_a_detach_runs_before_it_closes)
{
    for (int round = 0; round < test_rounds(50); round++) {
        soon_loop *loop = on;

        start_posters();
        while (posters_begun < POSTERS)
            cr_assert_geq(soon_loop_dispatch(on, 0), 0);
        soon_loop_detach(on, note_count, NULL);
        run_to_the_close(loop);
        join_posters();
        open_loop();
    }
}

/*
 * Sleep against wake-up: a completion that the poll slept through would hang
 */

static atomic_bool over;

static void *play_ping_pong(void *data)
{
    (void)data;
    play();
    cr_assert_eq(soon_loop_post(on, set_flag, &over), 0);
    return NULL;
}

Test(race_dispatch, no_completion_is_slept_through)
{
    pthread_t player;

    pthread_create(&player, NULL, play_ping_pong, NULL);
    while (!over) {
        cr_assert(poll_loop(on, -1));
        cr_assert_geq(soon_loop_dispatch(on, 0), 0);
    }
    pthread_join(player, NULL);
}

/*
 * Threads that dispatch in turns, and register between their turns
 */

enum { DISPATCHERS = 3, EACH = 10000 };

static atomic_size_t handed_over, dispatchers_begun;

static void count_handed_over(soon_future *future, void *data)
{
    (void)future, (void)data;
    handed_over++;
}

static void *register_and_dispatch(void *data)
{
    size_t each = (size_t)test_rounds(EACH);

    dispatchers_begun++;
    test_wait_until(dispatchers_begun == DISPATCHERS);
    for (size_t i = 0; i < each; i++) {
        struct halves done = successful();
        int rc;

        cr_assert_eq(soon_future_add_done_callback_on(done.future, on, count_handed_over, data), 0);
        rc = soon_loop_dispatch(on, 2);
        cr_assert(rc >= 0 || rc == -EBUSY);
        release(done);
    }
    return NULL;
}

/* A count that was lost would close it too early, which one at a time shows, or never. */
Test(race_dispatch, threads_that_dispatch_in_turns_lose_nothing)
{
    pthread_t threads[DISPATCHERS];
    soon_loop *loop = on;
    int rc;

    for (size_t i = 0; i < DISPATCHERS; i++)
        pthread_create(&threads[i], NULL, register_and_dispatch, NULL);
    for (size_t i = 0; i < DISPATCHERS; i++)
        pthread_join(threads[i], NULL);
    detach_saying("closed");
    while ((rc = soon_loop_dispatch(loop, 1)) > 0)
        continue;
    cr_assert_eq(rc, SOON_EEND);
    cr_assert_eq(handed_over, (size_t)(DISPATCHERS * test_rounds(EACH)));
    cr_assert_str_eq(said, "closed");
}
