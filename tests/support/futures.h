/*
 * futures.h - what the tests of futures share: futures in every state, readers that block, threads that race,
 * executors without threads.
 */
#ifndef SOON_TESTS_SUPPORT_FUTURES_H
#define SOON_TESTS_SUPPORT_FUTURES_H

#include "../../futures/block_internal.h"
#include "../../futures/future_internal.h"
#include "../harness/test.h"
#include "dice.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/*
 * A promise and its future. release() gives both up.
 */
struct halves {
    soon_promise *promise;
    soon_future *future;
};

static inline struct halves pending_with(const soon_promise_hooks *hooks)
{
    struct halves both;

    cr_assert_eq(soon_promise_new(&both.promise, hooks), 0);
    both.future = soon_promise_future(both.promise);
    return both;
}

static inline struct halves pending(void)
{
    return pending_with(NULL);
}

static inline struct halves running(void)
{
    struct halves both = pending();

    cr_assert_eq(soon_promise_set_running(both.promise), 0);
    return both;
}

static inline struct halves cancelled(void)
{
    struct halves both = pending();

    cr_assert(soon_future_cancel(both.future));
    return both;
}

/* A future that has failed with EIO. */
static inline struct halves failed(void)
{
    struct halves both = running();

    cr_assert_eq(soon_promise_set_exception(both.promise, EIO, "it failed"), 0);
    return both;
}

/* A future that has the int 42 as its result. */
static inline struct halves successful(void)
{
    struct halves both = running();

    cr_assert_eq(soon_promise_set_result(both.promise, &(int){42}, sizeof(int)), 0);
    return both;
}

static inline void release(struct halves both)
{
    soon_future_unref(both.future);
    soon_promise_free(both.promise);
}

static inline void set_int(soon_promise *promise, int value)
{
    cr_assert_eq(soon_promise_set_result(promise, &value, sizeof value), 0);
}

/* The result, an int, of a future that must have succeeded. */
static inline int int_of(soon_future *future)
{
    int value = -1;

    cr_assert_eq(soon_result(future, &value), 0);
    return value;
}

/* What soon_future_result() returns now, without waiting. */
static inline int code_of(soon_future *future)
{
    soon_bytes bytes;

    return soon_future_result(future, 0, &bytes);
}

/* Waits until `expected` futures are left. */
static inline void assert_alive(size_t expected)
{
    test_wait_until(soon__blocks_alive() == expected);
}

/*
 * A thread that is blocked in soon_future_result().
 */
struct reader {
    pthread_t thread;
    soon_future *future;
    soon_bytes bytes;
    int rc;
    _Atomic bool over;
};

static inline void *reader__main(void *data)
{
    struct reader *reader = data;

    reader->rc = soon_future_result(reader->future, SOON_FOREVER, &reader->bytes);
    atomic_store(&reader->over, true);
    return NULL;
}

static inline void start_thread(pthread_t *ret, void *(*body)(void *), void *data)
{
    cr_assert_eq(pthread_create(ret, NULL, body, data), 0);
}

static inline bool has_sleeper(const soon_future *future)
{
    return soon__future_word(future) & SOON__PARKED;
}

/* Whether a soon_wait() or an iterator waits for this future. */
static inline bool has_waiter(soon_future *future)
{
    bool some;

    soon__future_lock(future);
    some = !soon__word_final(soon__future_word(future)) && future->locked.waiters;
    soon__future_unlock(future);
    return some;
}

/* Returns when the reader sleeps or is about to. It must be the first that does so on this future. */
static inline struct reader *start_reading(soon_future *future)
{
    struct reader *reader = calloc(1, sizeof *reader);

    reader->future = future;
    start_thread(&reader->thread, reader__main, reader);
    test_wait_until(has_sleeper(future));
    return reader;
}

/* Waits for the reader and frees it. Returns what its wait has returned. */
static inline int end_reading(struct reader *reader)
{
    int rc;

    pthread_join(reader->thread, NULL);
    rc = reader->rc;
    free(reader);
    return rc;
}

/*
 * Races: in each round all threads run `body` at the same time. Before it one of them runs `before`, and afterwards
 * `after`, while the others wait. What they share lies in static variables of the test.
 */
struct race {
    unsigned threads, rounds;
    void (*before)(void);
    void (*body)(unsigned thread, unsigned *seed);
    void (*after)(void);
};

struct race__line {
    const struct race *race;
    _Atomic unsigned arrived, turn;
};
struct race__runner {
    struct race__line *line;
    pthread_t thread;
    unsigned number;
};

static inline void race__meet(struct race__line *line, void (*meanwhile)(void))
{
    unsigned turn = atomic_load(&line->turn);

    if (atomic_fetch_add(&line->arrived, 1) + 1 < line->race->threads) {
        /* Threads that spin leave within nanoseconds of each other, if each has a processor. */
        for (int spins = 0; spins < 2000 && atomic_load(&line->turn) == turn; spins++)
            continue;
        test_wait_until(atomic_load(&line->turn) != turn);
        return;
    }
    if (meanwhile)
        meanwhile();
    atomic_store(&line->arrived, 0);
    atomic_store(&line->turn, turn + 1);
}

static inline void *race__main(void *data)
{
    struct race__runner *runner = data;
    const struct race *race = runner->line->race;
    unsigned seed = 7 * runner->number + 1;

    for (unsigned round = 0; round < race->rounds; round++) {
        race__meet(runner->line, race->before);
        /* They always leave in some order: short random delays change it. */
        for (volatile unsigned i = dice(&seed, 100); i > 0; i--)
            continue;
        race->body(runner->number, &seed);
        race__meet(runner->line, race->after);
    }
    return NULL;
}

static inline void run_race(const struct race *race)
{
    struct race__line line = {.race = race};
    struct race__runner runners[16];

    cr_assert_leq(race->threads, COUNT(runners));
    for (unsigned i = 0; i < race->threads; i++) {
        runners[i].line = &line;
        runners[i].number = i;
        start_thread(&runners[i].thread, race__main, &runners[i]);
    }
    for (unsigned i = 0; i < race->threads; i++)
        pthread_join(runners[i].thread, NULL);
}

/* How many futures a round has. The threads go through them in the same order, so they meet again and again. */
enum { BATCH = 32 };

static _Atomic unsigned race__steps;

/* In a body: all `threads` of the race take this step at once. It is meant for two threads: where there are more threads
 * than processors they only wait for each other. */
static inline void race_step(unsigned threads)
{
    unsigned end = (atomic_fetch_add(&race__steps, 1) / threads + 1) * threads;

    for (int spins = 0; spins < 2000 && (int)(atomic_load(&race__steps) - end) < 0; spins++)
        continue;
    test_wait_until((int)(atomic_load(&race__steps) - end) >= 0);
}

/* The rounds of a race: fewer under ThreadSanitizer, where each takes much longer. */
#define ROUNDS(count) test_rounds(UNDER_TSAN ? (count) / 10 : (count))

/*
 * An executor that runs each call inside of its submit.
 */
static inline int inline__submit(void *self, soon_call *call, bool may_block)
{
    (void)self;
    (void)may_block;
    soon_call_run(call);
    return 0;
}

static inline int inline__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    (void)self;
    (void)mode;
    (void)soon_promise_set_result(down, NULL, 0);
    return 0;
}

static inline soon_executor *make_inline(void)
{
    static const soon_executor_class klass = {
        .size = sizeof klass, .name = "inline", .submit = inline__submit, .shutdown = inline__shutdown};
    soon_executor *executor;

    cr_assert_eq(soon_executor_new(&executor, &klass, NULL), 0);
    return executor;
}

/*
 * An executor that keeps its calls until the test runs them.
 */
struct drawer {
    soon_call *calls[8];
    size_t count;
    soon_promise *down;
};

static inline int drawer__submit(void *self, soon_call *call, bool may_block)
{
    struct drawer *drawer = self;

    (void)may_block;
    if (drawer->down)
        return SOON_ESHUTDOWN;
    if (drawer->count == COUNT(drawer->calls))
        return SOON_EFULL;
    drawer->calls[drawer->count++] = call;
    return 0;
}

static inline bool drawer__take_back(void *self, soon_call *call)
{
    struct drawer *drawer = self;

    for (size_t i = 0; i < drawer->count; i++) {
        if (drawer->calls[i] == call) {
            drawer->calls[i] = drawer->calls[--drawer->count];
            return true;
        }
    }
    return false;
}

static inline int drawer__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct drawer *drawer = self;

    drawer->down = down;
    while (drawer->count > 0) {
        soon_call *call = drawer->calls[--drawer->count];
        if (mode > SOON_DRAIN)
            (void)soon_promise_set_cancelled(soon_call_promise(call));
        soon_call_run(call);
    }
    (void)soon_promise_set_result(down, NULL, 0);
    return 0;
}

static inline soon_executor *make_drawer(struct drawer *ret)
{
    static const soon_executor_class klass = {.size = sizeof klass,
                                              .name = "drawer",
                                              .submit = drawer__submit,
                                              .take_back = drawer__take_back,
                                              .shutdown = drawer__shutdown};
    soon_executor *executor;

    *ret = (struct drawer){.count = 0};
    cr_assert_eq(soon_executor_new(&executor, &klass, ret), 0);
    return executor;
}

#endif
