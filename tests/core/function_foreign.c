/*
 * function_foreign.c - functions of workers that are not of this library: who does not take them, and what makes one.
 */
#include "../support/executors.h"

TestSuite(function_foreign);

SOON_TASK_FOREIGN(reverse, "reverse-text");

Test(function_foreign, has_a_name_of_its_own_and_no_body)
{
    cr_assert_str_eq(reverse_task.name, "reverse-text");
    cr_assert_null(reverse_task.body);
    cr_assert_eq(reverse_task.flags, SOON_FUNCTION_FOREIGN);
}

Test(function_foreign, is_not_registered)
{
    cr_assert_eq(soon_function_register(&reverse_task), SOON_ENOFUNCTION);
}

static void assert_refused(soon_future *future)
{
    cr_assert_eq(soon_future_wait(future, 0), 0, "it is done at once");
    cr_assert_eq(soon_future_error(future)->code, SOON_ENOFUNCTION);
    cr_assert_not_null(strstr(soon_future_error(future)->message, "reverse-text is a function of foreign workers"));
    cr_assert_not(soon_future_error(future)->started);
    soon_future_unref(future);
}

SOON_TASK(give_bytes, soon_none, int)
{
    *result = 7;
    return 0;
}

TestOnEach(function_foreign, is_refused_by_an_executor_that_is_no_cluster)
{
    const soon_item item = {.data = "abc", .size = 3};
    soon_future *first = soon_submit(executor, give_bytes), *future = NULL;
    soon_imap *imap = NULL;

    (void)kind;
    assert_refused(reverse_submit(executor, "abc", 3, NULL));
    assert_refused(reverse_submit(executor, "abc", 3, &(soon_submit_options){.label = "x", .retries = 1}));
    assert_refused(soon_then(first, executor, &reverse_task));
    assert_refused(soon_map_items_async(executor, reverse, &item, 1));
    cr_assert_eq(reverse_try_submit(&future, executor, "abc", 3, NULL), SOON_ENOFUNCTION);
    cr_assert_null(future);
    cr_assert_eq(soon_imap_items_new(&imap, executor, &reverse_task, NULL, NULL, NULL), SOON_ENOFUNCTION);
    cr_assert_null(imap);
    soon_future_unref(first);
}

Test(function_foreign, may_not_be_local_nor_have_a_body)
{
    soon_function wrong = reverse_task;
    soon_executor *executor = make_one_thread();
    soon_future *future;

    wrong.flags = SOON_FUNCTION_FOREIGN | SOON_FUNCTION_LOCAL;
    future = soon_submit_bytes(executor, &wrong, "abc", 3, NULL);
    cr_assert_lt(soon_future_error(future)->code, 0);
    soon_future_unref(future);
    cr_assert_eq(soon_executor_free(executor), 0);
}
