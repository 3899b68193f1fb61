/*
 * function.c - the registered functions, by name.
 *
 * They lie in a hash table with chains. All functions of one name are in one chain, and a lookup decides which of them
 * is meant. So a name is good again once all its functions but one are unregistered. Constructors register functions
 * before main(), so everything here is ready without an initialization.
 */
#include "function_internal.h"

#include "../../futures/system_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    const soon_function *function;
    size_t hash;
};

static struct {
    pthread_mutex_t mutex;
    struct {
        struct entry **chains;
        size_t size; /* a power of two, or 0 */
        size_t count;
    } locked;
    _Atomic uint32_t age; /* changed under the mutex */
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER, .age = 1};

static void lock(void)
{
    pthread_mutex_lock(&registry.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&registry.mutex);
}

/* A forked child must not find the table locked, or half changed, by a thread that it does not have. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&registry.mutex); /* it is one of the first, so there is room */
}

/* FNV-1a. */
static size_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

static struct entry **chain_locked(size_t hash)
{
    return &registry.locked.chains[hash & (registry.locked.size - 1)];
}

static int resize_locked(size_t size)
{
    struct entry **old = registry.locked.chains, *entry, *next;
    size_t old_size = registry.locked.size;
    struct entry **chains = calloc(size, sizeof *chains);

    if (!chains)
        return -ENOMEM;
    registry.locked.chains = chains;
    registry.locked.size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (entry = old[i]; entry; entry = next) {
            next = entry->next;
            entry->next = *chain_locked(entry->hash);
            *chain_locked(entry->hash) = entry;
        }
    }
    free(old);
    return 0;
}

/* Returns the link to its entry. NULL: it is not registered. */
static struct entry **find_locked(const soon_function *function, size_t hash)
{
    if (!registry.locked.size)
        return NULL;
    for (struct entry **link = chain_locked(hash); *link; link = &(*link)->next) {
        if ((*link)->function == function)
            return link;
    }
    return NULL;
}

static int add_locked(const soon_function *function, size_t hash)
{
    size_t size = registry.locked.size;
    struct entry *entry;

    if (find_locked(function, hash))
        return -EINVAL;
    if (registry.locked.count >= size && resize_locked(size ? size * 2 : 16) < 0)
        return -ENOMEM;
    entry = malloc(sizeof *entry);
    if (!entry)
        return -ENOMEM;
    *entry = (struct entry){*chain_locked(hash), function, hash};
    *chain_locked(hash) = entry;
    registry.locked.count++;
    return 0;
}

bool soon__function_is_valid(const soon_function *function)
{
    return function && function->name && function->body && !(function->flags & ~(unsigned)SOON_FUNCTION_LOCAL);
}

int soon__check_function(const soon_function *function)
{
    if (!function)
        return soon__is_null("the function");
    if (function->name && soon__function_is_foreign(function))
        return soon__refuse(SOON_ENOFUNCTION, "%s is a function of foreign workers: only a cluster takes it",
                            function->name);
    if (!function->name || !function->body)
        return soon__is_null(function->name ? "the function's body" : "the function's name");
    if (!soon__function_is_valid(function))
        return soon__refuse(-EINVAL, "%s: flags = %u are not known", function->name, function->flags);
    return 0;
}

int soon__check_foreign_function(const soon_function *function)
{
    if (!function || !function->name || !soon__function_is_foreign(function))
        return soon__check_function(function);
    if (function->flags != SOON_FUNCTION_FOREIGN || function->body)
        return soon__refuse(-EINVAL, "%s is a function of foreign workers, so it has no body, and is not LOCAL",
                            function->name);
    return *function->name ? 0 : soon__refuse(-EINVAL, "the function's name is empty");
}

int soon_function_register(const soon_function *function)
{
    int rc = soon__check_function(function);

    if (rc == 0 && !*function->name)
        rc = soon__refuse(-EINVAL, "the function's name is empty");
    if (rc == 0) {
        lock();
        rc = add_locked(function, hash_of(function->name));
        unlock();
        if (rc == -EINVAL)
            rc = soon__refuse(rc, "%s is registered already", function->name);
    }
    return soon__failed(rc, "soon_function_register");
}

static void remove_locked(struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next;
    free(entry);
    /* Relaxed: a thread that gives the address to another function knows that this function is gone. */
    if (atomic_fetch_add_explicit(&registry.age, 1, memory_order_relaxed) == UINT32_MAX)
        atomic_store_explicit(&registry.age, 1, memory_order_relaxed);
    if (--registry.locked.count > 0)
        return;
    free(registry.locked.chains);
    registry.locked.chains = NULL;
    registry.locked.size = 0;
}

void soon_function_unregister(const soon_function *function)
{
    struct entry **link;

    if (!function || !function->name)
        return;
    lock();
    link = find_locked(function, hash_of(function->name));
    if (link)
        remove_locked(link);
    unlock();
}

/* Returns the only function of this name. NULL: there is none, or there are several. */
static const soon_function *find_by_name_locked(const char *name, size_t hash)
{
    const soon_function *found = NULL;

    for (struct entry *entry = registry.locked.size ? *chain_locked(hash) : NULL; entry; entry = entry->next) {
        if (entry->hash != hash || strcmp(entry->function->name, name) != 0)
            continue;
        if (found)
            return NULL;
        found = entry->function;
    }
    return found;
}

const soon_function *soon__function_find(const char *name)
{
    const soon_function *found;

    lock();
    found = find_by_name_locked(name, hash_of(name));
    unlock();
    return found;
}

uint32_t soon__functions_age(void)
{
    /* Relaxed: as in remove_locked(). */
    return atomic_load_explicit(&registry.age, memory_order_relaxed);
}

uint32_t soon__function_age(const soon_function *function)
{
    bool is_there;
    uint32_t age;

    lock();
    is_there = find_locked(function, hash_of(function->name)) != NULL;
    age = soon__functions_age();
    unlock();
    return is_there ? age : 0;
}

static bool can_travel_locked(const struct entry *entry)
{
    return !(entry->function->flags & SOON_FUNCTION_LOCAL) &&
           find_by_name_locked(entry->function->name, entry->hash) == entry->function;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const soon_function *const *)a)->name, (*(const soon_function *const *)b)->name);
}

int soon__function_list(const soon_function ***ret, size_t *ret_count)
{
    const soon_function **list;
    size_t count = 0;

    lock();
    list = malloc((registry.locked.count + 1) * sizeof *list); /* one more, so that the size is not 0 */
    for (size_t i = 0; list && i < registry.locked.size; i++) {
        for (struct entry *entry = registry.locked.chains[i]; entry; entry = entry->next) {
            if (can_travel_locked(entry))
                list[count++] = entry->function;
        }
    }
    unlock();
    if (!list)
        return -ENOMEM;
    qsort(list, count, sizeof *list, by_name);
    *ret = list;
    *ret_count = count;
    return 0;
}
