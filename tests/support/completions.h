/*
 * completions.h - 100,000 completions from four threads on one loop, of any kind: each comes once, in the order of its
 * thread, and on the loop's thread. When all have come, `on` is detached, and a word is said as it closes.
 */
#ifndef SOON_TESTS_COMPLETIONS_H
#define SOON_TESTS_COMPLETIONS_H

#include "said.h"

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

static struct submitter submitters[SUBMITTERS];
static atomic_size_t submitters_left;
static struct halves all_submitted;
static size_t completed;
static pthread_t loops_thread;

static inline void count_in_order(soon_future *future, void *data)
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

static inline void *submit_all(void *data)
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

/* This thread will run the loop; `at_the_end` is a callback of it. */
static inline void start_completions(soon_done_fn at_the_end)
{
    completed = 0;
    loops_thread = pthread_self();
    submitters_left = SUBMITTERS;
    all_submitted = pending();
    cr_assert_eq(soon_future_add_done_callback_on(all_submitted.future, on, at_the_end, "closed"), 0);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.left = &submitters_left, .all = all_submitted.promise};
        pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]);
    }
}

/* When the loop has closed. */
static inline void assert_all_completed(void)
{
    cr_assert_eq(completed, (size_t)(SUBMITTERS * test_rounds(COMPLETIONS)));
    cr_assert_str_eq(said, "closed");
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    release(all_submitted);
}

#endif
