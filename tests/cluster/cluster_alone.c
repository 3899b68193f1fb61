/*
 * cluster_alone.c - a call that comes when nothing else is with the cluster: the thread that submits it sends it, as a
 * guest of the loop.
 */
#include "played_server.h"

#include <sys/syscall.h>
#include <sys/wait.h>

TestSuite(cluster_alone);

/* The last thread that has sent something to the server. */
static _Atomic pid_t sender;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    sender = gettid();
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* Who has sent it. */
static pid_t submit_one(struct stage *stage, soon_future **ret)
{
    char unique[65];

    *ret = submit_far(stage->cluster, NULL);
    hear_submit(stage, unique);
    return sender;
}

/* The loop may be awake. */
Test(cluster_alone, is_sent_by_the_thread_that_submits_it)
{
    struct stage stage = {0};
    soon_future *f;
    pid_t by;

    begin(&stage);
    do {
        by = submit_one(&stage, &f);
        say_text(&stage, SOON__JOB_CREATED, "H:1");
        gives(&stage, "H:1", 7);
        assert_gives(f, 7);
        soon_future_unref(f);
    } while (by != gettid());
    end(&stage);
}

enum { OTHERS = 50 };

Test(cluster_alone, is_what_no_other_is_that_comes_after_it)
{
    struct stage stage = {0};
    soon_future *futures[OTHERS];

    begin(&stage);
    for (int i = 0; i < OTHERS; i++) {
        pid_t by = submit_one(&stage, &futures[i]);

        if (i > 0)
            cr_assert_neq(by, gettid(), "%d", i);
        await_state(&stage, SOON__FLIGHT_SENT, (size_t)i + 1);
    }
    for (int i = 0; i < OTHERS; i++) {
        char handle[16];

        snprintf(handle, sizeof handle, "H:%d", i);
        say_text(&stage, SOON__JOB_CREATED, handle);
        gives(&stage, handle, i);
        assert_gives(futures[i], i);
    }
    soon_futures_unref(futures, OTHERS);
    end(&stage);
}

/*
 * A fork just after a guest's look: the child finds no handle that the guest has begun to close, and so none of the
 * parent's callbacks runs there, which would complete the promise of the shutdown.
 */

enum { ROUNDS = 100 };

static int forked_end(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit(soon_last_error()->code == SOON_EFORKED);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(cluster_alone, closes_nothing_in_the_place_of_the_loop)
{
    cluster_warm_up();
    for (int i = 0; i < ROUNDS; i++) {
        soon_executor *cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});
        struct soon__cluster *inside = soon__cluster_of(cluster);
        bool looks;

        flights_in(cluster, SOON__FLIGHT_SENT); /* it has begun */
        /* As by a submit whose call was taken back before it could look. */
        do {
            soon__mutex_lock(&inside->backlog.mutex);
            looks = soon__cluster_begin_look_locked(inside);
            soon__mutex_unlock(&inside->backlog.mutex);
        } while (!looks);
        cr_assert_eq(soon_executor_shutdown(cluster, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
        soon__library_loop_run_or_post(&inside->loop.look);
        cr_assert_eq(forked_end(), 0);
        free_pool(cluster);
    }
}
