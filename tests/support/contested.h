/*
 * contested.h - what several threads do to one loop at once, of any kind: they complete futures and take callbacks
 * back, and post until the loop is detached.
 */
#ifndef SOON_TESTS_CONTESTED_H
#define SOON_TESTS_CONTESTED_H

#include "said.h"

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
static size_t contested_ran;

static inline void mark_ran(soon_future *future, void *data)
{
    struct contested *one = data;

    (void)future;
    one->bytes[0]++; /* not freed */
    cr_assert_not(atomic_exchange(&one->ran, true), "ran twice");
    contested_ran++;
}

static inline void begin_round(void)
{
    contested_ran = 0;
    for (size_t i = 0; i < ALL; i++) {
        contested[i] = (struct contested){.made = pending(), .bytes = calloc(1, 1)};
        cr_assert_eq(soon_future_add_done_callback_on(contested[i].made.future, on, mark_ran, &contested[i]), 0);
    }
}

static inline void end_round(void)
{
    for (size_t i = 0; i < ALL; i++) {
        cr_assert_neq(contested[i].ran, contested[i].removed);
        free(contested[i].bytes);
        release(contested[i].made);
    }
}

static inline void *complete_batch(void *data)
{
    (void)data;
    for (size_t i = 0; i < ALL; i++)
        soon_promise_set_result(contested[i].made.promise, NULL, 0);
    return NULL;
}

static inline bool take_back(struct contested *one)
{
    one->removed = soon_future_remove_done_callback(one->made.future, mark_ran, one);
    return one->removed;
}

static inline void *remove_batch(void *data)
{
    (void)data;
    for (size_t i = 0; i < ALL; i++)
        take_back(&contested[i]);
    return NULL;
}

/* On the loop's thread. */
static inline void take_back_exactly(struct contested *one)
{
    if (!take_back(one))
        return;
    free(one->bytes); /* nobody looks at it any more */
    one->bytes = NULL;
}

/*
 * Detach against posts: what was accepted runs before on_closed
 */

enum { POSTERS = 3 };

struct poster {
    pthread_t thread;
    struct halves made; /* keeps the loop from closing while the poster may still look at it */
    soon_loop *loop;
    size_t accepted;
};

static struct poster posters[POSTERS];
static atomic_size_t posters_begun;
static size_t counted, counted_when_closed;

static inline void count(void *data)
{
    (void)data;
    counted++;
}

static inline void count_done(soon_future *future, void *data)
{
    (void)future;
    count(data);
}

static inline void note_count(void *data)
{
    (void)data;
    counted_when_closed = counted;
}

static inline void *post_until_refused(void *data)
{
    struct poster *poster = data;
    int rc;

    posters_begun++;
    test_wait_until(posters_begun == POSTERS); /* else the first has posted millions when the last begins */
    while ((rc = soon_loop_post(poster->loop, count, NULL)) == 0)
        poster->accepted++;
    cr_assert_eq(rc, SOON_ESHUTDOWN);
    soon_promise_set_result(poster->made.promise, NULL, 0); /* the last touch: from here on the loop may be gone */
    return NULL;
}

static inline void start_posters(void)
{
    counted = 0;
    posters_begun = 0;
    counted_when_closed = SIZE_MAX;
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.made = pending(), .loop = on};
        cr_assert_eq(soon_future_add_done_callback_on(posters[i].made.future, on, count_done, NULL), 0);
    }
    for (size_t i = 0; i < POSTERS; i++)
        pthread_create(&posters[i].thread, NULL, post_until_refused, &posters[i]);
}

/* When the loop has closed. */
static inline void join_posters(void)
{
    size_t accepted = 0;

    for (size_t i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        accepted += posters[i].accepted;
        release(posters[i].made);
    }
    cr_assert_eq(counted_when_closed, accepted + POSTERS);
}

/*
 * Sleep against wake-up: a completion that the loop slept through would hang
 */

static atomic_size_t pongs;

static inline void pong(soon_future *future, void *data)
{
    (void)future, (void)data;
    pongs++;
}

/* Has many futures done, each when the callback of the one before has run. */
static inline void play(void)
{
    for (size_t i = 1; i <= (size_t)test_rounds(5000); i++) {
        struct halves made = pending();

        cr_assert_eq(soon_future_add_done_callback_on(made.future, on, pong, NULL), 0);
        soon_promise_set_result(made.promise, NULL, 0);
        test_wait_until(pongs >= i);
        release(made);
    }
}

#endif
