/*
 * race_loop.c - many threads at one loop: load, remove against completion, detach against posts, sleep against wake-up.
 */
#include "../support/completions.h"
#include "../support/contested.h"
#include "../support/loop_fixture.h"

#include <sched.h>
#include <stdlib.h>

TestSuite(race_loop, .init = open_loop, .fini = close_loop);

static void detach_at_the_end(soon_future *future, void *word)
{
    (void)future;
    cr_assert_eq(handles(), 1); /* whatever the load */
    detach_saying(word);
}

Test(race_loop, takes_100000_completions_from_four_threads)
{
    start_completions(detach_at_the_end);
    run_to_the_end();
    assert_all_completed();
}

/*
 * Remove against completion and turn: of the three, one wins
 */

Test(race_loop, callback_is_removed_or_runs_once)
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t completer, remover;

        begin_round();
        pthread_create(&completer, NULL, complete_batch, NULL);
        pthread_create(&remover, NULL, remove_batch, NULL);
        run_to_the_end();
        pthread_join(completer, NULL);
        pthread_join(remover, NULL);
        run_to_the_end();
        end_round();
    }
}

static size_t next_to_remove;

static void remove_next(uv_idle_t *idle)
{
    take_back_exactly(&contested[next_to_remove]);
    if (++next_to_remove == ALL)
        uv_close((uv_handle_t *)idle, NULL);
}

Test(race_loop, remove_on_the_loops_thread_is_exact)
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t completer;
        uv_idle_t idle;

        next_to_remove = 0;
        begin_round();
        uv_idle_init(&uv, &idle);
        uv_idle_start(&idle, remove_next);
        pthread_create(&completer, NULL, complete_batch, NULL);
        run_to_the_end();
        pthread_join(completer, NULL);
        end_round();
    }
}

/*
 * Detach against posts: what was accepted runs before on_closed
 */

Test(race_loop, what_was_accepted_before_a_detach_runs_before_it_closes)
{
    for (int round = 0; round < test_rounds(200); round++) {
        start_posters();
        while (posters_begun < POSTERS)
            uv_run(&uv, UV_RUN_NOWAIT);
        soon_loop_detach(on, note_count, NULL);
        run_to_the_end();
        join_posters();
        cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    }
}

/*
 * Sleep against wake-up: a completion that the loop slept through would hang
 */

static struct halves ping;

static void *play_ping_pong(void *data)
{
    (void)data;
    play();
    soon_promise_set_result(ping.promise, NULL, 0);
    return NULL;
}

static void stop_playing(soon_future *future, void *data)
{
    (void)future, (void)data;
}

Test(race_loop, loop_that_sleeps_is_woken_each_time)
{
    pthread_t player;

    ping = pending();
    cr_assert_eq(soon_future_add_done_callback_on(ping.future, on, stop_playing, NULL), 0);
    pthread_create(&player, NULL, play_ping_pong, NULL);
    run_to_the_end();
    pthread_join(player, NULL);
    release(ping);
}

/*
 * Registrations elsewhere against the loop's own count of handles, which is no atomic
 */

static atomic_bool stop_counting;

static void stay_away(soon_future *future, void *data)
{
    (void)future, (void)data;
}

static void *register_and_remove(void *data)
{
    struct halves made = pending();

    for (int i = 0; i < test_rounds(100000); i++) {
        cr_assert_eq(soon_future_add_done_callback_on(made.future, on, stay_away, data), 0);
        cr_assert(soon_future_remove_done_callback(made.future, stay_away, data));
    }
    release(made);
    stop_counting = true;
    return NULL;
}

static uv_timer_t counted_handle;

static void ignore_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* Each start and stop changes the count. */
static void start_and_stop(uv_idle_t *idle)
{
    for (int i = 0; i < test_rounds(50); i++) {
        uv_timer_start(&counted_handle, ignore_timer, 1000, 0);
        uv_timer_stop(&counted_handle);
    }
    if (!stop_counting)
        return;
    uv_close((uv_handle_t *)&counted_handle, NULL);
    uv_close((uv_handle_t *)idle, NULL);
}

Test(race_loop, registrations_elsewhere_leave_the_handle_to_the_loops_thread)
{
    pthread_t thread;
    uv_idle_t idle;

    run_to_the_end();
    uv_timer_init(&uv, &counted_handle);
    uv_idle_init(&uv, &idle);
    uv_idle_start(&idle, start_and_stop);
    pthread_create(&thread, NULL, register_and_remove, NULL);
    run_to_the_end();
    pthread_join(thread, NULL);
    run_to_the_end();
}

/*
 * L6: the program closes all handles of its loop, and frees that, while others complete and post.
 */

static uv_loop_t *other;
static soon_loop *on_other;
static atomic_size_t ran;
static bool detached_meanwhile; /* then nobody may use it but by what is registered */

static void note_run(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    ran++;
}

static void note_post(void *data)
{
    (void)data;
    ran++;
}

static void *complete_and_post(void *data)
{
    struct halves *batch = data;

    for (int i = 0; i < 50; i++) {
        soon_promise_set_result(batch[i].promise, NULL, 0);
        if (detached_meanwhile)
            continue;
        (void)soon_loop_post(on_other, note_post, NULL);
        if (soon_future_add_done_callback_on(batch[i].future, on_other, note_run, NULL) < 0)
            continue; /* it is known already */
    }
    return NULL;
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    uv_close(handle, NULL);
}

Test(race_loop, that_is_walked_and_closed_is_left_alone_by_other_threads)
{
    struct halves batches[2][50];

    for (int round = 0; round < test_rounds(300); round++) {
        pthread_t threads[2];

        other = malloc(sizeof *other);
        cr_assert_eq(uv_loop_init(other), 0);
        cr_assert_eq(soon_loop_attach(&on_other, other), 0);
        for (int i = 0; i < 100; i++) {
            batches[i / 50][i % 50] = pending();
            cr_assert_eq(soon_future_add_done_callback_on(batches[i / 50][i % 50].future, on_other, note_run, NULL), 0);
        }
        detached_meanwhile = round % 2;
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, complete_and_post, batches[i]);
        for (int i = 0; i < round % 3; i++)
            uv_run(other, UV_RUN_NOWAIT);
        uv_walk(other, close_handle, NULL);
        cr_assert_eq(uv_run(other, UV_RUN_DEFAULT), 0);
        cr_assert_eq(uv_loop_close(other), 0);
        free(other);
        if (detached_meanwhile)
            soon_loop_detach(on_other, NULL, NULL);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        if (!detached_meanwhile)
            soon_loop_detach(on_other, NULL, NULL);
        for (int i = 0; i < 100; i++)
            release(batches[i / 50][i % 50]);
    }
}
