/*
 * connection.c - the state machine of a connection.
 *
 * What belongs to one attempt, up to the loss of what became of it, is a link (link_internal.h), which is let go as a
 * whole: bytes of an older one never meet the next. One timer serves all states: in DOWN it ends the pause, in UP it
 * looks whether the server is silent (silence_internal.h), in all others it is the time limit.
 *
 * A lookup that takes too long is left to itself until it ends. As long as it runs there is no second one: an attempt
 * that would need one fails.
 */
#include "connection_internal.h"
#include "dialect_internal.h"
#include "link_internal.h"
#include "lookup_internal.h"
#include "rounds_internal.h"
#include "silence_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PACKET_LIMIT (UINT32_C(2) << 30)
enum { LINE_LIMIT = 64 << 10, HIGH_WATER = 4 << 20, LOW_WATER = 1 << 20, LIMIT_MS = 5000, TEXT = 512 };

enum state { DOWN, RESOLVING, CONNECTING, GREETING, UP, LEAVING, CLOSED };

struct soon__connection {
    struct soon__connection_options options;
    struct soon__connection_events events;
    void *owner;
    enum state state; /* of enter() alone */
    uv_timer_t timer;
    uint64_t epoch;
    unsigned failures; /* since it was UP */
    struct soon__rounds rounds;
    size_t server;
    struct soon__addresses addresses; /* of `server` */
    size_t address;
    struct soon__lookup *lookup;
    struct soon__link *link; /* from CONNECTING to LEAVING */
    struct soon__silence silence;
    uint64_t up_since;
    struct soon__dialect dialect;
    bool is_crowded;
    bool is_closed; /* `closed` was told */
};

static void on_timer(uv_timer_t *timer);
static void lose(struct soon__connection *self, int code, const char *text);

static uint64_t now(const struct soon__connection *self)
{
    return uv_now(self->options.loop);
}

static const struct soon__server *server(const struct soon__connection *self)
{
    return &self->options.servers->each[self->server];
}

/* UINT64_MAX: the timer stays as it is. */
static void enter(struct soon__connection *self, enum state state, uint64_t wait_ms)
{
    self->state = state;
    if (wait_ms == UINT64_MAX)
        return;
    uv_update_time(self->options.loop);
    uv_timer_start(&self->timer, on_timer, wait_ms, 0);
}

/*
 * Writing
 */

static int space(struct soon__connection *self, size_t size, void **ret)
{
    uint64_t before = soon__link_written(self->link), sent = soon__link_sent(self->link);
    int rc = soon__link_space(self->link, size, ret);

    if (rc < 0)
        return rc;
    if (before == sent) { /* nothing waited. On the library's loop libuv may not have looked at the clock for long */
        uv_update_time(self->options.loop);
        soon__silence_left(&self->silence, now(self), sent);
    }
    self->is_crowded |= before + size - sent > self->options.high_water;
    return 0;
}

static int write_packet(struct soon__connection *self, const struct soon__packet *packet, void **ret_last)
{
    size_t size = soon__packet_size(packet);
    void *to;
    int rc = size > 0 ? space(self, size, &to) : -EMSGSIZE;

    if (rc == 0)
        *ret_last = (char *)to + soon__packet_write_head(to, packet, true);
    return rc;
}

int soon__connection_write_space(struct soon__connection *self, enum soon__packet_type type,
                                 const soon_bytes *arguments, size_t count, size_t last_size, void **ret)
{
    struct soon__packet packet = {.type = type, .count = count + 1};

    assert(count < SOON__PACKET_ARGUMENTS && !self->options.is_text);
    for (size_t i = 0; i < count; i++)
        packet.arguments[i] = arguments[i];
    packet.arguments[count].size = last_size;
    return self->state == UP ? write_packet(self, &packet, ret) : -ENOTCONN;
}

int soon__connection_write(struct soon__connection *self, enum soon__packet_type type, const soon_bytes *arguments,
                           size_t count)
{
    const struct soon__packet nothing = {.type = type};
    const soon_bytes *last = count > 0 ? &arguments[count - 1] : NULL;
    void *to;
    int rc;

    if (!last)
        return self->state == UP ? write_packet(self, &nothing, &to) : -ENOTCONN;
    rc = soon__connection_write_space(self, type, arguments, count - 1, last->size, &to);
    if (rc == 0 && last->size > 0)
        memcpy(to, last->data, last->size);
    return rc;
}

int soon__connection_write_text(struct soon__connection *self, const char *text)
{
    size_t size = strlen(text);
    void *to;
    int rc;

    assert(self->options.is_text);
    rc = self->state == UP ? space(self, size, &to) : -ENOTCONN;
    if (rc == 0)
        memcpy(to, text, size);
    return rc;
}

void soon__connection_flush(struct soon__connection *self)
{
    if (self->state == UP)
        soon__link_flush(self->link);
}

/* C4 */
static int ask(struct soon__connection *self)
{
    void *to;
    int rc = space(self, soon__dialect_question_size(&self->dialect), &to);

    if (rc == 0)
        soon__dialect_ask(&self->dialect, to);
    return rc;
}

/*
 * Beginning
 */

static void on_connected(void *owner);
static void on_came(void *owner, struct soon__packet_reader *reader);
static void on_sent(void *owner);
static void on_lost(void *owner, int code);

static const struct soon__link_events link_events = {on_connected, on_came, on_sent, on_lost};

/* The next address, if there is one left for which the attempt can begin. */
static int connect_next(struct soon__connection *self)
{
    size_t limit = self->dialect.is_text ? LINE_LIMIT : self->options.packet_max;
    int rc = -EHOSTUNREACH;

    soon__link_let_go(self->link);
    self->link = NULL;
    self->dialect.asked = 0;
    while (self->address < self->addresses.count) {
        rc = soon__link_new(&self->link, self->options.loop, &self->addresses.each[self->address++].any, limit,
                            &link_events, self);
        if (rc == 0) {
            enter(self, CONNECTING, (uint64_t)self->options.connect_timeout_ms);
            return 0;
        }
    }
    return rc;
}

/* This address is of no use: the next, or another server. */
static void fail(struct soon__connection *self, int code, const char *text)
{
    if (self->address >= self->addresses.count || connect_next(self) < 0)
        lose(self, code, text);
}

static void on_found(void *owner, int code, const struct soon__addresses *addresses)
{
    struct soon__connection *self = owner;
    int rc;

    self->lookup = NULL;
    if (self->state != RESOLVING)
        return;
    self->addresses = *addresses;
    rc = code < 0 ? code : connect_next(self);
    if (rc < 0)
        lose(self, code < 0 && code != -ENOMEM ? -EHOSTUNREACH : rc, soon__lookup_text(rc));
}

static int look_up(struct soon__connection *self)
{
    if (soon__lookup_is_address(&self->addresses, server(self)))
        return connect_next(self);
    if (self->lookup)
        return -ETIMEDOUT;
    return soon__lookup_start(&self->lookup, self->options.loop, server(self), on_found, self);
}

static void begin(struct soon__connection *self)
{
    int rc;

    self->server = soon__rounds_next(&self->rounds);
    self->address = self->addresses.count = 0;
    enter(self, RESOLVING, (uint64_t)self->options.connect_timeout_ms);
    rc = look_up(self);
    if (rc < 0)
        lose(self, rc, soon__lookup_text(rc));
}

static void on_connected(void *owner)
{
    struct soon__connection *self = owner;
    int rc;

    enter(self, GREETING, UINT64_MAX);
    rc = ask(self);
    if (rc < 0)
        fail(self, rc, soon__lookup_text(rc));
}

static void come_up(struct soon__connection *self)
{
    enter(self, UP, (uint64_t)self->options.silence_ms);
    self->epoch++;
    self->failures = 0;
    self->up_since = now(self);
    soon__silence_begin(&self->silence, now(self));
    self->silence.sent = soon__link_sent(self->link);
    self->events.up(self->owner);
}

/*
 * Reading
 */

/* 1: something was taken, and its owner wants to go on; 0: there is nothing. */
static int take_next(struct soon__connection *self, struct soon__packet_reader *reader, const char **ret_name)
{
    struct soon__heard heard;
    int rc = soon__dialect_next(&self->dialect, reader, &heard);

    if (rc <= 0)
        return rc;
    *ret_name = soon__dialect_name(&self->dialect, &heard);
    if (heard.is_answer && self->state == GREETING)
        come_up(self);
    else if (self->state == GREETING)
        return -EPROTO;
    else if (!heard.is_answer && self->options.is_text)
        rc = self->events.line(self->owner, heard.line.data, heard.line.size);
    else if (!heard.is_answer)
        rc = self->events.packet(self->owner, &heard.packet);
    return rc < 0 ? rc : 1;
}

static void on_came(void *owner, struct soon__packet_reader *reader)
{
    struct soon__connection *self = owner;
    struct soon__link *link = self->link; /* it stays as long as this turn of the loop does */
    const char *name = "what it says";
    char text[64];
    int rc = 1;

    soon__silence_heard(&self->silence, now(self));
    if (self->state == LEAVING)
        reader->at = reader->size;
    while (rc > 0 && self->link == link && self->state != LEAVING)
        rc = take_next(self, reader, &name);
    if (rc >= 0 || self->link != link || self->state == LEAVING)
        return;
    snprintf(text, sizeof text, "%s makes no sense", name);
    if (self->state == UP)
        lose(self, rc, text);
    else
        fail(self, rc, text);
}

static void on_sent(void *owner)
{
    struct soon__connection *self = owner;
    uint64_t sent = soon__link_sent(self->link), waits = soon__link_written(self->link) - sent;

    soon__silence_left(&self->silence, now(self), sent);
    if (self->state == LEAVING && waits == 0)
        soon__link_end(self->link);
    if (!self->is_crowded || waits >= self->options.low_water)
        return;
    self->is_crowded = false;
    if (self->state == UP && self->events.drained)
        self->events.drained(self->owner);
}

/*
 * Ends
 */

static void let_go(struct soon__connection *self)
{
    soon__link_let_go(self->link);
    self->link = NULL;
    self->is_crowded = false;
}

static void lose(struct soon__connection *self, int code, const char *text)
{
    bool was_up = self->state == UP;
    char why[TEXT];

    snprintf(why, sizeof why, "%s: %s", server(self)->text, text ? text : soon__lookup_text(code));
    let_go(self);
    self->failures += !was_up;
    enter(self, DOWN, soon__rounds_over(&self->rounds, was_up ? now(self) - self->up_since : 0, uv_hrtime() / 1000));
    self->events.down(self->owner, code, why, was_up);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct soon__connection *self = handle->data;

    self->is_closed = true;
    self->events.closed(self->owner);
}

static void finish(struct soon__connection *self)
{
    let_go(self);
    soon__lookup_let_go(self->lookup);
    enter(self, CLOSED, UINT64_MAX);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

static void on_lost(void *owner, int code)
{
    struct soon__connection *self = owner;
    const char *text = code == UV_EOF ? "it has closed the connection" : soon__lookup_text(code);

    code = code == UV_EOF ? -ECONNRESET : code;
    if (self->state == LEAVING)
        finish(self);
    else if (self->state == UP)
        lose(self, code, text);
    else
        fail(self, code, text);
}

static void listen_for_life(struct soon__connection *self)
{
    uint64_t next_ms = 1;
    enum soon__verdict verdict = soon__silence_look(&self->silence, now(self), soon__link_written(self->link),
                                                    soon__link_sent(self->link), &next_ms);

    if (verdict == SOON__SILENCE_NO_ANSWER) {
        lose(self, -ETIMEDOUT, "it does not answer");
    } else if (verdict == SOON__SILENCE_TAKES_NOTHING) {
        lose(self, -ETIMEDOUT, "it takes nothing");
    } else if (verdict == SOON__SILENCE_ASK && ask(self) < 0) {
        lose(self, -ENOMEM, NULL);
    } else {
        if (verdict == SOON__SILENCE_ASK)
            soon__silence_asked(&self->silence, now(self), soon__link_written(self->link));
        enter(self, UP, next_ms);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct soon__connection *self = timer->data;

    switch (self->state) {
    case DOWN:
        begin(self);
        break;
    case RESOLVING:
        lose(self, -ETIMEDOUT, "its address was not found in time");
        break;
    case CONNECTING:
    case GREETING:
        fail(self, -ETIMEDOUT, self->state == GREETING ? "it does not answer" : "it does not take the connection");
        break;
    case UP:
        listen_for_life(self);
        break;
    case LEAVING:
        finish(self);
        break;
    case CLOSED:
        break;
    }
}

void soon__connection_drop(struct soon__connection *self, int code, const char *text)
{
    if (self->state != DOWN && self->state < LEAVING)
        lose(self, code, text);
}

void soon__connection_close(struct soon__connection *self, int64_t linger_ms)
{
    if (self->state == CLOSED)
        return;
    if (linger_ms <= 0 || (self->state != UP && self->state != LEAVING)) {
        finish(self);
        return;
    }
    if (self->state == LEAVING && uv_timer_get_due_in(&self->timer) <= (uint64_t)linger_ms)
        return;
    if (self->state == UP && soon__link_written(self->link) == soon__link_sent(self->link))
        soon__link_end(self->link);
    enter(self, LEAVING, (uint64_t)linger_ms);
}

/*
 * Made and freed
 */

static void set_defaults(struct soon__connection_options *options)
{
    options->packet_max = options->packet_max ? options->packet_max : PACKET_LIMIT;
    options->high_water = options->high_water ? options->high_water : HIGH_WATER;
    options->low_water = options->low_water ? options->low_water : LOW_WATER;
    options->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : LIMIT_MS;
    options->silence_ms = options->silence_ms ? options->silence_ms : SOON__SILENCE_MS;
    options->answer_ms = options->answer_ms ? options->answer_ms : SOON__ANSWER_MS;
}

int soon__connection_new(struct soon__connection **ret, const struct soon__connection_options *options,
                         const struct soon__connection_events *events, void *owner)
{
    struct soon__connection *self = calloc(1, sizeof *self);

    if (!self)
        return -ENOMEM;
    self->options = *options;
    set_defaults(&self->options);
    self->events = *events;
    self->owner = owner;
    self->rounds.servers = options->servers->count;
    self->dialect.is_text = options->is_text;
    self->silence.silence_ms = (uint64_t)self->options.silence_ms;
    self->silence.answer_ms = (uint64_t)self->options.answer_ms;
    uv_timer_init(self->options.loop, &self->timer);
    self->timer.data = self;
    enter(self, DOWN, 0);
    *ret = self;
    return 0;
}

void soon__connection_free(struct soon__connection *self)
{
    assert(!self || self->is_closed);
    free(self);
}

bool soon__connection_is_up(const struct soon__connection *self)
{
    return self->state == UP;
}

uint64_t soon__connection_epoch(const struct soon__connection *self)
{
    return self->epoch;
}

const char *soon__connection_server(const struct soon__connection *self)
{
    return server(self)->text;
}

unsigned soon__connection_failures(const struct soon__connection *self)
{
    return self->failures;
}

bool soon__connection_is_crowded(const struct soon__connection *self)
{
    return self->is_crowded;
}
