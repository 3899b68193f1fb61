/*
 * log.c - each line is one write(), so that lines of several processes on one pipe do not mix.
 */
#include "log_internal.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 2048 };

static const struct {
    const char *name;
    enum soon__log_level level;
} levels[] = {
    {"error", SOON__LOG_ERROR},
    {"warning", SOON__LOG_WARNING},
    {"info", SOON__LOG_INFO},
    {"debug", SOON__LOG_DEBUG},
};

static enum soon__log_level wanted = SOON__LOG_INFO;
static bool has_prefix;
static unsigned lost; /* lines, since the last that was written */

bool soon__log_level_parse(enum soon__log_level *ret, const char *text)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(levels[i].name, text) == 0) {
            *ret = levels[i].level;
            return true;
        }
    }
    return false;
}

void soon__log_init(enum soon__log_level level)
{
    wanted = level;
    has_prefix = !isatty(STDERR_FILENO);
}

bool soon__log_is_on(enum soon__log_level level)
{
    return level <= wanted;
}

/* A pipe that has some room has it for a line: that is shorter than PIPE_BUF. */
static bool write_line(const char *line, size_t size)
{
    struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&output, 1, 0) == 1 && write(STDERR_FILENO, line, size) == (ssize_t)size;
}

void soon__log(enum soon__log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    size_t size = 0;
    va_list arguments;

    if (!soon__log_is_on(level))
        return;
    if (has_prefix)
        size = (size_t)snprintf(line, sizeof line, "<%d>", (int)level);
    if (lost > 0)
        size += (size_t)snprintf(line + size, sizeof line - size, "(%u lines were lost) ", lost);
    va_start(arguments, format);
    vsnprintf(line + size, sizeof line - size - 1, format, arguments);
    va_end(arguments);
    for (char *at = line; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    }
    size = strlen(line);
    line[size++] = '\n';
    if (write_line(line, size))
        lost = 0;
    else
        lost++;
}
