/*
 * arrived.c - parts that the parent has sent, as the task sees them. The parent is trusted.
 */
#include "arrived_internal.h"

#include "../../../futures/value_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct soon__arrived {
    soon_buffer *section;                                      /* NULL: it lies in the body */
    size_t count;                                              /* of the parts */
    size_t payloads_at, payload_count, inputs_at, input_count; /* which of them are payloads and inputs */
    struct soon__beside_part parts[];
};

static struct soon__beside_head head_at(const unsigned char *at)
{
    struct soon__beside_head head;

    memcpy(&head, at, sizeof head);
    return head;
}

unsigned soon__arrived_descriptors(const unsigned char *head)
{
    return head ? head_at(head).descriptors : 0;
}

/* Takes a part that was sent as a descriptor. */
static int take_sent(struct soon__beside_part *part, int fd)
{
    int rc = soon__buffer_of_descriptor(&part->buffer, fd, part->size);

    if (rc < 0)
        close(fd);
    else
        part->data = soon_buffer_data(part->buffer);
    return rc;
}

/* Takes a part that lies in the section. A buffer is copied, since a task may keep it. */
static int take_here(struct soon__beside_part *part)
{
    int rc;

    if (part->kind != SOON__BESIDE_PAYLOAD && part->kind != SOON__BESIDE_INPUT_PAYLOAD)
        return 0;
    rc = soon_buffer_new(&part->buffer, part->size);
    if (rc == 0 && part->size)
        memcpy(soon_buffer_data(part->buffer), part->data, part->size);
    return rc;
}

static void note(struct soon__arrived *arrived, enum soon__beside_kind kind)
{
    if (kind == SOON__BESIDE_PAYLOAD && !arrived->payload_count++)
        arrived->payloads_at = arrived->count;
    if (kind == SOON__BESIDE_INPUT && !arrived->input_count++)
        arrived->inputs_at = arrived->count;
    arrived->count++;
}

/* Takes all parts of a section. `*taken` is how many descriptors of `fds` were used. */
static int take_parts(struct soon__arrived *arrived, const unsigned char *section, uint32_t count, const int *fds,
                      int *taken)
{
    const unsigned char *bytes = section + count * sizeof(struct soon__beside_entry);
    struct soon__beside_entry entry;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct soon__beside_part *part = &arrived->parts[i];

        memcpy(&entry, section + i * sizeof entry, sizeof entry);
        *part = (struct soon__beside_part){.kind = entry.kind, .data = bytes, .size = entry.size};
        rc = entry.sent ? take_sent(part, fds[(*taken)++]) : take_here(part);
        bytes += entry.sent ? 0 : soon__body_round(entry.size);
        if (rc == 0)
            note(arrived, entry.kind);
    }
    return rc;
}

/* Finds the section, in the body or behind a descriptor. */
static int open_section(struct soon__arrived *arrived, const unsigned char *head, const int *fds, int *taken,
                        const unsigned char **ret)
{
    int rc;

    *ret = head + sizeof(struct soon__beside_head);
    if (!head_at(head).section_sent)
        return 0;
    rc = soon__buffer_of_descriptor(&arrived->section, fds[0], head_at(head).size);
    if (rc < 0)
        return rc;
    *taken = 1;
    *ret = soon_buffer_data(arrived->section);
    return 0;
}

int soon__arrive(struct soon__arrived **ret, const unsigned char *at, const int *fds)
{
    struct soon__beside_head head = head_at(at);
    struct soon__arrived *arrived = calloc(1, sizeof *arrived + head.count * sizeof *arrived->parts);
    const unsigned char *section;
    int taken = 0, rc = -ENOMEM;

    if (arrived)
        rc = open_section(arrived, at, fds, &taken, &section);
    if (rc == 0)
        rc = take_parts(arrived, section, head.count, fds, &taken);
    for (; taken < head.descriptors; taken++)
        close(fds[taken]);
    if (rc < 0)
        soon__arrived_free(arrived);
    else
        *ret = arrived;
    return rc;
}

void soon__arrived_free(struct soon__arrived *arrived)
{
    if (!arrived)
        return;
    for (size_t i = 0; i < arrived->count; i++)
        soon_buffer_unref(arrived->parts[i].buffer);
    soon_buffer_unref(arrived->section);
    free(arrived);
}

soon_bytes soon__arrived_extra(const struct soon__arrived *arrived)
{
    if (!arrived || arrived->parts[0].kind != SOON__BESIDE_EXTRA)
        return (soon_bytes){NULL, 0};
    return (soon_bytes){arrived->parts[0].data, arrived->parts[0].size};
}

size_t soon__arrived_payload_count(const struct soon__arrived *arrived)
{
    return arrived ? arrived->payload_count : 0;
}

soon_buffer *soon__arrived_payload(const struct soon__arrived *arrived, size_t index)
{
    if (index >= soon__arrived_payload_count(arrived))
        return NULL;
    return arrived->parts[arrived->payloads_at + index].buffer;
}

size_t soon__arrived_input_count(const struct soon__arrived *arrived)
{
    return arrived ? arrived->input_count : 0;
}

soon_bytes soon__arrived_input(const struct soon__arrived *arrived, size_t index, soon_buffer **ret_payload)
{
    const struct soon__beside_part *part;

    *ret_payload = NULL;
    if (index >= soon__arrived_input_count(arrived))
        return (soon_bytes){NULL, 0};
    part = &arrived->parts[arrived->inputs_at + 2 * index];
    *ret_payload = part[1].buffer;
    return (soon_bytes){part->size ? part->data : NULL, part->size};
}
