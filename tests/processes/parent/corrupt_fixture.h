/*
 * corrupt_fixture.h - how a task finds the channel of the worker that it runs in, to write what it should not.
 */
#ifndef SOON_TESTS_CORRUPT_FIXTURE_H
#define SOON_TESTS_CORRUPT_FIXTURE_H

#include "../../../executor/processes/both/wire_internal.h"
#include "../../support/process_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct soon__replies *replies;
static const struct soon__requests *requests; /* mapped for reading alone */
static unsigned char *area;
static uint32_t own_slot;
static uint64_t own_sequence;

static inline void *find_mapping_with(const char *wanted_rights, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), wanted = (size + page - 1) / page * page;
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    char line[512], rights[8];
    void *found = NULL;

    while (!found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strcmp(rights, wanted_rights) == 0 &&
            to - from == wanted)
            found = (void *)from;
    }
    fclose(maps);
    return found;
}

static inline void *find_mapping(size_t size)
{
    return find_mapping_with("rw-s", size);
}

static inline void *find_readonly_mapping(size_t size)
{
    return find_mapping_with("r--s", size);
}

static inline void find_channel(void)
{
    replies = find_mapping(sizeof *replies);
    area = find_mapping(SOON__REPLY_AREA);
    if (!replies || !area || replies->magic != SOON__CHANNEL_MAGIC)
        _exit(99);
    requests = find_readonly_mapping(sizeof *requests);
    /* Its own request is the one that was claimed last. That has the highest number, since these tests use no
     * priorities. */
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if ((replies->claims[slot] & SOON__SLOT_STATE) == SOON__SLOT_CLAIMED &&
            replies->claims[slot] >> 2 > own_sequence) {
            own_slot = slot;
            own_sequence = replies->claims[slot] >> 2;
        }
    }
}

/*
 * What a slot's word was before this request was claimed. Only the parent knows that in general. Here requests come one
 * after another, so all of them in one slot, and the first of them has the number `first`.
 */
static inline uint64_t word_before(uint64_t sequence, uint64_t first)
{
    return soon__slot_word(sequence - 1, sequence == first ? SOON__SLOT_TAKEN : SOON__SLOT_CLAIMED);
}

static inline void ring(void)
{
    soon__bell_ring(SOON__FD_BELL);
}

/* How many replies have been published. */
static inline uint64_t published(void)
{
    uint64_t count = 0;

    for (size_t i = 0; i < SOON__REPLIES; i++)
        count = replies->reply[i].number > count ? replies->reply[i].number : count;
    return count;
}

/* Publishes a reply without ringing the bell. */
static inline void add_reply(struct soon__reply reply)
{
    uint64_t count = published();
    struct soon__reply *place = &replies->reply[count % SOON__REPLIES];

    reply.number = place->number;
    *place = reply;
    place->number = count + 1;
}

static inline void publish(struct soon__reply reply)
{
    add_reply(reply);
    ring();
}

static inline void answer(struct soon__reply reply)
{
    reply.slot += own_slot;
    reply.sequence += own_sequence;
    publish(reply);
}

static inline void send(struct soon__message message, size_t size, const int *descriptors, int count)
{
    (void)soon__socket_send(SOON__FD_CONTROL, &message, size, descriptors, count);
}

static inline struct soon__message descriptors_message(void)
{
    return (struct soon__message){.magic = SOON__CHANNEL_MAGIC,
                                  .kind = SOON__MESSAGE_DESCRIPTORS,
                                  .version = SOON__CHANNEL_VERSION,
                                  .slot = own_slot,
                                  .parts = SOON__PART_BYTES,
                                  .sequence = own_sequence};
}

#endif
