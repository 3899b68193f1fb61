/*
 * demo.h - what the demos share: the command line, the pool, pauses.
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

/* `--name 5`, `--name=5` or `-j5` sets `*value`, which is at least `least`. A table of flags ends with a NULL. */
struct demo_option {
    const char *name;
    int *value, least;
};

/* Most demos have `--threads`; `--processes` is the default. A demo that makes no sense on threads says why not. With
 * `--cluster SERVERS` tasks run on other machines; which demos have that says SOON_DEMO_CLUSTER. */
static soon_pool_kind demo_kind = SOON_PROCESSES;
static const char *demo_why_no_threads;
static const char *demo_servers; /* NULL: no cluster */
#ifdef SOON_DEMO_CLUSTER
enum { DEMO_HAS_CLUSTER = 1 };
#else
enum { DEMO_HAS_CLUSTER = 0 };
#endif

static inline bool demo_is_executor(char ***argument)
{
    const char *word = **argument;

    if (strcmp(word, "--threads") == 0)
        demo_kind = SOON_THREADS;
    else if (strcmp(word, "--processes") == 0)
        demo_kind = SOON_PROCESSES;
    else if (DEMO_HAS_CLUSTER && strcmp(word, "--cluster") == 0 && (*argument)[1])
        demo_servers = *++*argument;
    else
        return false;
    return true;
}

static inline void demo_usage(const char *program, const struct demo_option *options, FILE *to)
{
    fprintf(to, "usage: %s%s", program,
            demo_why_no_threads ? ""
            : DEMO_HAS_CLUSTER  ? " [--threads | --processes | --cluster SERVERS]"
                                : " [--threads | --processes]");
    for (; options->name; options++)
        fprintf(to, " [%s N]", options->name);
    fputc('\n', to);
    exit(to == stdout ? 0 : 2);
}

/* Returns the number if all of `text` is one from 0 to INT_MAX; otherwise, also for NULL, -1. */
static inline int demo_number(const char *text)
{
    if (!text)
        return -1;
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    return errno || end == text || *end || number < 0 || number > INT_MAX ? -1 : (int)number;
}

static inline void demo_read_option(const char *program, const struct demo_option *options, char ***argument)
{
    const struct demo_option *o = options;
    const char *word = **argument;

    while (o->name && strncmp(word, o->name, strlen(o->name)) != 0)
        o++;
    if (!o->name) {
        fprintf(stderr, "%s: there is no option '%s'\n", program, word);
        demo_usage(program, options, stderr);
    }
    const char *text = word + strlen(o->name);
    if (!*text)
        text = *++*argument;
    else if (*text == '=')
        text++;
    if ((*o->value = demo_number(text)) < o->least) {
        fprintf(stderr, "%s: %s needs a number from %d to %d, not '%s'\n", program, o->name, o->least, INT_MAX,
                text ? text : "");
        demo_usage(program, options, stderr);
    }
}

/*
 * Call it at the top of main. A worker process goes on in soon_init(), and does not come back. In the program itself it
 * reads the command line; --help and errors end the program. Lines are shown as they come, those of workers too.
 */
static inline void demo_start(int argc, char **argv, const char *program, const struct demo_option *options)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (soon_init(argc, argv) < 0)
        exit(1);
    for (char **argument = argv + 1; *argument; argument++) {
        if (strcmp(*argument, "--help") == 0)
            demo_usage(program, options, stdout);
        if (!demo_is_executor(&argument))
            demo_read_option(program, options, &argument);
    }
    if (demo_kind == SOON_THREADS && demo_why_no_threads) {
        fprintf(stderr, "%s: %s\n", program, demo_why_no_threads);
        exit(2);
    }
}

/* Makes a pool of so many workers; 0: one per CPU. A cluster has as many as its daemons have. */
static inline soon_executor *demo_pool(int workers)
{
    soon_executor *pool;
    int rc = demo_servers ? soon_cluster_new(&pool, &(soon_cluster_options){.servers = demo_servers, .slots = workers})
                          : soon_pool_new(&pool, demo_kind, &(soon_pool_options){.workers = workers});
    if (rc < 0) {
        fprintf(stderr, "%s\n", soon_last_error()->message);
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
