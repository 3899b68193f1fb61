/*
 * slab.c - blocks by classes of size.
 *
 *     thread   per class two lists of blocks, `loaded` and `spare`, of up to BATCH
 *        |     | ^
 *        |     v |  by lists, under one mutex
 *     class    its slabs that have room, the fullest first; in each its free blocks, and those not used yet
 *        |     | ^
 *        |     v |
 *     kept     slabs that are free wholly, for any class: up to KEPT_MAX, what is more goes back to the system
 *
 * S1  A slab counts its blocks that are with threads, free or not: `out`. At 0 nobody but the central part knows of it.
 * S2  In its class's list are the slabs with room, no others. One that gets room is the fullest there, and goes first;
 *     so the others get empty.
 * S3  The first use of a page faults, which takes long: that happens outside the mutex, as all system calls do.
 * S4  Blocks in the lists of a thread hold their slabs, up to as many slabs as blocks. So when many slabs have room,
 *     the last blocks of one go past those lists, and take along what is in them.
 * S5  In a forked child all of it begins anew: the mutex, and any list, may be in the middle of something. What the
 *     parent's slabs hold is never put on a list there.
 */
#include "slab_internal.h"

#include "system_internal.h"
#include "thread_internal.h"

#include <pthread.h>
#include <stdlib.h>

#if !SOON__SLAB

void *soon__block_new(size_t size)
{
    return malloc(size);
}

void soon__block_free(void *block, size_t size)
{
    (void)size;
    free(block);
}

void soon__slab_thread_ends(void)
{
}

#else

enum { STEP = 16, SIZE_LIMIT = 1024, CLASSES = SIZE_LIMIT / STEP, BATCH = 32, KEPT_MAX = 16, ROOMY_MAX = 4, HEAD = 64 };
#define SLAB_SIZE ((size_t)2 << 20)

struct block {
    struct block *next; /* while it is free */
};

/* At the head of its memory, which lies at a multiple of SLAB_SIZE. */
struct slab {
    struct slab *next, *previous; /* in the list that it is in */
    struct block *free;
    uint32_t size;        /* of a block */
    uint32_t fresh;       /* where those begin that were never used */
    _Atomic uint32_t out; /* written under the mutex */
    uint32_t generation;  /* of the process that made it */
};
_Static_assert(sizeof(struct slab) <= HEAD, "the first block follows");

struct list {
    struct block *first;
    size_t count;
};

static struct {
    pthread_mutex_t mutex;
    _Alignas(64) struct {
        struct {
            struct slab *roomy;
            _Atomic uint32_t roomy_count; /* read without the mutex, too */
            uint32_t count;               /* slabs, full ones too */
        } classes[CLASSES];
        struct slab *kept;
        size_t kept_count;
    } locked;
} central = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct magazines {
    struct {
        struct list loaded;
        struct block *spare; /* a list of BATCH, or NULL */
    } classes[CLASSES];
};

/* NULL: it has none yet. Its end gives back what is in them. */
static _Thread_local struct magazines *self __attribute__((tls_model("initial-exec")));

static struct slab *slab_of(const void *block)
{
    return (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_SIZE - 1));
}

static size_t class_of(size_t size)
{
    return size ? (size - 1) / STEP : 0;
}

static void push(struct list *list, struct block *block)
{
    block->next = list->first;
    list->first = block;
    list->count++;
}

/*
 * The central part
 */

static bool has_room(const struct slab *slab)
{
    return slab->free || slab->fresh + slab->size <= SLAB_SIZE;
}

/* Relaxed, here and in the next: under the mutex; who reads without it looks for a hint. */
static void count_out_locked(struct slab *slab, uint32_t more)
{
    atomic_store_explicit(&slab->out, atomic_load_explicit(&slab->out, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static void count_roomy_locked(const struct slab *slab, uint32_t more)
{
    _Atomic uint32_t *count = &central.locked.classes[class_of(slab->size)].roomy_count;

    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more, memory_order_relaxed);
}

static void link_locked(struct slab *slab)
{
    struct slab **roomy = &central.locked.classes[class_of(slab->size)].roomy;

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
        central.locked.classes[class_of(slab->size)].roomy = slab->next;
}

static void add_locked(struct slab *slab, size_t class)
{
    *slab = (struct slab){.size = (uint32_t)(class + 1) * STEP, .fresh = HEAD, .generation = soon__generation()};
    central.locked.classes[class].count++;
    link_locked(slab);
}

/* Its last block is back: it is kept, or joins those to be given back. */
static void remove_locked(struct slab *slab, struct slab **surplus)
{
    bool keep = central.locked.kept_count < KEPT_MAX;
    struct slab **list = keep ? &central.locked.kept : surplus;

    unlink_locked(slab);
    central.locked.classes[class_of(slab->size)].count--;
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

/* Up to `max` used ones, those of the first slabs. */
static void take_used_locked(size_t class, size_t max, struct list *list)
{
    struct slab *slab;

    while (list->count < max && (slab = central.locked.classes[class].roomy) && slab->free) {
        size_t before = list->count;

        while (list->count < max && slab->free) {
            struct block *block = slab->free;

            slab->free = block->next;
            push(list, block);
        }
        count_out_locked(slab, (uint32_t)(list->count - before));
        if (!has_room(slab))
            unlink_locked(slab);
    }
}

/* Up to `max` that were never used, beside each other: not touched here (S3). */
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

/* The mutex is free meanwhile: another thread may add one too, which does no harm. */
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

/* Between one and `max` blocks. False: no memory. */
static bool take(size_t class, size_t max, struct list *ret)
{
    size_t size = (class + 1) * STEP, fresh_count = 0;
    char *fresh = NULL;
    bool ok = true;

    pthread_mutex_lock(&central.mutex);
    while (ok && !have_slab_locked(class))
        ok = add_slab(class);
    if (ok)
        take_used_locked(class, max, ret);
    if (ok && !ret->count)
        fresh = take_fresh_locked(central.locked.classes[class].roomy, max, &fresh_count);
    pthread_mutex_unlock(&central.mutex);
    while (fresh_count > 0) /* the first one on top */
        push(ret, (struct block *)(fresh + --fresh_count * size));
    return ok;
}

static void give_locked(struct block *block, struct slab **surplus)
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

static void give(struct block *blocks)
{
    struct slab *surplus = NULL, *next_slab;
    struct block *next;

    if (!blocks)
        return;
    pthread_mutex_lock(&central.mutex);
    for (; blocks; blocks = next) {
        next = blocks->next;
        give_locked(blocks, &surplus);
    }
    pthread_mutex_unlock(&central.mutex);
    for (; surplus; surplus = next_slab) {
        next_slab = surplus->next;
        soon__pages_free(surplus, SLAB_SIZE);
    }
}

/*
 * Threads. What one has when it ends goes back; other destructors may free more, and then it is watched again.
 */

static void give_class(size_t class)
{
    give(self->classes[class].loaded.first);
    give(self->classes[class].spare);
    self->classes[class].loaded = (struct list){NULL, 0};
    self->classes[class].spare = NULL;
}

void soon__slab_thread_ends(void)
{
    if (!self)
        return;
    for (size_t i = 0; i < CLASSES; i++)
        give_class(i);
    free(self);
    self = NULL;
}

/* False: this thread must not hold blocks that are free, nobody would give them back. */
static bool has_magazines(void)
{
    if (!self && soon__thread_watch_end())
        self = calloc(1, sizeof *self);
    return self;
}

/* S5. The thread that forked had what is the parent's, too. */
static void forget_in_child(void)
{
    central.locked = (__typeof__(central.locked)){0};
    pthread_mutex_init(&central.mutex, NULL);
    if (self)
        *self = (struct magazines){0};
}

__attribute__((constructor)) static void begin(void)
{
    (void)soon__at_fork(NULL, NULL, forget_in_child); /* one of the first: there is room */
}

static bool load(size_t class)
{
    struct list *loaded = &self->classes[class].loaded;

    if (!self->classes[class].spare)
        return take(class, BATCH, loaded);
    *loaded = (struct list){self->classes[class].spare, BATCH};
    self->classes[class].spare = NULL;
    return true;
}

static void unload(size_t class)
{
    give(self->classes[class].spare);
    self->classes[class].spare = self->classes[class].loaded.first;
    self->classes[class].loaded = (struct list){NULL, 0};
}

/* There is none in the thread's list, or it has no lists. */
static __attribute__((noinline)) void *new_slowly(size_t size)
{
    struct list one = {NULL, 0}, *loaded = &one;
    size_t class = class_of(size);
    struct block *block;

    if (size > SIZE_LIMIT)
        return malloc(size);
    if (has_magazines())
        loaded = &self->classes[class].loaded;
    if (!loaded->first && !(self ? load(class) : take(class, 1, loaded)))
        return NULL;
    block = loaded->first;
    loaded->first = block->next;
    loaded->count--;
    return block;
}

void *soon__block_new(size_t size)
{
    struct list *loaded = self && size <= SIZE_LIMIT ? &self->classes[class_of(size)].loaded : NULL;
    struct block *block = loaded ? loaded->first : NULL;

    if (!block)
        return new_slowly(size);
    loaded->first = block->next;
    loaded->count--;
    return block;
}

/* Only children of a fork need look. */
static bool is_of_parent(const void *block)
{
    return soon__generation() && slab_of(block)->generation != soon__generation();
}

/* S4. Relaxed: hints. Its slab cannot go meanwhile, since the block holds it. */
static bool holds_back(const void *block, size_t class)
{
    return atomic_load_explicit(&central.locked.classes[class].roomy_count, memory_order_relaxed) > ROOMY_MAX &&
           atomic_load_explicit(&slab_of(block)->out, memory_order_relaxed) < 2 * BATCH;
}

static __attribute__((noinline)) void free_slowly(void *block, size_t size)
{
    size_t class = class_of(size);

    if (size > SIZE_LIMIT) {
        free(block);
        return;
    }
    if (!block || is_of_parent(block))
        return;
    if (!has_magazines()) {
        ((struct block *)block)->next = NULL;
        give(block);
        return;
    }
    if (self->classes[class].loaded.count == BATCH)
        unload(class);
    push(&self->classes[class].loaded, block);
    if (holds_back(block, class))
        give_class(class);
}

void soon__block_free(void *block, size_t size)
{
    size_t class = class_of(size);

    if (!self || size > SIZE_LIMIT || !block || is_of_parent(block) || self->classes[class].loaded.count == BATCH ||
        holds_back(block, class))
        free_slowly(block, size);
    else
        push(&self->classes[class].loaded, block);
}

#endif
