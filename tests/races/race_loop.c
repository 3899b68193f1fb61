/*
 * race_loop.c - many threads at one loop: load, remove against completion, detach against posts, sleep against wake-up.
 */
#include "../support/loop_fixture.h"

#include <sched.h>
#include <stdlib.h>

TestSuite(race_loop, .init = open_loop, .fini = close_loop);

enum { SUBMITTERS = 4, COMPLETIONS = 25000 };

struct submitter {
    pthread_t thread;
    size_t next; /* loop's thread: what comes next of this submitter */
    atomic_size_t *left;
    soon_promise *all;
};

struct numbered {
    struct submitter *submitter;
    size_t number;
};

static size_t completed;
static pthread_t loops_thread;

static void count_in_order(soon_future *future, void *data)
{
    struct numbered *numbered = data;
    size_t result;

    cr_assert_eq(soon_future_read(future, 0, &result, sizeof result), 0);
    cr_assert_eq(result, numbered->number);
    cr_assert_eq(numbered->number, numbered->submitter->next);
    cr_assert(pthread_equal(pthread_self(), loops_thread));
    numbered->submitter->next++;
    completed++;
    free(numbered);
}

static void *submit_all(void *data)
{
    struct submitter *submitter = data;

    for (size_t i = 0; i < (size_t)test_rounds(COMPLETIONS); i++) {
        struct numbered *numbered = malloc(sizeof *numbered);
        struct halves made = pending();

        *numbered = (struct numbered){submitter, i};
        cr_assert_eq(soon_future_add_done_callback_on(made.future, on, count_in_order, numbered), 0);
        soon_promise_set_result(made.promise, &i, sizeof i);
        release(made);
    }
    if (--*submitter->left == 0)
        soon_promise_set_result(submitter->all, NULL, 0);
    return NULL;
}

static void detach_at_the_end(soon_future *future, void *data)
{
    (void)future, (void)data;
    cr_assert_eq(handles(), 1); /* whatever the load */
    detach_saying("closed");
}

Test(race_loop, takes_100000_completions_from_four_threads)
{
    struct submitter submitters[SUBMITTERS];
    atomic_size_t left = SUBMITTERS;
    struct halves all = pending();

    loops_thread = pthread_self();
    cr_assert_eq(soon_future_add_done_callback_on(all.future, on, detach_at_the_end, NULL), 0);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.left = &left, .all = all.promise};
        pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]);
    }
    run_to_the_end();
    cr_assert_eq(completed, (size_t)(SUBMITTERS * test_rounds(COMPLETIONS)));
    cr_assert_str_eq(said, "closed");
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    release(all);
}

/*
 * Remove against completion and turn: of the three, one wins
 */

enum { ALL = 500, ROUNDS = 40 };

struct contested {
    struct halves made;
    atomic_bool ran, removed;
    char *bytes; /* freed when it was removed on the loop's thread */
};

static struct contested contested[ALL];
static size_t next_to_remove;

static void mark_ran(soon_future *future, void *data)
{
    struct contested *one = data;

    (void)future;
    one->bytes[0]++; /* not freed */
    cr_assert_not(atomic_exchange(&one->ran, true), "ran twice");
}

static void begin_round(void)
{
    for (size_t i = 0; i < ALL; i++) {
        contested[i] = (struct contested){.made = pending(), .bytes = calloc(1, 1)};
        cr_assert_eq(soon_future_add_done_callback_on(contested[i].made.future, on, mark_ran, &contested[i]), 0);
    }
    next_to_remove = 0;
}

static void end_round(void)
{
    for (size_t i = 0; i < ALL; i++) {
        cr_assert_neq(contested[i].ran, contested[i].removed);
        free(contested[i].bytes);
        release(contested[i].made);
    }
}

static void *complete_batch(void *data)
{
    (void)data;
    for (size_t i = 0; i < ALL; i++)
        soon_promise_set_result(contested[i].made.promise, NULL, 0);
    return NULL;
}

static void *remove_batch(void *data)
{
    (void)data;
    for (size_t i = 0; i < ALL; i++)
        contested[i].removed = soon_future_remove_done_callback(contested[i].made.future, mark_ran, &contested[i]);
    return NULL;
}

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

static void remove_next(uv_idle_t *idle)
{
    struct contested *one = &contested[next_to_remove];

    one->removed = soon_future_remove_done_callback(one->made.future, mark_ran, one);
    if (one->removed) {
        free(one->bytes); /* exact: nobody looks at it any more */
        one->bytes = NULL;
    }
    if (++next_to_remove == ALL)
        uv_close((uv_handle_t *)idle, NULL);
}

Test(race_loop, remove_on_the_loops_thread_is_exact)
{
    for (int round = 0; round < test_rounds(ROUNDS); round++) {
        pthread_t completer;
        uv_idle_t idle;

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

enum { POSTERS = 3 };

struct poster {
    pthread_t thread;
    struct halves made; /* keeps the loop from closing while the poster may still look at it */
    soon_loop *loop;
    atomic_size_t *begun;
    size_t accepted;
};

static size_t counted, counted_when_closed;

static void count(void *data)
{
    (void)data;
    counted++;
}

static void count_done(soon_future *future, void *data)
{
    (void)future, (void)data;
    counted++;
}

static void note_count(void *data)
{
    (void)data;
    counted_when_closed = counted;
}

static void *post_until_refused(void *data)
{
    struct poster *poster = data;
    int rc;

    ++*poster->begun;
    test_wait_until(*poster->begun == POSTERS); /* else the first has posted millions when the last begins */
    while ((rc = soon_loop_post(poster->loop, count, NULL)) == 0)
        poster->accepted++;
    cr_assert_eq(rc, SOON_ESHUTDOWN);
    soon_promise_set_result(poster->made.promise, NULL, 0); /* the last touch: from here on the loop may be gone */
    return NULL;
}

Test(race_loop, what_was_accepted_before_a_detach_runs_before_it_closes)
{
    for (int round = 0; round < test_rounds(200); round++) {
        struct poster posters[POSTERS];
        atomic_size_t begun = 0;
        size_t accepted = 0;

        counted = 0;
        counted_when_closed = SIZE_MAX;
        for (size_t i = 0; i < POSTERS; i++) {
            posters[i] = (struct poster){.made = pending(), .loop = on, .begun = &begun};
            cr_assert_eq(soon_future_add_done_callback_on(posters[i].made.future, on, count_done, NULL), 0);
        }
        for (size_t i = 0; i < POSTERS; i++)
            pthread_create(&posters[i].thread, NULL, post_until_refused, &posters[i]);
        while (begun < POSTERS)
            uv_run(&uv, UV_RUN_NOWAIT);
        soon_loop_detach(on, note_count, NULL);
        run_to_the_end();
        for (size_t i = 0; i < POSTERS; i++) {
            pthread_join(posters[i].thread, NULL);
            accepted += posters[i].accepted;
            release(posters[i].made);
        }
        cr_assert_eq(counted_when_closed, accepted + POSTERS);
        cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    }
}

/*
 * Sleep against wake-up: a completion that the loop slept through would hang
 */

static struct halves ping;
static atomic_size_t pongs;

static void pong(soon_future *future, void *data)
{
    (void)future, (void)data;
    pongs++;
}

static void *play(void *data)
{
    for (size_t i = 1; i <= (size_t)test_rounds(5000); i++) {
        struct halves made = pending();

        cr_assert_eq(soon_future_add_done_callback_on(made.future, on, pong, data), 0);
        soon_promise_set_result(made.promise, NULL, 0);
        test_wait_until(pongs >= i);
        release(made);
    }
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
    pthread_create(&player, NULL, play, NULL);
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
