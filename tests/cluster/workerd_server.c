/*
 * workerd_server.c - soon-workerd at a server that the test plays: what it says there, in which order, and how often.
 */
#include "caller.h"

/* One connection of the daemon, from the server's end. */
struct line {
    int fd;
    struct soon__packet_reader reader;
};

struct played {
    int listening;
    char address[32];
    struct workerd daemon;
    struct line work, control;
};

TestSuite(workerd_server);

static void line_say(struct line *line, enum soon__packet_type type, const soon_bytes *arguments, size_t count)
{
    cr_assert(packet_send(line->fd, false, type, arguments, count));
}

/* The next packet that is no question whether the server is alive; those are answered. */
static struct soon__packet line_next(struct line *line)
{
    struct soon__packet packet;

    for (;;) {
        cr_assert(packet_receive(line->fd, &line->reader, &packet));
        if (packet.type != SOON__ECHO_REQ)
            return packet;
        line_say(line, SOON__ECHO_RES, packet.arguments, 1);
    }
}

/* Progress may come at any time. */
static void expect(struct line *line, enum soon__packet_type type)
{
    enum soon__packet_type came;

    do
        came = line_next(line).type;
    while (came == SOON__WORK_STATUS);
    cr_assert_eq(came, type, "%s in the place of %s", soon__packet_name(came), soon__packet_name(type));
}

static bool argument_begins(const struct soon__packet *packet, const char *text)
{
    return packet->arguments[0].size >= strlen(text) && memcmp(packet->arguments[0].data, text, strlen(text)) == 0;
}

/* Takes a connection, up to its first function: true if that is the one for orders. */
static bool take_line(struct played *played, struct line *ret)
{
    struct soon__packet packet;

    ret->fd = accept(played->listening, NULL, NULL);
    cr_assert_geq(ret->fd, 0);
    soon__packet_reader_init(&ret->reader, 1 << 20, false);
    packet = line_next(ret);
    cr_assert_eq(packet.type, SOON__OPTION_REQ, "it asks for exceptions before all else");
    cr_assert(argument_begins(&packet, "exceptions"));
    expect(ret, SOON__SET_CLIENT_ID);
    packet = line_next(ret);
    cr_assert_eq(packet.type, SOON__CAN_DO);
    return argument_begins(&packet, "cancel@");
}

/* The connections come in any order. The work connection is read up to its first GRAB_JOB_UNIQ. */
static void take_both(struct played *played)
{
    struct line first, second;
    struct soon__packet packet;
    bool first_is_control = take_line(played, &first);

    cr_assert_neq(take_line(played, &second), first_is_control);
    played->work = first_is_control ? second : first;
    played->control = first_is_control ? first : second;
    expect(&played->control, SOON__GRAB_JOB_UNIQ);
    while ((packet = line_next(&played->work)).type == SOON__CAN_DO)
        ;
    cr_assert_eq(packet.type, SOON__GRAB_JOB_UNIQ, "%s", soon__packet_name(packet.type));
}

/* Nobody listens there yet. */
static void play_nobody(struct played *played)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    played->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(played->listening, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(played->listening, (struct sockaddr *)&address, &size), 0);
    snprintf(played->address, sizeof played->address, "127.0.0.1:%d", ntohs(address.sin_port));
}

static void play(struct played *played, int slots)
{
    play_nobody(played);
    cr_assert_eq(listen(played->listening, 8), 0);
    workerd_start(&played->daemon, played->address, slots);
}

static void line_close(struct line *line)
{
    close(line->fd);
    soon__packet_reader_fini(&line->reader);
}

static void play_end(struct played *played)
{
    line_close(&played->work);
    line_close(&played->control);
    workerd_stop(&played->daemon);
    close(played->listening);
}

static void assign_call(struct played *played, const char *handle, const soon_function *task, const char *unique,
                        soon_bytes argument)
{
    const struct soon__call_message call = completed(task, (struct soon__call_message){.argument = argument});
    soon_bytes arguments[] = {of_text(handle), of_text(task->name), of_text(unique), workload_of(&call)};

    line_say(&played->work, SOON__JOB_ASSIGN_UNIQ, arguments, 4);
    free((void *)arguments[3].data);
}

static void assign(struct played *played, const char *handle, const char *unique)
{
    assign_call(played, handle, &far_listen_task, unique, (soon_bytes){"", 1});
}

static void order_cancel(struct played *played, const char *unique)
{
    struct soon__message_writer writer;
    soon_bytes arguments[] = {of_text("H:control:1"), of_text("cancel@"), of_text("x"), {NULL, 0}};

    soon__writer_init(&writer);
    soon__write_order(&writer, &(struct soon__order_message){SOON__ORDER_CANCEL, unique});
    cr_assert_eq(soon__writer_end(&writer, &arguments[3]), 0);
    line_say(&played->control, SOON__JOB_ASSIGN_UNIQ, arguments, 4);
    soon__writer_fini(&writer);
    expect(&played->control, SOON__WORK_COMPLETE);
    expect(&played->control, SOON__GRAB_JOB_UNIQ);
}

Test(workerd_server, it_asks_for_no_more_jobs_than_it_has_idle_slots)
{
    struct played played;

    play(&played, 2);
    take_both(&played);
    expect(&played.work, SOON__GRAB_JOB_UNIQ);
    assign(&played, "H:1", "soon1-a.1");
    expect(&played.work, SOON__WORK_DATA);
    line_say(&played.work, SOON__NO_JOB, NULL, 0);
    expect(&played.work, SOON__PRE_SLEEP);
    line_say(&played.work, SOON__NOOP, NULL, 0);
    expect(&played.work, SOON__GRAB_JOB_UNIQ);
    assign(&played, "H:2", "soon1-b.1");
    expect(&played.work, SOON__WORK_DATA);

    /* Both slots are taken: there is nothing to be said until one is free. */
    line_say(&played.work, SOON__NOOP, NULL, 0);
    order_cancel(&played, "soon1-a.1");
    expect(&played.work, SOON__WORK_EXCEPTION);
    expect(&played.work, SOON__GRAB_JOB_UNIQ);
    line_say(&played.work, SOON__NO_JOB, NULL, 0);
    expect(&played.work, SOON__PRE_SLEEP);
    order_cancel(&played, "soon1-b.1");
    expect(&played.work, SOON__WORK_EXCEPTION);
    play_end(&played);
}

/* There are no jobs, up to its sleep. How often it has asked again before. */
static size_t refuse_until_asleep(struct played *played)
{
    enum soon__packet_type type;
    size_t again = 0;

    line_say(&played->work, SOON__NO_JOB, NULL, 0);
    while ((type = line_next(&played->work).type) == SOON__GRAB_JOB_UNIQ) {
        line_say(&played->work, SOON__NO_JOB, NULL, 0);
        again++;
    }
    cr_assert_eq(type, SOON__PRE_SLEEP, "%s", soon__packet_name(type));
    return again;
}

/* How many grabs are out when it has asked for more than one at once: it knows now that the function is short. Each that
 * was out is answered with a short task until then. */
static size_t give_short_tasks(struct played *played)
{
    const soon_bytes seven = {&(const int){7}, sizeof(int)};
    size_t grabs = 1;

    while (grabs < 2) {
        enum soon__packet_type type;

        assign_call(played, "H:1", &far_half_task, "soon1-a.1", seven);
        grabs--;
        do {
            type = line_next(&played->work).type;
            grabs += type == SOON__GRAB_JOB_UNIQ;
        } while (type != SOON__WORK_COMPLETE);
        while (!grabs) {
            expect(&played->work, SOON__GRAB_JOB_UNIQ);
            grabs++;
        }
    }
    return grabs;
}

Test(workerd_server, it_takes_some_jobs_ahead_while_all_that_it_has_are_short)
{
    struct played played;
    size_t grabs;

    play(&played, 1);
    take_both(&played);
    grabs = give_short_tasks(&played);
    assign(&played, "H:2", "soon1-long.1");
    for (size_t i = 1; i < grabs; i++)
        line_say(&played.work, SOON__NO_JOB, NULL, 0);
    line_say(&played.work, SOON__NOOP, NULL, 0);
    /* It asks for nothing while the one runs of which nothing is known. */
    expect(&played.work, SOON__WORK_DATA);
    order_cancel(&played, "soon1-long.1");
    expect(&played.work, SOON__WORK_EXCEPTION);
    expect(&played.work, SOON__GRAB_JOB_UNIQ);
    play_end(&played);
}

/* Whether it has asked for the next job while the task ran, so that it could sleep then. There is none. */
static bool asks_ahead(struct played *played)
{
    enum soon__packet_type next;

    assign_call(played, "H:1", &far_half_task, "soon1-a.1", (soon_bytes){&(const int){7}, sizeof(int)});
    expect(&played->work, SOON__WORK_DATA);
    next = line_next(&played->work).type;
    if (next == SOON__GRAB_JOB_UNIQ) {
        expect(&played->work, SOON__WORK_COMPLETE);
    } else {
        cr_assert_eq(next, SOON__WORK_COMPLETE, "%s", soon__packet_name(next));
        expect(&played->work, SOON__GRAB_JOB_UNIQ);
    }
    refuse_until_asleep(played);
    line_say(&played->work, SOON__NOOP, NULL, 0);
    expect(&played->work, SOON__GRAB_JOB_UNIQ);
    return next == SOON__GRAB_JOB_UNIQ;
}

Test(workerd_server, it_takes_one_job_ahead_until_many_have_come_in_a_row)
{
    struct played played;

    play(&played, 1);
    take_both(&played);
    while (!asks_ahead(&played))
        ;
    for (int i = 0; i < 3; i++)
        asks_ahead(&played);
    cr_assert_gt(give_short_tasks(&played), 1);
    play_end(&played);
}

/* A task that is given when one grab is out, from its start to its end and the next grab. */
static void give_task(struct played *played)
{
    assign_call(played, "H:1", &far_half_task, "soon1-a.1", (soon_bytes){&(const int){7}, sizeof(int)});
    for (int to_come = 3; to_come > 0;)
        to_come -= line_next(&played->work).type != SOON__WORK_STATUS;
}

Test(workerd_server, it_asks_for_a_while_before_it_sleeps_if_jobs_have_come_soon_after_others)
{
    enum { SLEEPS = 20, LATE_US = 1000 };
    struct played played;
    size_t asked_again, slept_at_once = 0;

    play(&played, 1);
    take_both(&played);
    give_task(&played);
    cr_assert_eq(refuse_until_asleep(&played), 0, "nothing is known of one job");
    do {
        line_say(&played.work, SOON__NOOP, NULL, 0);
        expect(&played.work, SOON__GRAB_JOB_UNIQ);
        for (int i = 0; i < 5; i++)
            give_task(&played);
        asked_again = refuse_until_asleep(&played);
    } while (asked_again == 0);
    /* They come late from now on, which it finds out. */
    while (slept_at_once < SLEEPS) {
        usleep(LATE_US);
        line_say(&played.work, SOON__NOOP, NULL, 0);
        expect(&played.work, SOON__GRAB_JOB_UNIQ);
        give_task(&played);
        slept_at_once = refuse_until_asleep(&played) == 0 ? slept_at_once + 1 : 0;
    }
    play_end(&played);
}

/* It need not wait until no other has a job. */
Test(workerd_server, a_server_without_jobs_may_call_while_another_has_some)
{
    struct played first, second;
    char both[64];

    play_nobody(&first);
    play_nobody(&second);
    snprintf(both, sizeof both, "%s,%s", first.address, second.address);
    cr_assert_eq(listen(first.listening, 8), 0);
    workerd_start(&first.daemon, both, 1);
    take_both(&first);
    cr_assert_eq(listen(second.listening, 8), 0);
    if (take_line(&second, &second.control)) { /* then the other is for work */
        take_line(&second, &second.work);
    } else {
        second.work = second.control;
        take_line(&second, &second.control);
    }

    line_say(&first.work, SOON__NO_JOB, NULL, 0);
    expect(&first.work, SOON__PRE_SLEEP);
    while (line_next(&second.work).type != SOON__GRAB_JOB_UNIQ)
        ;
    line_close(&second.work);
    line_close(&second.control);
    close(second.listening);
    play_end(&first);
}

Test(workerd_server, it_takes_its_functions_back_only_when_its_last_job_has_ended)
{
    struct played played;

    play(&played, 1);
    take_both(&played);
    assign(&played, "H:1", "soon1-a.1");
    expect(&played.work, SOON__WORK_DATA);
    kill(played.daemon.pid, SIGTERM);
    workerd_await(&played.daemon, "STOPPING=1");
    order_cancel(&played, "soon1-a.1");
    expect(&played.work, SOON__WORK_EXCEPTION);
    expect(&played.work, SOON__RESET_ABILITIES);
    line_close(&played.work);
    line_close(&played.control);
    cr_assert_eq(workerd_end(&played.daemon), 0);
    close(played.listening);
}

/* Waits until the daemon has closed it. */
static void await_close(struct line *line)
{
    char byte[256];

    while (read(line->fd, byte, sizeof byte) > 0)
        ;
}

Test(workerd_server, a_job_that_nobody_asked_for_ends_the_connection)
{
    struct played played;

    play(&played, 1);
    take_both(&played);
    line_say(&played.work, SOON__NO_JOB, NULL, 0);
    expect(&played.work, SOON__PRE_SLEEP);
    assign(&played, "H:1", "soon1-a.1");
    await_close(&played.work);
    cr_assert_null(strstr(workerd_said(&played.daemon), "runs far_listen"));
    play_end(&played);
}

/* An order is answered at once, also when it makes no sense. */
Test(workerd_server, what_makes_no_sense_ends_the_connection_and_not_the_daemon)
{
    static const char *const nonsense[] = {"HTTP/1.0 400 Bad Request\r\n\r\n", "\0RES\0\0\0\x1f\xff\xff\xff\xff"};
    struct played played;

    play(&played, 1);
    for (size_t i = 0; i < 2; i++) {
        take_both(&played);
        line_say(&played.control, SOON__JOB_ASSIGN_UNIQ,
                 (const soon_bytes[]){of_text("H:9"), of_text("cancel@"), of_text("x"), of_text("no order")}, 4);
        expect(&played.control, SOON__WORK_COMPLETE);
        cr_assert_eq(write(played.work.fd, nonsense[i], 12), 12);
        cr_assert_eq(write(played.control.fd, nonsense[i], 12), 12);
        line_close(&played.work);
        line_close(&played.control);
    }
    take_both(&played);
    assign(&played, "H:1", "soon1-a.1");
    expect(&played.work, SOON__WORK_DATA);
    order_cancel(&played, "soon1-a.1");
    play_end(&played);
}
