/*
 * watch.c - descriptors that the library's loop watches.
 *
 * W1  One thread waits and dispatches. A turn takes SOON__WATCHES_PER_TURN descriptors at most. Those that were left
 *     over are the first that the system gives in the next turn, so none is left for ever.
 * W2  A watch that is removed is also struck out of what this turn has found. Otherwise the turn would come to it when
 *     its memory may be somebody else's.
 * W3  The wake-up is an eventfd. The system tells of it anew after each write, so it need not be read. Its counter has
 *     64 bits, and so never becomes full.
 */
#include "watch_internal.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* `watch` NULL: the wake-up. */
static int add(int set, int fd, struct soon__watch *watch, bool once_each)
{
    struct epoll_event event = {.events = EPOLLIN | (once_each ? EPOLLET : 0), .data = {.ptr = watch}};

    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int soon__watches_init(struct soon__watches *watches)
{
    int rc;

    *watches = (struct soon__watches){.set = epoll_create1(EPOLL_CLOEXEC), .wake = -1};
    if (watches->set < 0)
        return -errno;
    watches->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = watches->wake < 0 ? -errno : add(watches->set, watches->wake, NULL, true);
    if (rc < 0)
        soon__watches_fini(watches);
    return rc;
}

void soon__watches_fini(struct soon__watches *watches)
{
    close(watches->set);
    if (watches->wake >= 0)
        close(watches->wake);
}

int soon__watches_wake(struct soon__watches *watches)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t rc;

    while ((rc = write(watches->wake, &one, sizeof one)) < 0 && errno == EINTR)
        ;
    rc = rc < 0 && errno != EAGAIN ? -EBADF : 0; /* EINVAL: another file is in its place */
    errno = saved;
    return (int)rc;
}

int soon__watches_wait(struct soon__watches *watches, int timeout_ms)
{
    int count = epoll_wait(watches->set, watches->found, SOON__WATCHES_PER_TURN, timeout_ms);

    watches->at = 0;
    watches->count = count > 0 ? count : 0;
    return count < 0 && errno != EINTR ? -EBADF : 0;
}

bool soon__watches_dispatch(struct soon__watches *watches)
{
    bool woken = false;

    while (watches->at < watches->count) {
        const struct epoll_event *event = &watches->found[watches->at++];
        struct soon__watch *watch = event->data.ptr;

        if (!event->events)
            continue; /* W2 */
        woken |= !watch;
        if (watch)
            watch->ready(watch);
    }
    return woken;
}

int soon__watches_add(struct soon__watches *watches, struct soon__watch *watch, int fd, bool once_each)
{
    int rc = add(watches->set, fd, watch, once_each);

    if (rc < 0)
        return rc;
    watch->fd = fd;
    watch->active = true;
    return 0;
}

void soon__watches_remove(struct soon__watches *watches, struct soon__watch *watch)
{
    struct epoll_event unused = {0};

    if (!watch->active)
        return;
    watch->active = false;
    epoll_ctl(watches->set, EPOLL_CTL_DEL, watch->fd, &unused);
    for (int i = watches->at; i < watches->count; i++) {
        if (watches->found[i].data.ptr == watch)
            watches->found[i].events = 0;
    }
}
