/*
 * launch.c - which program a pool's workers run, with what arguments and environment.
 *
 * A worker runs this very program, from the file that it was started from, whatever its path leads to by now; or the
 * program that the options name. All that they name means what it meant when the pool was made: the program, the
 * directory and /dev/null are held by descriptors, and objects to load have absolute paths. A later chdir() or
 * chroot() changes none of it.
 *
 * The last argument of a worker is the marker by which soon_init() knows it. A program that does not call soon_init()
 * would start pools of itself without end. So a variable marks the environment of a worker too, until soon_init() has
 * taken over.
 */
#include "launch_internal.h"

#include "../../../futures/refuse_internal.h"
#include "../../core/role_internal.h"
#include "../../system/system_internal.h"
#include "../both/wire_internal.h"

#include <errno.h>
#include <fcntl.h>
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

/* Copies `name`, the strings of `list`, and the marker, with a NULL at the end. `are_paths`: those of the list are made
 * absolute paths. */
static char **new_arguments(const char *name, const char *const *list, bool are_paths)
{
    size_t given = count(list), used = 0;
    char **arguments = calloc(given + 3, sizeof *arguments);
    bool complete = arguments != NULL;

    if (!arguments)
        return NULL;
    complete = (arguments[used++] = strdup(name)) != NULL;
    for (size_t i = 0; i < given && complete; i++)
        complete = (arguments[used++] = are_paths ? soon__path_from_here(list[i]) : strdup(list[i])) != NULL;
    if (complete)
        complete = (arguments[used] = strdup(SOON__WORKER_MARKER)) != NULL;
    if (complete)
        return arguments;
    free_list(arguments);
    return NULL;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* Sets a variable, "name=value". Takes `variable`. */
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

/* A program that runs with more rights than its user has (soon__is_privileged()) gets its environment from that user,
 * and does not heed these variables. A worker of it may be started with these rights as its own. Then it could not tell
 * that they are more than the user's, and would heed the variables. So they are not passed on. */
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

static int find(struct soon__launch *launch, const char *option, const char *path)
{
    int rc = soon__program_find(&launch->program, path);

    return rc < 0 ? soon__refuse(rc, ".%s: %s: %s", option, path, soon_strerror(rc)) : 0;
}

static int choose_program(struct soon__launch *launch, const soon_process_pool_options *o)
{
    const char *named = secure_getenv(SOON__PROGRAM_VARIABLE), *loader = secure_getenv(SOON__LOADER_VARIABLE);

    if (o->load)
        return find(launch, "load", loader && *loader ? loader : SOON__LOADER_PATH);
    if (o->worker_program)
        return find(launch, "worker_program", o->worker_program);
    if (soon__role() == SOON__ROLE_UNKNOWN)
        return soon__refuse(SOON_ENOINIT,
                            "main() must begin with soon_init(argc, argv), or .worker_program or .load be set");
    return named && *named ? find(launch, SOON__PROGRAM_VARIABLE, named) : soon__program_own(&launch->program);
}

/* Opens the directory that is named, or else ours. If ours cannot be opened, a worker starts in the one where this
 * process is by then. */
static int choose_directory(struct soon__launch *launch, const char *named)
{
    launch->directory = open(named ? named : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    launch->is_ours = !named;
    if (launch->directory < 0 && named)
        return soon__refuse(-errno, ".directory = \"%s\": %s", named, soon_strerror(-errno));
    return stat("/", &launch->root) < 0 ? -errno : 0;
}

static int check_depth(struct soon__launch *launch)
{
    const char *depth = getenv(SOON__DEPTH_VARIABLE);

    launch->depth = depth ? atoi(depth) : 0;
    if (launch->depth < 0 || launch->depth > SOON__DEPTH_MAX)
        launch->depth = SOON__DEPTH_MAX;
    launch->depth++;
    if (getenv(SOON__WORKER_VARIABLE))
        return soon__refuse(SOON_ENOINIT,
                            "this is a worker process, and soon_init() has not taken it over: main() must begin "
                            "with it");
    return launch->depth < 1 || launch->depth > SOON__DEPTH_MAX ? SOON_EDEPTH : 0;
}

static void set_none(struct soon__launch *launch)
{
    *launch = (struct soon__launch){.program.file = -1, .directory = -1, .null = -1};
}

int soon__launch_init(struct soon__launch *launch, const soon_process_pool_options *o)
{
    const char *name;
    int rc;

    set_none(launch);
    rc = check_depth(launch);
    if (rc == 0)
        rc = choose_program(launch, o);
    if (rc == 0)
        rc = choose_directory(launch, o->directory);
    if (rc == 0)
        rc = launch->null = soon__null_open();
    if (rc < 0)
        goto fail;
    rc = -ENOMEM;
    name = launch->program.path ? launch->program.path : program_invocation_name;
    launch->arguments = new_arguments(name, o->load ? o->load : o->worker_args, o->load != NULL);
    launch->environment = new_environment(o->environment, launch->depth);
    if (launch->arguments && launch->environment)
        return 0;

fail:
    soon__launch_fini(launch);
    return rc;
}

/* Returns in which directory a worker starts; -1: where this process is now. A directory that was named stays. Ours
 * does not if this process has entered another root since, because it would lead out of that. */
static int directory_now(const struct soon__launch *launch)
{
    struct stat root;

    if (!launch->is_ours)
        return launch->directory;
    if (stat("/", &root) < 0 || root.st_dev != launch->root.st_dev || root.st_ino != launch->root.st_ino)
        return -1;
    return launch->directory;
}

int soon__launch_start(const struct soon__launch *launch, const int *descriptors, int count, pid_t *ret_pid)
{
    struct soon__process_start how = {.path = launch->program.path,
                                      .executable = launch->program.file,
                                      .arguments = launch->arguments,
                                      .environment = launch->environment,
                                      .directory = directory_now(launch),
                                      .null = launch->null,
                                      .descriptors = descriptors,
                                      .descriptor_count = count};

    return soon__process_start(&how, ret_pid);
}

char *soon__launch_explain(const struct soon__launch *launch, int error, char *to, size_t size)
{
    const char *missing = error == -ENOENT ? soon__program_missing(&launch->program) : NULL;

    snprintf(to, size, "could not be started: %s%s%s", soon_strerror(error), missing ? ": " : "",
             missing ? missing : "");
    return to;
}

void soon__launch_add_missing(const struct soon__launch *launch, const struct soon__exit *exit, char *text, size_t size)
{
    size_t length = strlen(text);

    if (!exit->known || exit->killed || exit->number != SOON__EXIT_LOAD)
        return;
    for (char **object = launch->arguments + 1; object[0] && object[1]; object++) { /* the last is the marker */
        if (strchr(*object, '/') && access(*object, F_OK) < 0) {
            snprintf(text + length, size - length, ": %s is not there", *object);
            return;
        }
    }
}

void soon__launch_fini(struct soon__launch *launch)
{
    soon__program_fini(&launch->program);
    if (launch->directory >= 0)
        close(launch->directory);
    if (launch->null >= 0)
        close(launch->null);
    free_list(launch->arguments);
    free_list(launch->environment);
    set_none(launch);
}
