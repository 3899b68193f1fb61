/*
 * guard.c - a uv_poll_t on a duplicate of a connection's descriptor. On the loop.
 *
 * The duplicate is closed when libuv has let go of it, and so is the memory: both may outlive the connection by an
 * iteration.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct guard {
    uv_poll_t poll;
    struct lws *wsi;
    int fd;
};

static void closed(uv_handle_t *handle)
{
    struct guard *guard = handle->data;
    close(guard->fd);
    free(guard);
}

void guard_free(struct guard *guard)
{
    if (guard)
        uv_close((uv_handle_t *)&guard->poll, closed);
}

/*
 * libwebsockets does not close a connection at once while it has something to send there, so the socket is shut first:
 * then sending fails.
 */
static void hang_up(struct guard *guard)
{
    uv_poll_stop(&guard->poll);
    shutdown(guard->fd, SHUT_RDWR);
    lws_set_timeout(guard->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC); /* which may free the guard */
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct guard *guard = poll->data;
    char dropped[16384];
    ssize_t got = status < 0 ? 0 : recv(guard->fd, dropped, sizeof dropped, MSG_DONTWAIT);
    (void)events;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        hang_up(guard);
}

struct guard *guard_new(uv_loop_t *loop, struct lws *wsi)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return NULL;
    guard->wsi = wsi;
    guard->fd = fcntl(lws_get_socket_fd(wsi), F_DUPFD_CLOEXEC, 0);
    if (guard->fd < 0 || uv_poll_init(loop, &guard->poll, guard->fd) < 0) {
        if (guard->fd >= 0)
            close(guard->fd);
        free(guard);
        return NULL;
    }
    guard->poll.data = guard;
    uv_poll_start(&guard->poll, UV_READABLE | UV_DISCONNECT, on_input);
    return guard;
}
