/*
 * partition.c - a network that is cut between a connection and its server: neither is told, so the connection asks.
 */
#include "../support/connection_fixture.h"
#include "../support/gearmand.h"
#include "../support/own_network.h"

static struct gearmand server;
static struct peer peer;

static void begin(void)
{
    gearmand_or_skip();
    own_network_or_skip();
    open_loop();
    gearmand_start(&server, NULL);
}

static void end(void)
{
    if (peer.connection) {
        peer_end(&peer);
        close_loop();
    }
    gearmand_kill(&server);
}

TestSuite(partition, .init = begin, .fini = end);

Test(partition, is_noticed_by_a_connection_that_has_nothing_to_say)
{
    peer.options.silence_ms = peer.options.answer_ms = peer.options.connect_timeout_ms = 100;
    peer_connect(&peer, server.address);
    own_network_set(false);
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert(strstr(peer.text, "does not answer"), "%s", peer.text);
    run_until(peer.failures == 2);
    own_network_set(true);
    run_until(peer.ups == 2);
    cr_assert_eq(soon__connection_epoch(peer.connection), 2);
}

/* The system takes what is written, which is no sign of life. */
static void say_a_little(uv_timer_t *timer)
{
    (void)timer;
    if (soon__connection_is_up(peer.connection))
        peer_say(&peer, SOON__PRE_SLEEP, NULL);
}

Test(partition, is_noticed_by_a_connection_that_goes_on_to_speak)
{
    static uv_timer_t timer;

    peer.options.silence_ms = peer.options.answer_ms = 100;
    peer_connect(&peer, server.address);
    own_network_set(false);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, say_a_little, 5, 5);
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -ETIMEDOUT);
    uv_close((uv_handle_t *)&timer, NULL);
}

Test(partition, that_ends_soon_costs_nothing)
{
    const struct peer_packet *packet;

    peer.options.silence_ms = 3600000;
    peer_connect(&peer, server.address);
    own_network_set(false);
    peer_say(&peer, SOON__SUBMIT_JOB, "f", "u", "x");
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    own_network_set(true);
    packet = peer_hear(&peer, SOON__JOB_CREATED);
    cr_assert_eq(packet->count, 1);
    cr_assert_eq(peer.losses, 0);
}
