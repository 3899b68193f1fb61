/*
 * crash.c - how a worker process ended, in words and as an error.
 */
#include "../../support/futures.h"

#include "../../../executor/processes/parent/crash_internal.h"

static const struct soon__exit gone = {.known = false};

TestSuite(crash);

Test(crash, is_told_in_words)
{
    static const struct {
        struct soon__exit exit;
        const char *words;
    } table[] = {
        {{.known = true, .killed = true, .number = SIGSEGV}, "killed by signal 11 (SIGSEGV)"},
        {{.known = true, .killed = true, .number = SIGKILL}, "killed by signal 9 (SIGKILL)"},
        {{.known = true, .killed = true, .number = 63}, "killed by signal 63 (SIGRTMIN+29)"},
        {{.known = true, .killed = true, .number = 99}, "killed by signal 99"},
        {{.known = true, .number = 0}, "exited with status 0"},
        {{.known = true, .number = 3}, "exited with status 3"},
        {{.known = true, .number = 81}, "exited with status 81 (its descriptors are not those of a worker)"},
        {{.known = true, .number = 82}, "exited with status 82 (it has another version of libsoon)"},
        {{.denied = -EPERM}, "could not be ended (Operation not permitted), it may still run"},
        {{.known = true, .number = 83}, "exited with status 83 (out of memory)"},
        {{.known = true, .number = 84}, "exited with status 84 (it could not load the object)"},
        {{.known = true, .number = 87}, "exited with status 87 (it could make no thread)"},
        {{.known = true, .number = 127}, "exited with status 127 (the program or a library of it was not found)"},
        {{.known = false}, "gone, nobody knows how"},
    };
    char text[SOON__CRASH_TEXT];

    for (size_t i = 0; i < COUNT(table); i++)
        cr_assert_str_eq(soon__crash_describe(text, sizeof text, &table[i].exit), table[i].words);
}

/* Only what a worker says that did not begin; and only that it may be better soon. */
Test(crash, tells_want_of_something_from_the_rest)
{
    static const struct {
        struct soon__exit exit;
        int shortage;
    } table[] = {
        {{.known = true, .number = 83}, -ENOMEM}, {{.known = true, .number = 87}, -EAGAIN},
        {{.known = true, .number = 81}, 0},       {{.known = true, .number = 0}, 0},
        {{.known = false, .number = 83}, 0},      {{.known = true, .killed = true, .number = 83}, 0},
    };

    for (size_t i = 0; i < COUNT(table); i++)
        cr_assert_eq(soon__crash_shortage(&table[i].exit), table[i].shortage, "%zu", i);
    cr_assert_null(soon__shortage(-ENOENT));
    cr_assert_null(soon__shortage(SOON_EBROKEN));
    cr_assert_not_null(soon__shortage(-EMFILE));
}

Test(crash, is_cut_to_the_room_that_there_is)
{
    char text[10];

    cr_assert_str_eq(soon__crash_describe(text, sizeof text, &gone), "gone, nob");
}

Test(crash, is_an_error_of_the_task)
{
    static const struct {
        int code;
        struct soon__exit exit;
        bool started;
        int signal, status;
        const char *message;
    } table[] = {
        {SOON_EWORKERDIED,
         {.known = true, .killed = true, .number = SIGSEGV},
         true,
         SIGSEGV,
         0,
         "the worker died while it ran the task: worker 4711 killed by signal 11 (SIGSEGV)"},
        {SOON_EWORKERDIED,
         {.known = true, .number = 82}, /* the task's own status, no word about versions */
         true,
         0,
         82,
         "the worker died while it ran the task: worker 4711 exited with status 82"},
        {SOON_EWORKERDIED,
         {.known = false},
         true,
         0,
         -1,
         "the worker died while it ran the task: worker 4711 gone, nobody knows how"},
        {SOON_ETIMELIMIT,
         {.known = true, .killed = true, .number = SIGTERM},
         true,
         SIGTERM,
         0,
         "the task ran longer than its time limit: worker 4711 killed by signal 15 (SIGTERM)"},
        {SOON_EKILLED,
         {.known = true, .killed = true, .number = SIGKILL},
         true,
         SIGKILL,
         0,
         "the task was killed on request: worker 4711 killed by signal 9 (SIGKILL)"},
        {SOON_EBROKEN, /* of a task that ran elsewhere when another worker died */
         {.known = true, .killed = true, .number = SIGTERM},
         true,
         SIGTERM,
         0,
         "the executor is broken: worker 4711 killed by signal 15 (SIGTERM)"},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct soon__error *error = soon__crash_error(table[i].code, 4711, &table[i].exit, "add", "the first");

        cr_assert_eq(error->public.code, table[i].code);
        cr_assert_eq(error->public.started, table[i].started);
        cr_assert_eq(error->public.worker_pid, 4711);
        cr_assert_eq(error->public.worker_signal, table[i].signal);
        cr_assert_eq(error->public.worker_status, table[i].status);
        cr_assert_str_eq(error->public.message, table[i].message);
        cr_assert_str_eq(error->public.function, "add");
        cr_assert_str_eq(error->public.label, "the first");
        soon__error_unref(error);
    }
}

Test(crash, may_be_of_a_task_without_a_name)
{
    struct soon__error *error = soon__crash_error(SOON_EWORKERDIED, 1, &gone, NULL, NULL);

    cr_assert_str_eq(error->public.function, "");
    cr_assert_str_eq(error->public.label, "");
    soon__error_unref(error);
}
