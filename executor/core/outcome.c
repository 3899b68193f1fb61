/*
 * outcome.c - giving back what a body has left. See outcome_internal.h.
 */
#include "outcome_internal.h"

#include "../../futures/value_internal.h"

#include <stdlib.h>

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
