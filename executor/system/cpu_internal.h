/*
 * cpu_internal.h - how many CPUs this process may use: as many as its affinity allows, and no more than the CPU quotas
 * of its cgroup, and of those above it, are worth. And what a thread does that waits on a CPU.
 */
#ifndef SOON_EXECUTOR_SYSTEM_CPU_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_CPU_INTERNAL_H

#include <sched.h>

/* At least 1. Any thread. */
int soon__cpu_count(void);

/* A part of it, for tests. `root` stands before /proc and each mount point: "" is this machine. `available` is the
 * limit that is known already. A file that is missing, or makes no sense, is no limit. */
int soon__cpu_count_at(const char *root, int available);

/* How many CPUs are in the mask that `get` gives, a function like sched_getaffinity(). 0: it fails. */
int soon__cpu_affinity(int (*get)(pid_t pid, size_t size, cpu_set_t *mask));

/* To be called between two reads of a word that another thread is to change. */
static inline void soon__cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Asks for a line of memory that another CPU has, and that is to be written soon. */
static inline void soon__cpu_expect_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line)); /* the builtin asks for it to be read */
#else
    __builtin_prefetch(line, 1);
#endif
}

#endif
