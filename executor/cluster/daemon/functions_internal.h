/*
 * functions_internal.h - the functions that the daemon offers.
 *
 * The daemon does not load the objects. Their constructors would run in it, their threads and their leaks would be its
 * own, and one that crashes while it is loaded would take all connections with it. Instead it asks a worker, which has
 * loaded them, for its catalog, and calls the functions by what that says. So it is also linked statically, and does
 * not care with which copy of the library an object was linked.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_FUNCTIONS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_FUNCTIONS_INTERNAL_H

#include "../../pool.h"

struct soon__offer {
    soon_function function; /* its body is none that ever runs */
    uint64_t version, digest;
    uint64_t measured, run_ns; /* how long a task of it takes, roughly, as the last of so many did: grab.c */
};

struct soon__offers {
    size_t count;
    struct soon__offer *each; /* in the order of their names */
    soon_future *catalog;     /* where the names lie */
};

/* Starts a worker, asks it, and waits for the answer. 0; else what went wrong, as soon_last_error() says. */
int soon__offers_init(struct soon__offers *offers, soon_executor *pool);
/* What stands for the function of this name in the options of a pool. It must outlive the pool. */
soon_function soon__offers_initializer(const char *name);
void soon__offers_fini(struct soon__offers *offers);
/* NULL: there is none of this name. */
struct soon__offer *soon__offers_find(const struct soon__offers *offers, soon_bytes name);
/* It was made by SOON_TASK_STRING. */
bool soon__function_takes_string(const soon_function *function);

#endif
