/*
 * guard.h - watches a connection while an answer is on its way: drops what comes, and notices when the client is gone.
 *
 * It polls a duplicate of the connection's descriptor, as a loop of libuv takes each descriptor once.
 */
#ifndef SERVICE_GUARD_H
#define SERVICE_GUARD_H

#include <uv.h>

struct lws;
struct guard;

/* Begins. If the client goes, the connection is closed there and then. NULL: no memory, no descriptor. */
struct guard *guard_new(uv_loop_t *loop, struct lws *wsi);

/* Ends it; NULL is ignored. */
void guard_free(struct guard *guard);

#endif
