/*
 * gearmand_facts.c - what client and daemon build on: how the server that is installed behaves, seen through
 * connections.
 */
#include "../support/connection_fixture.h"
#include "../support/gearmand.h"

#include "../../executor/cluster/both/unique_internal.h"

#include <linux/filter.h>

static struct gearmand server;
static struct peer client, worker, admin;

static void begin(void)
{
    gearmand_or_skip();
    open_loop();
    gearmand_start(&server, NULL);
    admin.options.is_text = true;
    peer_connect(&client, server.address);
    peer_connect(&worker, server.address);
    peer_connect(&admin, server.address);
}

static void end(void)
{
    if (admin.connection) {
        peer_end(&client);
        peer_end(&worker);
        peer_end(&admin);
        close_loop();
    }
    gearmand_kill(&server);
}

TestSuite(gearmand_facts, .init = begin, .fini = end);

static const char *ask_admin(const char *question)
{
    size_t before = admin.lines_came;

    cr_assert_eq(soon__connection_write_text(admin.connection, question), 0);
    run_until(admin.lines_came > before);
    return admin.lines[before];
}

static void cancel(const char *handle)
{
    char line[128];

    snprintf(line, sizeof line, "cancel job %s\n", handle);
    cr_assert_str_eq(ask_admin(line), "OK");
}

/* Returns the handle. */
static const char *submit(const char *function, const char *unique, const char *workload)
{
    peer_say(&client, SOON__SUBMIT_JOB, function, unique, workload);
    return peer_hear(&client, SOON__JOB_CREATED)->arguments[0];
}

/* The worker asks for a job, and must get one. */
static const struct peer_packet *grab(void)
{
    peer_say(&worker, SOON__GRAB_JOB_UNIQ, NULL);
    return peer_hear(&worker, SOON__JOB_ASSIGN_UNIQ);
}

/* What the server has been told by the worker before has reached it. */
static void sync_worker(void)
{
    peer_say(&worker, SOON__GRAB_JOB_UNIQ, NULL);
    peer_hear(&worker, SOON__NO_JOB);
}

Test(gearmand_facts, a_job_has_its_unique_and_all_bytes_on_its_way_and_back)
{
    const soon_bytes arguments[] = {{"f", 1}, {"soon1-u", 7}, {"a\0b\0", 4}};
    const struct peer_packet *job, *result;
    soon_bytes answer[2];

    peer_say(&worker, SOON__CAN_DO, "f");
    cr_assert_eq(soon__connection_write(client.connection, SOON__SUBMIT_JOB, arguments, 3), 0);
    peer_hear(&client, SOON__JOB_CREATED);
    job = grab();
    cr_assert_str_eq(job->arguments[0], client.packets[0].arguments[0]);
    cr_assert_str_eq(job->arguments[1], "f");
    cr_assert_str_eq(job->arguments[2], "soon1-u");
    cr_assert_eq(job->sizes[3], 4);
    cr_assert_eq(memcmp(job->arguments[3], "a\0b\0", 4), 0);

    answer[0] = (soon_bytes){job->arguments[0], job->sizes[0]};
    answer[1] = (soon_bytes){"\0r\0", 3};
    cr_assert_eq(soon__connection_write(worker.connection, SOON__WORK_COMPLETE, answer, 2), 0);
    result = peer_hear(&client, SOON__WORK_COMPLETE);
    cr_assert_str_eq(result->arguments[0], job->arguments[0]);
    cr_assert_eq(result->sizes[1], 3);
    cr_assert_eq(memcmp(result->arguments[1], "\0r\0", 3), 0);
}

/* Else the server makes a WORK_FAIL of it, whose handle then ends with a NUL, which the reader takes off. */
Test(gearmand_facts, exceptions_come_only_to_a_connection_that_has_asked_for_them)
{
    const char *handle = submit("f", "u1", "x");

    peer_say(&worker, SOON__CAN_DO, "f");
    grab();
    peer_say(&worker, SOON__WORK_EXCEPTION, handle, "why");
    cr_assert_eq(peer_hear(&client, SOON__WORK_FAIL)->sizes[0], strlen(handle));

    peer_say(&client, SOON__OPTION_REQ, "exceptions");
    peer_hear(&client, SOON__OPTION_RES);
    handle = submit("f", "u2", "x");
    grab();
    peer_say(&worker, SOON__WORK_EXCEPTION, handle, "why");
    cr_assert_str_eq(peer_hear(&client, SOON__WORK_EXCEPTION)->arguments[1], "why");
}

/* So no WORK_FAIL follows it: the server would answer with an ERROR. */
Test(gearmand_facts, an_exception_ends_a_job)
{
    const char *handle;

    peer_say(&client, SOON__OPTION_REQ, "exceptions");
    peer_hear(&client, SOON__OPTION_RES);
    peer_say(&worker, SOON__CAN_DO, "f");
    handle = submit("f", "u", "x");
    grab();
    peer_say(&worker, SOON__WORK_EXCEPTION, handle, "why");
    peer_hear(&client, SOON__WORK_EXCEPTION);
    cr_assert_str_eq(ask_admin("status\n"), "f\t0\t0\t1");
    peer_say(&worker, SOON__WORK_FAIL, handle);
    cr_assert_str_eq(peer_hear(&worker, SOON__ERROR)->arguments[0], "JOB_NOT_FOUND");
}

Test(gearmand_facts, what_is_said_of_a_job_that_the_server_does_not_know_is_answered_with_an_error)
{
    static const enum soon__packet_type types[] = {SOON__WORK_DATA, SOON__WORK_COMPLETE, SOON__WORK_EXCEPTION};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        peer_say(&worker, types[i], "H:nobody:1", "x");
        cr_assert_str_eq(peer_hear(&worker, SOON__ERROR)->arguments[0], "JOB_NOT_FOUND");
    }
    submit("f", "u", "x"); /* and it lives */
}

Test(gearmand_facts, a_failure_has_the_same_handle_as_all_other_packets)
{
    const char *handle;

    peer_say(&worker, SOON__CAN_DO, "f");
    handle = submit("f", "u", "x");
    grab();
    peer_say(&worker, SOON__WORK_DATA, handle, "d");
    peer_say(&worker, SOON__WORK_STATUS, handle, "1", "2");
    peer_say(&worker, SOON__WORK_FAIL, handle);
    cr_assert_str_eq(peer_hear(&client, SOON__WORK_DATA)->arguments[0], handle);
    cr_assert_str_eq(peer_hear(&client, SOON__WORK_STATUS)->arguments[0], handle);
    cr_assert_eq(peer_hear(&client, SOON__WORK_FAIL)->sizes[0], strlen(handle));
    cr_assert_str_eq(client.packets[client.taken - 1].arguments[0], handle);
}

/* A bound is only taken for a function that the server knows. */
Test(gearmand_facts, an_error_comes_in_the_place_of_the_job_where_the_queue_is_full)
{
    peer_say(&worker, SOON__CAN_DO, "f");
    sync_worker();
    cr_assert_str_eq(ask_admin("maxqueue f 1\n"), "OK");
    submit("f", "u1", "x");
    peer_say(&client, SOON__SUBMIT_JOB, "f", "u2", "x");
    peer_say(&client, SOON__SUBMIT_JOB, "g", "u3", "x");
    cr_assert_str_eq(peer_hear(&client, SOON__ERROR)->arguments[0], "QUEUE_ERROR");
    peer_hear(&client, SOON__JOB_CREATED);
}

Test(gearmand_facts, a_cancelled_job_still_counts_for_the_bound_of_its_queue)
{
    peer_say(&worker, SOON__CAN_DO, "f");
    sync_worker();
    cr_assert_str_eq(ask_admin("maxqueue f 1\n"), "OK");
    cancel(submit("f", "u1", "x"));
    peer_hear(&client, SOON__WORK_FAIL);
    peer_say(&client, SOON__SUBMIT_JOB, "f", "u2", "x");
    cr_assert_str_eq(peer_hear(&client, SOON__ERROR)->arguments[0], "QUEUE_ERROR");
}

Test(gearmand_facts, a_waiting_job_that_is_cancelled_fails_at_once_and_is_given_to_nobody)
{
    const char *handle = submit("f", "u", "x");

    cancel(handle);
    cr_assert_str_eq(peer_hear(&client, SOON__WORK_FAIL)->arguments[0], handle);
    peer_say(&worker, SOON__CAN_DO, "f");
    sync_worker();
}

/* That is why a unique has the attempt in it. */
Test(gearmand_facts, the_unique_of_a_running_job_that_was_cancelled_leads_to_nothing)
{
    const char *handle;

    peer_say(&worker, SOON__CAN_DO, "f");
    handle = submit("f", "u.1", "x");
    grab();
    cancel(handle);
    peer_hear(&client, SOON__WORK_FAIL);
    cr_assert_str_eq(submit("f", "u.1", "x"), handle);
    sync_worker();
    submit("f", "u.2", "x");
    cr_assert_str_eq(grab()->arguments[2], "u.2");
}

Test(gearmand_facts, a_job_with_the_same_unique_is_attached_to)
{
    struct peer other = {0};
    const char *handle = submit("f", "u", "x");

    peer_connect(&other, server.address);
    peer_say(&other, SOON__SUBMIT_JOB, "f", "u", "x");
    cr_assert_str_eq(peer_hear(&other, SOON__JOB_CREATED)->arguments[0], handle);
    peer_say(&worker, SOON__CAN_DO, "f");
    grab();
    sync_worker();
    peer_say(&worker, SOON__WORK_COMPLETE, handle, "r");
    peer_hear(&client, SOON__WORK_COMPLETE);
    peer_hear(&other, SOON__WORK_COMPLETE);
    peer_end(&other);
}

Test(gearmand_facts, handles_begin_anew_when_the_server_does)
{
    char handle[128];

    snprintf(handle, sizeof handle, "%s", submit("f", "u1", "x"));
    gearmand_restart(&server);
    run_until(client.ups == 2 && worker.ups == 2 && admin.ups == 2);
    cr_assert_str_eq(submit("f", "u2", "x"), handle);
}

Test(gearmand_facts, functions_take_turns_in_one_worker)
{
    static const char *const functions[] = {"a", "b"};
    char last = 0;

    for (int i = 0; i < 6; i++) {
        char unique[] = {'u', (char)('0' + i), '\0'};

        peer_say(&client, SOON__SUBMIT_JOB, functions[i / 3], unique, "x");
        peer_hear(&client, SOON__JOB_CREATED);
    }
    peer_say(&worker, SOON__CAN_DO, "a");
    peer_say(&worker, SOON__CAN_DO, "b");
    for (int i = 0; i < 6; i++) {
        const struct peer_packet *job = grab();

        cr_assert_neq(job->arguments[1][0], last);
        last = job->arguments[1][0];
        peer_say(&worker, SOON__WORK_COMPLETE, job->arguments[0], "r");
    }
}

Test(gearmand_facts, a_function_that_nobody_has_waits_and_the_status_tells)
{
    submit("nobody_has_it", "u", "x");
    cr_assert_str_eq(ask_admin("status\n"), "nobody_has_it\t1\t0\t0");
    run_until(admin.lines_came == 2);
    cr_assert_str_eq(admin.lines[1], ".");
}

Test(gearmand_facts, a_worker_that_sleeps_is_woken_by_a_job)
{
    peer_say(&worker, SOON__CAN_DO, "f");
    sync_worker();
    peer_say(&worker, SOON__PRE_SLEEP, NULL);
    submit("f", "u", "x");
    peer_hear(&worker, SOON__NOOP);
    grab();
}

Test(gearmand_facts, a_job_goes_to_the_next_worker_when_the_first_is_gone)
{
    struct peer other = {0};

    peer_say(&worker, SOON__CAN_DO, "f");
    submit("f", "soon1-u", "x");
    grab();
    peer_connect(&other, server.address);
    peer_say(&other, SOON__CAN_DO, "f");
    peer_say(&other, SOON__PRE_SLEEP, NULL);
    soon__connection_close(worker.connection, 0);
    peer_hear(&other, SOON__NOOP);
    peer_say(&other, SOON__GRAB_JOB_UNIQ, NULL);
    cr_assert_str_eq(peer_hear(&other, SOON__JOB_ASSIGN_UNIQ)->arguments[2], "soon1-u");
    peer_end(&other);
}

/* A worker without a loop, on a descriptor: it takes a job. */
static void take_a_job(int fd)
{
    static const char packets[] = "\0REQ\0\0\0\x01\0\0\0\x01"
                                  "f\0REQ\0\0\0\x20\0\0\0\x05"
                                  "f\0u\0x\0REQ\0\0\0\x1e\0\0\0\0";
    struct soon__packet packet = {.type = SOON__NOOP};
    struct soon__packet_reader reader;
    size_t room;
    void *to;

    cr_assert_eq(write(fd, packets, sizeof packets - 1), (ssize_t)sizeof packets - 1);
    soon__packet_reader_init(&reader, SIZE_MAX, true);
    while (packet.type != SOON__JOB_ASSIGN_UNIQ) {
        cr_assert_eq(soon__packet_reader_room(&reader, &to, &room), 0);
        soon__packet_reader_add(&reader, (size_t)read(fd, to, room));
        while (packet.type != SOON__JOB_ASSIGN_UNIQ && soon__packet_reader_next(&reader, &packet) == 1)
            ;
    }
    soon__packet_reader_fini(&reader);
}

/* From now on nothing that comes is taken in, not even by the system: as if the machine were gone. */
static void vanish(int fd)
{
    struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog program = {1, &nothing};

    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

/* It says nothing. Without --keepalive its job would be its for ever. */
Test(gearmand_facts, a_machine_that_vanishes_is_noticed_where_connections_are_kept_alive)
{
    static const char *const alive[] = {"--keepalive-idle=1", "--keepalive-interval=1", "--keepalive-count=1", NULL};
    static struct gearmand keeping;
    struct peer other = {0};
    int fd;

    gearmand_start(&keeping, alive);
    fd = gearmand_connect(keeping.port);
    take_a_job(fd);
    vanish(fd);

    peer_connect(&other, keeping.address);
    peer_say(&other, SOON__CAN_DO, "f");
    peer_say(&other, SOON__PRE_SLEEP, NULL);
    peer_hear(&other, SOON__NOOP);
    peer_say(&other, SOON__GRAB_JOB_UNIQ, NULL);
    cr_assert_str_eq(peer_hear(&other, SOON__JOB_ASSIGN_UNIQ)->arguments[2], "u");
    peer_end(&other);
    close(fd);
    gearmand_kill(&keeping);
}

static const char *of_a_program(void)
{
    char command[128];

    snprintf(command, sizeof command, "gearman -h 127.0.0.1 -p %d -b -f f hello", server.port);
    cr_assert_eq(system(command), 0);
    return "hello";
}

/* A private frame may go only to who has made a unique of ours. */
Test(gearmand_facts, a_unique_shows_whether_a_foreign_client_has_made_it)
{
    const struct peer_packet *job;

    peer_say(&worker, SOON__CAN_DO, "f");
    if (access("/usr/bin/gearman", X_OK) != 0) {
        fprintf(stderr, "skipped: there is no gearman here (Debian's gearman-tools)\n");
        cr_skip_test("there is no gearman");
    }
    of_a_program();
    job = grab();
    cr_assert_str_eq(job->arguments[3], "hello");
    cr_assert_not(soon__unique_is_ours((soon_bytes){job->arguments[2], job->sizes[2]}));
}

/* Never sent: the server gives a job that was late to the next, and so it runs more than once. */
Test(gearmand_facts, no_packet_of_ours_has_a_time_limit_of_the_servers)
{
    cr_assert_str_eq(soon__packet_name(23), "?"); /* CAN_DO_TIMEOUT */
}

enum { LARGE = 100 << 20 };

static bool is_large_result(const soon_bytes *bytes)
{
    const char *data = bytes->data;

    return bytes->size == LARGE && data[0] == 'b' && data[LARGE - 1] == 'z';
}

static size_t large_came;

static void take_large(struct peer *peer, const struct soon__packet *packet)
{
    const soon_bytes *last = &packet->arguments[packet->count - 1];
    void *to;

    if (packet->type == SOON__JOB_ASSIGN_UNIQ) {
        cr_assert(is_large_result(last));
        cr_assert_eq(
            soon__connection_write_space(peer->connection, SOON__WORK_COMPLETE, packet->arguments, 1, LARGE, &to), 0);
        memcpy(to, last->data, LARGE);
    } else if (packet->type == SOON__WORK_COMPLETE) {
        cr_assert(is_large_result(last));
        large_came++;
    }
}

/* Meanwhile the server is asked whether it lives, and answers late: that alone is no reason to lose it. */
Test(gearmand_facts, a_hundred_megabytes_go_there_and_back)
{
    const soon_bytes arguments[] = {{"f", 1}, {"u", 1}};
    char *to;

    client.on_packet = worker.on_packet = take_large;
    peer_say(&worker, SOON__CAN_DO, "f");
    cr_assert_eq(soon__connection_write_space(client.connection, SOON__SUBMIT_JOB, arguments, 2, LARGE, (void **)&to),
                 0);
    memset(to, 'y', LARGE);
    to[0] = 'b';
    to[LARGE - 1] = 'z';
    cr_assert(soon__connection_is_crowded(client.connection));
    run_until(client.drained);
    peer_say(&worker, SOON__GRAB_JOB_UNIQ, NULL);
    run_until(large_came);
    cr_assert_eq(client.losses + worker.losses, 0);
}
