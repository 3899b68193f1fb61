/*
 * serve.c - one claimed request: a task, or the items of a chunk, up to the last reply.
 *
 *     claimed --> arrived (argument, payload) --> body --> reply                                a single task
 *                                    |             |
 *                                    |             +--> result behind the last, or a reply of its own --> ... --> DONE
 *                                    +--> waited too long, or did not arrive: DONE, not started
 *
 * S1  A request is read in place: its slot is ours until the last reply, so nobody changes it.
 * S2  What a task has forked never gets further than the body: it ends there. Nothing here runs twice.
 * S3  The window of a chunk are the results that no reply has told of: they lie one behind the other in one region, and
 *     the slot's status says which items they are of. The parent reads that only when this process is dead, so the
 *     order of our stores is enough: `items_finished` is 0 while the rest changes.
 */
#include "arrived_internal.h"
#include "leftovers_internal.h"
#include "listen_internal.h"
#include "state_internal.h"

#include "../../../futures/value_internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW_MAX = 64 << 10, VARIED_MAX = 4 << 10, FLUSH_NS = 1000000, ZEROED_MAX = 1024 /* bytes of results */ };

/* A request while it is served. The task comes first: it is found by its address. */
struct serving {
    soon_task task;
    struct soon__worker *worker;
    const struct soon__request *request;
    struct soon__status *status;
    _Atomic uint32_t *cancel_requested;
    uint32_t slot;
    uint32_t progress_before; /* the status's `progress_sequence` when it was claimed */
    uint64_t sequence;
    int64_t time_limit_ns, queue_deadline, items_deadline;
    const unsigned char *arg;      /* of all items */
    const unsigned char *at;       /* VARIES: the head of the next item */
    const char *label_of_all;      /* of items that have none of their own */
    size_t mapped_size;            /* `arg` is a mapping of so many bytes; 0: it is none */
    const char *label;             /* NULL: none */
    soon_buffer *payload;          /* NULL: none */
    struct soon__arrived *arrived; /* where the request says so: what lies beside these; NULL: it did not arrive */
    struct soon__place result;
    _Alignas(16) unsigned char small[SOON__REPLY_INLINE]; /* a result that goes into the reply itself */
};

struct window {
    struct soon__place place;
    uint64_t size;        /* of the region */
    uint64_t used;        /* of it, by results that vary */
    uint64_t first, next; /* items in it: first .. next - 1 */
    int64_t flushed_ns;
};

/*
 * What the task asks of us, on any thread of it
 */

static int cancel_requested(const soon_task *task)
{
    const struct serving *serving = (const struct serving *)task;

    uint32_t asked = soon__channel_asked(&serving->worker->channel, serving->slot);

    /* Not SOON__HOLD: its deadline says that. */
    return asked == 1 ? -ECANCELED : asked == SOON__STOP ? SOON_EKILLED : 0;
}

static void set_progress(soon_task *task, uint64_t done, uint64_t total)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const struct serving *serving = (const struct serving *)task;

    if (soon__generation() != serving->worker->generation)
        return; /* two processes would write it */
    pthread_mutex_lock(&mutex);
    soon__channel_set_progress(&serving->worker->channel, serving->slot, done, total);
    pthread_mutex_unlock(&mutex);
}

static const char *label(const soon_task *task)
{
    return ((const struct serving *)task)->label;
}

/* NULL: nothing. */
static const struct soon__arrived *arrived_of(const soon_task *task)
{
    const struct serving *serving = (const struct serving *)task;

    return serving->request->flags & SOON__REQUEST_HAS_BESIDE ? serving->arrived : NULL;
}

static soon_bytes extra(const soon_task *task)
{
    return soon__arrived_extra(arrived_of(task));
}

static soon_buffer *payload(const soon_task *task, size_t index)
{
    if (index == 0)
        return ((const struct serving *)task)->payload;
    return soon__arrived_payload(arrived_of(task), index - 1);
}

static size_t payload_count(const soon_task *task)
{
    return (((const struct serving *)task)->payload != NULL) + soon__arrived_payload_count(arrived_of(task));
}

static size_t input_count(const soon_task *task)
{
    return soon__arrived_input_count(arrived_of(task));
}

static soon_bytes input(const soon_task *task, size_t index, soon_buffer **ret_payload)
{
    return soon__arrived_input(arrived_of(task), index, ret_payload);
}

static void *shared(const soon_task *task)
{
    return ((const struct serving *)task)->worker->shared;
}

static bool is_initializer(const soon_task *task)
{
    return ((const struct serving *)task)->request->flags & SOON__REQUEST_IS_INITIALIZER;
}

static int begin_to_listen(soon_task *task, uint64_t *ret_request)
{
    const struct serving *serving = (const struct serving *)task;

    *ret_request = serving->sequence;
    return soon__listen_begin(serving->worker, serving->slot, serving->sequence);
}

static void listen_no_more(soon_task *task)
{
    (void)task;
    soon__listen_end();
}

static const struct soon__task_host in_process = {
    .cancel_requested = cancel_requested,
    .set_progress = set_progress,
    .label = label,
    .extra = extra,
    .payload = payload,
    .payload_count = payload_count,
    .input_count = input_count,
    .input = input,
    .shared = shared,
    .is_initializer = is_initializer,
    .heap_max = SOON__BODY_MAX,
    .listen = begin_to_listen,
    .listen_no_more = listen_no_more,
};

/*
 * What came with the request
 */

static struct soon__reply reply_of(const struct serving *serving, enum soon__reply_kind kind)
{
    /* Relaxed: one that is set meanwhile, by a thread that the task has left, is nobody's. */
    uint32_t progress = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);

    return (struct soon__reply){.sequence = serving->sequence,
                                .slot = serving->slot,
                                .kind = kind,
                                .flags = progress != serving->progress_before ? SOON__REPLY_HAS_PROGRESS : 0};
}

static int take_payload(struct serving *serving, const unsigned char *body, int fd)
{
    uint64_t size = serving->request->payload_size;
    int rc;

    if (fd >= 0)
        return soon__buffer_of_descriptor(&serving->payload, fd, size);
    rc = soon_buffer_new(&serving->payload, size);
    if (rc == 0 && size > 0)
        memcpy(soon_buffer_data(serving->payload), body, size);
    return rc;
}

/* Where in the body, and among the descriptors, each part is; NULL and -1: it is not there. */
struct parts {
    const unsigned char *arg, *payload, *label, *beside;
    int arg_fd, payload_fd;
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX], *beside_fds;
};

static void find_parts(const struct serving *serving, struct parts *parts)
{
    const struct soon__request *request = serving->request;
    const unsigned char *at = request->bytes;

    *parts = (struct parts){.arg_fd = -1, .payload_fd = -1};
    if (request->flags & SOON__REQUEST_IN_AREA)
        at = serving->worker->channel.requests->area + request->offset;
    if (!(request->flags & SOON__REQUEST_ARG_SENT)) {
        parts->arg = at;
        at += soon__body_round(request->arg_size);
    }
    if (request->flags & SOON__REQUEST_HAS_PAYLOAD && !(request->flags & SOON__REQUEST_PAYLOAD_SENT)) {
        parts->payload = at;
        at += soon__body_round(request->payload_size);
    }
    if (request->label_size)
        parts->label = at;
    if (request->flags & SOON__REQUEST_HAS_BESIDE)
        parts->beside = at + soon__body_round(request->label_size);
}

/* All that was sent for it; 0, or there are none. */
static int take_descriptors(struct serving *serving, struct parts *parts)
{
    const struct soon__request *request = serving->request;
    bool arg_sent = request->flags & SOON__REQUEST_ARG_SENT, payload_sent = request->flags & SOON__REQUEST_PAYLOAD_SENT;
    uint32_t what = (arg_sent ? SOON__PART_BYTES : 0) | (payload_sent ? SOON__PART_PAYLOAD : 0) |
                    soon__parts_beside(soon__arrived_descriptors(parts->beside));
    int *next = parts->descriptors, rc;

    if (!what) {
        soon__control_forget(serving->slot, serving->sequence);
        return 0;
    }
    rc = soon__control_take(serving->slot, serving->sequence, what, parts->descriptors);
    if (rc < 0)
        return rc;
    if (arg_sent)
        parts->arg_fd = *next++;
    if (payload_sent)
        parts->payload_fd = *next++;
    parts->beside_fds = next;
    return 0;
}

static int map_arg(struct serving *serving, int fd)
{
    void *arg;
    int rc = soon__shm_map(&arg, fd, serving->request->arg_size, false);

    close(fd);
    if (rc < 0)
        return rc;
    serving->arg = arg;
    serving->mapped_size = serving->request->arg_size;
    return 0;
}

/* 0, or why the task cannot start. Each part that was sent is taken, or closed. */
static int arrive(struct serving *serving)
{
    const struct soon__request *request = serving->request;
    struct parts parts;
    int rc, beside = 0;

    find_parts(serving, &parts);
    serving->arg = parts.arg;
    serving->label = (const char *)parts.label;
    serving->arrived = NULL;
    rc = take_descriptors(serving, &parts);
    if (rc < 0)
        return rc;
    if (parts.beside)
        beside = soon__arrive(&serving->arrived, parts.beside, parts.beside_fds);
    if (parts.arg_fd >= 0)
        rc = map_arg(serving, parts.arg_fd);
    if (rc == 0)
        rc = beside;
    if (rc == 0 && request->flags & SOON__REQUEST_HAS_PAYLOAD)
        rc = take_payload(serving, parts.payload, parts.payload_fd);
    if (rc < 0 && parts.payload_fd >= 0)
        close(parts.payload_fd);
    return rc;
}

/* The reply is out: the request may be another's by now. */
static void let_go(struct serving *serving)
{
    soon_buffer_unref(serving->payload);
    soon__arrived_free(serving->arrived);
    if (serving->mapped_size)
        soon__shm_unmap(serving->arg, serving->mapped_size);
}

/*
 * Running
 */

/* Zeroed space for a result of fixed size. 0, or -ENOMEM and the like. */
static int make_space(struct serving *serving)
{
    size_t size = serving->task.function->result_size;
    int rc;

    serving->result.region = SOON__NO_REGION;
    memset(serving->small, 0, sizeof serving->small);
    serving->task.space = size ? serving->small : NULL;
    if (size <= sizeof serving->small)
        return 0;
    if (size > SOON__BODY_MAX) {
        rc = soon__buffer_new_mappable(&serving->task.outcome.result_buffer, size);
        if (rc == 0)
            serving->task.space = soon_buffer_data(serving->task.outcome.result_buffer); /* zeroed already */
        return rc;
    }
    serving->result = soon__replies_take(size);
    serving->task.space = memset(serving->result.data, 0, size);
    return 0;
}

static void run(struct serving *serving)
{
    soon__task_run(&serving->task);
    soon__leftovers_clear();
}

/* The last reply of one that did not start, or whose rest did not: after `ended` items. */
static void refuse(struct serving *serving, uint64_t ended, int code, uint32_t flags)
{
    struct soon__reply reply = reply_of(serving, SOON__REPLY_DONE);

    reply.first = ended;
    reply.code = code;
    reply.flags |= flags;
    soon__reply_publish(&reply, NULL);
}

static void answer(struct serving *serving, enum soon__reply_kind kind, uint64_t index)
{
    struct soon__reply reply = reply_of(serving, kind);
    struct soon__place place;

    reply.first = index;
    place = soon__reply_fill(&reply, &serving->task.outcome, &serving->result);
    soon__reply_publish(&reply, &place);
}

/* What most answers are: it has succeeded, and all there is is a small result. False: it is another. */
static bool answer_short(const struct serving *serving)
{
    const struct soon__outcome *outcome = &serving->task.outcome;
    /* Relaxed: as in reply_of(). */
    uint32_t progress = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);

    if (outcome->error || outcome->payload || outcome->result_on_heap || outcome->result_buffer ||
        outcome->result_size > SOON__REPLY_SHORT_MAX || progress != serving->progress_before)
        return false;
    soon__reply_publish_short(serving->slot, serving->sequence, serving->small, outcome->result_size);
    return true;
}

static void run_one(struct serving *serving)
{
    int rc = make_space(serving);

    if (rc < 0) {
        refuse(serving, 0, rc, SOON__REPLY_NOT_STARTED);
        return;
    }
    run(serving);
    if (!answer_short(serving))
        answer(serving, SOON__REPLY_DONE, 0);
}

/*
 * Chunks
 */

/* S3. Tells of what is in the window, and closes it. */
static void flush(struct serving *serving, struct window *window)
{
    struct soon__reply reply = reply_of(serving, SOON__REPLY_ITEMS);

    if (window->first == window->next) {
        soon__replies_give(&window->place);
        return;
    }
    reply.flags |= SOON__REPLY_IN_AREA;
    reply.offset = window->place.offset;
    reply.first = window->first;
    reply.count = window->next - window->first;
    reply.result_size =
        serving->task.function->result_size ? reply.count * serving->task.function->result_size : window->used;
    soon__reply_publish(&reply, &window->place);
    /* Release: none of the next window's moves above it. */
    atomic_store_explicit(&serving->status->items_finished, 0, memory_order_release);
    window->place.region = SOON__NO_REGION;
    window->first = window->next;
}

/* For results from the item `index` on. */
static void take_window(struct serving *serving, struct window *window, uint64_t index, uint64_t size)
{
    window->size = size;
    window->used = 0;
    window->place = soon__replies_take(size);
    window->first = window->next = index;
    /* Relaxed: `items_finished` publishes them, to our heir. */
    atomic_store_explicit(&serving->status->items_offset, window->place.offset, memory_order_relaxed);
    atomic_store_explicit(&serving->status->items_first, index, memory_order_relaxed);
}

/* Where the results go of the next item, and of those after it that may run without a pause: how many in all. */
static uint64_t open_window(struct serving *serving, struct window *window, uint64_t index, bool plain)
{
    uint64_t size = serving->task.function->result_size, left = serving->request->items - index, count;

    if (window->place.region == SOON__NO_REGION)
        take_window(serving, window, index,
                    size > WINDOW_MAX / left ? size > WINDOW_MAX ? size : WINDOW_MAX : size * left);
    count = plain ? window->size / size - (index - window->first) : 1;
    if (count > ZEROED_MAX / size + 1)
        count = ZEROED_MAX / size + 1;
    serving->task.space = window->place.data + (index - window->first) * size;
    memset(serving->task.space, 0, count * size);
    return count;
}

/* S3. Results of their own size and nothing beside them, of all items before `next`: they lie where they belong. */
static void keep_in_window(struct serving *serving, struct window *window, uint64_t next)
{
    window->next = next;
    atomic_store_explicit(&serving->status->items_finished, next, memory_order_release);
    serving->task.outcome = (struct soon__outcome){0};
    if ((next - window->first + 1) * serving->task.function->result_size > window->size)
        flush(serving, window);
}

/* S3. The same of one of any size, which goes behind the last if it is small. False: it needs an answer of its own. */
static bool keep_varied(struct serving *serving, struct window *window, uint64_t index)
{
    struct soon__outcome *outcome = &serving->task.outcome;
    struct soon__varied_head head = {.size = outcome->result_size};
    uint64_t needed = sizeof head + soon__body_round(head.size);
    unsigned char *to;

    if (outcome->error || outcome->payload || head.size > VARIED_MAX)
        return false;
    if (window->place.region != SOON__NO_REGION && window->used + needed > window->size)
        flush(serving, window);
    if (window->place.region == SOON__NO_REGION)
        take_window(serving, window, index, WINDOW_MAX);
    to = window->place.data + window->used;
    memcpy(to, &head, sizeof head);
    if (head.size)
        memcpy(to + sizeof head, outcome->result, head.size);
    window->used += needed;
    window->next = index + 1;
    atomic_store_explicit(&serving->status->items_finished, index + 1, memory_order_release);
    soon__outcome_drop(outcome);
    return true;
}

/* The reply is filled in while the result lies where it was written: then what came before it goes first. */
static void answer_item(struct serving *serving, struct window *window, uint64_t index)
{
    struct soon__reply reply = reply_of(serving, SOON__REPLY_ITEM);
    struct soon__place place;

    reply.first = index;
    place = soon__reply_fill(&reply, &serving->task.outcome, &serving->result);
    flush(serving, window);
    soon__reply_publish(&reply, &place);
}

/* Plain ones before the item `next` have ended, with their results in the window. */
static bool went_well(soon_task *task, void *data, size_t next)
{
    struct serving *serving = (struct serving *)task;

    (void)data;
    soon__leftovers_clear();
    atomic_store_explicit(&serving->status->items_finished, next, memory_order_release);
    /* Relaxed, both: to be believed within bounds; and a flag. */
    atomic_store_explicit(&serving->status->item, next, memory_order_relaxed);
    return !atomic_load_explicit(serving->cancel_requested, memory_order_relaxed);
}

/* True: the item at `*index` needs an answer. */
static bool run_bodies(struct serving *serving, uint64_t *index, uint64_t end, bool plain)
{
    size_t next = *index;
    bool apart = soon__task_run_items(&serving->task, &next, end, plain, went_well, NULL);

    if (apart)
        soon__leftovers_clear();
    *index = next;
    return apart;
}

/* The next item of those that vary, with what it has of its own. 0, or why it cannot start. */
static int arrive_item(struct serving *serving)
{
    const struct soon__item_head *head = (const struct soon__item_head *)serving->at;
    const unsigned char *body = serving->at + sizeof *head;
    int rc = 0;

    serving->task.arg = body;
    serving->task.arg_size = head->arg_size;
    serving->label = head->flags & SOON__ITEM_IS_LABEL ? (const char *)body : serving->label_of_all;
    body += soon__body_round(head->arg_size);
    if (head->flags & SOON__ITEM_HAS_PAYLOAD) {
        rc = soon_buffer_new(&serving->payload, head->payload_size);
        if (rc == 0 && head->payload_size)
            memcpy(soon_buffer_data(serving->payload), body, head->payload_size);
    }
    body += soon__body_round(head->payload_size);
    if (head->label_size)
        serving->label = (const char *)body;
    serving->at = body + soon__body_round(head->label_size);
    return rc;
}

static void let_item_go(struct serving *serving)
{
    if (!(serving->request->flags & SOON__REQUEST_VARIES))
        return;
    soon_buffer_unref(serving->payload);
    serving->payload = NULL;
}

static int begin_item(struct serving *serving, uint64_t index)
{
    size_t size = serving->task.function->arg_size;

    if (serving->request->flags & SOON__REQUEST_VARIES)
        return arrive_item(serving);
    serving->task.arg = serving->arg + index * size;
    serving->task.arg_size = size ? size : serving->request->arg_size; /* one of any size is by itself */
    return 0;
}

/* Runs the item, and plain ones after it as long as nothing comes between. Which is the next. */
static uint64_t run_some(struct serving *serving, struct window *window, uint64_t index)
{
    const soon_function *function = serving->task.function;
    bool in_window = function->result_size > 0 && function->result_size <= SOON__BODY_MAX;
    bool plain = in_window && serving->request->flags & SOON__REQUEST_IS_PLAIN;
    struct soon__outcome *outcome = &serving->task.outcome;
    uint64_t count = 1;
    int rc = begin_item(serving, index);

    *outcome = (struct soon__outcome){0};
    serving->result.region = SOON__NO_REGION;
    if (in_window)
        count = open_window(serving, window, index, plain);
    else if (rc == 0)
        rc = make_space(serving);
    if (rc < 0) {
        outcome->error = soon__error_newf(&(soon_error){.code = rc}, NULL);
    } else if (!run_bodies(serving, &index, index + count, plain)) {
        keep_in_window(serving, window, index);
        return index;
    }
    if (!function->result_size && keep_varied(serving, window, index))
        return index + 1;
    window->next = in_window ? index : window->next;
    if (in_window && !outcome->error && !outcome->payload)
        keep_in_window(serving, window, index + 1);
    else
        answer_item(serving, window, index);
    return index + 1;
}

/* Why no further item is to start; 0: one may. */
static int stop_reason(const struct serving *serving, int64_t now)
{
    /* Relaxed: the fence orders it. */
    uint32_t requested = atomic_load_explicit(serving->cancel_requested, memory_order_relaxed);

    if (requested)
        return requested == 1 ? -ECANCELED : -EAGAIN;
    return now > serving->items_deadline ? -ETIMEDOUT : 0;
}

static uint32_t stop_flags(int reason)
{
    if (reason == 0)
        return 0;
    return reason == -ECANCELED ? SOON__REPLY_CANCELLED : SOON__REPLY_NOT_STARTED;
}

/* Of a task that starts now. */
static int64_t deadline_of(int64_t limit, int64_t now)
{
    return limit == 0 || limit > SOON__NEVER - now ? SOON__NEVER : now + limit;
}

static void run_items(struct serving *serving, int64_t now)
{
    struct window window = {.place = {.region = SOON__NO_REGION}, .flushed_ns = now};
    uint64_t ended = 0;
    int reason = 0;

    serving->at = serving->arg;
    serving->label_of_all = serving->label;
    /* Relaxed, as all but the last of these: S3. */
    atomic_store_explicit(&serving->status->items_finished, 0, memory_order_relaxed);
    while (ended < serving->request->items) {
        atomic_store_explicit(&serving->status->item, ended, memory_order_relaxed);
        atomic_store_explicit(&serving->status->started_ns, now, memory_order_relaxed);
        /* Pairs with the fence in soon__channel_hold(): we see the request, or the parent sees this item. */
        atomic_thread_fence(memory_order_seq_cst);
        reason = stop_reason(serving, now);
        if (reason < 0)
            break;
        serving->task.deadline = deadline_of(serving->time_limit_ns, now);
        ended = run_some(serving, &window, ended);
        let_item_go(serving);
        now = soon__clock_ns();
        if (now - window.flushed_ns > FLUSH_NS) {
            flush(serving, &window);
            window.flushed_ns = now;
        }
    }
    flush(serving, &window);
    refuse(serving, ended, reason, stop_flags(reason));
}

static void take_limits(struct serving *serving, int64_t now)
{
    /* Relaxed: a number that means nothing else. */
    atomic_store_explicit(&serving->status->started_ns, now, memory_order_relaxed);
    serving->time_limit_ns = serving->request->time_limit_ns;
    serving->queue_deadline = serving->request->queue_deadline;
    serving->items_deadline = serving->request->items_deadline;
}

/* As for one that has all that belongs to it in the request itself, and no limits. `small` is filled when it is needed. */
static void begin(struct serving *serving, struct soon__worker *worker, uint32_t slot, uint64_t sequence)
{
    const struct soon__request *request = &worker->channel.requests->request[slot];

    if (request->function >= worker->function_count)
        _exit(SOON__EXIT_NO_CHANNEL);
    serving->task = (soon_task){.function = worker->functions[request->function],
                                .host = &in_process,
                                .arg = request->bytes,
                                .arg_size = request->arg_size,
                                .local = &worker->local,
                                .deadline = SOON__NEVER};
    serving->worker = worker;
    serving->request = request;
    serving->status = &worker->channel.replies->status[slot];
    serving->cancel_requested = &worker->channel.requests->cancel_requested[slot];
    serving->slot = slot;
    /* Relaxed: ours, set by the claim. */
    serving->progress_before = atomic_load_explicit(&serving->status->progress_sequence, memory_order_relaxed);
    serving->sequence = sequence;
    serving->time_limit_ns = 0;
    serving->queue_deadline = serving->items_deadline = SOON__NEVER;
    serving->arg = request->bytes;
    serving->mapped_size = 0;
    serving->label = NULL;
    serving->payload = NULL;
}

static void serve(struct serving *serving)
{
    const struct soon__request *request = serving->request;
    bool limited = request->flags & SOON__REQUEST_HAS_LIMITS;
    int64_t now = limited || request->items ? soon__clock_ns() : 0; /* who has no limits is spared the look */
    int rc = arrive(serving);

    serving->task.arg = serving->arg;
    if (limited)
        take_limits(serving, now);
    serving->task.deadline = deadline_of(serving->time_limit_ns, now);
    if (rc < 0)
        refuse(serving, 0, rc, SOON__REPLY_NOT_STARTED);
    else if (now > serving->queue_deadline)
        refuse(serving, 0, SOON_EEXPIRED, SOON__REPLY_NOT_STARTED);
    else if (request->items)
        run_items(serving, now);
    else
        run_one(serving);
    let_go(serving);
}

void soon__worker_serve(struct soon__worker *worker, uint32_t slot, uint64_t sequence)
{
    const struct soon__request *request = &worker->channel.requests->request[slot];
    struct serving serving;

    begin(&serving, worker, slot, sequence);
    if (request->flags || request->items || request->label_size) {
        serve(&serving);
        return;
    }
    soon__control_forget(slot, sequence);
    run_one(&serving);
}
