/*
 * send.c - answers on their way. On the loop.
 *
 *     http_answer() --> one write --> out --> closed, or lingering
 *                           |          ^
 *                           +--> guard, and a write whenever the connection takes more
 */
#include "send.h"
#include "events.h"
#include "service.h"

#include <stdio.h>
#include <string.h>

enum {
    CHUNK = SEND_AT_ONCE,
    HEAD_MAX = 1024,  /* bytes of an answer's head */
    LINGER_MS = 2000, /* for the rest of a body that nobody wants */
    FAR_MS = 24 * 60 * 60 * 1000
};

/* In version 4.1 a timer that is cancelled fires: so it is not. */
void send_limit(struct request *request, int64_t limit_ms)
{
    request->limited = limit_ms >= 0;
    lws_set_timer_usecs(request->wsi, (request->limited ? limit_ms : (int64_t)FAR_MS) * 1000);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {409, "Conflict"},
        {405, "Method Not Allowed"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void send_release(struct request *request)
{
    if (request->answer.release)
        request->answer.release(request->answer.owner);
    request->answer = (struct answer){0};
}

/* The answer is out. */
static int finish(struct request *request)
{
    if (!request->linger)
        return -1;
    send_limit(request, LINGER_MS);
    return 0;
}

/* The answer takes more than one write. */
static int go_on_later(struct request *request)
{
    lws_set_timeout(request->wsi, NO_PENDING_TIMEOUT, 0);
    if (!request->guard && !(request->guard = guard_new(&request->service->loop, request->wsi)))
        return -1;
    send_limit(request, request->service->options.request_ms);
    lws_callback_on_writable(request->wsi);
    return 0;
}

/* Writes what fits into one write, behind `head_size` bytes that are in `buffer` already. */
static int write_some(struct request *request, unsigned char *buffer, size_t head_size)
{
    struct answer *answer = &request->answer;
    size_t size = answer->size < CHUNK - HEAD_MAX ? answer->size : CHUNK - HEAD_MAX;
    if (size)
        memcpy(buffer + LWS_PRE + head_size, answer->data, size);
    answer->data = (const char *)answer->data + size;
    answer->size -= size;
    if (lws_write(request->wsi, buffer + LWS_PRE, head_size + size, LWS_WRITE_HTTP) < 0)
        return -1;
    if (answer->size || lws_partial_buffered(request->wsi))
        return go_on_later(request);
    send_release(request);
    return finish(request);
}

int http_answer(struct request *request, const struct answer *answer)
{
    unsigned char buffer[LWS_PRE + CHUNK];
    request->answer = *answer;
    request->service->requests[answer->status / 100]++;
    int size = snprintf((char *)buffer + LWS_PRE, HEAD_MAX,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                        "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
                        answer->status, reason_of(answer->status), answer->type, answer->size,
                        answer->headers ? answer->headers : "");
    if (size >= HEAD_MAX)
        return -1;
    if (request->method == METHOD_HEAD)
        request->answer.size = 0;
    return write_some(request, buffer, (size_t)size);
}

int http_stream(struct request *request, struct stream *stream)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                               "Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n: \n\n";
    unsigned char buffer[LWS_PRE + sizeof head];
    request->stream = stream;
    request->service->requests[2]++;
    memcpy(buffer + LWS_PRE, head, sizeof head - 1);
    if (lws_write(request->wsi, buffer + LWS_PRE, sizeof head - 1, LWS_WRITE_HTTP) < 0 || go_on_later(request) < 0)
        return -1;
    send_limit(request, -1); /* a stream has a time limit of its own */
    return 0;
}

int send_more(struct request *request)
{
    unsigned char buffer[LWS_PRE + CHUNK];
    if (request->stream)
        return events_write(request->stream);
    if (!request->answer.size && request->guard)
        return finish(request);
    return request->answer.size ? write_some(request, buffer, 0) : 0;
}
