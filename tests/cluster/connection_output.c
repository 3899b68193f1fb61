/*
 * connection_output.c - what a connection sends: in one piece for each turn of the loop, as fast as it is taken, whole.
 */
#include "../support/connection_fixture.h"
#include "../support/scripted_server.h"

#include <netinet/tcp.h>
#include <sys/syscall.h>

/* The system itself takes some MiB of what nobody reads. */
enum { SMALL_BUFFER = 4096, MIB = 1 << 20, LARGE = 5 * MIB };

static struct scripted_server server;
static struct peer peer;

static void end(void)
{
    if (peer.connection)
        peer_end(&peer);
    close_loop();
    scripted_server_end(&server);
}

TestSuite(connection_output, .init = open_loop, .fini = end);

static void begin(script_fn script)
{
    server.script = script;
    scripted_server_start(&server);
    peer_connect(&peer, server.text);
}

/* How many segments with data have come by this connection. The system's struct goes on behind that of libc. */
static int segments(int fd)
{
    struct {
        struct tcp_info known;
        uint64_t rates_and_bytes[4];
        uint32_t other[4], with_data_in;
    } info = {.with_data_in = 0};
    socklen_t size = sizeof info;

    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return (int)info.with_data_in;
}

enum { PACKETS = 100 };

static void count_segments(struct scripted_server *self, int fd)
{
    const int before = 1; /* what script_greet() hears */
    char packets[PACKETS * 12];

    script_greet(fd);
    while (script_hear(fd, packets, sizeof packets))
        self->step = segments(fd) - before;
    script_wait(self, fd);
}

Test(connection_output, of_one_turn_leaves_in_one_piece)
{
    begin(count_segments);
    for (int i = 0; i < PACKETS; i++)
        peer_say(&peer, SOON__PRE_SLEEP, NULL);
    while (server.step == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(server.step, 1);
}

static void say_all(uv_timer_t *timer)
{
    for (int i = 0; i < PACKETS; i++)
        peer_say(&peer, SOON__PRE_SLEEP, NULL);
    uv_close((uv_handle_t *)timer, NULL);
}

Test(connection_output, leaves_before_the_loop_sleeps)
{
    static uv_timer_t timer;

    begin(count_segments);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, say_all, 1, 0);
    uv_run(&loop, UV_RUN_ONCE);
    while (server.step == 0) /* nothing else wakes the loop for seconds */
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(server.step, 1);
}

Test(connection_output, leaves_at_once_in_a_flush)
{
    begin(count_segments);
    for (int i = 0; i < PACKETS; i++)
        peer_say(&peer, SOON__PRE_SLEEP, NULL);
    soon__connection_flush(peer.connection);
    test_wait_until(server.step > 0);
    cr_assert_eq(server.step, 1);
    soon__connection_flush(peer.connection);
}

/* Each packet is a WORK_DATA with a number and a filling, whose size follows from the number. */
static size_t filling(uint32_t number)
{
    return number % 7 == 0 ? LARGE + number : number * 37 % 5000;
}

static void write_number(uint32_t number)
{
    static char bytes[LARGE + MIB];
    char handle[16];
    const soon_bytes arguments[] = {{handle, (size_t)snprintf(handle, sizeof handle, "%u", number)},
                                    {bytes, filling(number)}};
    void *to;

    memset(bytes, (int)(number & 0xff), arguments[1].size);
    if (number % 2) {
        cr_assert_eq(soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2), 0);
        return;
    }
    cr_assert_eq(soon__connection_write_space(peer.connection, SOON__WORK_DATA, arguments, 1, arguments[1].size, &to),
                 0);
    memcpy(to, bytes, arguments[1].size);
}

static bool is_number(const struct soon__packet *packet, uint32_t number)
{
    const char *data = packet->arguments[1].data;
    char handle[16];
    size_t size;

    snprintf(handle, sizeof handle, "%u", number);
    if (packet->type != SOON__WORK_DATA || packet->arguments[0].size != strlen(handle) ||
        memcmp(packet->arguments[0].data, handle, strlen(handle)) != 0 || packet->arguments[1].size != filling(number))
        return false;
    size = packet->arguments[1].size; /* and all bytes are alike */
    return size == 0 || (data[0] == (char)(number & 0xff) && memcmp(data, data + 1, size - 1) == 0);
}

/* Reads the numbers in their order, and counts them. */
static void hear_numbers(struct scripted_server *self, int fd)
{
    struct soon__packet_reader reader;
    struct soon__packet packet;
    ssize_t size = 1;
    size_t room;
    void *to;

    script_greet(fd);
    while (self->step < 0 && !self->ends) /* it takes nothing for a while */
        usleep(1000);
    soon__packet_reader_init(&reader, SIZE_MAX, false);
    while (size > 0 && soon__packet_reader_room(&reader, &to, &room) == 0) {
        size = recv(fd, to, room, 0);
        soon__packet_reader_add(&reader, size > 0 ? (size_t)size : 0);
        while (soon__packet_reader_next(&reader, &packet) == 1) {
            if (!is_number(&packet, (uint32_t)self->step))
                self->ends = true;
            self->step++;
        }
    }
    soon__packet_reader_fini(&reader);
}

enum { NUMBERS = 60 };

static void run_until_heard(int numbers)
{
    while (server.step < numbers && !server.ends)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_not(server.ends);
}

Test(connection_output, arrives_whole_and_in_order_at_a_slow_reader)
{
    server.buffer = SMALL_BUFFER;
    begin(hear_numbers);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        write_number(i);
        if (i % 5 == 0)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    run_until_heard(NUMBERS);
}

Test(connection_output, that_a_flush_could_not_send_is_sent_by_the_loop)
{
    server.buffer = SMALL_BUFFER;
    server.step = -1;
    begin(hear_numbers);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        write_number(i);
        soon__connection_flush(peer.connection);
    }
    cr_assert(soon__connection_is_crowded(peer.connection));
    server.step = 0;
    run_until_heard(NUMBERS);
}

static void await_step(struct scripted_server *self, int step)
{
    while (self->step != step && !self->ends)
        usleep(1000);
}

/* Ends it while the test waits. Who writes to it then finds the connection broken at the second time. */
static void shut_down(struct scripted_server *self, int fd)
{
    script_greet(fd);
    await_step(self, 1);
    shutdown(fd, SHUT_RDWR);
    self->step = 2;
    await_step(self, 3);
}

static void begin_and_await_end(script_fn script)
{
    begin(script);
    server.step = 1;
    test_wait_until(server.step == 2);
}

Test(connection_output, to_who_has_closed_raises_no_signal_in_a_flush)
{
    begin_and_await_end(shut_down);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++) {
        peer_say(&peer, SOON__PRE_SLEEP, NULL);
        soon__connection_flush(peer.connection);
        cr_assert_eq(peer.losses, 0, "the loop is to tell");
    }
    signal(SIGPIPE, SIG_IGN);
    run_until(peer.losses == 1);
}

/* A reset, which the system tells once. */
static void reset(struct scripted_server *self, int fd)
{
    script_greet(fd);
    await_step(self, 1);
    connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    self->step = 2;
    await_step(self, 3);
}

Test(connection_output, that_a_flush_has_found_broken_is_lost_for_the_same_reason)
{
    begin_and_await_end(reset);
    peer_say(&peer, SOON__PRE_SLEEP, NULL);
    soon__connection_flush(peer.connection);
    cr_assert_eq(peer.losses, 0, "the loop is to tell");
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -ECONNRESET, "%s", peer.text);
}

static void write_next(struct peer *self)
{
    while (self->taken < NUMBERS && !soon__connection_is_crowded(self->connection))
        write_number((uint32_t)self->taken++);
}

Test(connection_output, is_bounded_by_its_marks)
{
    server.buffer = SMALL_BUFFER;
    server.step = -1;
    peer.options.high_water = 20 * MIB;
    peer.options.low_water = 10 * MIB;
    peer.on_drained = write_next;
    begin(hear_numbers);
    write_next(&peer);
    cr_assert(soon__connection_is_crowded(peer.connection));
    cr_assert_lt(peer.taken, NUMBERS);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(peer.drained, 0);

    server.step = 0;
    run_until_heard(NUMBERS);
    cr_assert_gt(peer.drained, 0);
    cr_assert_not(soon__connection_is_crowded(peer.connection));
}

Test(connection_output, that_nobody_takes_is_given_up_with_the_connection)
{
    server.buffer = SMALL_BUFFER;
    server.step = -1;
    peer.options.silence_ms = peer.options.answer_ms = 50;
    begin(hear_numbers);
    for (uint32_t i = 0; i < NUMBERS; i++)
        write_number(i);
    run_until(peer.losses == 1);
    cr_assert_eq(peer.code, -ETIMEDOUT);
    cr_assert_not(soon__connection_is_crowded(peer.connection));
    server.step = 0;
}

Test(connection_output, is_still_sent_by_a_connection_that_is_closed_with_time)
{
    server.buffer = SMALL_BUFFER;
    begin(hear_numbers);
    for (uint32_t i = 0; i < NUMBERS; i++)
        write_number(i);
    soon__connection_close(peer.connection, 3600000);
    cr_assert_not(soon__connection_is_up(peer.connection));
    cr_assert_eq(soon__connection_write(peer.connection, SOON__PRE_SLEEP, NULL, 0), -ENOTCONN);
    run_until(peer.closed);
    run_until_heard(NUMBERS);
    cr_assert_eq(peer.losses + peer.failures, 0);
}

Test(connection_output, that_nobody_takes_does_not_keep_it_from_closing)
{
    server.buffer = SMALL_BUFFER;
    server.step = -1;
    begin(hear_numbers);
    for (uint32_t i = 0; i < NUMBERS; i++)
        write_number(i);
    soon__connection_close(peer.connection, 3600000);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(peer.closed, 0);
    soon__connection_close(peer.connection, 7200000); /* a longer time does not count */
    soon__connection_close(peer.connection, 20);
    run_until(peer.closed);
    server.step = 0;
}

enum { LATE = 256 << 10 };

/* It takes next to nothing, speaks when the other side has closed, and reads only then. What it says would be answered
 * with a reset by a system that has nobody for it, and all that waits there would be dropped. */
static void speak_and_read_late(struct scripted_server *self, int fd)
{
    static char bytes[LATE];
    char more;

    script_greet(fd);
    while (self->step == 0 && !self->ends)
        usleep(1000);
    script_say(fd, "\0RES\0\0\0\x06\0\0\0\0", 12);
    self->step = script_hear(fd, bytes, sizeof bytes) && recv(fd, &more, 1, 0) == 0 ? 2 : 3;
}

Test(connection_output, is_not_lost_by_what_was_not_read_when_it_was_closed)
{
    static const char bytes[LATE - SOON__PACKET_HEAD - 2];
    const soon_bytes arguments[] = {{"H", 1}, {bytes, sizeof bytes}};

    server.buffer = SMALL_BUFFER;
    begin(speak_and_read_late);
    cr_assert_eq(soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2), 0);
    soon__connection_close(peer.connection, 3600000);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(peer.closed, 0);
    server.step = 1;
    run_until(peer.closed);
    test_wait_until(server.step > 1);
    cr_assert_eq(server.step, 2);
}

/* To so many of its calls the system says that there is no room just then, and there is a moment later. */
static int writes_without_room, no_room = EAGAIN;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (writes_without_room > 0) {
        writes_without_room--;
        errno = no_room;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

static void write_pieces(void)
{
    static const char bytes[40 << 10]; /* no two of them in one piece */
    const soon_bytes arguments[] = {{"H", 1}, {bytes, sizeof bytes}};

    cr_assert_eq(soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2), 0);
    cr_assert_eq(soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2), 0);
}

/* It reads up to the end. */
static void hear_all(struct scripted_server *self, int fd)
{
    char bytes[4096];

    script_greet(fd);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    self->step = 1;
}

Test(connection_output, that_has_left_already_is_no_surprise_to_a_connection_that_leaves)
{
    begin(hear_all);
    write_pieces();
    soon__connection_close(peer.connection, 3600000);
    writes_without_room = 1;
    run_until(peer.closed);
    test_wait_until(server.step == 1);
    cr_assert_eq(writes_without_room, 0);
}

Test(connection_output, for_which_there_are_no_buffers_leaves_later)
{
    begin(hear_numbers);
    no_room = ENOBUFS;
    for (uint32_t i = 0; i < 3; i++) {
        writes_without_room = 1 + i % 2; /* a flush's, and the loop's */
        write_number(i);
        soon__connection_flush(peer.connection);
        run_until_heard((int)i + 1);
    }
    cr_assert_eq(peer.losses, 0);
}

/* After what the turn of the loop has written, and before libuv tells of it. */
static void close_at_once(uv_prepare_t *prepare)
{
    if (writes_without_room > 0)
        return;
    soon__connection_close(peer.connection, 3600000);
    uv_close((uv_handle_t *)prepare, NULL);
}

Test(connection_output, that_has_left_already_is_no_surprise_to_a_close)
{
    uv_prepare_t prepare;

    begin(hear_all);
    write_pieces();
    uv_prepare_init(&loop, &prepare);
    uv_prepare_start(&prepare, close_at_once);
    writes_without_room = 1;
    run_until(peer.closed);
    test_wait_until(server.step == 1);
}

Test(connection_output, larger_than_a_packet_can_be_is_refused)
{
    const soon_bytes arguments[] = {{"H", 1}, {"", (size_t)UINT32_MAX}};
    void *to;

    begin(hear_numbers);
    cr_assert_eq(soon__connection_write(peer.connection, SOON__WORK_DATA, arguments, 2), -EMSGSIZE);
    cr_assert_eq(soon__connection_write_space(peer.connection, SOON__WORK_DATA, arguments, 1, SIZE_MAX, &to),
                 -EMSGSIZE);
    write_number(0);
    run_until_heard(1);
}
