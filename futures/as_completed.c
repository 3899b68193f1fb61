/*
 * as_completed.c - a set that gives its futures back as they finish.
 *
 *     unused --add--> waiting (a waiter with the future) --notify--> ready --next--> in hand --next--> given: unused
 *
 * I1  A node is a member from add until it is given, and has a reference of its future all that time. next() passes the
 *     reference on, so the set keeps nothing of what it has given.
 * I2  Order of locks: a future's LOCK, then the set's mutex (notify runs under the former). So under the mutex no
 *     future's LOCK is taken, and no future is released.
 * I3  notify touches nothing of the set after it has unlocked the mutex, and nothing of the node once that is in
 *     `ready`: the iterating thread may then free both.
 * I4  next() moves all that is ready to `hand`, under the mutex, and gives it out without the mutex: only the iterating
 *     thread writes `hand` and `given`. A node that was given is used again only after the iterating thread has next
 *     had the mutex.
 */
#include "as_completed_internal.h"

#include "depend_internal.h"
#include "future_internal.h"
#include "park_internal.h"
#include "set_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { ASKED_MAX = 32 };

struct node {
    struct soon__waiter waiter; /* first */
    struct soon__member member;
    soon_as_completed *set; /* NULL: the future was done, so that the node is no waiter */
    struct node *older;     /* in the list of all nodes, in use or not */
};

/* Linked by soon__member.next, from first to last. */
struct list {
    struct soon__member *first, *last;
};

struct soon_as_completed {
    pthread_mutex_t mutex;
    struct {
        struct soon__set members; /* without the immortal future */
        struct node *latest;
        struct soon__member *unused; /* members that were given, or never used */
        size_t used;                 /* of `nodes` */
        struct list ready;
        size_t total;
        size_t sleeps_for; /* next() is woken when so many more are ready; 0: it is awake */
    } locked;
    _Atomic uint32_t bell; /* counts futures that became ready; next() sleeps on it */
    _Atomic size_t given;  /* how many of `total` were given */
    struct {
        struct list nodes;
        struct soon__member *next; /* those before this one were given */
    } hand;
    struct node *nodes; /* of the futures that it was made with; others are malloc'ed one by one */
    size_t room;
    int64_t deadline;
    uint32_t generation;                      /* of the process that made it */
    bool (*awaited)(const soon_future *done); /* see soon__as_completed_await(); NULL: next() wakes for any */
};

/* Its mutex may be locked by a thread that is not here, and nobody will ring its bell. */
static bool is_pre_fork(const soon_as_completed *set)
{
    return set->generation != soon__generation();
}

static void append(struct list *list, struct soon__member *member)
{
    member->next = NULL;
    if (list->first)
        list->last->next = member;
    else
        list->first = member;
    list->last = member;
}

static void make_ready_locked(soon_as_completed *set, struct soon__member *member)
{
    append(&set->locked.ready, member);
    /* Relaxed: the mutex orders it, and the futex call compares it again. */
    atomic_store_explicit(&set->bell, atomic_load_explicit(&set->bell, memory_order_relaxed) + 1, memory_order_relaxed);
    if (!set->locked.sleeps_for)
        return;
    set->locked.sleeps_for--;
    if (set->awaited && set->awaited(soon__member_future(member)))
        set->locked.sleeps_for = 0;
    if (!set->locked.sleeps_for)
        soon__unpark_one(&set->bell);
}

static void notify(struct soon__waiter *waiter, soon_future *future)
{
    struct node *node = (struct node *)waiter;
    soon_as_completed *set = node->set;

    (void)future;
    pthread_mutex_lock(&set->mutex);
    make_ready_locked(set, &node->member);
    pthread_mutex_unlock(&set->mutex);
}

/*
 * Adding
 */

static bool have_unused_locked(soon_as_completed *set)
{
    struct node *node;

    if (set->locked.unused)
        return true;
    node = set->locked.used < set->room ? &set->nodes[set->locked.used++] : malloc(sizeof *node);
    if (!node)
        return false;
    node->older = set->locked.latest;
    set->locked.latest = node;
    soon__member_set(&node->member, NULL);
    node->member.next = NULL;
    set->locked.unused = &node->member;
    return true;
}

/* Returns 1: `*ret_node` is a member now; 0: the future is a member already; SOON_EFORKED, -ENOMEM. */
static int enter_locked(soon_as_completed *set, soon_future *future, struct node **ret_node)
{
    bool done = soon__word_final(soon__future_word(future));
    struct soon__member *member;
    struct node *node;
    int rc = 1;

    if (!done && soon__future_is_pre_fork(future))
        return SOON_EFORKED;
    if (!have_unused_locked(set))
        return -ENOMEM;
    member = set->locked.unused;
    if (soon__future_is_immortal(future))
        soon__member_set(member, future);
    else
        rc = soon__set_add(&set->locked.members, member, future);
    if (rc <= 0)
        return rc;
    set->locked.unused = member->next;
    node = (struct node *)((char *)member - offsetof(struct node, member));
    node->set = done ? NULL : set;
    if (!done)
        node->waiter = (struct soon__waiter){.notify = notify};
    soon__future_ref(future);
    set->locked.total++;
    *ret_node = node;
    return 1;
}

static void wait_for(struct node *node, soon_future *future)
{
    if (!soon__future_add_waiter(future, &node->waiter))
        notify(&node->waiter, future);
}

/* Adds to a set that no other thread knows until its first node becomes a waiter. */
static int add_all(soon_as_completed *set, soon_future *const *futures, size_t count)
{
    soon_future *future;
    struct node *node;
    int rc = soon__set_reserve(&set->locked.members, count);

    if (rc == 0 && soon__array_fits(count, sizeof *set->nodes))
        set->nodes = malloc(count * sizeof *set->nodes);
    set->room = set->nodes ? count : 0; /* 0: nodes are malloc'ed one by one */
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = enter_locked(set, futures[i], &node);
        if (rc > 0 && !node->set)
            append(&set->locked.ready, &node->member);
    }
    for (node = set->locked.latest; rc >= 0 && node; node = node->older) {
        future = soon__member_future(&node->member); /* NULL: the node was not needed, for a duplicate */
        if (future && node->set)
            wait_for(node, future);
    }
    return rc < 0 ? rc : 0;
}

static int set_new(soon_as_completed **ret, soon_future *const *futures, size_t count, int64_t timeout_ms)
{
    soon_as_completed *set = calloc(1, sizeof *set);
    int rc;

    if (!set)
        return -ENOMEM;
    pthread_mutex_init(&set->mutex, NULL);
    set->deadline = soon__deadline(timeout_ms);
    set->generation = soon__generation();
    rc = add_all(set, futures, count);
    if (rc < 0) {
        soon_as_completed_free(set);
        return rc;
    }
    *ret = set;
    return 0;
}

int soon_as_completed_new(soon_as_completed **ret, soon_future *const *futures, size_t count, int64_t timeout_ms)
{
    soon_as_completed *set = NULL;
    int rc = ret ? soon__check_futures(futures, count) : soon__is_null("ret");

    if (rc == 0)
        rc = soon__check_timeout(timeout_ms);
    if (rc == 0)
        rc = set_new(&set, futures, count, timeout_ms);
    if (ret)
        *ret = set;
    return soon__failed(rc, "soon_as_completed_new");
}

static int add(soon_as_completed *set, soon_future *future)
{
    struct node *node = NULL;
    bool waits;
    int rc;

    if (!set || !future)
        return soon__is_null(set ? "the future" : "the set");
    if (is_pre_fork(set))
        return SOON_EFORKED;
    pthread_mutex_lock(&set->mutex);
    rc = enter_locked(set, future, &node);
    waits = rc > 0 && node->set;
    if (rc > 0 && !waits)
        make_ready_locked(set, &node->member);
    pthread_mutex_unlock(&set->mutex);
    if (waits)
        wait_for(node, future);
    return rc < 0 ? rc : 0;
}

int soon_as_completed_add(soon_as_completed *set, soon_future *future)
{
    return soon__failed(add(set, future), "soon_as_completed_add");
}

int soon_as_completed_give(soon_as_completed *set, soon_future *future)
{
    int rc = soon_as_completed_add(set, future);

    soon_future_unref(future);
    return rc;
}

/*
 * Giving out
 */

/* `hand` is empty: moves to it what is ready. Returns false if nothing is. */
static bool fill_hand_locked(soon_as_completed *set)
{
    if (set->hand.nodes.first) {
        set->hand.nodes.last->next = set->locked.unused;
        set->locked.unused = set->hand.nodes.first;
    }
    set->hand.nodes = set->locked.ready;
    set->hand.next = set->locked.ready.first;
    set->locked.ready.first = NULL;
    return set->hand.next;
}

static soon_future *take_from_hand(soon_as_completed *set)
{
    struct soon__member *member = set->hand.next;
    soon_future *future = soon__member_future(member);

    set->hand.next = member->next;
    soon__member_set(member, NULL);
    /* Relaxed: a count. */
    atomic_store_explicit(&set->given, atomic_load_explicit(&set->given, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return future;
}

static size_t left_locked(const soon_as_completed *set)
{
    return set->locked.total - atomic_load_explicit(&set->given, memory_order_relaxed);
}

/* Moves `*at` to the next member; from NULL to the first. Returns a reference of its future; NULL: there are no
 * more. */
static soon_future *find_member(soon_as_completed *set, struct node **at)
{
    soon_future *found = NULL;
    struct node *node;

    pthread_mutex_lock(&set->mutex);
    for (node = *at ? (*at)->older : set->locked.latest; node && !found; node = node->older) {
        found = soon__member_future(&node->member);
        *at = node;
    }
    if (found)
        soon__future_ref(found);
    pthread_mutex_unlock(&set->mutex);
    return found;
}

/* Returns whether every future that is left can only be finished by what is on this thread's stack. Called without the
 * mutex, since it follows futures to others. */
static bool could_never_end(soon_as_completed *set)
{
    bool inside = soon__thread_is_busy();
    struct node *at = NULL;
    soon_future *future;

    while (inside && (future = find_member(set, &at))) {
        inside = soon__thread_is_inside(future);
        soon__future_unref(future);
    }
    return inside;
}

/* Returns whether somebody else than tasks of the worker's executor can end the wait: for that one such future is
 * enough, unless the wait is for all. Asks no more than ASKED_MAX, since this comes before each sleep; the rest count
 * as the executor's own. */
static bool others_end(soon_as_completed *set)
{
    bool all = set->awaited, others = all || !soon__thread_self()->parking;
    struct node *at = NULL;
    soon_future *future;
    int asked = 0;

    for (; others == all && asked < ASKED_MAX && (future = find_member(set, &at)); asked++) {
        others = soon__thread_others_end(future);
        soon__future_unref(future);
    }
    return others && (!all || asked < ASKED_MAX);
}

/* Unlocks the mutex meanwhile. Returns 0: look again. */
static int sleep_locked(soon_as_completed *set)
{
    uint32_t bell = atomic_load_explicit(&set->bell, memory_order_relaxed);
    size_t total = set->locked.total;
    int rc = SOON_EDEADLK;

    /* A future that becomes ready from now on changes the bell, so that the sleep ends. */
    set->locked.sleeps_for = set->awaited ? left_locked(set) : 1;
    pthread_mutex_unlock(&set->mutex);
    if (set->deadline == SOON__POLL || !could_never_end(set))
        rc = soon__wait_check(set->deadline);
    if (rc == 0)
        rc = soon__thread_before_park(others_end(set));
    if (rc == 0) {
        soon__wait_park(&set->bell, bell, set->deadline);
        soon__thread_after_park();
    }
    pthread_mutex_lock(&set->mutex);
    set->locked.sleeps_for = 0;
    return set->locked.ready.first || set->locked.total != total ? 0 : rc; /* one was added, so `rc` may be wrong */
}

void soon__as_completed_await(soon_as_completed *set, bool (*awaited)(const soon_future *done))
{
    set->awaited = awaited;
}

static inline int next(soon_as_completed *set, soon_future **ret)
{
    int rc = 0;

    if (!set || !ret)
        return soon__is_null(set ? "ret" : "the set");
    if (is_pre_fork(set))
        return SOON_EFORKED;
    if (!set->hand.next) {
        pthread_mutex_lock(&set->mutex);
        while (rc == 0 && !fill_hand_locked(set))
            rc = left_locked(set) ? sleep_locked(set) : SOON_EEND;
        pthread_mutex_unlock(&set->mutex);
        if (rc < 0)
            return rc;
    }
    *ret = take_from_hand(set);
    soon__future_give(*ret);
    return 0;
}

int soon_as_completed_next(soon_as_completed *set, soon_future **ret)
{
    return soon__failed(next(set, ret), "soon_as_completed_next");
}

size_t soon_as_completed_left(const soon_as_completed *set, size_t *ret_total)
{
    soon_as_completed *writable = (soon_as_completed *)set;
    size_t left;

    if (!soon__check(set, "soon_as_completed_left: NULL")) {
        if (ret_total)
            *ret_total = 0;
        return 0;
    }
    if (!is_pre_fork(set))
        pthread_mutex_lock(&writable->mutex);
    left = left_locked(set);
    if (ret_total)
        *ret_total = set->locked.total;
    if (!is_pre_fork(set))
        pthread_mutex_unlock(&writable->mutex);
    return left;
}

void soon_as_completed_free(soon_as_completed *set)
{
    soon_future *future;
    struct node *older;

    if (!set)
        return;
    /* Takes each future's LOCK once, without the mutex (I2). After that notify is not called any more: the rest belongs
     * to this thread. */
    for (struct node *node = set->locked.latest; node; node = node->older) {
        future = soon__member_future(&node->member);
        if (future && node->set)
            soon__future_remove_waiter(future, &node->waiter);
    }
    for (struct node *node = set->locked.latest; node; node = older) {
        older = node->older;
        future = soon__member_future(&node->member);
        if (future)
            soon__future_unref(future);
        if ((uintptr_t)node - (uintptr_t)set->nodes >= set->room * sizeof *node) /* not one of `nodes` */
            free(node);
    }
    free(set->nodes);
    soon__set_fini(&set->locked.members);
    pthread_mutex_destroy(&set->mutex);
    free(set);
}
