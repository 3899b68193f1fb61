/*
 * trace_format.c - each event is lines of JSON, whatever is in its names.
 */
#include "../../executor/trace/format_internal.h"
#include "../../futures/error.h"
#include "../support/json.h"

#include <errno.h>

TestSuite(trace_format);

static struct soon__trace_format format = {.pid = 100, .started_ns = 1000000};

/* One of each part. */
static const struct soon__trace_event full = {
    .row = {100, 101},
    .from = {{100, 102}, 1500000},
    .id = 7,
    .queued_ns = 1500000,
    .begin_ns = 2000000,
    .end_ns = 3000123,
    .executor = "pool",
    .text = "function",
    .label = "label",
};

/* Its lines, as an array of their own, to be freed; checks that they are `count`. */
static char *lines_of(struct soon__trace_event event, uint8_t kind, long count)
{
    char *text = malloc(SOON__TRACE_LINES_MAX + 16);
    size_t size;

    strcpy(text, "[0");
    event.kind = kind;
    size = soon__trace_format(&format, &event, text + 2);
    strcpy(text + 2 + size, "]");
    cr_assert_eq(json_array(text), count + 1, "%s", text);
    return text;
}

static void assert_lines(struct soon__trace_event event, uint8_t kind, long count, const char *part)
{
    char *text = lines_of(event, kind, count);

    cr_assert(strstr(text, part), "%s is not in %s", part, text);
    free(text);
}

Test(trace_format, has_the_lines_that_belong_to_each_kind_of_event)
{
    struct soon__trace_event process = full;

    process.flags = SOON__TRACE_IS_PROCESS;
    assert_lines(full, SOON__TRACE_ROW, 1,
                 "\"name\":\"thread_name\",\"pid\":100,\"tid\":101,\"args\":{\"name\":\"function\"}");
    assert_lines(process, SOON__TRACE_ROW, 2, "process_name");
    assert_lines(full, SOON__TRACE_SUBMIT, 1, "\"ts\":1000.000,\"dur\":1000.123");
    assert_lines(full, SOON__TRACE_WAIT, 3, "\"ph\":\"i\"");
    assert_lines(full, SOON__TRACE_RUN, 5,
                 "\"name\":\"function\",\"pid\":100,\"tid\":101,\"ts\":1000.000,\"dur\":1000.123");
    assert_lines(full, SOON__TRACE_ARROW, 2, "\"ph\":\"f\"");
    assert_lines(full, SOON__TRACE_TASKS, 1, "\"pool tasks\"");
    assert_lines(full, SOON__TRACE_WORKERS, 1, "\"pool workers\"");
    assert_lines(full, SOON__TRACE_MARK, 1, "\"why\":\"label\"");
}

Test(trace_format, leaves_out_the_wait_and_the_arrow_that_a_run_has_not)
{
    struct soon__trace_event item = full;

    item.queued_ns = 0;
    item.from.row.tid = 0;
    item.flags = SOON__TRACE_IS_ITEM;
    item.value = 3;
    assert_lines(item, SOON__TRACE_RUN, 1, "\"item\":3");
}

Test(trace_format, says_how_a_task_has_ended)
{
    static const struct {
        int code;
        const char *word;
    } outcomes[] = {
        {0, "succeeded"},
        {-ECANCELED, "cancelled"},
        {SOON_ERAISED, "raised"},
        {SOON_ETIMELIMIT, "time limit"},
        {SOON_EEXPIRED, "expired"},
        {SOON_EKILLED, "killed"},
        {SOON_EWORKERDIED, "worker died"},
        {SOON_ELOST, "lost"},
        {-ENOMEM, "failed"},
    };
    char part[64];

    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct soon__trace_event event = full;

        event.code = outcomes[i].code;
        snprintf(part, sizeof part, "\"outcome\":\"%s\"", outcomes[i].word);
        assert_lines(event, SOON__TRACE_RUN, 5, part);
    }
}

Test(trace_format, gives_each_slice_a_width)
{
    struct soon__trace_event event = full;

    event.end_ns = event.begin_ns;
    assert_lines(event, SOON__TRACE_RUN, 5, "\"dur\":0.001");
}

static void assert_label(const char *label, const char *part)
{
    struct soon__trace_event event = full;
    char quoted[64];

    soon__trace_copy(event.label, sizeof event.label, label);
    snprintf(quoted, sizeof quoted, "\"label\":\"%s\"", part);
    assert_lines(event, SOON__TRACE_SUBMIT, 1, quoted);
}

Test(trace_format, shows_any_bytes_as_text)
{
    assert_label("a\"b\\c", "a\\\"b\\\\c");
    assert_label("\x01\n\x7f", "\\u0001\\u000a\\u007f");
    assert_label("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82",
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82");
    assert_label("\xff\x80", "\\ufffd\\ufffd");
    assert_label("\xc0\xaf", "\\ufffd\\ufffd");
    assert_label("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd");
    assert_label("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
    assert_label("\xe2\x82", "\\ufffd\\ufffd");
}

Test(trace_format, has_room_for_the_longest_names)
{
    struct soon__trace_event event = full;

    memset(event.text, 1, sizeof event.text - 1);
    memset(event.label, 1, sizeof event.label - 1);
    memset(event.executor, 1, sizeof event.executor - 1);
    event.id = UINT64_MAX;
    event.queued_ns = event.begin_ns = event.end_ns = INT64_MAX;
    event.code = INT32_MIN;
    event.row = event.from.row = (struct soon__trace_row){INT32_MIN, INT32_MIN};
    for (uint8_t kind = SOON__TRACE_ROW; kind <= SOON__TRACE_MARK; kind++) {
        static const long lines[] = {1, 1, 3, 5, 2, 1, 1, 1};

        free(lines_of(event, kind, lines[kind]));
    }
}

Test(trace_format, cuts_a_text_between_characters)
{
    char cut[5];

    soon__trace_copy(cut, sizeof cut, "abcdefgh");
    cr_assert_str_eq(cut, "abcd");
    soon__trace_copy(cut, sizeof cut, NULL);
    cr_assert_str_eq(cut, "");
    soon__trace_copy(cut, sizeof cut, "abc\xc3\xbc");
    cr_assert_str_eq(cut, "abc");
    soon__trace_copy(cut, sizeof cut, "a\xf0\x9f\x99\x82");
    cr_assert_str_eq(cut, "a");
    soon__trace_copy(cut, sizeof cut, "ab\xc3\xbc");
    cr_assert_str_eq(cut, "ab\xc3\xbc");
}
