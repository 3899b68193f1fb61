/*
 * process_refused.c - a process pool, and a caller's loop, where the system refuses what an older kernel, gVisor or a
 * container's filter does not know: they work all the same, and sleep when there is nothing to do; or say at once what is
 * missing.
 */
#include "../support/library_loop_fixture.h"
#include "../support/process_fixture.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

TestSuite(process_refused, .bare = true);

/* A call of the system; one argument of it with any of these bits; all if 0. */
struct refused {
    const char *name;
    long number;
    unsigned argument, bits;
    int error;
};

/* From now on, here and in what is started. */
static void refuse(const struct refused *what)
{
    unsigned argument = (unsigned)offsetof(struct seccomp_data, args) + 8 * what->argument;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)what->number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument), /* the lower half: this is a little-endian machine */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, what->bits, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what->bits, 0, 1), /* none to look at: all */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)what->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(filter), filter};

    if (!what->bits)
        filter[2] = filter[3] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

/* Nanoseconds that a thread has had a CPU. */
static unsigned long long cpu_ns_of(pid_t thread)
{
    unsigned long long ns = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)thread);
    file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%llu", &ns), 1);
    fclose(file);
    return ns;
}

/* Waits until it has slept through some time: for ever, if it does not. */
static void await_sleep_of_loop(void)
{
    unsigned long long before;
    size_t count;
    pid_t loop = thread_called("soon-loop", &count);

    cr_assert_eq(count, 1);
    do {
        before = cpu_ns_of(loop);
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    } while (cpu_ns_of(loop) != before);
}

/* In a process of its own, which ends well. */
static void in_child_without(const struct refused *what, void (*run)(void))
{
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        refuse(what);
        run();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "without %s: status %x", what->name, (unsigned)status);
}

static void use_pool(void)
{
    soon_executor *pool = new_processes(.workers = 2);
    int result;

    for (int i = 0; i < 20; i++)
        cr_assert(soon_take(soon_submit(pool, twice, i), &result) == 0 && result == 2 * i);
    cr_assert_eq(soon_take(soon_submit(pool, die_by, BY_EXIT_AT_ONCE), &result), SOON_EWORKERDIED);
    await_sleep_of_loop();
    free_pool(pool);
}

static void works_without(const struct refused *what)
{
    in_child_without(what, use_pool);
}

static void set(void *flag)
{
    *(bool *)flag = true;
}

/* Woken, and then there is nothing that it would wake for. */
static void use_loop(void)
{
    struct pollfd loops = {.events = POLLIN};
    bool done = false, closed = false;
    uv_loop_t loop;
    soon_loop *on;

    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(soon_loop_attach(&on, &loop), 0);
    cr_assert_eq(soon_loop_post(on, set, &done), 0);
    while (!done)
        uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    loops.fd = uv_backend_fd(&loop);
    cr_assert_eq(poll(&loops, 1, 0), 0, "the loop turns without end");
    soon_loop_detach(on, set, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert(closed);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

/* Linux 5.4 to 5.7 and gVisor do not know the flag for bells; filters refuse in several ways. */
Test(process_refused, reading_without_waiting_is_not_needed)
{
    static const int errors[] = {EOPNOTSUPP, EINVAL, ENOSYS, EPERM};

    for (size_t i = 0; i < COUNT(errors); i++) {
        const struct refused what = {"preadv2", SYS_preadv2, .error = errors[i]};

        works_without(&what);
        in_child_without(&what, use_loop);
    }
}

Test(process_refused, what_is_newer_than_the_oldest_kernel_is_not_needed)
{
    static const struct refused table[] = {
        {"MFD_NOEXEC_SEAL", SYS_memfd_create, 1, 8, EINVAL}, /* 6.3 */
        {"MFD_NOEXEC_SEAL", SYS_memfd_create, 1, 8, EPERM},
        {"close_range", SYS_close_range, 0, 0, ENOSYS}, /* 5.9 */
        {"clone3", SYS_clone3, 0, 0, ENOSYS},           /* refused by filters */
        {"statx", SYS_statx, 0, 0, ENOSYS},
        {"sched_getaffinity", SYS_sched_getaffinity, 0, 0, EPERM},
        {"sched_setaffinity", SYS_sched_setaffinity, 0, 0, EPERM},
        {"sched_getscheduler", SYS_sched_getscheduler, 0, 0, EPERM},
        {"sched_setscheduler", SYS_sched_setscheduler, 0, 0, EPERM},
        {"tgkill", SYS_tgkill, 0, 0, EPERM},
        {"membarrier", SYS_membarrier, 0, 0, ENOSYS},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        if (table[i].number != SYS_sched_getaffinity || !(UNDER_ASAN || UNDER_TSAN)) /* which cannot do without */
            works_without(&table[i]);
    }
}

static int made_without(const struct refused *what)
{
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        refuse(what);
        _exit(-try_processes(.workers = 1));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(process_refused, what_cannot_be_done_without_is_told_when_a_pool_is_made)
{
    static const struct refused table[] = {
        {"pidfd_open", SYS_pidfd_open, .error = ENOSYS},
        {"pidfd_open", SYS_pidfd_open, .error = EPERM},
        {"pidfd_send_signal", SYS_pidfd_send_signal, .error = ENOSYS},
        {"memfd_create", SYS_memfd_create, .error = EPERM},
        {"eventfd2", SYS_eventfd2, .error = EPERM},
        {"epoll_create1", SYS_epoll_create1, .error = ENOSYS},
    };

    for (size_t i = 0; i < COUNT(table); i++)
        cr_assert_eq(made_without(&table[i]), table[i].error, "%s", table[i].name);
}
