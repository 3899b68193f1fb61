/*
 * directory_internal.h - which functions a worker has, and their indices there: the parent's copy of its table. One per
 * incarnation, since a program may have been upgraded in between. Not thread-safe.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_DIRECTORY_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_DIRECTORY_INTERNAL_H

#include "../both/wire_internal.h"

enum { SOON__DIRECTORY_CACHE = 64 };

struct soon__directory {
    unsigned char *table; /* a private copy, which the entries point into */
    struct soon__directory_entry {
        struct soon__table_entry entry;
        uint32_t index;
    } * entries; /* by name */
    uint32_t count;
    /* Where functions were found, by their address. */
    struct {
        const soon_function *function;
        uint32_t place;
        uint32_t age; /* of all functions, when this one was registered; 0: it was not */
    } cache[SOON__DIRECTORY_CACHE];
};

/* Zeroed before. 0, -ENOMEM, or -EPROTO: the table is nonsense. */
int soon__directory_init(struct soon__directory *directory, const unsigned char *table, uint64_t size, uint32_t count);
void soon__directory_fini(struct soon__directory *directory);
/* Its index in the worker, or SOON_ENOFUNCTION: none of this name, or with other sizes or types. */
int64_t soon__directory_find(struct soon__directory *directory, const soon_function *function);

#endif
