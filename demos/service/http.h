/*
 * http.h - the HTTP side: libwebsockets on the service's loop. All of it on the loop's thread.
 *
 * A request lives from its head to its end, in the per-session memory of its connection. routes.c decides what to
 * answer:
 *
 *     head --> routes_begin() --> http_answer(), http_stream() or http_expect()
 *     body -----------------------------------------------------> routes_body() --> http_answer()
 *
 * What libwebsockets does not do by itself, and is done here:
 * - A connection has one request, and is closed behind the answer. Version 4.1 takes a connection for several, but if
 *   requests come without waiting for the answers, it mistakes the head of a POST for its body, and crashes.
 * - While an answer is on its way, version 4.1 reads nothing, and yet polls for reading: a client that has gone, or
 *   sends more, would keep the loop busy. So an answer goes out in one write where it can; any other has a guard, which
 *   reads on a second descriptor what comes, drops it, and notices the end.
 * - It has a time limit for each piece of a body, but none for all of it.
 * - It takes a POST without a length for one with 100 MB.
 */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include "guard.h"

#include <libwebsockets.h>
#include <soon.h>
#include <stdbool.h>

struct service;
struct stream;

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_DELETE, METHOD_OTHER };

/* What is to be sent. */
struct answer {
    int status;
    const char *type;    /* of the content; static */
    const char *headers; /* further lines, each with its end; NULL: none. Lent for the call */
    const void *data;
    size_t size;
    soon_free_fn release; /* gets `owner` once, also if nothing was sent; NULL: nobody is told */
    void *owner;
};

struct request {
    struct service *service;
    struct lws *wsi;
    enum method method;
    char path[256];
    bool limited; /* its timer closes the connection */
    bool linger;  /* it was answered before its body came, which is dropped */

    soon_buffer *body;         /* NULL: none is expected */
    size_t received, expected; /* bytes of it; 0: all are there */

    struct answer answer; /* on its way: what is left of data and size */
    struct stream *stream;
    struct guard *guard;
};

/* Makes the context. Returns: 0, or a negative errno value. */
int http_start(struct service *service);

/* Closes all connections, and then what libwebsockets has on the loop. */
void http_stop(struct service *service);

/* Takes an accepted connection over, or closes it. */
void http_adopt(struct service *service, int fd);

/*
 * Sends an answer.
 *
 * Ownership: takes answer->owner, always.
 * Returns: what the callback of libwebsockets is to return; the request may be gone.
 */
int http_answer(struct request *request, const struct answer *answer);

/* Sends the head of a stream of events; http.c then calls events_write() as the connection takes more. As above. */
int http_stream(struct request *request, struct stream *stream);

/* Has `size` bytes of a body come; routes_body() is called when they are there. As http_answer(). */
int http_expect(struct request *request, size_t size);

/* Copies a header. Returns: false: there is none, or it does not fit. */
bool http_header(const struct request *request, enum lws_token_indexes header, char *ret, size_t size);

/* The words of the query, one after the other from 0 on. Returns: 1; 0: there are no more; -1: it does not fit. */
int http_query(const struct request *request, int index, char *ret, size_t size);

#endif
