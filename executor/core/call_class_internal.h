/*
 * call_class_internal.h - the class of a call's future. That of a call that waits for others (then.c) is made of the
 * same functions.
 */
#ifndef SOON_EXECUTOR_CORE_CALL_CLASS_INTERNAL_H
#define SOON_EXECUTOR_CORE_CALL_CLASS_INTERNAL_H

#include "call_internal.h"

extern const struct soon__class soon__call_class;

/* The call behind a future, also of one that waits; NULL if the future is of another class. */
soon_call *soon__call_of(const soon_future *future);

/* What both classes have. The functions are those of struct soon__class. */
#define SOON__CALL_CLASS                                                                                               \
    .destroy = soon__call_destroy, .pin = soon__call_pin, .unpin = soon__call_unpin,                                   \
    .take_back_again = soon__call_take_back_again, .cancelled = soon__call_cancelled,                                  \
    .has_begun = soon__call_has_begun, .refresh = soon__call_refresh, .spin = soon__call_spin,                         \
    .kill = soon__call_kill, .help = soon__call_help, .ends_on_loop = soon__call_ends_on_loop,                         \
    .attempt = soon__call_attempt_of, .label = soon__call_label_of, .data = soon__call_data_of,                        \
    .executor = soon__call_executor_of, .function = soon__call_function_of, .fits = soon__call_fits,                   \
    .describe = soon__call_describe

void soon__call_destroy(soon_future *future);
void *soon__call_pin(soon_future *future);
void soon__call_unpin(void *owner);
bool soon__call_take_back(soon_future *future, void *owner);
bool soon__call_take_back_again(soon_future *future, void *owner);
void soon__call_cancelled(soon_future *future, void *owner, bool taken);
void soon__call_taken_back(soon_future *future);
bool soon__call_has_begun(const soon_future *future);
void soon__call_refresh(soon_future *future, void *owner);
void soon__call_spin(soon_future *future, int64_t deadline);
int soon__call_kill(soon_future *future, void *owner);
int soon__call_help(soon_future *future);
bool soon__call_ends_on_loop(const soon_future *future);
unsigned soon__call_attempt_of(const soon_future *future);
const char *soon__call_label_of(const soon_future *future);
void *soon__call_data_of(const soon_future *future);
const void *soon__call_executor_of(const soon_future *future);
const void *soon__call_function_of(const soon_future *future);
bool soon__call_fits(const soon_future *future, const char *kind);
struct soon__described soon__call_describe(const soon_future *future);

#endif
