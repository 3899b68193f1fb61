/*
 * library_loop_fixture.h - jobs that note where they ran, and what tests of the library's two threads look at.
 */
#ifndef SOON_TESTS_LIBRARY_LOOP_FIXTURE_H
#define SOON_TESTS_LIBRARY_LOOP_FIXTURE_H

#include "../harness/test.h"

#include "../../executor/loops/library_loop_internal.h"
#include "thread_names.h"

#include <pthread.h>
#include <soon.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A job that notes where and when it ran. */
struct noted {
    struct soon__job job; /* first */
    pthread_t thread;
    bool on_loop, of_library;
    size_t turn; /* its place among the jobs that ran; 1: it was the first */
};

static atomic_size_t ran;

static inline void note(struct soon__job *job)
{
    struct noted *noted = (struct noted *)job;

    noted->thread = pthread_self();
    noted->on_loop = soon__library_on_loop();
    noted->of_library = soon__thread_self()->of_library;
    noted->turn = ran + 1;
    ran++; /* last, since the test reads the other fields when it has seen this */
}

/* Waits until both threads have named themselves: they do so before they run a job. */
static inline void wait_for_both_threads(void)
{
    static struct noted first, second;

    first.job.run = second.job.run = note;
    soon__library_loop_post(&first.job);
    soon__library_callbacks_post(&second.job);
    test_wait_until(ran == 2);
    ran = 0;
}

/* A job that posts itself again until it has run often enough. */
struct again {
    struct soon__job job; /* first */
    unsigned left;
    void (*post)(struct soon__job *job);
};

static inline void run_again(struct soon__job *job)
{
    struct again *again = (struct again *)job;

    if (--again->left)
        again->post(job);
    else
        ran++;
}

static inline void *post_again(void *data)
{
    struct again *again = data;

    again->post(&again->job);
    return NULL;
}

/* A job on the loop's thread that completes a promise, and what was seen when the callback of its future ran. */
struct completion {
    struct soon__job job; /* first */
    soon_promise *promise;
    soon_future *future;
    pthread_t loop_thread, callback_thread;
    atomic_int called;
    bool in_callback;
};

static inline void complete(struct soon__job *job)
{
    struct completion *completion = (struct completion *)job;

    completion->loop_thread = pthread_self();
    soon_promise_set_result(completion->promise, &(int){7}, sizeof(int));
}

static inline void note_callback(soon_future *future, void *data)
{
    struct completion *completion = data;

    (void)future;
    completion->callback_thread = pthread_self();
    completion->in_callback = soon__thread_in_callback();
    completion->called++;
}

static inline void new_completion(struct completion *completion, void (*run)(struct soon__job *job))
{
    *completion = (struct completion){.job.run = run};
    cr_assert_eq(soon_promise_new(&completion->promise, NULL), 0);
    completion->future = soon_promise_future(completion->promise);
}

static inline size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

#endif
