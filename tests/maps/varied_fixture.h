/*
 * varied_fixture.h - functions whose arguments are strings and bytes of any size, and such arguments.
 */
#ifndef SOON_TESTS_VARIED_FIXTURE_H
#define SOON_TESTS_VARIED_FIXTURE_H

#include "../support/executors.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define runs (common()->runs)

/* A task fails if its string begins with "bad", ends its worker process if with "die", waits at the gate if with
 * "wait". */
static inline int begin(soon_task *task, const char *arg)
{
    runs++;
    if (strncmp(arg, "bad", 3) == 0)
        return soon_raise(task, EDOM, "%s is bad", arg);
    if (strncmp(arg, "die", 3) == 0)
        _exit(3);
    return strncmp(arg, "wait", 4) == 0 ? wait_at_gate(task) : 0;
}

SOON_TASK_STRING(length_of, size_t)
{
    *result = strlen(arg);
    return begin(task, arg);
}

/* Its result is the string twice. */
SOON_TASK_STRING(doubled)
{
    int rc = begin(task, arg);

    return rc < 0 ? rc : soon_task_return_text(task, "%s%s", arg, arg);
}

SOON_TASK_BYTES(sum_of, unsigned)
{
    const unsigned char *bytes = arg.data;

    for (size_t i = 0; i < arg.size; i++)
        *result += bytes[i];
    return 0;
}

/* Its result is what it sees of its item, "label|argument|payload", and a payload of twice the size. */
SOON_TASK_BYTES(shown)
{
    soon_buffer *payload = soon_task_payload(task), *back;
    size_t size = payload ? soon_buffer_size(payload) : 0;
    const char *text = size ? soon_buffer_data(payload) : "";
    int rc = soon_task_return_text(task, "%s|%.*s|%.*s", soon_task_label(task), (int)arg.size,
                                   arg.size ? (const char *)arg.data : "", size < 100 ? (int)size : 100, text);

    if (rc == 0 && payload)
        rc = soon_buffer_new(&back, 2 * size);
    return rc < 0 || !payload ? rc : soon_task_return_payload(task, back);
}

/* Strings of many lengths, for free_strings(). */
static inline char **make_strings(size_t count, size_t longest)
{
    char **strings = malloc(count * sizeof *strings);

    for (size_t i = 0; i < count; i++) {
        size_t length = i % 3 == 2 ? i * 7919 % (longest + 1) : i % 11;

        strings[i] = malloc(length + 1);
        for (size_t j = 0; j < length; j++)
            strings[i][j] = (char)('A' + (i + j) % 26);
        strings[i][length] = '\0';
    }
    return strings;
}

static inline void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

static inline soon_buffer *buffer_of(const char *text, size_t size)
{
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, size), 0);
    memcpy(soon_buffer_data(buffer), text, strlen(text));
    return buffer;
}

#endif
