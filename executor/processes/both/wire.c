/*
 * wire.c - writes and reads the worker's table of functions.
 *
 *     [arg_size: 8][result_size: 8][name\0][arg_type\0][result_type\0] [the next one ...]
 *
 * Entries are packed: nothing is aligned.
 */
#include "wire_internal.h"

#include "../../core/function_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 2 * sizeof(uint64_t) };

static struct soon__table_entry entry_of(const soon_function *function)
{
    return (struct soon__table_entry){
        .arg_size = function->arg_size,
        .result_size = function->result_size,
        .name = function->name,
        .arg_type = function->arg_type ? function->arg_type : "",
        .result_type = function->result_type ? function->result_type : "",
    };
}

static uint64_t size_of(const struct soon__table_entry *entry)
{
    return SIZES + strlen(entry->name) + 1 + strlen(entry->arg_type) + 1 + strlen(entry->result_type) + 1;
}

static unsigned char *put(unsigned char *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

static void put_entry(unsigned char *to, const struct soon__table_entry *entry)
{
    to = put(to, &entry->arg_size, sizeof entry->arg_size);
    to = put(to, &entry->result_size, sizeof entry->result_size);
    to = put(to, entry->name, strlen(entry->name) + 1);
    to = put(to, entry->arg_type, strlen(entry->arg_type) + 1);
    put(to, entry->result_type, strlen(entry->result_type) + 1);
}

int soon__table_write(unsigned char *to, uint64_t size, uint64_t *ret_size, const soon_function ***ret_functions,
                      uint32_t *ret_count)
{
    const soon_function **functions;
    size_t count, written;
    uint64_t end = 0;
    int rc = soon__function_list(&functions, &count);

    if (rc < 0)
        return rc;
    for (written = 0; written < count && written < UINT32_MAX; written++) {
        struct soon__table_entry entry = entry_of(functions[written]);

        if (size_of(&entry) > size - end)
            break;
        put_entry(to + end, &entry);
        end += size_of(&entry);
    }
    *ret_size = end;
    *ret_functions = functions;
    *ret_count = (uint32_t)written;
    return 0;
}

/* Reads the text at `*offset`, which moves behind its NUL. NULL: it has none. */
static const char *take_text(const unsigned char *table, uint64_t size, uint64_t *offset)
{
    const unsigned char *text = table + *offset, *end = memchr(text, '\0', size - *offset);

    if (!end)
        return NULL;
    *offset += (uint64_t)(end - text) + 1;
    return (const char *)text;
}

int soon__table_next(const unsigned char *table, uint64_t size, uint64_t *offset, struct soon__table_entry *ret)
{
    struct soon__table_entry entry;
    uint64_t at = *offset;

    if (at == size)
        return 0;
    if (at > size || size - at < SIZES)
        return -EPROTO;
    memcpy(&entry.arg_size, table + at, sizeof entry.arg_size);
    memcpy(&entry.result_size, table + at + sizeof entry.arg_size, sizeof entry.result_size);
    at += SIZES;
    entry.name = take_text(table, size, &at);
    entry.arg_type = entry.name ? take_text(table, size, &at) : NULL;
    entry.result_type = entry.arg_type ? take_text(table, size, &at) : NULL;
    if (!entry.result_type || !*entry.name)
        return -EPROTO;
    *offset = at;
    *ret = entry;
    return 1;
}
