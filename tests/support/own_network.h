/*
 * own_network.h - a network of the test's own, which can be cut: a namespace in which there is the loopback device
 * alone. While it is down what is sent is lost, without a word to either side.
 *
 * It is that of the calling thread, and of the threads and processes that this starts from then on. Root can make one;
 * for all others a test says that it is skipped.
 */
#ifndef SOON_TESTS_SUPPORT_OWN_NETWORK_H
#define SOON_TESTS_SUPPORT_OWN_NETWORK_H

#include "../harness/test.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void own_network_set(bool is_up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    request.ifr_flags = (short)(is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

/* In a test that needs one, first. */
#define own_network_or_skip()                                                                                          \
    do {                                                                                                               \
        if (unshare(CLONE_NEWNET) < 0) {                                                                               \
            fprintf(stderr, "skipped: a network of its own needs root's rights\n");                                    \
            cr_skip_test("a network of its own needs root's rights");                                                  \
        }                                                                                                              \
        own_network_set(true);                                                                                         \
    } while (0)

#endif
