/*
 * surroundings.c - CPUs, niceness and scheduling policy of workers: those of the thread that made their pool, whoever uses the
 * library or the pool first. And those of the library's own threads.
 */
#include "../support/library_loop_fixture.h"
#include "../support/process_fixture.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

TestSuite(surroundings);

struct place {
    int cpus, nice, policy;
};

static struct place place_of(pid_t thread)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    cr_assert_eq(sched_getaffinity(thread, sizeof set, &set), 0);
    return (struct place){CPU_COUNT(&set), getpriority(PRIO_PROCESS, (id_t)thread), sched_getscheduler(thread)};
}

SOON_TASK(tell_place, soon_none, struct place)
{
    *result = place_of(gettid());
    return 0;
}

static struct place place_of_worker(soon_executor *pool)
{
    struct place place = {0};
    soon_future *future = soon_submit(pool, tell_place);
    int rc = soon_result(future, &place);

    cr_assert_eq(rc, 0, "%s", soon_future_error(future)->message);
    soon_future_unref(future);
    return place;
}

static void assert_same(struct place one, struct place other)
{
    cr_assert_eq(one.cpus, other.cpus);
    cr_assert_eq(one.nice, other.nice);
    cr_assert_eq(one.policy, other.policy);
}

enum { LEAST = 19 };

static void become_least(void)
{
    cpu_set_t first;

    CPU_ZERO(&first);
    CPU_SET(sched_getcpu(), &first);
    cr_assert_eq(sched_setaffinity(0, sizeof first, &first), 0);
    cr_assert_eq(setpriority(PRIO_PROCESS, (id_t)gettid(), LEAST), 0);
}

static void become_real_time(void)
{
    become_least();
    cr_assert_eq(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}), 0);
}

static bool may_be_real_time(void)
{
    struct sched_param param = {.sched_priority = 1};
    bool may = sched_setscheduler(0, SCHED_FIFO, &param) == 0;

    param.sched_priority = 0;
    return may && sched_setscheduler(0, SCHED_OTHER, &param) == 0;
}

static soon_executor *new_pool_of_one(bool processes)
{
    return processes ? new_processes(.workers = 1) : new_pool(.workers = 1);
}

static void *submit_as_least(void *pool)
{
    become_least();
    place_of_worker(pool);
    return NULL;
}

static void *submit_to_own_as_least(void *processes)
{
    soon_executor *pool;

    become_least();
    pool = new_pool_of_one(processes != NULL);
    cr_assert_eq(place_of_worker(pool).cpus, 1);
    cr_assert_eq(place_of_worker(pool).nice, LEAST);
    free_pool(pool);
    return NULL;
}

static void *submit_to_own_in_real_time(void *processes)
{
    soon_executor *pool;

    become_real_time();
    pool = new_pool_of_one(processes != NULL);
    cr_assert_eq(place_of_worker(pool).policy, SCHED_FIFO);
    free_pool(pool);
    return NULL;
}

static void in_a_thread(void *(*fn)(void *), void *data)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, fn, data), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* Needs no rights: the thread that starts the worker is another one. */
Test(surroundings, of_a_worker_are_not_those_of_who_submitted_first)
{
    for (int processes = 0; processes < 2; processes++) {
        soon_executor *pool = new_pool_of_one(processes);

        in_a_thread(submit_as_least, pool);

        assert_same(place_of_worker(pool), place_of(0));
        free_pool(pool);
    }
}

Test(surroundings, of_a_worker_are_not_those_of_who_used_the_library_first, .bare = true)
{
    soon_executor *pool;

    if (geteuid() != 0)
        cr_skip_test("only root becomes less nice again");
    in_a_thread(submit_to_own_as_least, NULL);
    for (int processes = 0; processes < 2; processes++) {
        pool = new_pool_of_one(processes);

        assert_same(place_of_worker(pool), place_of(0));
        free_pool(pool);
    }
}

SOON_TASK(tell_filters, soon_none, int)
{
    *result = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    return *result < 0 ? -errno : 0;
}

/* A thread that may start no other, and hands that on. */
static void *submit_behind_a_filter(void *pool)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof rules / sizeof *rules, .filter = rules};
    int filters = -1;

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
    cr_assert_eq(soon_take(soon_submit(pool, tell_filters), &filters), 0);
    cr_assert_eq(filters, 0);
    return NULL;
}

Test(surroundings, of_a_worker_have_no_filter_of_who_submitted_first)
{
    for (int processes = 0; processes < 2; processes++) {
        soon_executor *pool = new_pool_of_one(processes);

        in_a_thread(submit_behind_a_filter, pool);
        free_pool(pool);
    }
}

static void *make_as_least(void *ret)
{
    become_least();
    ((soon_executor **)ret)[0] = new_pool_of_one(false);
    ((soon_executor **)ret)[1] = new_pool_of_one(true);
    return NULL;
}

Test(surroundings, of_a_worker_are_those_of_who_made_its_pool)
{
    soon_executor *pools[2];

    in_a_thread(make_as_least, pools);
    for (int processes = 0; processes < 2; processes++) {
        cr_assert_eq(place_of_worker(pools[processes]).cpus, 1);
        cr_assert_eq(place_of_worker(pools[processes]).nice, LEAST);
        free_pool(pools[processes]);
    }
}

/* Also of one that replaces another. */
Test(surroundings, of_a_worker_stay_when_it_is_replaced)
{
    soon_executor *pools[2];

    in_a_thread(make_as_least, pools);
    free_pool(pools[0]);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(outcome_of(soon_submit(pools[1], die_by, BY_SIGKILL)), SOON_EWORKERDIED);
        cr_assert_eq(place_of_worker(pools[1]).cpus, 1);
        cr_assert_eq(place_of_worker(pools[1]).nice, LEAST);
    }
    free_pool(pools[1]);
}

static void assert_usual(const char *name)
{
    size_t count;
    pid_t thread = 0;

    test_wait_until((thread = thread_called(name, &count)) != 0 && count == 1);
    assert_same(place_of(thread), place_of(0));
}

/* Whoever was first, and whatever it has set: they would be in the way of who uses that CPU for something else. */
Test(surroundings, of_the_librarys_threads_are_the_processs, .bare = true)
{
    if (!may_be_real_time())
        cr_skip_test("only root may have a real-time policy");
    in_a_thread(submit_to_own_in_real_time, NULL);

    assert_usual("soon-loop");
    assert_usual("soon-callbacks");
    in_a_thread(submit_to_own_in_real_time, "processes");
    assert_usual("soon-loop");
}
