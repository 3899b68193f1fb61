/*
 * slab.c - slabs: 2 MiB each, cut into blocks of one size.
 *
 *     class    the slabs of one size that have room, the fullest first; in each its free blocks, and those not used yet
 *        |     | ^
 *        |     v |
 *     kept     slabs without a block outside, for any class: up to KEPT_MAX; more go back to the system
 *
 * S1  A slab counts its blocks that are with threads, in use or not: `out`. At 0 nothing outside this file points into
 *     it.
 * S2  In the list of a class are the slabs with room, no others. A slab that gets room is the fullest there, and goes
 *     first; so the others become empty.
 * S3  The first use of a page faults, which takes long: that happens outside the mutex, as all system calls do.
 */
#include "slab_internal.h"

#include "system_internal.h"

#include <pthread.h>

enum { BATCH = SOON__SLAB_BATCH, STEP = SOON__SLAB_STEP, KEPT_MAX = 16, ROOMY_MAX = 4, HEAD = 64 };
#define SLAB_SIZE ((size_t)2 << 20)

/* At the head of its memory, which lies at a multiple of SLAB_SIZE. */
struct slab {
    struct slab *next, *previous; /* in the list that it is in */
    struct soon__block *free;
    uint32_t size;        /* of a block */
    uint32_t fresh;       /* where the blocks begin that were never used */
    _Atomic uint32_t out; /* blocks that are with threads; written under the mutex */
    uint32_t generation;  /* of the process that made it */
};
_Static_assert(sizeof(struct slab) <= HEAD, "the first block follows");

static struct {
    pthread_mutex_t mutex;
    _Alignas(64) struct {
        struct {
            struct slab *roomy;           /* those with room */
            _Atomic uint32_t roomy_count; /* read without the mutex, too */
            uint32_t count;               /* of all slabs, full ones too */
        } classes[SOON__SLAB_CLASSES];
        struct slab *kept;
        size_t kept_count;
        size_t out; /* blocks that are with threads, of all slabs */
    } locked;
} central = {.mutex = PTHREAD_MUTEX_INITIALIZER};

_Atomic uint32_t soon__slabs_watchful;

static struct slab *slab_of(const void *block)
{
    return (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_SIZE - 1));
}

static bool has_room(const struct slab *slab)
{
    return slab->free || slab->fresh + slab->size <= SLAB_SIZE;
}

/* Relaxed, here and in the next function: written under the mutex, and read without it as a hint only. */
static void count_out_locked(struct slab *slab, uint32_t more)
{
    atomic_store_explicit(&slab->out, atomic_load_explicit(&slab->out, memory_order_relaxed) + more,
                          memory_order_relaxed);
    central.locked.out += (size_t)(int32_t)more;
}

static void count_roomy_locked(const struct slab *slab, uint32_t more)
{
    _Atomic uint32_t *count = &central.locked.classes[soon__slab_class(slab->size)].roomy_count;
    uint32_t before = atomic_load_explicit(count, memory_order_relaxed);

    atomic_store_explicit(count, before + more, memory_order_relaxed);
    if ((before > ROOMY_MAX) != (before + more > ROOMY_MAX))
        atomic_fetch_add_explicit(&soon__slabs_watchful, more, memory_order_relaxed);
}

static void link_locked(struct slab *slab)
{
    struct slab **roomy = &central.locked.classes[soon__slab_class(slab->size)].roomy;

    count_roomy_locked(slab, 1);
    slab->previous = NULL;
    slab->next = *roomy;
    if (slab->next)
        slab->next->previous = slab;
    *roomy = slab;
}

static void unlink_locked(struct slab *slab)
{
    count_roomy_locked(slab, (uint32_t)-1);
    if (slab->next)
        slab->next->previous = slab->previous;
    if (slab->previous)
        slab->previous->next = slab->next;
    else
        central.locked.classes[soon__slab_class(slab->size)].roomy = slab->next;
}

static void add_locked(struct slab *slab, size_t class)
{
    *slab = (struct slab){.size = (uint32_t) class * STEP, .fresh = HEAD, .generation = soon__generation()};
    central.locked.classes[class].count++;
    link_locked(slab);
}

/* The last block of the slab is back: keeps it, or adds it to those that go back to the system. */
static void remove_locked(struct slab *slab, struct slab **surplus)
{
    bool keep = central.locked.kept_count < KEPT_MAX;
    struct slab **list = keep ? &central.locked.kept : surplus;

    unlink_locked(slab);
    central.locked.classes[soon__slab_class(slab->size)].count--;
    central.locked.kept_count += keep;
    slab->next = *list;
    *list = slab;
}

static bool have_slab_locked(size_t class)
{
    struct slab *slab = central.locked.kept;

    if (central.locked.classes[class].roomy)
        return true;
    if (!slab)
        return false;
    central.locked.kept = slab->next;
    central.locked.kept_count--;
    add_locked(slab, class);
    return true;
}

/* Takes blocks that were used before, of the first slabs, as long as the list has more room than `room`. */
static void take_used_locked(size_t class, struct soon__block_list *list, size_t room)
{
    struct slab *slab;

    while (list->room > room && (slab = central.locked.classes[class].roomy) && slab->free) {
        size_t before = list->room;

        while (list->room > room && slab->free) {
            struct soon__block *block = slab->free;

            slab->free = block->next;
            soon__block_list_push(list, block);
        }
        count_out_locked(slab, (uint32_t)(before - list->room));
        if (!has_room(slab))
            unlink_locked(slab);
    }
}

/* Takes up to `max` blocks that were never used, beside each other. They are not touched here (S3). */
static char *take_fresh_locked(struct slab *slab, size_t max, size_t *ret_count)
{
    size_t left = (SLAB_SIZE - slab->fresh) / slab->size;
    char *fresh = (char *)slab + slab->fresh;

    *ret_count = left < max ? left : max;
    slab->fresh += (uint32_t)*ret_count * slab->size;
    count_out_locked(slab, (uint32_t)*ret_count);
    if (!has_room(slab))
        unlink_locked(slab);
    return fresh;
}

/* Leaves the mutex meanwhile: another thread may add a slab too, which does no harm. */
static bool add_slab(size_t class)
{
    bool first = central.locked.classes[class].count == 0;
    struct slab *slab;

    pthread_mutex_unlock(&central.mutex);
    /* A huge page takes one fault instead of 512, and is wasted on a few blocks. */
    slab = soon__pages_new(SLAB_SIZE, !first);
    if (slab)
        slab->fresh = HEAD; /* faults now (S3) */
    pthread_mutex_lock(&central.mutex);
    if (slab)
        add_locked(slab, class);
    return slab;
}

bool soon__slab_take(size_t class, struct soon__block_list *list)
{
    size_t size = class * STEP, most = list->room < BATCH ? list->room : BATCH, fresh_count = 0;
    char *fresh = NULL;
    bool ok = true;

    pthread_mutex_lock(&central.mutex);
    while (ok && !have_slab_locked(class))
        ok = add_slab(class);
    if (ok)
        take_used_locked(class, list, list->room - most);
    if (ok && !list->first)
        fresh = take_fresh_locked(central.locked.classes[class].roomy, most, &fresh_count);
    pthread_mutex_unlock(&central.mutex);
    while (fresh_count > 0) /* the first one on top */
        soon__block_list_push(list, (struct soon__block *)(fresh + --fresh_count * size));
    return ok;
}

static void give_locked(struct soon__block *block, struct slab **surplus)
{
    struct slab *slab = slab_of(block);
    bool had_room = has_room(slab);

    block->next = slab->free;
    slab->free = block;
    if (!had_room)
        link_locked(slab);
    count_out_locked(slab, (uint32_t)-1);
    if (atomic_load_explicit(&slab->out, memory_order_relaxed) == 0) /* under the mutex */
        remove_locked(slab, surplus);
}

void soon__slab_give(struct soon__block_list *list, size_t most)
{
    struct slab *surplus = NULL, *next;
    struct soon__block *block;

    pthread_mutex_lock(&central.mutex);
    for (; most > 0 && (block = soon__block_list_pop(list)); most--)
        give_locked(block, &surplus);
    pthread_mutex_unlock(&central.mutex);
    for (; surplus; surplus = next) {
        next = surplus->next;
        soon__pages_free(surplus, SLAB_SIZE);
    }
}

size_t soon__slabs_out(void)
{
    size_t out;

    pthread_mutex_lock(&central.mutex);
    out = central.locked.out;
    pthread_mutex_unlock(&central.mutex);
    return out;
}

bool soon__slab_is_of_parent(const void *block)
{
    return slab_of(block)->generation != soon__generation();
}

/* Relaxed: hints. The slab cannot go meanwhile, since the block holds it. */
bool soon__slab_wants_back(const void *block, size_t class)
{
    return atomic_load_explicit(&central.locked.classes[class].roomy_count, memory_order_relaxed) > ROOMY_MAX &&
           atomic_load_explicit(&slab_of(block)->out, memory_order_relaxed) < 2 * BATCH;
}

void soon__slabs_forget(void)
{
    central.locked = (__typeof__(central.locked)){0};
    pthread_mutex_init(&central.mutex, NULL);
    atomic_store_explicit(&soon__slabs_watchful, 1, memory_order_relaxed);
}
