/*
 * outcome.c - how a task has ended, and giving back what a body has left. See outcome_internal.h.
 */
#include "outcome_internal.h"

#include "../../futures/value_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void soon__outcome_clear_result(struct soon__outcome *outcome)
{
    if (outcome->result_on_heap)
        free(outcome->result);
    soon_buffer_unref(outcome->result_buffer);
    outcome->result = NULL;
    outcome->result_size = 0;
    outcome->result_on_heap = false;
    outcome->result_buffer = NULL;
}

void soon__outcome_drop_payloads(struct soon__outcome *outcome)
{
    soon_buffer_unref(outcome->payload);
    soon__buffers_free(outcome->further);
    outcome->payload = NULL;
    outcome->further = NULL;
}

void soon__outcome_drop(struct soon__outcome *outcome)
{
    soon__error_unref(outcome->error);
    soon__outcome_clear_result(outcome);
    soon__outcome_drop_payloads(outcome);
    *outcome = (struct soon__outcome){0};
}

void soon__outcome_drop_result(struct soon__outcome *outcome, void *space)
{
    if (outcome->result_mapped)
        soon__shm_unmap(outcome->result, outcome->result_size);
    else if (outcome->result != space)
        free(outcome->result);
    soon__outcome_drop_payloads(outcome);
    *outcome = (struct soon__outcome){0};
}

int soon__outcome_copy_result(const void *bytes, size_t size, void *space, struct soon__outcome *outcome)
{
    outcome->result = space;
    if (!space && size) {
        outcome->result = malloc(size);
        outcome->result_on_heap = true;
        if (!outcome->result)
            return -ENOMEM;
    }
    if (size)
        memcpy(outcome->result, bytes, size);
    return 0;
}

enum soon__ending soon__ending_of_code(int code)
{
    switch (code) {
    case 0:
        return SOON__ENDED_WELL;
    case -ECANCELED:
        return SOON__ENDED_CANCELLED;
    case SOON_ERAISED:
        return SOON__ENDED_RAISED;
    case SOON_ETIMELIMIT:
        return SOON__ENDED_LATE;
    case SOON_EEXPIRED:
        return SOON__ENDED_EXPIRED;
    case SOON_EWORKERDIED:
        return SOON__ENDED_WORKER_DIED;
    case SOON_EKILLED:
        return SOON__ENDED_KILLED;
    case SOON_ELOST:
        return SOON__ENDED_LOST;
    default:
        return SOON__ENDED_OTHERWISE;
    }
}

enum soon__ending soon__ending_of(const struct soon__error *error, bool cancelled)
{
    enum soon__ending ending = soon__ending_of_code(error ? error->public.code : 0);

    if (error && cancelled)
        return SOON__ENDED_CANCELLED;
    return ending == SOON__ENDED_CANCELLED ? SOON__ENDED_OTHERWISE
                                           : ending; /* -ECANCELED of a future that has failed */
}
