/*
 * race_cluster.c - threads that submit to a cluster, and cancel and kill what others have submitted, while workers that
 * the test plays take, start and end jobs, and connections are cut. Each future ends once, and nothing is left.
 */
#include "../../executor/cluster/client/state_internal.h"
#include "../cluster/worker_fixture.h"
#include "../support/dice.h"

TestSuite(race_cluster);

enum { SUBMITTERS = 3, WORKERS = 2 };

static struct {
    soon_executor *cluster;
    int port;
    _Atomic int left;  /* submitters that still work */
    _Atomic int ended; /* futures, as these have seen */
    _Atomic bool over; /* workers may go */
} race;

static void *play(void *data)
{
    struct worker worker = worker_new(race.port, "far");
    unsigned count = 0;
    struct job job;

    (void)data;
    while (!race.over) {
        if (!worker_try_grab(&worker, &job)) {
            nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
            continue;
        }
        if (++count % 3 == 0)
            job_starts(&worker, &job);
        if (count % 7 == 0)
            job_fails(&worker, &job, count % 2 ? SOON_ERAISED : SOON_EWORKERDIED);
        else
            job_gives(&worker, &job, 7);
        job_free(&job);
    }
    worker_free(&worker);
    return NULL;
}

static void assert_one_end(soon_future *f)
{
    int code;

    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    code = soon_future_error(f)->code;
    cr_assert(code == 0 || code == -ECANCELED || code == SOON_EKILLED || code == SOON_ERAISED ||
                  code == SOON_EWORKERDIED || code == SOON_EEXPIRED || code == SOON_ELOST,
              "%s", soon_future_error(f)->message);
    race.ended++;
}

static void *submit_and_meddle(void *data)
{
    static const soon_submit_options options[] = {
        {.label = "plain"}, {.retries = 2}, {.queue_limit_ms = 2}, {.priority = 1}, {.priority = -1, .retries = 1}};
    unsigned seed = (unsigned)(uintptr_t)data;
    soon_future *futures[16];

    for (int round = 0; round < test_rounds(16); round++) {
        for (int i = 0; i < 16; i++)
            futures[i] = submit_far(race.cluster, i % 2 ? &options[dice(&seed, 5)] : NULL);
        for (int i = 0; i < 16; i++) {
            switch (dice(&seed, 6)) {
            case 0:
                (void)soon_future_cancel(futures[i]);
                break;
            case 1:
                (void)soon_future_kill(futures[i]);
                break;
            default:
                break;
            }
        }
        for (int i = 0; i < 16; i++)
            assert_one_end(futures[i]);
        soon_futures_unref(futures, 16);
    }
    race.left--;
    return NULL;
}

struct cut {
    struct soon__job job;
    _Atomic bool done;
};

static void cut_now(struct soon__job *job)
{
    soon__connection_drop(soon__cluster_of(race.cluster)->loop.work, -ECONNRESET, "cut by the test");
    ((struct cut *)job)->done = true;
}

static void cut_connection(void)
{
    struct cut cut = {.job.run = cut_now};

    soon__library_loop_post(&cut.job);
    test_wait_until(cut.done);
}

static void race_with(bool cuts, const soon_cluster_options *options)
{
    pthread_t submitters[SUBMITTERS], workers[WORKERS];
    soon_cluster_options own = *options;
    struct gearmand server;
    soon_stats stats;
    int ended = 0;

    cluster_warm_up();
    gearmand_start(&server, NULL);
    own.servers = server.address;
    race.cluster = cluster_of(&own);
    race.port = server.port;
    race.left = SUBMITTERS;
    race.ended = 0;
    race.over = false;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, play, NULL);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_create(&submitters[i], NULL, submit_and_meddle, (void *)(uintptr_t)(i + 1));
    while (race.left) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        if (cuts && race.ended > ended) { /* a slow machine comes to its end, too */
            ended = race.ended;
            cut_connection();
        }
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    stats = stats_of(race.cluster);
    cr_assert(stats.pending == 0 && stats.running == 0);
    cr_assert_eq(stats.submitted, stats.succeeded + stats.failed + stats.cancelled);
    free_pool(race.cluster);
    race.over = true;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    gearmand_kill(&server);
}

Test(race_cluster, of_cancels_and_kills_with_the_end_of_a_task)
{
    gearmand_or_skip();
    race_with(false, &(soon_cluster_options){.grace_ms = 5});
}

Test(race_cluster, of_the_queue_with_the_window)
{
    gearmand_or_skip();
    race_with(false, &(soon_cluster_options){.grace_ms = 5, .in_flight_max = 2, .queue_max = 4});
}

Test(race_cluster, of_all_that_with_the_loss_of_the_connection)
{
    gearmand_or_skip();
    race_with(true, &(soon_cluster_options){.grace_ms = 5, .lease_ms = 200, .in_flight_max = 20});
}
