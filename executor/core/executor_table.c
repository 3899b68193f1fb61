/*
 * executor_table.c - all executors of the process, and walking them.
 *
 * T1  The list is sorted by numbers, which are given in the order in which executors come. A walk remembers the number
 *     that it is at, and nothing else: so executors may come and go between two steps. It ends with the last number
 *     that there was when it began.
 * T2  An executor is taken off the list before its memory is freed. A walk pins each that it visits, under the mutex:
 *     it is not down then, and its end waits for the visit. One that is down already is left out, since its class's
 *     part may be gone.
 * T3  No function of the program is called under the mutex, and no pin is given back under it: that may tell of an end.
 */
#include "executor_table_internal.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    pthread_mutex_t mutex;
    soon_executor *first, *last;
    uint64_t numbers;
    _Atomic bool all_sampled; /* changed under the mutex */
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* In a child the parent's executors stay in the list: no walk visits them. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&table.mutex); /* one of the first: there is room */
}

static void set_way_locked(soon_executor *executor)
{
    bool plain = executor->when_full == SOON_FULL_BLOCK && !soon__executors_are_sampled();
    int entry = atomic_load_explicit(&executor->entry, memory_order_relaxed);

    /* Relaxed, both: flags. One that takes nothing any more stays so. */
    while (entry >= 0 &&
           !atomic_compare_exchange_weak_explicit(&executor->entry, &entry, plain ? SOON__SHORT_WAY : SOON__LONG_WAY,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void soon__executor_publish(soon_executor *executor, const char *name)
{
    snprintf(executor->name, sizeof executor->name, "%s", name ? name : "");
    pthread_mutex_lock(&table.mutex);
    executor->tabled.number = ++table.numbers;
    executor->tabled.previous = table.last;
    if (table.last)
        table.last->tabled.next = executor;
    else
        table.first = executor;
    table.last = executor;
    set_way_locked(executor);
    pthread_mutex_unlock(&table.mutex);
}

void soon__executor_withdraw(soon_executor *executor)
{
    if (!executor->tabled.number)
        return;
    pthread_mutex_lock(&table.mutex);
    if (executor->tabled.previous)
        executor->tabled.previous->tabled.next = executor->tabled.next;
    else
        table.first = executor->tabled.next;
    if (executor->tabled.next)
        executor->tabled.next->tabled.previous = executor->tabled.previous;
    else
        table.last = executor->tabled.previous;
    pthread_mutex_unlock(&table.mutex);
}

/*
 * Sampling
 */

void soon__executors_sample_all(bool all)
{
    pthread_mutex_lock(&table.mutex);
    atomic_store_explicit(&table.all_sampled, all, memory_order_relaxed);
    for (soon_executor *executor = table.first; executor; executor = executor->tabled.next)
        set_way_locked(executor);
    pthread_mutex_unlock(&table.mutex);
}

bool soon__executors_are_sampled(void)
{
    return atomic_load_explicit(&table.all_sampled, memory_order_relaxed);
}

/*
 * Walking
 */

static uint64_t last_number(void)
{
    uint64_t number;

    pthread_mutex_lock(&table.mutex);
    number = table.numbers;
    pthread_mutex_unlock(&table.mutex);
    return number;
}

/* T1, T2. The next behind `number`, pinned; NULL: there is none up to `last`. */
static soon_executor *next_pinned(uint64_t number, uint64_t last)
{
    soon_executor *executor;

    pthread_mutex_lock(&table.mutex);
    executor = table.first;
    while (
        executor && executor->tabled.number <= last &&
        (executor->tabled.number <= number || soon__executor_check(executor) < 0 || !soon__executor_try_pin(executor)))
        executor = executor->tabled.next;
    if (executor && executor->tabled.number > last)
        executor = NULL;
    pthread_mutex_unlock(&table.mutex);
    return executor;
}

size_t soon_executors_each(soon_executor_fn fn, void *data)
{
    uint64_t number = 0, last = last_number();
    struct soon__pinned visit;
    soon_executor *executor;
    size_t count = 0;

    if (!soon__check(fn, "soon_executors_each: NULL"))
        return 0;
    while ((executor = next_pinned(number, last))) {
        number = executor->tabled.number;
        soon__executor_enter(executor, &visit);
        fn(executor, data);
        soon__executor_leave(executor, &visit); /* T3 */
        count++;
    }
    return count;
}
