/*
 * backlog.c - what both pools do alike.
 */
#include "backlog_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int soon__pool_options_check(int workers, int64_t idle_timeout_ms, soon_full when_full,
                             const soon_function *initializer)
{
    const struct soon__range ranges[] = {
        {"workers", workers, 0, INT_MAX},
        {"idle_timeout_ms", idle_timeout_ms, 0, INT64_MAX},
        {"when_full", (int)when_full, 0, SOON_FULL_RUN_HERE},
    };
    int rc = soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);

    if (rc == 0 && initializer)
        rc = soon__check_function(initializer);
    if (rc < 0)
        return rc;
    if (initializer && when_full == SOON_FULL_RUN_HERE)
        return soon__refuse(
            -EINVAL, ".when_full = SOON_FULL_RUN_HERE with an .initializer: a thread that submits has not run it");
    return 0;
}

static bool are_bytes(soon_bytes bytes)
{
    return bytes.size <= PTRDIFF_MAX && (bytes.data || !bytes.size);
}

static int initializer_check(const struct soon__initializer *given)
{
    size_t fixed = given->function ? given->function->arg_size : 0;

    if (!given->function && (given->arg.data || given->arg.size || given->extra.size))
        return soon__refuse(-EINVAL, ".initializer_arg or .initializer_extra is set, and .initializer is NULL");
    if (!are_bytes(given->extra))
        return soon__refuse(-EINVAL, ".initializer_extra has %zu bytes, and they are not there", given->extra.size);
    if (given->arg.data && !given->arg.size && !fixed)
        return soon__refuse(-EINVAL, ".initializer_arg_size is 0, and %s takes an argument of variable size",
                            given->function->name);
    if (!are_bytes(given->arg))
        return soon__refuse(-EINVAL, ".initializer_arg_size is %zu, and .initializer_arg is NULL", given->arg.size);
    if (given->arg.size && fixed && given->arg.size != fixed)
        return soon__refuse(-EINVAL, ".initializer_arg_size is %zu, and %s takes an argument of %zu bytes",
                            given->arg.size, given->function->name, fixed);
    return 0;
}

int soon__initializer_init(struct soon__initializer *ret, const struct soon__initializer *given)
{
    int rc = initializer_check(given);
    size_t fixed = given->function ? given->function->arg_size : 0, size = fixed ? fixed : given->arg.size;
    size_t before = soon__call_round_up(size);
    char *copies = NULL;

    if (rc < 0)
        return rc;
    if (size + given->extra.size) {
        copies = calloc(1, before + given->extra.size);
        if (!copies)
            return -ENOMEM;
    }
    if (given->arg.data && size)
        memcpy(copies, given->arg.data, size);
    if (given->extra.size)
        memcpy(copies + before, given->extra.data, given->extra.size);
    *ret = (struct soon__initializer){.function = given->function, .arg = {copies, size}};
    if (given->extra.size)
        ret->extra = (soon_bytes){copies + before, given->extra.size};
    return 0;
}

void soon__initializer_fini(struct soon__initializer *initializer)
{
    free((void *)initializer->arg.data);
}

void soon__worker_name(char *to, size_t size, const char *pool, unsigned number)
{
    char text[12];

    snprintf(text, sizeof text, "_%u", number);
    snprintf(to, size, "%.*s%s", (int)(size - 1 - strlen(text)), pool, text);
}

int64_t soon__span_ns(int64_t ms, int64_t standard_ms)
{
    if (ms == 0)
        ms = standard_ms;
    return ms > INT64_MAX / 4000000 ? INT64_MAX / 4 : ms * 1000000;
}

void soon__calls_cancel(soon_call *calls)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_cancel(calls);
    }
}

void soon__calls_fail(soon_call *calls, struct soon__error *why)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_fail(calls, soon__error_ref(why));
    }
}
