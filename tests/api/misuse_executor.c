/*
 * misuse_executor.c - what only a mistake can do: an assertion tells it, and without asserts it is harmless. There is a
 * test for each assertion of tasks, calls, executors.
 */
#include "../support/pools.h"

TestSuite(task_misuse);

Misuse(task_misuse, raise_without_a_task)
{
    cr_assert_eq(soon_raise(NULL, EIO, "nobody hears it"), SOON_ERAISED);
}

Misuse(task_misuse, cancel_requested_without_a_task)
{
    cr_assert_not(soon_task_cancel_requested(NULL));
}

Misuse(task_misuse, time_left_without_a_task)
{
    cr_assert_eq(soon_task_time_left_ms(NULL), SOON_FOREVER);
}

Misuse(task_misuse, progress_without_a_task)
{
    soon_task_set_progress(NULL, 1, 2);
}

Misuse(task_misuse, executor_without_a_task)
{
    cr_assert_null(soon_task_executor(NULL));
}

Misuse(task_misuse, local_without_a_task)
{
    cr_assert_null(soon_task_local(NULL));
}

Misuse(task_misuse, set_local_without_a_task)
{
    soon_task_set_local(NULL, NULL, NULL);
}

Misuse(task_misuse, label_without_a_task)
{
    cr_assert_str_eq(soon_task_label(NULL), "");
}

Misuse(task_misuse, argument_without_a_task)
{
    cr_assert_eq(soon_task_arg(NULL).size, 0);
}

Misuse(task_misuse, payload_without_a_task)
{
    cr_assert_null(soon_task_payload(NULL));
}

Misuse(task_misuse, return_space_without_a_task)
{
    cr_assert_null(soon_task_return_space(NULL, 1));
}

Misuse(task_misuse, stats_to_nowhere)
{
    soon_executor *pool = new_pool(.workers = 1);

    soon_executor_stats(pool, NULL);
    free_pool(pool);
}

Misuse(task_misuse, function_of_no_call)
{
    cr_assert_null(soon_call_function(NULL));
}

Misuse(task_misuse, argument_of_no_call)
{
    cr_assert_eq(soon_call_arg(NULL).size, 0);
}

Misuse(task_misuse, payload_of_no_call)
{
    cr_assert_null(soon_call_payload(NULL));
}

Misuse(task_misuse, options_of_no_call)
{
    cr_assert_not_null(soon_call_options(NULL));
}

Misuse(task_misuse, promise_of_no_call)
{
    cr_assert_null(soon_call_promise(NULL));
}

Misuse(task_misuse, run_of_no_call)
{
    soon_call_run(NULL);
}

/* These say it by a code, in both builds. */
Test(task_misuse, has_a_code_where_there_is_one)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_raise_from(NULL, NULL), -EINVAL);
    cr_assert_eq(soon_task_return_bytes(NULL, "", 0), -EINVAL);
    cr_assert_eq(soon_buffer_new(&buffer, 1), 0);
    cr_assert_eq(soon_task_return_payload(NULL, buffer), -EINVAL); /* taken all the same */
    cr_assert_eq(soon_task_return_payload(NULL, NULL), -EINVAL);
    cr_assert_eq(soon_init(-1, NULL), -EINVAL);
    cr_assert_eq(soon_init(1, NULL), -EINVAL);
    cr_assert_eq(soon_init(0, NULL), 0);
    soon_call_free(NULL);
}
