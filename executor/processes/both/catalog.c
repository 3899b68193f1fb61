/*
 * catalog.c - writes and reads a catalog.
 *
 *     [arg_size: 8][result_size: 8][version: 8][name\0][arg_type\0][result_type\0][result_kind\0] [the next one ...]
 *
 * Entries are packed: nothing is aligned. Both sides are processes of one machine.
 */
#include "catalog_internal.h"

#include "../../core/function_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 3, NUMBERS_SIZE = NUMBERS * sizeof(uint64_t), TEXTS = 4 };

struct entry {
    uint64_t numbers[NUMBERS];
    const char *texts[TEXTS];
};

static const char *known(const char *text)
{
    return text ? text : "";
}

static struct entry entry_of(const soon_function *function)
{
    return (struct entry){
        .numbers = {function->arg_size, function->result_size, function->version ? *function->version : 0},
        .texts = {function->name, known(function->arg_type), known(function->result_type),
                  known(function->result_kind)},
    };
}

static size_t size_of(const struct entry *entry)
{
    size_t size = NUMBERS_SIZE;

    for (int i = 0; i < TEXTS; i++)
        size += strlen(entry->texts[i]) + 1;
    return size;
}

static char *put_entry(char *to, const struct entry *entry)
{
    memcpy(to, entry->numbers, NUMBERS_SIZE);
    to += NUMBERS_SIZE;
    for (int i = 0; i < TEXTS; i++)
        to = stpcpy(to, entry->texts[i]) + 1;
    return to;
}

static bool is_listed(const soon_function *function)
{
    return strcmp(function->name, SOON__CATALOG_TASK) != 0;
}

int soon__catalog_write(void **ret, size_t *ret_size)
{
    const soon_function **functions;
    size_t count, size = 0;
    char *catalog = NULL, *to;
    int rc = soon__function_list(&functions, &count);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct entry entry = entry_of(functions[i]);

        size += is_listed(functions[i]) ? size_of(&entry) : 0;
    }
    if (rc == 0 && !(catalog = malloc(size + 1)))
        rc = -ENOMEM;
    to = catalog;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct entry entry = entry_of(functions[i]);

        to = is_listed(functions[i]) ? put_entry(to, &entry) : to;
    }
    free(functions);
    if (rc < 0)
        return rc;
    *ret = catalog;
    *ret_size = size;
    return 0;
}

/* Reads the texts, which end at `*offset` then. False: one has no NUL. */
static bool take_texts(struct entry *entry, const char *catalog, size_t size, size_t *offset)
{
    for (int i = 0; i < TEXTS; i++) {
        const char *text = catalog + *offset, *end = memchr(text, '\0', size - *offset);

        if (!end)
            return false;
        entry->texts[i] = text;
        *offset += (size_t)(end - text) + 1;
    }
    return true;
}

int soon__catalog_next(soon_function *ret, uint64_t *version, const void *catalog, size_t size, size_t *offset)
{
    struct entry entry;
    size_t at = *offset;

    if (at == size)
        return 0;
    if (at > size || size - at < NUMBERS_SIZE)
        return -EPROTO;
    memcpy(entry.numbers, (const char *)catalog + at, NUMBERS_SIZE);
    at += NUMBERS_SIZE;
    if (!take_texts(&entry, catalog, size, &at) || !*entry.texts[0])
        return -EPROTO;
    *offset = at;
    *version = entry.numbers[2];
    *ret = (soon_function){
        .name = entry.texts[0],
        .arg_size = entry.numbers[0],
        .result_size = entry.numbers[1],
        .arg_type = entry.texts[1],
        .result_type = entry.texts[2],
        .result_kind = *entry.texts[3] ? entry.texts[3] : NULL,
        .version = version,
    };
    return 1;
}
