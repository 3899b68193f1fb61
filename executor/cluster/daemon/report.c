/*
 * report.c - starts, heartbeats, progress and failures. Results are in result.c.
 */
#include "report_internal.h"

#include "../both/message_internal.h"
#include "result_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static soon_bytes handle_of(const struct soon__gearman_job *job)
{
    return (soon_bytes){job->handle, job->handle_size};
}

/* A packet about the job, with `last` behind its handle. */
static void say(struct soon__gearman_job *job, enum soon__packet_type type, soon_bytes last)
{
    const soon_bytes arguments[] = {handle_of(job), last};
    int rc = soon__connection_write(job->source->work, type, arguments, 2);

    if (rc < 0)
        soon__connection_drop(job->source->work, rc, "a job's news could not be written");
}

/* The messages of START, ALIVE and ERROR are written aside, since they are short. */
static void say_message(struct soon__gearman_job *job, enum soon__packet_type type, struct soon__message_writer *writer)
{
    soon_bytes message;

    if (soon__writer_end(writer, &message) == 0)
        say(job, type, message);
    else
        soon__connection_drop(job->source->work, -ENOMEM, "there is no memory for a job's news");
    soon__writer_fini(writer);
}

void soon__report_start(struct soon__gearman_job *job)
{
    const struct soon__daemon *daemon = job->source->daemon;
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_start(&writer, &(struct soon__start_message){daemon->host, daemon->worker});
    say_message(job, SOON__WORK_DATA, &writer);
}

void soon__report_alive(struct soon__gearman_job *job)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_alive(&writer);
    say_message(job, SOON__WORK_DATA, &writer);
}

void soon__report_progress(struct soon__gearman_job *job)
{
    soon_progress now = soon_future_progress(job->future);
    char done[24], total[24];
    soon_bytes arguments[] = {handle_of(job), {done, 0}, {total, 0}};
    int rc;

    if (now.done == job->told.done && now.total == job->told.total)
        return;
    job->told = now;
    arguments[1].size = (size_t)snprintf(done, sizeof done, "%llu", (unsigned long long)now.done);
    arguments[2].size = (size_t)snprintf(total, sizeof total, "%llu", (unsigned long long)now.total);
    rc = soon__connection_write(job->source->work, SOON__WORK_STATUS, arguments, 3);
    if (rc < 0)
        soon__connection_drop(job->source->work, rc, "a job's progress could not be written");
}

/*
 * An exception is the end of a job. D4: other clients get the message alone, as a warning, and then the end. To most of
 * them an exception would be none: for who has not asked for exceptions the server makes a WORK_FAIL of it, with a NUL
 * behind the handle, and libgearman then waits for ever.
 */
static void fail(struct soon__gearman_job *job, const struct soon__error_message *error)
{
    struct soon__source *source = job->source;
    struct soon__message_writer writer;
    const soon_bytes handle = handle_of(job);
    int rc;

    source->daemon->counts.errors++;
    if (job->is_ours) {
        soon__writer_init(&writer);
        soon__write_error(&writer, error);
        say_message(job, SOON__WORK_EXCEPTION, &writer);
        return;
    }
    say(job, SOON__WORK_WARNING, (soon_bytes){error->message, strlen(error->message)});
    if (job->state != SOON__JOB_RUNNING)
        return; /* the connection is gone */
    rc = soon__connection_write(source->work, SOON__WORK_FAIL, &handle, 1);
    if (rc < 0)
        soon__connection_drop(source->work, rc, "a job's end could not be written");
}

void soon__report_refusal(struct soon__gearman_job *job, int code, const char *why)
{
    const struct soon__daemon *daemon = job->source->daemon;

    fail(job,
         &(struct soon__error_message){
             .code = code, .attempt = job->attempt, .host = daemon->host, .worker = daemon->worker, .message = why});
}

struct soon__error_message soon__error_message_of(const struct soon__gearman_job *job, const soon_error *error)
{
    const struct soon__daemon *daemon = job->source->daemon;

    return (struct soon__error_message){.code = error->code,
                                        .raised = error->raised,
                                        .started = error->started,
                                        .pid = error->worker_pid,
                                        .signal = error->worker_signal,
                                        .status = error->worker_status,
                                        .attempt = job->attempt,
                                        .host = daemon->host,
                                        .worker = daemon->worker,
                                        .message = error->message,
                                        .data = {error->data, error->data_size}};
}

static void tell_failure(struct soon__gearman_job *job)
{
    struct soon__error_message error = soon__error_message_of(job, soon_future_error(job->future));

    fail(job, &error);
}

static void tell_result(struct soon__gearman_job *job)
{
    int rc = soon__result_write(job);

    if (rc == 0)
        job->source->daemon->counts.results++;
    else if (rc == -EMSGSIZE)
        soon__report_refusal(job, rc, "the result is larger than a packet of the server can be");
    else
        soon__connection_drop(job->source->work, rc, "a job's result could not be written");
}

void soon__report_outcome(struct soon__gearman_job *job)
{
    soon__report_progress(job);
    if (job->state != SOON__JOB_RUNNING)
        return; /* the connection is gone */
    if (soon_future_succeeded(job->future) || (job->items && soon_map_count(job->future, NULL, NULL)))
        tell_result(job);
    else
        tell_failure(job);
}
