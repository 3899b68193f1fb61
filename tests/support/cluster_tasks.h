/*
 * cluster_tasks.h - tasks for tests of a cluster. The object that daemons load has them, and a test that includes this
 * has them too, so that both mean the same.
 */
#ifndef SOON_TESTS_SUPPORT_CLUSTER_TASKS_H
#define SOON_TESTS_SUPPORT_CLUSTER_TASKS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <soon.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SOON_TASK(far_half, int, int)
{
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    *result = *arg / 2;
    return 0;
}

SOON_TASK_STRING(far_greet)
{
    char text[256];

    snprintf(text, sizeof text, "hello %s", arg);
    return soon_task_return_bytes(task, text, strlen(text));
}

SOON_TASK_STRING(far_text)
{
    return soon_task_return_text(task, "text %s", arg);
}

/* "a", a NUL, "b" and a NUL. */
SOON_TASK_STRING(far_nuls)
{
    return soon_task_return_bytes(task, "a\0b", 4);
}

/* Its argument, and its payloads in their order. */
SOON_TASK_BYTES(far_echo)
{
    for (size_t i = 0; i < soon_task_payload_count(task); i++)
        soon_task_add_payload(task, soon_buffer_ref(soon_task_payload_at(task, i)));
    return soon_task_return_bytes(task, arg.data, arg.size);
}

/* What came beside its argument: "label|extra|payloads|input|payload of that". */
SOON_TASK_STRING(far_beside)
{
    soon_bytes extra = soon_task_extra(task), input = soon_task_input(task, 0);
    soon_buffer *payload = soon_task_input_payload(task, 0);

    return soon_task_return_text(task, "%s|%s|%.*s|%zu|%.*s|%zu", arg, soon_task_label(task), (int)extra.size,
                                 (const char *)extra.data, soon_task_payload_count(task), (int)input.size,
                                 (const char *)input.data, payload ? soon_buffer_size(payload) : 0);
}

SOON_TASK_STRING(far_fail)
{
    return soon_raise_bytes(task, 33, arg, "data", 4);
}

SOON_TASK_STRING(far_crash)
{
    abort();
}

/* Until it is cancelled. Before that it tells a progress of 1 of 2. */
SOON_TASK_STRING(far_listen)
{
    struct pollfd asked = {.fd = soon_task_cancel_fd(task), .events = POLLIN};

    soon_task_set_progress(task, 1, 2);
    while (poll(&asked, 1, -1) != 1)
        ;
    return -ECANCELED;
}

/* Until somebody opens the FIFO of that name for writing. Whatever else is asked of it, it does not hear. */
SOON_TASK_STRING(far_hold)
{
    int fd;

    soon_task_set_progress(task, 1, 2);
    while ((fd = open(arg, O_RDONLY | O_CLOEXEC)) < 0 && errno == EINTR)
        ;
    close(fd);
    return soon_task_return_text(task, "held");
}

#endif
