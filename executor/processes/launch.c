/*
 * launch.c - which program a pool's workers run, with what arguments and environment.
 *
 * A worker is this very program, from the file that it was started from, whatever its path leads to by now; or what the
 * options name. Its last argument is the marker by which soon_init() knows a worker. A program that does not call that
 * would start pools of itself without end: so the environment has a mark too, until soon_init() has taken over.
 */
#include "launch_internal.h"

#include "../system_internal.h"
#include "wire_internal.h"
#include "worker_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

/* Copies of `first` (may be NULL), those of `list`, and `last`, with a NULL at the end. */
static char **new_arguments(const char *first, const char *const *list, const char *last)
{
    size_t given = count(list), used = 0;
    char **arguments = calloc(given + 3, sizeof *arguments);
    bool complete = arguments != NULL;

    if (!arguments)
        return NULL;
    complete = (arguments[used++] = strdup(first)) != NULL;
    for (size_t i = 0; i < given && complete; i++)
        complete = (arguments[used++] = strdup(list[i])) != NULL;
    if (complete)
        complete = (arguments[used] = strdup(last)) != NULL;
    if (complete)
        return arguments;
    free_list(arguments);
    return NULL;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* Sets one; takes `variable`. */
static bool set_variable(char **environment, size_t *used, char *variable)
{
    size_t length;

    if (!variable)
        return false;
    length = name_length(variable);
    for (size_t i = 0; i < *used; i++) {
        if (name_length(environment[i]) == length && memcmp(environment[i], variable, length) == 0) {
            free(environment[i]);
            environment[i] = variable;
            return true;
        }
    }
    environment[(*used)++] = variable;
    return true;
}

static char *format_depth(int depth)
{
    char text[32];

    snprintf(text, sizeof text, "%s=%d", SOON__DEPTH_VARIABLE, depth);
    return strdup(text);
}

/* Whoever starts a program with more rights than he has chooses its environment. A worker may have those rights for good, and
 * would heed what we did not. */
static bool is_withheld(const char *variable)
{
    static const char *const names[] = {SOON__PROGRAM_VARIABLE "=", SOON__LOADER_VARIABLE "="};

    for (size_t i = 0; i < sizeof names / sizeof *names && soon__is_privileged(); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static char **new_environment(const char *const *added, int depth)
{
    const char *const *ours = (const char *const *)environ;
    char **environment = calloc(count(ours) + count(added) + 3, sizeof *environment);
    size_t used = 0;
    bool complete = environment != NULL;

    for (size_t i = 0; complete && ours && ours[i]; i++) {
        if (!is_withheld(ours[i]))
            complete = (environment[used++] = strdup(ours[i])) != NULL;
    }
    for (size_t i = 0; complete && added && added[i]; i++)
        complete = set_variable(environment, &used, strdup(added[i]));
    if (complete)
        complete = set_variable(environment, &used, format_depth(depth));
    if (complete)
        complete = set_variable(environment, &used, strdup(SOON__WORKER_VARIABLE "=1"));
    if (complete)
        return environment;
    free_list(environment);
    return NULL;
}

/* A relative path is relative to our directory, not to that of the worker. */
static char *copy_path(const char *path, const char *directory)
{
    return directory && *path != '/' && strchr(path, '/') ? realpath(path, NULL) : strdup(path);
}

static int choose_program(struct soon__launch *launch, const soon_process_pool_options *o)
{
    const char *named = secure_getenv(SOON__PROGRAM_VARIABLE), *loader = secure_getenv(SOON__LOADER_VARIABLE);
    const char *path = NULL;

    if (o->load)
        path = loader && *loader ? loader : SOON__LOADER_PATH;
    else if (o->worker_program)
        path = o->worker_program;
    else if (!soon__is_initialised())
        return SOON_ENOINIT;
    else if (named && *named)
        path = named;
    if (path) {
        launch->path = copy_path(path, o->directory);
        return launch->path ? 0 : -errno;
    }
    launch->executable = soon__own_program();
    return launch->executable < 0 ? launch->executable : 0;
}

static int check_depth(struct soon__launch *launch)
{
    const char *depth = getenv(SOON__DEPTH_VARIABLE);

    launch->depth = depth ? atoi(depth) : 0;
    if (launch->depth < 0 || launch->depth > SOON__DEPTH_MAX)
        launch->depth = SOON__DEPTH_MAX;
    launch->depth++;
    if (getenv(SOON__WORKER_VARIABLE))
        return SOON_ENOINIT;
    return launch->depth < 1 || launch->depth > SOON__DEPTH_MAX ? SOON_EDEPTH : 0;
}

int soon__launch_init(struct soon__launch *launch, const soon_process_pool_options *o)
{
    const char *const *added = o->load ? o->load : o->worker_args;
    int rc;

    *launch = (struct soon__launch){.executable = -1};
    rc = check_depth(launch);
    if (rc == 0)
        rc = choose_program(launch, o);
    if (rc < 0)
        goto fail;
    rc = -ENOMEM;
    launch->arguments =
        new_arguments(launch->path ? launch->path : program_invocation_name, added, SOON__WORKER_MARKER);
    launch->environment = new_environment(o->environment, launch->depth);
    launch->directory = o->directory ? strdup(o->directory) : NULL;
    if (launch->arguments && launch->environment && (launch->directory || !o->directory))
        return 0;

fail:
    soon__launch_fini(launch);
    return rc;
}

void soon__launch_fini(struct soon__launch *launch)
{
    if (launch->executable >= 0)
        close(launch->executable);
    free(launch->path);
    free_list(launch->arguments);
    free_list(launch->environment);
    free(launch->directory);
    *launch = (struct soon__launch){.executable = -1};
}
