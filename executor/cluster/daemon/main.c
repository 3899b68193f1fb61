/*
 * main.c - soon-workerd: see `soon-workerd --help`, or help.c.
 */
#include "daemon_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* False: it could not be written. */
static bool write_pid(const char *path)
{
    FILE *file = path ? fopen(path, "we") : NULL;
    bool is_written = file && fprintf(file, "%d\n", (int)getpid()) > 0;

    if (file)
        is_written &= fclose(file) == 0;
    if (path && !is_written)
        soon__log(SOON__LOG_ERROR, "%s: %s", path, strerror(errno));
    return !path || is_written;
}

int main(int argc, char **argv)
{
    struct soon__daemon_options options;
    enum soon__wish wish;
    int status = soon__options_parse(&options, &wish, argc, argv);

    if (status == 0 && wish == SOON__WISH_WORK) {
        soon__log_init(options.log_level);
        signal(SIGPIPE, SIG_IGN); /* what a connection's end means, its write says */
        status = write_pid(options.pid_file) ? soon__daemon_run(&options) : SOON__EXIT_SYSTEM;
        if (options.pid_file)
            (void)unlink(options.pid_file);
    }
    soon__options_fini(&options);
    return status;
}
