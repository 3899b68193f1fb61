/*
 * beside_internal.h - what travels beside an argument or a result, its first payload and its text: a section at the end of
 * the body, of any number of parts.
 *
 *     body:     ... [head][section]
 *     section:  [entry of the first part][of the next] ... [bytes of the first that lies here][of the next] ...
 *
 * E1  A part has a descriptor of its own if its memory can be mapped, or if it is too large to be copied (SOON__BODY_MAX), as
 *     long as there are descriptors for a message; else it lies in the section. A section that is too large has a descriptor,
 *     the first of them, and the body has the head alone. So a body is never larger than can be given room for, whatever was
 *     submitted.
 * E2  Parts are asked for several times, and are the same each time: what they are is read only by then.
 */
#ifndef SOON_EXECUTOR_PROCESSES_BOTH_BESIDE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_BOTH_BESIDE_INTERNAL_H

#include "../../../futures/value.h"
#include "wire_internal.h"

enum soon__beside_kind {
    SOON__BESIDE_NONE = 0,      /* the place of something that is not there */
    SOON__BESIDE_EXTRA = 1,     /* the first, or there is none */
    SOON__BESIDE_PAYLOAD,       /* behind the first, in their order */
    SOON__BESIDE_INPUT,         /* results of others, in their order, and behind each ... */
    SOON__BESIDE_INPUT_PAYLOAD, /* ... its payload, or NONE */
};

struct soon__beside_head {
    uint64_t size;         /* of the section */
    uint32_t count;        /* of its parts */
    uint16_t descriptors;  /* the section's, then those of its parts, in their order */
    uint16_t section_sent; /* 1: it has the first of them */
};

struct soon__beside_entry {
    uint64_t size;
    uint32_t kind;
    uint32_t sent; /* 1: it has a descriptor */
};
_Static_assert(sizeof(struct soon__beside_head) == 16 && sizeof(struct soon__beside_entry) == 16,
               "what follows is aligned");

struct soon__beside_part {
    enum soon__beside_kind kind;
    const void *data;
    uint64_t size;
    soon_buffer *buffer; /* what it lies in; NULL: in none */
};

static inline struct soon__beside_part soon__beside_part_of(enum soon__beside_kind kind, soon_buffer *buffer)
{
    return (struct soon__beside_part){
        .kind = kind, .data = soon_buffer_data(buffer), .size = soon_buffer_size(buffer), .buffer = buffer};
}

/* What is to be sent. */
struct soon__beside {
    /* The part of this number; false: there are no more (E2). */
    bool (*part)(const void *whose, size_t index, struct soon__beside_part *ret);
    const void *whose;
    struct soon__beside_head head; /* of no parts: there is neither head nor section */
};

/* Fills its head. `room`: so many bytes of a section may lie in the body. */
void soon__beside_measure(struct soon__beside *beside, uint64_t room);
/* How many bytes of the body it takes. */
static inline uint64_t soon__beside_body_size(const struct soon__beside_head *head)
{
    if (!head->count)
        return 0;
    return sizeof *head + (head->section_sent ? 0 : head->size);
}
void soon__beside_write(const struct soon__beside *beside, unsigned char *to);

/* A descriptor of what a part is: of `buffer` if that can be shared, else of a copy in `*ret_copy`, which the caller owns. */
typedef int soon__beside_descriptor_fn(soon_buffer *buffer, const void *data, size_t size, soon_buffer **ret_copy);
/* All of its descriptors, to `fds`; what was copied for them to `copies`, up to NULL, to be given up when they were sent, whatever
 * is returned. 0 or a negative errno. */
int soon__beside_descriptors(const struct soon__beside *beside, soon__beside_descriptor_fn *descriptor_of, int *fds,
                             soon_buffer *copies[SOON__BESIDE_DESCRIPTORS_MAX + 1]);

#endif
