/*
 * Very many small tasks on a cluster, while one of its two daemons is killed every 0.3 seconds, and the server three
 * times: each future ends once, with the right result, and nothing is left.
 */
#include "../support/cluster_tasks.h"
#include "../support/gearmand.h"
#include "../support/workerd.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

TestSuite(cluster_storm);

enum { TASKS = 300000, DAEMONS = 2, SLOTS = 4, PENDING_MAX = 4000, SERVER_KILLS = 3, TRIES = 1000 };

static struct gearmand server;
static struct workerd daemons[DAEMONS];
static atomic_int ended, wrong, failed;
static atomic_bool over;
static pthread_barrier_t both;

static void start_daemon(struct workerd *daemon)
{
    char slots[16];

    snprintf(slots, sizeof slots, "%d", SLOTS);
    workerd_spawn(daemon, (const char *const[]){"--servers", server.address, "--load", getenv("OBJECT"), "--slots",
                                                slots, "--log-level", "error", NULL});
    workerd_await(daemon, "READY=1");
}

static void nap(void)
{
    for (int i = 0; i < 300 && !atomic_load(&over); i++)
        gearmand_nap();
}

/* It goes on until all tasks have ended; a server is killed when a quarter, a half, three quarters of them have. What it
 * has started dies with this thread, which so waits until nobody needs that. */
static void *kill_and_replace(void *data)
{
    int tasks = *(const int *)data;

    for (int turn = 0, killed = 0; !atomic_load(&over); turn++) {
        nap();
        workerd_kill(&daemons[turn % DAEMONS]);
        start_daemon(&daemons[turn % DAEMONS]);
        if (killed < SERVER_KILLS && atomic_load(&ended) >= tasks / (SERVER_KILLS + 1) * (killed + 1)) {
            gearmand_kill(&server);
            gearmand_nap();
            gearmand_restart(&server);
            killed++;
        }
    }
    pthread_barrier_wait(&both); /* nothing is killed any more */
    pthread_barrier_wait(&both); /* all is read */
    for (int i = 0; i < DAEMONS; i++)
        workerd_stop(&daemons[i]);
    gearmand_kill(&server);
    return NULL;
}

static void check(soon_future *future, void *data)
{
    int number = (int)(intptr_t)data, half = -1, rc = soon_future_read(future, 0, &half, sizeof half);

    if (rc < 0 && atomic_fetch_add(&failed, 1) < 5)
        fprintf(stderr, "task %d: %s\n", number, soon_future_error(future)->message);
    if (rc == 0 && half != number / 2)
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&ended, 1);
}

static size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void submit_all(soon_executor *cluster, int tasks)
{
    for (int i = 0; i < tasks; i++) {
        while (i - atomic_load(&ended) >= PENDING_MAX)
            gearmand_nap();
        soon_future *future = soon_submit_with(
            cluster, (.retries = TRIES, .on_done = check, .on_done_data = (void *)(intptr_t)i), far_half, i);
        soon_future_unref(future);
    }
}

Test(cluster_storm, loses_no_task_while_daemons_and_the_server_are_killed)
{
    gearmand_or_skip();
    gearmand_start(&server, NULL);
    for (int i = 0; i < DAEMONS; i++)
        start_daemon(&daemons[i]);
    soon_executor *cluster;
    cr_assert_eq(soon_cluster_new(&cluster, &(soon_cluster_options){.servers = server.address}), 0);
    cr_assert_eq(soon_executor_boot(cluster, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_free(cluster), 0); /* the library's threads stay, and what libuv has kept for streams */
    size_t descriptors = count_descriptors();
    cr_assert_eq(soon_cluster_new(&cluster, &(soon_cluster_options){.servers = server.address, .lease_ms = 3000}), 0);
    cr_assert_eq(soon_executor_boot(cluster, SOON_FOREVER), 0);
    pthread_t killer;
    int tasks = test_rounds(TASKS);

    pthread_barrier_init(&both, NULL, 2);
    cr_assert_eq(pthread_create(&killer, NULL, kill_and_replace, &tasks), 0);
    submit_all(cluster, tasks);
    test_wait_until(atomic_load(&ended) == tasks);
    atomic_store(&over, true);
    pthread_barrier_wait(&both);
    cr_assert_eq(atomic_load(&wrong), 0);
    cr_assert_eq(atomic_load(&failed), 0);
    soon_stats stats;
    soon_executor_stats(cluster, &stats);
    cr_assert_eq(stats.pending + stats.running, 0);
    cr_assert_eq(stats.succeeded, (uint64_t)tasks);
    fprintf(stderr, "%d tasks, %llu further tries\n", tasks, (unsigned long long)stats.retries);
    cr_assert_eq(soon_executor_free(cluster), 0);
    cr_assert_eq(count_descriptors(), descriptors);
    pthread_barrier_wait(&both);
    pthread_join(killer, NULL);
}
