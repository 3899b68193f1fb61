/*
 * options.h - what the command line says; API.md has the table.
 */
#ifndef SERVICE_OPTIONS_H
#define SERVICE_OPTIONS_H

#include <stdint.h>

struct options {
    const char *address;
    const char *root; /* NULL: no job reads files */
    const char *page; /* a folder; NULL: the files in the program */
    int64_t port, workers;
    int64_t body_max, queued_max, uploads_max, kept_max, kept_bytes_max, connections_max;
    int64_t time_limit_ms, queue_limit_ms, request_ms, drain_ms;
};

/* Reads the command line. With --help, and after an error, it ends the program. */
void options_read(struct options *ret, int argc, char **argv);

#endif
