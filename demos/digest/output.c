/*
 * output.c - lines to stdout, messages to stderr.
 */
#include "output.h"
#include "hash.h"
#include "quote.h"

#include <soon.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whole lines are written, if possible many at once: stdio never gets more than its buffer takes. */
static char lines[64 * 1024];
static size_t lines_size;
static bool on_terminal;

void output_init(void)
{
    /* A closed descriptor is replaced by one whose use fails in the same way. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    setvbuf(stdout, lines, _IOFBF, sizeof lines);
    on_terminal = isatty(STDOUT_FILENO);
}

bool output_flush(void)
{
    bool hides = lines_size > 0 && on_terminal;
    if (hides)
        soon_progress_bar_hide();
    lines_size = 0;
    bool written = fflush(stdout) == 0;
    if (hides)
        soon_progress_bar_show();
    return written;
}

bool output_end(void)
{
    bool written = output_flush();
    return fclose(stdout) == 0 && written;
}

static void put_name(const char *name)
{
    for (; *name; name++)
        switch (*name) {
        case '\n':
            fputs_unlocked("\\n", stdout);
            break;
        case '\r':
            fputs_unlocked("\\r", stdout);
            break;
        case '\\':
            fputs_unlocked("\\\\", stdout);
            break;
        default:
            putc_unlocked(*name, stdout);
        }
}

bool output_line(const unsigned char *digest, const char *name)
{
    bool escaped = strpbrk(name, "\\\n\r");
    size_t size = 2 * DIGEST_SIZE + (escaped ? 2 : 1) * strlen(name) + 4;
    if (lines_size + size > sizeof lines && !output_flush())
        return false;
    lines_size += size;

    char hex[2 * DIGEST_SIZE + 2 + 1];
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    memcpy(hex + 2 * DIGEST_SIZE, "  ", 3);
    if (escaped)
        putc_unlocked('\\', stdout);
    fputs_unlocked(hex, stdout);
    if (escaped)
        put_name(name);
    else
        fputs_unlocked(name, stdout);
    return putc_unlocked('\n', stdout) != EOF && !ferror_unlocked(stdout);
}

bool output_error(const char *name, int error)
{
    bool written = output_flush();
    char *quoted = must(quote(name));
    soon_progress_bar_printf(stderr, "digest: %s: %s\n", quoted, strerror(error));
    free(quoted);
    return written;
}

void output_message(const char *text)
{
    soon_progress_bar_printf(stderr, "digest: %s\n", text);
}

_Noreturn void die(const char *text)
{
    (void)output_flush();
    soon_progress_bar_hide();
    output_message(text);
    _exit(1);
}

void *must(void *memory)
{
    if (!memory)
        die("out of memory");
    return memory;
}
