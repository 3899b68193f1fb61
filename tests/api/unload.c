/*
 * unload.c - an object that contains the static library is unloaded, as plugins are. What it has started goes on: threads,
 * what is to happen when a thread ends, forks.
 */
#include "../support/futures.h"

#include <dlfcn.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path(void)
{
    const char *path = getenv("PLUGIN");

    cr_assert_not_null(path, "run this by meson test");
    return path;
}

/* Loads it, has `name` called with x, and unloads it. */
static int call(const char *name, int x)
{
    void *object = dlopen(path(), RTLD_NOW | RTLD_LOCAL);
    int (*fn)(int), result;

    cr_assert_not_null(object, "%s", dlerror());
    *(void **)&fn = dlsym(object, name);
    cr_assert_not_null(fn);
    result = fn(x);
    cr_assert_eq(dlclose(object), 0);
    return result;
}

static bool is_loaded(void)
{
    void *object = dlopen(path(), RTLD_NOW | RTLD_NOLOAD);

    if (object)
        dlclose(object);
    return object != NULL;
}

static void assert_child_ends_well(void)
{
    pid_t child = test_fork();
    int status;

    if (child == 0)
        _exit(0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TestSuite(unload, .bare = true, .fini = test_accept_open_descriptors);

Test(unload, after_a_pool_was_used_does_no_harm)
{
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(call("plugin_runs_a_task", i), 2 * i);
        sched_yield();
    }
    cr_assert(is_loaded()); /* its threads run in it */
    assert_child_ends_well();
}

static void *use_and_end(void *unused)
{
    (void)unused;
    cr_assert_eq(call("plugin_makes_a_promise", 4), 8);
    return NULL; /* what the library holds for this thread is given back now */
}

Test(unload, before_a_thread_that_used_it_ends_does_no_harm)
{
    pthread_t thread;

    start_thread(&thread, use_and_end, NULL);
    pthread_join(thread, NULL);
    assert_child_ends_well();
}

/* More often than a process can have keys for what belongs to a thread. */
Test(unload, of_what_was_never_used_leaves_nothing)
{
    for (int i = 0; i < PTHREAD_KEYS_MAX + 10; i++) {
        void *object = dlopen(path(), RTLD_NOW | RTLD_LOCAL);

        cr_assert_not_null(object, "%s", dlerror());
        cr_assert_eq(dlclose(object), 0);
    }
    cr_assert_not(is_loaded());
    assert_child_ends_well();
    cr_assert_eq(pthread_key_create(&(pthread_key_t){0}, NULL), 0);
}
