/*
 * workerd_jobs.c - soon-workerd: what becomes of the jobs of clients of the library.
 */
#include "caller.h"

#include <sys/stat.h>

TestSuite(workerd_jobs);

static const soon_bytes seven = {&(const int){7}, sizeof(int)}, minus = {&(const int){-1}, sizeof(int)};

static void assert_bytes(soon_bytes bytes, const void *data, size_t size)
{
    cr_assert_eq(bytes.size, size);
    cr_assert_eq(memcmp(bytes.data, data, size), 0);
}

Test(workerd_jobs, a_task_starts_and_gives_its_result)
{
    with_stage(stage, 2);
    struct heard heard;
    struct soon__message_reader rest;
    struct soon__item_result_message result;
    char worker[128];

    caller_call(&stage.caller, &far_half_task, "soon1-a.1", .argument = seven);
    caller_await_start(&stage.caller, worker, sizeof worker);
    result = caller_await_result(&stage.caller, &heard, &rest);
    assert_bytes(result.result, &(int){3}, sizeof(int));
    cr_assert_eq(result.payloads, 0);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, all_that_goes_beside_an_argument_comes_there)
{
    with_stage(stage, 1);
    struct soon__message_writer writer;
    struct heard heard;
    struct soon__message_reader rest;
    soon_bytes workload;

    soon__writer_init(&writer);
    soon__write_call(&writer, &(struct soon__call_message){.digest = soon__function_digest(&far_beside_task),
                                                           .attempt = 1,
                                                           .alive_every_ms = 1000000,
                                                           .label = "label",
                                                           .argument = {"arg", 4},
                                                           .extra = {"extra", 5},
                                                           .payloads = 2,
                                                           .inputs = 1});
    soon__put_bytes(&writer, (soon_bytes){"one", 3});
    soon__put_bytes(&writer, (soon_bytes){NULL, 0});
    soon__put_input(&writer, &(struct soon__input_message){
                                 .result = {"input", 5}, .has_payload = true, .payload = {"12345678", 8}});
    cr_assert_eq(soon__writer_end(&writer, &workload), 0);
    caller_submit(&stage.caller, "far_beside", "soon1-a.1", workload);
    soon__writer_fini(&writer);
    cr_assert_str_eq(caller_await_result(&stage.caller, &heard, &rest).result.data, "arg|label|extra|2|input|8");
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, payloads_come_back_in_their_order)
{
    with_stage(stage, 1);
    struct soon__message_writer writer;
    struct heard heard;
    struct soon__message_reader rest;
    struct soon__item_result_message result;
    soon_bytes workload;

    soon__writer_init(&writer);
    soon__write_call(&writer, &(struct soon__call_message){.digest = soon__function_digest(&far_echo_task),
                                                           .attempt = 1,
                                                           .alive_every_ms = 1000000,
                                                           .argument = {"a", 1},
                                                           .payloads = 2});
    soon__put_bytes(&writer, (soon_bytes){"first", 5});
    soon__put_bytes(&writer, (soon_bytes){"second", 6});
    cr_assert_eq(soon__writer_end(&writer, &workload), 0);
    caller_submit(&stage.caller, "far_echo", "soon1-a.1", workload);
    soon__writer_fini(&writer);
    result = caller_await_result(&stage.caller, &heard, &rest);
    assert_bytes(result.result, "a", 1);
    cr_assert_eq(result.payloads, 2);
    assert_bytes(soon__get_bytes(&rest), "first", 5);
    assert_bytes(soon__get_bytes(&rest), "second", 6);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, a_failure_says_who_where_and_why)
{
    with_stage(stage, 1);
    struct soon__error_message error;
    struct heard heard;
    char worker[128], host[256];

    caller_call(&stage.caller, &far_fail_task, "soon1-a.4", .argument = {"it went wrong", 14}, .attempt = 4);
    caller_await_start(&stage.caller, worker, sizeof worker);
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, SOON_ERAISED);
    cr_assert_eq(error.raised, 33);
    cr_assert(error.started);
    cr_assert_gt(error.pid, 0);
    cr_assert_eq(error.attempt, 4);
    cr_assert_str_eq(error.message, "it went wrong");
    cr_assert_str_eq(error.worker, worker);
    gethostname(host, sizeof host);
    cr_assert_str_eq(error.host, host);
    assert_bytes(error.data, "data", 4);
    heard_free(&heard);
    stage_end(&stage);
}

/* Gearman charges the death of a connection to each job on it. Here the connection does not die. */
Test(workerd_jobs, a_crash_ends_one_job_and_leaves_those_beside_it_alone)
{
    with_stage(stage, 2);
    struct soon__error_message error;
    struct heard heard;
    char worker[128];

    caller_call(&stage.caller, &far_listen_task, "soon1-beside.1", .argument = {"", 1});
    caller_await_start(&stage.caller, worker, sizeof worker);
    for (int i = 0; i < 3; i++) {
        caller_call(&stage.caller, &far_crash_task, "soon1-crash.1", .argument = {"", 1});
        error = caller_await_error(&stage.caller, &heard);
        cr_assert_eq(error.code, SOON_EWORKERDIED);
        cr_assert_eq(error.signal, SIGABRT);
        heard_free(&heard);
    }
    caller_order(&stage.caller, worker, SOON__ORDER_CANCEL, "soon1-beside.1");
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, -ECANCELED);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, a_time_limit_ends_a_task)
{
    with_stage(stage, 1);
    struct heard heard;

    caller_call(&stage.caller, &far_listen_task, "soon1-a.1", .argument = {"", 1}, .time_limit_ms = 10);
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, SOON_ETIMELIMIT);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, the_daemons_own_time_limit_holds_for_those_that_have_none)
{
    struct stage stage;
    struct heard heard;

    gearmand_or_skip();
    gearmand_start(&stage.server, NULL);
    workerd_start_with(&stage.daemon, stage.server.address, 1, (const char *[]){"--time-limit-ms", "10", NULL});
    caller_open(&stage.caller, &stage.server);
    caller_call(&stage.caller, &far_listen_task, "soon1-a.1", .argument = {"", 1}, .time_limit_ms = 1000000);
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, SOON_ETIMELIMIT);
    heard_free(&heard);
    stage_end(&stage);
}

/* Both slots are busy: orders do not wait behind work. */
Test(workerd_jobs, orders_come_through_while_all_slots_are_busy)
{
    with_stage(stage, 2);
    struct heard heard;
    char worker[128], path[] = "/tmp/soon-fifo-XXXXXX";

    close(mkstemp(path));
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    caller_call(&stage.caller, &far_listen_task, "soon1-a.1", .argument = {"", 1});
    caller_await_start(&stage.caller, worker, sizeof worker);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    caller_call(&stage.caller, &far_hold_task, "soon1-b.1", .argument = {path, sizeof path});
    caller_skip(&stage.caller, SOON__WORK_STATUS);

    caller_order(&stage.caller, worker, SOON__ORDER_KILL, "soon1-b.1");
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, SOON_EKILLED);
    heard_free(&heard);
    caller_order(&stage.caller, worker, SOON__ORDER_CANCEL, "soon1-nobody.1");
    caller_order(&stage.caller, worker, SOON__ORDER_CANCEL, "soon1-a.1");
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, -ECANCELED);
    heard_free(&heard);
    unlink(path);
    stage_end(&stage);
}

Test(workerd_jobs, progress_and_heartbeats_come_while_a_task_runs)
{
    with_stage(stage, 1);
    struct heard heard;
    char worker[128];

    caller_call(&stage.caller, &far_listen_task, "soon1-a.1", .argument = {"", 1}, .alive_every_ms = 10);
    caller_await_start(&stage.caller, worker, sizeof worker);
    heard = caller_await(&stage.caller, SOON__WORK_STATUS);
    cr_assert_str_eq(heard.bytes, "2");
    heard_free(&heard);
    for (int i = 0; i < 3; i++) {
        heard = caller_await(&stage.caller, SOON__WORK_DATA);
        cr_assert_eq(soon__read_alive((soon_bytes){heard.bytes, heard.size}), 0);
        heard_free(&heard);
    }
    caller_order(&stage.caller, worker, SOON__ORDER_CANCEL, "soon1-a.1");
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, -ECANCELED);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, a_call_of_another_layout_is_refused_in_words)
{
    with_stage(stage, 1);
    struct soon__error_message error;
    struct heard heard;

    caller_call(&stage.caller, &far_half_task, "soon1-a.1", .argument = seven, .digest = 1);
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, SOON_ETYPE);
    cr_assert_not(error.started);
    cr_assert_not_null(strstr(error.message, "far_half: the worker has int (4 bytes) -> int (4 bytes), version 0"));
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, what_is_no_call_and_an_argument_of_another_size_are_refused)
{
    with_stage(stage, 1);
    struct soon__error_message error;
    struct heard heard;

    caller_submit(&stage.caller, "far_half", "soon1-a.1", of_text("no call"));
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, -EBADMSG);
    heard_free(&heard);
    caller_call(&stage.caller, &far_half_task, "soon1-b.1", .argument = {"too long", 8});
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, -EINVAL);
    cr_assert_not(error.started);
    heard_free(&heard);
    caller_call(&stage.caller, &far_half_task, "soon1-c.1", .argument = {"too long", 8}, .items = 8);
    error = caller_await_error(&stage.caller, &heard);
    cr_assert_eq(error.code, -EINVAL);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, each_item_of_a_chunk_has_an_outcome_of_its_own)
{
    static const int numbers[] = {8, -1, 4};
    with_stage(stage, 1);
    struct soon__result_message result;
    struct soon__item_result_message item;
    struct heard heard;

    caller_call(&stage.caller, &far_half_task, "soon1-a.1", .argument = {numbers, sizeof numbers}, .items = 3);
    heard = caller_await(&stage.caller, SOON__WORK_COMPLETE);
    cr_assert_eq(soon__read_result(&result, (soon_bytes){heard.bytes, heard.size}), 0);
    cr_assert_eq(result.items, 3);
    item = soon__get_item_result(&result.rest);
    assert_bytes(item.result, &(int){4}, sizeof(int));
    item = soon__get_item_result(&result.rest);
    cr_assert(item.is_error);
    cr_assert_eq(item.error.raised, EDOM);
    cr_assert_str_eq(item.error.message, "-1 is negative");
    item = soon__get_item_result(&result.rest);
    assert_bytes(item.result, &(int){2}, sizeof(int));
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, items_of_any_size_have_labels_and_payloads_of_their_own)
{
    with_stage(stage, 1);
    struct soon__message_writer writer;
    struct soon__result_message result;
    struct soon__item_result_message item;
    struct heard heard;
    soon_bytes workload;

    soon__writer_init(&writer);
    soon__write_call(&writer, &(struct soon__call_message){.digest = soon__function_digest(&far_beside_task),
                                                           .attempt = 1,
                                                           .alive_every_ms = 1000000,
                                                           .extra = {"extra", 5},
                                                           .items = 2,
                                                           .items_vary = true});
    soon__put_item(&writer, &(struct soon__item_message){.argument = {"a", 2}, .label = "first"});
    soon__put_item(&writer, &(struct soon__item_message){
                                .argument = {"long", 5}, .has_payload = true, .payload = {"12345678", 8}});
    cr_assert_eq(soon__writer_end(&writer, &workload), 0);
    caller_submit(&stage.caller, "far_beside", "soon1-a.1", workload);
    soon__writer_fini(&writer);
    heard = caller_await(&stage.caller, SOON__WORK_COMPLETE);
    cr_assert_eq(soon__read_result(&result, (soon_bytes){heard.bytes, heard.size}), 0);
    item = soon__get_item_result(&result.rest);
    cr_assert_str_eq(item.result.data, "a|first|extra|0||0");
    item = soon__get_item_result(&result.rest);
    cr_assert_str_eq(item.result.data, "long||extra|1||0");
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_jobs, a_hundred_megabytes_go_there_and_back)
{
    with_stage(stage, 1);
    size_t size = 100 << 20;
    char *bytes = malloc(size);
    struct heard heard;
    struct soon__message_reader rest;
    struct soon__item_result_message result;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 >> 3);
    caller_call(&stage.caller, &far_echo_task, "soon1-a.1", .argument = {bytes, size});
    result = caller_await_result(&stage.caller, &heard, &rest);
    assert_bytes(result.result, bytes, size);
    heard_free(&heard);
    free(bytes);
    stage_end(&stage);
}

Test(workerd_jobs, a_failed_task_leaves_its_process_for_the_next)
{
    with_stage(stage, 1);
    struct heard heard;
    struct soon__message_reader rest;

    caller_call(&stage.caller, &far_half_task, "soon1-a.1", .argument = minus);
    cr_assert_eq(caller_await_error(&stage.caller, &heard).raised, EDOM);
    heard_free(&heard);
    caller_call(&stage.caller, &far_half_task, "soon1-b.1", .argument = seven);
    assert_bytes(caller_await_result(&stage.caller, &heard, &rest).result, &(int){3}, sizeof(int));
    heard_free(&heard);
    stage_end(&stage);
}
