/*
 * privileged.c - programs with rights that who starts them does not have: set-user-ID, set-group-ID, with capabilities of
 * their file. For root, who alone can make one; others skip.
 */
#include "privileged.h"
#include "worker/worker_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { NOBODY = 65534, CAPABILITY = CAP_NET_BIND_SERVICE };

static char folder[] = "/tmp/soon-privileged-XXXXXX", program[64];

static void make_program(void)
{
    char command[512];

    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chmod(folder, 0755), 0);
    snprintf(program, sizeof program, "%s/host", folder);
    snprintf(command, sizeof command, "cp '%s' '%s'", getenv("HOST"), program);
    cr_assert_eq(system(command), 0);
}

/* Also when the test has failed: nobody is to find such a program. */
static void remove_program(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (program[0])
        cr_assert_eq(system(command), 0);
}

TestSuite(privileged, .fini = remove_program);

/* NULL: it can be tried here. */
static const char *obstacle(void)
{
    struct statvfs system;

    if (geteuid() != 0)
        return "only root can give a program rights";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return "no program gets rights here (no_new_privs)";
    if (statvfs("/tmp", &system) == 0 && system.f_flag & ST_NOSUID)
        return "no program gets rights in /tmp (nosuid)";
    return NULL;
}

#define SKIP_IF_IMPOSSIBLE()                                                                                           \
    do {                                                                                                               \
        if (obstacle())                                                                                                \
            cr_skip_test("%s", obstacle());                                                                            \
    } while (0)

static void set_mode(mode_t mode)
{
    cr_assert_eq(chown(program, 0, 0), 0);
    cr_assert_eq(chmod(program, mode), 0);
}

static void set_capability(void)
{
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                .data[0].permitted = 1u << CAPABILITY};

    set_mode(0755);
    cr_assert_eq(setxattr(program, "security.capability", &data, XATTR_CAPS_SZ_2, 0), 0);
}

static void become_nobody(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(99);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else it does not see its own /proc */
}

/* What the program prints when nobody starts it so. */
static void read_from(const char *how, const char *variable, char *ret, size_t size)
{
    int ends[2], status;
    ssize_t length;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    child = test_fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (variable)
            putenv((char *)(uintptr_t)variable);
        become_nobody();
        execl(program, program, how, NULL);
        _exit(98);
    }
    close(ends[1]);
    length = read(ends[0], ret, size - 1);
    cr_assert_gt(length, 0);
    ret[length] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "%s", ret);
}

static struct rights rights_from(const char *how, const char *variable)
{
    struct rights rights;
    char text[512];

    read_from(how, variable, text, sizeof text);
    cr_assert_eq(sscanf(text, "%u %u %x", &rights.user, &rights.group, &rights.capabilities), 3, "%s", text);
    return rights;
}

/* In a child, because nobody cannot remove the program. What it returns is the child's status. */
static int as_nobody(int (*attack)(void))
{
    pid_t child = test_fork();
    int status;

    if (child == 0) {
        become_nobody();
        _exit(attack());
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Anybody may make a channel and a socket, and start the program with them. */
static int exit_status_of_worker(void)
{
    char *arguments[] = {program, (char *)SOON__WORKER_MARKER, NULL};
    struct worker worker = start_worker((struct how){.arguments = arguments});
    struct soon__exit ended;

    if (says_hello(&worker))
        return 0;
    ended = await_end(&worker);
    return ended.killed ? 255 : ended.number;
}

Test(privileged, serves_nobody_who_has_fewer_rights)
{
    static const mode_t modes[] = {04755, 02755, 06755};

    SKIP_IF_IMPOSSIBLE();
    make_program();
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        set_mode(modes[i]);
        cr_assert_eq(as_nobody(exit_status_of_worker), SOON__EXIT_RIGHTS, "%o", modes[i]);
    }
}

/* 0: a worker serves, without it. */
static int capability_of_worker(void)
{
    char *arguments[] = {program, (char *)SOON__WORKER_MARKER, NULL};
    struct worker worker = greeted_worker((struct how){.arguments = arguments});
    struct soon__reply reply =
        done(&worker, post(&worker, &tell_rights_task, &(soon_none){0}, sizeof(soon_none), (struct asked){0}));
    struct rights rights;

    memcpy(&rights, result_of(&worker, &reply), sizeof rights);
    consume(&worker);
    retire(&worker);
    return rights.capabilities != 0;
}

Test(privileged, lends_nobody_the_capabilities_of_its_file)
{
    SKIP_IF_IMPOSSIBLE();
    make_program();
    set_capability();

    cr_assert_eq(as_nobody(capability_of_worker), 0);
    cr_assert_eq(rights_from("serve", NULL).capabilities, 0);
}

Test(privileged, has_workers_with_its_user_and_group)
{
    struct rights rights;

    SKIP_IF_IMPOSSIBLE();
    make_program();
    set_mode(04755);
    rights = rights_from("serve", NULL);
    cr_assert_eq(rights.user, 0);
    cr_assert_eq(rights.group, NOBODY);
    set_mode(02755);
    rights = rights_from("serve", NULL);
    cr_assert_eq(rights.user, NOBODY);
    cr_assert_eq(rights.group, 0);
}

Test(privileged, does_not_hear_from_its_environment_what_to_execute)
{
    SKIP_IF_IMPOSSIBLE();
    make_program();
    set_mode(04755);

    cr_assert_eq(rights_from("serve", SOON__PROGRAM_VARIABLE "=/bin/false").user, 0);
}

/* In a folder of his own he may call any program so. */
Test(privileged, does_not_look_for_programs_where_its_user_says)
{
    char own[64], path[64], text[512];
    int fd;

    SKIP_IF_IMPOSSIBLE();
    make_program();
    set_mode(04755);
    snprintf(own, sizeof own, "%s/true", folder);
    fd = open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    cr_assert_eq(write(fd, "#!/bin/sh\nexit 7\n", 17), 17);
    close(fd);
    snprintf(path, sizeof path, "PATH=%s", folder);

    read_from("search", path, text, sizeof text);

    cr_assert_not_null(strstr(text, "exited with status 0"), "%s", text);
}

Test(privileged, that_gives_its_user_up_has_no_workers_that_have_it)
{
    char text[512];

    SKIP_IF_IMPOSSIBLE();
    make_program();
    set_mode(04755);

    read_from("give-up", NULL, text, sizeof text);

    cr_assert_not_null(strstr(text, "set-user-ID"), "%s", text);
}

Test(privileged, may_have_workers_with_fewer_rights)
{
    static const char *const lower[] = {"lower", NULL};
    soon_process_pool_options options = {.workers = 1, .worker_args = lower};
    struct rights rights;
    soon_executor *pool;

    if (geteuid() != 0)
        cr_skip_test("only root can become another user");
    options.worker_program = getenv("HOST");
    cr_assert_eq(soon_process_pool_new(&pool, &options), 0);

    cr_assert_eq(soon_take(soon_submit(pool, tell_rights), &rights), 0);

    cr_assert_eq(rights.user, NOBODY);
    cr_assert_eq(soon_executor_free(pool), 0);
}
