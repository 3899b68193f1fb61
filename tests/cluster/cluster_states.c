/*
 * cluster_states.c - the arrows between the states of a flight (state_internal.h), each in an order of packets that a
 * real server may send and seldom does. Those of a flight that was withdrawn are in cluster_withdrawn.c.
 */
#include "../../executor/cluster/client/land_internal.h"
#include "played_server.h"

TestSuite(cluster_states);

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

/* Nothing was heard of its worker for a lease: the server is asked who has it. */
static void doubt(struct stage *stage)
{
    flights_end_times(stage->cluster);
    hear(stage, SOON__GET_STATUS);
}

/* What was stopped was the client: what has come meanwhile lies before the server's answer. */
Test(cluster_states, running_of_which_nothing_was_heard_takes_what_comes_before_the_answer)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_running(&stage, NULL, unique);
    doubt(&stage);
    gives(&stage, "H:1", 7);
    say_status(&stage, "H:1", false, false);
    assert_gives(f, 7);
    soon_future_unref(f);

    f = submit_running(&stage, NULL, unique);
    doubt(&stage);
    lives(&stage, "H:1");
    say_status(&stage, "H:1", true, true);
    gives(&stage, "H:1", 8);
    assert_gives(f, 8);

    soon_future_unref(f);
    end(&stage);
}

Test(cluster_states, running_of_which_nothing_is_heard_is_lost_if_a_worker_has_it_or_none)
{
    struct stage stage = {0};
    char unique[65];

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    for (int is_known = 0; is_known < 2; is_known++) {
        soon_future *f = submit_running(&stage, NULL, unique);

        doubt(&stage);
        say_status(&stage, "H:1", is_known, is_known);
        hear_order(&stage, SOON__ORDER_KILL, "far-1", unique);
        hear_line(&stage, "cancel job H:1");
        assert_ends(f, SOON_ELOST);
        soon_future_unref(f);
        fails(&stage, "H:1");
        await_state(&stage, SOON__FLIGHT_GHOST, 0);
    }
    end(&stage);
}

/* The server is as silent as the worker. */
Test(cluster_states, running_of_which_nothing_is_heard_is_lost_after_a_second_lease)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_running(&stage, NULL, unique);
    doubt(&stage);
    cr_assert_not(soon_future_done(f));
    flights_end_times(stage.cluster);
    assert_ends(f, SOON_ELOST);
    cr_assert_not_null(strstr(soon_future_error(f)->message, "nothing was heard of worker far-1"), "%s",
                       soon_future_error(f)->message);

    soon_future_unref(f);
    end(&stage);
}

/* A cancel was told to the daemon that has died. */
Test(cluster_states, running_that_waits_again_is_cancelled_there)
{
    struct stage stage = {0};
    char unique[65];
    soon_future *f;

    begin(&stage, .lease_ms = FLIGHTS_LONG_MS);
    f = submit_running(&stage, NULL, unique);
    cr_assert_not(soon_future_cancel(f));
    hear_order(&stage, SOON__ORDER_CANCEL, "far-1", unique);
    doubt(&stage);
    say_status(&stage, "H:1", true, false);
    hear_line(&stage, "cancel job H:1");
    fails(&stage, "H:1");
    assert_cancelled(f, true);

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
