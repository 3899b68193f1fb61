/*
 * cluster_shortage.c - a cluster for which one call after the other fails: memory, descriptors. Each task ends, and the
 * next one is well again.
 */
#include "../harness/fail.h"
#include "../support/cluster_tasks.h"
#include "../support/workerd.h"
#include "worker_fixture.h"

TestSuite(cluster_shortage);

/* One of these, when something was short; or success. */
static bool is_of_shortage(int code)
{
    return code == 0 || code == -ENOMEM || code == -EMFILE || code == -ENOSPC || code == SOON_EBROKEN ||
           code == SOON_ELOST || code == SOON_EFULL;
}

static struct gearmand server;
static struct workerd workerd;

/* For who finds the test hanging. */
static void tell_what_goes_on(void)
{
    char answer[4096] = "";
    int fd = gearmand_connect(server.port);

    fprintf(stderr, "a task has not ended for a minute; the daemon says:\n%s\n", workerd_said_last(&workerd));
    gearmand_do_not_wait_for_ever(fd);
    if (send(fd, "status\nworkers\n", 15, MSG_NOSIGNAL) == 15)
        (void)!recv(fd, answer, sizeof answer - 1, MSG_WAITALL);
    fprintf(stderr, "and the server:\n%s\n", answer);
    close(fd);
}

/* A daemon that has ended is no reason to wait for ever. */
static void await_end(soon_future *future)
{
    int rc;

    while ((rc = soon_future_wait(future, 60000)) == -ETIMEDOUT) {
        fail_pause();
        tell_what_goes_on();
        cr_assert_not(workerd_has_ended(&workerd));
        fail_resume();
    }
    cr_assert_eq(rc, 0);
}

static void assert_ends_so(soon_future *future)
{
    await_end(future);
    fail_pause();
    cr_assert(is_of_shortage(soon_future_error(future)->code), "%s", soon_future_error(future)->message);
    fail_resume();
    soon_future_unref(future);
}

static void use(const char *servers)
{
    static const char *const strings[] = {"a", "b", "c"};
    soon_executor *cluster;
    soon_cluster_status *status;
    soon_future *futures[4];
    int rc = soon_cluster_new(&cluster, &(soon_cluster_options){.servers = servers, .lost_after_ms = 300});

    if (rc < 0) {
        cr_assert(is_of_shortage(rc));
        return;
    }
    futures[0] = soon_submit(cluster, far_half, 8);
    futures[1] = far_greet_submit(cluster, "you", &(soon_submit_options){.label = "x", .extra = soon_string("more")});
    futures[2] = soon_map_strings_async_with(cluster, (.chunk = 3), far_greet, strings, 3);
    futures[3] = far_fail_submit(cluster, "no", NULL);
    for (int i = 0; i < 3; i++)
        assert_ends_so(futures[i]);
    await_end(futures[3]);
    cr_assert_lt(soon_future_error(futures[3])->code, 0);
    soon_future_unref(futures[3]);
    if (soon_cluster_get_status(cluster, 100, &status) == 0)
        soon_cluster_status_free(status);
    cr_assert_eq(soon_executor_free(cluster), 0);
}

Test(cluster_shortage, of_anything_ends_each_task)
{
    size_t rounds;

    gearmand_or_skip();
    cluster_warm_up();
    gearmand_start(&server, NULL);
    workerd_start(&workerd, server.address, 1);
    for (rounds = 1;; rounds++) {
        fail_nth(rounds);
        use(server.address);
        if (fail_stop() < rounds)
            break;
    }
    cr_assert_gt(rounds, 20);
    workerd_kill(&workerd);
    gearmand_kill(&server);
}
