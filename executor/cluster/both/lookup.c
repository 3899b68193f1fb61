/*
 * lookup.c - the addresses of a server, by libuv's threads.
 *
 * The first lookup of the process, if nothing else has used them, makes libuv start its four threads. It ends the
 * program if the system has none to give. That cannot be avoided here but by naming servers by their addresses.
 */
#include "lookup_internal.h"

#include "../../../futures/error.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct soon__lookup {
    uv_getaddrinfo_t request;
    soon__lookup_fn found; /* NULL: nobody asks any more */
    void *owner;
};

static void copy(struct soon__addresses *ret, const struct addrinfo *info)
{
    ret->count = 0;
    for (; info && ret->count < SOON__ADDRESSES_MAX; info = info->ai_next) {
        if (info->ai_addrlen <= sizeof *ret->each)
            memcpy(&ret->each[ret->count++], info->ai_addr, info->ai_addrlen);
    }
}

static struct addrinfo hints_of(int flags)
{
    return (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
}

bool soon__lookup_is_address(struct soon__addresses *ret, const struct soon__server *server)
{
    const struct addrinfo hints = hints_of(AI_NUMERICHOST);
    struct addrinfo *info;

    if (getaddrinfo(server->host, server->port, &hints, &info) != 0)
        return false;
    copy(ret, info);
    freeaddrinfo(info);
    return ret->count > 0;
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    struct soon__lookup *self = request->data;
    struct soon__addresses addresses;

    copy(&addresses, info);
    uv_freeaddrinfo(info);
    if (status == 0 && addresses.count == 0)
        status = UV_EAI_NODATA;
    if (self->found)
        self->found(self->owner, status == UV_EAI_MEMORY ? -ENOMEM : status, &addresses);
    free(self);
}

int soon__lookup_start(struct soon__lookup **ret, uv_loop_t *loop, const struct soon__server *server,
                       soon__lookup_fn found, void *owner)
{
    const struct addrinfo hints = hints_of(AI_ADDRCONFIG);
    struct soon__lookup *self = malloc(sizeof *self);
    int rc;

    if (!self)
        return -ENOMEM;
    self->request.data = self;
    self->found = found;
    self->owner = owner;
    rc = uv_getaddrinfo(loop, &self->request, on_found, server->host, server->port, &hints);
    if (rc < 0)
        free(self);
    else
        *ret = self;
    return rc;
}

void soon__lookup_let_go(struct soon__lookup *self)
{
    if (!self)
        return;
    self->found = NULL;
    uv_cancel((uv_req_t *)&self->request); /* it has not begun, or goes on to its end */
}

/* Of codes that it does not know libuv would allocate a text. */
const char *soon__lookup_text(int code)
{
    return code <= UV_EAI_ADDRFAMILY && code >= UV_EAI_PROTOCOL ? uv_strerror(code) : soon_strerror(code);
}
