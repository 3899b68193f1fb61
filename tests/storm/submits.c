/*
 * submits.c - futures of all kinds, with random options; each is known to the model from then on.
 */
#include "storm.h"

static void random_options(struct record *record, struct dice *d, soon_submit_options *o)
{
    struct callback *callback;

    *o = (soon_submit_options){0};
    record->may_be_full = r.bounded_fail;
    if (one_in(d, 3))
        return;
    if (one_in(d, 4))
        o->label = "a label";
    if (one_in(d, 6))
        o->priority = (int)below(d, 7) - 3;
    if (one_in(d, 6))
        record->retries = o->retries = (int)below(d, 3);
    if (one_in(d, r.limits ? 2 : 10)) {
        o->time_limit_ms = 1 + below(d, 8);
        record->time_limit = true;
    }
    if (one_in(d, 8)) {
        o->queue_limit_ms = 1 + below(d, 10);
        record->queue_limit = true;
    }
    if (r.bounded && one_in(d, 3)) {
        o->when_full = SOON_FULL_FAIL;
        record->may_be_full = true;
    }
    if (one_in(d, 5) && (callback = new_callback())) {
        o->on_done = on_done;
        o->on_done_data = callback;
        if (one_in(d, 2))
            o->on_done_loop = loops[below(d, LOOPS)];
    }
}

/* The one for want of memory tells nobody. */
static void settle_on_done(soon_future *future, const soon_submit_options *o)
{
    if (o->on_done && soon_future_done(future) && soon_future_error(future)->code == -ENOMEM)
        ((struct callback *)o->on_done_data)->state = 0;
}

/* Bytes of any size, with and without payloads there and back. */
static struct record *submit_carry(struct record *record, struct dice *d, soon_submit_options *o)
{
    static const unsigned sizes[] = {0, 1, 40, 160, 161, 300, 5000, 70000, 1 << 20, (4 << 20) + 100};
    unsigned arg_size = sizes[below(d, one_in(d, 12) ? 10 : 8)], payload_size = sizes[below(d, one_in(d, 12) ? 10 : 8)];
    uint32_t head[2] = {record->ticket, 0};
    unsigned char *bytes;
    soon_buffer *payload = NULL;

    record->size = arg_size + 8;
    if (one_in(d, 3))
        head[1] = (uint32_t)(record->payload = payload_size);
    bytes = malloc(record->size);
    memcpy(bytes, head, 8);
    paint(bytes + 8, record->size - 8, record->ticket);
    if (one_in(d, 3) && soon_buffer_new(&payload, sizes[below(d, one_in(d, 10) ? 9 : 7)]) == 0)
        paint(soon_buffer_data(payload), soon_buffer_size(payload), record->ticket + 2);
    o->payload = payload;
    record->future = soon_submit_bytes(r.pool, &carry_task, bytes, record->size, o);
    free(bytes);
    settle_on_done(record->future, o);
    publish(record, d);
    return record;
}

struct record *submit_one(struct dice *d)
{
    static const enum kind kinds_threads[] = {ADD, ADD, DOZE, SULK, CARRY, FORK_JOIN};
    static const enum kind kinds_procs[] = {ADD, ADD, ADD, DOZE, DOZE, SULK, CARRY, CARRY, FALL};
    enum kind kind = procs ? kinds_procs[below(d, 9)] : kinds_threads[below(d, 6)];
    struct record *record;
    soon_submit_options o;
    struct arg arg;
    const soon_function *function = &add_task;

    if (procs && r.any_corrupt && one_in(d, 20)) {
        kind = RAVE;
        corrupts++;
    }
    record = new_record(kind, 1);
    if (!record)
        return NULL;
    random_options(record, d, &o);
    arg = (struct arg){record->ticket, (int32_t)below(d, 1000), (int32_t)below(d, 6000)};
    record->value = (int64_t)arg.n * 3 + 1;
    if (r.bounded && kind != FALL && kind != RAVE && one_in(d, 4)) {
        o.when_full = SOON_FULL_RUN_HERE;
        if (arg.us > 1000)
            arg.us = 1000;
    }
    switch (kind) {
    case DOZE:
        function = &doze_task;
        break;
    case SULK:
        function = &sulk_task;
        break;
    case FALL:
        function = &fall_task;
        break;
    case RAVE:
        function = &rave_task;
        r.corrupt_tasks++;
        break;
    case FORK_JOIN:
        function = &fork_join_task;
        arg.n = (int32_t)below(d, 9);
        record->value = fork_join_value(arg.n);
        break;
    case CARRY:
        return submit_carry(record, d, &o);
    default:
        break;
    }
    if (one_in(d, 6)) {
        int rc = soon_try_submit_bytes(&record->future, r.pool, function, &arg, sizeof arg, &o);

        if (rc < 0) {
            bool told = rc == SOON_EFULL       ? r.bounded
                        : rc == SOON_ESHUTDOWN ? r.mode >= 0
                        : rc == SOON_EBROKEN   ? r.breaks || r.init_fails || r.squeezed
                                               : false;

            if (!told && !r.any_corrupt)
                WRONG("M3", "try_submit: %s", soon_errname(rc));
            if (o.on_done)
                ((struct callback *)o.on_done_data)->state = 0;
            record->future = NULL;
            return NULL;
        }
    } else {
        record->future = soon_submit_bytes(r.pool, function, &arg, sizeof arg, &o);
        settle_on_done(record->future, &o);
    }
    publish(record, d);
    return record;
}

struct record *submit_self(struct dice *d)
{
    struct record *record = procs ? NULL : new_record(SELF, 1);

    if (!record)
        return NULL;
    record->value = 22;
    record->may_be_full = r.bounded_fail;
    selves[record - r.records] = NULL;
    record->future =
        soon_submit(r.pool, wait_for_self, .ticket = record->ticket, .n = 7, .us = (int32_t)(record - r.records));
    selves[record - r.records] = record->future;
    publish(record, d);
    return record;
}

struct record *submit_map(struct dice *d)
{
    uint32_t count = 1 + below(d, 40);
    struct record *record = new_record(MAP, count);
    struct arg args[40];
    int64_t results[40];
    int errors[40];
    soon_submit_options each;
    soon_map_options o = {.chunk = below(d, 12)};
    const soon_function *function = one_in(d, 6)            ? &doze_task
                                    : procs && one_in(d, 8) ? &fall_task
                                    : one_in(d, 8)          ? &sulk_task
                                                            : &add_task;

    if (!record)
        return NULL;
    if (function == &add_task && procs && one_in(d, 10))
        function = &haul_task;
    for (uint32_t i = 0; i < count; i++) {
        args[i] = (struct arg){record->ticket == COUNTS ? COUNTS : record->ticket + i, (int32_t)below(d, 1000),
                               (int32_t)below(d, 800)};
        record->args_n[i] = args[i].n;
        errors[i] = 0;
    }
    random_options(record, d, &each);
    if (each.on_done)
        ((struct callback *)each.on_done_data)->state = 0;
    each.on_done = NULL;
    each.on_done_data = NULL;
    each.on_done_loop = NULL;
    o.each = &each;
    if (one_in(d, 6))
        record->stops_at_error = o.stop_at_error = true;
    if (one_in(d, 8)) {
        o.timeout_ms = 1 + below(d, 20);
        record->queue_limit = true; /* may end for it */
    }
    record->wants_item_check = function == &add_task || function == &doze_task || function == &haul_task;
    if (one_in(d, 2)) {
        int rc = soon_map_bytes(r.pool, function, args, count, results, errors, &o, sizeof o);

        record->kind = MAP;
        for (uint32_t i = 0; i < count && rc != -ENOMEM && rc != -EINVAL; i++) {
            if (!errors[i] && record->wants_item_check && results[i] != (int64_t)args[i].n * 3 + 1 && !r.any_corrupt)
                WRONG("M2", "map of %u: item %u is %lld for %lld", count, i, (long long)results[i],
                      (long long)args[i].n * 3 + 1);
            if (errors[i] && !(errors[i] == -ETIMEDOUT && o.timeout_ms))
                check_code(record, "map", errors[i], errors[i] == SOON_EWORKERDIED || errors[i] == SOON_EKILLED,
                           UINT32_MAX);
        }
        record->future = NULL;
        record->kind = KINDS;
        return NULL;
    }
    record->future = soon_map_async_bytes(r.pool, function, args, count, &o, sizeof o);
    publish(record, d);
    return record;
}

struct source {
    uint32_t ticket, left;
    int32_t n, fails_at;
};

static int pull(void *to, void *data)
{
    struct source *source = data;

    if (source->fails_at-- == 0)
        return -EIO;
    if (!source->left)
        return 0;
    source->left--;
    *(struct arg *)to = (struct arg){source->ticket == COUNTS ? COUNTS : source->ticket++, source->n++, 300};
    return 1;
}

void do_imap(struct dice *d)
{
    struct source source = {
        .left = below(d, 60), .n = (int32_t)below(d, 1000), .fails_at = one_in(d, 6) ? (int32_t)below(d, 60) : -1};
    struct record *record = new_record(IMAP_ITEM, 61);
    soon_map_options o = {.chunk = below(d, 7),
                          .unordered = one_in(d, 2),
                          .stop_at_error = one_in(d, 8),
                          .in_flight_max = one_in(d, 3) ? 1 + below(d, 20) : 0};
    bool big = procs && one_in(d, 6), ordered = !o.unordered;
    int32_t first = source.n;
    uint64_t index, expected = 0;
    soon_future *item;
    soon_imap *imap;
    int rc, tries = 0;

    if (!record)
        return;
    source.ticket = record->ticket;
    if (one_in(d, 8)) {
        o.timeout_ms = 1 + below(d, 20);
        record->cancelled = true;
    }
    record->stops_at_error = o.stop_at_error;
    record->may_be_full = r.bounded_fail;
    rc = soon_imap_new(&imap, r.pool, big ? &haul_task : one_in(d, 4) ? &doze_task : &add_task, &o, pull, &source);
    if (rc < 0) {
        if (!(rc == -ENOMEM))
            WRONG("M3", "imap_new: %s", soon_errname(rc));
        record->kind = KINDS;
        return;
    }
    while ((rc = soon_imap_next(imap, one_in(d, 10) ? 1 : SOON_FOREVER, &item, &index)) == 0 ||
           ((rc == -ETIMEDOUT || rc == -ENOMEM) && tries++ < 3000)) {
        int64_t value = -1;

        operations++;
        if (rc < 0)
            continue;
        if (ordered && index != expected++)
            WRONG("M9", "imap: item %llu out of order", (unsigned long long)index);
        rc = soon_result(item, &value);
        if (rc == 0 && value != ((int64_t)first + (int64_t)index) * 3 + 1 && !r.any_corrupt)
            WRONG("M2", "imap chunk %zu: item %llu is %lld for %lld", o.chunk, (unsigned long long)index,
                  (long long)value, ((long long)first + (long long)index) * 3 + 1);
        if (rc == 0 && big && !r.any_corrupt &&
            (!soon_future_payload(item) || memcmp(soon_buffer_data(soon_future_payload(item)), &value, 8)))
            WRONG("M2 bigitems", "imap chunk %zu: item %llu has another's payload", o.chunk, (unsigned long long)index);
        if (rc < 0)
            check_code(record, big ? "imap bigitems" : "imap", rc, soon_future_error(item)->started,
                       record->ticket == COUNTS ? COUNTS : record->ticket + (uint32_t)index);
        soon_future_unref(item);
        if (one_in(d, 200))
            break;
    }
    record->kind = KINDS;
    soon_imap_free(imap);
}

static void on_value(soon_bytes result, void *data)
{
    if (result.size != 8)
        WRONG("M9", "apply: %zu bytes", result.size);
    on_done(NULL, data);
}

static void on_error(const soon_error *error, void *data)
{
    if (error->code >= 0)
        WRONG("M9", "apply: error %d", error->code);
    on_done(NULL, data);
}

struct record *submit_apply(struct dice *d)
{
    struct record *record = new_record(APPLY, 1);
    struct callback *callback = record ? new_callback() : NULL;
    int32_t n = (int32_t)below(d, 1000);

    if (!callback) {
        if (record)
            record->kind = KINDS;
        return NULL;
    }
    record->value = (int64_t)n * 3 + 1;
    record->may_be_full = r.bounded_fail;
    record->future = soon_apply_async(r.pool, on_value, on_error, callback, add, .ticket = record->ticket, .n = n);
    publish(record, d);
    return record;
}

struct record *derive(struct record *const *live, unsigned count, struct dice *d)
{
    enum kind kind = one_in(d, 3) ? THEN : one_in(d, 2) ? GATHER : ANY;
    struct record *record;
    soon_future *members[4];

    if (!count)
        return NULL;
    record = new_record(kind, 0);
    if (!record)
        return NULL;
    record->member_count = kind == THEN ? 1 : 1 + (int)below(d, 4);
    for (int i = 0; i < record->member_count; i++) {
        record->members[i] = live[below(d, count)];
        members[i] = record->members[i]->future;
    }
    if (kind == THEN)
        record->future = soon_then(members[0], r.pool, &add_then_task);
    else if (kind == GATHER)
        record->future = soon_gather(members, (size_t)record->member_count);
    else
        record->future = soon_any(members, (size_t)record->member_count);
    publish(record, d);
    return record;
}
