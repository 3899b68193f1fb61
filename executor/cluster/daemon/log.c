/*
 * log.c - each line is one write(), so that lines of several processes on one pipe do not mix.
 */
#include "log_internal.h"

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

void soon__log(enum soon__log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    size_t size = 0;
    va_list arguments;

    if (!soon__log_is_on(level))
        return;
    if (has_prefix)
        size = (size_t)snprintf(line, sizeof line, "<%d>", (int)level);
    va_start(arguments, format);
    vsnprintf(line + size, sizeof line - size - 1, format, arguments);
    va_end(arguments);
    for (char *at = line; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    }
    size = strlen(line);
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* there is nowhere to say that */
}
