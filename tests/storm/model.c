/*
 * model.c - what is known of each future, and whether what became of it can be explained (M2, M3, M4, M9).
 */
#include "storm.h"

static const char *const kind_names[] = {"add",  "doze", "sulk",      "fall", "carry",  "fork_join", "self",
                                         "rave", "map",  "imap item", "then", "gather", "any",       "apply"};

void on_done(soon_future *future, void *data)
{
    struct callback *callback = data;
    int one = 1;

    if (!atomic_compare_exchange_strong(&callback->state, &one, 2))
        WRONG("M6", "a callback ran in state %d", one);
    if (future && !soon_future_done(future))
        WRONG("M6", "a callback of a future that is not done");
}

struct callback *new_callback(void)
{
    uint32_t i = callbacks_used++;

    if (i >= CALLBACKS)
        return NULL;
    callbacks[i].state = 1;
    return &callbacks[i];
}

struct record *new_record(enum kind kind, uint32_t tickets)
{
    uint32_t i = r.used++;
    struct record *record;

    if (i >= RECORDS)
        return NULL;
    record = &r.records[i];
    *record = (struct record){.kind = kind, .tickets = tickets};
    record->ticket = atomic_fetch_add(&r.tickets, tickets);
    if (record->ticket + tickets >= COUNTS)
        record->ticket = COUNTS; /* counts nothing */
    return record;
}

void publish(struct record *record, struct dice *d)
{
    unsigned i = below(d, PUBLIC);
    soon_future *old;

    futures_made++;
    record->late = r.mode >= 0;
    pthread_mutex_lock(&r.mutex);
    old = r.public[i].future;
    r.public[i].future = soon_future_ref(record->future);
    r.public[i].record = record;
    pthread_mutex_unlock(&r.mutex);
    soon_future_unref(old);
}

soon_future *pick(struct dice *d, struct record **ret)
{
    unsigned i = below(d, PUBLIC);
    soon_future *future;

    pthread_mutex_lock(&r.mutex);
    future = r.public[i].future ? soon_future_ref(r.public[i].future) : NULL;
    *ret = r.public[i].record;
    pthread_mutex_unlock(&r.mutex);
    return future;
}

void mark_cancelled(struct record *record)
{
    record->cancelled = true;
    for (int i = 0; i < record->member_count; i++)
        mark_cancelled(record->members[i]);
}

/* A pending one is cancelled then; those that a group waits for are killed with it. */
void mark_killed(struct record *record)
{
    record->cancelled = true;
    record->killed = true;
    for (int i = 0; i < record->member_count; i++)
        mark_killed(record->members[i]);
}

void check_code(struct record *record, const char *what, int code, bool started, uint32_t ticket)
{
    int mode = r.mode;
    bool told = false;

    switch (code) {
    case SOON_ERAISED:
        told = true; /* looked at by kind */
        break;
    case -ECANCELED:
        told = record->cancelled || mode >= SOON_CANCEL_PENDING || record->stops_at_error;
        break;
    case SOON_EKILLED:
        told = procs && (record->killed || mode >= SOON_TERMINATE);
        break;
    case SOON_ETIMELIMIT:
        told = record->time_limit;
        break;
    case SOON_EEXPIRED:
    case -ETIMEDOUT:
        told = record->queue_limit;
        break;
    case SOON_EWORKERDIED:
        told = procs;
        if (record->kind != FALL && record->kind != RAVE && record->kind != MAP)
            r.innocents_died++;
        break;
    case SOON_EFULL:
        told = record->may_be_full;
        break;
    case SOON_ESHUTDOWN:
        told = mode >= 0;
        break;
    case SOON_EBROKEN:
        told = r.breaks || r.init_fails || r.squeezed;
        break;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
    case -ETOOMANYREFS:
        told = r.squeezed;
        break;
    default:
        break;
    }
    if (!told && !r.any_corrupt)
        WRONG("M3", "%s: %s, started %d, mode %d, cancelled %d killed %d limit %d squeezed %d breaks %d", what,
              soon_errname(code), started, mode, record->cancelled, record->killed, record->time_limit, r.squeezed,
              r.breaks);
    if (ticket < COUNTS && !started && r.counts[ticket] && !record->retries && code != -ECANCELED && !r.any_corrupt)
        WRONG("M4", "%s: %s, not started, but it has begun %d times", what, soon_errname(code), r.counts[ticket]);
    if (ticket < COUNTS && code == -ECANCELED && !started && r.counts[ticket] && !r.any_corrupt && !record->retries)
        WRONG("M4", "%s: cancelled before it began, but it has begun %d times", what, r.counts[ticket]);
    if (ticket < COUNTS && !r.any_corrupt && r.counts[ticket] > 1 + record->retries)
        WRONG("M4", "%s: begun %d times with %d retries (%s)", what, r.counts[ticket], record->retries,
              soon_errname(code));
}

static int outcome_index(int code)
{
    static const int codes[] = {
        0,          SOON_ERAISED,   -ECANCELED,   SOON_EKILLED, SOON_ETIMELIMIT, SOON_EEXPIRED, SOON_EWORKERDIED,
        SOON_EFULL, SOON_ESHUTDOWN, SOON_EBROKEN, -EMFILE};

    for (int i = 0; i < 11; i++) {
        if (codes[i] == code)
            return i;
    }
    return 11;
}

static bool adapt_of_members(const struct record *record, int code)
{
    for (int i = 0; i < record->member_count; i++) {
        if (soon_future_error(record->members[i]->future)->code == code)
            return true;
    }
    return false;
}

static void check_success(struct record *record)
{
    soon_bytes bytes = {NULL, 0};
    soon_buffer *payload = soon_future_payload(record->future);
    const char *name = kind_names[record->kind];
    int64_t value = 0;
    int rc = soon_future_result(record->future, 0, &bytes);

    if (rc) {
        WRONG("M9", "%s: succeeded, and its result is %s", name, soon_errname(rc));
        return;
    }
    if (bytes.size == 8 && record->kind != CARRY)
        memcpy(&value, bytes.data, 8);
    switch (record->kind) {
    case ADD:
    case DOZE:
    case FORK_JOIN:
    case APPLY:
    case SELF:
        if (bytes.size != 8 || value != record->value)
            WRONG("M2", "%s: %lld for %lld", name, (long long)value, (long long)record->value);
        break;
    case SULK:
    case FALL:
        WRONG("M2", "%s has succeeded", name);
        break;
    case CARRY:
        if (bytes.size != record->size ||
            !is_painted((const unsigned char *)bytes.data + 8, bytes.size - 8, record->ticket + 1))
            WRONG("M2", "carry: %zu bytes for %zu, or others", bytes.size, record->size);
        if (record->payload ? !payload || soon_buffer_size(payload) != record->payload ||
                                  !is_painted(soon_buffer_data(payload), record->payload, record->ticket + 3)
                            : payload && soon_buffer_size(payload))
            WRONG("M2", "carry: another payload than %zu", record->payload);
        break;
    case MAP:
        for (uint32_t i = 0; record->wants_item_check && i < record->tickets; i++) {
            if (((const int64_t *)bytes.data)[i] != (int64_t)record->args_n[i] * 3 + 1)
                WRONG("M2", "map_async: item %u", i);
        }
        break;
    case GATHER:
        for (int i = 0; i < record->member_count; i++) {
            if (!soon_future_succeeded(record->members[i]->future))
                WRONG("M9", "gather has succeeded, a member has not");
        }
        break;
    default:
        break;
    }
    if (record->ticket < COUNTS && record->tickets == 1 && record->kind != IMAP_ITEM && record->kind <= RAVE &&
        (r.counts[record->ticket] < 1 || r.counts[record->ticket] > 1 + record->retries))
        WRONG("M4", "%s has a result, and has begun %d times", name, r.counts[record->ticket]);
}

void judge(struct record *record)
{
    const soon_error *error;
    const char *name;

    if (record->kind >= KINDS || !record->future)
        return;
    name = kind_names[record->kind];
    if (!soon_future_done(record->future)) {
        WRONG("M1", "%s is not done at the end of the round", name);
        return;
    }
    error = soon_future_error(record->future);
    outcomes[outcome_index(error->code)]++;
    if (error->code == 0) {
        if (!r.any_corrupt)
            check_success(record);
        return;
    }
    if (record->kind == GATHER || record->kind == ANY) {
        if (!(record->cancelled && error->code == -ECANCELED) && !adapt_of_members(record, error->code) &&
            error->code != -ENOMEM)
            WRONG("M9", "%s: %s, which no member has", name, soon_errname(error->code));
        return;
    }
    if (record->kind == THEN && (adapt_of_members(record, error->code) || error->code == SOON_ETYPE))
        return;
    if (error->code == SOON_ERAISED && !r.any_corrupt) {
        bool may = record->kind == SULK || record->kind == MAP;

        if (record->kind == CARRY && error->raised == -ENOMEM && r.squeezed)
            may = true;
        if (!may || (record->kind == SULK && (error->raised != EDOM || !strstr(error->message, "is no number"))))
            WRONG("M2", "%s: raised %d: %s", name, error->raised, error->message);
    }
    check_code(record, name, error->code, error->started,
               record->tickets == 1 && record->kind != MAP ? record->ticket : UINT32_MAX);
}

void check_resolved(void)
{
    pthread_mutex_lock(&r.mutex);
    for (int i = 0; i < PUBLIC; i++) {
        struct record *record = r.public[i].record;

        /* Groups are no executor's; what is made on other threads just now is not judged. */
        if (!r.public[i].future || record->kind == GATHER || record->kind == ANY || record->kind >= KINDS)
            continue;
        if (!soon_future_done(r.public[i].future))
            WRONG("M1", "%s is not done when shutdown has returned 0", kind_names[record->kind]);
    }
    pthread_mutex_unlock(&r.mutex);
}
