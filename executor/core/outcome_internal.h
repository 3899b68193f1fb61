/*
 * outcome_internal.h - what became of a body: filled by the run, moved into a future, or an item of a map.
 */
#ifndef SOON_EXECUTOR_CORE_OUTCOME_INTERNAL_H
#define SOON_EXECUTOR_CORE_OUTCOME_INTERNAL_H

#include "../../futures/future_internal.h"

struct soon__outcome {
    struct soon__error *error; /* NULL: it succeeded */
    bool cancelled;            /* with an error: the task gave in to a cancel request */
    bool result_on_heap;       /* malloc'ed; else in memory that was given to the run */
    bool result_mapped;        /* or a mapping of its own */
    void *result;
    size_t result_size;
    soon_buffer *result_buffer; /* a worker process's: what `result` lies in; NULL: elsewhere */
    soon_buffer *payload;
    struct soon__buffers *further; /* payloads behind it */
};

/* How a task has ended. */
enum soon__ending {
    SOON__ENDED_WELL,
    SOON__ENDED_CANCELLED,
    SOON__ENDED_RAISED,
    SOON__ENDED_LATE,    /* over its time limit */
    SOON__ENDED_EXPIRED, /* over its queue limit */
    SOON__ENDED_WORKER_DIED,
    SOON__ENDED_KILLED,
    SOON__ENDED_LOST,      /* with its server, machine or network */
    SOON__ENDED_OTHERWISE, /* it could not be run: no memory, a broken pool ... */
    SOON__ENDINGS,
};
/* `error` NULL: it succeeded. */
enum soon__ending soon__ending_of(const struct soon__error *error, bool cancelled);
enum soon__ending soon__ending_of_code(int code);

static inline uint32_t soon__outcome_owned(const struct soon__outcome *outcome)
{
    return outcome->result_on_heap ? SOON__RESULT_ON_HEAP : outcome->result_mapped ? SOON__RESULT_MAPPED : 0;
}

/* Copies a result to `space` if it is not NULL, else to memory of its own. 0 or -ENOMEM. */
int soon__outcome_copy_result(const void *bytes, size_t size, void *space, struct soon__outcome *outcome);
/* Drops an outcome without error whose result may lie in `space`. */
void soon__outcome_drop_result(struct soon__outcome *outcome, void *space);

/* Each leaves zeroes behind. */
void soon__outcome_clear_result(struct soon__outcome *outcome);
void soon__outcome_drop_payloads(struct soon__outcome *outcome);
void soon__outcome_drop(struct soon__outcome *outcome);

#endif
