/*
 * surroundings_linux.c - CPUs, niceness and scheduling policy: Linux has all three per thread, and a process that is
 * started has those of the thread that starts it.
 *
 * What does not differ is not set: an affinity that was set once does not follow when the system gives the process more
 * CPUs.
 */
#include "surroundings_internal.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct soon__surroundings of_process;

static void take_from(struct soon__surroundings *ret, pid_t thread)
{
    struct sched_param param = {0};
    int policy = sched_getscheduler(thread);

    memset(ret, 0, sizeof *ret);
    ret->knows_cpus = sched_getaffinity(thread, sizeof ret->cpus, ret->cpus) == 0;
    ret->knows_policy = policy >= 0 && sched_getparam(thread, &param) == 0;
    ret->policy = policy;
    ret->priority = param.sched_priority;
    ret->nice = getpriority(PRIO_PROCESS, (id_t)thread);
}

static bool is_real_time(int policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

static void make_usual(struct soon__surroundings *surroundings)
{
    surroundings->policy = SCHED_OTHER;
    surroundings->priority = 0;
}

void soon__surroundings_take(struct soon__surroundings *ret)
{
    bool resets;

    take_from(ret, 0);
    resets = ret->knows_policy && ret->policy & SCHED_RESET_ON_FORK;
    ret->policy &= ~SCHED_RESET_ON_FORK;
    /* As the kernel does it. And a deadline policy reserves time for one thread, which a second one cannot have. */
    if ((resets && is_real_time(ret->policy)) || ret->policy == SCHED_DEADLINE)
        make_usual(ret);
    if (resets && ret->nice < 0)
        ret->nice = 0;
}

__attribute__((constructor)) static void take_of_process(void)
{
    take_from(&of_process, getpid());
    of_process.policy &= ~SCHED_RESET_ON_FORK;
    if (is_real_time(of_process.policy))
        make_usual(&of_process);
}

const struct soon__surroundings *soon__surroundings_of_process(void)
{
    return &of_process;
}

void soon__surroundings_give(const struct soon__surroundings *surroundings, pid_t thread)
{
    struct sched_param param = {.sched_priority = surroundings->priority};
    struct soon__surroundings now;

    take_from(&now, thread);
    if (surroundings->knows_cpus && now.knows_cpus && memcmp(surroundings->cpus, now.cpus, sizeof now.cpus) != 0)
        (void)sched_setaffinity(thread, sizeof surroundings->cpus, surroundings->cpus);
    if (surroundings->knows_policy && (surroundings->policy != now.policy || surroundings->priority != now.priority))
        (void)sched_setscheduler(thread, surroundings->policy, &param);
    if (surroundings->nice != now.nice)
        (void)setpriority(PRIO_PROCESS, (id_t)thread, surroundings->nice);
}
