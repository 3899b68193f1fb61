/*
 * storm.c - random programs over the whole public interface, on threads or on processes, against a model of what each
 * future may become. Faults come from outside at random: workers are killed and stopped, descriptors run out, tasks
 * scribble over what they share with the parent, the program forks.
 *
 *     storm threads|processes SECONDS [SEED]     one seed: the same choices again (not the same interleaving)
 *
 *     STORM_ROUND=N  plays round N alone          STORM_VERBOSE=1  tells of each round
 *
 * It prints one line for each violation, with seed and round, then figures. Exit: 0 clean; 1 violations; 2 could not run;
 * 3 nothing moved for STORM_PATIENCE seconds, by default 60 (with STORM_WAIT=1 it then waits 60 s for a debugger).
 *
 * Under a sanitizer it does not fork, and blows come less often. With ASAN_OPTIONS=detect_leaks=0 AddressSanitizer does not
 * complain of workers that were killed while it looked for their leaks.
 *
 * A round: a pool with random options; DRIVERS threads that do random things for a short time; shutdown in a random mode,
 * in one or two steps, while they still go on. Then, for every future that was made:
 *
 *   M1  It is done when shutdown has returned 0.
 *   M2  Its value is the one that its argument has.
 *   M3  Its code is one that something which was done to it, or to its pool, explains: a cancel, a kill, a limit, a blow at
 *       a worker, a want of descriptors, a shutdown of that mode.
 *   M4  A task without retries began once at most; one whose error says `started` false, never; one with a result, once.
 *       (Tasks count themselves in shared memory.)
 *   M5  So many blows, so many deaths: tasks that did nothing wrong die no more often than workers were hit from outside.
 *   M6  Each callback that was registered has run once, or was taken back (remove said so) and never ran.
 *   M7  No more idle workers than the pool may have.
 *   M8  After the round: as many descriptors, threads, mappings of shared memory as before; no children.
 *   M9  Derived futures (gather, any, then, map, imap, apply) agree with what they are made of.
 */
#include "storm.h"

#include "../harness/sanitized.h"

#include <dirent.h>
#include <poll.h>
#include <sys/wait.h>
#include <uv.h>

bool procs, sanitized;
uint64_t seed0, round_number;
_Atomic uint64_t violations, operations, futures_made, blows_all, stops_all, squeezes, forks, corrupts, kills_made,
    cancels_made, rounds, outcomes[12];
struct round r;
struct callback callbacks[CALLBACKS];
_Atomic uint32_t callbacks_used;
soon_loop *loops[LOOPS];

static bool verbose;
static uv_loop_t uv;

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    while (dir && (entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static unsigned count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned count = 0;

    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "/memfd:") != NULL;
    if (maps)
        fclose(maps);
    return count;
}

struct footprint {
    unsigned descriptors, threads, mappings;
};

static struct footprint look_at_footprint(void)
{
    return (struct footprint){count_entries("/proc/self/fd"), count_entries("/proc/self/task"), count_mappings()};
}

static bool same(struct footprint a, struct footprint b)
{
    return a.descriptors == b.descriptors && a.threads == b.threads && a.mappings == b.mappings;
}

/*
 * A round
 */

static int new_pool(struct dice *d, soon_shared *shared)
{
    int fails = r.init_fails ? EDOM : 0;
    const soon_function *initializer = r.init_fails || one_in(d, 4) ? &begin_task : NULL;
    size_t queue_max = r.bounded ? 1 + below(d, 10) : 0;
    soon_full full = r.bounded ? (r.bounded_fail ? SOON_FULL_FAIL : SOON_FULL_BLOCK) : SOON_FULL_DEFAULT;

    if (!procs)
        return soon_thread_pool_new(
            &r.pool, &(soon_thread_pool_options){.workers = (int)r.workers,
                                                 .initializer = initializer,
                                                 .initializer_arg = initializer ? &fails : NULL,
                                                 .shared = shared,
                                                 .queue_max = queue_max,
                                                 .when_full = full,
                                                 .idle_timeout_ms = one_in(d, 4) ? 1 + below(d, 10) : 0});
    return soon_process_pool_new(
        &r.pool, &(soon_process_pool_options){.workers = (int)r.workers,
                                              .initializer = initializer,
                                              .initializer_arg = initializer ? &fails : NULL,
                                              .shared = shared,
                                              .queue_max = queue_max,
                                              .when_full = full,
                                              .idle_timeout_ms = one_in(d, 4) ? 1 + below(d, 30) : 0,
                                              .max_tasks_per_worker = one_in(d, 6) ? 1 + (int)below(d, 20) : 0,
                                              .memory_limit = one_in(d, 10) ? 1 << 20 : 0,
                                              .start_timeout_ms = 60000,
                                              .grace_ms = one_in(d, 2) ? -1 : 1 + (int)below(d, 100),
                                              .on_worker_death = r.breaks ? SOON_BREAK : SOON_REPLACE});
}

static void shut_down(struct dice *d)
{
    int modes[] = {SOON_DRAIN, SOON_DRAIN, SOON_CANCEL_PENDING, SOON_CANCEL_PENDING, SOON_TERMINATE, SOON_KILL};
    int mode = modes[below(d, 6)], rc;

    r.mode = mode;
    if (one_in(d, 2)) {
        rc = soon_executor_shutdown(r.pool, (soon_shutdown)mode, below(d, 4));
        if (rc && rc != -ETIMEDOUT)
            WRONG("M3", "shutdown: %s", soon_errname(rc));
        if (one_in(d, 2)) {
            mode += (int)below(d, (unsigned)(SOON_KILL - mode + 1));
            r.mode = mode;
        }
    }
    rc = soon_executor_shutdown(r.pool, (soon_shutdown)mode, SOON_FOREVER);
    if (rc)
        WRONG("M3", "shutdown: %s", soon_errname(rc));
    else
        check_resolved();
}

static void play(uint64_t number)
{
    struct dice d = {seed0 * UINT64_C(1000003) + number * UINT64_C(7919)};
    pthread_t drivers[DRIVERS], striker;
    struct footprint before, after;
    soon_shared *shared;
    soon_stats stats;
    int rc;

    round_number = number;
    before = look_at_footprint();
    if (soon_shared_new(&shared, COUNTS) < 0)
        return;
    r.counts = soon_shared_data(shared);
    r.workers = 1 + below(&d, 4);
    r.mode = -1;
    r.over = r.down = false;
    r.breaks = procs && one_in(&d, 20);
    r.init_fails = one_in(&d, 40);
    r.squeezed = one_in(&d, 8);
    r.any_corrupt = procs && one_in(&d, 6);
    r.bounded = one_in(&d, 5);
    r.limits = one_in(&d, 6);
    r.pause = (1u << (2 * below(&d, 4))) * (sanitized ? 8 : 1);
    r.bounded_fail = r.bounded && one_in(&d, 2);
    r.blows = r.tickets = r.innocents_died = r.kills = r.corrupt_tasks = 0;
    r.used = 0;
    callbacks_used = 0;
    rc = new_pool(&d, shared);
    if (rc < 0) {
        WRONG("M3", "new: %s", soon_errname(rc));
        soon_shared_unref(shared);
        return;
    }
    for (int i = 0; i < DRIVERS; i++)
        pthread_create(&drivers[i], NULL, drive, (void *)(uintptr_t)roll(&d));
    pthread_create(&striker, NULL, strike, (void *)(uintptr_t)roll(&d));
    nap_us(1000 + below(&d, one_in(&d, 4) ? 600000 : 100000));
    soon_executor_stats(r.pool, &stats);
    if (procs && stats.idle > r.workers)
        WRONG("M7 overshoot", "%zu workers are idle in a pool of %zu", stats.idle, r.workers);
    if (one_in(&d, 2))
        r.over = true;
    shut_down(&d);
    r.over = true;
    for (int i = 0; i < DRIVERS; i++)
        pthread_join(drivers[i], NULL);
    r.down = true;
    pthread_join(striker, NULL);
    rc = soon_executor_free(r.pool);
    if (rc)
        WRONG("M3", "free: %s", soon_errname(rc));
    for (uint32_t i = 0; i < r.used && i < RECORDS; i++)
        judge(&r.records[i]);
    if (r.innocents_died > r.blows && !r.any_corrupt && !r.breaks)
        WRONG("M5", "%u tasks that did no harm have died with their worker, of %u blows (mode %d)", r.innocents_died,
              r.blows, r.mode);
    for (uint32_t i = 0; i < callbacks_used && i < CALLBACKS; i++) {
        for (int tries = 0; callbacks[i].state == 1 && tries < 20000; tries++)
            nap_us(1000);
        if (callbacks[i].state == 1)
            WRONG("M6", "a callback never ran");
        callbacks[i].state = 0;
    }
    for (int i = 0; i < PUBLIC; i++) {
        soon_future_unref(r.public[i].future);
        r.public[i].future = NULL;
        r.public[i].record = NULL;
    }
    for (uint32_t i = 0; i < r.used && i < RECORDS; i++)
        soon_future_unref(r.records[i].future);
    soon_shared_unref(shared);
    for (int tries = 0; tries < 3000; tries++) {
        after = look_at_footprint();
        if (same(before, after))
            break;
        nap_us(1000);
    }
    if (!same(before, after) && rounds > 0)
        WRONG("M8", "descriptors %u, threads %u, mappings %u; before %u, %u, %u", after.descriptors, after.threads,
              after.mappings, before.descriptors, before.threads, before.mappings);
    if ((rc = waitpid(-1, NULL, WNOHANG)) >= 0)
        WRONG("M8", "a child is left: waitpid says %d", rc); /* its number: a zombie; 0: it is alive */
    rounds++;
    if (verbose) {
        printf("round %llu: %u futures, %u blows, mode %d%s%s%s%s%s\n", (unsigned long long)number, (unsigned)r.used,
               (unsigned)r.blows, (int)r.mode, r.breaks ? " breaks" : "", r.squeezed ? " squeezed" : "",
               r.any_corrupt ? " corrupt" : "", r.bounded ? " bounded" : "", r.init_fails ? " init fails" : "");
        fflush(stdout);
    }
}

static void *watch(void *unused)
{
    uint64_t last = 0, quiet = 0,
             patience = getenv("STORM_PATIENCE") ? strtoull(getenv("STORM_PATIENCE"), NULL, 10) : 60;

    for (;;) {
        sleep(5);
        if (operations + rounds != last)
            quiet = 0;
        else if (++quiet * 5 >= patience) {
            printf("HANG: seed %llu round %llu: nothing has moved for %llu s, mode %d\n", (unsigned long long)seed0,
                   (unsigned long long)round_number, (unsigned long long)patience, (int)r.mode);
            fflush(stdout);
            if (getenv("STORM_WAIT"))
                sleep(60);
            _exit(3);
        }
        last = operations + rounds;
    }
    return unused;
}

static void *run_loop(void *unused)
{
    uv_run(&uv, UV_RUN_DEFAULT);
    return unused;
}

static void *dispatch_loop(void *most)
{
    struct pollfd due = {.fd = soon_loop_fd(loops[1]), .events = POLLIN};

    for (;;) {
        int rc = poll(&due, 1, -1) == 1 ? soon_loop_dispatch(loops[1], *(int *)most) : 0;

        if (rc < 0 && rc != -EBUSY)
            WRONG("M3", "soon_loop_dispatch: %s", soon_errname(rc));
    }
    return most;
}

static void nobody(soon_error const *error, void *data)
{
    (void)error;
    (void)data;
}

static void forget(uv_timer_t *timer)
{
    (void)timer;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"succeeded",   "raised", "cancelled", "killed", "time limit",    "expired",
                                        "worker died", "full",   "shut down", "broken", "no descriptor", "other"};
    static int most[2] = {0, 3};
    pthread_t watcher, looper, dispatchers[2];
    int64_t until;
    uv_timer_t keep;

    soon_init(argc, argv);
    if (argc < 3)
        return 2;
    procs = !strcmp(argv[1], "processes");
    if (!procs && strcmp(argv[1], "threads"))
        return 2;
    until = now_ms() + atoll(argv[2]) * 1000;
    seed0 = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
    sanitized = UNDER_ASAN || UNDER_TSAN; /* a child of many threads finds the sanitizer's own locks taken */
    verbose = getenv("STORM_VERBOSE") != NULL;
    pthread_mutex_init(&r.mutex, NULL);
    soon_on_unhandled(nobody, NULL);
    uv_loop_init(&uv);
    uv_timer_init(&uv, &keep);
    uv_timer_start(&keep, forget, 1000000000, 1000000000);
    if (soon_loop_attach(&loops[0], &uv) < 0 || soon_loop_new(&loops[1]) < 0)
        return 2;
    pthread_create(&looper, NULL, run_loop, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&dispatchers[i], NULL, dispatch_loop, &most[i]);
    pthread_create(&watcher, NULL, watch, NULL);
    nap_us(20000);
    if (getenv("STORM_ROUND"))
        play(strtoull(getenv("STORM_ROUND"), NULL, 10));
    else
        for (uint64_t number = 0; now_ms() < until; number++)
            play(number);
    printf("%s, seed %llu: %llu rounds, %llu operations, %llu futures; blows %llu, stops %llu, squeezes %llu, corrupt "
           "tasks %llu, forks %llu, kills %llu, cancels %llu\n",
           argv[1], (unsigned long long)seed0, (unsigned long long)rounds, (unsigned long long)operations,
           (unsigned long long)futures_made, (unsigned long long)blows_all, (unsigned long long)stops_all,
           (unsigned long long)squeezes, (unsigned long long)corrupts, (unsigned long long)forks,
           (unsigned long long)kills_made, (unsigned long long)cancels_made);
    for (int i = 0; i < 12; i++)
        printf("%s%s %llu", i ? ", " : "  ", names[i], (unsigned long long)outcomes[i]);
    printf("\n  violations %llu\n%llu passed, %llu failed\n", (unsigned long long)violations,
           (unsigned long long)rounds, (unsigned long long)violations);
    fflush(stdout);
    _exit(violations ? 1 : 0);
}
