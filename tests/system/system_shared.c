/*
 * system_shared.c - what processes share, as the system gives it: memory with seals, words to sleep on, bells, and
 * sockets with descriptors.
 */
#include "../support/futures.h"

#include "../../executor/system/ipc_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 10000 };

static int ends[2];
static int descriptors[SOON__SOCKET_DESCRIPTORS_MAX];
static int count;
static char data[64];

static int new_memory(void)
{
    int fd = soon__shm_new(SIZE);

    cr_assert_geq(fd, 0);
    return fd;
}

static unsigned char *map_memory(int fd, bool writable)
{
    void *mapped;

    cr_assert_eq(soon__shm_map(&mapped, fd, SIZE, writable), 0);
    return mapped;
}

static bool is_readable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};

    return poll(&wanted, 1, 0) == 1;
}

/*
 * Memory
 */

TestSuite(memory);

Test(memory, is_zeroed_and_keeps_its_size)
{
    int fd = new_memory();
    unsigned char *bytes = map_memory(fd, true);

    for (int i = 0; i < SIZE; i++)
        cr_assert_eq(bytes[i], 0);
    cr_assert_lt(ftruncate(fd, 1), 0);
    cr_assert_lt(ftruncate(fd, 2 * SIZE), 0);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    soon__shm_unmap(bytes, SIZE);
    soon__shm_unmap(NULL, SIZE);
    close(fd);
}

Test(memory, is_the_same_in_all_mappings_and_outlives_its_descriptor)
{
    int fd = new_memory();
    unsigned char *writer = map_memory(fd, true), *reader = map_memory(fd, false);

    close(fd);
    writer[SIZE - 1] = 7;
    cr_assert_eq(reader[SIZE - 1], 7);
    soon__shm_unmap(writer, SIZE);
    soon__shm_unmap(reader, SIZE);
}

Test(memory, that_is_mapped_to_be_read_cannot_be_written, .signal = SIGSEGV)
{
    signal(SIGSEGV, SIG_DFL); /* sanitizers take it */
    map_memory(new_memory(), false)[0] = 1;
}

Test(memory, that_is_closed_to_writers_has_those_that_it_had)
{
    void *untouched = data, *mapped = untouched;
    int fd = new_memory();
    unsigned char *writer = map_memory(fd, true), *reader;

    cr_assert_eq(soon__shm_close_to_writers(fd), 0);
    cr_assert_eq(soon__shm_close_to_writers(fd), 0, "again");
    cr_assert_eq(soon__shm_map(&mapped, fd, SIZE, true), -EPERM);
    cr_assert_eq(mapped, untouched);
    cr_assert_lt(pwrite(fd, "x", 1, 0), 0);
    reader = map_memory(fd, false);
    writer[0] = 7;
    cr_assert_eq(reader[0], 7);
    cr_assert_lt(mprotect(reader, SIZE, PROT_READ | PROT_WRITE), 0);
    cr_assert_eq(soon__shm_check_frozen(fd, SIZE), -EPROTO);

    soon__shm_unmap(writer, SIZE);
    soon__shm_unmap(reader, SIZE);
    close(fd);
}

Test(memory, that_is_frozen_never_changes)
{
    int fd = new_memory();
    unsigned char *writer = map_memory(fd, true), *reader;
    void *private;

    writer[0] = 7;
    cr_assert_eq(soon__shm_freeze(fd), -EBUSY);
    cr_assert_eq(soon__shm_map_private(&private, fd, SIZE), 0);
    soon__shm_unmap(writer, SIZE);
    cr_assert_eq(soon__shm_freeze(fd), 0);

    reader = map_memory(fd, false);
    cr_assert(reader[0] == 7 && *(unsigned char *)private == 7);
    cr_assert_lt(pwrite(fd, "x", 1, 0), 0);
    cr_assert_lt(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    cr_assert_eq(soon__shm_check_frozen(fd, SIZE), 0);
    soon__shm_unmap(private, SIZE);
    soon__shm_unmap(reader, SIZE);
    close(fd);
}

static int with_seals(int seals, off_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    cr_assert_eq(ftruncate(fd, size), 0);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

Test(memory, of_a_stranger_is_looked_at)
{
    const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    const struct {
        const char *name;
        int fd, expected;
    } table[] = {
        {"frozen", with_seals(all, SIZE), 0},
        {"frozen and sealed", with_seals(all | F_SEAL_SEAL, SIZE), 0},
        {"a byte less", with_seals(all, SIZE - 1), -EPROTO},
        {"a byte more", with_seals(all, SIZE + 1), -EPROTO},
        {"nothing", with_seals(all, 0), -EPROTO},
        {"no seals", with_seals(0, SIZE), -EPROTO},
        {"may shrink", with_seals(all & ~F_SEAL_SHRINK, SIZE), -EPROTO},
        {"may grow", with_seals(all & ~F_SEAL_GROW, SIZE), -EPROTO},
        {"may be written", with_seals(all & ~F_SEAL_WRITE, SIZE), -EPROTO},
        {"may be written by one", with_seals((all & ~F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE, SIZE), -EPROTO},
        {"a device", open("/dev/zero", O_RDONLY | O_CLOEXEC), -EPROTO},
        {"a file", open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EPROTO},
        {"a place", open("/", O_PATH | O_CLOEXEC), -EPROTO},
        {"a bell", soon__bell_new(), -EPROTO},
        {"not open", 1000, -EPROTO},
        {"none", -1, -EPROTO},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        cr_assert_eq(soon__shm_check_frozen(table[i].fd, SIZE), table[i].expected, "%s", table[i].name);
        if (table[i].fd >= 0 && table[i].fd != 1000)
            close(table[i].fd);
    }
}

/*
 * Words
 */

enum { TURNS = 20000 };

static _Atomic uint32_t *word_in(unsigned char *bytes)
{
    return (_Atomic uint32_t *)(void *)(bytes + 4096);
}

/* One of two that take turns: makes odd numbers even, or the other way round. */
static void take_turns(_Atomic uint32_t *word, uint32_t mine)
{
    for (uint32_t turn = mine; turn < TURNS; turn += 2) {
        uint32_t seen;

        while ((seen = atomic_load(word)) != turn)
            soon__shared_park(word, seen, SOON__NEVER);
        atomic_store(word, turn + 1);
        soon__shared_unpark(word);
    }
}

/* By its page, not by its address: the other has it elsewhere. A wake-up that is lost hangs this. */
Test(memory, has_words_to_sleep_on)
{
    int fd = new_memory(), status;
    unsigned char *first = map_memory(fd, true), *second = map_memory(fd, true);
    pid_t child = test_fork();

    if (child == 0) {
        take_turns(word_in(second), 1);
        _exit(0);
    }
    take_turns(word_in(first), 0);

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(atomic_load(word_in(second)), TURNS);
    soon__shm_unmap(first, SIZE);
    soon__shm_unmap(second, SIZE);
    close(fd);
}

Test(memory, wakes_a_sleeper_when_its_time_is_over)
{
    int64_t end = soon__clock_ns() + 20000000;
    int fd = new_memory();
    unsigned char *bytes = map_memory(fd, true);

    while (soon__clock_ns() < end)
        soon__shared_park(word_in(bytes), 0, end);
    soon__shared_park(word_in(bytes), 1, SOON__NEVER); /* it has changed already */
    soon__shm_unmap(bytes, SIZE);
    close(fd);
}

/*
 * Bells
 */

TestSuite(bell);

Test(bell, is_readable_from_its_ringing_until_it_is_quiet)
{
    int bell = soon__bell_new();

    cr_assert(!is_readable(bell));
    soon__bell_quiet(bell);
    soon__bell_ring(bell);
    soon__bell_ring(bell);
    cr_assert(is_readable(bell));
    soon__bell_quiet(bell);
    cr_assert(!is_readable(bell));
    close(bell);
}

Test(bell, never_blocks_who_rings)
{
    const uint64_t most = UINT64_MAX - 1;
    int bell = soon__bell_new();

    cr_assert_eq(write(bell, &most, sizeof most), sizeof most);
    soon__bell_ring(bell);
    cr_assert(is_readable(bell));
    close(bell);
}

/* The flag is shared with the worker, which may be corrupt. */
Test(bell, never_blocks_who_listens_whatever_others_do_to_it)
{
    int bell = soon__bell_new();

    cr_assert_eq(fcntl(bell, F_SETFL, 0), 0);
    soon__bell_quiet(bell);
    soon__bell_ring(bell);
    soon__bell_quiet(bell);
    cr_assert(!is_readable(bell));
    close(bell);
}

/*
 * Sockets
 */

static void open_socket(void)
{
    cr_assert_eq(soon__socket_pair(ends), 0);
}

static void close_socket(void)
{
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

static void close_second(void)
{
    close(ends[1]);
    ends[1] = -1;
}

static int receive(int end)
{
    return soon__socket_receive(end, data, sizeof data, descriptors, &count);
}

static int open_now(void)
{
    int next = dup(0);

    close(next);
    return next;
}

TestSuite(socket, .init = open_socket, .fini = close_socket);

Test(socket, keeps_the_bounds_of_messages)
{
    cr_assert_eq(soon__socket_send(ends[0], "one", 3, NULL, 0), 0);
    cr_assert_eq(soon__socket_send(ends[0], "three", 5, NULL, 0), 0);
    cr_assert_eq(receive(ends[1]), 3);
    cr_assert_eq(receive(ends[1]), 5);
    cr_assert_eq(memcmp(data, "three", 5), 0);
    cr_assert_eq(count, 0);
}

Test(socket, blocks_one_side_only)
{
    int rc;

    cr_assert_eq(receive(ends[0]), -EAGAIN);
    cr_assert(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    while ((rc = soon__socket_send(ends[0], data, sizeof data, NULL, 0)) == 0)
        continue;
    cr_assert_eq(rc, -EAGAIN);
}

Test(socket, carries_descriptors)
{
    int sent[SOON__SOCKET_DESCRIPTORS_MAX + 1], fd = new_memory();
    unsigned char *bytes = map_memory(fd, true);

    for (int i = 0; i <= SOON__SOCKET_DESCRIPTORS_MAX; i++)
        sent[i] = fd;
    bytes[0] = 9;
    for (int number = 0; number <= SOON__SOCKET_DESCRIPTORS_MAX; number++) {
        cr_assert_eq(soon__socket_send(ends[0], "x", 1, sent, number), 0);
        cr_assert_eq(receive(ends[1]), 1);
        cr_assert_eq(count, number);
        for (int i = 0; i < count; i++) {
            unsigned char *there = map_memory(descriptors[i], false);

            cr_assert_eq(there[0], 9);
            cr_assert_eq(fcntl(descriptors[i], F_GETFD), FD_CLOEXEC);
            soon__shm_unmap(there, SIZE);
            close(descriptors[i]);
        }
    }
    cr_assert_eq(soon__socket_send(ends[0], "x", 1, sent, SOON__SOCKET_DESCRIPTORS_MAX + 1), -EINVAL);
    soon__shm_unmap(bytes, SIZE);
    close(fd);
}

Test(socket, tells_of_its_end)
{
    close_second();
    cr_assert_eq(receive(ends[0]), 0);
    cr_assert_eq(soon__socket_send(ends[0], "x", 1, NULL, 0), -EPIPE);
}

/* As after a death: what it has sent still counts, also if it has not read what was sent to it. */
Test(socket, gives_what_was_sent_before_its_end)
{
    int sent = ends[0];

    cr_assert_eq(soon__socket_send(ends[0], "unread", 6, NULL, 0), 0);
    cr_assert_eq(soon__socket_send(ends[1], "one", 3, &sent, 1), 0);
    cr_assert_eq(soon__socket_send(ends[1], "three", 5, NULL, 0), 0);
    close_second();

    cr_assert_eq(receive(ends[0]), 3);
    cr_assert_eq(count, 1);
    close(descriptors[0]);
    cr_assert_eq(receive(ends[0]), 5);
    cr_assert_eq(receive(ends[0]), 0);
}

Test(socket, tells_of_a_message_that_is_too_long)
{
    char large[sizeof data + 1] = {0};
    int sent = ends[0], before = open_now();

    cr_assert_eq(soon__socket_send(ends[1], large, sizeof large, &sent, 1), 0);
    cr_assert_eq(receive(ends[0]), -EMSGSIZE);
    cr_assert_eq(count, 0);
    cr_assert_eq(open_now(), before);
}

Test(socket, tells_of_descriptors_for_which_there_was_no_number)
{
    struct rlimit before, limit;
    int sent[2] = {ends[0], ends[0]};

    cr_assert_eq(soon__socket_send(ends[1], "x", 1, sent, 2), 0);
    cr_assert_eq(soon__socket_send(ends[1], "next", 4, NULL, 0), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)open_now() + 1; /* one fits */
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(receive(ends[0]), -EMFILE);
    cr_assert_eq(count, 0);
    cr_assert_lt(open_now(), (int)limit.rlim_cur, "that one was closed");
    setrlimit(RLIMIT_NOFILE, &before);
    cr_assert_eq(receive(ends[0]), 4);
}

/* More than there may be: nobody in his right mind sends that. */
Test(socket, tells_of_too_many_descriptors_and_keeps_none)
{
    enum { MANY = 50 };
    char room[CMSG_SPACE(MANY * sizeof(int))] = {0};
    struct iovec from = {data, 1};
    struct msghdr message = {.msg_iov = &from, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int sent[MANY], before = open_now();

    for (int i = 0; i < MANY; i++)
        sent[i] = ends[0];
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof sent)};
    memcpy(CMSG_DATA(header), sent, sizeof sent);
    cr_assert_eq(sendmsg(ends[1], &message, 0), 1);

    cr_assert_eq(receive(ends[0]), -EMFILE);
    cr_assert_eq(count, 0);
    cr_assert_eq(open_now(), before);
}
