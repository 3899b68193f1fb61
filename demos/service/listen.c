/*
 * listen.c - bind, listen, accept. On the loop.
 */
#include "listen.h"
#include "http.h"
#include "service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPT_AT_ONCE = 64 /* then the others on the loop have their turn */ };

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* Returns: the size of the address; 0: it is none. */
static socklen_t parse(struct listener *listener, const char *text, int port, union address *ret)
{
    memset(ret, 0, sizeof *ret);
    listener->is_ipv6 = strchr(text, ':') != NULL;
    if (listener->is_ipv6) {
        if (uv_ip6_addr(text, port, &ret->ipv6) < 0)
            return 0;
        listener->is_loopback = IN6_IS_ADDR_LOOPBACK(&ret->ipv6.sin6_addr);
        return sizeof ret->ipv6;
    }
    if (uv_ip4_addr(text, port, &ret->ipv4) < 0)
        return 0;
    listener->is_loopback = ntohl(ret->ipv4.sin_addr.s_addr) >> 24 == 127;
    return sizeof ret->ipv4;
}

int listener_open(struct listener *listener, struct service *service)
{
    union address address;
    *listener = (struct listener){.service = service, .fd = -1};
    socklen_t size = parse(listener, service->options.address, (int)service->options.port, &address);
    if (!size)
        return -EINVAL;
    listener->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return -errno;
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener->fd, &address.any, size) != 0 || listen(listener->fd, BACKLOG) != 0 ||
        getsockname(listener->fd, &address.any, &size) != 0) {
        int error = errno;
        close(listener->fd);
        listener->fd = -1;
        return -error;
    }
    listener->port = ntohs(listener->is_ipv6 ? address.ipv6.sin6_port : address.ipv4.sin_port);
    return 0;
}

/* Returns: false: there is nobody more, for now. */
static bool accept_one(struct listener *listener)
{
    struct service *service = listener->service;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        listener->paused = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (service->connections >= (size_t)service->options.connections_max) {
        close(fd);
        return true;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    http_adopt(service, fd);
    return true;
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(listener); i++)
        ;
    if (listener->paused)
        uv_poll_stop(poll);
}

void listener_start(struct listener *listener)
{
    uv_poll_init(&listener->service->loop, &listener->poll, listener->fd);
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_connections);
}

void listener_tick(struct listener *listener)
{
    if (listener->paused && listener->fd >= 0)
        uv_poll_start(&listener->poll, UV_READABLE, on_connections);
    listener->paused = false;
}

static void closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    close(listener->fd);
    listener->fd = -1;
}

void listener_close(struct listener *listener)
{
    if (listener->poll.data && !uv_is_closing((uv_handle_t *)&listener->poll))
        uv_close((uv_handle_t *)&listener->poll, closed);
}
