/*
 * worker_loader.c - soon-worker: a worker whose tasks come from shared objects.
 */
#include "worker_fixture.h"

TestSuite(worker_loader);

static char *loader(void)
{
    return getenv(SOON__LOADER_VARIABLE);
}

static char *object(void)
{
    return getenv("OBJECT");
}

/* What the test knows of it: its name. */
static const soon_function loaded_task = {.name = "loaded", .arg_size = sizeof(int), .result_size = sizeof(int)};

Test(worker_loader, has_the_tasks_of_its_objects)
{
    char *arguments[] = {loader(), object(), (char *)SOON__WORKER_MARKER, NULL};
    struct worker worker = greeted_worker((struct how){.arguments = arguments});
    int arg = 7;

    cr_assert_eq(worker.hello.function_count, 2, "its own, and the catalog");
    cr_assert_eq(ask_int(&worker, &loaded_task, &arg, sizeof arg), 1007);
    retire(&worker);
}

Test(worker_loader, may_have_no_object)
{
    char *arguments[] = {loader(), (char *)SOON__WORKER_MARKER, NULL};
    struct worker worker = greeted_worker((struct how){.arguments = arguments});

    cr_assert_eq(worker.hello.function_count, 1, "the catalog");
    retire(&worker);
}

Test(worker_loader, says_what_it_cannot_load)
{
    char *arguments[] = {loader(), object(), (char *)"/nowhere/tasks.so", (char *)SOON__WORKER_MARKER, NULL};
    int says[2], saved = dup(STDERR_FILENO);
    struct worker worker;
    char line[256] = "";

    cr_assert_eq(pipe(says), 0);
    cr_assert_geq(dup2(says[1], STDERR_FILENO), 0);
    worker = start_worker((struct how){.arguments = arguments});
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(says[1]);
    assert_exits_with(&worker, SOON__EXIT_LOAD);
    cr_assert_gt(read(says[0], line, sizeof line - 1), 0);
    cr_assert(strstr(line, "/nowhere/tasks.so"));
    close(says[0]);
}

Test(worker_loader, does_nothing_for_others)
{
    char *arguments[] = {loader(), NULL};
    struct worker worker = start_worker((struct how){.arguments = arguments});

    assert_exits_with(&worker, SOON__EXIT_NO_CHANNEL);
}
