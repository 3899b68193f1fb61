/*
 * json.h - is this JSON? And what is in a file of a trace, by its text.
 */
#ifndef SOON_TESTS_SUPPORT_JSON_H
#define SOON_TESTS_SUPPORT_JSON_H

#include "../harness/test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Moves behind a value; NULL: there is none. */
static const char *json_value(const char *at);

static inline const char *json_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static inline const char *json_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && at[1] == 'u') {
            for (int i = 2; i < 6; i++) {
                if (!isxdigit((unsigned char)at[i]))
                    return NULL;
            }
            at += 6;
        } else if (*at == '\\') {
            if (!at[1] || !strchr("\"\\/bfnrt", at[1]))
                return NULL;
            at += 2;
        } else {
            at++;
        }
    }
    return at + 1;
}

static inline const char *json_number(const char *at)
{
    const char *begin;

    at += *at == '-';
    begin = at;
    while (isdigit((unsigned char)*at))
        at++;
    if (at == begin || (*begin == '0' && at > begin + 1))
        return NULL;
    if (*at == '.') {
        for (begin = ++at; isdigit((unsigned char)*at);)
            at++;
        if (at == begin)
            return NULL;
    }
    return at;
}

/* What stands between brackets; `*count` is how many. */
static inline const char *json_list(const char *at, char end, size_t *count)
{
    *count = 0;
    at = json_space(at + 1);
    if (*at == end)
        return at + 1;
    for (;;) {
        if (end == '}') {
            at = json_string(json_space(at));
            at = at ? json_space(at) : "";
            if (*at++ != ':')
                return NULL;
        }
        at = json_value(json_space(at));
        if (!at)
            return NULL;
        ++*count;
        at = json_space(at);
        if (*at == end)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static inline const char *json_value(const char *at)
{
    size_t count;

    if (*at == '{' || *at == '[')
        return json_list(at, *at == '{' ? '}' : ']', &count);
    if (*at == '"')
        return json_string(at);
    for (size_t i = 0; i < 3; i++) {
        const char *word = (const char *[]){"true", "false", "null"}[i];

        if (strncmp(at, word, strlen(word)) == 0)
            return at + strlen(word);
    }
    return json_number(at);
}

/* How many elements the array has that is all of the text; -1: it is no such thing. */
static inline long json_array(const char *text)
{
    size_t count = 0;
    const char *at = json_space(text);

    at = *at == '[' ? json_list(at, ']', &count) : NULL;
    return at && !*json_space(at) ? (long)count : -1;
}

/* All of a file, to be freed. */
static inline char *text_of_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    char *text;

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(fstat(fd, &stat), 0);
    text = calloc(1, (size_t)stat.st_size + 1);
    for (ssize_t done = 0, more; done < stat.st_size; done += more) {
        more = read(fd, text + done, (size_t)(stat.st_size - done));
        cr_assert_gt(more, 0);
    }
    close(fd);
    return text;
}

/* How often `part` stands in the text. */
static inline size_t count_in(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* What the first line says of events that are missing. */
static inline unsigned long long dropped_in(const char *text)
{
    const char *at = strstr(text, "\"dropped\":");

    cr_assert(at);
    return strtoull(at + strlen("\"dropped\":"), NULL, 10);
}

#endif
