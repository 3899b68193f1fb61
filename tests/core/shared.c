/*
 * shared.c - memory that several processes see: what is in it, who holds it, the lock that survives its holder.
 * How tasks find it is in task_shared.c.
 */
#include "../support/shared_fixture.h"

#include <sys/wait.h>

TestSuite(shared);
TestSuite(lock);

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
    /* The smaller ones there may be room for, with 32 bits. */
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, SIZE_MAX / 4 + 1,
                                   SIZE_MAX / 65536 + 1};
    const size_t count = sizeof(size_t) > 4 ? sizeof sizes / sizeof *sizes : 2;
    soon_shared *shared = NULL;

    for (size_t i = 0; i < count; i++)
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

TestMisuse(shared, data_of_null)
{
    cr_assert_null(soon_shared_data(NULL));
}

/* In the child no assertion of the runner works: it leaves with a status that is not 0. */
static pid_t child_of(int (*body)(struct counted *), struct counted *counted)
{
    pid_t child = test_fork();

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
    soon_lock *zeroes = (soon_lock *)(void *)space, *crooked = (soon_lock *)(void *)(space + 2);

    cr_assert_eq(soon_lock_lock(zeroes), -EINVAL);
    cr_assert_eq(soon_lock_trylock(zeroes), -EINVAL);
    cr_assert_eq(soon_lock_init(crooked), -EINVAL);
    cr_assert_eq(soon_lock_lock(crooked), -EINVAL);
    cr_assert_eq(soon_lock_init(NULL), -EINVAL);
    cr_assert_eq(soon_lock_lock(NULL), -EINVAL);
    cr_assert_eq(soon_lock_trylock(NULL), -EINVAL);
}

TestMisuse(lock, unlock_of_null)
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

/* The thread sanitizer takes an unlock of another's lock for an error, which to us it is not. */
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
