/*
 * storm_fixture.h - a thread that kills or stops one child of this process after another, at random moments.
 *
 * Before most of its blows it waits until a task has ended since the last blow (storm_task_ended()). Otherwise, where
 * the start of a worker takes longer than the pause between blows, it would kill each worker before that has done
 * anything, and the test would never end.
 */
#ifndef SOON_TESTS_STORM_FIXTURE_H
#define SOON_TESTS_STORM_FIXTURE_H

#include "../support/dice.h"
#include "../support/process_fixture.h"

#include <dirent.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline int64_t storm__clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct storm {
    unsigned pause_us; /* the average time between two blows */
    unsigned stop_us;  /* every second blow is a SIGSTOP, followed by SIGCONT after this time; 0: none is */
};

static struct {
    struct storm storm;
    pthread_t thread;
    _Atomic bool over;
    _Atomic size_t blows, ended;
    _Atomic unsigned char hit[(4 << 20) / 8]; /* a bit for each process number: it was killed */
    int64_t until;                            /* the end by storm__clock_ns(); 0: after a number of tasks */
} storm__now;

static inline bool storm_has_hit(int pid)
{
    return pid > 0 && pid < 4 << 20 && storm__now.hit[pid / 8] >> pid % 8 & 1;
}

static inline size_t storm_blows(void)
{
    return storm__now.blows;
}

/* The children of all threads: Linux has a list for each thread. */
static inline size_t storm__children(int *ret, size_t room)
{
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry;
    size_t count = 0;
    char path[64];
    FILE *list;

    while ((entry = readdir(threads))) {
        snprintf(path, sizeof path, "/proc/self/task/%d/children", atoi(entry->d_name));
        list = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (list && count < room && fscanf(list, "%d", &ret[count]) == 1)
            count++;
        if (list)
            fclose(list);
    }
    closedir(threads);
    return count;
}

static inline void storm__sleep(unsigned us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

static inline void storm__strike(int pid, unsigned *seed)
{
    const struct storm *storm = &storm__now.storm;

    if (storm->stop_us && dice(seed, 2)) {
        kill(pid, SIGSTOP);
        storm__sleep(dice(seed, 2 * storm->stop_us));
        kill(pid, SIGCONT);
        return;
    }
    /* Before the kill, so that nobody sees a dead worker that was not hit. */
    atomic_fetch_or(&storm__now.hit[pid / 8], (unsigned char)(1 << pid % 8));
    kill(pid, SIGKILL);
    storm__now.blows++;
}

static inline void storm_task_ended(void)
{
    storm__now.ended++;
}

static inline void *storm__main(void *unused)
{
    /* Blows before any task has ended. With more, none would end where the start of a worker takes long. */
    enum { IN_VAIN_MAX = 50 };
    size_t count, ended = 0, in_vain = 0;
    int pids[64];
    unsigned seed = 4711;

    while (!storm__now.over) {
        storm__sleep(dice(&seed, 2 * storm__now.storm.pause_us));
        if (storm__now.ended == ended && (dice(&seed, 8) || in_vain++ >= IN_VAIN_MAX))
            continue;
        if (storm__now.ended != ended)
            in_vain = 0;
        ended = storm__now.ended;
        count = storm__children(pids, COUNT(pids));
        if (count)
            storm__strike(pids[dice(&seed, (unsigned)count)], &seed);
    }
    return unused;
}

/* Where everything is slower the pauses are longer, since no worker would get anything done otherwise. */
static inline void storm_begin(const struct storm *storm)
{
    const char *seconds = getenv("SOON_STORM_SECONDS");

    storm__now.storm = *storm;
    storm__now.storm.pause_us *= test_slowness();
    storm__now.until = seconds ? storm__clock_ns() + atoll(seconds) * 1000000000 : 0;
    storm__now.over = false;
    storm__now.blows = storm__now.ended = 0;
    cr_assert_eq(pthread_create(&storm__now.thread, NULL, storm__main, NULL), 0);
}

static inline void storm_end(void)
{
    storm__now.over = true;
    pthread_join(storm__now.thread, NULL);
}

/* Whether the test, which has done `done` of `tasks`, goes on. */
static inline bool storm_goes_on(uint64_t done, uint64_t tasks)
{
    uint64_t wanted = (uint64_t)test_rounds((int)(test_slowness() > 1 ? tasks / 10 : tasks));

    return storm__now.until ? storm__clock_ns() < storm__now.until : done < wanted;
}

/* How many mappings this process has of memory that other processes can map. */
static inline size_t storm_count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t count = 0;

    while (fgets(line, sizeof line, maps))
        count += strstr(line, "/memfd:") != NULL;
    fclose(maps);
    return count;
}

#endif
