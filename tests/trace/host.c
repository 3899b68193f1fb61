/*
 * host.c - a program whose trace the script trace.sh looks at. `host storm` does all that a trace shows, and keeps a log
 * of it, to which each task writes by itself:
 *
 *     run LABEL PID TID BEGAN     a task has begun, on that thread
 *     ran LABEL ENDED             the same task is about to return
 *     end LABEL OUTCOME           its future has ended
 *     then LABEL FIRST            it had to wait for that one
 *
 * Other words make it do other things, and print nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <soon.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 4000, LABEL = 16, MANY = 40, ITEMS = 30 };
#define LOG "TRACE_LOG"

/* One line in one write, from any process. */
static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    const char *path = getenv(LOG);
    char line[200];
    va_list args;
    int length, fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (fd >= 0 && write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/*
 * What tasks do
 */

struct act {
    enum act_kind { RETURN, RAISE, CRASH, HANG, GIVE_IN, NEST } what;
    int us;
    soon_executor *pool; /* NEST: of threads */
};

static void nest(soon_task *task, const struct act *arg);

SOON_TASK(act, struct act, int)
{
    static const struct timespec while_it_lives = {.tv_sec = 1};

    note("run %s %d %d %lld\n", soon_task_label(task), getpid(), gettid(), now());
    usleep((useconds_t)arg->us);
    if (arg->what == CRASH)
        raise(SIGSEGV);
    soon_task_set_progress(task, 1, 1); /* it has said that it runs */
    while (arg->what == HANG)
        nanosleep(&while_it_lives, NULL);
    while (arg->what == GIVE_IN && !soon_task_cancel_requested(task))
        usleep(100);
    if (arg->what == NEST)
        nest(task, arg);
    note("ran %s %lld\n", soon_task_label(task), now());
    *result = 1;
    return arg->what == RAISE ? soon_raise(task, 1, "raised") : arg->what == GIVE_IN ? -ECANCELED : 0;
}

/* Waits for two tasks of its own pool. */
static void nest(soon_task *task, const struct act *arg)
{
    soon_future *inner[2];
    char label[2][LABEL];

    for (int i = 0; i < 2; i++) {
        struct act quick = {RETURN, 200, NULL};

        snprintf(label[i], LABEL, "%s.%d", soon_task_label(task), i);
        inner[i] =
            soon_submit_bytes(arg->pool, &act_task, &quick, sizeof quick, &(soon_submit_options){.label = label[i]});
    }
    soon_wait(inner, 2, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    for (int i = 0; i < 2; i++) {
        note("end %s succeeded\n", label[i]);
        soon_future_unref(inner[i]);
    }
}

/*
 * What was submitted
 */

static struct {
    soon_future *future;
    char label[LABEL];
} tasks[MAX];
static int count;

static soon_future *keep(soon_future *future, const char *label)
{
    snprintf(tasks[count].label, LABEL, "%s", label);
    tasks[count++].future = future;
    return future;
}

static soon_future *submit_with(soon_executor *pool, enum act_kind what, int us, const char *name, int number,
                                soon_submit_options options)
{
    struct act arg = {what, us, what == NEST ? pool : NULL};
    char label[LABEL];

    snprintf(label, sizeof label, "%s%d", name, number);
    options.label = label;
    return keep(soon_submit_bytes(pool, &act_task, &arg, sizeof arg, &options), label);
}
#define submit(pool, what, us, name, number, ...)                                                                      \
    submit_with(pool, what, us, name, number, (soon_submit_options){.label = NULL, __VA_ARGS__})

static const char *outcome_of(int code)
{
    return code == 0                  ? "succeeded"
           : code == -ECANCELED       ? "cancelled"
           : code == SOON_ERAISED     ? "raised"
           : code == SOON_ETIMELIMIT  ? "time limit"
           : code == SOON_EEXPIRED    ? "expired"
           : code == SOON_EKILLED     ? "killed"
           : code == SOON_EWORKERDIED ? "worker died"
                                      : "failed";
}

static int code_of(soon_future *future)
{
    soon_bytes result;

    return soon_future_result(future, SOON_FOREVER, &result);
}

static void finish(void)
{
    for (int i = 0; i < count; i++) {
        note("end %s %s\n", tasks[i].label, outcome_of(code_of(tasks[i].future)));
        soon_future_unref(tasks[i].future);
    }
    count = 0;
}

/*
 * The storm
 */

static void submit_many(soon_executor *threads, soon_executor *processes)
{
    for (int i = 0; i < MANY; i++) {
        submit(threads, RETURN, i * 20, "t", i);
        submit(processes, RETURN, i * 20, "p", i);
        if (i % 8 == 0) {
            submit(threads, RAISE, 100, "tr", i);
            submit(processes, RAISE, 100, "pr", i);
            submit(threads, NEST, 100, "tn", i);
            submit(processes, CRASH, 500, "pc", i);
            submit(processes, CRASH, 500, "pcc", i, .retries = 2);
        }
    }
}

/* A task after one other, and after two. */
static void submit_chains(soon_executor *threads, soon_executor *processes)
{
    for (int i = 0; i < 10; i++) {
        soon_future *a = submit(threads, RETURN, 300, "ca", i), *b = submit(processes, RETURN, 300, "cb", i);

        submit(i % 2 ? threads : processes, RETURN, 100, "cc", i, .after = (soon_future *[]){a, b}, .after_count = 2);
        note("then cc%d ca%d\nthen cc%d cb%d\n", i, i, i, i);
    }
}

static void wait_for_its_word(soon_future *future)
{
    while (!soon_future_progress(future).done)
        usleep(100);
}

static void end_some_by_force(soon_executor *threads, soon_executor *processes)
{
    soon_future *hung = submit(processes, HANG, 0, "kill", 0), *asked = submit(threads, GIVE_IN, 0, "ask", 0);

    submit(processes, HANG, 0, "limit", 0, .time_limit_ms = 20);
    wait_for_its_word(hung);
    soon_future_kill(hung);
    wait_for_its_word(asked);
    soon_future_cancel(asked);
}

/* Behind a task that takes its time some are cancelled before they begin, and some wait for too long. */
static void cancel_some(soon_executor *one)
{
    soon_future *blocker = submit(one, RETURN, 20000, "block", 0), *late[10];

    for (int i = 0; i < 10; i++)
        late[i] = submit(one, RETURN, 10, "can", i);
    for (int i = 0; i < 5; i++)
        submit(one, RETURN, 10, "exp", i, .queue_limit_ms = 1);
    for (int i = 0; i < 10; i++)
        soon_future_cancel(late[i]);
    code_of(blocker);
}

/* What finds no room in the queue runs here. */
static void run_some_here(soon_executor *narrow)
{
    for (int i = 0; i < 10; i++)
        submit(narrow, RETURN, 500, "here", i);
}

static void map_some(soon_executor *executor, const char *name, bool crash)
{
    struct act acts[ITEMS];
    soon_item items[ITEMS];
    char labels[ITEMS][LABEL];
    int results[ITEMS], errors[ITEMS];
    int rc;

    for (int i = 0; i < ITEMS; i++) {
        snprintf(labels[i], LABEL, "%s%d", name, i);
        acts[i] = (struct act){i % 10 == 3 ? RAISE : crash && i == 11 ? CRASH : RETURN, i * 10, NULL};
        items[i] = (soon_item){.data = &acts[i], .size = sizeof acts[i], .label = labels[i]};
    }
    rc = soon_map_items_with(executor, (.chunk = 4), act, items, ITEMS, results, errors);
    for (int i = 0; i < ITEMS; i++)
        note("end %s %s\n", labels[i], outcome_of(errors[i]));
    (void)rc;
}

static void storm(void)
{
    soon_executor *threads, *processes, *one, *narrow;

    if (soon_thread_pool_new(&threads, &(soon_thread_pool_options){.workers = 3, .name = "threads"}) < 0 ||
        soon_thread_pool_new(&one, &(soon_thread_pool_options){.workers = 1, .name = "one"}) < 0 ||
        soon_thread_pool_new(&narrow,
                             &(soon_thread_pool_options){
                                 .workers = 1, .name = "narrow", .queue_max = 1, .when_full = SOON_FULL_RUN_HERE}) <
            0 ||
        soon_process_pool_new(&processes,
                              &(soon_process_pool_options){
                                  .workers = 3, .name = "processes", .grace_ms = -1, .max_tasks_per_worker = 60}) < 0)
        abort();
    submit_many(threads, processes);
    submit_chains(threads, processes);
    end_some_by_force(threads, processes);
    cancel_some(one);
    run_some_here(narrow);
    map_some(threads, "mt", false);
    map_some(processes, "mp", true);
    finish();
    soon_executor_free(threads);
    soon_executor_free(processes);
    soon_executor_free(one);
    soon_executor_free(narrow);
}

/*
 * Others
 */

static soon_executor *pool_of_two(void)
{
    soon_executor *pool;

    if (soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}) < 0)
        abort();
    return pool;
}

/* Tasks come and go until the program is killed. */
static void go_on(void)
{
    soon_executor *pool = pool_of_two();

    for (int i = 0;; i++) {
        submit(pool, RETURN, 0, "x", i % 1000);
        if (count == MAX / 2)
            finish();
    }
}

/* The end of the program comes while tasks run. */
static void leave(void)
{
    soon_executor *pool = pool_of_two();

    for (int i = 0; i < 100; i++)
        submit(pool, RETURN, 0, "x", i);
    finish();
    submit(pool, RETURN, 10000000, "last", 0);
    exit(0);
}

/* Another program is told to write to the same file. */
static void run_another(char **argv)
{
    soon_executor *pool = pool_of_two();
    pid_t child = fork();

    if (child == 0) {
        execl("/proc/self/exe", argv[0], "leave", (char *)NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
    submit(pool, RETURN, 0, "mine", 0);
    finish();
    soon_executor_free(pool);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    soon_init(argc, argv);
    if (strcmp(what, "storm") == 0)
        storm();
    else if (strcmp(what, "go_on") == 0)
        go_on();
    else if (strcmp(what, "leave") == 0)
        leave();
    else if (strcmp(what, "run_another") == 0)
        run_another(argv);
    else
        return 2;
    return 0;
}
