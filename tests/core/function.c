/*
 * function.c - the registry of functions by name.
 */
#include "../harness/test.h"

#include "../../executor/core/function_internal.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(function);

static int do_nothing(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 0;
}

static const soon_function red = {.name = "test.red", .body = do_nothing};
static const soon_function other_red = {.name = "test.red", .body = do_nothing};
static const soon_function blue = {.name = "test.blue", .body = do_nothing};

Test(function, is_found_by_its_name_while_it_is_registered)
{
    cr_assert_null(soon__function_find("test.red"));

    cr_assert_eq(soon_function_register(&red), 0);
    cr_assert_eq(soon_function_register(&blue), 0);
    cr_assert_eq(soon__function_find("test.red"), &red);
    cr_assert_eq(soon__function_find("test.blue"), &blue);

    soon_function_unregister(&red);
    cr_assert_null(soon__function_find("test.red"));
    cr_assert_eq(soon__function_find("test.blue"), &blue);
    soon_function_unregister(&blue);
}

Test(function, is_found_by_nobody_while_two_have_its_name)
{
    cr_assert_eq(soon_function_register(&red), 0);
    cr_assert_eq(soon_function_register(&other_red), 0);
    cr_assert_null(soon__function_find("test.red"));

    soon_function_unregister(&red);
    cr_assert_eq(soon__function_find("test.red"), &other_red);
    soon_function_unregister(&other_red);
}

Test(function, is_registered_once)
{
    cr_assert_eq(soon_function_register(&red), 0);
    cr_assert_eq(soon_function_register(&red), -EINVAL);

    soon_function_unregister(&red);
    soon_function_unregister(&red);
    cr_assert_null(soon__function_find("test.red"));
}

Test(function, must_have_a_name_and_a_body)
{
    static const soon_function nameless = {.body = do_nothing}, empty = {.name = "", .body = do_nothing},
                               bodiless = {.name = "test.bodiless"};

    cr_assert_eq(soon_function_register(NULL), -EINVAL);
    cr_assert_eq(soon_function_register(&nameless), -EINVAL);
    cr_assert_eq(soon_function_register(&empty), -EINVAL);
    cr_assert_eq(soon_function_register(&bodiless), -EINVAL);
    soon_function_unregister(NULL);
    soon_function_unregister(&nameless);
}

enum { MANY = 1000 };
static soon_function many[MANY];
static char names[MANY][32];

static void name_many(void)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "test.many.%d", i);
        many[i] = (soon_function){.name = names[i], .body = do_nothing};
    }
}

static void *register_and_unregister(void *data)
{
    size_t first = (size_t)data;

    for (int round = 0; round < 20; round++) {
        for (size_t i = first; i < MANY; i += 4)
            cr_assert_eq(soon_function_register(&many[i]), 0);
        for (size_t i = first; i < MANY; i += 4)
            cr_assert_eq(soon__function_find(names[i]), &many[i]);
        for (size_t i = first; i < MANY; i += 4)
            soon_function_unregister(&many[i]);
    }
    return NULL;
}

Test(function, may_be_registered_by_many_threads_at_once)
{
    pthread_t threads[4];

    name_many();
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, register_and_unregister, (void *)i);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    for (size_t i = 0; i < MANY; i++)
        cr_assert_null(soon__function_find(names[i]));
}

static atomic_bool stop;

static void *keep_the_registry_busy(void *data)
{
    (void)data;
    while (!stop) {
        soon_function_register(&blue);
        soon_function_unregister(&blue);
    }
    return NULL;
}

Test(function, can_be_found_and_registered_in_a_forked_child)
{
    pthread_t thread;

    cr_assert_eq(soon_function_register(&red), 0);
    pthread_create(&thread, NULL, keep_the_registry_busy, NULL);
    for (int i = 0; i < 100; i++) {
        pid_t child = test_fork();
        int status;

        if (child == 0)
            _exit(soon__function_find("test.red") != &red || soon_function_register(&other_red) != 0);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
    }
    stop = true;
    pthread_join(thread, NULL);
    soon_function_unregister(&red);
}
