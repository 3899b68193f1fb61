/*
 * catalog_internal.h - the functions of a worker with all that is to be known of their layouts, for who runs objects in
 * workers and does not load them himself.
 *
 * Each worker has a task for that, which returns the catalog; its name is none that SOON_TASK makes. The table of a
 * worker's HELLO has less, since a parent that calls a function has that itself.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_CATALOG_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_CATALOG_INTERNAL_H

#include "../../function.h"

#include <stdint.h>

#define SOON__CATALOG_TASK "soon.catalog"

/* All functions that can be found by their names and are not LOCAL, but the task for the catalog: malloc'ed bytes, the
 * caller's. 0 or -ENOMEM. */
int soon__catalog_write(void **ret, size_t *ret_size);
/*
 * Reads the entry at `*offset`, which moves on: 1; 0: there are no more; -EPROTO: it is nonsense. What `*ret` points to
 * lies in the catalog, but for the version, which lies at `version`, which is the caller's; and it has no body.
 */
int soon__catalog_next(soon_function *ret, uint64_t *version, const void *catalog, size_t size, size_t *offset);

#endif
