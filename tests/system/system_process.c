/*
 * system_process.c - processes as the system gives them: their start, and what they have. Their end is in
 * system_death.c.
 */
#include "system_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MAX = 8 };

/* The field of /proc/PID/status as a mask of signals. */
static unsigned long long signals_in(pid_t process, const char *field)
{
    unsigned long long mask = 0;
    char path[64], line[256];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", process);
    file = fopen(path, "r");
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0)
            mask = strtoull(line + strlen(field) + 1, NULL, 16);
    }
    fclose(file);
    return mask;
}

static unsigned long long bit_of(int signal)
{
    return 1ULL << (signal - 1);
}

static ino_t file_at(int number)
{
    struct stat file;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
    return stat(path, &file) == 0 ? file.st_ino : 0;
}

/* It has 0 to `last` open, and nothing else. */
static void assert_descriptors(int last)
{
    struct dirent *entry;
    char path[64];
    int count = 0;
    DIR *directory;

    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    directory = opendir(path);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        cr_assert_leq(atoi(entry->d_name), last);
        count++;
    }
    closedir(directory);
    cr_assert_eq(count, last + 1);
}

TestSuite(process);

/*
 * What a child has
 */

Test(process, has_the_descriptors_that_it_was_given_and_no_others)
{
    int given[MAX], others[MAX];

    for (int i = 0; i < MAX; i++) {
        given[i] = soon__shm_new(1);
        others[i] = dup(given[i]); /* not close-on-exec */
    }
    for (int count = 0; count <= MAX; count++) {
        start_shell("kill -STOP $$", given, count);
        await_stop();
        assert_descriptors(2 + count);
        for (int i = 0; i < count; i++) {
            struct stat file;

            fstat(given[i], &file);
            cr_assert_eq(file_at(3 + i), file.st_ino);
        }
        kill_and_reap();
    }
    for (int i = 0; i < MAX; i++) {
        close(given[i]);
        close(others[i]);
    }
}

/* In a process of its own, since it takes the low numbers away from whoever has them. */
static void start_with_low_numbers(void)
{
    enum { LOW = 5 };
    int given[LOW];
    struct stat files[LOW];

    for (int i = 0; i < LOW; i++) {
        int made = soon__shm_new(1);

        given[i] = LOW - i; /* 5, 4, 3, 2, 1: each where another one is to be */
        if (made != given[i])
            dup3(made, given[i], O_CLOEXEC);
        fstat(given[i], &files[i]);
    }
    start_shell("kill -STOP $$", given, LOW);
    await_stop();
    assert_descriptors(2 + LOW);
    for (int i = 0; i < LOW; i++)
        cr_assert_eq(file_at(3 + i), files[i].st_ino);
    for (int number = 0; number < 3; number++) {
        struct stat null;

        stat("/dev/null", &null);
        cr_assert_eq(file_at(number), null.st_ino, "nobody gets what was not meant for it");
    }
    kill_and_reap();
}

Test(process, has_its_descriptors_whatever_their_numbers_are_here)
{
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        start_with_low_numbers();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(process, reads_nothing_and_writes_where_this_one_does)
{
    struct stat file;

    start_shell("kill -STOP $$", NULL, 0);
    await_stop();
    for (int number = 1; number < 3; number++) {
        fstat(number, &file);
        cr_assert_eq(file_at(number), file.st_ino);
    }
    stat("/dev/null", &file);
    cr_assert_eq(file_at(0), file.st_ino);
    kill_and_reap();
}

/* But what this one ignores, also what it was started with, and not the end of children. */
Test(process, has_no_signal_blocked_or_ignored)
{
    const unsigned long long libc_own = UINT64_C(3) << 31; /* 32 and 33 */
    unsigned long long ignored;
    sigset_t all;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    ignored = signals_in(getpid(), "SigIgn:");
    cr_assert_eq(ignored & bit_of(SIGCHLD), bit_of(SIGCHLD));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    start_shell("kill -STOP $$", NULL, 0);
    await_stop();

    cr_assert_eq(signals_in(pid, "SigBlk:"), 0);
    cr_assert_eq(signals_in(pid, "SigIgn:") & ~libc_own, ignored & ~libc_own & ~bit_of(SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
    kill_and_reap();
}

Test(process, has_a_group_of_its_own)
{
    start_shell("kill -STOP $$", NULL, 0);
    await_stop();
    cr_assert_eq(getpgid(pid), pid);
    kill_and_reap();
}

Test(process, has_its_environment_and_its_directory)
{
    char *arguments[4], *environment[] = {"A=1", NULL};
    struct soon__process_start how = shell(arguments, "test \"$A$HOME\" = 1 && test \"$(pwd)\" = /usr", NULL, 0);
    struct soon__exit exit;

    how.environment = environment;
    how.directory = open("/usr", O_PATH | O_CLOEXEC);
    start(&how);
    exit = reap();
    close(how.directory);
    cr_assert(exit.known && !exit.killed && exit.number == 0);
}

/*
 * Which program
 */

/* As soon__null_open() where there is no /dev/null. */
static int fd_of_nothing(void)
{
    int fd = soon__shm_new(0);

    cr_assert_geq(fd, 0);
    cr_assert_lt(write(fd, "x", 1), 0, "it keeps nothing");
    return fd;
}

/* The file that is held, whatever is at its path by now; the path alone, as long as it leads there. */
Test(process, is_the_one_that_was_held)
{
    static const char *const paths[] = {"/bin/sh", "/bin/false", "/nowhere/at/all", NULL};
    char *arguments[4];
    struct soon__process_start how = shell(arguments, "test -e /proc/$$/fd/3 && exit 6; exit 5", NULL, 0);

    how.executable = open("/bin/sh", O_PATH | O_CLOEXEC);
    for (size_t i = 0; i < COUNT(paths); i++) {
        how.path = paths[i];
        start(&how);
        cr_assert_eq(reap().number, i == 0 ? 5 : 6, "%s", paths[i]);
    }
    close(how.executable);
}

/* For who is in a root without /dev. */
Test(process, has_an_input_without_end_and_no_output_from_nothing)
{
    char *arguments[4];
    struct soon__process_start how =
        shell(arguments, "read line; test $? = 1 && test -z \"$line\" || exit 6; exit 5", NULL, 0);

    how.null = fd_of_nothing();
    start(&how);
    cr_assert_eq(reap().number, 5);
    close(how.null);
    how.null = soon__null_open();
    cr_assert_gt(how.null, STDERR_FILENO);
    start(&how);
    cr_assert_eq(reap().number, 5);
    close(how.null);
}

Test(process, that_cannot_start_says_why)
{
    static const struct {
        const char *path;
        int expected;
    } table[] = {{"/nowhere/at/all", -ENOENT}, {"no-such-program-anywhere", -ENOENT}, {"/dev/null", -EACCES}};
    char *arguments[4];
    struct soon__process_start how = shell(arguments, "", NULL, 0);

    pid = 4711;
    for (size_t i = 0; i < COUNT(table); i++) {
        how.path = table[i].path;
        cr_assert_eq(soon__process_start(&how, &pid), table[i].expected, "%s", table[i].path);
    }
    cr_assert_eq(pid, 4711);
    cr_assert_lt(waitpid(-1, NULL, 0), 0, "nobody is left");
}

Test(process, cannot_have_a_descriptor_that_is_not_open)
{
    char *arguments[4];
    int given[] = {1000};
    struct soon__process_start how = shell(arguments, "", given, 1);

    cr_assert_eq(soon__process_start(&how, &pid), -EBADF);
    given[0] = -1;
    cr_assert_eq(soon__process_start(&how, &pid), -EBADF);
}

/* In this program's own child. */
__attribute__((constructor)) static void become_a_child(void)
{
    if (getenv("SYSTEM_CHILD"))
        _exit(fcntl(4, F_GETFD) >= 0 && fcntl(3, F_GETFD) >= 0 && fcntl(5, F_GETFD) < 0 ? 17 : 18);
}

Test(process, may_be_this_very_program)
{
    struct soon__exit how;
    int given = soon__shm_new(1);

    start_own_program("SYSTEM_CHILD=1", given);
    how = reap();
    cr_assert(how.known && !how.killed);
    cr_assert_eq(how.number, 17, "it has what it was given, and its program behind that");
    close(given);
}

/*
 * No descriptors left
 */

static void leave_descriptors(rlim_t more)
{
    int next = dup(0);
    struct rlimit limit = {.rlim_cur = (rlim_t)next + more, .rlim_max = RLIM_INFINITY};

    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)next + more;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(process, without_descriptors_there_is_an_error_and_nothing_is_lost)
{
    int ends[2], given = soon__shm_new(1);
    char *arguments[4];
    int both[] = {given, given};
    struct soon__process_start how = shell(arguments, "exit 3", both, 2);
    struct rlimit before;

    getrlimit(RLIMIT_NOFILE, &before);
    leave_descriptors(0);
    cr_assert_eq(soon__bell_new(), -EMFILE);
    cr_assert_eq(soon__shm_new(1), -EMFILE);
    cr_assert_eq(soon__own_program(), -EMFILE);
    cr_assert_eq(soon__socket_pair(ends), -EMFILE);
    cr_assert_eq(soon__process_watch(getpid()), -EMFILE);
    cr_assert_eq(soon__own_memory(), 0);
    cr_assert_lt(soon__process_start(&how, &pid), 0);
    cr_assert_eq(soon__processes_supported(), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);

    cr_assert_eq(soon__processes_supported(), 0, "that has passed");
    close(given);
}

/*
 * This process
 */

/* ThreadSanitizer has memory of its own for what is shared. */
Test(process, knows_its_own_memory, .disabled = UNDER_TSAN)
{
    enum { SIZE = 64 << 20 };
    int fd = soon__shm_new(SIZE);
    void *shared, *own;
    uint64_t before = soon__own_memory();

    cr_assert_gt(before, 0);
    cr_assert_eq(soon__shm_map(&shared, fd, SIZE, true), 0);
    memset(shared, 1, SIZE);
    cr_assert_lt(soon__own_memory(), before + SIZE / 2, "what is shared does not count");
    own = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i += 1024)
        ((volatile char *)own)[i] = 1;
    cr_assert_gt(soon__own_memory(), before + SIZE / 2);

    free(own);
    soon__shm_unmap(shared, SIZE);
    close(fd);
}

Test(process, knows_how_long_a_child_has_waited_for_a_cpu)
{
    pid_t child;

    cr_assert_eq(soon__process_starved_ns(-1), 0);
    test_stay_on_one_cpu();
    child = test_fork();
    while (child == 0)
        continue;

    test_wait_until(soon__process_starved_ns(child) > 10000000); /* we are on its CPU */
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(process, may_end_with_its_parent)
{
    cr_assert_eq(soon__signal_at_end_of_parent(SIGKILL), 0);
}

Test(process, is_possible_here)
{
    cr_assert_eq(soon__processes_supported(), 0);
    cr_assert_eq(soon__processes_supported(), 0);
    cr_assert_eq(status_of("exit 4"), 4);
}
