/*
 * job_json.h - how a job looks from outside; API.md says it field by field.
 */
#ifndef SERVICE_JOB_JSON_H
#define SERVICE_JOB_JSON_H

#include "jobs.h"

/* A job, as it is now. NULL: no memory. On the loop. */
json_t *job_json(struct job *job);

/* The same in one line; to be freed. */
char *job_text(struct job *job);

#endif
