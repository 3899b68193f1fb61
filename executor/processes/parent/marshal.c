/*
 * marshal.c - from a call to the bytes of a request, and to the descriptors that travel ahead of it.
 */
#include "marshal_internal.h"

#include "../../../futures/value_internal.h"

#include <errno.h>
#include <string.h>

enum { LONG_TO_COPY = 16 * 1024 };

static uint64_t part(uint64_t size, bool sent)
{
    return sent ? 0 : soon__body_round(size);
}

static void measure(struct soon__marshalled *marshalled)
{
    uint64_t payload_size = marshalled->payload ? soon_buffer_size(marshalled->payload) : 0;

    marshalled->arg_sent = marshalled->arg_size > SOON__BODY_MAX;
    /* A payload in memory that can be mapped is not copied. */
    marshalled->payload_sent =
        payload_size > SOON__BODY_MAX || (marshalled->payload && soon__buffer_share(marshalled->payload) >= 0);
    if (marshalled->beside.part)
        soon__beside_measure(&marshalled->beside, SOON__BODY_MAX);
    marshalled->body_size = part(marshalled->arg_size, marshalled->arg_sent) +
                            part(payload_size, marshalled->payload_sent) + soon__body_round(marshalled->label_size) +
                            soon__beside_body_size(&marshalled->beside.head);
    marshalled->in_area = marshalled->body_size > SOON__REQUEST_INLINE;
}

static void set_label(struct soon__marshalled *marshalled, const char *label)
{
    size_t size = strlen(label) + 1;

    marshalled->label = label;
    marshalled->label_size = size < SOON__LABEL_MAX ? (uint32_t)size : SOON__LABEL_MAX;
}

/*
 * Items of any size. Several small ones travel together. One that has a descriptor of its own, or that fits only alone,
 * travels by itself and is laid out as a task, so it may bring all that a task may bring.
 */

static uint32_t label_size_of(const soon_item *item)
{
    size_t size = item->label && !soon__item_is_own_label(item) ? strlen(item->label) + 1 : 0;

    return size < SOON__LABEL_MAX ? (uint32_t)size : SOON__LABEL_MAX;
}

/* The size of the item among others; 0: it travels by itself. */
static uint64_t size_among_others(const soon_item *item)
{
    uint64_t payload = item->payload ? soon_buffer_size(item->payload) : 0;

    if (item->size > SOON__BODY_MAX / 2 || payload > SOON__BODY_MAX / 2 ||
        (item->payload && soon__buffer_is_mappable(item->payload)))
        return 0;
    return sizeof(struct soon__item_head) + soon__body_round(item->size) + soon__body_round(payload) +
           soon__body_round(label_size_of(item));
}

/* Takes as many items as may travel together. */
static void set_several(struct soon__marshalled *marshalled, const soon_item *items, size_t count)
{
    uint64_t size = 0, next;

    marshalled->each = items;
    for (marshalled->items = 0; marshalled->items < count; marshalled->items++) {
        next = size_among_others(&items[marshalled->items]);
        if (!next || size + next > SOON__BODY_MAX)
            break;
        size += next;
    }
    marshalled->arg = NULL;
    marshalled->arg_size = size;
}

static void set_varied(struct soon__marshalled *marshalled, const soon_item *items, size_t count)
{
    set_several(marshalled, items, count);
    if (marshalled->items > 1)
        return;
    marshalled->each = NULL;
    marshalled->items = 1;
    marshalled->arg = items->data;
    marshalled->arg_size = items->size;
    marshalled->payload = items->payload;
    if (items->label)
        set_label(marshalled, items->label);
}

static unsigned char *append(unsigned char *to, const void *data, uint64_t size)
{
    if (size)
        memcpy(to, data, size);
    return to + soon__body_round(size);
}

static unsigned char *append_label(unsigned char *to, const char *label, uint32_t size)
{
    unsigned char *end = append(to, label, size);

    if (size)
        to[size - 1] = 0; /* the label may have been cut */
    return end;
}

static unsigned char *append_items(unsigned char *to, const struct soon__marshalled *marshalled)
{
    for (uint64_t i = 0; i < marshalled->items; i++) {
        const soon_item *item = &marshalled->each[i];
        struct soon__item_head head = {.arg_size = item->size,
                                       .payload_size = item->payload ? soon_buffer_size(item->payload) : 0,
                                       .label_size = label_size_of(item),
                                       .flags = (item->payload ? SOON__ITEM_HAS_PAYLOAD : 0) |
                                                (soon__item_is_own_label(item) ? SOON__ITEM_IS_LABEL : 0)};

        to = append(to, &head, sizeof head);
        to = append(to, item->data, item->size);
        to = append(to, item->payload ? soon_buffer_data(item->payload) : NULL, head.payload_size);
        to = append_label(to, item->label, head.label_size);
    }
    return to;
}

static void set_items(struct soon__marshalled *marshalled, const struct soon__items *items, size_t ended,
                      size_t arg_size)
{
    uint64_t fit = arg_size ? SOON__BODY_MAX / arg_size : items->count;

    marshalled->items = items->count - ended;
    if (marshalled->items > fit)
        marshalled->items = fit ? fit : 1; /* the rest follows when these have ended */
    marshalled->arg = (const char *)items->args + ended * arg_size;
    marshalled->arg_size = marshalled->items * arg_size;
}

static bool extra_part(soon_bytes extra, struct soon__beside_part *ret)
{
    *ret = (struct soon__beside_part){.kind = SOON__BESIDE_EXTRA, .data = extra.data, .size = extra.size};
    return true;
}

/* Each input has two parts: its result and its payload. */
static bool input_part(soon_future *input, bool is_payload, struct soon__beside_part *ret)
{
    soon_buffer *payload = is_payload ? soon_future_payload(input) : NULL;

    *ret = (struct soon__beside_part){.kind = SOON__BESIDE_NONE};
    if (!is_payload)
        *ret =
            (struct soon__beside_part){.kind = SOON__BESIDE_INPUT, .data = input->result, .size = input->result_size};
    else if (payload)
        *ret = soon__beside_part_of(SOON__BESIDE_INPUT_PAYLOAD, payload);
    return true;
}

/* What travels beside the argument, first payload and label of a call. */
static bool part_of_call(const void *whose, size_t index, struct soon__beside_part *ret)
{
    const soon_call *call = whose;
    const soon_submit_options *options = &soon__call_extra(call)->options;

    if (options->extra.size && index-- == 0)
        return extra_part(options->extra, ret);
    if (index < options->payload_count) {
        *ret = soon__beside_part_of(SOON__BESIDE_PAYLOAD, options->payloads[index]);
        return true;
    }
    index -= options->payload_count;
    return index / 2 < soon__call_input_count(call) && input_part(soon__call_input(call, index / 2), index % 2, ret);
}

static uint32_t sampled_flags(const struct soon__sample *sample, size_t items)
{
    return (sample ? SOON__REQUEST_IS_SAMPLED : 0) |
           (items && soon__sample_is_traced(sample) ? SOON__REQUEST_IS_TRACED : 0);
}

void soon__marshal(struct soon__marshalled *marshalled, soon_call *call, uint32_t function)
{
    struct soon__call_extra *extra = soon__call_extra(call);
    soon_bytes arg = soon__call_arg(call);

    *marshalled = (struct soon__marshalled){.call = call, .function = function, .arg = arg.data, .arg_size = arg.size};
    if (extra && extra->options.label)
        set_label(marshalled, extra->options.label);
    if (extra && extra->items && extra->items->each)
        set_varied(marshalled, extra->items->each + extra->items_ended, extra->items->count - extra->items_ended);
    else if (extra && extra->items)
        set_items(marshalled, extra->items, extra->items_ended, call->function->arg_size);
    else if (extra)
        marshalled->payload = extra->options.payload;
    if (extra)
        marshalled->beside = (struct soon__beside){.part = part_of_call, .whose = call};
    marshalled->sampled = sampled_flags(soon__call_sample(call), marshalled->items);
    measure(marshalled);
}

static void copy_body(const struct soon__marshalled *marshalled, unsigned char *to)
{
    if (marshalled->each)
        to = append_items(to, marshalled);
    else if (!marshalled->arg_sent)
        to = append(to, marshalled->arg, marshalled->arg_size);
    if (marshalled->payload && !marshalled->payload_sent)
        to = append(to, soon_buffer_data(marshalled->payload), soon_buffer_size(marshalled->payload));
    to = append_label(to, marshalled->label, marshalled->label_size);
    soon__beside_write(&marshalled->beside, to);
}

static void set_limits(struct soon__request *request, const struct soon__call_extra *extra)
{
    int64_t limit_ms = extra->options.time_limit_ms;

    request->time_limit_ns = limit_ms > INT64_MAX / 1000000 ? INT64_MAX : limit_ms * 1000000;
    request->queue_deadline = extra->queue_deadline;
    request->items_deadline = extra->items ? extra->items->deadline : SOON__NEVER;
}

static bool is_plain(const struct soon__call_extra *extra)
{
    return extra && extra->items && extra->items->finished && !extra->options.time_limit_ms;
}

static void write_request(struct soon__request *request, const struct soon__marshalled *marshalled)
{
    const struct soon__call_extra *extra = soon__call_extra(marshalled->call);

    request->arg_size = marshalled->arg_size;
    request->items = marshalled->items;
    request->function = marshalled->function;
    request->label_size = marshalled->label_size;
    request->flags = (marshalled->is_initializer ? SOON__REQUEST_IS_INITIALIZER : 0) |
                     (marshalled->payload ? SOON__REQUEST_HAS_PAYLOAD : 0) |
                     (marshalled->arg_sent ? SOON__REQUEST_ARG_SENT : 0) |
                     (marshalled->payload_sent ? SOON__REQUEST_PAYLOAD_SENT : 0) |
                     (marshalled->in_area ? SOON__REQUEST_IN_AREA : 0) | (extra ? SOON__REQUEST_HAS_LIMITS : 0) |
                     (is_plain(extra) ? SOON__REQUEST_IS_PLAIN : 0) |
                     (marshalled->beside.head.count ? SOON__REQUEST_HAS_BESIDE : 0) |
                     (marshalled->each ? SOON__REQUEST_VARIES : 0) | marshalled->sampled;
    if (marshalled->payload)
        request->payload_size = soon_buffer_size(marshalled->payload);
    if (marshalled->in_area)
        request->offset = marshalled->offset;
    if (extra)
        set_limits(request, extra);
}

/* The descriptor of these bytes: that of `buffer`, if it can be shared, else one of a copy, which the caller owns. */
static int descriptor_of(soon_buffer *buffer, const void *data, size_t size, soon_buffer **ret_copy)
{
    int fd = buffer ? soon__buffer_share(buffer) : -ENOTSUP, rc;

    if (fd >= 0)
        return fd;
    rc = soon__buffer_new_frozen(ret_copy, data, size);
    return rc < 0 ? rc : soon__buffer_share(*ret_copy);
}

static bool has_descriptors(const struct soon__marshalled *marshalled)
{
    return marshalled->arg_sent || marshalled->payload_sent || marshalled->beside.head.descriptors;
}

/* Sends what travels as descriptors, before the request is posted. */
static int send_descriptors(struct soon__process *process, const struct soon__marshalled *marshalled, uint32_t slot,
                            uint64_t sequence)
{
    struct soon__message message = {.magic = SOON__CHANNEL_MAGIC,
                                    .kind = SOON__MESSAGE_DESCRIPTORS,
                                    .version = SOON__CHANNEL_VERSION,
                                    .slot = slot,
                                    .parts = (marshalled->arg_sent ? SOON__PART_BYTES : 0) |
                                             (marshalled->payload_sent ? SOON__PART_PAYLOAD : 0) |
                                             soon__parts_beside(marshalled->beside.head.descriptors),
                                    .sequence = sequence};
    soon_buffer *copies[2] = {NULL, NULL}, *beside[SOON__BESIDE_DESCRIPTORS_MAX + 1] = {NULL};
    soon_buffer *payload = marshalled->payload;
    struct soon__call_extra *extra = soon__call_extra(marshalled->call);
    soon_buffer *arg = extra ? extra->arg_buffer : NULL;
    int fds[SOON__SOCKET_DESCRIPTORS_MAX], count = 0, rc = 0;

    if (marshalled->arg_sent)
        rc = fds[count++] = descriptor_of(arg, marshalled->arg, marshalled->arg_size, &copies[0]);
    if (rc >= 0 && marshalled->payload_sent)
        rc = fds[count++] = descriptor_of(payload, soon_buffer_data(payload), soon_buffer_size(payload), &copies[1]);
    if (rc >= 0 && marshalled->beside.head.descriptors)
        rc = soon__beside_descriptors(&marshalled->beside, descriptor_of, fds + count, beside);
    count += marshalled->beside.head.descriptors;
    if (rc >= 0)
        rc = soon__socket_send(process->loop.control, &message, sizeof message, fds, count);
    soon__process_point(SOON__POINT_ARGUMENT_SENT);
    soon_buffer_unref(copies[0]);
    soon_buffer_unref(copies[1]);
    for (soon_buffer **copy = beside; *copy; copy++)
        soon_buffer_unref(*copy);
    return rc < 0 ? rc : 0;
}

uint64_t soon__marshal_bytes(const struct soon__marshalled *marshalled)
{
    return marshalled->body_size + (marshalled->arg_sent ? marshalled->arg_size : 0) +
           (marshalled->payload_sent ? soon_buffer_size(marshalled->payload) : 0);
}

bool soon__marshal_is_long(const struct soon__marshalled *marshalled)
{
    /* The owner of items lends them only until the call has ended, which could be while they are copied. */
    if (marshalled->items)
        return false;
    return has_descriptors(marshalled) || marshalled->body_size > LONG_TO_COPY;
}

int soon__marshal_fill(const struct soon__marshalled *marshalled, struct soon__process *process, uint32_t slot,
                       uint64_t sequence, uint64_t order)
{
    struct soon__request *request = &process->channel.requests->request[slot];

    /* Relaxed: a worker may read it before the request is posted; its claim fails then. */
    atomic_store_explicit(&request->order, order, memory_order_relaxed);
    write_request(request, marshalled);
    copy_body(marshalled, marshalled->in_area ? process->channel.requests->area + marshalled->offset : request->bytes);
    return has_descriptors(marshalled) ? send_descriptors(process, marshalled, slot, sequence) : 0;
}

void soon__marshal_fill_plain(struct soon__request *request, const soon_call *call, uint32_t function, uint64_t order)
{
    soon_bytes arg = soon__call_arg(call);

    /* Relaxed: as in soon__marshal_fill(). */
    atomic_store_explicit(&request->order, order, memory_order_relaxed);
    request->arg_size = arg.size;
    request->items = 0;
    request->function = function;
    request->flags = request->label_size = 0;
    soon__copy(request->bytes, arg.data, arg.size);
}
