/*
 * help.c - `--help` and the man page, out of the table of options and of the sections below.
 */
#include "options_internal.h"

#include <stdarg.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 4, COLUMN = 26 };

static const char usage[] = "soon-workerd --servers LIST {--load FILE... | --program FILE} [OPTION...]";
static const char purpose[] = "runs tasks of libsoon for clients on other machines, by way of Gearman servers";

static const char *const description[] = {
    "It has worker processes, which load the given objects, or are the given program, and run the tasks that are "
    "registered there with SOON_TASK and its siblings. It offers each of them by its name to all servers of its "
    "list, takes as many jobs as it has idle processes, and tells progress, results and errors. A task that crashes, "
    "runs into a limit or is killed takes its process with it, and nothing else: neither the daemon nor the jobs "
    "beside it.",
    "Clients of libsoon (soon_cluster_new) and other clients of Gearman may call the same tasks. For the others the "
    "workload is the task's argument and the bytes of its result are the result. A function of strings takes and "
    "gives them text without the closing NUL. "
    "When a task fails they get its message as a warning, and then the failure.",
    "A server that cannot be reached is tried again, for ever. What was running for a server that was lost is "
    "cancelled, since that server, or the client, gives it to another worker.",
    NULL,
};
static const char *const signals[] = {
    "SIGTERM or SIGINT: it takes no new jobs, lets those that run end, and exits. Before its worker processes are "
    "ready it has no jobs, and the signal ends it like any other program.",
    "A second one: it ends at once. Tasks are killed, and their servers give the jobs to other workers.",
    "Others have their usual effect. What ends it without a drain, SIGHUP too, makes its servers give the jobs to "
    "other workers.",
    NULL,
};
static const char *const security[] = {
    "Gearman's protocol knows neither passwords nor encryption: whoever reaches the server can have tasks run, and "
    "see and change all bytes. Use a private network, WireGuard or stunnel.",
    NULL,
};
static const struct {
    int status;
    const char *text;
} statuses[] = {
    {SOON__EXIT_DRAINED, "It was told to end, and all that ran has ended."},
    {SOON__EXIT_USAGE, "The command line makes no sense."},
    {SOON__EXIT_LOADING,
     "The objects cannot be loaded by a worker process, or have no tasks; or the initializer failed."},
    {SOON__EXIT_BROKEN, "While it was working, worker processes could not be started any more."},
    {SOON__EXIT_SYSTEM, "The system refused something at the start: memory, descriptors, a file."},
    {SOON__EXIT_STOPPED, "It was told to end twice, and has given jobs back."},
};
enum { STATUSES = sizeof statuses / sizeof *statuses };
static const struct {
    const char *name, *text;
} variables[] = {
    {"NOTIFY_SOCKET", "Set by systemd for units of Type=notify: it is told when the worker processes are ready, and "
                      "when the daemon begins to end."},
};
static const struct {
    const char *name, *text;
} files[] = {
    {"/etc/soon-workerd/APP.conf",
     "For the unit soon-workerd@APP.service: SOON_WORKERD_OPTIONS=, and the options behind "
     "it, in one line."},
};
enum { FILES = sizeof files / sizeof *files };
enum { VARIABLES = sizeof variables / sizeof *variables };

/*
 * Help
 */

/* Writes words in lines of WIDTH, from `column` on where the cursor is already at `at`. */
static void wrap(FILE *to, const char *text, int column, int at)
{
    for (const char *word = text, *end; *word; word = *end ? end + 1 : end) {
        int size = (int)(strchrnul(word, ' ') - word);

        end = word + size;
        if (at + 1 + size > WIDTH && word != text) {
            fputc('\n', to);
            at = 0;
        } else if (word != text) {
            fputc(' ', to);
            at++;
        }
        at += at < column ? fprintf(to, "%*s", column - at, "") : 0;
        at += fprintf(to, "%.*s", size, word);
    }
    fputc('\n', to);
}

/* A term, and its text beside it or below. */
static void help_row(FILE *to, const char *term, const char *text)
{
    int at = fprintf(to, "%*s%s", 2, "", term);

    if (at >= COLUMN)
        at = fprintf(to, "\n") - 1;
    wrap(to, text, COLUMN, at);
}

static void help_paragraphs(FILE *to, const char *const *paragraphs)
{
    for (; *paragraphs; paragraphs++)
        wrap(to, *paragraphs, INDENT - 2, 0);
}

static void term_of(char *ret, size_t size, const struct soon__option *option)
{
    char letter[8] = "";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(ret, size, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

void soon__help_write(FILE *to)
{
    char term[64];

    fprintf(to, "Usage: %s\n\n", usage);
    fprintf(to, "It %s.\n\n", purpose);
    for (size_t i = 0; i < soon__option_count; i++) {
        term_of(term, sizeof term, &soon__options[i]);
        help_row(to, term, soon__options[i].text);
    }
    fprintf(to, "\nSignals:\n");
    help_paragraphs(to, signals);
    fprintf(to, "\nExit status:\n");
    for (int i = 0; i < STATUSES; i++) {
        snprintf(term, sizeof term, "%d", statuses[i].status);
        help_row(to, term, statuses[i].text);
    }
    fprintf(to, "\nThe man page says more: soon-workerd(8).\n");
}

/*
 * The man page
 */

/* A hyphen is one that can be copied; a dot or an apostrophe begins no request, since no line begins with one. */
static void roff(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
    }
}

static void man_section(FILE *to, const char *name)
{
    fprintf(to, ".SH %s\n", name);
}

static void man_paragraphs(FILE *to, const char *const *paragraphs)
{
    for (; *paragraphs; paragraphs++) {
        fputs(".PP\n", to);
        roff(to, *paragraphs);
        fputc('\n', to);
    }
}

static void man_row(FILE *to, const char *term, const char *text)
{
    fputs(".TP\n.B ", to);
    roff(to, term);
    fputc('\n', to);
    roff(to, text);
    fputc('\n', to);
}

static void man_options(FILE *to)
{
    char term[64];

    man_section(to, "OPTIONS");
    for (size_t i = 0; i < soon__option_count; i++) {
        term_of(term, sizeof term, &soon__options[i]);
        man_row(to, term, soon__options[i].text);
    }
}

static void man_statuses(FILE *to)
{
    char term[16];

    man_section(to, "EXIT STATUS");
    for (int i = 0; i < STATUSES; i++) {
        snprintf(term, sizeof term, "%d", statuses[i].status);
        man_row(to, term, statuses[i].text);
    }
}

void soon__man_write(FILE *to)
{
    fprintf(to, ".TH SOON\\-WORKERD 8 \"\" \"libsoon %s\"\n", SOON__WORKERD_VERSION);
    man_section(to, "NAME");
    fputs("soon\\-workerd \\- ", to);
    roff(to, purpose);
    fputc('\n', to);
    man_section(to, "SYNOPSIS");
    fputs(".B ", to);
    roff(to, usage);
    fputc('\n', to);
    man_section(to, "DESCRIPTION");
    man_paragraphs(to, description);
    man_options(to);
    man_section(to, "SIGNALS");
    man_paragraphs(to, signals);
    man_statuses(to);
    man_section(to, "ENVIRONMENT");
    for (int i = 0; i < VARIABLES; i++)
        man_row(to, variables[i].name, variables[i].text);
    man_section(to, "FILES");
    for (int i = 0; i < FILES; i++)
        man_row(to, files[i].name, files[i].text);
    man_section(to, "SECURITY");
    man_paragraphs(to, security);
    man_section(to, "SEE ALSO");
    fputs(".BR gearmand (8),\n.BR gearman (1),\n.BR systemd.service (5)\n", to);
}
