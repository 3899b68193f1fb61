/*
 * submit_internal.h - submitting for the rest of the library: chunks, and where a refusal is to be seen.
 */
#ifndef SOON_EXECUTOR_CORE_SUBMIT_INTERNAL_H
#define SOON_EXECUTOR_CORE_SUBMIT_INTERNAL_H

#include "call_new_internal.h"

int soon__submit_options_check(const soon_submit_options *options);
/* Submits a chunk; as soon_submit_bytes(), the queue's bound as in `each`. `each` checked, may be NULL. */
soon_future *soon__submit_items(soon_executor *executor, const soon_function *function, struct soon__items *items,
                                const soon_submit_options *each);
/* The same, or with `items` NULL one argument of the function's size; but a refusal is returned, and takes nothing.
 * `try`: as soon_try_submit_bytes(). All checked. */
int soon__submit_or_refuse(soon_future **ret, const struct soon__call_params *params, bool try);

#endif
