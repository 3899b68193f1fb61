/*
 * gearman.c - the least that two programs can do with a Gearman server between them: 8 bytes there and back, over plain
 * sockets that block. It is the limit of what the cluster executor can reach with that server.
 *
 *     peer_gearman roundtrip|flood port=N slots= rounds= tasks= passes=
 *
 * A forked child is the worker, with as many outstanding requests for a job as it has slots.
 */
#include "../bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CAN_DO = 1,
    PRE_SLEEP = 4,
    NOOP = 6,
    SUBMIT_JOB = 7,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    HEAD = 12
};

/* A connection, what came by it, and what is to leave by it. */
struct wire {
    int fd;
    char in[1 << 18], out[1 << 18];
    size_t begin, end, filled;
};

static void flush(struct wire *wire)
{
    for (size_t at = 0; at < wire->filled;) {
        ssize_t sent = send(wire->fd, wire->out + at, wire->filled - at, MSG_NOSIGNAL);
        bench_check(sent > 0, "the server takes nothing any more");
        at += (size_t)sent;
    }
    wire->filled = 0;
}

static void put(struct wire *wire, uint32_t type, const void *data, size_t size)
{
    uint32_t head[3] = {0, htonl(type), htonl((uint32_t)size)};

    memcpy(head, "\0REQ", 4);
    if (wire->filled + HEAD + size > sizeof wire->out)
        flush(wire);
    memcpy(wire->out + wire->filled, head, HEAD);
    memcpy(wire->out + wire->filled + HEAD, data, size);
    wire->filled += HEAD + size;
}

/* Whether a whole packet is there: its type and its body. */
static bool have(struct wire *wire, uint32_t *ret_type, const char **ret, size_t *ret_size)
{
    uint32_t head[3];

    if (wire->end - wire->begin < HEAD)
        return false;
    memcpy(head, wire->in + wire->begin, HEAD);
    *ret_type = ntohl(head[1]);
    *ret_size = ntohl(head[2]);
    bench_check(*ret_size < sizeof wire->in - HEAD, "a packet of that size");
    if (wire->end - wire->begin < HEAD + *ret_size)
        return false;
    *ret = wire->in + wire->begin + HEAD;
    wire->begin += HEAD + *ret_size;
    return true;
}

/* The next packet; what is to leave leaves before it is waited for. */
static uint32_t take(struct wire *wire, const char **ret, size_t *ret_size)
{
    uint32_t type;

    while (!have(wire, &type, ret, ret_size)) {
        flush(wire);
        memmove(wire->in, wire->in + wire->begin, wire->end - wire->begin);
        wire->end -= wire->begin;
        wire->begin = 0;
        ssize_t got = recv(wire->fd, wire->in + wire->end, sizeof wire->in - wire->end, 0);
        if (got <= 0)
            exit(1);
        wire->end += (size_t)got;
    }
    return type;
}

static struct wire *connected(int port)
{
    struct wire *wire = bench_alloc(1, sizeof *wire);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(wire->fd, (struct sockaddr *)&address, sizeof address) < 0)
        bench_skip("no Gearman server at that port");
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return wire;
}

static _Noreturn void work(int port, int slots)
{
    struct wire *wire = connected(port);
    const char *body;
    size_t size;

    put(wire, CAN_DO, "echo", 4);
    for (int i = 0; i < slots; i++)
        put(wire, GRAB_JOB, "", 0);
    for (int asked = slots;;) {
        switch (take(wire, &body, &size)) {
        case JOB_ASSIGN: { /* handle, function, 8 bytes */
            size_t handle = strlen(body);
            char answer[128];
            memcpy(answer, body, handle + 1);
            memcpy(answer + handle + 1, body + size - 8, 8);
            put(wire, WORK_COMPLETE, answer, handle + 9);
            put(wire, GRAB_JOB, "", 0);
            break;
        }
        case NO_JOB:
            if (--asked == 0)
                put(wire, PRE_SLEEP, "", 0);
            break;
        case NOOP:
            for (; asked < slots; asked++)
                put(wire, GRAB_JOB, "", 0);
            break;
        default:
            break;
        }
    }
}

static void submit(struct wire *wire, uint64_t number)
{
    char body[64];
    int head = snprintf(body, sizeof body, "echo%c%llu%c", 0, (unsigned long long)number, 0);

    memcpy(body + head, &number, 8);
    put(wire, SUBMIT_JOB, body, (size_t)head + 8);
}

static uint64_t result(struct wire *wire)
{
    const char *body;
    size_t size;
    uint64_t number;

    while (take(wire, &body, &size) != WORK_COMPLETE)
        continue;
    memcpy(&number, body + size - 8, 8);
    return number;
}

static void roundtrips(struct wire *wire, size_t rounds, int64_t *times_ns)
{
    for (size_t i = 0; i < rounds; i++) {
        int64_t started_ns = bench_now_ns();
        submit(wire, i);
        bench_check(result(wire) == i, "a result");
        times_ns[i] = bench_now_ns() - started_ns;
    }
}

static double flood(struct wire *wire, size_t tasks)
{
    uint64_t sum = 0;
    int64_t started_ns = bench_now_ns();

    for (size_t i = 0; i < tasks; i++)
        submit(wire, i);
    for (size_t i = 0; i < tasks; i++)
        sum += result(wire);
    bench_check(sum == bench_sum(tasks) - tasks, "the results");
    return (double)(bench_now_ns() - started_ns) / (double)tasks;
}

int main(int argc, char **argv)
{
    bench_start(argc - 1, argv + 1);
    bool floods = argc > 1 && strcmp(argv[1], "flood") == 0;
    int port = (int)bench_number("port", 4730), slots = (int)bench_number("slots", floods ? 8 : 1);
    size_t rounds = (size_t)bench_number("rounds", 2000), tasks = (size_t)bench_number("tasks", 10000);
    int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
    pid_t worker = fork();

    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(port, slots);
    }
    struct wire *wire = connected(port);
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        if (floods) {
            bench_metric("ns_per_task", flood(wire, tasks));
            continue;
        }
        roundtrips(wire, rounds, times_ns);
        bench_percentiles(times_ns, rounds);
    }
    kill(worker, SIGKILL);
    free(times_ns);
    free(wire);
    return bench_finish();
}
