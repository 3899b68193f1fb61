/*
 * directory.c - finds a function of this process in the table of a worker.
 */
#include "directory_internal.h"

#include "../../core/function_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    const struct soon__directory_entry *left = a, *right = b;

    return strcmp(left->entry.name, right->entry.name);
}

static int read_entries(struct soon__directory *directory, uint64_t size)
{
    uint64_t offset = 0;

    for (uint32_t i = 0; i < directory->count; i++) {
        if (soon__table_next(directory->table, size, &offset, &directory->entries[i].entry) != 1)
            return -EPROTO;
        directory->entries[i].index = i;
    }
    return offset == size ? 0 : -EPROTO;
}

int soon__directory_init(struct soon__directory *directory, const unsigned char *table, uint64_t size, uint32_t count)
{
    int rc;

    if (count > size)
        return -EPROTO;
    directory->table = malloc(size + 1);
    directory->entries = calloc((size_t)count + 1, sizeof *directory->entries);
    directory->count = count;
    if (!directory->table || !directory->entries) {
        rc = -ENOMEM;
    } else {
        /* Copied once, and checked in the copy, which the worker cannot change. */
        memcpy(directory->table, table, size);
        rc = read_entries(directory, size);
    }
    if (rc < 0) {
        soon__directory_fini(directory);
        return rc;
    }
    qsort(directory->entries, count, sizeof *directory->entries, compare_names);
    return 0;
}

void soon__directory_fini(struct soon__directory *directory)
{
    free(directory->table);
    free(directory->entries);
    *directory = (struct soon__directory){0};
}

static bool same_type(const char *ours, const char *theirs)
{
    return strcmp(ours ? ours : "", theirs) == 0;
}

static bool matches(const struct soon__table_entry *entry, const soon_function *function)
{
    return strcmp(entry->name, function->name) == 0 && entry->arg_size == function->arg_size &&
           entry->result_size == function->result_size && same_type(function->arg_type, entry->arg_type) &&
           same_type(function->result_type, entry->result_type);
}

static int64_t find(struct soon__directory *directory, const soon_function *function, size_t place)
{
    struct soon__directory_entry key = {.entry.name = function->name}, *found;

    if (!directory->entries)
        return SOON_ENOFUNCTION;
    found = bsearch(&key, directory->entries, directory->count, sizeof key, compare_names);
    if (!found || !matches(&found->entry, function))
        return SOON_ENOFUNCTION;
    directory->cache[place].function = function;
    directory->cache[place].place = (uint32_t)(found - directory->entries);
    directory->cache[place].age = soon__function_age(function);
    return found->index;
}

int64_t soon__directory_find(struct soon__directory *directory, const soon_function *function)
{
    size_t place = ((uintptr_t)function >> 4) % SOON__DIRECTORY_CACHE;
    struct soon__directory_entry *found;

    if (directory->cache[place].function != function)
        return find(directory, function, place);
    found = &directory->entries[directory->cache[place].place];
    /* Another object may have been loaded at this address since then. It was not if no registered function has gone; of
     * one that is not registered the names tell. */
    if (directory->cache[place].age == soon__functions_age() ||
        (!directory->cache[place].age && matches(&found->entry, function)))
        return found->index;
    return find(directory, function, place);
}
