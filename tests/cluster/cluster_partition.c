/*
 * cluster_partition.c - a client, a server and two daemons on machines of their own, one of which is cut off from the
 * others and comes back. Nobody is told: each finds out by itself, or never.
 *
 * A task stands at a gate of the machine that it runs on, so that the test knows where it is and lets it go on there.
 */
#include "../support/gate.h"

struct gates {
    struct gate on[2];
};

/* Its result is the machine: 0 or 1. Whatever else is asked of it, it does not hear. */
SOON_TASK(stand, struct gates, int)
{
    *result = atoi(getenv("MACHINE"));
    return gate_pass(arg->on[*result], NULL);
}

#ifndef SOON_TEST_TASKS

#include "../support/machines.h"
#include "../support/workerd.h"
#include "flights.h"
#include "worker_fixture.h"

enum { CLIENT, SERVER, FIRST, SECOND };
enum { PATIENT_MS = 300000 }; /* a lease that does not end in a test, nor lets a heartbeat be sent */

TestSuite(cluster_partition);

struct site {
    struct machines machines;
    struct gearmand server;
    char address[32];
    struct workerd daemons[2];
    soon_executor *cluster;
    struct gates gates, other; /* who comes to a gate when it opens may be faster than who stands there */
};

/* A server that notices after two seconds that a machine is gone, if it has nothing to say to it. */
static const char *const quick[] = {"--keepalive-idle=1", "--keepalive-interval=1", "--keepalive-count=1", NULL};

static void start_daemon(struct site *site, int which, int slots)
{
    /* A task whose connection was lost has time until the test lets it go on. */
    const char *const more[] = {"--name", which == 0 ? "first" : "second", "--grace-ms", "300000", NULL};

    machine_enter(&site->machines, FIRST + which);
    setenv("MACHINE", which == 0 ? "0" : "1", true);
    workerd_start_with(&site->daemons[which], site->address, slots, more);
    machine_enter(&site->machines, CLIENT);
}

static void begin_at(struct site *site, const char *const *keepalive, const soon_cluster_options *options)
{
    soon_cluster_options with_servers = *options;

    machine_enter(&site->machines, SERVER);
    gearmand_start_at(&site->server, "0.0.0.0", keepalive);
    machine_enter(&site->machines, CLIENT);
    snprintf(site->address, sizeof site->address, "%s:%d", machine_address(SERVER), site->server.port);
    machines_move_library(&site->machines, CLIENT);
    with_servers.servers = site->address;
    site->cluster = cluster_of(&with_servers);
    site->gates = (struct gates){{gate_new(), gate_new()}};
    site->other = (struct gates){{gate_new(), gate_new()}};
}

/* A server, as `quick` or NULL, which is slower to notice than any test; and a client. */
#define begin(site, keepalive)                                                                                         \
    gearmand_or_skip();                                                                                                \
    cluster_warm_up();                                                                                                 \
    machines_begin_or_skip(&(site)->machines);                                                                         \
    begin_at(site, keepalive, &(soon_cluster_options){.lease_ms = PATIENT_MS})

static void end(struct site *site)
{
    free_pool(site->cluster);
    for (int i = 0; i < 2; i++) {
        if (site->daemons[i].pid)
            workerd_stop(&site->daemons[i]);
        gate_free(site->gates.on[i]);
        gate_free(site->other.on[i]);
    }
    gearmand_kill(&site->server);
    machines_end(&site->machines);
}

static soon_future *submit(struct site *site, const struct gates *gates)
{
    return stand_submit(site->cluster, gates, NULL);
}

/* So many tasks, all of which are at a gate, which is that of the first daemon. */
static void submit_to_first(struct site *site, soon_future **futures, int count, const soon_submit_options *options)
{
    for (int i = 0; i < count; i++)
        futures[i] = stand_submit(site->cluster, &site->gates, &options[i]);
    gate_await(site->gates.on[0], count);
    for (int i = 0; i < count; i++)
        test_wait_until(soon_future_running(futures[i]));
}

/*
 * What others know
 */

/* The whole answer, which ends with a line of its own; or "". */
static void ask_server(const struct site *site, char *answer, size_t size)
{
    int fd = gearmand_connect(site->server.port);
    size_t length = 0;
    ssize_t got = fd < 0 ? 0 : send(fd, "workers\n", 8, MSG_NOSIGNAL);

    gearmand_do_not_wait_for_ever(fd);
    while (got > 0 && (length < 2 || memcmp(answer + length - 2, ".\n", 2) != 0)) {
        got = recv(fd, answer + length, size - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    answer[got > 0 ? length : 0] = '\0';
}

/* Does the server have a connection of that machine, on which that function is offered? "": any connection. */
static bool server_has(const struct site *site, int machine, const char *function)
{
    char answer[8192], *line, *rest, address[32];
    bool has = false;

    snprintf(address, sizeof address, " %s ", machine_address(machine));
    machine_enter(&site->machines, SERVER);
    do
        ask_server(site, answer, sizeof answer);
    while (!*answer);
    machine_enter(&site->machines, CLIENT);
    for (line = strtok_r(answer, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        has |= strstr(line, address) && strstr(line, function);
    return has;
}

static void await_knowledge(const struct site *site, int machine, const char *function, bool has)
{
    while (server_has(site, machine, function) != has)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* it does not like many connections at once */
}

static void await_loss(const struct site *site, int machine, const char *function)
{
    await_knowledge(site, machine, function, false);
}

/* How many bytes of the server's to that machine the system has, and does not know that they have come. */
static unsigned unconfirmed_to(const struct site *site, int machine)
{
    unsigned address, state, waits, sum = 0;
    struct in_addr there;
    char line[512];
    FILE *connections;

    inet_pton(AF_INET, machine_address(machine), &there);
    machine_enter(&site->machines, SERVER);
    connections = fopen("/proc/thread-self/net/tcp", "re");
    machine_enter(&site->machines, CLIENT);
    cr_assert_not_null(connections);
    while (fgets(line, sizeof line, connections)) {
        if (sscanf(line, " %*d: %*x:%*x %x:%*x %x %x:", &address, &state, &waits) == 3 && address == there.s_addr)
            sum += waits;
    }
    fclose(connections);
    return sum;
}

/* Nothing is on its way there: else the server's system would say that again, and would not ask whether somebody is
 * there. */
static void cut_off(const struct site *site, int machine)
{
    while (unconfirmed_to(site, machine) > 0)
        gearmand_nap();
    machine_unplug(&site->machines, machine);
}

/* So many times its connection to the server has come up. */
static void await_epoch(const struct workerd *daemon, int epoch)
{
    int count;

    do {
        count = 0;
        for (const char *at = workerd_said(daemon); (at = strstr(at, ": connected")); at++)
            count++;
        gearmand_nap();
    } while (count < epoch);
}

static void assert_lost_on_first(soon_future *future)
{
    char host[256] = "";
    const soon_error *error;

    gethostname(host, sizeof host - 1);
    assert_ends(future, SOON_ELOST);
    error = soon_future_error(future);
    cr_assert(error->started);
    cr_assert_eq(strncmp(error->worker, "first-", 6), 0, "%s", error->worker);
    cr_assert_str_eq(error->worker_host, host);
    cr_assert_eq(error->attempt, 1);
}

/* Each daemon takes as many as it has slots, the one that was cut off as well. */
static void assert_both_work(struct site *site, int slots)
{
    soon_future *futures[4];
    int where, sum = 0;

    for (int i = 0; i < 2 * slots; i++)
        futures[i] = submit(site, &site->gates);
    for (int i = 0; i < 2; i++)
        gate_await(site->gates.on[i], slots);
    for (int i = 0; i < 2; i++)
        gate_open(site->gates.on[i], slots);
    for (int i = 0; i < 2 * slots; i++) {
        cr_assert_eq(soon_result(futures[i], &where), 0, "%s", soon_last_error()->message);
        sum += where;
    }
    cr_assert_eq(sum, slots);
    soon_futures_unref(futures, (size_t)(2 * slots));
}

/*
 * A daemon is cut off
 */

static const soon_submit_options again = {.retries = 1};

/* The client finds out, by its lease. What ends meanwhile has a result that nobody gets. */
Test(cluster_partition, of_a_daemon_loses_what_it_runs_or_has_it_tried_elsewhere)
{
    struct site site = {0};
    soon_future *futures[2];

    begin(&site, quick);
    start_daemon(&site, 0, 2);
    submit_to_first(&site, futures, 2, (const soon_submit_options[]){again, {0}});
    start_daemon(&site, 1, 2);

    cut_off(&site, FIRST);
    flights_end_times(site.cluster);
    gate_await(site.gates.on[1], 1);
    assert_lost_on_first(futures[1]);
    cr_assert_eq(soon_future_attempt(futures[0]), 2);
    gate_open(site.gates.on[0], 2); /* they end there, and it is said into the old connection */
    await_loss(&site, FIRST, "stand");

    machine_plug_in(&site.machines, FIRST);
    await_epoch(&site.daemons[0], 2);
    cr_assert_not(soon_future_done(futures[0]));
    gate_open(site.gates.on[1], 1);
    assert_gives(futures[0], 1);
    assert_both_work(&site, 2);
    cr_assert_eq(soon_future_error(futures[1])->code, SOON_ELOST);
    cr_assert_eq(gate_arrived(site.gates.on[1]), 0, "what was lost is not run again");

    soon_futures_unref(futures, 2);
    end(&site);
}

/* The server finds out, and gives the same job to another. The task that runs on ends after the daemon is back. */
Test(cluster_partition, of_a_daemon_that_the_server_notices_costs_no_try)
{
    struct site site = {0};
    soon_future *f;

    begin(&site, quick);
    start_daemon(&site, 0, 1);
    submit_to_first(&site, &f, 1, (const soon_submit_options[]){{0}});
    start_daemon(&site, 1, 1);

    cut_off(&site, FIRST);
    gate_await(site.gates.on[1], 1);
    test_wait_until(soon_future_attempt(f) == 2);

    machine_plug_in(&site.machines, FIRST);
    await_epoch(&site.daemons[0], 2);
    gate_open(site.gates.on[0], 1);
    test_wait_until(gate_is_closed(site.gates.on[0]));
    cr_assert_eq(soon_future_wait(f, 100), -ETIMEDOUT);
    gate_open(site.gates.on[1], 1);
    assert_gives(f, 1);
    assert_both_work(&site, 1);

    soon_future_unref(f);
    end(&site);
}

static int connect_from(const struct site *site, int machine)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)site->server.port)};
    int fd;

    inet_pton(AF_INET, machine_address(SERVER), &server.sin_addr);
    machine_enter(&site->machines, machine);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&server, sizeof server), 0);
    machine_enter(&site->machines, CLIENT);
    return fd;
}

/* A connection that the server closes when its machine has gone: it waits ten seconds for that to be confirmed, and
 * answers nobody meanwhile. */
Test(cluster_partition, that_keeps_the_server_from_answering_loses_no_other_daemon)
{
    static const char nonsense[SOON__PACKET_HEAD] = "\0XXX";
    struct site site = {0};
    soon_future *f;
    char *said;
    int fd;

    begin(&site, NULL);
    start_daemon(&site, 1, 1);
    await_epoch(&site.daemons[1], 1);
    fd = connect_from(&site, FIRST);
    gearmand_stop(&site.server);
    cr_assert_eq(send(fd, nonsense, sizeof nonsense, MSG_NOSIGNAL), (ssize_t)sizeof nonsense);
    machine_unplug(&site.machines, FIRST);
    gearmand_continue(&site.server);
    await_knowledge(&site, SECOND, "stand", true);
    said = strstr(workerd_said(&site.daemons[1]), ": connected");
    cr_assert_null(strstr(said + 1, ": connected"), "%s", said);

    f = submit(&site, &site.gates);
    gate_await(site.gates.on[1], 1);
    gate_open(site.gates.on[1], 1);
    assert_gives(f, 1);
    soon_future_unref(f);
    close(fd);
    end(&site);
}

Test(cluster_partition, of_a_daemon_that_ends_soon_costs_nothing)
{
    struct site site = {0};
    soon_future *f;

    begin(&site, NULL);
    start_daemon(&site, 0, 1);
    submit_to_first(&site, &f, 1, (const soon_submit_options[]){{0}});

    cut_off(&site, FIRST);
    gate_open(site.gates.on[0], 1);
    cr_assert_eq(soon_future_wait(f, 300), -ETIMEDOUT);
    machine_plug_in(&site.machines, FIRST);
    assert_gives(f, 0);
    cr_assert_eq(soon_future_attempt(f), 1);
    await_epoch(&site.daemons[0], 1);

    soon_future_unref(f);
    end(&site);
}

/* The server calls all that sleep, and one does not hear it. */
Test(cluster_partition, of_an_idle_daemon_keeps_nobody_waiting)
{
    struct site site = {0};
    soon_future *futures[2];

    begin(&site, quick);
    for (int i = 0; i < 2; i++) {
        start_daemon(&site, i, 2);
        await_knowledge(&site, FIRST + i, "stand", true);
    }

    cut_off(&site, FIRST);
    for (int i = 0; i < 2; i++)
        futures[i] = submit(&site, &site.gates);
    gate_await(site.gates.on[1], 2);
    gate_open(site.gates.on[1], 2);
    for (int i = 0; i < 2; i++)
        assert_gives(futures[i], 1);

    machine_plug_in(&site.machines, FIRST);
    assert_both_work(&site, 2);

    soon_futures_unref(futures, 2);
    end(&site);
}

/*
 * The client is cut off
 */

/* The server drops it, and the daemon goes on. What may be tried again is met as it runs. */
Test(cluster_partition, of_the_client_loses_what_runs_or_comes_back_to_it)
{
    struct site site = {0};
    soon_future *futures[4]; /* two that run, one that waits, and one of later */

    begin(&site, quick);
    start_daemon(&site, 0, 2);
    submit_to_first(&site, futures, 2, (const soon_submit_options[]){again, {0}});
    futures[2] = submit(&site, &site.other);
    test_wait_until(flights_in(site.cluster, SOON__FLIGHT_CREATED) == 1);

    cut_off(&site, CLIENT);
    await_loss(&site, CLIENT, "");
    machine_plug_in(&site.machines, CLIENT);
    futures[3] = submit(&site, &site.other); /* the client speaks, and hears that its connection is gone */
    assert_lost_on_first(futures[1]);
    test_wait_until(soon_future_attempt(futures[0]) == 2);
    test_wait_until(flights_in(site.cluster, SOON__FLIGHT_CREATED) == 3);

    gate_open(site.gates.on[0], 2);
    assert_gives(futures[0], 0);
    gate_await(site.other.on[0], 2);
    gate_open(site.other.on[0], 2);
    assert_gives(futures[2], 0);
    assert_gives(futures[3], 0);
    cr_assert_eq(soon_future_attempt(futures[2]), 1);
    cr_assert_eq(soon_future_error(futures[1])->code, SOON_ELOST);

    soon_futures_unref(futures, 4);
    end(&site);
}

Test(cluster_partition, of_the_client_that_ends_soon_costs_nothing)
{
    struct site site = {0};
    soon_future *f, *later;

    begin(&site, NULL);
    start_daemon(&site, 0, 2);
    submit_to_first(&site, &f, 1, (const soon_submit_options[]){{0}});

    cut_off(&site, CLIENT);
    later = submit(&site, &site.gates);
    gate_open(site.gates.on[0], 1);
    cr_assert_eq(soon_future_wait(f, 300), -ETIMEDOUT);
    machine_plug_in(&site.machines, CLIENT);
    assert_gives(f, 0);
    gate_await(site.gates.on[0], 1);
    gate_open(site.gates.on[0], 1);
    assert_gives(later, 0);
    cr_assert_eq(soon_future_attempt(later), 1);

    soon_future_unref(f);
    soon_future_unref(later);
    end(&site);
}

#endif
