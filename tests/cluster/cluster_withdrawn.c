/*
 * cluster_withdrawn.c - a flight that was WITHDRAWN, since it was cancelled or killed before it had begun, its queue
 * limit was over, or its worker seemed to be frozen; and what comes all the same.
 */
#include "played_server.h"

TestSuite(cluster_withdrawn);

/* The server had given it to a worker just before. */
Test(cluster_withdrawn, is_stopped_where_it_has_begun)
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
Test(cluster_withdrawn, that_has_begun_ends_when_the_server_has_forgotten_it)
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

Test(cluster_withdrawn, that_has_begun_may_end_by_itself)
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

Test(cluster_withdrawn, that_has_begun_is_killed_if_that_was_asked_for)
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
Test(cluster_withdrawn, takes_a_result_all_the_same)
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

Test(cluster_withdrawn, is_cancelled_when_the_server_is_lost)
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
Test(cluster_withdrawn, is_given_up_after_the_grace_period)
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
Test(cluster_withdrawn, for_its_queue_limit_says_so_though_it_has_begun)
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
Test(cluster_withdrawn, from_a_frozen_worker_is_lost_if_it_has_begun)
{
    for (size_t i = 0; i < sizeof thawed_ends / sizeof *thawed_ends; i++) {
        struct stage stage = {0};
        char unique[65];
        soon_future *f;

        begin(&stage, .lease_ms = 50);
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

Test(cluster_withdrawn, from_a_frozen_worker_is_tried_again_if_it_has_begun_and_may)
{
    for (size_t i = 0; i < sizeof thawed_ends / sizeof *thawed_ends; i++) {
        struct stage stage = {0};
        char unique[65], second[65];
        soon_future *f;

        begin(&stage, .lease_ms = 50);
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
 * GHOST
 */

static void end_ghost_by_result(struct stage *stage)
{
    gives(stage, "H:1", 1);
}

Test(cluster_withdrawn, and_ended_is_a_ghost_that_goes_when_its_job_ends_or_the_server_is_lost_or_its_time_is_over)
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
