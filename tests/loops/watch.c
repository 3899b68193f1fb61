/*
 * watch.c - descriptors that the library's loop watches, without the loop.
 */
#include "../support/futures.h"

#include "../../executor/loops/watch_internal.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MANY = 3 * SOON__WATCHES_PER_TURN };

/* Counts how often it is told of; takes another one out of the set. */
struct counted {
    struct soon__watch watch;
    int calls, bell;
    struct counted *other;
};

static struct soon__watches watches;
static struct counted all[MANY];

static void count(struct soon__watch *watch)
{
    struct counted *counted = (struct counted *)watch;

    counted->calls++;
    if (counted->other)
        soon__watches_remove(&watches, &counted->other->watch);
}

static void ring(const struct counted *counted)
{
    cr_assert_eq(write(counted->bell, &(uint64_t){1}, sizeof(uint64_t)), (ssize_t)sizeof(uint64_t));
}

static void add(struct counted *counted, bool once_each)
{
    counted->watch.ready = count;
    counted->bell = eventfd(0, EFD_CLOEXEC);
    cr_assert_eq(soon__watches_add(&watches, &counted->watch, counted->bell, once_each), 0);
}

/* One turn that does not sleep. */
static bool turn(void)
{
    cr_assert_eq(soon__watches_wait(&watches, 0), 0);
    return soon__watches_dispatch(&watches);
}

static void open_all(void)
{
    cr_assert_eq(soon__watches_init(&watches), 0);
}

static void close_all(void)
{
    for (size_t i = 0; i < MANY; i++) {
        soon__watches_remove(&watches, &all[i].watch);
        if (all[i].bell)
            close(all[i].bell);
    }
    soon__watches_fini(&watches);
}

TestSuite(watch, .init = open_all, .fini = close_all);

Test(watch, tells_once_of_each_ring_although_nobody_reads_it)
{
    add(&all[0], true);
    turn();
    cr_assert_eq(all[0].calls, 0);
    for (int i = 1; i <= 3; i++) {
        ring(&all[0]);
        turn();
        turn();
        cr_assert_eq(all[0].calls, i);
    }
}

Test(watch, tells_of_what_was_rung_before_it_was_added)
{
    all[0].bell = eventfd(1, EFD_CLOEXEC);
    all[0].watch.ready = count;
    cr_assert_eq(soon__watches_add(&watches, &all[0].watch, all[0].bell, true), 0);
    turn();
    cr_assert_eq(all[0].calls, 1);
}

Test(watch, goes_on_telling_of_what_stays_readable)
{
    add(&all[0], false);
    ring(&all[0]);
    turn();
    turn();
    cr_assert_eq(all[0].calls, 2);
}

Test(watch, tells_no_more_of_what_is_removed_in_the_same_turn)
{
    add(&all[0], false);
    add(&all[1], false);
    all[0].other = &all[1];
    all[1].other = &all[0];
    ring(&all[0]);
    ring(&all[1]);
    turn();
    cr_assert_eq(all[0].calls + all[1].calls, 1);
    cr_assert_neq(all[0].watch.active, all[1].watch.active);
}

Test(watch, gives_each_its_turn)
{
    for (size_t i = 0; i < MANY; i++) {
        add(&all[i], false);
        ring(&all[i]);
    }
    for (int i = 0; i < MANY / SOON__WATCHES_PER_TURN; i++)
        turn();
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(all[i].calls, 1);
}

Test(watch, says_what_cannot_be_watched)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_assert_eq(soon__watches_add(&watches, &all[0].watch, file, false), -EPERM);
    cr_assert_not(all[0].watch.active);
    close(file);
    cr_assert_eq(soon__watches_add(&watches, &all[0].watch, file, false), -EBADF);
}

Test(watch, is_woken_once_for_any_number_of_times)
{
    cr_assert_not(turn());
    cr_assert_eq(soon__watches_wake(&watches), 0);
    cr_assert_eq(soon__watches_wake(&watches), 0);
    cr_assert(turn());
    cr_assert_not(turn());
}

static void *wake(void *unused)
{
    (void)unused;
    cr_assert_eq(soon__watches_wake(&watches), 0);
    return NULL;
}

Test(watch, is_woken_from_its_sleep)
{
    pthread_t thread;

    start_thread(&thread, wake, NULL);
    cr_assert_eq(soon__watches_wait(&watches, -1), 0);
    cr_assert(soon__watches_dispatch(&watches));
    pthread_join(thread, NULL);
}
