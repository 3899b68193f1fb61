/*
 * bench.c - see bench.h.
 */
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { METRICS_MAX = 16, VALUES_MAX = 64, NOT_HERE = 77 };

static struct {
    int argc;
    char **argv;
    size_t count;
    struct {
        const char *name;
        size_t count;
        double values[VALUES_MAX];
    } metrics[METRICS_MAX];
} bench;

void bench_start(int argc, char **argv)
{
    bench.argc = argc;
    bench.argv = argv;
}

const char *bench_word(const char *key, const char *otherwise)
{
    size_t length = strlen(key);

    for (int i = 1; i < bench.argc; i++) {
        if (strncmp(bench.argv[i], key, length) == 0 && bench.argv[i][length] == '=')
            return bench.argv[i] + length + 1;
    }
    return otherwise;
}

int64_t bench_number(const char *key, int64_t otherwise)
{
    const char *word = bench_word(key, NULL);
    char *end;
    int64_t number;

    if (!word)
        return otherwise;
    number = strtoll(word, &end, 10);
    bench_check(*word && !*end, key);
    return number;
}

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void bench_busy(int64_t ns)
{
    if (ns == 0)
        return;
    for (int64_t until = bench_now_ns() + ns; bench_now_ns() < until;)
        continue;
}

void bench_check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "wrong: %s\n", what);
    exit(1);
}

void bench_skip(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    exit(NOT_HERE);
}

void bench_metric(const char *name, double value)
{
    size_t i = 0;

    while (i < bench.count && strcmp(bench.metrics[i].name, name) != 0)
        i++;
    bench_check(i < METRICS_MAX, "too many metrics");
    if (i == bench.count)
        bench.metrics[bench.count++].name = name;
    bench_check(bench.metrics[i].count < VALUES_MAX, "too many passes");
    bench.metrics[i].values[bench.metrics[i].count++] = value;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void bench_percentiles(int64_t *times_ns, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)times_ns[i];
    bench_metric("mean_ns", sum / (double)count);
    qsort(times_ns, count, sizeof *times_ns, compare);
    bench_metric("p50_ns", (double)times_ns[count / 2]);
    if (count >= 100)
        bench_metric("p99_ns", (double)times_ns[count * 99 / 100]);
    if (count >= 1000)
        bench_metric("p999_ns", (double)times_ns[count * 999 / 1000]);
}

int bench_finish(void)
{
    printf("{");
    for (size_t i = 0; i < bench.count; i++) {
        printf("%s\"%s\": [", i ? ", " : "", bench.metrics[i].name);
        for (size_t j = 0; j < bench.metrics[i].count; j++)
            printf("%s%.6g", j ? ", " : "", bench.metrics[i].values[j]);
        printf("]");
    }
    printf("}\n");
    return 0;
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    bench_check(memory, "out of memory");
    return memory;
}

int64_t bench_resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    bench_check(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void add_threads(struct bench_used *used, int pid)
{
    char path[300];
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        long long cpu_ns = 0, waited_ns, switches = 0;
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        file = entry->d_name[0] == '.' || atoi(entry->d_name) == gettid() ? NULL : fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%lld %lld %lld", &cpu_ns, &waited_ns, &switches) == 3) {
            used->cpu_ns += cpu_ns;
            used->switches += switches;
        }
        fclose(file);
    }
    if (folder)
        closedir(folder);
}

static bool is_child(int pid)
{
    char path[40];
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    if (fscanf(file, "%*d %*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    fclose(file);
    return parent == getpid();
}

struct bench_used bench_used(void)
{
    struct bench_used used = {0, 0};
    struct dirent *entry;
    DIR *folder = opendir("/proc");

    bench_check(folder, "/proc");
    add_threads(&used, getpid());
    while ((entry = readdir(folder))) {
        int pid = atoi(entry->d_name);

        if (pid > 0 && is_child(pid))
            add_threads(&used, pid);
    }
    closedir(folder);
    return used;
}

void bench_grow(int64_t bytes)
{
    char *memory;

    if (bytes == 0)
        return;
    if (bytes > (int64_t)sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE))
        bench_skip("not enough memory here");
    memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(memory != MAP_FAILED, "mmap");
    /* In small pages: what a fork has to copy is their tables. */
    madvise(memory, (size_t)bytes, MADV_NOHUGEPAGE);
    for (int64_t at = 0; at < bytes; at += sysconf(_SC_PAGESIZE))
        memory[at] = 1;
}
