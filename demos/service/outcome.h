/*
 * outcome.h - what a job has left: its result, its file, its error.
 */
#ifndef SERVICE_OUTCOME_H
#define SERVICE_OUTCOME_H

#include "jobs.h"

/*
 * Fills in the job's result, file and error from its future, which is done. On the loop.
 *
 * Returns: the state in which the job has ended.
 */
enum job_state outcome_take(struct job *job, soon_future *future);

#endif
