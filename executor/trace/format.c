/*
 * format.c - see format_internal.h. Names and labels are the program's, and may be any bytes: what is no UTF-8 becomes
 * U+FFFD, since JSON has no other way to say it.
 */
#include "format_internal.h"

#include "../../futures/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Text
 */

void soon__trace_copy(char *to, size_t size, const char *text)
{
    size_t length = text ? strnlen(text, size - 1) : 0;

    if (text && text[length]) { /* it is cut, and not in the midst of a character */
        while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(to, text ? text : "", length);
    to[length] = '\0';
}

struct lines {
    char *to;
    size_t size;
};

static void __attribute__((format(printf, 2, 3))) add(struct lines *lines, const char *format, ...)
{
    size_t room = SOON__TRACE_LINES_MAX - lines->size;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(lines->to + lines->size, room, format, args);
    va_end(args);
    lines->size += (size_t)length < room ? (size_t)length : room - 1;
}

/* How many bytes the character takes that begins here; 0: it is none. By the table of well-formed sequences in the
 * Unicode standard. */
static size_t character_at(const unsigned char *text)
{
    unsigned char first = text[0];
    size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    if ((first >= 0x80 && first < 0xc2) || first > 0xf4)
        return 0;
    for (size_t i = 1; i <= more; i++, least = 0x80, most = 0xbf) {
        if (text[i] < least || text[i] > most)
            return 0;
    }
    return more + 1;
}

static void add_text(struct lines *lines, const char *name)
{
    const unsigned char *text = (const unsigned char *)name;
    size_t length;

    for (add(lines, "\""); *text; text += length ? length : 1) {
        length = character_at(text);
        if (!length)
            add(lines, "\\ufffd");
        else if (*text == '"' || *text == '\\')
            add(lines, "\\%c", *text);
        else if (*text < 0x20 || *text == 0x7f)
            add(lines, "\\u%04x", *text);
        else
            add(lines, "%.*s", (int)length, (const char *)text);
    }
    add(lines, "\"");
}

static void add_us(struct lines *lines, const char *key, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    add(lines, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

/*
 * Parts of events
 */

/* The beginning of an event, up to its time. */
static void begin(struct lines *lines, const char *phase, const char *category, const char *name)
{
    add(lines, ",\n{\"ph\":\"%s\",\"cat\":\"%s\",\"name\":", phase, category);
    add_text(lines, name);
}

static void add_place(struct lines *lines, const struct soon__trace_format *format, struct soon__trace_row row,
                      int64_t ns)
{
    add(lines, ",\"pid\":%d,\"tid\":%d", row.pid, row.tid);
    add_us(lines, "ts", ns - format->started_ns);
}

static const char *outcome_of(const struct soon__trace_event *event)
{
    switch (event->code) {
    case 0:
        return "succeeded";
    case -ECANCELED:
        return "cancelled";
    case SOON_ERAISED:
        return "raised";
    case SOON_ETIMELIMIT:
        return "time limit";
    case SOON_EEXPIRED:
        return "expired";
    case SOON_EKILLED:
        return "killed";
    case SOON_EWORKERDIED:
        return "worker died";
    default:
        return "failed";
    }
}

/* What is told of a task: its number, label and executor. */
static void add_task(struct lines *lines, const struct soon__trace_event *event)
{
    add(lines, ",\"args\":{\"task\":%" PRIu64, event->id);
    if (event->label[0]) {
        add(lines, ",\"label\":");
        add_text(lines, event->label);
    }
    add(lines, ",\"executor\":");
    add_text(lines, event->executor);
}

static void add_outcome(struct lines *lines, const struct soon__trace_event *event)
{
    add(lines, ",\"outcome\":\"%s\"", outcome_of(event));
}

/* A slice lasts a nanosecond at least: viewers draw none of no width, and no arrow to it. */
static int64_t length_of(const struct soon__trace_event *event)
{
    return event->end_ns > event->begin_ns ? event->end_ns - event->begin_ns : 1;
}

static void add_arrow(struct lines *lines, struct soon__trace_format *format, const char *name,
                      const struct soon__trace_event *event)
{
    if (!event->from.row.tid)
        return;
    format->arrows++;
    begin(lines, "s", "flow", name);
    add(lines, ",\"id\":%" PRIu64, format->arrows);
    add_place(lines, format, event->from.row, event->from.ns);
    add(lines, "}");
    begin(lines, "f", "flow", name);
    add(lines, ",\"bp\":\"e\",\"id\":%" PRIu64, format->arrows);
    add_place(lines, format, event->row, event->begin_ns);
    add(lines, "}");
}

/* In a row of its own for each executor, which viewers make of events with the same name. */
static void add_wait(struct lines *lines, const struct soon__trace_format *format,
                     const struct soon__trace_event *event, int64_t end_ns)
{
    struct soon__trace_row row = {format->pid, format->pid};
    char name[sizeof "waits for " + SOON__TRACE_EXECUTOR];

    if (!event->queued_ns)
        return;
    snprintf(name, sizeof name, "waits for %.*s", SOON__TRACE_EXECUTOR - 1, event->executor);
    begin(lines, "b", "wait", name);
    add(lines, ",\"id\":%" PRIu64, event->id);
    add_place(lines, format, row, event->queued_ns);
    add_task(lines, event);
    add(lines, ",\"function\":");
    add_text(lines, event->text);
    add(lines, "}}");
    begin(lines, "e", "wait", name);
    add(lines, ",\"id\":%" PRIu64, event->id);
    add_place(lines, format, row, end_ns > event->queued_ns ? end_ns : event->queued_ns);
    add(lines, "}");
}

/*
 * Events
 */

static void add_name(struct lines *lines, struct soon__trace_row row, const char *what, const char *name)
{
    add(lines, ",\n{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":", what, row.pid, row.tid);
    add_text(lines, name);
    add(lines, "}}");
}

static void add_row(struct lines *lines, const struct soon__trace_event *event)
{
    if (event->flags & SOON__TRACE_IS_PROCESS)
        add_name(lines, event->row, "process_name", event->text);
    add_name(lines, event->row, "thread_name", event->text);
}

static void add_submit(struct lines *lines, const struct soon__trace_format *format,
                       const struct soon__trace_event *event)
{
    begin(lines, "X", "submit", "submit");
    add_place(lines, format, event->row, event->begin_ns);
    add_us(lines, "dur", length_of(event));
    add_task(lines, event);
    add(lines, ",\"function\":");
    add_text(lines, event->text);
    add(lines, "}}");
}

static void add_run(struct lines *lines, struct soon__trace_format *format, const struct soon__trace_event *event)
{
    const char *category = event->flags & SOON__TRACE_IS_ITEM    ? "item"
                           : event->flags & SOON__TRACE_IS_CHUNK ? "chunk"
                                                                 : "task";

    add_wait(lines, format, event, event->begin_ns);
    begin(lines, "X", category, event->text);
    add_place(lines, format, event->row, event->begin_ns);
    add_us(lines, "dur", length_of(event));
    add_task(lines, event);
    if (event->flags & (SOON__TRACE_IS_ITEM | SOON__TRACE_IS_CHUNK))
        add(lines, ",\"%s\":%d", event->flags & SOON__TRACE_IS_ITEM ? "item" : "items", event->value);
    add_outcome(lines, event);
    if (event->flags & SOON__TRACE_IS_AGAIN)
        add(lines, ",\"again\":true");
    add(lines, "}}");
    add_arrow(lines, format, "submit", event);
}

/* It has left the queue without a run. */
static void add_end_of_wait(struct lines *lines, const struct soon__trace_format *format,
                            const struct soon__trace_event *event)
{
    add_wait(lines, format, event, event->end_ns);
    begin(lines, "i", "wait", outcome_of(event));
    add(lines, ",\"s\":\"p\"");
    add_place(lines, format, (struct soon__trace_row){format->pid, format->pid}, event->end_ns);
    add_task(lines, event);
    add(lines, ",\"function\":");
    add_text(lines, event->text);
    add_outcome(lines, event);
    add(lines, "}}");
}

static void add_count(struct lines *lines, const struct soon__trace_format *format,
                      const struct soon__trace_event *event)
{
    bool of_tasks = event->kind == SOON__TRACE_TASKS;
    char name[SOON__TRACE_EXECUTOR + sizeof " workers"];

    snprintf(name, sizeof name, "%.*s %s", SOON__TRACE_EXECUTOR - 1, event->executor, of_tasks ? "tasks" : "workers");
    begin(lines, "C", "count", name);
    add_place(lines, format, (struct soon__trace_row){format->pid, 0}, event->begin_ns);
    if (of_tasks)
        add(lines, ",\"args\":{\"waiting\":%d,\"running\":%d}}", event->value, event->code);
    else
        add(lines, ",\"args\":{\"workers\":%d}}", event->value);
}

static void add_mark(struct lines *lines, const struct soon__trace_format *format,
                     const struct soon__trace_event *event)
{
    begin(lines, "i", "worker", event->text);
    add(lines, ",\"s\":\"t\"");
    add_place(lines, format, event->row, event->begin_ns);
    add(lines, ",\"args\":{\"executor\":");
    add_text(lines, event->executor);
    if (event->label[0]) {
        add(lines, ",\"why\":");
        add_text(lines, event->label);
    }
    add(lines, "}}");
}

size_t soon__trace_format(struct soon__trace_format *format, const struct soon__trace_event *event, char *to)
{
    struct lines lines = {.to = to};

    switch (event->kind) {
    case SOON__TRACE_ROW:
        add_row(&lines, event);
        break;
    case SOON__TRACE_SUBMIT:
        add_submit(&lines, format, event);
        break;
    case SOON__TRACE_WAIT:
        add_end_of_wait(&lines, format, event);
        break;
    case SOON__TRACE_RUN:
        add_run(&lines, format, event);
        break;
    case SOON__TRACE_ARROW:
        add_arrow(&lines, format, "then", event);
        break;
    case SOON__TRACE_TASKS:
    case SOON__TRACE_WORKERS:
        add_count(&lines, format, event);
        break;
    default:
        add_mark(&lines, format, event);
    }
    return lines.size;
}

size_t soon__trace_format_program(const struct soon__trace_format *format, const char *name, char *to)
{
    struct lines lines = {.to = to};

    add_name(&lines, (struct soon__trace_row){format->pid, format->pid}, "process_name", name);
    return lines.size;
}

size_t soon__trace_format_dropped(const struct soon__trace_format *format, uint64_t dropped, int64_t now, char *to)
{
    struct lines lines = {.to = to};

    begin(&lines, "i", "trace", "events are missing");
    add(&lines, ",\"s\":\"g\"");
    add_place(&lines, format, (struct soon__trace_row){format->pid, format->pid}, now);
    add(&lines, ",\"args\":{\"dropped\":%" PRIu64 "}}", dropped);
    return lines.size;
}
