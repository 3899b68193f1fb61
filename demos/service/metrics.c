/*
 * metrics.c - the service's own numbers and those of the process; executors.c has the library's. On the loop.
 */
#include "metrics.h"
#include "executors.h"
#include "service.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void single(FILE *to, const char *name, const char *type, const char *help, double value)
{
    metrics_family(to, name, type, help);
    fprintf(to, "%s %.17g\n", name, value);
}

static void write_jobs(FILE *to, const struct jobs *jobs, const soon_stats *stats)
{
    metrics_family(to, "service_jobs", "gauge", "Jobs that have not ended.");
    fprintf(to, "service_jobs{state=\"queued\"} %zu\n", stats->pending);
    fprintf(to, "service_jobs{state=\"running\"} %zu\n", stats->running);
    metrics_family(to, "service_jobs_total", "counter", "Jobs that have ended.");
    for (int kind = 0; kind < JOB_KINDS; kind++)
        for (int state = JOB_SUCCEEDED; state < JOB_STATES; state++)
            fprintf(to, "service_jobs_total{kind=\"%s\",outcome=\"%s\"} %llu\n", job_kind_name((enum job_kind)kind),
                    job_state_name((enum job_state)state), (unsigned long long)jobs->totals[kind][state]);
    single(to, "service_jobs_refused_total", "counter", "Jobs for which there was no room.", (double)jobs->refused);
    single(to, "service_kept_jobs", "gauge", "Ended jobs that are remembered.", (double)jobs->kept);
    single(to, "service_kept_bytes", "gauge", "Bytes of their results.", (double)jobs->kept_bytes);
}

static void write_http(FILE *to, const struct service *service)
{
    size_t uploads = service->jobs.upload_bytes + service->receiving_bytes;
    single(to, "service_upload_bytes", "gauge", "Bytes of bodies that come, or wait with their jobs.", (double)uploads);
    single(to, "service_connections", "gauge", "Connections.", (double)service->connections);
    single(to, "service_streams", "gauge", "Streams of events.", (double)service->events.count);
    metrics_family(to, "service_requests_total", "counter", "Requests that were answered.");
    for (int digit = 2; digit < 6; digit++)
        fprintf(to, "service_requests_total{status=\"%dxx\"} %llu\n", digit,
                (unsigned long long)service->requests[digit]);
}

/* /proc is no disk: reading it does not wait. */
static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void write_process(FILE *to, const struct service *service)
{
    single(to, "process_start_time_seconds", "gauge", "When it began, since 1970.", service->started_s);
    single(to, "process_resident_memory_bytes", "gauge", "Its memory, without that of the workers.", resident_bytes());
    single(to, "service_heap_bytes", "gauge", "What it has of malloc().", (double)mallinfo2().uordblks);
}

char *metrics_text(struct service *service, size_t *ret_size)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, ret_size);
    soon_stats stats;
    if (!to)
        return NULL;
    soon_executor_stats(service->jobs.pool, &stats);
    write_jobs(to, &service->jobs, &stats);
    write_http(to, service);
    write_process(to, service);
    bool good = executors_write(to);
    if (fclose(to) == 0 && good)
        return text;
    free(text);
    return NULL;
}
