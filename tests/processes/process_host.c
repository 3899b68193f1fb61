/*
 * process_host.c - process pools in programs that have ways of their own with children, signals and descriptors, and in
 * programs that die.
 */
#include "../support/process_fixture.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <uv.h>

enum { WORKERS = 4 };

TestSuite(process_host);

/*
 * Programs that reap all children, or want to hear of none
 */

static _Atomic bool over;

static void *reap_all(void *unused)
{
    while (!over) {
        if (waitpid(-1, NULL, 0) < 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return unused;
}

static void reap_here(int number)
{
    int saved = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    errno = saved;
}

SOON_TASK(spin, soon_none, soon_none)
{
    for (volatile unsigned turns = 0;; turns++)
        continue;
    return 0;
}

/* How it has ended may not be known, but that it has. */
static void assert_worker_died(soon_future *future)
{
    const soon_error *error;

    cr_assert_eq(soon_future_exception(future, SOON_FOREVER, &error), 0);
    cr_assert_eq(error->code, SOON_EWORKERDIED, "%s", error->message);
    cr_assert_gt(error->worker_pid, 0);
    soon_future_unref(future);
}

static void run_session(void)
{
    soon_executor *pool = new_processes(.workers = 2, .grace_ms = 50);
    soon_future *killed;
    int doubled;

    for (int i = 0; i < 30; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, twice, i), &doubled), 0);
        cr_assert_eq(doubled, 2 * i);
        if (i % 3 == 0)
            assert_worker_died(soon_submit(pool, die_by, i % 2 ? BY_SIGKILL : BY_EXIT_3));
    }
    cr_assert_eq(outcome_of(soon_submit_with(pool, (.time_limit_ms = 20), spin)), SOON_ETIMELIMIT);
    killed = soon_submit(pool, spin);
    test_wait_until(soon_future_running(killed));
    cr_assert_eq(soon_future_kill(killed), 0);
    cr_assert_eq(outcome_of(killed), SOON_EKILLED);
    free_pool(pool);
}

Test(process_host, may_reap_all_children_in_a_thread)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, reap_all, NULL), 0);
    run_session();
    over = true;
    pthread_join(thread, NULL);
}

static void set_sigchld(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    cr_assert_eq(sigaction(SIGCHLD, &action, NULL), 0);
}

Test(process_host, may_reap_all_children_in_a_signal_handler)
{
    set_sigchld(reap_here, SA_RESTART);
    run_session();
}

Test(process_host, may_be_interrupted_by_the_death_of_children)
{
    set_sigchld(reap_here, 0);
    run_session();
}

Test(process_host, may_ignore_children)
{
    set_sigchld(SIG_IGN, 0);
    run_session();
}

Test(process_host, may_have_children_that_leave_nothing)
{
    set_sigchld(SIG_DFL, SA_NOCLDWAIT);
    run_session();
}

/*
 * Programs with other descriptors than usual
 */

/* libuv closes what is its own when a program ends, and aborts if that is where input or output should be. */
static void check_pool_and_exit(void)
{
    soon_executor *pool;
    int doubled = 0, rc = soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 2});

    if (rc == 0)
        rc = soon_take(soon_submit(pool, twice, 21), &doubled);
    if (rc == 0 && (doubled != 42 || soon_executor_free(pool) < 0))
        rc = -1;
    uv_library_shutdown();
    _exit(rc < 0);
}

static int status_of(pid_t child)
{
    int status;

    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(process_host, may_have_neither_input_nor_output)
{
    for (int missing = 1; missing < 8; missing++) {
        pid_t child = test_fork();

        if (child == 0) {
            alarm(60); /* a hang must not outlive the test */
            for (int fd = 0; fd < 3; fd++) {
                if (missing >> fd & 1)
                    close(fd);
            }
            check_pool_and_exit();
        }
        cr_assert_eq(status_of(child), 0, "without %d", missing);
    }
}

SOON_TASK_BYTES(give_much)
{
    return soon_task_return_space(task, 5 << 20) ? 0 : soon_raise(task, ENOMEM, "%zu", arg.size);
}

/* The kernel sends SIGXFSZ, which is nobody's business here. */
Test(process_host, may_have_a_limit_of_file_sizes)
{
    struct rlimit before, tiny;
    soon_executor *pool = new_processes(.workers = 1);
    soon_buffer *buffer = NULL;
    soon_shared *shared;
    soon_bytes bytes;
    soon_future *future;
    int doubled, rc;

    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){1 << 20, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tiny), 0);

    cr_assert_eq(soon_buffer_new(&buffer, 2 << 20), 0); /* in memory that cannot be mapped elsewhere */
    soon_buffer_unref(buffer);
    rc = soon_shared_new(&shared, 8 << 20);
    cr_assert_lt(rc, 0, "%s", soon_strerror(rc));
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    future = give_much_submit(pool, "", 1, NULL);
    cr_assert_eq(soon_future_result(future, SOON_FOREVER, &bytes), 0);
    cr_assert_eq(bytes.size, (size_t)5 << 20);
    soon_future_unref(future);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 3), &doubled), 0);
    free_pool(pool);
}

SOON_TASK(open_descriptors, soon_none, int)
{
    for (int fd = 3; fd < 1000; fd++)
        *result += fcntl(fd, F_GETFD) >= 0;
    return 0;
}

static int count_own(int fd, bool inheritable)
{
    int flags = fcntl(fd, F_GETFD);

    return flags >= 0 && (!inheritable || !(flags & FD_CLOEXEC));
}

/* Whatever the program has open, at whatever numbers, and whatever it starts itself meanwhile. */
Test(process_host, gives_workers_no_descriptor_of_its_own_and_its_children_none_of_ours)
{
    int before = 0, after = 0, few, many;
    soon_executor *pool;

    for (int fd = 3; fd < 1000; fd++)
        before += count_own(fd, true);
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, open_descriptors), &few), 0);
    for (int fd = 3; fd < 1000; fd++)
        after += count_own(fd, true);
    cr_assert_eq(before, after);
    free_pool(pool);

    for (int i = 0; i < 300; i++)
        cr_assert_geq(dup(STDERR_FILENO), 0);
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, open_descriptors), &many), 0);
    cr_assert_eq(few, 3); /* control socket, parent and bell */
    cr_assert_eq(many, 3);
    free_pool(pool);
    test_accept_open_descriptors();
}

/*
 * Programs that are large
 */

static uint64_t resident(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

SOON_TASK(own_size, soon_none, uint64_t)
{
    *result = resident();
    return 0;
}

static uint64_t available_memory(void)
{
    unsigned long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");

    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %lu kB", &kib) != 1)
        continue;
    fclose(file);
    return (uint64_t)kib * 1024;
}

/* Its workers have nothing of that, to begin with and after a death. In pages of the usual size, so that its tables are as
 * large as they get. */
Test(process_host, may_be_6_GiB_large)
{
    const uint64_t size = UINT64_C(6) << 30;
    soon_executor *pool;
    uint64_t workers_size;
    void *memory;

    if (size > SIZE_MAX)
        cr_skip_test("addresses end sooner");
    if (available_memory() < size + size / 4)
        cr_skip_test("the machine has less memory to spare");
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    cr_assert_eq(madvise(memory, size, MADV_POPULATE_WRITE), 0);
    cr_assert_gt(resident(), size);

    pool = new_processes(.workers = 2);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, own_size), &workers_size), 0);
        cr_assert_lt(workers_size, size / 8);
        assert_worker_died(soon_submit(pool, die_by, BY_SIGKILL));
    }
    free_pool(pool);
    munmap(memory, size);
}

/*
 * Signals from strangers
 */

static pid_t start_stranger(const int *pids)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGTTOU, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    pid_t stranger = test_fork();

    if (stranger)
        return stranger;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0;; i++) {
        kill(pids[i % WORKERS], signals[i % 7]);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* As a service manager or a terminal does to a group, while the parent drains; in any moment of theirs. */
Test(process_host, may_be_drained_while_strangers_signal_its_workers)
{
    enum { TASKS = 2000 };
    static soon_future *futures[TASKS];
    soon_executor *pool = new_processes(.workers = WORKERS);
    int pids[WORKERS];
    struct gate gate = gate_new();
    pid_t stranger;

    for (int i = 0; i < WORKERS; i++)
        futures[i] = own_pid_at_gate_submit(pool, &gate, NULL);
    gate_await(gate, WORKERS);
    gate_open(gate, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        cr_assert_eq(soon_take(futures[i], &pids[i]), 0);
    stranger = start_stranger(pids);
    for (int i = 0; i < TASKS; i++)
        futures[i] = soon_submit(pool, pause_for_us, 200);
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);

    for (int i = 0; i < TASKS; i++)
        cr_assert(soon_future_succeeded(futures[i]), "%s", soon_future_error(futures[i])->message);
    soon_futures_unref(futures, TASKS);
    cr_assert_eq(stats_of(pool).worker_deaths, 0);
    kill(stranger, SIGKILL);
    status_of(stranger);
    free_pool(pool);
    gate_free(gate);
}

/*
 * Programs that die
 */

struct told {
    int pids[2], child;
};

SOON_TASK(tell_and_spin, int, soon_none)
{
    char path[64];
    int fd, pid = getpid();

    if (*arg < 0)
        prctl(PR_SET_PDEATHSIG, 0); /* as a change of user does */
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getppid(), abs(*arg));
    fd = open(path, O_WRONLY);
    if (write(fd, &pid, sizeof pid) != sizeof pid)
        _exit(1);
    return spin(task, (const soon_none *)arg, (soon_none *)result);
}

/* With a child of its own that lives on and has copies of all that it had open. */
static void die_with_a_pool(int fd, bool stopped)
{
    soon_executor *pool = new_processes(.workers = 2);
    struct told told = {.child = 0};
    int ends[2];

    if (pipe(ends) < 0)
        _exit(1);
    for (int i = 0; i < 2; i++)
        soon_future_unref(soon_submit(pool, tell_and_spin, stopped ? ends[1] : -ends[1]));
    for (int i = 0; i < 2; i++)
        cr_assert_eq(read(ends[0], &told.pids[i], sizeof(int)), (ssize_t)sizeof(int));
    if (stopped)
        stop_process(told.pids[0]);
    told.child = test_fork();
    while (told.child == 0)
        pause();
    cr_assert_eq(write(fd, &told, sizeof told), (ssize_t)sizeof told);
    raise(SIGKILL);
}

Test(process_host, takes_its_workers_along_whatever_they_do_and_whoever_has_copies)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int stopped = 0; stopped < 2; stopped++) {
        struct told told;
        int ends[2];
        pid_t child;

        cr_assert_eq(pipe(ends), 0);
        child = test_fork();
        if (child == 0)
            die_with_a_pool(ends[1], stopped);
        cr_assert_gt(child, 0);
        close(ends[1]);
        cr_assert_eq(read(ends[0], &told, sizeof told), (ssize_t)sizeof told);
        status_of(child);
        for (int i = 0; i < 2; i++)
            status_of(told.pids[i]);
        cr_assert_eq(kill(told.child, SIGKILL), 0);
        status_of(told.child);
        close(ends[0]);
    }
}
