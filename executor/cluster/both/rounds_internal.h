/*
 * rounds_internal.h - which server is tried next, and after what pause: C5 of connection_internal.h.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_ROUNDS_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_ROUNDS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed but for `servers`: nothing was tried. */
struct soon__rounds {
    size_t servers; /* how many there are */
    size_t next;
    unsigned in_vain; /* tries in a row of which nothing came, or not for long */
};

/* The one to be tried now. */
size_t soon__rounds_next(struct soon__rounds *rounds);
/* It has failed, or it was up for `up_ms`. Returns the pause before the next. `dice`: any number. */
uint64_t soon__rounds_over(struct soon__rounds *rounds, uint64_t up_ms, uint64_t dice);

#endif
