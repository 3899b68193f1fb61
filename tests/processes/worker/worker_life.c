/*
 * worker_life.c - a worker process: how it begins, what it is given, what a task sees there, and its initializer.
 */
#include "worker_shared.h"

#include "../../../futures/thread_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>

TestSuite(worker_life);

/*
 * Starting
 */

static void other_version(struct soon__replies *replies)
{
    replies->version++;
}

static void other_size(struct soon__replies *replies)
{
    replies->size += 64;
}

static void other_magic(struct soon__replies *replies)
{
    replies->magic++;
}

Test(worker_life, does_not_begin_where_it_is_not_at_home)
{
    static const struct {
        const char *name;
        struct how how;
        int status;
    } cases[] = {
        {"another version", {.change = other_version}, SOON__EXIT_VERSION},
        {"another layout", {.change = other_size}, SOON__EXIT_VERSION},
        {"no channel at all", {.change = other_magic}, SOON__EXIT_NO_CHANNEL},
        {"no descriptors", {.no_descriptors = true}, SOON__EXIT_NO_CHANNEL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct worker worker = start_worker(cases[i].how);
        struct soon__exit ended = await_end(&worker);

        cr_assert(!ended.killed && ended.number == cases[i].status, "%s: %d", cases[i].name, ended.number);
    }
}

static char *own_path(void)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

    cr_assert_gt(length, 0);
    path[length] = '\0';
    return path;
}

/* Its signals, and its end, would be another's. */
Test(worker_life, does_not_begin_in_a_child_of_who_was_started)
{
    char *arguments[] = {(char *)"/bin/sh",           (char *)"-c", (char *)"\"$0\" \"$@\"; exit $?", own_path(),
                         (char *)SOON__WORKER_MARKER, NULL};
    struct worker worker = start_worker((struct how){.arguments = arguments});

    cr_assert_not(says_hello(&worker));
    assert_exits_with(&worker, SOON__EXIT_NO_CHILD);
}

/* A file may be called so. */
Test(worker_life, begins_for_the_marker_at_the_end_alone)
{
    char *arguments[] = {(char *)"program", (char *)SOON__WORKER_MARKER, (char *)"more", NULL};

    cr_assert_eq(soon_init(3, arguments), 0);
    cr_assert_eq(soon_init(1, &arguments[1]), 0, "nor as the program's name");
}

/*
 * What a task sees
 */

SOON_TASK(descriptors, soon_none, uint64_t)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;

    while ((entry = readdir(directory))) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && fd != dirfd(directory) && fd < 64)
            *result |= UINT64_C(1) << fd;
    }
    closedir(directory);
    return 0;
}

SOON_TASK(inherited, soon_none, int)
{
    for (int fd = 3; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);

        *result += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return 0;
}

Test(worker_life, has_no_descriptor_but_what_it_was_given)
{
    int mine = open("/dev/null", O_RDONLY); /* inheritable, on purpose */
    struct worker worker = ready_worker();
    struct soon__reply reply =
        done(&worker, post(&worker, &descriptors_task, &nothing, sizeof nothing, (struct asked){0}));

    cr_assert_eq(*(const uint64_t *)result_of(&worker, &reply),
                 1 | 2 | 4 | 1 << SOON__FD_CONTROL | 1 << SOON__FD_PARENT | 1 << SOON__FD_BELL);
    consume(&worker);
    cr_assert_eq(ask(&worker, &inherited_task), 0, "what a task executes inherits it");
    retire(&worker);
    close(mine);
}

struct view {
    bool executor, callback, worker_variable, is_leader;
    int depth;
    char name[16], process_name[16], label[32];
    int64_t time_left;
    bool payload, local, shared, cancelled;
};

SOON_TASK(look_around, soon_none, struct view)
{
    char *depth = getenv(SOON__DEPTH_VARIABLE);

    *result = (struct view){.executor = soon_task_executor(task),
                            .callback = soon__thread_in_callback(),
                            .worker_variable = getenv(SOON__WORKER_VARIABLE),
                            .depth = depth ? atoi(depth) : -1,
                            .is_leader = getpgrp() == getpid(),
                            .time_left = soon_task_time_left_ms(task),
                            .payload = soon_task_payload(task),
                            .local = soon_task_local(task),
                            .shared = soon_task_shared(task),
                            .cancelled = soon_task_cancel_requested(task)};
    prctl(PR_GET_NAME, result->name);
    snprintf(result->label, sizeof result->label, "%s", soon_task_label(task));
    return 0;
}

static struct view look(struct worker *worker, struct asked asked)
{
    struct soon__reply reply = done(worker, post(worker, &look_around_task, &nothing, sizeof nothing, asked));
    struct view view;

    memcpy(&view, result_of(worker, &reply), sizeof view);
    consume(worker);
    return view;
}

Test(worker_life, shows_a_task_where_it_is)
{
    struct worker worker = ready_worker();
    struct view view = look(&worker, (struct asked){0});

    cr_assert_not(view.executor);
    cr_assert_not(view.callback);
    cr_assert_not(view.worker_variable);
    cr_assert(view.is_leader);
    cr_assert_eq(view.depth, 1);
    cr_assert_str_eq(view.name, "test_1");
    cr_assert_str_eq(view.label, "");
    cr_assert_eq(view.time_left, SOON_FOREVER);
    cr_assert_not(view.payload || view.local || view.shared || view.cancelled);

    view = look(&worker, (struct asked){.label = "a label", .time_limit_ns = INT64_C(3600000000000)});
    cr_assert_str_eq(view.label, "a label");
    cr_assert(view.time_left > 3000000 && view.time_left <= 3600000);
    retire(&worker);
}

Test(worker_life, tells_how_far_a_task_is)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);
    uint64_t before_ns = (uint64_t)soon__clock_ns();
    uint64_t sequence = post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){.slot = 5});
    uint64_t done_count, total;

    test_wait_until(atomic_load(&shared->begun));
    cr_assert_eq(soon__channel_look(&worker.channel, 5, sequence), SOON__LOOK_CLAIMED);
    cr_assert_not(soon__channel_take_back(&worker.channel, 5, sequence));
    cr_assert(soon__channel_progress(&worker.channel, 5, &done_count, &total));
    cr_assert_eq(done_count, 3);
    cr_assert_eq(total, 7);
    uint64_t started_ns = (uint64_t)atomic_load(&worker.channel.replies->status[5].started_ns);
    cr_assert(started_ns >= before_ns && started_ns <= (uint64_t)soon__clock_ns());
    atomic_store(&shared->may_end, 1);
    struct soon__reply reply = done(&worker, sequence);
    cr_assert_eq(*(const int *)result_of(&worker, &reply), 42);
    consume(&worker);
    retire(&worker);
    soon__shm_unmap(shared, sizeof *shared);
}

Test(worker_life, tells_a_task_that_it_is_cancelled_or_late)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);
    uint64_t sequence = post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){0});
    struct soon__reply reply;

    soon__channel_request_cancel(&worker.channel, 0);
    reply = done(&worker, sequence);
    cr_assert_eq(reply.code, -ECANCELED);
    cr_assert_eq(reply.flags, SOON__REPLY_CANCELLED | SOON__REPLY_HAS_PROGRESS);
    consume(&worker);

    reply =
        done(&worker, post(&worker, &obey_task, &nothing, sizeof nothing, (struct asked){.time_limit_ns = 1000000}));
    cr_assert_eq(reply.code, SOON_ETIMELIMIT);
    cr_assert_eq(reply.flags, SOON__REPLY_HAS_PROGRESS);
    consume(&worker);
    retire(&worker);
    soon__shm_unmap(shared, sizeof *shared);
}

/*
 * The initializer
 */

static struct shared *seen_at_release;

static void release_local(void *local)
{
    atomic_fetch_add(&seen_at_release->released, *(int *)local);
    free(local);
}

SOON_TASK(initialize, int, soon_none)
{
    int *local = malloc(sizeof *local);

    seen_at_release = soon_task_shared(task);
    *local = *arg;
    soon_task_set_local(task, local, release_local);
    return *arg < 0 ? *arg : 0;
}

SOON_TASK(read_local, soon_none, int)
{
    *result = *(int *)soon_task_local(task);
    return 0;
}

static struct soon__reply run_initializer(struct worker *worker, int arg)
{
    struct soon__reply reply = done(worker, post(worker, &initialize_task, &arg, sizeof arg,
                                                 (struct asked){.flags = SOON__REQUEST_IS_INITIALIZER}));

    consume(worker);
    return reply;
}

Test(worker_life, keeps_what_the_initializer_left_until_it_retires)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);

    cr_assert_eq(run_initializer(&worker, 12).code, 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(ask(&worker, &read_local_task), 12);
    cr_assert_eq(atomic_load(&shared->released), 0);
    retire(&worker);
    cr_assert_eq(atomic_load(&shared->released), 12);
    soon__shm_unmap(shared, sizeof *shared);
}

Test(worker_life, releases_what_a_failed_initializer_left)
{
    struct shared *shared;
    struct worker worker = sharing_worker(&shared);
    struct soon__reply reply = run_initializer(&worker, -5);

    cr_assert_eq(reply.code, SOON_ERAISED);
    cr_assert_eq(reply.raised, -5);
    retire(&worker);
    cr_assert_eq(atomic_load(&shared->released), -5);
    soon__shm_unmap(shared, sizeof *shared);
}
