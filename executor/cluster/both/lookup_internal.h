/*
 * lookup_internal.h - the addresses of a server.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_LOOKUP_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_LOOKUP_INTERNAL_H

#include "servers_internal.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

enum { SOON__ADDRESSES_MAX = 8 };

union soon__address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct soon__addresses {
    size_t count;
    union soon__address each[SOON__ADDRESSES_MAX]; /* in the order in which they are to be tried */
};

struct soon__lookup;
/* 0 and addresses, one at least; or -ENOMEM, or another code of uv_getaddrinfo(). The lookup is gone after it. */
typedef void (*soon__lookup_fn)(void *owner, int code, const struct soon__addresses *addresses);

/* A host that is an address needs no lookup, and asks nobody. True, and sets `*ret`. */
bool soon__lookup_is_address(struct soon__addresses *ret, const struct soon__server *server);
/* Asks for the addresses of a name. `found` is called on the loop, once, and never before this returns. 0, or a
 * negative code. */
int soon__lookup_start(struct soon__lookup **ret, uv_loop_t *loop, const struct soon__server *server,
                       soon__lookup_fn found, void *owner);
/* `found` is not called any more. The lookup frees itself when the resolver has answered, which cannot be hurried. NULL
 * is allowed. */
void soon__lookup_let_go(struct soon__lookup *lookup);

/* What a code means, one of a lookup or any other. Static. */
const char *soon__lookup_text(int code);

#endif
