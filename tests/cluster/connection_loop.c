/*
 * connection_loop.c - a connection on the library's loop, whose jobs write; and in forked children.
 */
#include "../support/connection_fixture.h"
#include "../support/forked.h"
#include "../support/library_loop_fixture.h"
#include "../support/scripted_server.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <semaphore.h>

enum { PACKETS = 100, JOBS = 10 };

static struct scripted_server server;
static struct peer peer;
static sem_t done, heard;

/* Something to be done on the loop, which is waited for. */
struct step {
    struct soon__job job; /* first */
    void (*fn)(void);
};

static void run_step(struct soon__job *job)
{
    ((struct step *)job)->fn();
    sem_post(&done);
}

static void do_on_loop(void (*fn)(void))
{
    struct step step = {{.run = run_step}, fn};

    soon__library_loop_post(&step.job);
    while (sem_wait(&done) < 0)
        ;
}

static void tell_up(struct peer *self)
{
    (void)self;
    cr_assert(soon__library_on_loop());
    sem_post(&heard);
}

static void tell_packet(struct peer *self, const struct soon__packet *packet)
{
    (void)packet;
    tell_up(self);
}

static void wait_heard(void)
{
    while (sem_wait(&heard) < 0)
        ;
}

static void make(void)
{
    cr_assert_eq(soon__library_poll_uv(), 0);
    cr_assert_eq(soon__library_poll_uv(), 0);
    peer.options.loop = soon__library_uv();
    peer.on_up = tell_up;
    peer.on_packet = tell_packet;
    peer_begin(&peer, server.text);
}

static void close_peer(void)
{
    soon__connection_close(peer.connection, 0);
}

static void begin(script_fn script)
{
    sem_init(&done, 0, 0);
    sem_init(&heard, 0, 0);
    server.script = script;
    scripted_server_start(&server);
    cr_assert_eq(soon__library_start(), 0);
    do_on_loop(make);
    wait_heard();
}

static void tell_closed(void)
{
    if (peer.closed)
        sem_post(&heard);
}

static void end(void)
{
    do_on_loop(close_peer);
    while (sem_trywait(&heard) < 0)
        do_on_loop(tell_closed);
    soon__connection_free(peer.connection);
    soon__servers_free(peer.servers);
    scripted_server_end(&server);
}

TestSuite(connection_loop, .fini = end);

static void say_one(void)
{
    peer_say(&peer, SOON__PRE_SLEEP, NULL);
}

static void say_many(void)
{
    for (int i = 0; i < PACKETS; i++)
        say_one();
}

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

/* It cannot see by chance what comes then. */
static bool loop_sleeps(void)
{
    char path[64], status[512] = "", *state;
    size_t count;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread_called("soon-loop", &count));
    file = fopen(path, "re");
    state = file && fgets(status, sizeof status, file) ? strrchr(status, ')') : NULL;
    if (file)
        fclose(file);
    return state && state[2] == 'S';
}

/* Counts the pieces in which packets come, and answers each hundred with one. The first may be there as soon as the
 * greeting has left. */
static void count_segments(struct scripted_server *self, int fd)
{
    const int before = 1; /* what script_greet() hears */
    char packets[PACKETS * 12];

    script_greet(fd);
    while (script_hear(fd, packets, sizeof packets)) {
        self->step = segments(fd) - before;
        test_wait_until(self->ends || loop_sleeps());
        script_say(fd, "\0RES\0\0\0\x06\0\0\0\0", 12);
    }
}

Test(connection_loop, what_a_job_writes_leaves_in_one_piece_and_is_answered)
{
    begin(count_segments);
    for (int i = 1; i <= 3; i++) {
        do_on_loop(say_many); /* nothing else wakes the loop */
        wait_heard();
        cr_assert_eq(server.step, i);
    }
}

static struct step writers[JOBS];

static void say_a_tenth(void)
{
    for (int i = 0; i < PACKETS / JOBS; i++)
        say_one();
}

static void post_writers(void)
{
    for (int i = 0; i < JOBS; i++) {
        writers[i] = (struct step){{.run = run_step}, say_a_tenth};
        soon__library_loop_post(&writers[i].job);
    }
}

Test(connection_loop, what_all_jobs_of_a_turn_write_leaves_in_one_piece)
{
    begin(count_segments);
    do_on_loop(post_writers);
    wait_heard();
    cr_assert_eq(server.step, 1);
    for (int i = 0; i < JOBS; i++)
        cr_assert_eq(sem_wait(&done), 0);
}

static int sockets(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    char target[64];
    int count = 0;

    while ((entry = readdir(folder))) {
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);

        target[size > 0 ? size : 0] = '\0';
        count += strncmp(target, "socket:", 7) == 0;
    }
    closedir(folder);
    return count;
}

static int sockets_of_parent;

static void look_around(void)
{
    CHECK(sockets() == sockets_of_parent - 1); /* those of the scripted server are the test's */
    CHECK(soon__library_start() == 0);
}

Test(connection_loop, is_not_the_childs_and_lives_on_in_the_parent)
{
    begin(count_segments);
    sockets_of_parent = sockets();
    for (int i = 1; i <= 3; i++) {
        in_child(look_around);
        do_on_loop(say_many);
        wait_heard();
        cr_assert_eq(server.step, i);
    }
    cr_assert_eq(peer.losses, 0);
}

static void *fork_again_and_again(void *data)
{
    (void)data;
    for (int i = 0; i < test_rounds(20); i++) {
        pid_t child = test_fork();

        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    return NULL;
}

Test(connection_loop, works_while_the_program_forks)
{
    pthread_t thread;

    begin(count_segments);
    pthread_create(&thread, NULL, fork_again_and_again, NULL);
    for (int i = 0; i < test_rounds(200); i++) {
        do_on_loop(say_many);
        wait_heard();
    }
    pthread_join(thread, NULL);
    cr_assert_eq(peer.losses, 0);
}
