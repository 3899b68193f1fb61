/*
 * demo.h - what the demos share: numbers from the command line, the pool, pauses.
 */
#ifndef DEMO_H
#define DEMO_H

#include <errno.h>
#include <limits.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `--name 5`, `--name=5` or `-j5` sets `*value`. A table of them ends with a NULL. */
struct demo_option {
    const char *name;
    int *value;
};

static inline void demo_usage(const char *program, const struct demo_option *options, FILE *to)
{
    fprintf(to, "usage: %s", program);
    for (; options->name; options++)
        fprintf(to, " [%s N]", options->name);
    fputc('\n', to);
    exit(to == stdout ? 0 : 2);
}

/* The number from 0 to INT_MAX that `text` is as a whole; else -1. */
static inline int demo_number(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    return errno || end == text || *end || number < 0 || number > INT_MAX ? -1 : (int)number;
}

/* At the top of main. Reads the command line; --help and what is wrong end the program. Lines are shown as they come.
 */
static inline void demo_start(int argc, char **argv, const char *program, const struct demo_option *options)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (soon_init(argc, argv) < 0)
        exit(1);
    for (int i = 1; i < argc; i++) {
        const struct demo_option *o = options;
        while (o->name && strncmp(argv[i], o->name, strlen(o->name)) != 0)
            o++;
        if (!o->name)
            demo_usage(program, options, strcmp(argv[i], "--help") == 0 ? stdout : stderr);

        const char *text = argv[i] + strlen(o->name);
        if (!*text && i + 1 < argc)
            text = argv[++i];
        else if (*text == '=')
            text++;
        if ((*o->value = demo_number(text)) < 0)
            demo_usage(program, options, stderr);
    }
}

/* A pool of so many workers, 0: one per CPU. */
static inline soon_executor *demo_pool(int workers)
{
    soon_executor *pool;
    int rc = soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = workers});
    if (rc < 0) {
        fprintf(stderr, "no pool: %s\n", soon_strerror(rc));
        exit(1);
    }
    return pool;
}

static inline void demo_pause(int pause_ms)
{
    struct timespec left = {pause_ms / 1000, pause_ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0)
        ;
}

#endif
