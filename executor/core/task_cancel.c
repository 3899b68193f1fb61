/*
 * task_cancel.c - what a running task asks for, to hear of its cancel while it blocks. Its notice is made at the first
 * need, and given back when the body has returned. The invariants are in notice.c.
 */
#include "notice_clock_internal.h"
#include "notice_internal.h"

#include "executor_internal.h"

#include <errno.h>

/* To be called on the task's thread when the body has returned. After this no callback runs, and no thread tells the
 * notice. */
static void end(soon_task *task)
{
    struct soon__notice *notice = soon__task_host(task)->notice;

    if (notice->before->listen)
        notice->before->listen_no_more(task);
    soon__notice_unlist(notice);
    atomic_store_explicit(&task->host, notice->before, memory_order_release);
    if (task->outcome.error == &soon__error_cancelled)
        task->outcome.error = NULL;
    soon__notice_give(notice);
}

static void init(struct soon__notice *notice, const soon_task *task, const struct soon__task_host *host)
{
    notice->host = *host;
    notice->host.notice = notice;
    notice->host.returned = end;
    notice->before = host;
    notice->future = task->future;
    notice->executor = task->executor;
    notice->request = 0;
    notice->deadline = task->executor ? task->deadline : SOON__NEVER;
    notice->generation = soon__generation();
}

/* N6 */
static int check(uint32_t generation)
{
    return generation == soon__generation() ? 0
                                            : soon__refuse(SOON_EFORKED, "a forked child of a task hears of no cancel");
}

/* Checks that the task may have a notice in this process, and starts the clock if the task has a time limit. */
static int prepare(const soon_task *task)
{
    int rc = task->executor ? check(task->executor->generation) : 0; /* else its host does that */

    return rc == 0 && task->executor && task->deadline != SOON__NEVER ? soon__notice_clock_start() : rc;
}

static int make(struct soon__notice **ret, soon_task *task, const struct soon__task_host *host)
{
    struct soon__notice *notice;
    int rc = prepare(task);

    if (rc < 0)
        return rc;
    notice = soon__notice_take();
    if (!notice)
        return -ENOMEM;
    init(notice, task, host);
    if (host->listen)
        rc = host->listen(task, &notice->request);
    if (rc < 0) {
        soon__notice_give(notice);
        return rc;
    }
    /* N1. Release: the copy; pairs with the acquire of the task's other threads. */
    atomic_store_explicit(&task->host, &notice->host, memory_order_release);
    if (!task->outcome.error)
        task->outcome.error = &soon__error_cancelled;
    soon__notice_list(notice);
    if (notice->deadline != SOON__NEVER)
        soon__notice_clock_set();
    if (soon_task_cancel_requested(task))
        soon__notice_tell(notice);
    *ret = notice;
    return 0;
}

/* Finds the notice of the task, which is made at the first need. */
static int notice_of(struct soon__notice **ret, soon_task *task)
{
    const struct soon__task_host *host = soon__task_host(task);

    if (!host->notice)
        return make(ret, task, host);
    *ret = host->notice;
    return check(host->notice->generation);
}

/*
 * The public functions
 */

int soon_task_cancel_fd(soon_task *task)
{
    struct soon__notice *notice = NULL;
    int rc = task ? notice_of(&notice, task) : soon__is_null("the task");

    if (rc == 0)
        rc = soon__notice_descriptor(notice);
    return soon__failed(rc, "soon_task_cancel_fd");
}

static int add_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    struct soon__notice *notice;
    int rc;

    if (!task || !fn)
        return soon__is_null(task ? "fn" : "the task");
    rc = notice_of(&notice, task);
    return rc < 0 ? rc : soon__notice_add(notice, fn, data);
}

int soon_task_add_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    return soon__failed(add_callback(task, fn, data), "soon_task_add_cancel_callback");
}

bool soon_task_remove_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data)
{
    struct soon__notice *notice;

    if (!soon__check(task, "soon_task_remove_cancel_callback: NULL"))
        return false;
    notice = soon__task_host(task)->notice;
    return notice && soon__notice_remove(notice, fn, data);
}
