/*
 * thread.c - what is done when a thread ends: each function that was registered with it is called.
 */
#include "../../futures/thread_internal.h"
#include "../harness/test.h"

#include <pthread.h>

TestSuite(at_end);

static char called[8]; /* a letter for each call */

static void note(char letter)
{
    called[strlen(called)] = letter;
}

static void give_back_a(void)
{
    note('a');
}

static void give_back_b(void)
{
    note('b');
}

/* Uses once more what the first one has given back. */
static void give_back_and_use_again(void)
{
    note('c');
    cr_assert(soon__thread_at_end(give_back_a));
}

static void *register_each_twice(void *data)
{
    for (int i = 0; i < 2; i++) {
        cr_assert(soon__thread_at_end(give_back_a));
        cr_assert(soon__thread_at_end(give_back_b));
    }
    return data;
}

static void *register_one_that_uses_the_other(void *data)
{
    cr_assert(soon__thread_at_end(give_back_a));
    cr_assert(soon__thread_at_end(give_back_and_use_again));
    return data;
}

static void *register_one_too_many(void *data)
{
    cr_assert(soon__thread_at_end(give_back_a));
    cr_assert(soon__thread_at_end(give_back_b));
    cr_assert_not(soon__thread_at_end(give_back_and_use_again));
    return data;
}

static void run_to_its_end(void *(*body)(void *))
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, body, NULL), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(at_end, calls_each_function_once_in_the_order_of_registration)
{
    run_to_its_end(register_each_twice);

    cr_assert_str_eq(called, "ab");
}

Test(at_end, calls_again_what_a_later_function_has_registered_again)
{
    run_to_its_end(register_one_that_uses_the_other);

    cr_assert_str_eq(called, "aca");
}

Test(at_end, refuses_more_functions_than_it_has_room_for)
{
    run_to_its_end(register_one_too_many);

    cr_assert_str_eq(called, "ab");
}
