/*
 * daemon.c - the stages of the daemon.
 *
 * What happens on connections, and in the pool, marks the daemon as changed. After each turn that has brought
 * something, and before the loop sleeps, the whole is looked at: who is to be asked for jobs, and whether a stage is
 * over. So nothing below calls up to here, and what a turn has brought is answered in one go.
 *
 *     DRAINING    no job is asked for. A source whose last job has ended takes its functions back (D5).
 *     STOPPING    all jobs are LOST, so that nothing is told of tasks that are killed now. The connections are closed
 *                 when the pool is gone: only then servers give the jobs to others.
 *     LEAVING     connections close, and tell what was written to them; then the pool goes, if it is there still.
 *
 * The main thread starts the pool, which takes its time, posts the rest to the library's loop, and waits until all is
 * closed.
 */
#include "daemon_internal.h"

#include "../../loops/library_loop_internal.h"
#include "beat_internal.h"
#include "gearman_job_internal.h"
#include "grab_internal.h"
#include "metrics_internal.h"
#include "notify_internal.h"
#include "source_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { LINGER_MS = 5000, DIE_MS = 5000 };

static void enter(struct soon__daemon *daemon, enum soon__daemon_stage stage)
{
    assert(stage > daemon->stage);
    daemon->stage = stage;
    soon__daemon_changed(daemon);
}

/*
 * The end
 */

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void has_ended(struct soon__job *job)
{
    struct soon__daemon *daemon = (struct soon__daemon *)((char *)job - offsetof(struct soon__daemon, on_loop));

    uv_sem_post(&daemon->ended);
}

/* What is posted comes when this turn of libuv is over, in which it closes the other handles, too. */
static void is_detached(void *data)
{
    struct soon__daemon *daemon = data;

    daemon->on_loop.run = has_ended;
    soon__library_loop_post(&daemon->on_loop);
}

/* Nothing of it is left on the loop. */
static void finish(struct soon__daemon *daemon)
{
    soon__beat_fini(daemon);
    soon__metrics_free(daemon->metrics);
    for (size_t i = 0; i < sizeof daemon->signals / sizeof *daemon->signals; i++)
        close_handle(&daemon->signals[i]);
    close_handle(&daemon->changed);
    close_handle(&daemon->after_poll);
    soon_loop_detach(daemon->loop, is_detached, daemon);
}

static void close_connections(struct soon__daemon *daemon, int64_t linger_ms)
{
    for (size_t i = 0; i < daemon->source_count; i++)
        soon__source_close(&daemon->sources[i], linger_ms);
}

/* On the loop. */
static void pool_has_ended(void *data)
{
    struct soon__daemon *daemon = data;

    daemon->pool = NULL;
    if (daemon->stage == SOON__STOPPING) {
        enter(daemon, SOON__LEAVING);
        close_connections(daemon, 0);
    }
    soon__daemon_changed(daemon);
}

static void end_pool(struct soon__daemon *daemon, soon_shutdown mode)
{
    soon_end_options options = {.mode = mode, .loop = daemon->loop, .on_end = pool_has_ended, .data = daemon};
    int rc;

    if (daemon->pool_is_ending) {
        (void)soon_executor_shutdown(daemon->pool, mode, 0);
        return;
    }
    if (mode == SOON_TERMINATE)
        options.grace_ms = DIE_MS;
    soon_executor_stats(daemon->pool, &daemon->last);
    daemon->last.workers = 0;
    rc = soon_executor_end(daemon->pool, &options);
    if (rc < 0) {
        soon__log(SOON__LOG_ERROR, "the worker processes cannot be ended in order: %s", soon_strerror(rc));
        _exit(SOON__EXIT_SYSTEM); /* the workers see that their parent is gone */
    }
    daemon->pool_is_ending = true;
}

static void stop(struct soon__daemon *daemon, int status)
{
    if (daemon->stage == SOON__LEAVING) {
        close_connections(daemon, 0);
        if (daemon->pool)
            end_pool(daemon, SOON_KILL);
        return;
    }
    enter(daemon, SOON__STOPPING);
    daemon->status = status;
    soon__notify("STOPPING=1\nSTATUS=Stopping at once");
    soon__log(SOON__LOG_WARNING, "stopping at once: %zu jobs are given back", daemon->job_count);
    soon__gearman_jobs_lose(daemon, NULL);
    end_pool(daemon, SOON_KILL);
}

static void drain(struct soon__daemon *daemon)
{
    enter(daemon, SOON__DRAINING);
    soon__notify("STOPPING=1\nSTATUS=Waiting for %zu jobs to end", daemon->job_count);
    soon__log(SOON__LOG_INFO, "ending: no new jobs; %zu run still", daemon->job_count);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct soon__daemon *daemon = handle->data;

    soon__log(SOON__LOG_INFO, "%s", strsignal(number));
    if (daemon->stage == SOON__SERVING)
        drain(daemon);
    else if (daemon->stage != SOON__STOPPING)
        stop(daemon, SOON__EXIT_STOPPED);
}

/*
 * The look at the whole
 */

static bool is_drained(struct soon__daemon *daemon)
{
    bool is = true;

    for (size_t i = 0; i < daemon->source_count; i++) {
        struct soon__source *source = &daemon->sources[i];

        soon__source_withdraw(source);
        is &= source->jobs == 0 && source->grabs == 0;
    }
    return is;
}

static void look(struct soon__daemon *daemon)
{
    uv_idle_stop(&daemon->changed);
    if (daemon->is_broken && daemon->stage < SOON__STOPPING) {
        soon__log(SOON__LOG_ERROR, "%s", soon_executor_error(daemon->pool)->message);
        stop(daemon, SOON__EXIT_BROKEN);
    }
    if (daemon->stage == SOON__SERVING)
        soon__grab(daemon);
    if (daemon->stage == SOON__DRAINING && is_drained(daemon)) {
        enter(daemon, SOON__LEAVING);
        close_connections(daemon, LINGER_MS);
    }
    if (daemon->stage == SOON__LEAVING && daemon->connections == 0) {
        if (daemon->pool && !daemon->pool_is_ending)
            end_pool(daemon, SOON_TERMINATE);
        else if (!daemon->pool && !daemon->jobs && !uv_is_closing((uv_handle_t *)&daemon->beat))
            finish(daemon);
    }
}

static void before_sleep(uv_idle_t *handle)
{
    look(handle->data);
}

static void after_poll(uv_check_t *handle)
{
    struct soon__daemon *daemon = handle->data;

    if (uv_is_active((uv_handle_t *)&daemon->changed))
        look(daemon);
}

/*
 * The beginning
 */

/* Nobody else may have the same name: orders go by it. */
static int name_worker(struct soon__daemon *daemon)
{
    uint32_t number;

    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return -errno;
    if (gethostname(daemon->host, sizeof daemon->host - 1) < 0)
        return -errno;
    snprintf(daemon->worker, sizeof daemon->worker, "%.64s-%d-%08x",
             daemon->options->name ? daemon->options->name : daemon->host, (int)getpid(), (unsigned)number);
    snprintf(daemon->order_function, sizeof daemon->order_function, "cancel@%s", daemon->worker);
    return 0;
}

static int open_handles(struct soon__daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    int rc = soon__beat_init(daemon);

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == 0; i++) {
        daemon->signals[i].data = daemon;
        rc = uv_signal_init(daemon->uv, &daemon->signals[i]);
        rc = rc < 0 ? rc : uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
    }
    if (rc < 0)
        return rc;
    daemon->changed.data = daemon->after_poll.data = daemon;
    daemon->before_sleep = before_sleep;
    uv_idle_init(daemon->uv, &daemon->changed);
    uv_check_init(daemon->uv, &daemon->after_poll);
    uv_check_start(&daemon->after_poll, after_poll);
    return soon__metrics_new(&daemon->metrics, daemon);
}

static int open_sources(struct soon__daemon *daemon)
{
    const struct soon__servers *servers = daemon->servers;
    int rc = 0;

    daemon->sources = calloc(servers->count, sizeof *daemon->sources);
    if (!daemon->sources)
        return -ENOMEM;
    for (size_t i = 0; i < servers->count && rc == 0; i++) {
        rc = soon__source_open(&daemon->sources[i], daemon, &servers->each[i]);
        daemon->source_count++;
    }
    return rc;
}

static int open_all(struct soon__daemon *daemon)
{
    int rc = soon__library_poll_uv();

    daemon->uv = soon__library_uv();
    if (rc == 0)
        rc = name_worker(daemon);
    if (rc == 0)
        rc = soon_loop_attach(&daemon->loop, daemon->uv);
    if (rc == 0)
        rc = open_handles(daemon);
    return rc < 0 ? rc : open_sources(daemon);
}

static int new_pool(struct soon__daemon *daemon)
{
    const struct soon__daemon_options *options = daemon->options;
    int rc;

    daemon->initializer = soon__offers_initializer(options->initializer);
    rc = soon_process_pool_new(
        &daemon->pool, &(soon_process_pool_options){.workers = options->slots,
                                                    .name = "soon-workerd",
                                                    .load = options->load,
                                                    .worker_program = options->program,
                                                    .initializer = options->initializer ? &daemon->initializer : NULL,
                                                    .max_tasks_per_worker = options->max_tasks,
                                                    .memory_limit = options->memory_limit,
                                                    .grace_ms = options->grace_ms ? options->grace_ms : -1});

    if (rc == 0)
        rc = soon_executor_boot(daemon->pool, SOON_FOREVER);
    return rc < 0 ? rc : soon__offers_init(&daemon->offers, daemon->pool);
}

/* The status to exit with, if it could not begin. */
static int start_pool(struct soon__daemon *daemon)
{
    soon_stats stats;
    int rc = new_pool(daemon);

    if (rc < 0) {
        const soon_error *error = daemon->pool ? soon_executor_error(daemon->pool) : soon_last_error();

        soon__log(SOON__LOG_ERROR, "the worker processes cannot start: %s",
                  error->code ? error->message : soon_strerror(rc));
        return rc == SOON_EBROKEN || rc == -ENOENT ? SOON__EXIT_LOADING : SOON__EXIT_SYSTEM;
    }
    if (!daemon->offers.count) {
        soon__log(SOON__LOG_ERROR, "the objects have no tasks");
        return SOON__EXIT_LOADING;
    }
    soon_executor_stats(daemon->pool, &stats);
    daemon->slots = stats.workers_max;
    return 0;
}

static void log_start(const struct soon__daemon *daemon)
{
    soon__log(SOON__LOG_INFO, "%s: %zu slots, %zu functions", daemon->worker, daemon->slots, daemon->offers.count);
    for (size_t i = 0; i < daemon->offers.count; i++)
        soon__log(SOON__LOG_DEBUG, "function %s", daemon->offers.each[i].function.name);
    soon__notify("READY=1\nSTATUS=%zu slots, %zu functions", daemon->slots, daemon->offers.count);
}

static void free_all(struct soon__daemon *daemon)
{
    for (size_t i = 0; i < daemon->source_count; i++)
        soon__source_fini(&daemon->sources[i]);
    free(daemon->sources);
    soon__offers_fini(&daemon->offers);
    (void)soon_executor_free(daemon->pool);
}

/* Half of it may be open already. The system takes all of it back with the process. */
static int give_up(int rc)
{
    soon__log(SOON__LOG_ERROR, "cannot start: %s", soon_strerror(rc));
    return SOON__EXIT_SYSTEM;
}

static void begin(struct soon__job *job)
{
    struct soon__daemon *daemon = (struct soon__daemon *)((char *)job - offsetof(struct soon__daemon, on_loop));
    int rc = open_all(daemon);

    if (rc < 0)
        _exit(give_up(rc));
    log_start(daemon);
    soon__daemon_changed(daemon);
}

static int run(struct soon__daemon *daemon)
{
    int status = start_pool(daemon);

    if (status)
        return status;
    if (uv_sem_init(&daemon->ended, 0) < 0)
        return give_up(-ENOMEM);
    daemon->on_loop.run = begin;
    soon__library_loop_post(&daemon->on_loop);
    uv_sem_wait(&daemon->ended);
    uv_sem_destroy(&daemon->ended);
    return daemon->status;
}

int soon__daemon_run(const struct soon__daemon_options *options)
{
    static struct soon__daemon daemon; /* libuv may come back to a handle when the main thread has gone on */
    int status;

    daemon.options = options;
    daemon.grace_ms = options->grace_ms;
    if (soon__servers_parse(&daemon.servers, options->servers) < 0) {
        soon__log(SOON__LOG_ERROR, "--servers: %s", soon_last_error()->message);
        return SOON__EXIT_USAGE;
    }
    status = run(&daemon);
    free_all(&daemon);
    soon__servers_free(daemon.servers);
    return status;
}
