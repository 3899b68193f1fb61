/*
 * slab.c - blocks by classes of size.
 *
 *     thread   per class a list of up to 2 * BATCH blocks
 *        |     | ^
 *        |     v |  by BATCH, under one mutex
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
 *     the last blocks of one go past those lists, and take along what is in them. `watchful` is not 0 while that may be: each
 *     block is looked at then.
 * S5  In a forked child all of it begins anew: the mutex, and any list, may be in the middle of something. What the
 *     parent's slabs hold is never put on a list there.
 * S6  Where a tool watches memory, or the program's user asks for it, there are no slabs: each block comes from malloc(), so that
 *     the tool sees each. That is decided once, before the first block, and held to: no list is ever filled then, so that
 *     all blocks come and go on the slow ways, which look.
 */
#include "slab_internal.h"

#include "system_internal.h"
#include "thread_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP = 16,
    SIZE_LIMIT = SOON__SLAB ? 1024 : 0, /* what is larger is malloc'ed: without slabs, all */
    CLASSES = SIZE_LIMIT / STEP + 1,
    BATCH = 32,
    KEPT_MAX = 16,
    ROOMY_MAX = 4,
    HEAD = 64
};
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
    size_t room; /* for so many more; of an empty one it may be 0 */
};

struct lists {
    struct list classes[CLASSES];
    struct lists *next; /* of another thread */
};

static struct {
    _Atomic uint32_t watchful; /* classes with more than ROOMY_MAX slabs with room; in a forked child one more */
    _Atomic size_t large;      /* blocks that are beyond SIZE_LIMIT */
    pthread_mutex_t mutex;
    _Alignas(64) struct {
        struct {
            struct slab *roomy;
            _Atomic uint32_t roomy_count; /* read without the mutex, too */
            uint32_t count;               /* slabs, full ones too */
        } classes[CLASSES];
        struct slab *kept;
        size_t kept_count;
        size_t out; /* blocks that are with threads, of all slabs */
        struct lists *threads;
    } locked;
} central = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Of a thread that has none: nothing can be taken from them, or given to them. */
static struct lists none;

/* Its end gives back what is in them. */
static _Thread_local struct lists *self __attribute__((tls_model("initial-exec"))) = &none;

static struct slab *slab_of(const void *block)
{
    return (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_SIZE - 1));
}

static size_t class_of(size_t size)
{
    return (size + STEP - 1) / STEP;
}

static void push(struct list *list, struct block *block)
{
    block->next = list->first;
    list->first = block;
    list->room--;
}

static struct block *pop(struct list *list)
{
    struct block *block = list->first;

    if (block) {
        list->first = block->next;
        list->room++;
    }
    return block;
}

/*
 * Whether there are slabs
 */

/* Of the runtimes of sanitizers, one each: there where the program is built with it, whether this library is or not. */
extern void __asan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));
extern void __lsan_do_leak_check(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool has_sanitizer(void)
{
    return __asan_init || __hwasan_init || __lsan_do_leak_check || __msan_init || __tsan_init;
}

/* Valgrind's tools that look after malloc() bring an object of their own; the others, such as callgrind, but its core. */
static bool is_in_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD"), *object = preloaded;

    while (object && (object = strstr(object, "vgpreload_"))) {
        object += strlen("vgpreload_");
        if (strncmp(object, "core", strlen("core")) != 0)
            return true;
    }
    return false;
}

static bool wants_slabs(void)
{
    const char *asked = secure_getenv("SOON_SLAB");

    if (asked && (strcmp(asked, "0") == 0 || strcmp(asked, "1") == 0))
        return *asked == '1';
    return !has_sanitizer() && !is_in_valgrind();
}

/* S6. */
static bool has_slabs(void)
{
    enum { UNDECIDED, SLABS, MALLOC };
    static _Atomic int decision;
    /* Relaxed, both: it is all that there is to know, and of two that decide at once the first counts. */
    int now = atomic_load_explicit(&decision, memory_order_relaxed), undecided = UNDECIDED;

    if (now != UNDECIDED)
        return now == SLABS;
    now = wants_slabs() ? SLABS : MALLOC;
    return atomic_compare_exchange_strong_explicit(&decision, &undecided, now, memory_order_relaxed,
                                                   memory_order_relaxed)
               ? now == SLABS
               : undecided == SLABS;
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
    central.locked.out += (size_t)(int32_t)more;
}

static void count_roomy_locked(const struct slab *slab, uint32_t more)
{
    _Atomic uint32_t *count = &central.locked.classes[class_of(slab->size)].roomy_count;
    uint32_t before = atomic_load_explicit(count, memory_order_relaxed);

    atomic_store_explicit(count, before + more, memory_order_relaxed);
    if ((before > ROOMY_MAX) != (before + more > ROOMY_MAX))
        atomic_fetch_add_explicit(&central.watchful, more, memory_order_relaxed);
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
    *slab = (struct slab){.size = (uint32_t) class * STEP, .fresh = HEAD, .generation = soon__generation()};
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

/* Used ones, those of the first slabs, as long as it has more room than `room`. */
static void take_used_locked(size_t class, struct list *list, size_t room)
{
    struct slab *slab;

    while (list->room > room && (slab = central.locked.classes[class].roomy) && slab->free) {
        size_t before = list->room;

        while (list->room > room && slab->free) {
            struct block *block = slab->free;

            slab->free = block->next;
            push(list, block);
        }
        count_out_locked(slab, (uint32_t)(before - list->room));
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

/* Up to BATCH, into an empty list that has room. False: no memory. */
static bool take(size_t class, struct list *list)
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
        push(list, (struct block *)(fresh + --fresh_count * size));
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

/* Up to `most`. */
static void give(struct list *list, size_t most)
{
    struct slab *surplus = NULL, *next;
    struct block *block;

    pthread_mutex_lock(&central.mutex);
    for (; most > 0 && (block = pop(list)); most--)
        give_locked(block, &surplus);
    pthread_mutex_unlock(&central.mutex);
    for (; surplus; surplus = next) {
        next = surplus->next;
        soon__pages_free(surplus, SLAB_SIZE);
    }
}

/*
 * Threads. What one has when it ends goes back; other destructors may free more, and then it is watched again.
 */

static void give_all(void)
{
    struct lists **at = &central.locked.threads;

    if (self == &none)
        return;
    for (size_t i = 0; i < CLASSES; i++)
        give(&self->classes[i], SIZE_MAX);
    pthread_mutex_lock(&central.mutex);
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    pthread_mutex_unlock(&central.mutex);
    free(self);
    self = &none;
}

/* False: this thread must not hold blocks that are free, nobody would give them back. */
static bool has_lists(void)
{
    struct lists *lists;

    if (self != &none)
        return true;
    lists = soon__thread_at_end(give_all) ? calloc(1, sizeof *lists) : NULL;
    if (!lists)
        return false;
    pthread_mutex_lock(&central.mutex);
    lists->next = central.locked.threads;
    central.locked.threads = self = lists;
    pthread_mutex_unlock(&central.mutex);
    return true;
}

/* Another thread's, which may be at it: about so many. */
static size_t in_list(const struct list *list)
{
    return __atomic_load_n(&list->first, __ATOMIC_RELAXED) ? 2 * BATCH - __atomic_load_n(&list->room, __ATOMIC_RELAXED)
                                                           : 0;
}

/* Exact when no thread takes or gives any meanwhile. */
size_t soon__blocks_alive(void)
{
    size_t count;

    pthread_mutex_lock(&central.mutex);
    count = central.locked.out + atomic_load_explicit(&central.large, memory_order_acquire);
    for (const struct lists *lists = central.locked.threads; lists; lists = lists->next) {
        for (size_t i = 0; i < CLASSES; i++)
            count -= in_list(&lists->classes[i]);
    }
    pthread_mutex_unlock(&central.mutex);
    return count;
}

/* S5. The thread that forked had what is the parent's, too. */
static void forget_in_child(void)
{
    central.locked = (__typeof__(central.locked)){0};
    pthread_mutex_init(&central.mutex, NULL);
    atomic_store_explicit(&central.watchful, 1, memory_order_relaxed);
    if (SOON__SLAB && has_slabs()) /* else the parent's are freed one by one */
        atomic_store_explicit(&central.large, 0, memory_order_relaxed);
    if (self == &none)
        return;
    *self = (struct lists){0};
    central.locked.threads = self;
}

__attribute__((constructor)) static void begin(void)
{
    (void)soon__at_fork(NULL, NULL, forget_in_child); /* one of the first: there is room */
}

static void *new_large(size_t size)
{
    void *block = malloc(size);

    if (block)
        atomic_fetch_add_explicit(&central.large, 1, memory_order_relaxed);
    return block;
}

/* There is none in the thread's list, or it has no lists. */
static __attribute__((noinline)) void *new_slowly(size_t size)
{
    struct list one = {NULL, 1}, *list = &one;
    size_t class = class_of(size);

    if (size > SIZE_LIMIT || !has_slabs())
        return new_large(size);
    if (has_lists()) {
        list = &self->classes[class];
        if (!list->first)
            list->room = 2 * BATCH;
    }
    return list->first || take(class, list) ? pop(list) : NULL;
}

void *soon__block_pop(size_t size)
{
    if (!SOON__SLAB)
        return new_large(size);
    return pop(size <= SIZE_LIMIT ? &self->classes[class_of(size)] : &none.classes[0]);
}

void *soon__block_new(size_t size)
{
    void *block = soon__block_pop(size);

    return block ? block : new_slowly(size);
}

/* Only children of a fork need look. */
static bool is_of_parent(const void *block)
{
    return soon__generation() && slab_of(block)->generation != soon__generation();
}

/* S4. Relaxed: hints. Its slab cannot go meanwhile, since the block holds it. */
static bool is_held_back(const void *block, size_t class)
{
    return atomic_load_explicit(&central.locked.classes[class].roomy_count, memory_order_relaxed) > ROOMY_MAX &&
           atomic_load_explicit(&slab_of(block)->out, memory_order_relaxed) < 2 * BATCH;
}

static __attribute__((noinline)) void free_slowly(void *block, size_t size)
{
    struct list one = {NULL, 1}, *list = &one;
    size_t class = class_of(size);

    if (size > SIZE_LIMIT || !has_slabs()) {
        free(block);
        atomic_fetch_sub_explicit(&central.large, 1, memory_order_release);
        return;
    }
    if (is_of_parent(block))
        return;
    if (has_lists())
        list = &self->classes[class];
    if (!list->room && list->first)
        give(list, BATCH);
    else if (!list->room)
        list->room = 2 * BATCH;
    push(list, block);
    if (list == &one || is_held_back(block, class))
        give(list, SIZE_MAX);
}

void soon__block_free(void *block, size_t size)
{
    struct list *list = size <= SIZE_LIMIT ? &self->classes[class_of(size)] : &none.classes[0];

    /* Relaxed: a hint. */
    if (!list->room || atomic_load_explicit(&central.watchful, memory_order_relaxed))
        free_slowly(block, size);
    else
        push(list, block);
}
