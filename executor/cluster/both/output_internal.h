/*
 * output_internal.h - bytes that wait to be sent, in the order in which they were written.
 *
 * They lie in chunks. What is written in one piece lies in one chunk, so that a large argument is copied once, by who
 * writes it, and a chunk never moves, so that libuv may send from it while more is written behind.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_OUTPUT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_OUTPUT_INTERNAL_H

#include <stddef.h>
#include <uv.h>

struct soon__chunk {
    struct soon__chunk *next;
    size_t sent, size, capacity;
    char data[];
};

/* Zeroed: empty. */
struct soon__output {
    struct soon__chunk *head, *tail;
    size_t size; /* of all that waits */
};

/* Room for `size` bytes at the end, to be filled at once. 0 or -ENOMEM. */
int soon__output_space(struct soon__output *output, size_t size, void **ret);
/* What waits first, in up to `max` pieces. Returns how many; they stay until they were taken. */
unsigned soon__output_pieces(const struct soon__output *output, uv_buf_t *ret, unsigned max);
/* So many bytes have been sent. */
void soon__output_taken(struct soon__output *output, size_t size);
void soon__output_fini(struct soon__output *output);

#endif
