/*
 * reply.c - replies of a worker, and the area in which their bodies lie.
 *
 * R1  A region of the area is taken for a result before the task runs, or for a body when it has ended. It belongs to
 *     the reply that is published with it, until that is acked.
 * R2  At most two regions belong to no published reply, and one of these is the newest. So when all replies are acked
 *     there is room for a body of any size, and a wait for room ends.
 * R3  A body is never larger than SOON__BODY_MAX and a message. A part that would make it larger has a descriptor.
 * R4  At most one message with descriptors is under way: the next is sent when the reply that it was for is acked.
 */
#include "reply_internal.h"

#include "../../../futures/value_internal.h"
#include "../../system/ipc_internal.h"
#include "../both/beside_internal.h"
#include "../both/channel_replies_internal.h"
#include "../both/channel_requests_internal.h"
#include "../both/ring_allocator_internal.h"
#include "control_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 << 10, GIVE_BACK_EVERY = SOON__REPLIES / 2 };

static struct {
    const struct soon__channel *channel;
    struct soon__ring_allocator ring;
    uint64_t given_back;
    uint32_t regions[SOON__REPLIES]; /* of those published, not given back */
    uint64_t sent;                   /* so many were published with the last that had descriptors; 0: none */
    struct stat bell;                /* what it was when the worker was given it */
} replies;

int soon__replies_init(const struct soon__channel *channel)
{
    replies.channel = channel;
    soon__ring_allocator_init(&replies.ring, channel->replies->reply_area_size);
    return fstat(channel->bell, &replies.bell) < 0 ? -errno : 0;
}

/* Frees the regions of the first `acked` replies. */
static void give_back(uint64_t acked)
{
    for (; replies.given_back < acked; replies.given_back++) {
        uint32_t region = replies.regions[replies.given_back % SOON__REPLIES];

        if (region != SOON__NO_REGION)
            soon__ring_allocator_give(&replies.ring, region);
    }
}

/* Makes a place for the region of the next reply. The count of acks is in a line of memory that the parent writes: so
 * it is read now and then alone. */
static void keep_regions(void)
{
    uint64_t published = soon__channel_published_count(replies.channel), acked;

    if (published - replies.given_back < GIVE_BACK_EVERY)
        return;
    acked = soon__channel_acked(replies.channel);
    if (published - acked >= SOON__REPLIES) /* D5 */
        acked = soon__channel_await_ack(replies.channel, published - SOON__REPLIES);
    give_back(acked);
}

struct soon__place soon__replies_take(uint64_t size)
{
    uint64_t acked = soon__channel_acked(replies.channel);
    struct soon__place place;

    give_back(acked);
    while (!soon__ring_allocator_take(&replies.ring, size, &place.offset, &place.region)) {
        assert(acked < soon__channel_published_count(replies.channel)); /* R2 */
        acked = soon__channel_await_ack(replies.channel, acked);
        give_back(acked);
    }
    place.data = replies.channel->reply_area + place.offset;
    return place;
}

void soon__replies_give(struct soon__place *place)
{
    if (place->region != SOON__NO_REGION)
        soon__ring_allocator_give(&replies.ring, place->region);
    place->region = SOON__NO_REGION;
}

/* Notes the region of the next reply. */
static void note_region(uint32_t region)
{
    keep_regions();
    replies.regions[soon__channel_published_count(replies.channel) % SOON__REPLIES] = region;
}

static bool bell_is_there(void)
{
    struct stat now;

    return fstat(replies.channel->bell, &now) == 0 && now.st_dev == replies.bell.st_dev &&
           now.st_ino == replies.bell.st_ino && now.st_mode == replies.bell.st_mode;
}

/* If a task has closed the bell, or opened something else in its place, nobody would ever hear of this reply; but the
 * parent hears of a death. */
static void ring(void)
{
    if (!bell_is_there() || soon__bell_ring(replies.channel->bell) < 0)
        _exit(SOON__EXIT_NO_CHANNEL);
}

void soon__reply_publish(const struct soon__reply *reply, const struct soon__place *place)
{
    soon__process_point(SOON__POINT_BEFORE_REPLY);
    if (reply->kind == SOON__REPLY_DONE)
        soon__channel_restore_claim(replies.channel, reply->slot, reply->sequence);
    else
        soon__channel_await_room(replies.channel);
    note_region(place ? place->region : SOON__NO_REGION);
    if (reply->flags & SOON__REPLY_DESCRIPTORS)
        replies.sent = soon__channel_published_count(replies.channel) + 1;
    if (soon__channel_reply(replies.channel, reply))
        ring();
}

void soon__reply_set_times(int64_t began_ns, int64_t ended_ns)
{
    soon__channel_await_room(replies.channel);
    soon__channel_set_item_times(replies.channel, began_ns, ended_ns);
}

void soon__reply_publish_short(uint32_t slot, uint64_t sequence, const unsigned char bytes[SOON__REPLY_SHORT_MAX],
                               size_t size)
{
    soon__process_point(SOON__POINT_BEFORE_REPLY);
    soon__channel_restore_claim(replies.channel, slot, sequence);
    note_region(SOON__NO_REGION);
    if (soon__channel_reply_short(replies.channel, slot, sequence, bytes, size))
        ring();
}

/*
 * What goes by descriptor
 */

/* A descriptor of memory that nobody can write any more: that of the buffer, or of a copy. */
static int freeze_or_copy(soon_buffer *buffer, const void *data, size_t size, soon_buffer **ret_copy)
{
    int fd = buffer ? soon__buffer_freeze(buffer) : -ENOTSUP;

    if (fd >= 0 && soon__shm_check_frozen(fd, size) == 0)
        return fd;
    fd = soon__buffer_new_frozen(ret_copy, buffer ? soon_buffer_data(buffer) : data, size);
    return fd < 0 ? fd : soon__buffer_freeze(*ret_copy);
}

/* The same, but the copy replaces the buffer. */
static int freeze(soon_buffer **buffer)
{
    soon_buffer *copy = NULL;
    int fd = freeze_or_copy(*buffer, NULL, soon_buffer_size(*buffer), &copy);

    if (copy) {
        soon_buffer_unref(*buffer);
        *buffer = copy;
    }
    return fd;
}

/* R4. Waits until the reply to the previous message with descriptors is acked. */
static void await_previous(void)
{
    uint64_t acked = soon__channel_acked(replies.channel);

    while (acked < replies.sent)
        acked = soon__channel_await_ack(replies.channel, acked);
    give_back(acked);
}

/* Sends the descriptors that the flags ask for. 0 or a negative errno. */
static int send_buffers(const struct soon__reply *reply, struct soon__outcome *outcome,
                        const struct soon__beside *beside)
{
    uint32_t parts = soon__parts_beside(beside->head.descriptors);
    soon_buffer *copies[SOON__BESIDE_DESCRIPTORS_MAX + 1] = {NULL};
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX], count = 0, rc = 0;

    if (reply->flags & SOON__REPLY_RESULT_SENT) {
        parts |= SOON__PART_BYTES;
        descriptors[count++] = freeze(&outcome->result_buffer);
    }
    if (reply->flags & SOON__REPLY_PAYLOAD_SENT) {
        parts |= SOON__PART_PAYLOAD;
        descriptors[count++] = freeze(&outcome->payload);
    }
    for (int i = 0; i < count; i++) {
        if (descriptors[i] < 0)
            return descriptors[i];
    }
    if (!parts)
        return 0;
    if (beside->head.descriptors)
        rc = soon__beside_descriptors(beside, freeze_or_copy, descriptors + count, copies);
    if (rc == 0) {
        await_previous();
        rc = soon__control_send(reply, parts, descriptors);
        soon__process_point(SOON__POINT_RESULT_SENT);
    }
    for (soon_buffer **copy = copies; *copy; copy++)
        soon_buffer_unref(*copy);
    return rc;
}

/*
 * Bodies
 */

struct body {
    const void *data[3]; /* result, payload, message with its bytes; NULL: that part has a descriptor */
    uint64_t size[3];
    size_t text;                /* the length of the message, which may have been cut, with its NUL */
    struct soon__beside beside; /* lies behind them */
};

static uint64_t size_of(const struct body *body)
{
    uint64_t end = 0, size = 0;

    for (int i = 0; i < 3; i++) {
        if (!body->data[i] || !body->size[i])
            continue;
        size = end + body->size[i];
        end = soon__body_round(size);
    }
    return body->beside.head.count ? end + soon__beside_body_size(&body->beside.head) : size;
}

static void copy(unsigned char *to, const struct body *body)
{
    for (int i = 0; i < 3; i++) {
        if (!body->data[i] || !body->size[i])
            continue;
        memcpy(to, body->data[i], body->size[i]);
        if (i == 2)
            to[body->text - 1] = '\0';
        to += soon__body_round(body->size[i]);
    }
    soon__beside_write(&body->beside, to);
}

/* Puts the body into the reply itself, where the result lies already, or in a region of its own. */
static struct soon__place put(struct soon__reply *reply, const struct body *body, struct soon__place *result)
{
    uint64_t size = size_of(body);
    struct soon__place place = {.region = SOON__NO_REGION};

    if (size <= SOON__REPLY_INLINE) {
        copy(reply->bytes, body);
        soon__replies_give(result);
        return place;
    }
    reply->flags |= SOON__REPLY_IN_AREA;
    if (result->region != SOON__NO_REGION && size == body->size[0] && body->data[0] == result->data) {
        place = *result;
        result->region = SOON__NO_REGION;
    } else {
        place = soon__replies_take(size);
        copy(place.data, body);
        soon__replies_give(result);
    }
    reply->offset = place.offset;
    return place;
}

static void describe_failure(struct soon__reply *reply, struct body *body, const struct soon__outcome *outcome)
{
    const soon_error *error = &outcome->error->public;
    size_t text = strnlen(error->message, MESSAGE_MAX - 1) + 1;
    /* In an error the bytes lie behind the message. One that was passed on may have more of them than can be sent: then
     * none are. */
    size_t size = error->data_size <= MESSAGE_MAX - text ? text + error->data_size : text;

    reply->code = error->code;
    reply->raised = error->raised;
    reply->flags |= outcome->cancelled ? SOON__REPLY_CANCELLED : 0;
    if (!error->started && !outcome->cancelled)
        reply->flags |= SOON__REPLY_NOT_STARTED;
    reply->message_size = (uint32_t)size;
    *body = (struct body){.data = {NULL, NULL, error->message}, .size = {0, 0, size}, .text = text};
}

static bool part_of_outcome(const void *whose, size_t index, struct soon__beside_part *ret)
{
    const struct soon__outcome *outcome = whose;

    if (!outcome->further || index >= outcome->further->count)
        return false;
    *ret = soon__beside_part_of(SOON__BESIDE_PAYLOAD, outcome->further->at[index]);
    return true;
}

/* R3 */
static void describe_further(struct soon__reply *reply, struct body *body, const struct soon__outcome *outcome)
{
    uint64_t used = soon__body_round(size_of(body)) + sizeof body->beside.head;

    body->beside = (struct soon__beside){.part = part_of_outcome, .whose = outcome};
    soon__beside_measure(&body->beside, used < SOON__BODY_MAX ? SOON__BODY_MAX - used : 0);
    reply->flags |= SOON__REPLY_HAS_BESIDE | (uint32_t)body->beside.head.descriptors << SOON__REPLY_BESIDE_SENT_AT;
    reply->count = soon__beside_body_size(&body->beside.head);
}

static void describe_success(struct soon__reply *reply, struct body *body, const struct soon__outcome *outcome)
{
    body->data[0] = outcome->result;
    body->size[0] = reply->result_size = outcome->result_size;
    if (outcome->result_size > SOON__BODY_MAX) {
        reply->flags |= SOON__REPLY_RESULT_SENT;
        body->data[0] = NULL;
    }
    if (!outcome->payload)
        return;
    reply->flags |= SOON__REPLY_HAS_PAYLOAD;
    body->data[1] = soon_buffer_data(outcome->payload);
    body->size[1] = reply->payload_size = soon_buffer_size(outcome->payload);
    if (soon__buffer_is_mappable(outcome->payload) || size_of(body) > SOON__BODY_MAX) { /* R3 */
        reply->flags |= SOON__REPLY_PAYLOAD_SENT;
        body->data[1] = NULL;
    }
    if (outcome->further)
        describe_further(reply, body, outcome);
}

/* The task has run, but its result cannot be sent. */
static void turn_into_failure(struct soon__reply *reply, struct body *body, struct soon__outcome *outcome, int code)
{
    soon__outcome_drop(outcome);
    outcome->error = soon__error_newf(&(soon_error){.code = code, .started = true}, NULL);
    reply->result_size = reply->payload_size = reply->count = 0;
    reply->flags &= ~(uint32_t)(SOON__REPLY_HAS_PAYLOAD | SOON__REPLY_HAS_BESIDE | SOON__REPLY_DESCRIPTORS);
    describe_failure(reply, body, outcome);
}

struct soon__place soon__reply_fill(struct soon__reply *reply, struct soon__outcome *outcome,
                                    struct soon__place *result)
{
    struct body body = {0};
    struct soon__place place;
    int rc;

    if (outcome->error) {
        describe_failure(reply, &body, outcome);
    } else {
        describe_success(reply, &body, outcome);
        rc = send_buffers(reply, outcome, &body.beside);
        if (rc < 0)
            turn_into_failure(reply, &body, outcome, rc);
    }
    place = put(reply, &body, result);
    soon__outcome_drop(outcome);
    return place;
}
