/*
 * beside.c - reads a section that a worker has written, once: it copies each word before it looks at it, and checks
 * each length before it uses it. The worker can change the bytes of a payload while they are copied; that spoils its
 * own payload alone.
 */
#include "beside_internal.h"

#include "../../../futures/value_internal.h"
#include "receive_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The section that is being read. */
struct section {
    struct soon__process *process;
    const unsigned char *entries, *bytes;
    uint64_t left;      /* so many of `bytes` were not read yet */
    unsigned next, fds; /* the next descriptor, and how many there are */
    soon_buffer *sent;  /* the section lies in this buffer; NULL: in the body of the reply */
};

/* Reads 16 bytes once, even if the worker changes them meanwhile. */
static void read_once(void *to, const unsigned char *from)
{
    const volatile uint64_t *words = (const volatile uint64_t *)from;
    uint64_t copy[2] = {words[0], words[1]};

    memcpy(to, copy, sizeof copy);
}

/* Takes the next descriptor, as a buffer of `size` bytes that nobody can write. */
static int take_mapped(struct section *section, uint64_t size, soon_buffer **ret)
{
    int fd, rc;

    if (section->next == section->fds || !size)
        return -EPROTO;
    fd = soon__process_take_descriptor(section->process, SOON__PART_BESIDE << section->next++);
    if (fd < 0)
        return fd;
    rc = soon__shm_check_frozen(fd, size);
    if (rc == 0)
        rc = soon__buffer_of_descriptor(ret, fd, size);
    if (rc < 0)
        close(fd);
    return rc;
}

static int copy_bytes(struct section *section, uint64_t size, soon_buffer **ret)
{
    int rc;

    if (size > section->left || soon__body_round(size) > section->left)
        return -EPROTO;
    rc = soon_buffer_new(ret, size);
    if (rc == 0 && size)
        memcpy(soon_buffer_data(*ret), section->bytes, size);
    section->bytes += soon__body_round(size);
    section->left -= soon__body_round(size);
    return rc;
}

static int take_part(struct section *section, struct soon__outcome *outcome)
{
    struct soon__beside_entry entry;
    soon_buffer *buffer;
    int rc;

    read_once(&entry, section->entries);
    section->entries += sizeof entry;
    if (entry.kind != SOON__BESIDE_PAYLOAD || entry.sent > 1)
        return -EPROTO;
    rc = entry.sent ? take_mapped(section, entry.size, &buffer) : copy_bytes(section, entry.size, &buffer);
    return rc < 0 ? rc : soon__buffers_add(&outcome->further, buffer);
}

/* Checks the head, and finds where the section is. */
static int open_section(struct section *section, const struct soon__beside_head *head, uint64_t in_body)
{
    uint64_t entries = (uint64_t)head->count * sizeof(struct soon__beside_entry);
    int rc;

    if (!head->count || head->section_sent > 1 || head->descriptors != section->fds || head->size < entries ||
        in_body != soon__beside_body_size(head))
        return -EPROTO;
    if (head->section_sent) {
        rc = take_mapped(section, head->size, &section->sent);
        if (rc < 0)
            return rc;
        section->entries = soon_buffer_data(section->sent);
    }
    section->bytes = section->entries + entries;
    section->left = head->size - entries;
    return 0;
}

int soon__process_take_beside(struct soon__process *process, const struct soon__reply *reply, const unsigned char *at,
                              struct soon__outcome *outcome)
{
    struct section section = {.process = process,
                              .entries = at + sizeof(struct soon__beside_head),
                              .fds = soon__reply_beside_sent(reply->flags)};
    struct soon__beside_head head;
    int rc = reply->count < sizeof head ? -EPROTO : 0;

    if (rc == 0) {
        read_once(&head, at);
        rc = open_section(&section, &head, reply->count);
    }
    for (uint32_t i = 0; rc == 0 && i < head.count; i++)
        rc = take_part(&section, outcome);
    if (rc == 0 && section.next != section.fds)
        rc = -EPROTO;
    soon_buffer_unref(section.sent);
    return rc;
}
