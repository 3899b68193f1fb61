/*
 * options_internal.h - the command line of soon-workerd.
 *
 * One table has all options with their texts. The parser, `--help` and the man page are made of it, so none of them can
 * say something else than another.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_OPTIONS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_OPTIONS_INTERNAL_H

#include "log_internal.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The status to exit with: numbers of <sysexits.h>, which systemd knows by name. */
enum {
    SOON__EXIT_DRAINED = 0,
    SOON__EXIT_USAGE = 64,
    SOON__EXIT_LOADING = 66,
    SOON__EXIT_BROKEN = 70,
    SOON__EXIT_SYSTEM = 71,
    SOON__EXIT_STOPPED = 75,
};

struct soon__daemon_options {
    const char *servers, *name, *pid_file;
    const char *metrics, *metrics_socket; /* of a file, and of a socket; one of them at most is not NULL */
    const char *program, *initializer;    /* NULL: none */
    const char **load;                    /* up to a NULL; nothing else is allocated */
    size_t load_count;
    int slots;
    int max_tasks;
    int64_t grace_ms, time_limit_ms;
    uint64_t memory_limit;
    enum soon__log_level log_level;
};

/* What is to be done instead of working. */
enum soon__wish { SOON__WISH_WORK, SOON__WISH_EXIT };

/* Reads the command line. 0; or the status to exit with, when stderr has been told why. With SOON__WISH_EXIT what was
 * asked for, as `--help`, has been written, and 0 is the status. */
int soon__options_parse(struct soon__daemon_options *ret, enum soon__wish *ret_wish, int argc, char **argv);
void soon__options_fini(struct soon__daemon_options *options);

/* One row of the table. */
struct soon__option {
    const char *name;     /* without its hyphens */
    char letter;          /* 0: it has none */
    const char *argument; /* as it is shown: "LIST"; NULL: it has none */
    const char *text;     /* sentences, without line breaks */
};
extern const struct soon__option soon__options[];
extern const size_t soon__option_count;

void soon__help_write(FILE *to);
void soon__man_write(FILE *to); /* a man page in roff */

#endif
