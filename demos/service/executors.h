/*
 * executors.h - the library's numbers, for Prometheus. On the loop.
 */
#ifndef SERVICE_EXECUTORS_H
#define SERVICE_EXECUTORS_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the numbers of all executors of this process. Returns: false: no memory, and nothing was written. */
bool executors_write(FILE *to);

/* The head of a family of values with one name. */
void metrics_family(FILE *to, const char *name, const char *type, const char *help);

#endif
