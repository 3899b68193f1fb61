/*
 * land_internal.h - how a call in flight ends, or goes on with another try. On the loop. What ends a call takes it out
 * of the flight, which is let go.
 */
#ifndef SOON_EXECUTOR_CLUSTER_CLIENT_LAND_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_CLIENT_LAND_INTERNAL_H

#include "state_internal.h"

/* Takes what is in the outcome. */
void soon__flight_land(struct soon__flight *flight, struct soon__outcome *outcome);
void soon__flight_cancel(struct soon__flight *flight);
/* `text` NULL: that of the code. */
void soon__flight_fail(struct soon__flight *flight, int code, const char *text);
/* An error of this call, or of an item of it. `text` NULL: none. Whether it had `started` the flight knows. */
struct soon__error *soon__flight_error(const struct soon__flight *flight, const size_t *item, int code,
                                       const char *text);

/* This try has begun. */
void soon__flight_begin(struct soon__flight *flight);
/* This try is lost, with `code`: SOON_ELOST or SOON_EWORKERDIED. True: there is another, and it is UNSENT, with a new
 * unique if `is_new`. False: the caller is to fail it. */
bool soon__flight_try_again(struct soon__flight *flight, int code, bool is_new);
/* The daemon that ran it has died, and the server has put it back into its queue: it waits there, CREATED. */
void soon__flight_wait_again(struct soon__flight *flight);
/* It had not begun, as far as we know: it is UNSENT, with a new unique (F6), and that costs nothing. */
void soon__flight_return(struct soon__flight *flight);

#endif
