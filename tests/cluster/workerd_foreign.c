/*
 * workerd_foreign.c - soon-workerd: jobs of clients that are not of the library get bytes and text, and no message.
 */
#include "caller.h"

#include <sys/stat.h>

TestSuite(workerd_foreign);

static void assert_heard(struct heard *heard, enum soon__packet_type type, const char *bytes)
{
    cr_assert_eq(heard->type, type, "%s", soon__packet_name(heard->type));
    cr_assert_eq(heard->size, strlen(bytes));
    cr_assert_str_eq(heard->bytes, bytes);
    heard_free(heard);
}

Test(workerd_foreign, a_string_gets_its_nul_and_the_result_is_bytes)
{
    with_stage(stage, 1);
    struct heard heard;

    caller_submit(&stage.caller, "far_greet", "theirs", of_text("world"));
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_COMPLETE, "hello world");
    caller_submit(&stage.caller, "far_greet", "", (soon_bytes){"world", 6});
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_COMPLETE, "hello world");
    caller_submit(&stage.caller, "far_greet", "", (soon_bytes){NULL, 0});
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_COMPLETE, "hello ");
    stage_end(&stage);
}

/* What `function` answers. */
static struct heard answer_of(struct caller *caller, const char *function, soon_bytes workload)
{
    caller_submit(caller, function, "", workload);
    caller_skip(caller, SOON__JOB_CREATED);
    return caller_hear(caller);
}

static void assert_bytes(struct heard heard, const void *bytes, size_t size)
{
    cr_assert_eq(heard.type, SOON__WORK_COMPLETE, "%s", soon__packet_name(heard.type));
    cr_assert_eq(heard.size, size);
    cr_assert_eq(memcmp(heard.bytes, bytes, size), 0);
    heard_free(&heard);
}

Test(workerd_foreign, a_text_comes_without_its_nul_and_bytes_come_as_they_are)
{
    with_stage(stage, 1);

    assert_bytes(answer_of(&stage.caller, "far_text", of_text("it")), "text it", 7);
    assert_bytes(answer_of(&stage.caller, "far_nuls", of_text("it")), "a\0b", 4);
    assert_bytes(answer_of(&stage.caller, "far_echo", (soon_bytes){"it", 3}), "it", 3);
    stage_end(&stage);
}

Test(workerd_foreign, a_failure_is_a_warning_with_the_message_and_then_the_end)
{
    with_stage(stage, 1);
    struct heard heard;

    caller_submit(&stage.caller, "far_fail", "theirs", of_text("it went wrong"));
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_WARNING, "it went wrong");
    heard = caller_hear(&stage.caller);
    cr_assert_eq(heard.type, SOON__WORK_FAIL);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_foreign, an_argument_of_another_size_is_refused)
{
    with_stage(stage, 1);
    struct heard heard;

    caller_submit(&stage.caller, "far_half", "theirs", of_text("seven"));
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    cr_assert_eq(heard.type, SOON__WORK_WARNING);
    cr_assert_not_null(strstr(heard.bytes, "5"));
    heard_free(&heard);
    caller_skip(&stage.caller, SOON__WORK_FAIL);
    stage_end(&stage);
}

Test(workerd_foreign, progress_is_told_and_no_start_or_heartbeat)
{
    with_stage(stage, 1);
    char path[] = "/tmp/soon-fifo-XXXXXX";
    struct heard heard;

    close(mkstemp(path));
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    caller_submit(&stage.caller, "far_hold", "soon2-theirs", of_text(path));
    caller_skip(&stage.caller, SOON__JOB_CREATED);
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_STATUS, "2");
    close(open(path, O_WRONLY | O_CLOEXEC)); /* it goes on */
    heard = caller_hear(&stage.caller);
    assert_heard(&heard, SOON__WORK_COMPLETE, "held");
    unlink(path);
    stage_end(&stage);
}

/* The command of Debian's gearman-tools. What it prints. */
static void ask_command(const struct gearmand *server, const char *function, const char *argument, char *ret,
                        size_t size)
{
    char line[256];
    FILE *command;
    size_t got;

    snprintf(line, sizeof line, "gearman -p %d -f %s '%s' 2>&1", server->port, function, argument);
    command = popen(line, "re");
    cr_assert_not_null(command);
    got = fread(ret, 1, size - 1, command);
    ret[got] = '\0';
    pclose(command);
}

Test(workerd_foreign, the_gearman_command_calls_our_functions_and_sees_no_message_of_ours)
{
    with_stage(stage, 1);
    char text[256];

    if (system("command -v gearman >/dev/null") != 0) {
        stage_end(&stage);
        cr_skip_test("there is no gearman command (Debian's gearman-tools)");
    }
    ask_command(&stage.server, "far_greet", "world", text, sizeof text);
    cr_assert_str_eq(text, "hello world");
    ask_command(&stage.server, "far_fail", "it went wrong", text, sizeof text);
    cr_assert_eq(strncmp(text, "it went wrong", 13), 0, "%s", text);
    stage_end(&stage);
}
