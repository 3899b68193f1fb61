/*
 * alloc_failure_everywhere.c - a whole session with a pool, in which one call that can run out of something fails, whoever
 * makes it, libuv and libc included; for each one that there is.
 *
 * Whatever cannot be done says so; nothing aborts, nothing hangs; and when nothing fails any more, a new pool works.
 */
#include "../harness/fail.h"
#include "../support/process_fixture.h"

#include <sys/mman.h>

/* In a forked child the runner's assertions do not work. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

enum { TASKS = 4 };

/* What want of something may lead to. */
static bool is_told(int code)
{
    return code == -ENOMEM || code == -EMFILE || code == -EAGAIN || code == -ENOSPC || code == -ENOBUFS ||
           code == SOON_EBROKEN;
}

static void note(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void use(soon_executor *pool, bool may_fail)
{
    soon_future *futures[TASKS];
    int numbers[] = {1, 2, 3}, code;

    for (int i = 0; i < TASKS - 1; i++)
        futures[i] = soon_submit_with(pool, (.queue_limit_ms = 1000000), twice, i);
    futures[TASKS - 1] = soon_map_async_with(pool, (.chunk = 2), twice, numbers, 3);
    for (int i = 0; i < TASKS; i++) {
        (void)!soon_future_add_done_callback(futures[i], note, NULL);
        must(soon_future_wait(futures[i], SOON_FOREVER) == 0);
        code = soon_future_error(futures[i])->code;
        must(code == 0 || (may_fail && is_told(code)));
        soon_future_unref(futures[i]);
    }
}

static void finish(soon_executor *pool, bool may_fail)
{
    int rc;

    while ((rc = soon_executor_free(pool)) < 0)
        must(may_fail && is_told(rc));
}

typedef int make_fn(soon_executor **ret);

static int make_threads(soon_executor **ret)
{
    return soon_thread_pool_new(ret, &(soon_thread_pool_options){.workers = 2, .idle_timeout_ms = 1});
}

static int make_processes(soon_executor **ret)
{
    return soon_process_pool_new(ret, &(soon_process_pool_options){.workers = 2});
}

static void play(make_fn *make, bool may_fail)
{
    soon_executor *pool;
    int rc = make(&pool);

    must(rc == 0 || (may_fail && is_told(rc)));
    if (rc < 0)
        return;
    use(pool, may_fail);
    finish(pool, may_fail);
}

/* A session in a process of its own, from the start of the library's loop on. How many calls there were; 0: it did not end
 * well. */
static size_t child(make_fn *make, void (*fail)(size_t nth), size_t nth)
{
    size_t *calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), counted;
    int status;
    pid_t pid = test_fork();

    if (pid == 0) {
        fail(nth);
        play(make, true);
        *calls = fail_stop();
        play(make, false);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    counted = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? *calls : 0;
    munmap(calls, sizeof *calls);
    return counted;
}

/* How many there are varies with who is faster; the first of them end it all. */
static void each_failure_is_told(make_fn *make, void (*fail)(size_t nth))
{
    size_t most = 60, calls;

    for (size_t nth = 1; nth <= most; nth++) {
        calls = child(make, fail, nth);
        cr_assert_gt(calls, 0, "%d when call %zu fails", nth);
        most = calls > most ? calls : most;
    }
}

/* It is hundreds of sessions, each with processes of its own. */
TestSuite(alloc_failure_everywhere, .bare = true, .timeout = 1500);

Test(alloc_failure_everywhere, of_one_call_in_a_thread_pool_is_told)
{
    each_failure_is_told(make_threads, fail_nth);
}

Test(alloc_failure_everywhere, of_one_call_in_a_process_pool_is_told)
{
    each_failure_is_told(make_processes, fail_nth);
}
