/*
 * directory_internal.h - which functions a worker has, and their indices there: the parent's copy of its table. Each
 * process has one, since the program may have been upgraded between two starts. Not thread-safe.
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
    /* Where functions were found, by the address of the function. */
    struct {
        const soon_function *function;
        uint32_t place;
        uint32_t age; /* soon__functions_age() then; 0: the function was not registered */
    } cache[SOON__DIRECTORY_CACHE];
};

/* Of zeroes. 0, -ENOMEM, or -EPROTO: no worker has such a table. */
int soon__directory_init(struct soon__directory *directory, const unsigned char *table, uint64_t size, uint32_t count);
void soon__directory_fini(struct soon__directory *directory);
/* The index of the function in the worker; or SOON_ENOFUNCTION: the worker has none of this name, or one with other
 * sizes or types. */
int64_t soon__directory_find(struct soon__directory *directory, const soon_function *function);

#endif
