/*
 * job_json.c - a job as an object of JSON.
 */
#include "job_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <uv.h>

/* From `from_ns` to `to_ns`, or until now if that is not there yet. */
static json_int_t milliseconds(int64_t from_ns, int64_t to_ns)
{
    int64_t end_ns = to_ns ? to_ns : (int64_t)uv_hrtime();
    return from_ns && end_ns > from_ns ? (end_ns - from_ns) / 1000000 : 0;
}

static json_t *location_of(const struct job *job)
{
    char path[64];
    snprintf(path, sizeof path, "/jobs/%" PRIu64 "/result", job->number);
    return job->file ? json_string(path) : json_null();
}

json_t *job_json(struct job *job)
{
    char id[24];
    job_look(job);
    snprintf(id, sizeof id, "%" PRIu64, job->number);
    int64_t queue_end_ns = job->began_ns ? job->began_ns : job->ended_ns;
    json_t *worker = job->worker ? json_integer(job->worker) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:{s:I, s:I}, s:f, s:I, s:I, s:o, s:O?, s:o, s:O?}", "id", id, "kind",
                     job_kind_name(job->kind), "label", job->label, "state", job_state_name(job->state), "cancelling",
                     job->cancelling && !job_has_ended(job), "progress", "done", (json_int_t)job->progress.done,
                     "total", (json_int_t)job->progress.total, "created", job->created_s, "queued_ms",
                     milliseconds(job->submitted_ns, queue_end_ns), "run_ms",
                     milliseconds(job->began_ns, job->ended_ns), "worker", worker, "result", job->result,
                     "result_location", location_of(job), "error", job->error);
}

char *job_text(struct job *job)
{
    json_t *json = job_json(job);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    return text;
}
