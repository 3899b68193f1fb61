/*
 * beside_internal.h - the parts that travel beside an argument or a result, its first payload and its text: any number
 * of them, in a section at the end of the body.
 *
 *     body:     ... [head][section] section:  [entry of the first part][of the second] ... [bytes of the first part
 *     that lies here][of the next one] ...
 *
 * E1  A part has a descriptor of its own if its memory can be mapped, or if it is larger than SOON__BODY_MAX, as long
 *     as a message has room for descriptors; else it lies in the section. If the section is too large for the body it
 *     has a descriptor, the first one, and the body has the head alone. So a body always fits into the area, whatever
 *     was submitted.
 * E2  The parts are asked for several times, and are the same each time, since nobody changes them any more.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_BESIDE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_BESIDE_INTERNAL_H

#include "../../../futures/value.h"
#include "wire_internal.h"

enum soon__beside_kind {
    SOON__BESIDE_NONE = 0,      /* stands for a part that is not there */
    SOON__BESIDE_EXTRA = 1,     /* the first part, or there is none */
    SOON__BESIDE_PAYLOAD,       /* the payloads behind the first one, in their order */
    SOON__BESIDE_INPUT,         /* the results of other tasks, in their order; behind each ... */
    SOON__BESIDE_INPUT_PAYLOAD, /* ... its payload, or NONE */
};

struct soon__beside_head {
    uint64_t size;         /* of the section */
    uint32_t count;        /* of its parts */
    uint16_t descriptors;  /* how many: that of the section, then those of its parts, in their order */
    uint16_t section_sent; /* 1: the section has the first of them */
};

struct soon__beside_entry {
    uint64_t size;
    uint32_t kind;
    uint32_t sent; /* 1: the part has a descriptor */
};
_Static_assert(sizeof(struct soon__beside_head) == 16 && sizeof(struct soon__beside_entry) == 16,
               "what follows is aligned");

struct soon__beside_part {
    enum soon__beside_kind kind;
    const void *data;
    uint64_t size;
    soon_buffer *buffer; /* the one that it lies in; NULL: it lies in none */
};

static inline struct soon__beside_part soon__beside_part_of(enum soon__beside_kind kind, soon_buffer *buffer)
{
    return (struct soon__beside_part){
        .kind = kind, .data = soon_buffer_data(buffer), .size = soon_buffer_size(buffer), .buffer = buffer};
}

/* The parts that are to be sent. */
struct soon__beside {
    /* Gives the part with this number; false: there are no more (E2). */
    bool (*part)(const void *whose, size_t index, struct soon__beside_part *ret);
    const void *whose;
    struct soon__beside_head head; /* without parts there is neither head nor section in the body */
};

/* Fills the head. `room` is how many bytes of a section may lie in the body. */
void soon__beside_measure(struct soon__beside *beside, uint64_t room);
/* How many bytes of the body they take. */
static inline uint64_t soon__beside_body_size(const struct soon__beside_head *head)
{
    if (!head->count)
        return 0;
    return sizeof *head + (head->section_sent ? 0 : head->size);
}
void soon__beside_write(const struct soon__beside *beside, unsigned char *to);

/* A descriptor of a part: of `buffer` if that can be shared, else of a copy in `*ret_copy`, which the caller owns. */
typedef int soon__beside_descriptor_fn(soon_buffer *buffer, const void *data, size_t size, soon_buffer **ret_copy);
/* Writes all descriptors to `fds`, and the copies that were made for them to `copies`, which ends with NULL. The caller
 * unrefs these when the descriptors are sent, whatever is returned. 0 or a negative errno. */
int soon__beside_descriptors(const struct soon__beside *beside, soon__beside_descriptor_fn *descriptor_of, int *fds,
                             soon_buffer *copies[SOON__BESIDE_DESCRIPTORS_MAX + 1]);

#endif
