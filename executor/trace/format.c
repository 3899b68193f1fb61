/*
 * format.c - see format_internal.h. Names and labels are the program's, and may be any bytes: what is no UTF-8 becomes
 * U+FFFD, since JSON has no other way to say it.
 */
#include "format_internal.h"

#include "../../futures/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Text
 */

void soon__trace_copy(char *to, size_t size, const char *text)
{
    size_t length = 0;

    while (text && length < size - 1 && text[length])
        length++;
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

static void add_bytes(struct lines *lines, const char *bytes, size_t size)
{
    size_t room = SOON__TRACE_LINES_MAX - lines->size;

    size = size < room ? size : room;
    memcpy(lines->to + lines->size, bytes, size);
    lines->size += size;
}

static void add(struct lines *lines, const char *text)
{
    add_bytes(lines, text, strlen(text));
}

/* With at least so many digits. */
static void add_digits(struct lines *lines, uint64_t number, int least)
{
    char digits[20], *first = digits + sizeof digits;

    for (; number || least > 0; number /= 10, least--)
        *--first = (char)('0' + number % 10);
    add_bytes(lines, first, (size_t)(digits + sizeof digits - first));
}

static void add_number(struct lines *lines, const char *before, int64_t number)
{
    add(lines, before);
    if (number < 0)
        add(lines, "-");
    add_digits(lines, number < 0 ? -(uint64_t)number : (uint64_t)number, 1);
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

static void add_escape(struct lines *lines, unsigned char character)
{
    static const char hex[] = "0123456789abcdef";

    add(lines, "\\u00");
    add_bytes(lines, &hex[character >> 4], 1);
    add_bytes(lines, &hex[character & 15], 1);
}

static void add_text(struct lines *lines, const char *name)
{
    const unsigned char *text = (const unsigned char *)name;
    size_t length;

    for (add(lines, "\""); *text; text += length ? length : 1) {
        length = character_at(text);
        if (!length) {
            add(lines, "\\ufffd");
        } else if (*text < 0x20 || *text == 0x7f) {
            add_escape(lines, *text);
        } else {
            if (*text == '"' || *text == '\\')
                add(lines, "\\");
            add_bytes(lines, (const char *)text, length);
        }
    }
    add(lines, "\"");
}

static void add_us(struct lines *lines, const char *key, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    add(lines, ",\"");
    add(lines, key);
    add_number(lines, "\":", ns / 1000);
    add(lines, ".");
    add_digits(lines, (uint64_t)(ns % 1000), 3);
}

/*
 * Parts of events
 */

/* The beginning of an event, up to its time. */
static void begin(struct lines *lines, const char *phase, const char *category, const char *name)
{
    add(lines, ",\n{\"ph\":\"");
    add(lines, phase);
    add(lines, "\",\"cat\":\"");
    add(lines, category);
    add(lines, "\",\"name\":");
    add_text(lines, name);
}

static void add_place(struct lines *lines, const struct soon__trace_format *format, struct soon__trace_row row,
                      int64_t ns)
{
    add_number(lines, ",\"pid\":", row.pid);
    add_number(lines, ",\"tid\":", row.tid);
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
    case SOON_ELOST:
        return "lost";
    default:
        return "failed";
    }
}

/* What is told of a task: its number, label and executor. */
static void add_task(struct lines *lines, const struct soon__trace_event *event)
{
    add_number(lines, ",\"args\":{\"task\":", (int64_t)event->id);
    if (event->label[0]) {
        add(lines, ",\"label\":");
        add_text(lines, event->label);
    }
    add(lines, ",\"executor\":");
    add_text(lines, event->executor);
}

static void add_outcome(struct lines *lines, const struct soon__trace_event *event)
{
    add(lines, ",\"outcome\":\"");
    add(lines, outcome_of(event));
    add(lines, "\"");
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
    add_number(lines, ",\"id\":", (int64_t)format->arrows);
    add_place(lines, format, event->from.row, event->from.ns);
    add(lines, "}");
    begin(lines, "f", "flow", name);
    add_number(lines, ",\"bp\":\"e\",\"id\":", (int64_t)format->arrows);
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
    add_number(lines, ",\"id\":", (int64_t)event->id);
    add_place(lines, format, row, event->queued_ns);
    add_task(lines, event);
    add(lines, ",\"function\":");
    add_text(lines, event->text);
    add(lines, "}}");
    begin(lines, "e", "wait", name);
    add_number(lines, ",\"id\":", (int64_t)event->id);
    add_place(lines, format, row, end_ns > event->queued_ns ? end_ns : event->queued_ns);
    add(lines, "}");
}

/*
 * Events
 */

static void add_name(struct lines *lines, struct soon__trace_row row, const char *what, const char *name)
{
    add(lines, ",\n{\"ph\":\"M\",\"name\":\"");
    add(lines, what);
    add_number(lines, "\",\"pid\":", row.pid);
    add_number(lines, ",\"tid\":", row.tid);
    add(lines, ",\"args\":{\"name\":");
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
        add_number(lines, event->flags & SOON__TRACE_IS_ITEM ? ",\"item\":" : ",\"items\":", event->value);
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
    add_number(lines, of_tasks ? ",\"args\":{\"waiting\":" : ",\"args\":{\"workers\":", event->value);
    if (of_tasks)
        add_number(lines, ",\"running\":", event->code);
    add(lines, "}}");
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
    add_number(&lines, ",\"args\":{\"dropped\":", (int64_t)dropped);
    add(&lines, "}}");
    return lines.size;
}
