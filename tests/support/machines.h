/*
 * machines.h - machines on a switch, each a network namespace with one cable to a bridge. A cable can be unplugged:
 * what is sent is lost then, without a word to either side, and the other machines go on.
 *
 * A thread is on one machine at a time, and what it opens and starts belongs there. The namespaces are nobody's but the
 * test's: they end with the last descriptor, thread and process that has them, however the test ends. Root can make
 * them; for all others, and where the system has no bridge, a test says that it is skipped.
 */
#ifndef SOON_TESTS_SUPPORT_MACHINES_H
#define SOON_TESTS_SUPPORT_MACHINES_H

#include "../../executor/loops/library_loop_internal.h"
#include "own_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <netinet/in.h>
#include <stdatomic.h>

enum { MACHINES = 4 };

/* Namespaces, open. */
struct machines {
    int outside, at_switch, each[MACHINES];
};

static inline void machines_go(int name_space)
{
    cr_assert_eq(setns(name_space, CLONE_NEWNET), 0);
}

/* This thread is on that machine from now on. */
static inline void machine_enter(const struct machines *all, int machine)
{
    machines_go(all->each[machine]);
}

static inline int machines_here(void)
{
    int name_space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    cr_assert_geq(name_space, 0);
    return name_space;
}

/*
 * Cables
 */

/* A request for a pair of devices, in the form of rtnetlink(7): "cable2" here, and "eth0" in a namespace. */
struct machines_cable {
    struct nlmsghdr head;
    struct ifinfomsg link;
    struct nlattr name;
    char name_text[IFNAMSIZ];
    struct nlattr info, kind;
    char kind_text[4];
    struct nlattr data, peer;
    struct ifinfomsg peer_link;
    struct nlattr peer_name;
    char peer_name_text[IFNAMSIZ];
    struct nlattr peer_place;
    int peer_name_space;
};
_Static_assert(sizeof(struct machines_cable) == 116, "rtnetlink knows no gaps");

#define machines_from(field) ((unsigned short)(sizeof(struct machines_cable) - offsetof(struct machines_cable, field)))
#define machines_up_to(first, last)                                                                                    \
    ((unsigned short)(offsetof(struct machines_cable, last) - offsetof(struct machines_cable, first)))

static inline struct machines_cable machines_cable_of(int machine, int name_space)
{
    struct machines_cable cable = {
        .head = {.nlmsg_len = sizeof cable,
                 .nlmsg_type = RTM_NEWLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
        .name = {machines_up_to(name, info), IFLA_IFNAME},
        .info = {machines_from(info), IFLA_LINKINFO},
        .kind = {machines_up_to(kind, data), IFLA_INFO_KIND},
        .kind_text = {'v', 'e', 't', 'h'},
        .data = {machines_from(data), IFLA_INFO_DATA},
        .peer = {machines_from(peer), VETH_INFO_PEER},
        .peer_name = {machines_up_to(peer_name, peer_place), IFLA_IFNAME},
        .peer_name_text = "eth0",
        .peer_place = {machines_from(peer_place), IFLA_NET_NS_FD},
        .peer_name_space = name_space,
    };

    snprintf(cable.name_text, sizeof cable.name_text, "cable%d", machine);
    return cable;
}

/* 0, or a negative errno. */
static inline int machines_lay_cable(int machine, int name_space)
{
    struct machines_cable cable = machines_cable_of(machine, name_space);
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    cr_assert_eq(send(fd, &cable, sizeof cable, 0), (ssize_t)sizeof cable);
    cr_assert_geq(recv(fd, &answer, sizeof answer, 0), (ssize_t)sizeof answer);
    cr_assert_eq(answer.head.nlmsg_type, NLMSG_ERROR);
    close(fd);
    return answer.error.error;
}

static inline void machines_ask(unsigned long what, void *request)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(ioctl(fd, what, request), 0, "%s", strerror(errno));
    close(fd);
}

static inline void machines_switch_on(const char *device)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    machines_ask(SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_UP;
    machines_ask(SIOCSIFFLAGS, &request);
}

/* Of the thread, which comes back to where it is. */
static inline void machines_plug(const struct machines *all, int machine, unsigned long what)
{
    struct ifreq request = {.ifr_name = "switch"};
    char cable[IFNAMSIZ];
    int here = machines_here();

    machines_go(all->at_switch);
    snprintf(cable, sizeof cable, "cable%d", machine);
    request.ifr_ifindex = (int)if_nametoindex(cable);
    machines_ask(what, &request);
    machines_go(here);
    close(here);
}

static inline void machine_plug_in(const struct machines *all, int machine)
{
    machines_plug(all, machine, SIOCBRADDIF);
}

static inline void machine_unplug(const struct machines *all, int machine)
{
    machines_plug(all, machine, SIOCBRDELIF);
}

/*
 * Machines
 */

/* 10.9.0.1 and so on. Lent until the next call. */
static inline const char *machine_address(int machine)
{
    static char text[32];

    snprintf(text, sizeof text, "10.9.0.%d", machine + 1);
    return text;
}

static inline void machines_set_address(unsigned long what, const char *text)
{
    struct ifreq request = {.ifr_name = "eth0"};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;

    address->sin_family = AF_INET;
    inet_pton(AF_INET, text, &address->sin_addr);
    machines_ask(what, &request);
}

/* The thread is there then. */
static inline int machines_make_one(struct machines *all, int machine)
{
    char cable[IFNAMSIZ];
    int rc;

    cr_assert_eq(unshare(CLONE_NEWNET), 0);
    all->each[machine] = machines_here();
    machines_go(all->at_switch);
    rc = machines_lay_cable(machine, all->each[machine]);
    if (rc < 0)
        return rc;
    snprintf(cable, sizeof cable, "cable%d", machine);
    machines_switch_on(cable);
    machine_plug_in(all, machine);
    machine_enter(all, machine);
    own_network_set(true);
    machines_set_address(SIOCSIFADDR, machine_address(machine));
    machines_set_address(SIOCSIFNETMASK, "255.255.255.0");
    machines_switch_on("eth0");
    return 0;
}

/* The thread is at the switch then. */
static inline int machines_make_switch(struct machines *all)
{
    int fd, rc;

    all->outside = machines_here();
    if (unshare(CLONE_NEWNET) < 0) {
        rc = -errno;
        close(all->outside);
        return rc;
    }
    all->at_switch = machines_here();
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    rc = ioctl(fd, SIOCBRADDBR, "switch") < 0 ? -errno : 0;
    close(fd);
    if (rc == 0)
        machines_switch_on("switch");
    return rc;
}

/* 0, and the thread is on the first machine; or a negative errno, when there are no machines to be had here. */
static inline int machines_begin(struct machines *all)
{
    int rc = machines_make_switch(all);

    for (int i = 0; i < MACHINES && rc == 0; i++)
        rc = machines_make_one(all, i);
    if (rc == 0)
        machine_enter(all, 0);
    return rc;
}

/* In a test that needs them, first. */
#define machines_begin_or_skip(all)                                                                                    \
    do {                                                                                                               \
        int machines_rc = machines_begin(all);                                                                         \
                                                                                                                       \
        if (machines_rc < 0) {                                                                                         \
            fprintf(stderr, "skipped: machines need root's rights, and bridges: %s\n", strerror(-machines_rc));        \
            cr_skip_test("machines need root's rights, and bridges");                                                  \
        }                                                                                                              \
    } while (0)

static inline void machines_end(struct machines *all)
{
    machines_go(all->outside);
    close(all->outside);
    close(all->at_switch);
    for (int i = 0; i < MACHINES; i++)
        close(all->each[i]);
}

/*
 * The library's loop, whose thread has started before: it makes the connections of a cluster.
 */
struct machines_move {
    struct soon__job job; /* first */
    int name_space;
    atomic_bool done;
};

static inline void machines_move_now(struct soon__job *job)
{
    struct machines_move *move = (struct machines_move *)job;

    machines_go(move->name_space);
    atomic_store(&move->done, true);
}

static inline void machines_move_library(const struct machines *all, int machine)
{
    struct machines_move move = {.job.run = machines_move_now, .name_space = all->each[machine]};

    soon__library_loop_post(&move.job);
    test_wait_until(atomic_load(&move.done));
}

#endif
