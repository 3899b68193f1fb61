/*
 * beside.c - lays out the parts that are to be sent.
 */
#include "beside_internal.h"

#include "../../../futures/value_internal.h"

#include <errno.h>
#include <string.h>

/* A walk through all parts. */
struct walk {
    const struct soon__beside *beside;
    size_t index;
    int descriptors; /* how many are left for the parts to come */
    struct soon__beside_part part;
    bool sent;
};

static struct walk walk_of(const struct soon__beside *beside)
{
    return (struct walk){.beside = beside, .descriptors = SOON__BESIDE_DESCRIPTORS_MAX - 1};
}

/* E1. Goes to the next part; false: there are no more. */
static bool next(struct walk *walk)
{
    struct soon__beside_part *part = &walk->part;

    if (!walk->beside->part(walk->beside->whose, walk->index, part))
        return false;
    walk->index++;
    walk->sent = walk->descriptors > 0 &&
                 (part->size > SOON__BODY_MAX || (part->buffer && soon__buffer_is_mappable(part->buffer)));
    walk->descriptors -= walk->sent;
    return true;
}

/* A sum that is too large for the type is the largest number: there is no memory for that either. */
static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void soon__beside_measure(struct soon__beside *beside, uint64_t room)
{
    struct soon__beside_head *head = &beside->head;
    struct walk walk = walk_of(beside);

    *head = (struct soon__beside_head){0};
    while (next(&walk)) {
        head->count++;
        head->descriptors += walk.sent;
        head->size = sum(head->size, sizeof(struct soon__beside_entry));
        if (!walk.sent)
            head->size = sum(head->size, soon__body_round(walk.part.size));
    }
    head->section_sent = head->size > room;
    head->descriptors += head->section_sent;
}

static void write_section(const struct soon__beside *beside, unsigned char *to)
{
    unsigned char *bytes = to + beside->head.count * sizeof(struct soon__beside_entry);
    struct walk walk = walk_of(beside);

    while (next(&walk)) {
        struct soon__beside_entry entry = {.size = walk.part.size, .kind = walk.part.kind, .sent = walk.sent};

        memcpy(to, &entry, sizeof entry);
        to += sizeof entry;
        if (walk.sent || !entry.size)
            continue;
        memcpy(bytes, walk.part.data, entry.size);
        bytes += soon__body_round(entry.size);
    }
}

void soon__beside_write(const struct soon__beside *beside, unsigned char *to)
{
    if (!beside->head.count)
        return;
    memcpy(to, &beside->head, sizeof beside->head);
    if (!beside->head.section_sent)
        write_section(beside, to + sizeof beside->head);
}

static int section_descriptor(const struct soon__beside *beside, soon_buffer **ret_copy)
{
    int rc = soon__buffer_new_mappable(ret_copy, beside->head.size);

    if (rc < 0)
        return rc;
    write_section(beside, soon_buffer_data(*ret_copy));
    return soon__buffer_freeze(*ret_copy);
}

int soon__beside_descriptors(const struct soon__beside *beside, soon__beside_descriptor_fn *descriptor_of, int *fds,
                             soon_buffer *copies[SOON__BESIDE_DESCRIPTORS_MAX + 1])
{
    struct walk walk = walk_of(beside);
    soon_buffer **copy = copies;
    int rc = 0;

    memset(copies, 0, (SOON__BESIDE_DESCRIPTORS_MAX + 1) * sizeof *copies);
    if (beside->head.section_sent) {
        rc = *fds++ = section_descriptor(beside, copy);
        copy += *copy != NULL;
    }
    while (rc >= 0 && beside->head.descriptors > beside->head.section_sent && next(&walk)) {
        if (!walk.sent)
            continue;
        rc = *fds++ = descriptor_of(walk.part.buffer, walk.part.data, walk.part.size, copy);
        copy += *copy != NULL;
    }
    return rc < 0 ? rc : 0;
}
