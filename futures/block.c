/*
 * block.c - blocks: what each thread has at hand.
 *
 *     thread   a list per class, of up to two batches
 *        |     | ^
 *        |     v |  a batch at a time
 *     slabs    see slab.c
 *
 * B1  A thread without lists has those of `none`: nothing can be popped from them or pushed to them, so the short way
 *     needs no test.
 * B2  Blocks in the lists of threads keep their slabs, up to as many slabs as blocks. So while many slabs have room,
 *     the last blocks of one slab are given back at once, and with them all that is in the list.
 * B3  In a forked child all of it begins anew. A block of the parent's slabs is never put on a list there: it is lost.
 * B4  Where a tool watches memory, or the program's user asks for it, there are no slabs: each block comes from
 *     malloc(), so that the tool sees each. That is decided once, before the first block. Then no list is ever filled,
 *     so that all blocks come and go on the slow ways, which look.
 */
#include "block_internal.h"

#include "slab_internal.h"
#include "system_internal.h"
#include "thread_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct lists {
    struct soon__block_list classes[SOON__SLAB_CLASSES];
    struct lists *next; /* of another thread */
};

/* The lists of all threads that have any. */
static struct {
    pthread_mutex_t mutex;
    struct {
        struct lists *first;
    } locked;
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* How many blocks were malloc'ed: those that are too large for slabs; without slabs all. */
static _Atomic size_t large;

static struct lists none; /* B1 */
static _Thread_local struct lists *self __attribute__((tls_model("initial-exec"))) = &none;

/*
 * Whether there are slabs
 */

/* One function of each sanitizer's runtime: it is there if the program is built with that sanitizer, even if this
 * library is not. */
extern void __asan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));
extern void __lsan_do_leak_check(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool has_sanitizer(void)
{
    return __asan_init || __hwasan_init || __lsan_do_leak_check || __msan_init || __tsan_init;
}

/* Valgrind preloads an object for each of its tools that watches malloc(); for the others, such as callgrind, only its
 * core. */
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

/* B4 */
static bool has_slabs(void)
{
    enum { UNDECIDED, SLABS, MALLOC };
    static _Atomic int decision;
    /* Relaxed, both: nothing else depends on it, and of two threads that decide at once the first one counts. */
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
 * Threads
 */

/* At the end of a thread. Other destructors may free more blocks after this; then the thread has lists again, and this
 * runs again. */
static void give_all(void)
{
    struct lists **at = &registry.locked.first;

    if (self == &none)
        return;
    for (size_t i = 0; i < SOON__SLAB_CLASSES; i++)
        soon__slab_give(&self->classes[i], SIZE_MAX);
    pthread_mutex_lock(&registry.mutex);
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    pthread_mutex_unlock(&registry.mutex);
    free(self);
    self = &none;
}

/* Returns false if this thread must not keep free blocks, since nobody would give them back. */
static __attribute__((noinline)) bool make_lists(void)
{
    struct lists *lists = soon__thread_at_end(give_all) ? calloc(1, sizeof *lists) : NULL;

    if (!lists)
        return false;
    pthread_mutex_lock(&registry.mutex);
    lists->next = registry.locked.first;
    registry.locked.first = self = lists;
    pthread_mutex_unlock(&registry.mutex);
    return true;
}

static inline bool has_lists(void)
{
    return self != &none || make_lists();
}

/* Returns about how many blocks are in a list of another thread, which may be using it. */
static size_t in_list(const struct soon__block_list *list)
{
    return __atomic_load_n(&list->first, __ATOMIC_RELAXED)
               ? 2 * SOON__SLAB_BATCH - __atomic_load_n(&list->room, __ATOMIC_RELAXED)
               : 0;
}

/* Exact when no thread takes or gives any meanwhile. Slabs and lists have a mutex each, so blocks that move into a list
 * between the two may be missing: it is never less than 0. */
size_t soon__blocks_alive(void)
{
    size_t count = soon__slabs_out() + atomic_load_explicit(&large, memory_order_acquire);

    pthread_mutex_lock(&registry.mutex);
    for (const struct lists *lists = registry.locked.first; lists; lists = lists->next) {
        for (size_t i = 0; i < SOON__SLAB_CLASSES; i++)
            count -= in_list(&lists->classes[i]);
    }
    pthread_mutex_unlock(&registry.mutex);
    return (ptrdiff_t)count < 0 ? 0 : count;
}

/* B3. The thread that forked had blocks of the parent's in its lists, too. */
static void forget_in_child(void)
{
    soon__slabs_forget();
    pthread_mutex_init(&registry.mutex, NULL);
    registry.locked.first = NULL;
    if (SOON__SLAB && has_slabs()) /* else the parent's are freed one by one */
        atomic_store_explicit(&large, 0, memory_order_relaxed);
    if (self == &none)
        return;
    *self = (struct lists){0};
    registry.locked.first = self;
}

__attribute__((constructor)) static void begin(void)
{
    (void)soon__at_fork(NULL, NULL, forget_in_child); /* one of the first: there is room */
}

static void *new_large(size_t size)
{
    void *block = malloc(size);

    if (block)
        atomic_fetch_add_explicit(&large, 1, memory_order_relaxed);
    return block;
}

/* The thread's list is empty, or the thread has no lists. */
static __attribute__((noinline)) void *new_slowly(size_t size)
{
    struct soon__block_list one = {NULL, 1}, *list = &one;
    size_t class = soon__slab_class(size);

    if (size > SOON__SLAB_LIMIT || !has_slabs())
        return new_large(size);
    if (has_lists()) {
        list = &self->classes[class];
        if (!list->first)
            list->room = 2 * SOON__SLAB_BATCH;
    }
    return list->first || soon__slab_take(class, list) ? soon__block_list_pop(list) : NULL;
}

void *soon__block_pop(size_t size)
{
    if (!SOON__SLAB)
        return new_large(size);
    return soon__block_list_pop(size <= SOON__SLAB_LIMIT ? &self->classes[soon__slab_class(size)] : &none.classes[0]);
}

void *soon__block_new(size_t size)
{
    void *block = soon__block_pop(size);

    return block ? block : new_slowly(size);
}

static __attribute__((noinline)) void free_slowly(void *block, size_t size)
{
    struct soon__block_list one = {NULL, 1}, *list = &one;
    size_t class = soon__slab_class(size);

    if (size > SOON__SLAB_LIMIT || !has_slabs()) {
        free(block);
        atomic_fetch_sub_explicit(&large, 1, memory_order_release);
        return;
    }
    if (soon__generation() && soon__slab_is_of_parent(block)) /* B3 */
        return;
    if (has_lists())
        list = &self->classes[class];
    if (!list->room && list->first)
        soon__slab_give(list, SOON__SLAB_BATCH);
    else if (!list->room)
        list->room = 2 * SOON__SLAB_BATCH;
    soon__block_list_push(list, block);
    if (list == &one || soon__slab_wants_back(block, class))
        soon__slab_give(list, SIZE_MAX);
}

void soon__block_free(void *block, size_t size)
{
    struct soon__block_list *list =
        size <= SOON__SLAB_LIMIT ? &self->classes[soon__slab_class(size)] : &none.classes[0];

    /* Relaxed: a hint. */
    if (!list->room || atomic_load_explicit(&soon__slabs_watchful, memory_order_relaxed))
        free_slowly(block, size);
    else
        soon__block_list_push(list, block);
}
