/*
 * alloc_failure_error.c - errors for which there is no memory: the static ones that serve say, as the exact ones would,
 * whether the task had begun.
 */
#include "../harness/fail.h"
#include "../support/process_fixture.h"

#include "../../futures/error_internal.h"

#include <errno.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

TestSuite(alloc_failure_error);

Test(alloc_failure_error, keeps_what_it_says_of_the_beginning)
{
    static const int codes[] = {SOON_EWORKERDIED, SOON_ETIMELIMIT, SOON_EKILLED, SOON_EBROKEN, SOON_EEXPIRED,
                                SOON_EABANDONED,  -ECANCELED,      -ENOMEM,      -EMFILE,      -ETIMEDOUT};

    for (size_t i = 0; i < COUNT(codes); i++) {
        for (int started = 0; started < 2; started++) {
            struct soon__error *error;

            fail_from_here(1);
            error = soon__error_newf(&(soon_error){.code = codes[i], .started = started}, NULL);
            fail_stop();
            cr_assert_eq(error->public.code, codes[i]);
            cr_assert(error->public.started == started, "%s", soon_errname(codes[i]));
            fail_from_here(1);
            error = soon__error_as_started(error);
            fail_stop();
            cr_assert_eq(error->public.code, codes[i]);
            cr_assert(error->public.started, "%s", soon_errname(codes[i]));
        }
    }
}

/* There is a static one for no number of errno. */
Test(alloc_failure_error, of_an_unusual_code_is_one_for_no_memory)
{
    for (int started = 0; started < 2; started++) {
        struct soon__error *error;

        fail_from_here(1);
        error = soon__error_newf(&(soon_error){.code = -EXDEV, .started = started}, NULL);
        fail_stop();
        cr_assert_eq(error->public.code, -ENOMEM);
        cr_assert(error->public.started == started);
    }
}

Test(alloc_failure_error, is_the_same_but_for_the_beginning)
{
    struct soon__error *error = soon__error_newf(
        &(soon_error){.code = SOON_EBROKEN, .worker_pid = 7, .function = "add", .label = "GET /"}, "a worker died");

    error = soon__error_as_started(error);
    cr_assert(error->public.started);
    cr_assert_eq(error->public.worker_pid, 7);
    cr_assert_str_eq(error->public.message, "a worker died");
    cr_assert_str_eq(error->public.function, "add");
    cr_assert_str_eq(error->public.label, "GET /");
    soon__error_unref(error);
}

SOON_TASK(raise_without_memory, soon_none, soon_none)
{
    (void)arg;
    fail_from_here(1);
    soon_raise(task, EDOM, "for which there is no room");
    fail_stop();
    return SOON_ERAISED;
}

Test(alloc_failure_error, of_a_task_that_raised_says_that_it_began)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *future = soon_submit(pool, raise_without_memory);

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(future)->code, -ENOMEM);
    cr_assert(soon_future_error(future)->started);
    soon_future_unref(future);
    free_pool(pool);
}

SOON_TASK_BYTES(bytes_at_gate)
{
    enum { SIZE = 100000 };
    const struct gate *gate = arg.data;

    return gate_pass(*gate, NULL) < 0 || !soon_task_return_space(task, SIZE) ? -EIO : 0;
}

/* It ran in its worker; here is no room for what it gave. */
Test(alloc_failure_error, of_a_process_whose_result_finds_no_room_says_that_it_began)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct gate gate = gate_new();
    soon_future *future = bytes_at_gate_submit(pool, &gate, sizeof gate, NULL);

    gate_await(gate, 1);
    fail_from(1);
    gate_open(gate, 1);
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    fail_stop();
    cr_assert_eq(soon_future_error(future)->code, -ENOMEM);
    cr_assert(soon_future_error(future)->started);
    soon_future_unref(future);
    free_pool(pool);
    gate_free(gate);
}
