/*
 * loop_fixture.h - a libuv loop that is attached before each test and must close after it.
 */
#ifndef SOON_TESTS_LOOP_FIXTURE_H
#define SOON_TESTS_LOOP_FIXTURE_H

#include "said.h"

#include <uv.h>

static uv_loop_t uv;

static inline void open_loop(void)
{
    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
}

static inline void close_loop(void)
{
    soon_loop_detach(on, NULL, NULL);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

static inline void run_to_the_end(void)
{
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
}

static inline void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(size_t *)count;
}

static inline size_t handles(void)
{
    size_t count = 0;

    uv_walk(&uv, count_handle, &count);
    return count;
}

/* A thread that does something with the loop or with a promise at a certain moment. */
struct helper {
    pthread_t thread;
    struct halves made;
    uv_timer_t keeper;
    atomic_bool running, registered, kept;
    unsigned ticks;
};

#endif
