/*
 * arrived_internal.h - what came beside an argument (both/beside_internal.h), for the time of its task.
 *
 * What is bytes alone is seen where it came: in the request, which is the task's until its last reply, or in a mapping.
 * What is a buffer, of which a task may keep a reference, is a copy or a mapping of its own.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_ARRIVED_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_ARRIVED_INTERNAL_H

#include "../both/beside_internal.h"

struct soon__arrived;

/* How many descriptors were sent for it. `head`: where it begins in the body; NULL: there is none. */
unsigned soon__arrived_descriptors(const unsigned char *head);
/* Takes the descriptors, whatever is returned. 0 or a negative errno. */
int soon__arrive(struct soon__arrived **ret, const unsigned char *head, const int *fds);
void soon__arrived_free(struct soon__arrived *arrived);

/* Of these `arrived` may be NULL. */
soon_bytes soon__arrived_extra(const struct soon__arrived *arrived);
/* Of the payloads behind the first. */
size_t soon__arrived_payload_count(const struct soon__arrived *arrived);
soon_buffer *soon__arrived_payload(const struct soon__arrived *arrived, size_t index);
size_t soon__arrived_input_count(const struct soon__arrived *arrived);
/* No bytes and NULL: there are not so many. */
soon_bytes soon__arrived_input(const struct soon__arrived *arrived, size_t index, soon_buffer **ret_payload);

#endif
