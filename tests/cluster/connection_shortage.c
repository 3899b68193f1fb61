/*
 * connection_shortage.c - memory, descriptors and places in an epoll set that a connection cannot get, each in turn: it
 * is a failed attempt or a refused write, and nothing more.
 */
#include "../harness/fail.h"
#include "../support/connection_fixture.h"
#include "../support/scripted_server.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct scripted_server server;
static struct peer peer;
static const char *servers; /* in the place of `server` */

/* Answers all questions, and each other packet with NOOP. */
static void answer(struct scripted_server *self, int fd)
{
    struct soon__packet_reader reader;
    struct soon__packet packet;
    ssize_t size = 1;
    size_t room;
    void *to;

    (void)self;
    soon__packet_reader_init(&reader, SIZE_MAX, false);
    while (size > 0 && soon__packet_reader_room(&reader, &to, &room) == 0) {
        size = recv(fd, to, room, 0);
        soon__packet_reader_add(&reader, size > 0 ? (size_t)size : 0);
        while (soon__packet_reader_next(&reader, &packet) == 1)
            script_say(fd, packet.type == SOON__ECHO_REQ ? "\0RES\0\0\0\x11\0\0\0\0" : "\0RES\0\0\0\x06\0\0\0\0", 12);
    }
    soon__packet_reader_fini(&reader);
}

static void begin(void)
{
    open_loop();
    server.script = answer;
    scripted_server_start(&server);
}

static void end(void)
{
    close_loop();
    scripted_server_end(&server);
}

TestSuite(connection_shortage, .init = begin, .fini = end);

static void note_packet(struct peer *self, const struct soon__packet *packet)
{
    (void)packet;
    self->came++;
}

static void make(void)
{
    static const struct soon__connection_events events = {peer_up,   peer_packet,  peer_line,
                                                          peer_down, peer_drained, peer_closed};
    int rc = -ENOMEM;

    peer = (struct peer){.on_packet = note_packet};
    while (rc < 0 && (rc = soon__servers_parse(&peer.servers, servers ? servers : server.text)) < 0)
        cr_assert_eq(rc, -ENOMEM);
    peer.options.loop = &loop;
    peer.options.servers = peer.servers;
    peer_set_times(&peer.options);
    while ((rc = soon__connection_new(&peer.connection, &peer.options, &events, &peer)) < 0)
        cr_assert_eq(rc, -ENOMEM);
}

/* Sends something small and something large, and waits for both answers. A connection that is lost meanwhile is another
 * try. */
static void use(void)
{
    static char large[1 << 20];
    const soon_bytes arguments[] = {{"H", 1}, {large, sizeof large}};
    int epoch = -1;

    peer.came = 0;
    while (peer.came < 2) {
        if (soon__connection_is_up(peer.connection) && epoch != peer.ups) {
            peer.came = 0;
            if (soon__connection_write(peer.connection, SOON__PRE_SLEEP, NULL, 0) == 0 &&
                soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2) == 0)
                epoch = peer.ups;
            else
                soon__connection_drop(peer.connection, -ENOMEM, NULL);
        }
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void finish(void)
{
    soon__connection_close(peer.connection, 1000);
    run_until(peer.closed);
    soon__connection_free(peer.connection);
    soon__servers_free(peer.servers);
}

Test(connection_shortage, of_any_one_thing_is_another_try)
{
    size_t calls;

    for (size_t n = 1;; n++) {
        fail_nth_here(n);
        make();
        use();
        finish();
        calls = fail_stop();
        if (calls < n)
            break;
    }
    cr_assert_gt(calls, 6);
}

/* A name takes libuv's threads, too. */
Test(connection_shortage, of_any_one_thing_is_another_try_where_the_server_has_a_name)
{
    char text[64];

    snprintf(text, sizeof text, "localhost:%d", server.port);
    servers = text;
    for (size_t n = 1;; n++) {
        fail_nth_here(n);
        make();
        use();
        finish();
        if (fail_stop() < n)
            break;
    }
}

Test(connection_shortage, of_threads_fails_a_lookup_and_no_more)
{
    char text[64];

    snprintf(text, sizeof text, "localhost:%d", server.port);
    servers = text;
    make();
    fail_from_here(1);
    run_until(peer.failures == 2);
    fail_stop();
    cr_assert(peer.code == -EAGAIN || peer.code == -ENOMEM, "%d", peer.code);
    use();
    finish();
}

Test(connection_shortage, that_lasts_is_told_until_it_ends)
{
    make();
    fail_from_here(1);
    run_until(peer.failures == 3);
    cr_assert(peer.code == -ENOMEM || peer.code == -ENOSPC, "%d", peer.code); /* memory, or a place in the set */
    cr_assert_eq(peer.ups, 0);
    fail_stop();
    use();
    finish();
}

Test(connection_shortage, of_descriptors_is_told_until_it_ends)
{
    struct rlimit limit, none;

    make();
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_until(peer.failures == 2);
    cr_assert_eq(peer.code, -EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    use();
    finish();
}

Test(connection_shortage, of_input_output_and_errors_does_not_hurt)
{
    int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);

    cr_assert_geq(kept, 0);
    close(STDIN_FILENO);
    make();
    use();
    finish();
    cr_assert_eq(fcntl(STDIN_FILENO, F_GETFD), -1); /* still closed */
    dup2(kept, STDIN_FILENO);
    close(kept);
}
