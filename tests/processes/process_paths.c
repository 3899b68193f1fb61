/*
 * process_paths.c - what a pool's options name: it means what it meant when the pool was made, wherever the program goes. And
 * what is said of a file that is missing.
 */
#include "../support/process_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>

typedef struct place {
    char path[256];
} place;

SOON_TASK(get_place, soon_none, place)
{
    if (!getcwd(result->path, sizeof result->path))
        return soon_raise(task, errno, "%d", arg->none);
    return 0;
}

/* What an object to load has, which is not this one. */
SOON_TASK(loaded, int, int)
{
    *result = -*arg;
    return 0;
}

static void assert_is_at(soon_executor *pool, const char *path)
{
    place told;
    soon_future *future = soon_submit(pool, get_place);

    cr_assert_eq(soon_result(future, &told), 0, "%s", soon_future_error(future)->message);
    cr_assert_str_eq(told.path, path);
    soon_future_unref(future);
}

static void replace_worker(soon_executor *pool)
{
    cr_assert_eq(outcome_of(soon_submit(pool, die_by, BY_SIGKILL)), SOON_EWORKERDIED);
}

static char folder[] = "/tmp/soon-paths-XXXXXX", below[64];

/* A folder with one in it, `below`, and this program under the name `worker`; we are there. */
static void enter_folder(void)
{
    char self[PATH_MAX] = "", command[PATH_MAX + 64];

    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(mkdir("below", 0755), 0);
    snprintf(below, sizeof below, "%s/below", folder);
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    snprintf(command, sizeof command, "cp '%s' worker", self);
    cr_assert_eq(system(command), 0);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(system(command), 0);
}

TestSuite(process_paths, .fini = remove_folder);

Test(process_paths, of_program_and_directory_stay_when_the_program_goes_elsewhere)
{
    soon_executor *pool;

    enter_folder();
    pool = new_processes(.workers = 1, .worker_program = "./worker", .directory = "below");
    cr_assert_eq(chdir("/"), 0);
    for (int i = 0; i < 3; i++) {
        assert_is_at(pool, below);
        replace_worker(pool);
    }
    free_pool(pool);
}

/* An update, or somebody who wants his own program to be run. */
Test(process_paths, of_a_program_lead_to_the_one_that_was_there)
{
    soon_executor *pool;
    int result;

    enter_folder();
    pool = new_processes(.workers = 1, .worker_program = "./worker");
    cr_assert_eq(rename("worker", "old"), 0);
    cr_assert_eq(symlink("/bin/false", "worker"), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, twice, 21), &result), 0);
        cr_assert_eq(result, 42);
        replace_worker(pool);
    }
    free_pool(pool);
}

Test(process_paths, of_objects_to_load_are_relative_to_the_program_not_to_its_workers)
{
    char object[PATH_MAX], name[PATH_MAX];
    const char *objects[] = {name, NULL};
    soon_executor *pool;
    int result;

    snprintf(object, sizeof object, "%s", getenv("OBJECT"));
    snprintf(name, sizeof name, "./%s", strrchr(object, '/') + 1);
    *strrchr(object, '/') = '\0';
    cr_assert_eq(chdir(object), 0);
    pool = new_processes(.workers = 1, .load = objects, .directory = "/usr");
    cr_assert_eq(chdir("/"), 0);

    cr_assert_eq(soon_take(soon_submit(pool, loaded, 7), &result), 0);
    cr_assert_eq(result, 1007);
    free_pool(pool);
}

Test(process_paths, of_no_directory_is_that_in_which_the_pool_was_made)
{
    char here[PATH_MAX];
    soon_executor *pool = new_processes(.workers = 1);

    cr_assert_not_null(getcwd(here, sizeof here));
    assert_is_at(pool, here);
    replace_worker(pool);
    cr_assert_eq(chdir("/"), 0);
    assert_is_at(pool, here);
    free_pool(pool);
}

Test(process_paths, that_lead_nowhere_are_told_at_once)
{
    cr_assert_eq(try_processes(.worker_program = "./nowhere"), -ENOENT);
    cr_assert_eq(try_processes(.worker_program = "no-such-program-anywhere"), -ENOENT);
    cr_assert_eq(try_processes(.worker_program = ""), -ENOENT);
    cr_assert_eq(try_processes(.directory = "/nowhere"), -ENOENT);
    cr_assert_eq(try_processes(.directory = "/dev/null"), -ENOTDIR);
}

static void assert_broken_because(soon_executor *pool, const char *text)
{
    soon_future *future = soon_submit(pool, nothing);

    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_not_null(strstr(soon_future_error(future)->message, text), "%s", soon_future_error(future)->message);
    cr_assert_eq(outcome_of(future), SOON_EBROKEN);
    free_pool(pool);
}

Test(process_paths, of_what_a_program_needs_are_named_when_it_is_not_there)
{
    int fd;

    enter_folder();
    fd = open("script", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    cr_assert_eq(write(fd, "#! /nowhere/sh -e\n", 18), 18);
    close(fd);
    assert_broken_because(new_processes(.workers = 1, .worker_program = "./script", .max_restarts = 1), "/nowhere/sh");
}

static const char *const missing_object[] = {"./nowhere.so", NULL};

Test(process_paths, of_an_object_that_is_not_there_is_named)
{
    enter_folder();
    assert_broken_because(new_processes(.workers = 1, .load = missing_object, .max_restarts = 1),
                          "/nowhere.so is not there");
}

/*
 * Other roots
 */

static void enter_empty_root(void)
{
    cr_assert_eq(chroot(folder), 0);
    cr_assert_eq(chdir("/"), 0);
}

static void go_in_a_child(void (*fn)(void))
{
    pid_t child;
    int status;

    if (geteuid() != 0)
        cr_skip_test("only root can enter another root");
    child = test_fork();
    if (child == 0) {
        fn();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

static void lock_a_pool_in(void)
{
    soon_executor *pool = new_processes(.workers = 1, .max_restarts = 1);

    cr_assert_gt(pid_of_one(pool), 0);
    enter_empty_root();
    replace_worker(pool);
    assert_broken_because(pool, "/proc");
}

Test(process_paths, of_a_service_that_locks_itself_in_are_named)
{
    cr_assert_not_null(mkdtemp(folder));
    go_in_a_child(lock_a_pool_in);
}

static void lock_a_working_pool_in(void)
{
    soon_executor *pool;

    enter_folder();
    pool = new_processes(.workers = 1);
    assert_is_at(pool, folder);
    cr_assert_eq(chroot("/"), 0); /* the same one: nothing has changed */
    cr_assert_eq(chdir("/"), 0);
    replace_worker(pool);
    assert_is_at(pool, folder);
    free_pool(pool);
    remove_folder();
}

Test(process_paths, stay_in_a_root_that_is_the_same)
{
    go_in_a_child(lock_a_working_pool_in);
}

static int loader_of(struct dl_phdr_info *info, size_t size, void *ret)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            *(const char **)ret = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
    return 1;
}

/* "ld.so ./program": what this process executes is the loader. */
Test(process_paths, of_a_program_that_was_loaded_by_hand_cannot_be_had)
{
    const char *loader = NULL;
    char command[PATH_MAX];

    if (UNDER_ASAN || UNDER_TSAN)
        cr_skip_test("a sanitizer wants to be loaded by the system");
    dl_iterate_phdr(loader_of, &loader);
    cr_assert_not_null(loader);
    snprintf(command, sizeof command, "'%s' '%s' serve | grep -q SOON_ENOPROGRAM", loader, getenv("HOST"));
    cr_assert_eq(system(command), 0);
}
