/*
 * metrics.h - the text for Prometheus. On the loop.
 */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include <stddef.h>

struct service;

/* To be freed. NULL: no memory. */
char *metrics_text(struct service *service, size_t *ret_size);

#endif
