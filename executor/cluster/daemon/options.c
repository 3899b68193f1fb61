/*
 * options.c - the table of options, and what each of them does.
 */
#include "options_internal.h"

#include "../../../futures/value.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { SLOTS_MAX = 4096 };

/* In the order of the table. */
enum {
    SERVERS,
    LOAD,
    PROGRAM,
    INITIALIZER,
    SLOTS,
    NAME,
    TIME_LIMIT,
    GRACE,
    MEMORY_LIMIT,
    MAX_TASKS,
    METRICS,
    PID_FILE,
    LOG_LEVEL,
    VERSION,
    HELP,
    MAN,
    OPTIONS
};

const struct soon__option soon__options[] = {
    {"servers", 's', "LIST",
     "The Gearman servers, with commas between them: 10.0.0.5:4730,gear.example,[::1]:4731. Without a port it is "
     "4730. The daemon works for all of them."},
    {"load", 'l', "FILE",
     "A shared object with tasks. The workers load it, the daemon itself does not. May be given several times; what "
     "stands behind all options is loaded, too."},
    {"program", 'p', "FILE",
     "A program instead, which calls soon_init(): the workers are this program, and its tasks are theirs. So one "
     "program may be the client on one machine and the worker on others."},
    {"initializer", 0, "NAME",
     "A task without argument and result, made by SOON_TASK(NAME, soon_none, soon_none), which runs once in each "
     "worker process before its first task."},
    {"slots", 'j', "N",
     "So many tasks run at a time, each in a process. At most 4096. Without it one for each CPU that the "
     "daemon may use."},
    {"name", 'n', "NAME",
     "The name of this worker in errors and in the server's list of workers; a process ID and a random number are "
     "put behind it. Without it the name of the host."},
    {"time-limit-ms", 0, "MS",
     "No task runs longer than so many milliseconds, whatever its caller allows. It is for callers that set no limit."},
    {"grace-ms", 0, "MS",
     "Milliseconds between SIGTERM and SIGKILL for a worker process that is to end. Without it 3000."},
    {"memory-limit", 0, "BYTES",
     "A worker process whose memory has grown above that is replaced, between tasks. K, M or G may stand behind the "
     "number."},
    {"max-tasks", 0, "N", "A worker process is replaced after so many tasks."},
    {"metrics", 0, "FILE",
     "Numbers for Prometheus are written to this file every 10 seconds, and at the end. With unix:PATH they are "
     "served on a local socket instead, by HTTP. Nothing is replaced there but a file, or a socket."},
    {"pid-file", 0, "FILE", "The process ID is written to this file, which is removed at the end."},
    {"log-level", 0, "LEVEL", "error, warning, info or debug. Without it info."},
    {"version", 'V', NULL, "Prints the version."},
    {"help", 'h', NULL, "Prints this help."},
    {"man", 0, NULL, "Prints the man page."},
};
const size_t soon__option_count = sizeof soon__options / sizeof *soon__options;
_Static_assert(sizeof soon__options / sizeof *soon__options == OPTIONS, "each has its row");

static int wrong(const char *format, ...) SOON_PRINTF(1, 2);
static int wrong(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "soon-workerd: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry `soon-workerd --help`.\n");
    return SOON__EXIT_USAGE;
}

/* Up to `max`, with K, M or G behind it if `with_unit`. */
static int parse_number(uint64_t *ret, const char *name, const char *text, uint64_t max, bool with_unit)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;
    uint64_t number, factor = 1;

    errno = 0;
    number = strtoumax(text, &end, 10);
    if (with_unit && *end && (unit = strchr(units, *end))) {
        factor = UINT64_C(1) << 10 * (unit - units + 1);
        end++;
    }
    if (*text < '0' || *text > '9' || *end || errno || number > max / factor)
        return wrong("--%s: %s is no number that it can be", name, text);
    *ret = number * factor;
    return 0;
}

static int parse_int(int *ret, const char *name, const char *text, int max)
{
    uint64_t number;
    int rc = parse_number(&number, name, text, (uint64_t)max, false);

    if (rc == 0)
        *ret = (int)number;
    return rc;
}

static int parse_ms(int64_t *ret, const char *name, const char *text)
{
    uint64_t number;
    int rc = parse_number(&number, name, text, INT64_MAX / 1000000, false);

    if (rc == 0)
        *ret = (int64_t)number;
    return rc;
}

/* It becomes part of a function's name, and of lines of text that the server writes. */
static int parse_name(const char **ret, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f)
            return wrong("--name: only letters, digits and the like may stand in it, and no spaces");
    }
    if (!*text || strlen(text) > 64)
        return wrong("--name: it has between 1 and 64 characters");
    *ret = text;
    return 0;
}

/* libuv would cut the path of a socket if it is too long, and take any name for an empty one. */
static int parse_metrics(struct soon__daemon_options *options, const char *text)
{
    bool is_socket = strncmp(text, "unix:", 5) == 0;
    const char *path = is_socket ? text + 5 : text;
    size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;

    if (!*path)
        return wrong("--metrics: %s", is_socket ? "behind unix: stands no path" : "there is no path");
    if (is_socket && strlen(path) > max)
        return wrong("--metrics: the path of a socket has at most %zu bytes", max);
    options->metrics = is_socket ? NULL : path;
    options->metrics_socket = is_socket ? path : NULL;
    return 0;
}

static int add_object(struct soon__daemon_options *options, const char *path)
{
    const char **load = realloc(options->load, (options->load_count + 2) * sizeof *load);

    if (!load)
        return SOON__EXIT_SYSTEM;
    load[options->load_count++] = path;
    load[options->load_count] = NULL;
    options->load = load;
    return 0;
}

static int print(int which)
{
    if (which == VERSION)
        printf("soon-workerd %s\n", SOON__WORKERD_VERSION);
    else if (which == HELP)
        soon__help_write(stdout);
    else
        soon__man_write(stdout);
    return fflush(stdout) == 0 ? 0 : SOON__EXIT_SYSTEM;
}

static int take(struct soon__daemon_options *options, int which, const char *text)
{
    const char *name = soon__options[which].name;

    switch (which) {
    case SERVERS:
        options->servers = text;
        return 0;
    case LOAD:
        return add_object(options, text);
    case PROGRAM:
        options->program = text;
        return 0;
    case INITIALIZER:
        options->initializer = text;
        return 0;
    case SLOTS:
        return parse_int(&options->slots, name, text, SLOTS_MAX);
    case NAME:
        return parse_name(&options->name, text);
    case TIME_LIMIT:
        return parse_ms(&options->time_limit_ms, name, text);
    case GRACE:
        return parse_ms(&options->grace_ms, name, text);
    case MEMORY_LIMIT:
        return parse_number(&options->memory_limit, name, text, UINT64_MAX, true);
    case MAX_TASKS:
        return parse_int(&options->max_tasks, name, text, INT_MAX);
    case METRICS:
        return parse_metrics(options, text);
    case PID_FILE:
        options->pid_file = text;
        return 0;
    default:
        return soon__log_level_parse(&options->log_level, text) ? 0 : wrong("--%s: %s is none", name, text);
    }
}

/* As getopt_long() wants it. */
static void describe(struct option *longs, char *shorts)
{
    *shorts++ = ':';
    for (size_t i = 0; i < soon__option_count; i++) {
        const struct soon__option *option = &soon__options[i];

        longs[i] = (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
                                   option->letter ? option->letter : CHAR_MAX + 1 + (int)i};
        if (option->letter)
            *shorts++ = option->letter;
        if (option->letter && option->argument)
            *shorts++ = ':';
    }
    *shorts = '\0';
}

/* The row of what getopt_long() has found. -1: none. */
static int row_of(int found)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (found == CHAR_MAX + 1 + i || (soon__options[i].letter && found == soon__options[i].letter))
            return i;
    }
    return -1;
}

static int complete(struct soon__daemon_options *options)
{
    if (!options->servers)
        return wrong("--servers is missing");
    if (!options->load && !options->program)
        return wrong("--load or --program is missing: there are no tasks to run");
    if (options->load && options->program)
        return wrong("--load and --program are both given: workers are one or the other");
    return 0;
}

int soon__options_parse(struct soon__daemon_options *ret, enum soon__wish *ret_wish, int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {{0}};
    char shorts[2 * OPTIONS + 2];
    int found, rc = 0;

    *ret = (struct soon__daemon_options){.log_level = SOON__LOG_INFO, .grace_ms = 3000};
    *ret_wish = SOON__WISH_WORK;
    describe(longs, shorts);
    opterr = 0;
    while (rc == 0 && (found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        int which = row_of(found);

        if (which < 0)
            return wrong("%s: %s", argv[optind - 1],
                         found == ':' ? "its argument is missing" : "there is no such option");
        if (which == VERSION || which == HELP || which == MAN) {
            *ret_wish = SOON__WISH_EXIT;
            return print(which);
        }
        rc = take(ret, which, optarg);
    }
    for (; rc == 0 && optind < argc; optind++)
        rc = add_object(ret, argv[optind]);
    return rc ? rc : complete(ret);
}

void soon__options_fini(struct soon__daemon_options *options)
{
    free(options->load);
}
