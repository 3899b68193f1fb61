/*
 * arrived_internal.h - the parts that came beside an argument (both/beside_internal.h), while their task runs.
 *
 * Parts that are bytes stay where they came: in the request, which is the task's until its last reply, or in a mapping.
 * A part that is a buffer is a copy, or a mapping of its own, since a task may keep a reference of it.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_ARRIVED_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_ARRIVED_INTERNAL_H

#include "../both/beside_internal.h"

struct soon__arrived;

/* How many descriptors were sent for the parts. `head` is where they begin in the body; NULL: there are none. */
unsigned soon__arrived_descriptors(const unsigned char *head);
/* Takes the parts. The descriptors are used or closed, whatever is returned. 0 or a negative errno. */
int soon__arrive(struct soon__arrived **ret, const unsigned char *head, const int *fds);
void soon__arrived_free(struct soon__arrived *arrived);

/* `arrived` may be NULL for all of these. */
soon_bytes soon__arrived_extra(const struct soon__arrived *arrived);
/* The payloads behind the first one. */
size_t soon__arrived_payload_count(const struct soon__arrived *arrived);
soon_buffer *soon__arrived_payload(const struct soon__arrived *arrived, size_t index);
size_t soon__arrived_input_count(const struct soon__arrived *arrived);
/* NULL and no bytes: there are not so many. */
soon_bytes soon__arrived_input(const struct soon__arrived *arrived, size_t index, soon_buffer **ret_payload);

#endif
