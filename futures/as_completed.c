/*
 * as_completed.c - a set that gives its futures back as they finish.
 *
 *     add --> waiting (a waiter with the future) --notify--> ready (a list, in the order of completion) --next--> given
 *
 * I1  A node is in `members` from add until it is given, and holds a reference of its future all that time; next()
 *     passes that on, so the set keeps nothing of what it has given.
 * I2  Order of locks: a future's LOCK, then the set's mutex (notify runs under the former). So no future's LOCK is
 *     taken under the mutex, and no future is released there.
 * I3  notify touches nothing of the set after it has left the mutex, and nothing of the node once that is in
 *     `ready`: the iterating thread may free both then.
 */
#include "depend_internal.h"
#include "future_internal.h"
#include "set_internal.h"
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { ASKED_MAX = 32 };

struct node {
    struct soon__waiter waiter; /* first */
    soon_as_completed *set;
    soon_future *future;
    struct node *next;
};

struct soon_as_completed {
    pthread_mutex_t mutex;
    struct {
        struct soon__set members; /* future -> node; the immortal one is not in it */
        struct node *ready, **ready_end;
        size_t left, total;
        bool asleep;
    } locked;
    _Atomic uint32_t bell; /* counts what became ready; next() sleeps on it */
    int64_t deadline;
    uint32_t generation; /* of the process that made it */
};

/* Its mutex may be held by a thread that is not here, and nobody will ring. */
static bool is_foreign(const soon_as_completed *set)
{
    return set->generation != soon__generation();
}

static void make_ready_locked(soon_as_completed *set, struct node *node)
{
    node->next = NULL;
    *set->locked.ready_end = node;
    set->locked.ready_end = &node->next;
    /* Relaxed: the mutex orders it; the futex call compares it again. */
    atomic_fetch_add_explicit(&set->bell, 1, memory_order_relaxed);
    if (set->locked.asleep)
        soon__unpark_one(&set->bell);
    set->locked.asleep = false;
}

static void notify(struct soon__waiter *waiter, soon_future *future)
{
    struct node *node = (struct node *)waiter;
    soon_as_completed *set = node->set;

    (void)future;
    pthread_mutex_lock(&set->mutex);
    make_ready_locked(set, node);
    pthread_mutex_unlock(&set->mutex);
}

int soon_as_completed_new(soon_as_completed **ret, soon_future *const *futures, size_t count, int64_t timeout_ms)
{
    soon_as_completed *set;
    int rc = 0;

    if (!ret || (!futures && count) || !soon__array_fits(count, sizeof *futures) || timeout_ms < SOON_FOREVER)
        return -EINVAL;
    set = calloc(1, sizeof *set);
    if (!set)
        return -ENOMEM;
    pthread_mutex_init(&set->mutex, NULL);
    set->locked.ready_end = &set->locked.ready;
    set->deadline = soon__deadline(timeout_ms);
    set->generation = soon__generation();
    rc = soon__set_reserve(&set->locked.members, count);
    /* Those that are done come first, in the order given. */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!futures[i])
            rc = -EINVAL;
        else if (soon__word_final(soon__future_word(futures[i])))
            rc = soon_as_completed_add(set, futures[i]);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!soon__future_is_immortal(futures[i])) /* it is done, so it is there, and would not be merged */
            rc = soon_as_completed_add(set, futures[i]);
    }
    if (rc < 0) {
        soon_as_completed_free(set);
        return rc;
    }
    *ret = set;
    return 0;
}

/* 1: it is a member now; 0: it was one; -ENOMEM. */
static int enter_locked(soon_as_completed *set, struct node *node)
{
    int rc = 1;

    if (!soon__future_is_immortal(node->future))
        rc = soon__set_add(&set->locked.members, node->future, node);
    if (rc > 0) {
        set->locked.left++;
        set->locked.total++;
    }
    return rc;
}

int soon_as_completed_add(soon_as_completed *set, soon_future *future)
{
    struct node *node;
    int rc;

    if (!set || !future)
        return -EINVAL;
    if (is_foreign(set) || (!soon__word_final(soon__future_word(future)) && soon__future_is_foreign(future)))
        return SOON_EFORKED;
    node = malloc(sizeof *node);
    if (!node)
        return -ENOMEM;
    *node = (struct node){.waiter.notify = notify, .set = set, .future = soon__future_ref(future)};
    pthread_mutex_lock(&set->mutex);
    rc = enter_locked(set, node);
    pthread_mutex_unlock(&set->mutex);
    if (rc <= 0) {
        soon__future_unref(future);
        free(node);
        return rc;
    }
    if (!soon__future_add_waiter(future, &node->waiter))
        notify(&node->waiter, future);
    return 0;
}

int soon_as_completed_give(soon_as_completed *set, soon_future *future)
{
    int rc = soon_as_completed_add(set, future);

    soon_future_unref(future);
    return rc;
}

static struct node *take_ready_locked(soon_as_completed *set)
{
    struct node *node = set->locked.ready;

    if (!node)
        return NULL;
    set->locked.ready = node->next;
    if (!set->locked.ready)
        set->locked.ready_end = &set->locked.ready;
    if (!soon__future_is_immortal(node->future))
        soon__set_remove(&set->locked.members, node->future);
    set->locked.left--;
    return node;
}

/* The first member from slot `*at` on, which moves behind it: a reference; NULL: there is none. Others may add more: `*ret_total`
 * tells. */
static soon_future *find_member(soon_as_completed *set, size_t *at, size_t *ret_total)
{
    soon_future *found = NULL;

    pthread_mutex_lock(&set->mutex);
    while (!found && *at < set->locked.members.size)
        found = (soon_future *)set->locked.members.slots[(*at)++].future;
    if (found)
        soon__future_ref(found);
    *ret_total = set->locked.total;
    pthread_mutex_unlock(&set->mutex);
    return found;
}

/* Only where the thread is inside of something: every future left could be finished by this stack alone. Not under the mutex:
 * it follows futures to what they wait for. */
static bool could_never_end(soon_as_completed *set)
{
    size_t at = 0, total, total_before = 0;
    soon_future *future;
    bool inside = soon__thread_is_busy();

    while (inside) {
        future = find_member(set, &at, &total);
        if (total != total_before) { /* the first look; or they lie elsewhere now: once more */
            total_before = total;
            at = 0;
        } else if (!future) {
            return true;
        } else {
            inside = soon__thread_is_inside(future);
        }
        if (future)
            soon__future_unref(future);
    }
    return false;
}

/* One of them is enough. Of many some are asked, since this is for each sleep: the rest counts as the pool's own. */
static bool others_end(soon_as_completed *set)
{
    size_t at = 0, total;
    soon_future *future;
    bool found = !soon__thread_self()->parking;

    for (int asked = 0; !found && asked < ASKED_MAX && (future = find_member(set, &at, &total)); asked++) {
        found = soon__thread_others_end(future);
        soon__future_unref(future);
    }
    return found;
}

/* Under the mutex, and out of it while asleep. 0: look again. */
static int sleep_locked(soon_as_completed *set)
{
    uint32_t bell = atomic_load_explicit(&set->bell, memory_order_relaxed);
    int rc = SOON_EDEADLK;

    pthread_mutex_unlock(&set->mutex);
    if (set->deadline == SOON__POLL || !could_never_end(set))
        rc = soon__deadline_check(set->deadline);
    pthread_mutex_lock(&set->mutex);
    if (set->locked.ready)
        return 0;
    if (rc < 0)
        return rc;
    set->locked.asleep = true;
    pthread_mutex_unlock(&set->mutex);
    rc = soon__thread_before_park(others_end(set));
    if (rc == 0) {
        soon__park(&set->bell, bell, set->deadline);
        soon__thread_after_park();
    }
    pthread_mutex_lock(&set->mutex);
    set->locked.asleep = false;
    return rc;
}

int soon_as_completed_next(soon_as_completed *set, soon_future **ret)
{
    struct node *node = NULL;
    int rc = 0;

    if (!set || !ret)
        return -EINVAL;
    if (is_foreign(set))
        return SOON_EFORKED;
    pthread_mutex_lock(&set->mutex);
    while (rc == 0 && !(node = take_ready_locked(set)))
        rc = set->locked.left ? sleep_locked(set) : SOON_EEND;
    pthread_mutex_unlock(&set->mutex);
    if (!node)
        return rc;
    *ret = soon_future_ref(node->future);
    soon__future_unref(node->future);
    free(node);
    return 0;
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
    if (!is_foreign(set))
        pthread_mutex_lock(&writable->mutex);
    left = set->locked.left;
    if (ret_total)
        *ret_total = set->locked.total;
    if (!is_foreign(set))
        pthread_mutex_unlock(&writable->mutex);
    return left;
}

void soon_as_completed_free(soon_as_completed *set)
{
    struct node *node;

    if (!set)
        return;
    /* Each future's LOCK once, outside the mutex (I2): after that no notify can come, so what is left is this
     * thread's. */
    for (size_t i = 0; i < set->locked.members.size; i++) {
        node = set->locked.members.slots[i].value;
        if (node)
            soon__future_remove_waiter(node->future, &node->waiter);
    }
    while ((node = take_ready_locked(set))) {
        soon__future_unref(node->future);
        free(node);
    }
    for (size_t i = 0; i < set->locked.members.size; i++) {
        node = set->locked.members.slots[i].value;
        if (node) {
            soon__future_unref(node->future);
            free(node);
        }
    }
    soon__set_fini(&set->locked.members);
    pthread_mutex_destroy(&set->mutex);
    free(set);
}
