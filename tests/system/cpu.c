/*
 * cpu.c - how many CPUs a pool may use: affinity and cgroups, on made-up file systems.   (loky: test_cpu_count_*)
 */
#include "../harness/test.h"

#include "../../executor/system/cpu_internal.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/soon-cpu-XXXXXX";

static void make_root(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *info)
{
    (void)status, (void)type, (void)info;
    return remove(path);
}

static void remove_root(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cpu, .init = make_root, .fini = remove_root);

/* Writes a file below the root, with the folders above it. */
static void write_file(const char *path, const char *text)
{
    char full[PATH_MAX];
    FILE *file;

    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    file = fopen(full, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void make_v2(const char *cgroup)
{
    char line[PATH_MAX];

    snprintf(line, sizeof line, "0::%s\n", cgroup);
    write_file("/proc/self/cgroup", line);
    write_file("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                       "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
}

static void make_v1(const char *cgroup, const char *mounted)
{
    char text[2 * PATH_MAX];

    snprintf(text, sizeof text, "9:cpuset:/elsewhere\n4:cpuacct,cpu:%s\n0::/elsewhere\n", cgroup);
    write_file("/proc/self/cgroup", text);
    snprintf(text, sizeof text,
             "30 22 0:25 /x /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
             "31 22 0:26 %s /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n",
             mounted);
    write_file("/proc/self/mountinfo", text);
}

Test(cpu, count_is_the_affinity_where_there_are_no_cgroups)
{
    cr_assert_eq(soon__cpu_count_at(root, 7), 7);
}

Test(cpu, count_is_at_least_one)
{
    cr_assert_eq(soon__cpu_count_at(root, 0), 1);
    cr_assert_geq(soon__cpu_count(), 1);
    cr_assert_leq(soon__cpu_count(), sysconf(_SC_NPROCESSORS_CONF));
}

Test(cpu, quota_of_version_2_limits_the_count)
{
    static const struct {
        const char *text;
        int count;
    } cases[] = {
        {"200000 100000\n", 2},
        {"150000 100000\n", 2}, /* rounded up */
        {"1000 100000\n", 1},
        {"100000 100000", 1},
        {"900000 100000\n", 8}, /* more than the affinity */
        {"max 100000\n", 8},
        {"200000 0\n", 8}, /* from here on it makes no sense */
        {"0 100000\n", 8},
        {"-1 100000\n", 8},
        {"200000\n", 8},
        {"200000x 100000\n", 8},
        {"99999999999999999999 100000\n", 8},
        {"hello\n", 8},
        {"", 8},
        {"\n", 8},
    };

    make_v2("/user.slice");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("/sys/fs/cgroup/user.slice/cpu.max", cases[i].text);
        cr_expect_eq(soon__cpu_count_at(root, 8), cases[i].count, "%s", cases[i].text);
    }
}

Test(cpu, least_quota_of_nested_cgroups_counts)
{
    make_v2("/a/b/c");
    write_file("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 3);

    write_file("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 3);

    write_file("/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 2);

    write_file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 1);
}

Test(cpu, quota_of_a_neighbour_does_not_count)
{
    make_v2("/a/b");
    write_file("/sys/fs/cgroup/a/bc/cpu.max", "100000 100000\n");
    write_file("/sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 8);
}

Test(cpu, quota_of_the_own_root_counts)
{
    make_v2("/");
    write_file("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 3);
}

Test(cpu, quota_of_version_1_limits_the_count)
{
    static const struct {
        const char *quota, *period;
        int count;
    } cases[] = {
        {"200000\n", "100000\n", 2}, {"150000\n", "100000\n", 2}, /* rounded up */
        {"1000\n", "100000\n", 1},   {"-1\n", "100000\n", 8},     /* none */
        {"200000\n", "0\n", 8},      {"200000\n", "", 8},         {"what\n", "100000\n", 8},
    };

    make_v1("/system.slice/x", "/");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_quota_us", cases[i].quota);
        write_file("/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_period_us", cases[i].period);
        cr_expect_eq(soon__cpu_count_at(root, 8), cases[i].count, "%s / %s", cases[i].quota, cases[i].period);
    }
}

/* A container without a cgroup namespace sees its own part of the hierarchy, under the host's names. */
Test(cpu, quota_is_found_below_a_mounted_part_of_the_hierarchy)
{
    make_v1("/docker/1/inner", "/docker/1");
    write_file("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "200000\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 2);

    make_v1("/docker/12", "/docker/1");
    write_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(soon__cpu_count_at(root, 8), 3);
}

Test(cpu, cgroup_files_that_make_no_sense_are_no_limit)
{
    static const char *const texts[] = {"", "\n", "0:", "0::", "::::", "0::x\n", "abc", "4:cpu", "- - -\n", " - "};

    write_file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        make_v2("/");
        write_file("/proc/self/cgroup", texts[i]);
        cr_expect_eq(soon__cpu_count_at(root, 8), 8, "cgroup %s", texts[i]);

        make_v2("/");
        write_file("/proc/self/mountinfo", texts[i]);
        cr_expect_eq(soon__cpu_count_at(root, 8), 8, "mountinfo %s", texts[i]);
    }
}

Test(cpu, path_that_is_too_long_is_no_limit)
{
    static char path[PATH_MAX + 100], text[sizeof path + 10];

    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    make_v2("/");
    snprintf(text, sizeof text, "0::%s\n", path);
    write_file("/proc/self/cgroup", text);
    cr_assert_eq(soon__cpu_count_at(root, 8), 8);
}

/* A kernel for 5000 CPUs, of which this process may use 3. */
static int big_machine(pid_t pid, size_t size, cpu_set_t *mask)
{
    (void)pid;
    if (size < 5000 / 8) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(size, mask);
    CPU_SET_S(0, size, mask);
    CPU_SET_S(1024, size, mask);
    CPU_SET_S(4999, size, mask);
    return 0;
}

static int refuses(pid_t pid, size_t size, cpu_set_t *mask)
{
    (void)pid, (void)size, (void)mask;
    errno = EPERM;
    return -1;
}

static int never_large_enough(pid_t pid, size_t size, cpu_set_t *mask)
{
    (void)pid, (void)size, (void)mask;
    errno = EINVAL;
    return -1;
}

Test(cpu, affinity_mask_grows_to_what_the_kernel_needs)
{
    cr_assert_eq(soon__cpu_affinity(big_machine), 3);
    cr_assert_eq(soon__cpu_affinity(refuses), 0);
    cr_assert_eq(soon__cpu_affinity(never_large_enough), 0);
}

Test(cpu, affinity_of_this_process_counts)
{
    cpu_set_t all;

    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(soon__cpu_affinity(sched_getaffinity), CPU_COUNT(&all));

    test_stay_on_one_cpu();
    cr_assert_eq(soon__cpu_count(), 1);
}
