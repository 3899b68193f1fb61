/*
 * bars.c - a program with progress bars that does what it is told, by lines in a pipe: bars PIPE.
 *
 *     bar N LABEL     makes bar N, of ten        update N COUNT   counts
 *     print TEXT      soon_progress_bar_printf   foreign TEXT     writes it to stderr, past the bars
 *     free N          ends the bar               mark PATH        makes an empty file
 *
 * At the end of the pipe it frees what is left. terminal.sh runs it.
 */
#include <fcntl.h>
#include <soon.h>
#include <stdlib.h>
#include <unistd.h>

enum { BARS = 8 };

static soon_progress_bar *bars[BARS];

static void obey(const char *verb, int number, const char *text)
{
    soon_progress_bar **bar = &bars[number >= 0 && number < BARS ? number : 0];

    if (strcmp(verb, "bar") == 0 &&
        soon_progress_bar_new(
            bar, &(soon_progress_bar_options){.label = text, .total = 10, .interval_ms = 1, .plain_every_ms = 50}) < 0)
        exit(3);
    if (strcmp(verb, "update") == 0)
        soon_progress_bar_update(*bar, strtoull(text, NULL, 10));
    if (strcmp(verb, "print") == 0 && soon_progress_bar_printf(stderr, "%s", text) < 0)
        exit(4);
    if (strcmp(verb, "foreign") == 0 && dprintf(STDERR_FILENO, "%s\n", text) < 0)
        exit(5);
    if (strcmp(verb, "free") == 0) {
        soon_progress_bar_free(*bar);
        *bar = NULL;
    }
    if (strcmp(verb, "mark") == 0)
        close(open(text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

int main(int argc, char **argv)
{
    FILE *pipe = argc > 1 ? fopen(argv[1], "r") : NULL;
    char line[512], verb[16];

    while (pipe && fgets(line, sizeof line, pipe)) {
        int number = 0, at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%15s %n", verb, &at) != 1)
            return 2;
        if (strcmp(verb, "bar") == 0 || strcmp(verb, "update") == 0 || strcmp(verb, "free") == 0) {
            char *end;
            number = (int)strtol(line + at, &end, 10);
            at = (int)(end - line) + (*end == ' ');
        }
        obey(verb, number, line + at);
    }
    for (int i = 0; i < BARS; i++)
        soon_progress_bar_free(bars[i]);
    return pipe ? 0 : 1;
}
