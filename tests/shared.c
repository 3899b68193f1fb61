/*
 * shared.c - memory that several processes see: what is in it, who holds it, the lock that survives its holder, and
 * how tasks find it.
 */
#include "pools.h"

#include <sys/wait.h>

/* The thread sanitizer takes an unlock of another's lock for an error, which to us it is not. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

TestSuite(shared);
TestSuite(lock);
TestSuite(task_shared);

struct counted {
    soon_lock lock;
    uint64_t by_lock;
    _Atomic uint64_t by_atomic;
    _Atomic uint32_t inside; /* how many children have the lock, by their own account */
};

static soon_shared *new_shared(size_t size)
{
    soon_shared *shared = NULL;

    cr_assert_eq(soon_shared_new(&shared, size), 0);
    return shared;
}

static soon_shared *new_counted(struct counted **ret)
{
    soon_shared *shared = new_shared(sizeof **ret);

    *ret = soon_shared_data(shared);
    cr_assert_eq(soon_lock_init(&(*ret)->lock), 0);
    return shared;
}

/*
 * Memory
 */

Test(shared, is_zeroed_and_aligned_to_pages)
{
    static const size_t sizes[] = {1, 63, 4095, 4096, 4097, (1 << 20) + 1, 64 << 20};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        soon_shared *shared = new_shared(sizes[i]);
        unsigned char *data = soon_shared_data(shared);

        cr_assert_eq((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE), 0, "%zu bytes", sizes[i]);
        for (size_t at = 0; at < sizes[i]; at += at < 8192 ? 1 : 4095)
            cr_assert_eq(data[at], 0);
        cr_assert_eq(data[sizes[i] - 1], 0);
        memset(data, 0xab, sizes[i]);
        soon_shared_unref(shared);
    }
}

Test(shared, refuses_no_size_and_no_place)
{
    soon_shared *shared = NULL;

    cr_assert_eq(soon_shared_new(&shared, 0), -EINVAL);
    cr_assert_eq(soon_shared_new(NULL, 64), -EINVAL);
    cr_assert_null(shared);
}

Test(shared, of_a_size_that_cannot_be_is_no_memory)
{
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 48};
    soon_shared *shared = NULL;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_assert_eq(soon_shared_new(&shared, sizes[i]), -ENOMEM, "row %zu", i);
    cr_assert_null(shared);
}

Test(shared, large_takes_memory_only_where_it_is_written)
{
    size_t size = (size_t)5 << 30;
    soon_shared *shared = new_shared(size);
    unsigned char *data = soon_shared_data(shared);

    data[0] = data[size - 1] = 1;
    cr_assert_eq(data[size / 2], 0);
    soon_shared_unref(shared);
}

Test(shared, unref_takes_null)
{
    soon_shared_unref(NULL);
}

Misuse(shared, data_of_null)
{
    cr_assert_null(soon_shared_data(NULL));
}

/* In the child no assertion of the runner works: it leaves with a status that is not 0. */
static pid_t child_of(int (*body)(struct counted *), struct counted *counted)
{
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        alarm(60); /* a hang must not outlive the test */
        _exit(body(counted));
    }
    return child;
}

static void await_child(pid_t child, int wanted)
{
    int status;

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, wanted);
}

static int write_a_number(struct counted *counted)
{
    counted->by_lock = 42;
    return 0;
}

Test(shared, is_seen_by_other_processes)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);

    await_child(child_of(write_a_number, counted), 0);

    cr_assert_eq(counted->by_lock, 42);
    soon_shared_unref(shared);
}

/*
 * The lock
 */

Test(lock, is_the_callers_until_it_is_given_up)
{
    soon_lock lock;

    cr_assert_eq(soon_lock_init(&lock), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(i % 2 ? soon_lock_trylock(&lock) : soon_lock_lock(&lock), 0);
        soon_lock_unlock(&lock);
    }
}

Test(lock, twice_by_the_same_is_told)
{
    soon_lock lock;

    cr_assert_eq(soon_lock_init(&lock), 0);
    cr_assert_eq(soon_lock_lock(&lock), 0);

    cr_assert_eq(soon_lock_lock(&lock), -EDEADLK);
    cr_assert_eq(soon_lock_trylock(&lock), -EBUSY);

    soon_lock_unlock(&lock);
    cr_assert_eq(soon_lock_lock(&lock), 0);
    soon_lock_unlock(&lock);
}

Test(lock, that_was_not_made_is_refused)
{
    _Alignas(8) char space[sizeof(soon_lock) + 8] = {0};
    soon_lock *zeroes = (soon_lock *)(void *)space, *crooked = (soon_lock *)(void *)(space + 4);

    cr_assert_eq(soon_lock_lock(zeroes), -EINVAL);
    cr_assert_eq(soon_lock_trylock(zeroes), -EINVAL);
    cr_assert_eq(soon_lock_init(crooked), -EINVAL);
    cr_assert_eq(soon_lock_lock(crooked), -EINVAL);
    cr_assert_eq(soon_lock_init(NULL), -EINVAL);
    cr_assert_eq(soon_lock_lock(NULL), -EINVAL);
    cr_assert_eq(soon_lock_trylock(NULL), -EINVAL);
}

Misuse(lock, unlock_of_null)
{
    soon_lock_unlock(NULL);
}

static void *run(void *(*body)(void *), void *data)
{
    pthread_t thread;
    void *answer;

    cr_assert_eq(pthread_create(&thread, NULL, body, data), 0);
    cr_assert_eq(pthread_join(thread, &answer), 0);
    return answer;
}

static void *meddle(void *data)
{
    soon_lock *lock = data;
    bool busy = soon_lock_trylock(lock) == -EBUSY;

    soon_lock_unlock(lock); /* not ours */
    soon_lock_unlock(lock);
    return busy && soon_lock_trylock(lock) == -EBUSY ? data : NULL;
}

Test(lock, of_another_is_busy_and_cannot_be_unlocked, .disabled = UNDER_TSAN)
{
    soon_lock lock;

    cr_assert_eq(soon_lock_init(&lock), 0);
    soon_lock_unlock(&lock); /* nobody has it */
    cr_assert_eq(soon_lock_lock(&lock), 0);

    cr_assert_not_null(run(meddle, &lock));

    soon_lock_unlock(&lock);
}

enum { ROUNDS = 20000, PARTIES = 4 };

static int count(struct counted *counted)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (soon_lock_lock(&counted->lock) < 0)
            return 1;
        counted->by_lock++;
        soon_lock_unlock(&counted->lock);
        atomic_fetch_add_explicit(&counted->by_atomic, 1, memory_order_relaxed);
    }
    return 0;
}

static void *count_thread(void *data)
{
    return count(data) == 0 ? data : NULL;
}

Test(lock, lets_one_thread_in_at_a_time)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    pthread_t threads[PARTIES];
    void *answer;

    for (int i = 0; i < PARTIES; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_thread, counted), 0);
    for (int i = 0; i < PARTIES; i++) {
        cr_assert_eq(pthread_join(threads[i], &answer), 0);
        cr_assert_not_null(answer);
    }

    cr_assert_eq(counted->by_lock, PARTIES * ROUNDS);
    cr_assert_eq(counted->by_atomic, PARTIES * ROUNDS);
    soon_shared_unref(shared);
}

Test(lock, lets_one_process_in_at_a_time)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    pid_t children[PARTIES];

    for (int i = 0; i < PARTIES; i++)
        children[i] = child_of(count, counted);
    for (int i = 0; i < PARTIES; i++)
        await_child(children[i], 0);

    cr_assert_eq(counted->by_lock, PARTIES * ROUNDS);
    cr_assert_eq(counted->by_atomic, PARTIES * ROUNDS);
    soon_shared_unref(shared);
}

static int try_what_the_parent_holds(struct counted *counted)
{
    soon_lock_unlock(&counted->lock);
    return soon_lock_trylock(&counted->lock) == -EBUSY ? 0 : 1;
}

Test(lock, is_not_inherited_by_a_fork, .disabled = UNDER_TSAN)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);

    cr_assert_eq(soon_lock_lock(&counted->lock), 0);
    await_child(child_of(try_what_the_parent_holds, counted), 0);
    soon_lock_unlock(&counted->lock);
    cr_assert_eq(soon_lock_trylock(&counted->lock), 0);
    soon_lock_unlock(&counted->lock);
    soon_shared_unref(shared);
}

/* Takes the lock, says so, and never gives it up. */
static int hold_for_ever(struct counted *counted)
{
    int rc = soon_lock_lock(&counted->lock);

    if (rc < 0 && rc != -EOWNERDEAD)
        return 1;
    counted->by_lock++; /* half of what it was about to do */
    atomic_fetch_add_explicit(&counted->inside, 1, memory_order_release);
    for (;;)
        pause();
}

/* A child that was killed while it held the lock, as the `number`th. */
static void kill_a_holder(struct counted *counted, uint32_t number)
{
    pid_t child = child_of(hold_for_ever, counted);

    test_wait_until(atomic_load_explicit(&counted->inside, memory_order_acquire) == number);
    cr_assert_eq(kill(child, SIGKILL), 0);
    await_child(child, SIGKILL);
}

Test(lock, of_a_killed_process_goes_to_the_next_who_is_told)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);

    for (uint32_t i = 1; i <= 20; i++) {
        kill_a_holder(counted, i);

        cr_assert_eq(i % 2 ? soon_lock_lock(&counted->lock) : soon_lock_trylock(&counted->lock), -EOWNERDEAD);
        cr_assert_eq(counted->by_lock, i);
        soon_lock_unlock(&counted->lock);

        cr_assert_eq(soon_lock_lock(&counted->lock), 0); /* all is well again */
        soon_lock_unlock(&counted->lock);
    }
    soon_shared_unref(shared);
}

Test(lock, of_one_who_was_told_and_died_as_well_goes_on_to_the_next)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);

    for (uint32_t i = 1; i <= 5; i++)
        kill_a_holder(counted, i);

    cr_assert_eq(soon_lock_lock(&counted->lock), -EOWNERDEAD);
    soon_lock_unlock(&counted->lock);
    cr_assert_eq(soon_lock_trylock(&counted->lock), 0);
    soon_lock_unlock(&counted->lock);
    soon_shared_unref(shared);
}

static void *lock_thread(void *data)
{
    struct counted *counted = data;
    int rc;

    atomic_fetch_add_explicit(&counted->by_atomic, 1, memory_order_release);
    rc = soon_lock_lock(&counted->lock);
    soon_lock_unlock(&counted->lock);
    return rc == -EOWNERDEAD ? data : NULL;
}

Test(lock, wakes_who_waits_for_it_when_its_holder_is_killed)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    pid_t holder = child_of(hold_for_ever, counted);
    pthread_t waiter;
    void *answer;

    test_wait_until(atomic_load_explicit(&counted->inside, memory_order_acquire) == 1);
    cr_assert_eq(pthread_create(&waiter, NULL, lock_thread, counted), 0);
    test_wait_until(atomic_load_explicit(&counted->by_atomic, memory_order_acquire) == 1);
    cr_assert_eq(kill(holder, SIGKILL), 0);

    await_child(holder, SIGKILL);
    cr_assert_eq(pthread_join(waiter, &answer), 0);
    cr_assert_not_null(answer);
    soon_shared_unref(shared);
}

static void *end_inside(void *data)
{
    return soon_lock_lock(data) == 0 ? data : NULL;
}

Test(lock, of_a_thread_that_ended_goes_to_the_next_who_is_told)
{
    soon_lock lock;

    cr_assert_eq(soon_lock_init(&lock), 0);
    cr_assert_not_null(run(end_inside, &lock));

    cr_assert_eq(soon_lock_trylock(&lock), -EOWNERDEAD);
    soon_lock_unlock(&lock);
    cr_assert_eq(soon_lock_trylock(&lock), 0);
    soon_lock_unlock(&lock);
}

/*
 * In tasks
 */

SOON_TASK(count_one, soon_none, soon_none)
{
    struct counted *counted = soon_task_shared(task);

    if (!counted)
        return soon_raise(task, ENOENT, "no memory is shared");
    if (soon_lock_lock(&counted->lock) < 0)
        return soon_raise(task, EDEADLK, "no lock");
    counted->by_lock++;
    soon_lock_unlock(&counted->lock);
    return 0;
}

Test(task_shared, is_what_the_pool_was_given)
{
    enum { TASKS = 2000 };
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 4, .shared = shared);
    static soon_none none[TASKS];

    cr_assert_eq(soon_map(pool, count_one, none, TASKS, none), 0);
    for (int i = 0; i < TASKS; i++)
        soon_future_unref(soon_submit(pool, count_one));

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 2 * TASKS);
    soon_shared_unref(shared);
}

Test(task_shared, is_null_where_there_is_none)
{
    soon_executor *pool = new_pool(.workers = 1);
    soon_future *f = soon_submit(pool, count_one);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, ENOENT);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_shared, lives_as_long_as_a_pool_has_it)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *first = new_pool(.workers = 1, .shared = shared), *second = new_pool(.shared = shared);

    soon_shared_unref(shared);
    cr_assert_eq(outcome_of(soon_submit(first, count_one)), 0);
    free_pool(first);
    cr_assert_eq(outcome_of(soon_submit(second, count_one)), 0);
    cr_assert_eq(counted->by_lock, 2);
    free_pool(second);
}

Test(task_shared, is_there_in_the_initializer)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 3, .shared = shared, .initializer = &count_one_task);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 3);
    soon_shared_unref(shared);
}

Test(task_shared, is_there_where_a_task_runs_on_its_submitters_thread)
{
    struct counted *counted;
    struct gate gate = gate_new();
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_pool(.workers = 1, .shared = shared, .queue_max = 1, .when_full = SOON_FULL_RUN_HERE);
    soon_future *running = occupy_one(pool, gate), *queued = soon_submit(pool, count_one);

    cr_assert_eq(outcome_of(soon_submit(pool, count_one)), 0);
    cr_assert_eq(counted->by_lock, 1);

    gate_open(gate, 1);
    cr_assert_eq(outcome_of(running), 0);
    cr_assert_eq(outcome_of(queued), 0);
    free_pool(pool);
    gate_free(gate);
    soon_shared_unref(shared);
}

/*
 * In worker processes
 */

static soon_executor *new_processes_of(const soon_process_pool_options *options)
{
    soon_executor *pool = NULL;

    cr_assert_eq(soon_process_pool_new(&pool, options), 0);
    return pool;
}
#define new_processes(...) new_processes_of(&(soon_process_pool_options){__VA_ARGS__})

Test(task_shared, is_seen_by_worker_processes)
{
    enum { TASKS = 2000 };
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 3, .shared = shared, .initializer = &count_one_task);
    static soon_none none[TASKS];

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(counted->by_lock, 3); /* the initializers */
    cr_assert_eq(soon_map(pool, count_one, none, TASKS, none), 0);
    for (int i = 0; i < TASKS; i++)
        soon_future_unref(soon_submit(pool, count_one));

    free_pool(pool);
    cr_assert_eq(counted->by_lock, 3 + 2 * TASKS);
    soon_shared_unref(shared);
}

Test(task_shared, is_null_in_processes_without_it)
{
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *f = soon_submit(pool, count_one);

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f)->raised, ENOENT);
    soon_future_unref(f);
    free_pool(pool);
}

Test(task_shared, of_processes_lives_as_long_as_their_pool)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 1, .shared = shared);

    soon_shared_unref(shared);
    cr_assert_eq(outcome_of(soon_submit(pool, count_one)), 0);
    cr_assert_eq(counted->by_lock, 1);
    free_pool(pool);
}

SOON_TASK(write_last_byte, uint64_t, soon_none)
{
    ((char *)soon_task_shared(task))[*arg - 1] = 42;
    return 0;
}

Test(task_shared, may_be_beyond_4_gib)
{
    uint64_t size = (UINT64_C(5) << 30) + 1;
    soon_shared *shared = new_shared(size);
    soon_executor *pool = new_processes(.workers = 1, .shared = shared);

    cr_assert_eq(outcome_of(soon_submit(pool, write_last_byte, size)), 0);
    cr_assert_eq(((char *)soon_shared_data(shared))[size - 1], 42);
    free_pool(pool);
    soon_shared_unref(shared);
}

SOON_TASK(die_with_the_lock, soon_none, soon_none)
{
    struct counted *counted = soon_task_shared(task);

    if (soon_lock_lock(&counted->lock) == 0)
        counted->by_lock++;
    return raise(SIGKILL);
}

SOON_TASK(lock_and_tell, soon_none, int)
{
    struct counted *counted = soon_task_shared(task);

    *result = soon_lock_lock(&counted->lock);
    soon_lock_unlock(&counted->lock);
    return 0;
}

Test(lock, of_a_dead_worker_goes_to_the_next_who_is_told)
{
    struct counted *counted;
    soon_shared *shared = new_counted(&counted);
    soon_executor *pool = new_processes(.workers = 2, .shared = shared);

    for (uint64_t i = 1; i <= 10; i++) {
        int told = 1;

        cr_assert_eq(outcome_of(soon_submit(pool, die_with_the_lock)), SOON_EWORKERDIED);
        cr_assert_eq(soon_take(soon_submit(pool, lock_and_tell), &told), 0);
        cr_assert_eq(told, -EOWNERDEAD);
        cr_assert_eq(soon_take(soon_submit(pool, lock_and_tell), &told), 0);
        cr_assert_eq(told, 0);
        cr_assert_eq(counted->by_lock, i);
    }
    free_pool(pool);
    soon_shared_unref(shared);
}

Misuse(task_shared, of_null)
{
    cr_assert_null(soon_task_shared(NULL));
}
