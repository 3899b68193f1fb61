/*
 * workerd_ends.c - soon-workerd: how it ends, and what it does when a server ends.
 */
#include "caller.h"

#include <sys/stat.h>

static char fifo[] = "/tmp/soon-fifo-XXXXXX";
#define FIFO ((soon_bytes){fifo, sizeof fifo})

static void make_fifo(void)
{
    close(mkstemp(fifo));
    unlink(fifo);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
}

static void remove_fifo(void)
{
    unlink(fifo);
}

TestSuite(workerd_ends, .init = make_fifo, .fini = remove_fifo);

/* Waits until a task holds, and lets it go on. */
static void let_go(void)
{
    close(open(fifo, O_WRONLY | O_CLOEXEC));
}

/* Returns when the daemon has got the signal. */
static void begin_end(struct workerd *daemon)
{
    kill(daemon->pid, SIGTERM);
    workerd_await(daemon, "STOPPING=1");
}

static int status_of(struct workerd *daemon)
{
    int status = workerd_end(daemon);

    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(workerd_ends, a_drain_lets_what_runs_end_and_takes_nothing_new)
{
    with_stage(stage, 2);
    struct workerd other;
    struct heard heard;
    struct soon__message_reader rest;
    struct soon__item_result_message result;
    char worker[128], started[128];

    caller_call(&stage.caller, &far_hold_task, "soon1-a.1", .argument = FIFO);
    caller_await_start(&stage.caller, worker, sizeof worker);
    begin_end(&stage.daemon);
    /* It has an idle slot, but the other daemon gets this; and never the one that runs here. */
    workerd_start(&other, stage.server.address, 2);
    caller_call(&stage.caller, &far_half_task, "soon1-b.1", .argument = {&(int){7}, sizeof(int)});
    caller_await_start(&stage.caller, started, sizeof started);
    cr_assert_str_neq(started, worker);
    result = caller_await_result(&stage.caller, &heard, &rest);
    cr_assert_eq(result.result.size, sizeof(int));
    heard_free(&heard);
    let_go();
    result = caller_await_result(&stage.caller, &heard, &rest);
    cr_assert_str_eq(result.result.data, "held");
    heard_free(&heard);
    cr_assert_eq(status_of(&stage.daemon), 0);
    cr_assert_null(strstr(workerd_said(&other), "runs far_hold"));
    workerd_stop(&other);
    stage_end(&stage);
}

Test(workerd_ends, a_second_signal_gives_its_jobs_to_another_and_tells_nothing_of_them)
{
    with_stage(stage, 1);
    struct workerd other;
    struct heard heard;
    struct soon__message_reader rest;
    char worker[128];

    caller_call(&stage.caller, &far_hold_task, "soon1-a.1", .argument = FIFO);
    caller_await_start(&stage.caller, worker, sizeof worker);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    begin_end(&stage.daemon);
    kill(stage.daemon.pid, SIGTERM);
    cr_assert_eq(status_of(&stage.daemon), 75);
    workerd_start(&other, stage.server.address, 1);
    heard = caller_hear(&stage.caller);
    cr_assert_eq(heard.type, SOON__WORK_DATA, "nothing else comes before the other's start");
    heard_free(&heard);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    let_go();
    cr_assert_str_eq(caller_await_result(&stage.caller, &heard, &rest).result.data, "held");
    heard_free(&heard);
    workerd_stop(&other);
    stage_end(&stage);
}

Test(workerd_ends, a_killed_daemon_leaves_no_process_and_its_job_goes_to_another)
{
    with_stage(stage, 1);
    struct workerd other;
    struct heard heard;
    struct soon__message_reader rest;

    caller_call(&stage.caller, &far_hold_task, "soon1-a.1", .argument = FIFO);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    workerd_kill(&stage.daemon);
    workerd_start(&other, stage.server.address, 1);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    let_go();
    cr_assert_str_eq(caller_await_result(&stage.caller, &heard, &rest).result.data, "held");
    heard_free(&heard);
    workerd_stop(&other);
    stage_end(&stage);
}

/* The server begins its handles anew, so what the old job ends with would pass for the end of the new one. */
Test(workerd_ends, what_a_lost_server_had_given_is_not_told_to_the_next)
{
    struct stage stage;
    struct heard heard;
    struct soon__message_reader rest;
    char worker[128];

    gearmand_or_skip();
    gearmand_start(&stage.server, NULL);
    workerd_start_with(&stage.daemon, stage.server.address, 2, (const char *[]){"--grace-ms", "1000000", NULL});
    caller_open(&stage.caller, &stage.server);
    caller_call(&stage.caller, &far_hold_task, "soon1-a.1", .argument = FIFO);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    caller_close(&stage.caller);
    gearmand_restart(&stage.server);
    caller_open(&stage.caller, &stage.server);
    caller_call(&stage.caller, &far_listen_task, "soon1-b.1", .argument = {"", 1});
    caller_await_start(&stage.caller, worker, sizeof worker);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    let_go();
    /* It runs in the slot of the first, so that has ended. */
    caller_call(&stage.caller, &far_half_task, "soon1-c.1", .argument = {&(int){7}, sizeof(int)});
    cr_assert_eq(caller_await_result(&stage.caller, &heard, &rest).result.size, sizeof(int));
    heard_free(&heard);
    caller_order(&stage.caller, worker, SOON__ORDER_CANCEL, "soon1-b.1");
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, -ECANCELED);
    heard_free(&heard);
    stage_end(&stage);
}

/* The only slot is taken by a task of a client that goes, with the server; then another wants it. */
static void lose_a_task(const char *grace_ms, const soon_function *task, soon_bytes argument)
{
    struct stage stage;
    struct heard heard;
    struct soon__message_reader rest;

    gearmand_start(&stage.server, NULL);
    workerd_start_with(&stage.daemon, stage.server.address, 1, (const char *[]){"--grace-ms", grace_ms, NULL});
    caller_open(&stage.caller, &stage.server);
    caller_call_of(&stage.caller, task, "soon1-a.1", (struct soon__call_message){.argument = argument});
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    caller_close(&stage.caller);
    gearmand_restart(&stage.server);
    caller_open(&stage.caller, &stage.server);
    caller_call(&stage.caller, &far_half_task, "soon1-b.1", .argument = {&(int){7}, sizeof(int)});
    (void)caller_await_result(&stage.caller, &heard, &rest);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_ends, a_task_whose_server_is_lost_is_cancelled)
{
    gearmand_or_skip();
    lose_a_task("1000000", &far_listen_task, (soon_bytes){"", 1});
}

/* Its task does not hear that it is to end: it is killed, since its slot is wanted. */
Test(workerd_ends, a_lost_task_that_does_not_listen_is_killed_when_its_grace_is_over)
{
    gearmand_or_skip();
    lose_a_task("50", &far_hold_task, FIFO);
}

Test(workerd_ends, it_works_for_two_servers_with_the_slots_of_one)
{
    struct gearmand servers[2];
    struct workerd daemon;
    struct caller callers[2];
    struct heard heard;
    struct soon__message_reader rest;
    char list[128], worker[128];

    gearmand_or_skip();
    for (int i = 0; i < 2; i++)
        gearmand_start(&servers[i], NULL);
    snprintf(list, sizeof list, "%s, %s", servers[0].address, servers[1].address);
    workerd_start(&daemon, list, 1);
    for (int i = 0; i < 2; i++)
        caller_open(&callers[i], &servers[i]);
    caller_call(&callers[0], &far_listen_task, "soon1-a.1", .argument = {"", 1});
    caller_await_start(&callers[0], worker, sizeof worker);
    caller_call(&callers[1], &far_half_task, "soon1-b.1", .argument = {&(int){7}, sizeof(int)});
    caller_skip(&callers[1], SOON__JOB_CREATED);
    caller_order(&callers[1], worker, SOON__ORDER_CANCEL, "soon1-a.1"); /* it is one daemon */
    cr_assert_eq(caller_await_error(&callers[0], &heard).code, -ECANCELED);
    heard_free(&heard);
    (void)caller_await_result(&callers[1], &heard, &rest);
    heard_free(&heard);

    gearmand_kill(&servers[0]);
    caller_call(&callers[1], &far_half_task, "soon1-c.1", .argument = {&(int){7}, sizeof(int)});
    (void)caller_await_result(&callers[1], &heard, &rest);
    heard_free(&heard);
    for (int i = 0; i < 2; i++)
        caller_close(&callers[i]);
    workerd_stop(&daemon);
    gearmand_kill(&servers[1]);
}

/* The object goes, so that no worker can start any more. */
Test(workerd_ends, a_pool_that_breaks_ends_the_daemon_and_its_job_goes_to_another)
{
    struct stage stage;
    struct workerd other;
    struct heard heard;
    struct soon__message_reader rest;
    char object[] = "/tmp/soon-object-XXXXXX", command[512], *usual = getenv("OBJECT");

    gearmand_or_skip();
    close(mkstemp(object));
    snprintf(command, sizeof command, "cp '%s' %s", usual, object);
    cr_assert_eq(system(command), 0);
    gearmand_start(&stage.server, NULL);
    setenv("OBJECT", object, true);
    workerd_start(&stage.daemon, stage.server.address, 1);
    setenv("OBJECT", usual, true);
    caller_open(&stage.caller, &stage.server);
    unlink(object);
    caller_call(&stage.caller, &far_crash_task, "soon1-a.1", .argument = {"", 1});
    cr_assert_eq(caller_await_error(&stage.caller, &heard).code, SOON_EWORKERDIED);
    heard_free(&heard);
    caller_call(&stage.caller, &far_half_task, "soon1-b.1", .argument = {&(int){7}, sizeof(int)});
    cr_assert_eq(status_of(&stage.daemon), 70);
    workerd_start(&other, stage.server.address, 1);
    (void)caller_await_result(&stage.caller, &heard, &rest);
    heard_free(&heard);
    workerd_stop(&other);
    stage_end(&stage);
}

/* With one slot jobs run one after the other: of which function they are is seen by their order. */
Test(workerd_ends, functions_take_turns_where_the_server_has_round_robin)
{
    with_stage(stage, 1);
    struct heard heard;
    struct soon__message_reader rest;
    size_t first_half = SIZE_MAX, last_greet = 0;

    caller_call(&stage.caller, &far_hold_task, "soon1-hold.1", .argument = FIFO);
    caller_skip(&stage.caller, SOON__WORK_STATUS);
    for (int i = 0; i < 20; i++) {
        char unique[32];

        snprintf(unique, sizeof unique, "soon1-%d.1", i);
        if (i % 2)
            caller_call(&stage.caller, &far_half_task, unique, .argument = {&(int){7}, sizeof(int)});
        else
            caller_call(&stage.caller, &far_greet_task, unique, .argument = {"you", 4});
        caller_skip(&stage.caller, SOON__JOB_CREATED);
    }
    let_go();
    (void)caller_await_result(&stage.caller, &heard, &rest);
    heard_free(&heard);
    for (size_t i = 0; i < 20; i++) {
        bool is_half = caller_await_result(&stage.caller, &heard, &rest).result.size == sizeof(int);

        first_half = is_half && first_half == SIZE_MAX ? i : first_half;
        last_greet = is_half ? last_greet : i;
        heard_free(&heard);
    }
    cr_assert_lt(first_half, 9);
    cr_assert_gt(last_greet, 9);
    stage_end(&stage);
}
