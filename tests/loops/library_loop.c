/*
 * library_loop.c - the library's own loop thread and callback thread.
 */
#include "../support/library_loop_fixture.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

TestSuite(library_loop);

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
 * Cost
 */

Test(library_loop, parked_threads_do_not_wake_up)
{
    unsigned long long before[2], after[2];
    pid_t threads[2];
    size_t count;

    wait_for_both_threads();
    threads[0] = thread_called("soon-loop", &count);
    threads[1] = thread_called("soon-callbacks", &count);
    do { /* until both have parked: for ever, if they do not */
        for (size_t i = 0; i < 2; i++)
            before[i] = status_of(threads[i], "voluntary_ctxt_switches:", 10);
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
        for (size_t i = 0; i < 2; i++)
            after[i] = status_of(threads[i], "voluntary_ctxt_switches:", 10);
    } while (after[0] != before[0] || after[1] != before[1]);
}
