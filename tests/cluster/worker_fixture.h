/*
 * worker_fixture.h - a cluster whose server is a real gearmand, and whose workers the test plays itself: it takes a job
 * from the server and says what a worker, of this library or not, may say about it.
 */
#ifndef SOON_TESTS_CLUSTER_WORKER_FIXTURE_H
#define SOON_TESTS_CLUSTER_WORKER_FIXTURE_H

#include "../../executor/cluster/both/digest_internal.h"
#include "../../executor/cluster/both/message_internal.h"
#include "../../executor/cluster/both/unique_internal.h"
#include "../support/gearmand.h"
#include "../support/packets.h"
#include "../support/pools.h"

#include <netinet/tcp.h>

struct worker {
    int fd;
    struct soon__packet_reader reader;
};

/* A job that a worker has got. */
struct job {
    char handle[128], function[128], unique[65];
    char *workload;
    size_t size;
    struct soon__call_message call; /* of ours; it points into the workload */
};

static inline void worker_say(struct worker *worker, enum soon__packet_type type, const soon_bytes *arguments,
                              size_t count)
{
    cr_assert(packet_send(worker->fd, true, type, arguments, count));
}

static inline soon_bytes text_bytes(const char *text)
{
    return (soon_bytes){text, strlen(text)};
}

static inline void worker_say_text(struct worker *worker, enum soon__packet_type type, const char *text)
{
    const soon_bytes argument = text_bytes(text);

    worker_say(worker, type, &argument, 1);
}

/* Waits for the next packet. False: the server is gone. */
static inline bool worker_hear(struct worker *worker, struct soon__packet *ret)
{
    return packet_receive(worker->fd, &worker->reader, ret);
}

/* It can do `function`; NULL: nothing yet. */
static inline struct worker worker_new(int port, const char *function)
{
    struct worker worker = {.fd = gearmand_connect(port)};

    cr_assert_geq(worker.fd, 0);
    setsockopt(worker.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    soon__packet_reader_init(&worker.reader, 64 << 20, true);
    if (function)
        worker_say_text(&worker, SOON__CAN_DO, function);
    return worker;
}

static inline void worker_free(struct worker *worker)
{
    close(worker->fd);
    soon__packet_reader_fini(&worker->reader);
}

static inline void copy_text(char *to, size_t size, soon_bytes from)
{
    cr_assert_lt(from.size, size);
    memcpy(to, from.data, from.size);
    to[from.size] = '\0';
}

static inline struct job job_of(const struct soon__packet *packet)
{
    struct job job = {.size = packet->arguments[3].size};

    copy_text(job.handle, sizeof job.handle, packet->arguments[0]);
    copy_text(job.function, sizeof job.function, packet->arguments[1]);
    copy_text(job.unique, sizeof job.unique, packet->arguments[2]);
    job.workload = malloc(job.size + 1);
    memcpy(job.workload, packet->arguments[3].data, job.size);
    job.workload[job.size] = '\0';
    if (soon__unique_is_ours(packet->arguments[2]) && strncmp(job.function, "cancel@", 7) != 0)
        cr_assert_eq(soon__read_call(&job.call, (soon_bytes){job.workload, job.size}), 0);
    return job;
}

/* Asks once. False: there is none. */
static inline bool worker_try_grab(struct worker *worker, struct job *ret)
{
    struct soon__packet packet;

    worker_say(worker, SOON__GRAB_JOB_UNIQ, NULL, 0);
    do
        cr_assert(worker_hear(worker, &packet));
    while (packet.type != SOON__NO_JOB && packet.type != SOON__JOB_ASSIGN_UNIQ);
    if (packet.type == SOON__JOB_ASSIGN_UNIQ)
        *ret = job_of(&packet);
    return packet.type == SOON__JOB_ASSIGN_UNIQ;
}

/* Waits for a job. */
static inline struct job worker_grab(struct worker *worker)
{
    struct soon__packet packet;
    struct job job;

    while (!worker_try_grab(worker, &job)) {
        worker_say(worker, SOON__PRE_SLEEP, NULL, 0);
        do
            cr_assert(worker_hear(worker, &packet));
        while (packet.type != SOON__NOOP);
    }
    return job;
}

static inline void job_free(struct job *job)
{
    free(job->workload);
}

/* Takes the message. */
static inline void job_say(struct worker *worker, const struct job *job, enum soon__packet_type type,
                           struct soon__message_writer *writer)
{
    soon_bytes arguments[2] = {text_bytes(job->handle), {NULL, 0}};

    cr_assert_eq(soon__writer_end(writer, &arguments[1]), 0);
    worker_say(worker, type, arguments, 2);
    soon__writer_fini(writer);
}

static inline void job_starts_on(struct worker *worker, const struct job *job, const char *name)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_start(&writer, &(struct soon__start_message){.host = "far", .worker = name});
    job_say(worker, job, SOON__WORK_DATA, &writer);
}

static inline void job_starts(struct worker *worker, const struct job *job)
{
    job_starts_on(worker, job, "far-1");
}

static inline void job_lives(struct worker *worker, const struct job *job)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_alive(&writer);
    job_say(worker, job, SOON__WORK_DATA, &writer);
}

static inline void job_succeeds(struct worker *worker, const struct job *job, const void *data, size_t size)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_result(&writer, 0);
    soon__put_item_result(&writer, &(struct soon__item_result_message){.result = {data, size}});
    job_say(worker, job, SOON__WORK_COMPLETE, &writer);
}

static inline void job_ends(struct worker *worker, const struct job *job, const struct soon__error_message *error)
{
    struct soon__message_writer writer;

    soon__writer_init(&writer);
    soon__write_error(&writer, error);
    job_say(worker, job, SOON__WORK_EXCEPTION, &writer);
    worker_say_text(worker, SOON__WORK_FAIL, job->handle);
}

static inline void job_fails(struct worker *worker, const struct job *job, int code)
{
    const struct soon__error_message error = {.code = code,
                                              .started = true,
                                              .attempt = job->call.attempt,
                                              .host = "far",
                                              .worker = "far-1",
                                              .message = "it failed, far away"};

    job_ends(worker, job, &error);
}

/* Waits for what the daemon far-1 is told, on its control connection. Returns the order; `unique` gets whose job. */
static inline enum soon__order order_of(struct worker *control, char unique[65])
{
    struct job job = worker_grab(control);
    struct soon__order_message order;

    cr_assert_str_eq(job.function, "cancel@far-1");
    cr_assert_eq(soon__read_order(&order, (soon_bytes){job.workload, job.size}), 0);
    strcpy(unique, order.unique);
    worker_say(control, SOON__WORK_COMPLETE, (const soon_bytes[]){text_bytes(job.handle), {NULL, 0}}, 2);
    job_free(&job);
    return order.order;
}

/* Raw data of a foreign worker. */
static inline void job_says(struct worker *worker, const struct job *job, enum soon__packet_type type, const char *text)
{
    const soon_bytes arguments[2] = {text_bytes(job->handle), text_bytes(text)};

    worker_say(worker, type, arguments, 2);
}

/*
 * The cluster
 */

SOON_TASK(far, int, int)
{
    *result = *arg;
    return 0;
}

/* Submits far(7). */
static inline soon_future *submit_far(soon_executor *cluster, const soon_submit_options *options)
{
    return far_submit(cluster, &(int){7}, options);
}

/* Waits for the end. */
static inline void assert_ends(soon_future *future, int code)
{
    cr_assert_eq(soon_future_wait(future, SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(future)->code, code, "%s", soon_future_error(future)->message);
}

static inline void assert_gives(soon_future *future, int value)
{
    int result = ~value;

    cr_assert_eq(soon_result(future, &result), 0, "%s", soon_last_error()->message);
    cr_assert_eq(result, value);
}

static inline void job_gives(struct worker *worker, const struct job *job, int value)
{
    job_succeeds(worker, job, &value, sizeof value);
}

static inline soon_executor *cluster_of(const soon_cluster_options *options)
{
    soon_executor *cluster = NULL;

    cr_assert_eq(soon_cluster_new(&cluster, options), 0, "%s", soon_last_error()->message);
    return cluster;
}
/* new_cluster(&server, .in_flight_max = 2) */
#define new_cluster(server, ...) cluster_of(&(soon_cluster_options){.servers = (server)->address, ##__VA_ARGS__})

/* Is this part of the answer? */
static inline bool gearmand_says(int port, const char *question, const char *part)
{
    int fd = gearmand_connect(port);
    char answer[4096] = "";
    size_t size = 0;
    ssize_t got;

    if (fd < 0)
        return false;
    gearmand_do_not_wait_for_ever(fd);
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question))
        size = sizeof answer - 1;
    while (size < sizeof answer - 1 && (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0) {
        size += (size_t)got;
        answer[size] = '\0';
        if (strcmp(answer + size - (size < 2 ? size : 2), ".\n") == 0 || strstr(answer, "OK"))
            break;
    }
    close(fd);
    return strstr(answer, part);
}

/* libuv opens /dev/null with its first connection, and keeps it. */
static inline void cluster_warm_up(void)
{
    soon_executor *cluster = cluster_of(&(soon_cluster_options){.servers = "127.0.0.1:1"});

    cr_assert_eq(soon_executor_boot(cluster, SOON_FOREVER), -ECONNREFUSED);
    free_pool(cluster);
    test_accept_open_descriptors();
}

/* Waits until the calls are with the server, so that what comes now finds them there. */
static inline void await_jobs(const struct gearmand *server, const char *function, int count)
{
    char expected[160];

    snprintf(expected, sizeof expected, "%s\t%d\t", function, count);
    while (!gearmand_says(server->port, "status\n", expected))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* it does not like many connections at once */
}

#define with_server(name)                                                                                              \
    struct gearmand name;                                                                                              \
    gearmand_or_skip();                                                                                                \
    cluster_warm_up();                                                                                                 \
    gearmand_start(&name, NULL)

/* A server, a cluster, a worker of far. */
struct cluster_setup {
    struct gearmand server;
    soon_executor *cluster;
    struct worker worker;
};
#define set_up(name, ...)                                                                                              \
    struct cluster_setup name;                                                                                         \
    gearmand_or_skip();                                                                                                \
    cluster_warm_up();                                                                                                 \
    gearmand_start(&name.server, NULL);                                                                                \
    name.cluster = new_cluster(&name.server, ##__VA_ARGS__);                                                           \
    name.worker = worker_new(name.server.port, "far")

static inline void tear_down(struct cluster_setup *setup)
{
    worker_free(&setup->worker);
    free_pool(setup->cluster);
    gearmand_kill(&setup->server);
}

#endif
