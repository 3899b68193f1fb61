/*
 * library_loop.c - the library's own loop thread and callback thread.
 */
#include "harness/test.h"

#include "../executor/library_loop_internal.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <soon.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(library_loop);

/* A job that notes where and when it ran. */
struct noted {
    struct soon__job job; /* first */
    pthread_t thread;
    bool on_loop, of_library;
    size_t turn; /* 1: the first that ran */
};

static atomic_size_t ran;

static void note(struct soon__job *job)
{
    struct noted *noted = (struct noted *)job;

    noted->thread = pthread_self();
    noted->on_loop = soon__library_on_loop();
    noted->of_library = soon__thread_self()->of_library;
    noted->turn = ran + 1;
    ran++; /* the test reads the rest when it has seen this */
}

/* The thread id of the library's thread of this name; 0: there is none. */
static pid_t thread_called(const char *name, size_t *ret_count)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    pid_t found = 0;

    *ret_count = 0;
    while ((entry = readdir(folder))) {
        char path[300], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file) && strcspn(comm, "\n") == strlen(name) &&
            strncmp(comm, name, strlen(name)) == 0) {
            found = atoi(entry->d_name);
            ++*ret_count;
        }
        fclose(file);
    }
    closedir(folder);
    return found;
}

/* A number behind `key` in the thread's status, in this base. */
static unsigned long long status_of(pid_t thread, const char *key, int base)
{
    char path[64], line[256];
    unsigned long long value = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    file = fopen(path, "re");
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoull(line + strlen(key), NULL, base);
    }
    fclose(file);
    return value;
}

/* Both name themselves when they begin; a job that has run proves it. */
static void wait_for_both_threads(void)
{
    static struct noted first, second;

    first.job.run = second.job.run = note;
    soon__library_loop_post(&first.job);
    soon__library_callbacks_post(&second.job);
    test_wait_until(ran == 2);
    ran = 0;
}

Test(library_loop, starts_one_pair_of_threads_however_often)
{
    size_t count;

    cr_assert_eq(soon__library_start(), 0);
    cr_assert_eq(soon__library_start(), 0);
    wait_for_both_threads();

    cr_assert_neq(thread_called("soon-loop", &count), 0);
    cr_assert_eq(count, 1);
    cr_assert_neq(thread_called("soon-callbacks", &count), 0);
    cr_assert_eq(count, 1);
}

static void *start_it(void *data)
{
    (void)data;
    cr_assert_eq(soon__library_start(), 0);
    return NULL;
}

Test(library_loop, starts_one_pair_when_many_threads_start_it_at_once, .bare = true)
{
    pthread_t threads[8];
    size_t count;

    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, start_it, NULL);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    wait_for_both_threads();

    thread_called("soon-loop", &count);
    cr_assert_eq(count, 1);
    thread_called("soon-callbacks", &count);
    cr_assert_eq(count, 1);
}

Test(library_loop, threads_take_no_signals_of_the_program)
{
    static const int program[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE, SIGQUIT};
    static const char *const names[] = {"soon-loop", "soon-callbacks"};
    sigset_t mine;
    size_t count;

    wait_for_both_threads();
    for (size_t t = 0; t < 2; t++) {
        unsigned long long blocked = status_of(thread_called(names[t], &count), "SigBlk:", 16);

        for (size_t i = 0; i < sizeof program / sizeof *program; i++)
            cr_expect(blocked >> (program[i] - 1) & 1, "%s: signal %d", names[t], program[i]);
        cr_expect_not(blocked >> (SIGSEGV - 1) & 1);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &mine);
    cr_assert_not(sigismember(&mine, SIGINT)); /* the starting thread has its own mask again */
}

Test(library_loop, runs_jobs_in_order_on_its_thread)
{
    struct noted jobs[100] = {0};

    for (size_t i = 0; i < 100; i++) {
        jobs[i].job.run = note;
        soon__library_loop_post(&jobs[i].job);
    }
    test_wait_until(ran == 100);

    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(jobs[i].turn, i + 1);
        cr_assert(jobs[i].on_loop);
        cr_assert(jobs[i].of_library);
        cr_assert(pthread_equal(jobs[i].thread, jobs[0].thread));
    }
    cr_assert_not(soon__library_on_loop());
}

Test(library_loop, runs_jobs_in_order_on_the_callback_thread)
{
    struct noted jobs[100] = {0}, on_loop = {.job.run = note};

    for (size_t i = 0; i < 100; i++) {
        jobs[i].job.run = note;
        soon__library_callbacks_post(&jobs[i].job);
    }
    test_wait_until(ran == 100);
    soon__library_loop_post(&on_loop.job);
    test_wait_until(ran == 101);

    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(jobs[i].turn, i + 1);
        cr_assert_not(jobs[i].on_loop);
        cr_assert(jobs[i].of_library);
        cr_assert(pthread_equal(jobs[i].thread, jobs[0].thread));
        cr_assert_not(pthread_equal(jobs[i].thread, on_loop.thread));
    }
}

/* Posts itself again until it has run often enough. */
struct again {
    struct soon__job job; /* first */
    unsigned left;
    void (*post)(struct soon__job *job);
};

static void run_again(struct soon__job *job)
{
    struct again *again = (struct again *)job;

    if (--again->left)
        again->post(job);
    else
        ran++;
}

static void *post_again(void *data)
{
    struct again *again = data;

    again->post(&again->job);
    return NULL;
}

Test(library_loop, takes_jobs_from_many_threads_and_again_from_within)
{
    struct again jobs[8];
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++) {
        jobs[i] = (struct again){
            .job.run = run_again, .left = 5000, .post = i % 2 ? soon__library_loop_post : soon__library_callbacks_post};
        pthread_create(&threads[i], NULL, post_again, &jobs[i]);
    }
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    test_wait_until(ran == 8);
}

/* A job that never lets go must not keep a timer from its turn. */
static struct {
    struct soon__job start, busy;
    uv_timer_t timer;
    atomic_bool fired, closed;
} timed;

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
    timed.closed = true;
}

static void on_timer(uv_timer_t *timer)
{
    timed.fired = true;
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

static void stay_busy(struct soon__job *job)
{
    if (!timed.fired)
        soon__library_loop_post(job);
}

static void start_timer(struct soon__job *job)
{
    (void)job;
    uv_timer_init(soon__library_uv(), &timed.timer);
    uv_timer_start(&timed.timer, on_timer, 5, 0);
    soon__library_loop_post(&timed.busy);
}

Test(library_loop, lets_timers_run_between_jobs)
{
    timed.start.run = start_timer;
    timed.busy.run = stay_busy;
    soon__library_loop_post(&timed.start);
    test_wait_until(timed.closed);
}

/*
 * No user code on the loop's thread
 */

/* What a job on the loop's thread does to a promise. */
struct completion {
    struct soon__job job; /* first */
    soon_promise *promise;
    soon_future *future;
    pthread_t loop_thread, callback_thread;
    atomic_int called;
    bool in_callback;
};

static void complete(struct soon__job *job)
{
    struct completion *completion = (struct completion *)job;

    completion->loop_thread = pthread_self();
    soon_promise_set_result(completion->promise, &(int){7}, sizeof(int));
}

static void note_callback(soon_future *future, void *data)
{
    struct completion *completion = data;

    (void)future;
    completion->callback_thread = pthread_self();
    completion->in_callback = soon__thread_in_callback();
    completion->called++;
}

static void new_completion(struct completion *completion, void (*run)(struct soon__job *job))
{
    *completion = (struct completion){.job.run = run};
    cr_assert_eq(soon_promise_new(&completion->promise, NULL), 0);
    completion->future = soon_promise_future(completion->promise);
}

Test(library_loop, callbacks_of_what_it_completes_run_on_the_callback_thread)
{
    struct completion completion;
    int result;

    new_completion(&completion, complete);
    cr_assert_eq(soon_future_add_done_callback(completion.future, note_callback, &completion), 0);
    cr_assert_eq(soon_future_add_done_callback(completion.future, note_callback, &completion), 0);
    soon__library_loop_post(&completion.job);

    cr_assert_eq(soon_result(completion.future, &result), 0);
    cr_assert_eq(result, 7);
    test_wait_until(completion.called == 2);
    cr_assert(completion.in_callback);
    cr_assert_not(pthread_equal(completion.callback_thread, completion.loop_thread));
    cr_assert_not(pthread_equal(completion.callback_thread, pthread_self()));
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
}

static void release_last(struct soon__job *job)
{
    struct completion *completion = (struct completion *)job;

    completion->loop_thread = pthread_self();
    soon_future_unref(completion->future);
}

static void note_release(void *data)
{
    struct completion *completion = data;

    completion->callback_thread = pthread_self();
    completion->called++;
}

Test(library_loop, releases_of_what_it_drops_run_on_the_callback_thread)
{
    struct completion completion;
    soon_buffer *buffer;

    new_completion(&completion, release_last);
    cr_assert_eq(soon_buffer_wrap(&buffer, &completion, sizeof completion, note_release), 0);
    cr_assert_eq(soon_promise_set_payload(completion.promise, buffer), 0);
    soon_promise_set_result(completion.promise, NULL, 0);
    soon_promise_free(completion.promise);
    soon__library_loop_post(&completion.job);

    test_wait_until(completion.called == 1);
    cr_assert_not(pthread_equal(completion.callback_thread, completion.loop_thread));
}

static void note_unhandled(const soon_error *error, void *data)
{
    struct completion *completion = data;

    completion->in_callback = error->code == SOON_ERAISED;
    completion->callback_thread = pthread_self();
    completion->called++;
}

Test(library_loop, unhandled_errors_of_what_it_drops_are_told_on_the_callback_thread)
{
    struct completion completion;

    soon_on_unhandled(note_unhandled, &completion);
    new_completion(&completion, release_last);
    soon_promise_set_exception(completion.promise, EDOM, NULL);
    soon_promise_free(completion.promise);
    soon__library_loop_post(&completion.job);

    test_wait_until(completion.called == 1);
    cr_assert(completion.in_callback);
    cr_assert_not(pthread_equal(completion.callback_thread, completion.loop_thread));
    soon_on_unhandled(NULL, NULL);
}

/* A callback that completes another future: its callbacks come after it, not inside it. */
struct chain {
    soon_promise *next;
    soon_future *next_future;
    atomic_int depth, deepest, called;
};

static void enter(struct chain *chain)
{
    if (++chain->depth > chain->deepest)
        chain->deepest = chain->depth;
}

static void second_called(soon_future *future, void *data)
{
    struct chain *chain = data;

    (void)future;
    enter(chain);
    chain->depth--;
    chain->called++;
}

static void first_called(soon_future *future, void *data)
{
    struct chain *chain = data;

    (void)future;
    enter(chain);
    soon_promise_set_result(chain->next, NULL, 0);
    chain->depth--;
    chain->called++;
}

Test(library_loop, callbacks_on_the_callback_thread_do_not_nest)
{
    struct completion completion;
    struct chain chain = {0};

    new_completion(&completion, complete);
    cr_assert_eq(soon_promise_new(&chain.next, NULL), 0);
    chain.next_future = soon_promise_future(chain.next);
    cr_assert_eq(soon_future_add_done_callback(chain.next_future, second_called, &chain), 0);
    cr_assert_eq(soon_future_add_done_callback(completion.future, first_called, &chain), 0);
    soon__library_loop_post(&completion.job);

    test_wait_until(chain.called == 2);
    cr_assert_eq(chain.deepest, 1);
    soon_future_unref(chain.next_future);
    soon_promise_free(chain.next);
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
}

/*
 * Cost, failure, fork
 */

Test(library_loop, parked_threads_do_not_wake_up)
{
    unsigned long long before[2], after[2];
    pid_t threads[2];
    size_t count;

    wait_for_both_threads();
    threads[0] = thread_called("soon-loop", &count);
    threads[1] = thread_called("soon-callbacks", &count);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL); /* until both have parked */
    for (size_t i = 0; i < 2; i++)
        before[i] = status_of(threads[i], "voluntary_ctxt_switches:", 10);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    for (size_t i = 0; i < 2; i++)
        after[i] = status_of(threads[i], "voluntary_ctxt_switches:", 10);

    cr_assert_eq(after[0], before[0]);
    cr_assert_eq(after[1], before[1]);
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

Test(library_loop, start_that_fails_leaves_nothing_and_can_be_repeated, .bare = true)
{
    size_t before = open_descriptors();
    struct rlimit limit, none;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    for (none.rlim_cur = 3; none.rlim_cur < 64; none.rlim_cur++) { /* some day there are enough */
        int rc;

        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        rc = soon__library_start();
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (rc == 0)
            break;
        cr_assert_eq(rc, -EMFILE);
        cr_assert_eq(open_descriptors(), before);
    }
    cr_assert_lt(none.rlim_cur, 64);
    wait_for_both_threads();
}

/* In a child: 0, or which step failed. */
static int use_it_anew(size_t inherited_descriptors)
{
    static struct noted first, second;
    static struct completion completion;
    size_t count;

    /* Those of the parent's loop are closed here: the epoll set, its wake-up, two of its signals. */
    if (open_descriptors() != inherited_descriptors - 4)
        return 1;
    if (soon__library_start() != 0)
        return 2;
    ran = 0;
    first = second = (struct noted){.job.run = note};
    soon__library_loop_post(&first.job);
    soon__library_callbacks_post(&second.job);
    test_wait_until(ran == 2);
    if (!first.on_loop || second.on_loop)
        return 3;
    if (!thread_called("soon-loop", &count) || count != 1)
        return 4;
    completion = (struct completion){.job.run = complete};
    if (soon_promise_new(&completion.promise, NULL) < 0)
        return 5;
    completion.future = soon_promise_future(completion.promise);
    if (soon_future_add_done_callback(completion.future, note_callback, &completion) < 0)
        return 6;
    soon__library_loop_post(&completion.job);
    test_wait_until(completion.called == 1);
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
    return open_descriptors() == inherited_descriptors ? 0 : 7;
}

static int in_child(int (*body)(size_t), size_t argument)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(body(argument));
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int use_it_and_fork_again(size_t inherited_descriptors)
{
    int rc = use_it_anew(inherited_descriptors);

    return rc ? rc : in_child(use_it_anew, open_descriptors());
}

Test(library_loop, forked_child_makes_its_own_and_so_does_its_child)
{
    wait_for_both_threads();

    cr_assert_eq(in_child(use_it_and_fork_again, open_descriptors()), 0);

    wait_for_both_threads(); /* and the parent's still work */
}

Test(library_loop, forked_child_makes_its_own_while_the_parents_is_busy)
{
    struct again jobs[2] = {
        {.job.run = run_again, .left = 50000, .post = soon__library_loop_post},
        {.job.run = run_again, .left = 50000, .post = soon__library_callbacks_post},
    };

    post_again(&jobs[0]);
    post_again(&jobs[1]);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(in_child(use_it_anew, open_descriptors()), 0);
    test_wait_until(ran == 2);
}

static atomic_int child_status = -1;

static void fork_here(soon_future *future, void *data)
{
    (void)future, (void)data;
    child_status = in_child(use_it_anew, open_descriptors());
}

/* The child's only thread is then a copy of the callback thread. */
Test(library_loop, callback_on_the_callback_thread_may_fork)
{
    struct completion completion;

    new_completion(&completion, complete);
    cr_assert_eq(soon_future_add_done_callback(completion.future, fork_here, NULL), 0);
    soon__library_loop_post(&completion.job);

    test_wait_until(child_status != -1);
    cr_assert_eq(child_status, 0);
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
}
