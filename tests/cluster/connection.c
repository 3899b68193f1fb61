/*
 * connection.c - a connection to a real server: it comes up, is lost, and comes up again.
 */
#include "../support/connection_fixture.h"
#include "../support/gearmand.h"

static struct gearmand first, second;
static struct peer peer;

static void begin(void)
{
    gearmand_or_skip();
    open_loop();
    gearmand_start(&first, NULL);
}

static void end(void)
{
    if (peer.connection)
        peer_end(&peer);
    close_loop();
    gearmand_kill(&first);
    gearmand_kill(&second);
}

TestSuite(connection, .init = begin, .fini = end);

Test(connection, is_down_until_the_loop_runs)
{
    peer_begin(&peer, first.address);
    cr_assert_not(soon__connection_is_up(peer.connection));
    cr_assert_eq(soon__connection_epoch(peer.connection), 0);
    cr_assert_eq(soon__connection_write(peer.connection, SOON__PRE_SLEEP, NULL, 0), -ENOTCONN);
    run_until(peer.ups);
    cr_assert(soon__connection_is_up(peer.connection));
    cr_assert_eq(soon__connection_epoch(peer.connection), 1);
    cr_assert_str_eq(soon__connection_server(peer.connection), first.address);
    cr_assert_eq(peer.failures + peer.losses, 0);
}

Test(connection, comes_up_again_with_a_new_epoch_when_the_server_does)
{
    peer_connect(&peer, first.address);
    for (int i = 1; i <= 3; i++) {
        gearmand_kill(&first);
        run_until(peer.losses == i);
        cr_assert_eq(soon__connection_write(peer.connection, SOON__PRE_SLEEP, NULL, 0), -ENOTCONN);
        run_until(peer.failures > 0);
        cr_assert_eq(peer.code, -ECONNREFUSED);
        cr_assert(strstr(peer.text, first.address), "%s", peer.text);
        cr_assert_gt(soon__connection_failures(peer.connection), 0);

        gearmand_restart(&first);
        run_until(peer.ups == i + 1);
        cr_assert_eq(soon__connection_epoch(peer.connection), (uint64_t)i + 1);
        cr_assert_eq(soon__connection_failures(peer.connection), 0);
        peer.failures = 0;
    }
}

Test(connection, goes_to_the_next_server_and_back)
{
    char servers[80];

    gearmand_start(&second, NULL);
    snprintf(servers, sizeof servers, "%s,%s", first.address, second.address);
    peer_connect(&peer, servers);
    cr_assert_str_eq(soon__connection_server(peer.connection), first.address);

    gearmand_kill(&first);
    run_until(peer.ups == 2);
    cr_assert_str_eq(soon__connection_server(peer.connection), second.address);

    gearmand_restart(&first);
    gearmand_kill(&second);
    run_until(peer.ups == 3);
    cr_assert_str_eq(soon__connection_server(peer.connection), first.address);
    cr_assert_eq(soon__connection_epoch(peer.connection), 3);
}

Test(connection, to_a_server_that_is_stopped_is_lost_and_comes_up_when_that_goes_on)
{
    peer.options.silence_ms = peer.options.answer_ms = peer.options.connect_timeout_ms = 50;
    peer_connect(&peer, first.address);
    gearmand_stop(&first);
    run_until(peer.losses);
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert(strstr(peer.text, "does not answer"), "%s", peer.text);

    run_until(peer.failures >= 2); /* the system takes the connection, but nobody speaks */
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert_eq(peer.ups, 1);
    gearmand_continue(&first);
    run_until(peer.ups == 2);
}

/* A server that is too slow for an answer in time is given more of it. */
Test(connection, to_a_server_that_has_nothing_to_say_stays_up)
{
    for (uint64_t ms = 100;; ms *= 2) {
        uint64_t begin_ms;

        peer = (struct peer){.options = {.silence_ms = (int64_t)ms, .answer_ms = (int64_t)ms}};
        peer_connect(&peer, first.address);
        begin_ms = uv_now(&loop);
        run_until(uv_now(&loop) - begin_ms > 5 * ms); /* each question wakes the loop */
        cr_assert_eq(peer.came, 0);
        if (peer.losses == 0)
            break;
        peer_end(&peer);
    }
}

Test(connection, is_lost_as_its_owner_says_and_comes_up_again)
{
    peer_connect(&peer, first.address);
    soon__connection_drop(peer.connection, -EPROTO, "it lies");
    cr_assert_eq(peer.losses, 1);
    cr_assert_eq(peer.code, -EPROTO);
    cr_assert(strstr(peer.text, ": it lies"), "%s", peer.text);
    soon__connection_drop(peer.connection, -EPROTO, "again");
    cr_assert_eq(peer.losses + peer.failures, 1);
    run_until(peer.ups == 2);
}

Test(connection, in_text_gives_lines_and_keeps_its_questions_to_itself)
{
    uint64_t begin_ms;

    peer.options.is_text = true;
    peer.options.silence_ms = 50;
    peer_connect(&peer, first.address);
    begin_ms = uv_now(&loop);
    run_until(uv_now(&loop) - begin_ms > 500); /* each question wakes the loop */
    cr_assert_eq(peer.lines_came, 0);

    for (size_t i = 1; i <= 20; i++) {
        cr_assert_eq(soon__connection_write_text(peer.connection, "status\n"), 0);
        run_until(peer.lines_came == i);
        cr_assert_str_eq(peer.lines[i - 1], ".");
    }
    cr_assert_eq(soon__connection_write_text(peer.connection, "cancel job H:nobody:1\n"), 0);
    run_until(peer.lines_came == 21);
    cr_assert_eq(strncmp(peer.lines[20], "ERR ", 4), 0, "%s", peer.lines[20]);
    cr_assert_eq(peer.losses, 0);
}

static void close_it(struct peer *self)
{
    soon__connection_close(self->connection, 0);
}

Test(connection, may_be_closed_as_it_comes_up)
{
    peer.on_up = close_it;
    peer_begin(&peer, first.address);
    run_until(peer.closed);
    cr_assert_eq(peer.ups, 1);
    cr_assert_eq(peer.losses + peer.failures, 0);
}

Test(connection, may_be_closed_as_it_is_lost)
{
    peer.on_down = close_it;
    peer_connect(&peer, first.address);
    gearmand_kill(&first);
    run_until(peer.closed);
    cr_assert_eq(peer.losses, 1);
    cr_assert_eq(peer.failures, 0);
}

Test(connection, may_be_closed_before_the_loop_has_run)
{
    peer_begin(&peer, first.address);
    soon__connection_close(peer.connection, 1000);
    soon__connection_close(peer.connection, 0);
    run_until(peer.closed);
    cr_assert_eq(peer.ups + peer.losses + peer.failures, 0);
}

Test(connection, may_be_closed_in_each_turn_of_its_beginning)
{
    for (int turns = 1; peer.ups == 0; turns++) {
        peer = (struct peer){0};
        peer_begin(&peer, turns % 2 ? first.address : "127.0.0.1:1");
        for (int i = 0; i < turns / 2 && peer.ups == 0; i++)
            uv_run(&loop, UV_RUN_ONCE);
        peer_end(&peer);
    }
    peer.connection = NULL;
}

Test(connection, finds_a_server_by_name)
{
    char servers[80];

    snprintf(servers, sizeof servers, "localhost:%d", first.port);
    peer_connect(&peer, servers);
    cr_assert_str_eq(soon__connection_server(peer.connection), servers);
}

Test(connection, goes_past_names_and_addresses_that_are_no_use)
{
    char servers[160];

    snprintf(servers, sizeof servers, "a..b:%d,[::1]:%d,127.0.0.1:1,%s", first.port, first.port, first.address);
    peer_connect(&peer, servers);
    cr_assert_str_eq(soon__connection_server(peer.connection), first.address);
    cr_assert_eq(peer.failures, 3);
}
