/*
 * metrics.c - the numbers, and the file with them. The socket is in metrics_socket.c.
 */
#include "metrics_internal.h"

#include "metrics_socket_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVERY_MS = 10000 };

struct soon__metrics {
    struct soon__daemon *daemon;
    struct soon__metrics_socket *socket; /* NULL: there is a file */
    uv_timer_t timer;
    char *path, *draft; /* it is written there, and then renamed, so that no reader sees a half */
};

static size_t connected(const struct soon__daemon *daemon)
{
    size_t count = 0;

    for (size_t i = 0; i < daemon->source_count; i++)
        count += soon__connection_is_up(daemon->sources[i].work);
    return count;
}

static void family(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(FILE *to, const char *name, const char *type, const char *help, uint64_t value)
{
    family(to, name, type, help);
    fprintf(to, "%s %llu\n", name, (unsigned long long)value);
}

static void write_jobs(FILE *to, const struct soon__daemon *daemon)
{
    static const char outcomes[] = "soon_workerd_jobs_total";

    number(to, "soon_workerd_slots", "gauge", "So many jobs may run at a time.", daemon->slots);
    number(to, "soon_workerd_jobs_running", "gauge", "Jobs that run.", daemon->job_count);
    number(to, "soon_workerd_assigned_total", "counter", "Jobs that servers have given.", daemon->counts.jobs);
    number(to, "soon_workerd_foreign_total", "counter", "Of these, by clients that are not of libsoon.",
           daemon->counts.foreign);
    family(to, outcomes, "counter", "Jobs that have ended.");
    fprintf(to, "%s{outcome=\"result\"} %llu\n", outcomes, (unsigned long long)daemon->counts.results);
    fprintf(to, "%s{outcome=\"error\"} %llu\n", outcomes, (unsigned long long)daemon->counts.errors);
    fprintf(to, "%s{outcome=\"lost\"} %llu\n", outcomes, (unsigned long long)daemon->counts.lost);
    number(to, "soon_workerd_orders_total", "counter", "Cancels and kills that clients have ordered.",
           daemon->counts.orders);
}

static void write_pool(FILE *to, const struct soon__daemon *daemon)
{
    soon_stats stats = daemon->last;

    if (daemon->pool)
        soon_executor_stats(daemon->pool, &stats);
    number(to, "soon_workerd_processes", "gauge", "Worker processes that live.", stats.workers);
    number(to, "soon_workerd_process_starts_total", "counter", "Worker processes that were started.",
           stats.worker_starts);
    number(to, "soon_workerd_process_deaths_total", "counter", "Worker processes that have died.", stats.worker_deaths);
    number(to, "soon_workerd_killed_total", "counter", "Tasks that were killed.", stats.failed_killed);
    number(to, "soon_workerd_late_total", "counter", "Tasks that ran over their time limit.", stats.failed_time_limit);
}

void soon__metrics_write(FILE *to, const struct soon__daemon *daemon)
{
    number(to, "soon_workerd_servers", "gauge", "Servers that it works for.", daemon->source_count);
    number(to, "soon_workerd_servers_connected", "gauge", "Of these, those that are connected.", connected(daemon));
    write_jobs(to, daemon);
    write_pool(to, daemon);
}

/* False, with nothing left behind: errno says why. */
static bool write_file(struct soon__metrics *metrics)
{
    FILE *file = fopen(metrics->draft, "we");
    bool is_whole;
    int code;

    if (!file)
        return false;
    soon__metrics_write(file, metrics->daemon);
    is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    if (is_whole && rename(metrics->draft, metrics->path) == 0)
        return true;
    code = errno;
    (void)unlink(metrics->draft);
    errno = code;
    return false;
}

static void on_time(uv_timer_t *timer)
{
    struct soon__metrics *metrics = timer->data;

    if (!write_file(metrics))
        soon__log(SOON__LOG_WARNING, "%s: %s", metrics->path, strerror(errno));
}

static void free_it(struct soon__metrics *metrics)
{
    free(metrics->path);
    free(metrics->draft);
    free(metrics);
}

/* The file is put in the place of what has its name: of a device, as /dev/stdout, nothing would be left. */
static bool may_be_replaced(const char *path)
{
    struct stat status;

    return stat(path, &status) < 0 || S_ISREG(status.st_mode);
}

static int open_file(struct soon__metrics *metrics, const char *path)
{
    if (!may_be_replaced(path)) {
        soon__log(SOON__LOG_ERROR, "--metrics: %s: it is there, and no file that could be replaced", path);
        return -EEXIST;
    }
    metrics->path = strdup(path);
    if (!metrics->path || asprintf(&metrics->draft, "%s.%d", path, (int)getpid()) < 0) {
        metrics->draft = NULL;
        return -ENOMEM;
    }
    if (!write_file(metrics)) {
        soon__log(SOON__LOG_ERROR, "--metrics: %s: %s", path, strerror(errno));
        return -errno;
    }
    metrics->timer.data = metrics;
    uv_timer_init(metrics->daemon->uv, &metrics->timer);
    return uv_timer_start(&metrics->timer, on_time, EVERY_MS, EVERY_MS);
}

int soon__metrics_new(struct soon__metrics **ret, struct soon__daemon *daemon)
{
    const char *path = daemon->options->metrics, *socket = daemon->options->metrics_socket;
    struct soon__metrics *metrics = path || socket ? calloc(1, sizeof *metrics) : NULL;
    int rc;

    *ret = NULL;
    if (!metrics)
        return path || socket ? -ENOMEM : 0;
    metrics->daemon = daemon;
    if (socket)
        rc = soon__metrics_socket_new(&metrics->socket, daemon, socket, soon__metrics_write);
    else
        rc = open_file(metrics, path);
    if (rc < 0)
        free_it(metrics);
    else
        *ret = metrics;
    return rc;
}

static void timer_closed(uv_handle_t *handle)
{
    free_it(handle->data);
}

void soon__metrics_free(struct soon__metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->socket) {
        soon__metrics_socket_free(metrics->socket);
        free_it(metrics);
        return;
    }
    on_time(&metrics->timer);
    uv_close((uv_handle_t *)&metrics->timer, timer_closed);
}
