/*
 * cpu.c - affinity and CPU quotas.
 *
 * /proc/self/cgroup says in which cgroup this process is: that of version 2, or of the cpu controller of version 1.
 * /proc/self/mountinfo says where each hierarchy is mounted, and which of its cgroups is at the mount point: a
 * container often sees its own part alone. Each cgroup from that of the process up to the mount point may have a quota,
 * and the least one counts.
 */
#include "cpu_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AFFINITY_MAX = 1 << 20 /* CPUs; far beyond any kernel */
};

/* A kind of hierarchy, and how to read the limit of one of its cgroups. */
struct hierarchy {
    const char *type;       /* of its file system */
    const char *controller; /* the one that it must have; NULL: it has all of them */
    int (*limit)(const char *cgroup);
};

int soon__cpu_affinity(int (*get)(pid_t pid, size_t size, cpu_set_t *mask))
{
    int count = 0;

    /* The kernel refuses a mask that is smaller than its own. */
    for (size_t cpus = CPU_SETSIZE; cpus <= AFFINITY_MAX && !count; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *mask = CPU_ALLOC(cpus);
        bool too_small = false;

        if (!mask)
            return 0;
        CPU_ZERO_S(size, mask);
        if (get(0, size, mask) == 0)
            count = CPU_COUNT_S(size, mask);
        else
            too_small = errno == EINVAL;
        CPU_FREE(mask);
        if (!count && !too_small)
            return 0;
    }
    return count;
}

/* Reads the first line of a file. False: there is none, or it does not fit. */
static bool read_line(const char *folder, const char *name, char *ret, size_t size)
{
    char path[PATH_MAX];
    bool ok = false;
    FILE *file;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    file = fopen(path, "re");
    if (!file)
        return false;
    if (fgets(ret, (int)size, file))
        ok = strchr(ret, '\n') || feof(file);
    fclose(file);
    return ok;
}

/* Reads a whole number above 0, which a space, the end of the line or the end of the text follows. Moves `*text` behind
 * it. */
static bool read_number(const char **text, int64_t *ret)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(*text, &end, 10);
    if (end == *text || errno || number <= 0 || (*end && *end != '\n' && *end != ' '))
        return false;
    *text = end;
    *ret = number;
    return true;
}

static int cpus_worth(int64_t quota, int64_t period)
{
    int64_t cpus = quota / period + (quota % period != 0);

    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* The file has "150000 100000", or "max 100000" without a quota. */
static int limit_v2(const char *cgroup)
{
    char line[128];
    const char *text = line;
    int64_t quota, period;

    if (!read_line(cgroup, "cpu.max", line, sizeof line) || !read_number(&text, &quota) || !read_number(&text, &period))
        return INT_MAX;
    return cpus_worth(quota, period);
}

/* There are two files, and a quota of -1 is none. */
static int limit_v1(const char *cgroup)
{
    char quota_line[64], period_line[64];
    const char *quota_text = quota_line, *period_text = period_line;
    int64_t quota, period;

    if (!read_line(cgroup, "cpu.cfs_quota_us", quota_line, sizeof quota_line) ||
        !read_line(cgroup, "cpu.cfs_period_us", period_line, sizeof period_line) || !read_number(&quota_text, &quota) ||
        !read_number(&period_text, &period))
        return INT_MAX;
    return cpus_worth(quota, period);
}

static const struct hierarchy hierarchies[] = {
    {"cgroup2", NULL, limit_v2},
    {"cgroup", "cpu", limit_v1},
};

/* Is `name` in `list`, which has commas between its names? */
static bool is_listed(const char *list, const char *name)
{
    size_t size = strlen(name);

    for (; list; list = strchr(list, ',')) {
        list += *list == ',';
        if (strncmp(list, name, size) == 0 && (!list[size] || list[size] == ','))
            return true;
    }
    return false;
}

/* Finds the cgroup of this process in the hierarchy, in a line "7:cpu,cpuacct:/a/b" or "0::/a/b". */
static bool own_cgroup(const char *root, const struct hierarchy *hierarchy, char ret[PATH_MAX])
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file;

    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path || !(file = fopen(path, "re")))
        return false;
    while (!found && getline(&line, &size, file) > 0) {
        char *controllers = strchr(line, ':'), *cgroup = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!cgroup || cgroup[1] != '/')
            continue;
        *cgroup++ = '\0';
        cgroup[strcspn(cgroup, "\n")] = '\0';
        controllers++;
        found = hierarchy->controller ? is_listed(controllers, hierarchy->controller) : !*controllers;
        if (found)
            found = snprintf(ret, PATH_MAX, "%s", cgroup) < PATH_MAX;
    }
    free(line);
    fclose(file);
    return found;
}

/* Finds where the hierarchy is mounted, and which of its cgroups is there, in a line
 * "36 25 0:31 /docker/1 /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct". */
static bool is_mount(char *line, const struct hierarchy *hierarchy, char **ret_cgroup, char **ret_point)
{
    char *fields[5], *rest = line, *separator = strstr(line, " - "), *type, *options;

    if (!separator)
        return false;
    *separator = '\0';
    for (int i = 0; i < 5; i++) {
        fields[i] = strtok_r(rest, " ", &rest);
        if (!fields[i])
            return false;
    }
    rest = separator + 3;
    type = strtok_r(rest, " ", &rest);
    if (!type || strcmp(type, hierarchy->type) != 0 || !strtok_r(rest, " ", &rest))
        return false;
    options = strtok_r(rest, " \n", &rest);
    if (hierarchy->controller && (!options || !is_listed(options, hierarchy->controller)))
        return false;
    *ret_cgroup = fields[3];
    *ret_point = fields[4];
    return true;
}

/* The least limit from the cgroup of the process up to the mount point. */
static int limit_below(const char *root, const struct hierarchy *hierarchy, const char *cgroup, const char *mounted,
                       const char *point)
{
    size_t above = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    const char *below = "";
    char path[PATH_MAX];
    size_t bottom;
    int least = INT_MAX;

    /* If it lies outside of what is mounted, the limit of the mount point counts all the same. */
    if (strncmp(cgroup, mounted, above) == 0 && (!cgroup[above] || cgroup[above] == '/'))
        below = cgroup + above;
    bottom = strlen(root) + strlen(point);
    if (snprintf(path, sizeof path, "%s%s%s", root, point, below) >= (int)sizeof path)
        return INT_MAX;
    for (;;) {
        int limit = hierarchy->limit(path);

        if (limit < least)
            least = limit;
        if (strlen(path) <= bottom)
            return least;
        *strrchr(path, '/') = '\0';
    }
}

static int cgroup_limit(const char *root, const struct hierarchy *hierarchy)
{
    char path[PATH_MAX], cgroup[PATH_MAX], *line = NULL, *mounted, *point;
    size_t size = 0;
    int least = INT_MAX, limit;
    FILE *file;

    if (!own_cgroup(root, hierarchy, cgroup) ||
        snprintf(path, sizeof path, "%s/proc/self/mountinfo", root) >= (int)sizeof path || !(file = fopen(path, "re")))
        return INT_MAX;
    while (getline(&line, &size, file) > 0) {
        if (!is_mount(line, hierarchy, &mounted, &point))
            continue;
        limit = limit_below(root, hierarchy, cgroup, mounted, point);
        if (limit < least)
            least = limit;
    }
    free(line);
    fclose(file);
    return least;
}

int soon__cpu_count_at(const char *root, int available)
{
    int count = available;

    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        int limit = cgroup_limit(root, &hierarchies[i]);

        if (limit < count)
            count = limit;
    }
    return count < 1 ? 1 : count;
}

int soon__cpu_count(void)
{
    int available = soon__cpu_affinity(sched_getaffinity);

    if (!available)
        available = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return soon__cpu_count_at("", available);
}
