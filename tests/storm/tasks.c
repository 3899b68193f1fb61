/*
 * tasks.c - what the storm submits. Each task has a ticket: its place among the counts of how often it began.
 */
#include "storm.h"

#include <signal.h>

void count_start(soon_task *task, uint32_t ticket)
{
    _Atomic unsigned char *counts = soon_task_shared(task);

    if (counts && ticket < COUNTS)
        atomic_fetch_add(&counts[ticket], 1);
}

SOON_TASK_DEFINE(add)
{
    count_start(task, arg->ticket);
    *result = (int64_t)arg->n * 3 + 1;
    return 0;
}

SOON_TASK_DEFINE(add_then)
{
    *result = *arg * 3 + 1;
    return 0;
}

SOON_TASK_DEFINE(doze)
{
    count_start(task, arg->ticket);
    for (int us = 0; us < arg->us; us += 200) {
        nap_us(200);
        soon_task_set_progress(task, (uint64_t)us, (uint64_t)arg->us);
        if (arg->n % 2 && soon_task_cancel_requested(task))
            return -ECANCELED;
    }
    *result = (int64_t)arg->n * 3 + 1;
    return 0;
}

SOON_TASK_DEFINE(sulk)
{
    count_start(task, arg->ticket);
    return soon_raise(task, EDOM, "%d is no number", arg->n);
}

SOON_TASK_DEFINE(fall)
{
    count_start(task, arg->ticket);
    switch (arg->n % 5) {
    case 0:
        raise(SIGKILL);
        break;
    case 1:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case 2:
        _exit(0);
    case 3:
        signal(SIGABRT, SIG_DFL);
        raise(SIGABRT);
        break;
    default:
        exit(9);
    }
    return 0;
}

static unsigned char byte_of(uint32_t ticket, size_t at)
{
    return (unsigned char)((ticket * 2654435761u + at / 4096 * 40503u + at % 251) >> 7);
}

void paint(unsigned char *to, size_t size, uint32_t ticket)
{
    for (size_t at = 0; at<size; at += size> 4096 ? 509 : 1)
        to[at] = byte_of(ticket, at);
}

bool is_painted(const unsigned char *from, size_t size, uint32_t ticket)
{
    for (size_t at = 0; at<size; at += size> 4096 ? 509 : 1) {
        if (from[at] != byte_of(ticket, at))
            return false;
    }
    return true;
}

/* [ticket][payload size][painted]: the same painted by ticket + 1; and a payload of that size. */
SOON_TASK_BYTES_DEFINE(carry)
{
    uint32_t head[2];
    unsigned char *space;
    soon_buffer *came = soon_task_payload(task), *goes;

    memcpy(head, arg.data, sizeof head);
    count_start(task, head[0]);
    if (!is_painted((const unsigned char *)arg.data + 8, arg.size - 8, head[0]))
        return soon_raise(task, EILSEQ, "the argument is not what was sent");
    if (came && !is_painted(soon_buffer_data(came), soon_buffer_size(came), head[0] + 2))
        return soon_raise(task, EILSEQ, "the payload is not what was sent");
    space = soon_task_return_space(task, arg.size);
    if (!space)
        return -ENOMEM;
    memcpy(space, head, 8);
    paint(space + 8, arg.size - 8, head[0] + 1);
    if (!head[1])
        return 0;
    if (soon_buffer_new(&goes, head[1]) < 0)
        return -ENOMEM;
    paint(soon_buffer_data(goes), head[1], head[0] + 3);
    return soon_task_return_payload(task, goes);
}

/* An item with a large companion. */
SOON_TASK_DEFINE(haul)
{
    soon_buffer *goes;

    count_start(task, arg->ticket);
    *result = (int64_t)arg->n * 3 + 1;
    if (soon_buffer_new(&goes, 1 << 20) < 0)
        return -ENOMEM;
    memcpy(soon_buffer_data(goes), result, sizeof *result);
    return soon_task_return_payload(task, goes);
}

/* On threads: tasks that wait for tasks of their own pool. What is refused or cancelled they do themselves. */
SOON_TASK_DEFINE(fork_join)
{
    soon_executor *own = soon_task_executor(task);
    int n = arg->n;
    int64_t a = 1, b = 1, *both[2] = {&a, &b};
    soon_future *parts[2];

    if (arg->ticket != UINT32_MAX)
        count_start(task, arg->ticket);
    if (n < 2) {
        *result = 1;
        return 0;
    }
    for (int i = 0; i < 2; i++)
        parts[i] = soon_submit(own, fork_join, .ticket = UINT32_MAX, .n = n - 1 - i);
    if (n % 3 == 0)
        (void)soon_wait(parts, 2, n % 2 ? SOON_ALL_COMPLETED : SOON_FIRST_COMPLETED, n % 4 ? SOON_FOREVER : 5, NULL);
    for (int i = 0; i < 2; i++) {
        if (soon_result(parts[i], both[i]) < 0) {
            struct arg mine = {UINT32_MAX, n - 1 - i, 0};
            int rc = fork_join(task, &mine, both[i]);

            if (rc)
                return rc;
        }
    }
    soon_futures_unref(parts, 2);
    *result = a + b;
    return 0;
}

int64_t fork_join_value(int n)
{
    return n < 2 ? 1 : fork_join_value(n - 1) + fork_join_value(n - 2);
}

soon_future *_Atomic selves[RECORDS];

/* What could never end. */
SOON_TASK_DEFINE(wait_for_self)
{
    soon_future *own;

    count_start(task, arg->ticket);
    for (int i = 0; i < 20000 && !(own = atomic_load(&selves[arg->us])); i++)
        nap_us(100);
    if (own && soon_future_wait(own, SOON_FOREVER) != SOON_EDEADLK)
        return soon_raise(task, EDOM, "a wait for oneself is no deadlock");
    *result = (int64_t)arg->n * 3 + 1;
    return 0;
}

SOON_TASK_DEFINE(begin)
{
    return *arg ? soon_raise(task, *arg, "so it was wished") : 0;
}
