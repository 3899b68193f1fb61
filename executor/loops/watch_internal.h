/*
 * watch_internal.h - descriptors that the library's loop watches: a set that it sleeps on, and its wake-up.
 *
 * libuv has no part in it. What libuv cannot get when it begins to watch a descriptor (memory, room in an epoll set)
 * ends the program; here it is an error that the caller hears of.
 */
#ifndef SOON_EXECUTOR_LOOPS_WATCH_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_WATCH_INTERNAL_H

#include <stdbool.h>
#include <sys/epoll.h>

/* One descriptor; embedded in what it is about. Zeroed: not watched. Loop thread only. */
struct soon__watch {
    void (*ready)(struct soon__watch *watch);
    int fd;
    bool active;
};

enum { SOON__WATCHES_PER_TURN = 64 };

struct soon__watches {
    int set, wake; /* descriptors */
    struct epoll_event found[SOON__WATCHES_PER_TURN];
    int count; /* of these, so many were found, and those before `at` were told of */
    int at;
};

/* 0, or a negative errno and nothing is left. */
int soon__watches_init(struct soon__watches *watches);
/* Closes them. In a forked child that is all: the set is shared with the parent, so nothing is taken out of it. */
void soon__watches_fini(struct soon__watches *watches);

/* Any thread, any time: the wait ends, or the next will, with `true`. Never blocks. 0; -EBADF: somebody has closed
 * it. */
int soon__watches_wake(struct soon__watches *watches);
/* Sleeps for `timeout_ms` at most, -1: for ever. 0; -EBADF: somebody has closed the set. */
int soon__watches_wait(struct soon__watches *watches, int timeout_ms);
/* Calls `ready` of those that were found. True: there was a wake-up. */
bool soon__watches_dispatch(struct soon__watches *watches);

/* `ready` is called again and again while `fd` is readable; with `once_each`: once for each time that it becomes so. 0;
 * -ENOMEM; -ENOSPC: the user has no more watches. */
int soon__watches_add(struct soon__watches *watches, struct soon__watch *watch, int fd, bool once_each);
/* After it `ready` is not called any more. Before `fd` is closed. Not watched: nothing. */
void soon__watches_remove(struct soon__watches *watches, struct soon__watch *watch);

#endif
