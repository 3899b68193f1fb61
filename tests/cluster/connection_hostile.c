/*
 * connection_hostile.c - a connection to servers that say what makes no sense, half of it, or nothing.
 */
#include "../support/connection_fixture.h"
#include "../support/scripted_server.h"

static struct scripted_server server;
static struct peer peer;

static void end(void)
{
    if (peer.connection)
        peer_end(&peer);
    close_loop();
    scripted_server_end(&server);
}

TestSuite(connection_hostile, .init = open_loop, .fini = end);

static void begin(script_fn script)
{
    server.script = script;
    scripted_server_start(&server);
    peer_begin(&peer, server.text);
}

static void say_http(struct scripted_server *self, int fd)
{
    (void)self;
    script_say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

Test(connection_hostile, to_a_server_of_something_else_never_comes_up)
{
    begin(say_http);
    run_until(peer.failures == 3);
    cr_assert_eq(peer.code, -EPROTO);
    cr_assert(strstr(peer.text, "makes no sense"), "%s", peer.text);
    cr_assert_eq(peer.ups, 0);
}

static void say_wrong_answer(struct scripted_server *self, int fd)
{
    (void)self;
    script_say(fd, "\0RES\0\0\0\x06\0\0\0\0", 12); /* NOOP */
}

Test(connection_hostile, to_a_server_that_answers_something_else_never_comes_up)
{
    begin(say_wrong_answer);
    run_until(peer.failures == 2);
    cr_assert_eq(peer.code, -EPROTO);
    cr_assert(strstr(peer.text, "NOOP makes no sense"), "%s", peer.text);
    cr_assert_eq(peer.ups, 0);
}

/* So does a connection of TCP that has met itself. */
static void say_it_back(struct scripted_server *self, int fd)
{
    char question[12];

    (void)self;
    if (script_hear(fd, question, sizeof question))
        script_say(fd, question, sizeof question);
}

Test(connection_hostile, that_hears_itself_never_comes_up)
{
    begin(say_it_back);
    run_until(peer.failures == 2);
    cr_assert_eq(peer.code, -EPROTO);
    cr_assert_eq(peer.ups, 0);
}

static void say_nothing(struct scripted_server *self, int fd)
{
    script_wait(self, fd);
}

Test(connection_hostile, to_a_server_that_says_nothing_fails_in_time)
{
    peer.options.connect_timeout_ms = 50;
    begin(say_nothing);
    run_until(peer.failures == 2);
    server.ends = true;
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert_eq(peer.ups, 0);
}

static void close_at_once(struct scripted_server *self, int fd)
{
    (void)self;
    (void)fd;
}

Test(connection_hostile, to_a_server_that_closes_at_once_is_tried_with_longer_and_longer_pauses)
{
    uint64_t begin_ms = uv_now(&loop);

    begin(close_at_once);
    run_until(peer.failures == 5);
    cr_assert_geq(uv_now(&loop) - begin_ms, (50 + 100 + 200 + 400) * 3 / 4);
    cr_assert_eq(soon__connection_failures(peer.connection), 5);
}

static void greet_and_close(struct scripted_server *self, int fd)
{
    (void)self;
    script_greet(fd);
}

Test(connection_hostile, to_a_server_that_greets_and_closes_has_these_pauses_too)
{
    uint64_t begin_ms = uv_now(&loop);

    begin(greet_and_close);
    run_until(peer.losses == 4);
    cr_assert_eq(peer.code, -ECONNRESET);
    cr_assert(strstr(peer.text, "closed the connection"), "%s", peer.text);
    cr_assert_geq(uv_now(&loop) - begin_ms, (50 + 100 + 200) * 3 / 4);
    cr_assert_eq(soon__connection_epoch(peer.connection), 4);
}

static void greet_and_reset(struct scripted_server *self, int fd)
{
    const struct linger at_once = {1, 0};

    (void)self;
    script_greet(fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Test(connection_hostile, that_is_reset_is_lost)
{
    begin(greet_and_reset);
    run_until(peer.losses + peer.failures == 2);
    cr_assert_eq(peer.code, -ECONNRESET);
}

static void greet_and_claim_4_gib(struct scripted_server *self, int fd)
{
    script_greet(fd);
    script_say(fd, "\0RES\0\0\0\x1c\xff\xff\xff\xff", 12);
    script_wait(self, fd);
}

Test(connection_hostile, with_a_packet_of_4_gib_is_lost)
{
    begin(greet_and_claim_4_gib);
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -EMSGSIZE);
}

static void greet_and_say_half(struct scripted_server *self, int fd)
{
    script_greet(fd);
    script_say(fd, "\0RES\0\0\0\x1c\0\0\0\x64half", 16);
    script_wait(self, fd);
}

Test(connection_hostile, with_half_a_packet_and_then_silence_is_lost)
{
    peer.options.silence_ms = peer.options.answer_ms = 50;
    begin(greet_and_say_half);
    run_until(peer.losses == 1);
    server.ends = true;
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert_eq(peer.came, 0);
}

static void greet_and_say_slowly(struct scripted_server *self, int fd)
{
    static const char packet[] = "\0RES\0\0\0\x1c\0\0\0\x0dH:a:1\0result!";

    script_greet(fd);
    for (size_t i = 0; i < sizeof packet - 1; i++) {
        script_say(fd, packet + i, 1);
        usleep(1000); /* it is to come in many pieces, however many */
    }
    script_wait(self, fd);
}

Test(connection_hostile, hears_a_packet_that_comes_byte_by_byte)
{
    const struct peer_packet *packet;

    begin(greet_and_say_slowly);
    packet = peer_hear(&peer, SOON__WORK_DATA);
    cr_assert_str_eq(packet->arguments[0], "H:a:1");
    cr_assert_str_eq(packet->arguments[1], "result!");
}

static void greet_twice(struct scripted_server *self, int fd)
{
    script_greet(fd);
    script_say(fd, "\0RES\0\0\0\x06\0\0\0\0", 12);
    self->step++;
    script_wait(self, fd);
}

Test(connection_hostile, is_lost_where_its_owner_makes_no_sense_of_a_packet)
{
    peer.refuse = -EBADMSG;
    begin(greet_twice);
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -EBADMSG);
    cr_assert(strstr(peer.text, "NOOP makes no sense"), "%s", peer.text);
}

static void close_it(struct peer *self, const struct soon__packet *packet)
{
    (void)packet;
    soon__connection_close(self->connection, 0);
}

static void drop_it(struct peer *self, const struct soon__packet *packet)
{
    (void)packet;
    self->taken++;
    soon__connection_drop(self->connection, -EIO, "enough");
}

static void greet_and_say_much(struct scripted_server *self, int fd)
{
    char packets[100 * 12];

    for (size_t i = 0; i < sizeof packets; i += 12)
        memcpy(packets + i, "\0RES\0\0\0\x06\0\0\0\0", 12);
    script_greet(fd);
    script_say(fd, packets, sizeof packets);
    script_wait(self, fd);
}

Test(connection_hostile, may_be_closed_by_the_first_of_many_packets)
{
    peer.on_packet = close_it;
    begin(greet_and_say_much);
    run_until(peer.closed);
    cr_assert_eq(peer.losses + peer.failures, 0);
}

Test(connection_hostile, that_is_dropped_by_a_packet_takes_nothing_more_of_it)
{
    peer.on_packet = drop_it;
    begin(greet_and_say_much);
    for (int i = 1; i <= 3; i++) {
        run_until(peer.losses == i);
        cr_assert_eq(peer.taken, (size_t)i);
        cr_assert_eq(peer.code, -EIO);
    }
}

/* Half of a packet came by the first connection. It is nothing to the second. */
static void say_half_at_first(struct scripted_server *self, int fd)
{
    script_greet(fd);
    if (self->accepted == 1) {
        script_say(fd, "\0RES\0\0\0\x1c\0\0\0\x64half", 16);
        return;
    }
    script_say(fd, "\0RES\0\0\0\x06\0\0\0\0", 12);
    script_wait(self, fd);
}

Test(connection_hostile, does_not_take_the_rest_of_an_older_epoch_for_its_own)
{
    begin(say_half_at_first);
    run_until(peer.ups == 2);
    peer_hear(&peer, SOON__NOOP);
    cr_assert_eq(peer.losses, 1);
}

/* What was written and not sent when the first was lost never arrives by the second. */
static void note_what_comes(struct scripted_server *self, int fd)
{
    char head[12];

    script_greet(fd);
    if (self->accepted == 1)
        return;
    if (script_hear(fd, head, sizeof head))
        self->step = head[7];
    script_wait(self, fd);
}

static void write_much(struct peer *self)
{
    static char much[1 << 20];
    const soon_bytes arguments[] = {{"H", 1}, {much, sizeof much}};

    if (self->ups == 1) {
        for (int i = 0; i < 8; i++)
            cr_assert_eq(soon__connection_write(self->connection, SOON__WORK_DATA, arguments, 2), 0);
    } else {
        peer_say(self, SOON__PRE_SLEEP, NULL);
    }
}

Test(connection_hostile, does_not_send_in_an_epoch_what_was_written_in_another)
{
    peer.on_up = write_much;
    begin(note_what_comes);
    run_until(peer.ups == 2);
    while (server.step == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(server.step, SOON__PRE_SLEEP);
}

static void say_text(struct scripted_server *self, int fd)
{
    char question[8];
    static char flood[1 << 16];

    memset(flood, 'x', sizeof flood);
    if (!script_hear(fd, question, sizeof question))
        return;
    if (self->accepted == 1)
        script_say(fd, "ERR unknown\r\n", 13);
    script_say(fd, "OK 1.1.20\nOK\nOK 9 lives\n", 24);
    if (self->accepted == 3) {
        script_say(fd, flood, sizeof flood);
        script_say(fd, flood, sizeof flood);
    }
    script_wait(self, fd);
}

Test(connection_hostile, in_text_to_a_server_that_knows_no_version_never_comes_up)
{
    peer.options.is_text = true;
    begin(say_text);
    run_until(peer.failures == 1);
    cr_assert_eq(peer.code, -EPROTO);

    run_until(peer.ups == 1 && peer.lines_came == 2); /* the second time */
    cr_assert_str_eq(peer.lines[0], "OK");
    cr_assert_str_eq(peer.lines[1], "OK 9 lives");

    soon__connection_drop(peer.connection, -EIO, NULL);
    run_until(peer.ups == 2 && peer.losses == 2);
    cr_assert_eq(peer.code, -EMSGSIZE);
}

Test(connection_hostile, finds_a_server_at_an_address_of_version_6)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    bool has_v6 = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    server.address = has_v6 ? "::1" : NULL;
    begin(greet_twice);
    run_until(peer.ups == 1);
    cr_assert_str_eq(soon__connection_server(peer.connection), server.text);
}
