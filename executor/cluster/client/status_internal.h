/*
 * status_internal.h - a soon_cluster_status, put together of the lines of a server. It knows no cluster.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_STATUS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_STATUS_INTERNAL_H

#include "../../cluster.h"

#include <stdbool.h>

/* What is gathered; zeroes: nothing yet. */
struct soon__status_lines {
    char *data;
    size_t size, capacity, functions, workers, names; /* bytes; lines of each kind; functions of all workers */
    bool failed;                                      /* no memory */
};

/* A line of the answer to `status`: "name TAB total TAB running TAB workers". One that is none is left out. */
void soon__status_add_function(struct soon__status_lines *lines, const char *line, size_t size);
/* A line of the answer to `workers`: "FD ADDRESS NAME : FUNCTION FUNCTION ..." */
void soon__status_add_worker(struct soon__status_lines *lines, const char *line, size_t size);
/* NULL: no memory. */
soon_cluster_status *soon__status_new(const struct soon__status_lines *lines, const char *server);
void soon__status_lines_fini(struct soon__status_lines *lines);

#endif
