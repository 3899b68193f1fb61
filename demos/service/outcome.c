/*
 * outcome.c - from a future to what the service tells about a job. On the loop, and nothing here waits: the future is
 * done.
 */
#include "outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Errors may hold names of files, and these any bytes; JSON holds UTF-8. */
static json_t *text_of(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *copy = strdup(text);
    for (char *at = copy; at && *at; at++)
        if (*at & 0x80)
            *at = '?';
    string = copy ? json_string_nocheck(copy) : NULL;
    free(copy);
    return string;
}

static json_t *pi_of(const struct job *job, soon_future *future)
{
    struct pi_result result;
    if (compute_pi_get(future, 0, &result) < 0)
        return NULL;
    return json_pack("{s:f, s:I}", "pi", result.pi, "strips", (json_int_t)job->strips);
}

static json_t *digest_of(soon_future *future)
{
    struct digest_result result;
    char hex[2 * sizeof result.sha256 + 1] = "";
    if (digest_get(future, 0, &result) < 0)
        return NULL;
    for (size_t i = 0; i < 2 * sizeof result.sha256; i++)
        hex[i] = "0123456789abcdef"[result.sha256[i / 2] >> (i % 2 ? 0 : 4) & 15];
    return json_pack("{s:s, s:I, s:I, s:I}", "sha256", hex, "bytes", (json_int_t)result.bytes, "files",
                     (json_int_t)result.files, "failed", (json_int_t)result.failed);
}

static json_t *thumbnail_of(const struct job *job, soon_future *future)
{
    struct thumbnail_result result;
    if (thumbnail_get(future, 0, &result) < 0)
        return NULL;
    return json_pack("{s:i, s:i, s:I, s:s, s:i, s:i}", "width", result.width, "height", result.height, "bytes",
                     (json_int_t)soon_buffer_size(soon_future_payload(future)), "format", job->jpeg ? "jpeg" : "png",
                     "source_width", result.source_width, "source_height", result.source_height);
}

static json_t *result_of(const struct job *job, soon_future *future)
{
    switch (job->kind) {
    case JOB_PI:
        return pi_of(job, future);
    case JOB_DIGEST:
        return digest_of(future);
    case JOB_THUMBNAIL:
        return thumbnail_of(job, future);
    default:
        return json_object();
    }
}

static enum job_state take_error(struct job *job, const soon_error *error)
{
    bool cancelled = error->code == -ECANCELED || error->code == SOON_EKILLED;
    json_t *message = text_of(error->message);
    if (error->worker_pid)
        job->worker = error->worker_pid;
    job->error = json_pack("{s:s, s:o, s:i}", "code", soon_errname(error->code), "message", message, "signal",
                           error->worker_signal);
    return cancelled ? JOB_CANCELLED : JOB_FAILED;
}

enum job_state outcome_take(struct job *job, soon_future *future)
{
    const soon_error *error = soon_future_error(future);
    if (error->code)
        return take_error(job, error);
    job->result = result_of(job, future);
    if (soon_future_payload(future))
        job->file = soon_buffer_ref(soon_future_payload(future));
    job->kept_bytes = job->file ? soon_buffer_size(job->file) : 0;
    return JOB_SUCCEEDED;
}
