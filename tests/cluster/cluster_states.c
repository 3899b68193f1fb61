/*
 * cluster_states.c - the arrows between the states of a flight (state_internal.h), each in an order of packets that a
 * real server may send and seldom does. The test is the server: it says one packet after the other.
 */
#include "../../executor/cluster/client/land_internal.h"
#include "../support/scripted_server.h"
#include "flights.h"
#include "worker_fixture.h"

TestSuite(cluster_states);

/*
 * The server
 */

struct stage {
    struct scripted_server server; /* its socket alone */
    struct worker work;            /* the client's connection, of which the test is the other end */
    int admin;
    soon_executor *cluster;
};

static void cut(struct stage *stage)
{
    worker_free(&stage->work);
    close(stage->admin);
}

/* Nobody listens any more. */
static void cut_for_ever(struct stage *stage)
{
    close(stage->server.listening);
    cut(stage);
}

static void end(struct stage *stage)
{
    cut_for_ever(stage);
    free_pool(stage->cluster);
}

static void say(struct stage *stage, enum soon__packet_type type, const soon_bytes *arguments, size_t count)
{
    struct soon__packet packet = {.type = type, .count = count};
    char bytes[512];
    size_t head;

    for (size_t i = 0; i < count; i++)
        packet.arguments[i] = arguments[i];
    cr_assert_leq(soon__packet_size(&packet), sizeof bytes);
    head = soon__packet_write_head(bytes, &packet, false);
    if (count && arguments[count - 1].size)
        memcpy(bytes + head, arguments[count - 1].data, arguments[count - 1].size);
    script_say(stage->work.fd, bytes, soon__packet_size(&packet));
}

static void say_text(struct stage *stage, enum soon__packet_type type, const char *text)
{
    const soon_bytes argument = text_bytes(text);

    say(stage, type, &argument, 1);
}

/* The next packet of that type. What a client says now and then is answered, or passed over. */
static struct soon__packet hear(struct stage *stage, enum soon__packet_type type)
{
    struct soon__packet packet;

    for (;;) {
        cr_assert(worker_hear(&stage->work, &packet), "the client has gone");
        if (packet.type == type)
            return packet;
        cr_assert(packet.type == SOON__ECHO_REQ || packet.type == SOON__GET_STATUS, "%s",
                  soon__packet_name(packet.type));
        if (packet.type == SOON__ECHO_REQ)
            say(stage, SOON__ECHO_RES, packet.arguments, 1);
    }
}

static void hear_line(struct stage *stage, const char *expected)
{
    char line[128];
    size_t size;

    do {
        size = 0;
        do
            cr_assert(script_hear(stage->admin, line + size, 1));
        while (line[size++] != '\n');
        line[size - 1] = '\0';
        if (strcmp(line, "version") == 0)
            script_say(stage->admin, "OK 1.1.20\n", 10);
    } while (strcmp(line, "version") == 0);
    cr_assert_str_eq(line, expected);
}

/* A client connects, first for work, then for text. */
static void accept_client(struct stage *stage)
{
    char question[64];

    stage->work.fd = accept4(stage->server.listening, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(script_greet(stage->work.fd));
    soon__packet_reader_init(&stage->work.reader, 1 << 20, false);
    hear(stage, SOON__OPTION_REQ);
    say_text(stage, SOON__OPTION_RES, "exceptions");
    stage->admin = accept4(stage->server.listening, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(script_hear(stage->admin, question, strlen("version\n")));
    script_say(stage->admin, "OK 1.1.20\n", 10);
}

static const char *listen_of(struct stage *stage)
{
    cluster_warm_up();
    scripted_server_bind(&stage->server);
    return stage->server.text;
}

static void begin_with(struct stage *stage, const soon_cluster_options *options)
{
    stage->cluster = cluster_of(options);
    accept_client(stage);
}

/* begin(&stage, .lease_ms = 50) */
#define begin(stage, ...) begin_with(stage, &(soon_cluster_options){.servers = listen_of(stage), ##__VA_ARGS__})

/* Takes a submit, and copies its unique. Returns the attempt. */
static uint32_t hear_submit(struct stage *stage, char unique[65])
{
    struct soon__packet packet = hear(stage, SOON__SUBMIT_JOB);
    struct soon__call_message call;

    copy_text(unique, 65, packet.arguments[1]);
    cr_assert_eq(soon__read_call(&call, packet.arguments[2]), 0);
    return call.attempt;
}

/* Takes an order to that worker about this job, and gives it a handle. */
static void hear_order(struct stage *stage, enum soon__order expected, const char *worker, const char *unique)
{
    struct soon__packet packet = hear(stage, SOON__SUBMIT_JOB_HIGH_BG);
    struct soon__order_message order;
    char function[64];

    copy_text(function, sizeof function, packet.arguments[0]);
    cr_assert_str_eq(function + strlen("cancel@"), worker);
    cr_assert_eq(soon__read_order(&order, packet.arguments[2]), 0);
    cr_assert_eq(order.order, expected);
    cr_assert_str_eq(order.unique, unique);
    say_text(stage, SOON__JOB_CREATED, "H:order");
}

/*
 * What is said of a job
 */

static void say_message(struct stage *stage, const char *handle, enum soon__packet_type type,
                        struct soon__message_writer *writer)
{
    soon_bytes arguments[2] = {text_bytes(handle)};

    cr_assert_eq(soon__writer_end(writer, &arguments[1]), 0);
    say(stage, type, arguments, 2);
    soon__writer_fini(writer);
}

static void starts_on(struct stage *stage, const char *handle, const char *worker)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_start(&writer, &(struct soon__start_message){.host = "far", .worker = worker});
    say_message(stage, handle, SOON__WORK_DATA, &writer);
}

static void starts(struct stage *stage, const char *handle)
{
    starts_on(stage, handle, "far-1");
}

static void lives(struct stage *stage, const char *handle)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_alive(&writer);
    say_message(stage, handle, SOON__WORK_DATA, &writer);
}

static void gives(struct stage *stage, const char *handle, int value)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_result(&writer, 0);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {&value, sizeof value}});
    say_message(stage, handle, SOON__WORK_COMPLETE, &writer);
}

static void ends_with(struct stage *stage, const char *handle, int code)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_error(&writer, &(struct soon__error_message){.code = code,
                                                             .started = true,
                                                             .attempt = 1,
                                                             .host = "far",
                                                             .worker = "far-1",
                                                             .message = "it failed, far away"});
    say_message(stage, handle, SOON__WORK_EXCEPTION, &writer);
}

static void fails(struct stage *stage, const char *handle)
{
    say_text(stage, SOON__WORK_FAIL, handle);
}

/* Waits until so many flights are in that state. */
static void await_state(struct stage *stage, enum soon__flight_state state, size_t count)
{
    test_wait_until(flights_in(stage->cluster, state) == count);
}

/* A task that the server has, as "H:1". */
static soon_future *submit_created(struct stage *stage, const soon_submit_options *options, char unique[65])
{
    soon_future *f = submit_far(stage->cluster, options);

    hear_submit(stage, unique);
    say_text(stage, SOON__JOB_CREATED, "H:1");
    return f;
}

static soon_future *submit_running(struct stage *stage, const soon_submit_options *options, char unique[65])
{
    soon_future *f = submit_created(stage, options, unique);

    starts(stage, "H:1");
    test_wait_until(soon_future_running(f));
    return f;
}

/* A task that was cancelled, and that the server is asked to forget. */
static soon_future *submit_withdrawn(struct stage *stage, char unique[65])
{
    soon_future *f = submit_created(stage, NULL, unique);

    await_state(stage, SOON__FLIGHT_CREATED, 1);
    (void)soon_future_cancel(f);
    hear_line(stage, "cancel job H:1");
    return f;
}

static void assert_cancelled(soon_future *f, bool started)
{
    assert_ends(f, -ECANCELED);
    cr_assert(soon_future_cancelled(f));
    cr_assert_eq(soon_future_error(f)->started, started);
}

/*
 * CREATED
 */

/* START may be late, or lost in a server's memory. */
Test(cluster_states, created_runs_by_whatever_is_heard_of_it)
{
    struct stage stage = {0};
    soon_future *futures[3];
    char unique[65];

    begin(&stage);
    for (int i = 0; i < 3; i++) {
        futures[i] = submit_far(stage.cluster, NULL);
        hear_submit(&stage, unique);
        say_text(&stage, SOON__JOB_CREATED, i == 0 ? "H:1" : i == 1 ? "H:2" : "H:3");
    }
    lives(&stage, "H:1");
    say(&stage, SOON__WORK_STATUS, (const soon_bytes[]){text_bytes("H:2"), text_bytes("1"), text_bytes("2")}, 3);
    await_state(&stage, SOON__FLIGHT_RUNNING, 2);
    await_state(&stage, SOON__FLIGHT_CREATED, 1);
    gives(&stage, "H:3", 3);
    assert_gives(futures[2], 3);
    gives(&stage, "H:1", 1);
    gives(&stage, "H:2", 2);
    assert_gives(futures[0], 1);
    assert_gives(futures[1], 2);
    cr_assert_eq(stats_of(stage.cluster).running, 0);
    await_state(&stage, SOON__FLIGHT_GHOST, 0);

    soon_futures_unref(futures, 3);
    end(&stage);
}

static void say_status(struct stage *stage, const char *handle, bool known, bool running)
{
    say(stage, SOON__STATUS_RES,
        (const soon_bytes[]){text_bytes(handle), text_bytes(known ? "1" : "0"), text_bytes(running ? "1" : "0"),
                             text_bytes("0"), text_bytes("0")},
        5);
}

Test(cluster_states, created_is_sent_again_if_the_server_does_not_know_it)
{
    struct stage stage = {0};
    char unique[65], second[65];
    soon_future *f;

    begin(&stage, .lease_ms = 50);
    f = submit_created(&stage, NULL, unique);
    hear(&stage, SOON__GET_STATUS);
    say_status(&stage, "H:1", false, false);
    cr_assert_eq(hear_submit(&stage, second), 1);
    cr_assert_str_neq(second, unique);
    say_text(&stage, SOON__JOB_CREATED, "H:2");
    gives(&stage, "H:1", 1); /* nobody's */
    gives(&stage, "H:2", 2);
    assert_gives(f, 2);

    soon_future_unref(f);
    end(&stage);
}

/*
 * SENT
 */

Test(cluster_states, sent_is_withdrawn_when_it_has_a_handle)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_far(stage.cluster, NULL);
    hear_submit(&stage, unique);
    (void)soon_future_cancel(f);
    await_state(&stage, SOON__FLIGHT_SENT, 1);
    cr_assert_not(soon_future_done(f));
    say_text(&stage, SOON__JOB_CREATED, "H:1");
    hear_line(&stage, "cancel job H:1");
    fails(&stage, "H:1");
    assert_cancelled(f, false);

    soon_future_unref(f);
    end(&stage);
}

/* What a shutdown by force does, in the moment before all is over. */
struct giving_up {
    struct soon__job job; /* first */
    struct soon__cluster *cluster;
    atomic_bool done;
};

static void give_first_up(struct soon__job *job)
{
    struct giving_up *giving_up = (struct giving_up *)job;

    soon__flight_fail(giving_up->cluster->loop.in[SOON__FLIGHT_SENT].first, -EIO, NULL);
    atomic_store(&giving_up->done, true);
}

static void give_up(struct stage *stage)
{
    struct giving_up giving_up = {.job.run = give_first_up, .cluster = soon__cluster_of(stage->cluster)};

    soon__library_loop_post(&giving_up.job);
    test_wait_until(atomic_load(&giving_up.done));
}

/* F3: its answer is not taken for that of the next. */
Test(cluster_states, sent_waits_for_its_answer_without_a_call)
{
    struct stage stage = {0};
    soon_future *futures[4], *f;
    char unique[65];

    begin(&stage);
    f = submit_withdrawn(&stage, unique); /* so that the textual connection is up */
    gives(&stage, "H:1", 0);
    assert_gives(f, 0);
    soon_future_unref(f);
    for (int i = 0; i < 4; i++) {
        futures[i] = submit_far(stage.cluster, NULL);
        hear_submit(&stage, unique);
    }
    await_state(&stage, SOON__FLIGHT_SENT, 4);
    give_up(&stage);
    assert_ends(futures[0], -EIO);
    say_text(&stage, SOON__JOB_CREATED, "H:two");
    hear_line(&stage, "cancel job H:two");
    await_state(&stage, SOON__FLIGHT_GHOST, 1);
    say_text(&stage, SOON__JOB_CREATED, "H:three");
    await_state(&stage, SOON__FLIGHT_SENT, 2);

    give_up(&stage);
    assert_ends(futures[2], -EIO);
    say(&stage, SOON__ERROR, (const soon_bytes[]){text_bytes("QUEUE_ERROR"), text_bytes("full")}, 2);
    say_text(&stage, SOON__JOB_CREATED, "H:five");
    gives(&stage, "H:five", 4);
    gives(&stage, "H:three", 2);
    assert_gives(futures[1], 2);
    assert_gives(futures[3], 4);

    soon_futures_unref(futures, 4);
    end(&stage);
}

/*
 * WITHDRAWN
 */

/* The server had given it to a worker just before. */
Test(cluster_states, withdrawn_is_stopped_where_it_has_begun)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_withdrawn(&stage, unique);
    starts(&stage, "H:1");
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    await_state(&stage, SOON__FLIGHT_STOPPING, 1);
    cr_assert_not(soon_future_done(f));
    ends_with(&stage, "H:1", -ECANCELED);
    assert_cancelled(f, true);
    await_state(&stage, SOON__FLIGHT_STOPPING, 0);

    soon_future_unref(f);
    end(&stage);
}

/* The server's answer to the cancel comes behind START. */
Test(cluster_states, withdrawn_that_has_begun_ends_when_the_server_has_forgotten_it)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_withdrawn(&stage, unique);
    starts(&stage, "H:1");
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    fails(&stage, "H:1");
    assert_cancelled(f, true);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_states, withdrawn_that_has_begun_may_end_by_itself)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_withdrawn(&stage, unique);
    starts(&stage, "H:1");
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    gives(&stage, "H:1", 5);
    assert_gives(f, 5);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_states, withdrawn_that_has_begun_is_killed_if_that_was_asked_for)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_created(&stage, NULL, unique);
    await_state(&stage, SOON__FLIGHT_CREATED, 1);
    cr_assert_eq(soon_future_kill(f), 0);
    hear_line(&stage, "cancel job H:1");
    starts(&stage, "H:1");
    hear_order(&stage, SOON__ORDER_KILL, "far-1", unique);
    ends_with(&stage, "H:1", SOON_EKILLED);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    end(&stage);
}

/* It was faster than the cancel. */
Test(cluster_states, withdrawn_takes_a_result_all_the_same)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_withdrawn(&stage, unique);
    gives(&stage, "H:1", 5);
    assert_gives(f, 5);
    await_state(&stage, SOON__FLIGHT_WITHDRAWN, 0);
    await_state(&stage, SOON__FLIGHT_GHOST, 0);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_states, withdrawn_is_cancelled_when_the_server_is_lost)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_withdrawn(&stage, unique);
    cut(&stage);
    assert_cancelled(f, false);
    accept_client(&stage);

    soon_future_unref(f);
    end(&stage);
}

/* Without an answer of the server. */
Test(cluster_states, withdrawn_is_given_up_after_the_grace_period)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage, .grace_ms = 1);
    f = submit_withdrawn(&stage, unique);
    assert_ends(f, SOON_ELOST);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "the server has not confirmed"));
    await_state(&stage, SOON__FLIGHT_GHOST, 1);

    soon_future_unref(f);
    end(&stage);
}

/* Its queue limit is over, and it begins. It is told to end, and that nobody has cancelled it. */
Test(cluster_states, withdrawn_for_its_queue_limit_says_so_though_it_has_begun)
{
    static void (*const ways[])(struct stage *, const char *) = {fails, NULL};

    for (int i = 0; i < 2; i++) {
        struct stage stage = {0};
        char unique[65];
        soon_future *f;

        begin(&stage);
        f = submit_created(&stage, &(soon_submit_options){.queue_limit_ms = FLIGHTS_LONG_MS}, unique);
        await_state(&stage, SOON__FLIGHT_CREATED, 1);
        flights_end_limit(stage.cluster);
        hear_line(&stage, "cancel job H:1");
        starts(&stage, "H:1");
        hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
        if (ways[i])
            ways[i](&stage, "H:1");
        else
            ends_with(&stage, "H:1", -ECANCELED);
        assert_ends(f, SOON_EEXPIRED);
        cr_assert_not(soon_future_cancelled(f));
        cr_assert(soon_future_error(f)->started);

        soon_future_unref(f);
        end(&stage);
    }
}

/*
 * A worker that seemed to be frozen, and was not
 */

/* The server says twice that a worker has it, and the worker has said nothing. So it is taken back; and then begins. */
static soon_future *submit_thawed(struct stage *stage, const soon_submit_options *options, char unique[65])
{
    soon_future *f = submit_created(stage, options, unique);

    for (int i = 0; i < 2; i++) {
        hear(stage, SOON__GET_STATUS);
        say_status(stage, "H:1", true, true);
    }
    hear_line(stage, "cancel job H:1");
    starts(stage, "H:1");
    hear_order(stage, SOON__ORDER_CANCEL, "far-1", unique);
    return f;
}

static void end_by_cancel(struct stage *stage)
{
    ends_with(stage, "H:1", -ECANCELED);
}

static void end_by_server(struct stage *stage)
{
    fails(stage, "H:1");
}

/* Nothing comes, and its time is over. */
static void end_never(struct stage *stage)
{
    flights_end_times(stage->cluster);
}

/* What is sent then is heard by the next connection. */
static void end_by_loss(struct stage *stage)
{
    cut(stage);
    accept_client(stage);
}

static void (*const thawed_ends[])(struct stage *) = {end_by_cancel, end_by_server, end_by_loss, end_never};

/* It has begun, so it is not run again unasked. */
Test(cluster_states, withdrawn_from_a_frozen_worker_is_lost_if_it_has_begun)
{
    for (size_t i = 0; i < sizeof thawed_ends / sizeof *thawed_ends; i++) {
        struct stage stage = {0};
        char unique[65];
        soon_future *f;

        begin(&stage, .lease_ms = 50, .grace_ms = FLIGHTS_LONG_MS);
        f = submit_thawed(&stage, NULL, unique);
        thawed_ends[i](&stage);
        assert_ends(f, SOON_ELOST);
        cr_assert_not(soon_future_cancelled(f));
        cr_assert(soon_future_error(f)->started);
        cr_assert_str_eq(soon_future_error(f)->worker, "far-1");
        cr_assert_eq(soon_future_error(f)->attempt, 1);

        soon_future_unref(f);
        end(&stage);
    }
}

Test(cluster_states, withdrawn_from_a_frozen_worker_is_tried_again_if_it_has_begun_and_may)
{
    for (size_t i = 0; i < sizeof thawed_ends / sizeof *thawed_ends; i++) {
        struct stage stage = {0};
        char unique[65], second[65];
        soon_future *f;

        begin(&stage, .lease_ms = 50, .grace_ms = FLIGHTS_LONG_MS);
        f = submit_thawed(&stage, &(soon_submit_options){.retries = 1}, unique);
        thawed_ends[i](&stage);
        cr_assert_eq(hear_submit(&stage, second), 2);
        cr_assert_str_neq(second, unique);
        say_text(&stage, SOON__JOB_CREATED, "H:2");
        gives(&stage, "H:2", 2);
        assert_gives(f, 2);
        cr_assert_eq(stats_of(stage.cluster).retries, 1);

        soon_future_unref(f);
        end(&stage);
    }
}

/*
 * RUNNING and STOPPING
 */

Test(cluster_states, stopping_ends_when_the_server_is_lost)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_running(&stage, &(soon_submit_options){.retries = 1}, unique);
    cr_assert_eq(soon_future_kill(f), 0);
    hear_order(&stage, SOON__ORDER_KILL, "far-1", unique);
    cut(&stage);
    assert_ends(f, SOON_EKILLED);
    accept_client(&stage);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_states, running_that_is_asked_to_end_is_cancelled_when_the_server_is_lost)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_running(&stage, &(soon_submit_options){.retries = 1}, unique);
    cr_assert_not(soon_future_cancel(f));
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    cut(&stage);
    assert_cancelled(f, true);
    accept_client(&stage);

    soon_future_unref(f);
    end(&stage);
}

/* Its daemon was lost, and the server has given it to another, who does not know what was asked of the first. */
Test(cluster_states, running_elsewhere_is_told_again_of_a_cancel_and_of_a_kill)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage);
    f = submit_running(&stage, NULL, unique);
    cr_assert_not(soon_future_cancel(f));
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    starts_on(&stage, "H:1", "far-2");
    hear_order(&stage, SOON__ORDER_CANCEL, "far-2", unique);
    cr_assert_eq(soon_future_kill(f), 0);
    hear_order(&stage, SOON__ORDER_KILL, "far-2", unique);
    starts_on(&stage, "H:1", "far-3");
    hear_order(&stage, SOON__ORDER_KILL, "far-3", unique);
    ends_with(&stage, "H:1", SOON_EKILLED);
    assert_ends(f, SOON_EKILLED);

    soon_future_unref(f);
    end(&stage);
}

/*
 * GHOST
 */

static void end_ghost_by_result(struct stage *stage)
{
    gives(stage, "H:1", 1);
}

Test(cluster_states, ghost_goes_when_its_job_ends_or_the_server_is_lost_or_its_time_is_over)
{
    static void (*const ways[])(struct stage *) = {end_ghost_by_result, end_by_loss, end_never};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct stage stage = {0};
        char unique[65];
        soon_future *f;

        begin(&stage);
        f = submit_withdrawn(&stage, unique);
        fails(&stage, "H:1");
        assert_cancelled(f, false);
        await_state(&stage, SOON__FLIGHT_GHOST, 1);
        ways[i](&stage);
        await_state(&stage, SOON__FLIGHT_GHOST, 0);

        soon_future_unref(f);
        end(&stage);
    }
}

/*
 * UNSENT
 */

Test(cluster_states, unsent_for_want_of_a_server_may_be_cancelled_killed_and_expire)
{
    struct stage stage = {0};
    const soon_submit_options limited = {.queue_limit_ms = FLIGHTS_LONG_MS};
    soon_future *futures[3];
    char unique[65];

    begin(&stage);
    for (int i = 0; i < 3; i++) {
        futures[i] = submit_far(stage.cluster, i == 2 ? &limited : NULL);
        hear_submit(&stage, unique);
    }
    cut_for_ever(&stage);
    await_state(&stage, SOON__FLIGHT_UNSENT, 3);
    (void)soon_future_cancel(futures[0]);
    assert_cancelled(futures[0], false);
    cr_assert_eq(soon_future_kill(futures[1]), 0);
    assert_cancelled(futures[1], false);
    flights_end_limit(stage.cluster);
    assert_ends(futures[2], SOON_EEXPIRED);
    cr_assert_not(soon_future_error(futures[2])->started);
    await_state(&stage, SOON__FLIGHT_UNSENT, 0);

    soon_futures_unref(futures, 3);
    free_pool(stage.cluster);
}
