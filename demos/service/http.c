/*
 * http.c - requests and answers. On the loop.
 *
 * What a callback of libwebsockets returns: 0 goes on, -1 closes the connection, and nothing of the request may be
 * touched afterwards. What has been written is still sent.
 */
#include "http.h"
#include "events.h"
#include "routes.h"
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    CHUNK = 32 * 1024,    /* bytes that are written at once */
    HEAD_MAX = 1024,      /* bytes of an answer's head */
    HEADERS_MAX = 4096,   /* bytes of a request's headers */
    READ_AT_ONCE = 65536, /* bytes */
    KEEP_ALIVE_S = 60,    /* for the next request */
    LINGER_MS = 2000,     /* for the rest of a body that nobody wants */
    FAR_MS = 24 * 60 * 60 * 1000
};

static const struct {
    enum lws_token_indexes token;
    enum method method;
} methods[] = {
    {WSI_TOKEN_GET_URI, METHOD_GET},
    {WSI_TOKEN_HEAD_URI, METHOD_HEAD},
    {WSI_TOKEN_POST_URI, METHOD_POST},
    {WSI_TOKEN_DELETE_URI, METHOD_DELETE},
};

/* The request has so long from now on; -1: for ever. In version 4.1 a timer that is cancelled fires: so it is not. */
static void set_timer(struct request *request, int64_t limit_ms)
{
    request->limited = limit_ms >= 0;
    lws_set_timer_usecs(request->wsi, (request->limited ? limit_ms : (int64_t)FAR_MS) * 1000);
}

bool http_header(const struct request *request, enum lws_token_indexes header, char *ret, size_t size)
{
    int length = lws_hdr_total_length(request->wsi, header);
    return length > 0 && (size_t)length < size && lws_hdr_copy(request->wsi, ret, (int)size, header) >= 0;
}

int http_query(const struct request *request, int index, char *ret, size_t size)
{
    int length = lws_hdr_fragment_length(request->wsi, WSI_TOKEN_HTTP_URI_ARGS, index);
    if (length <= 0)
        return 0;
    return lws_hdr_copy_fragment(request->wsi, ret, (int)size, WSI_TOKEN_HTTP_URI_ARGS, index) < 0 ? -1 : 1;
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

static void release_answer(struct request *request)
{
    if (request->answer.release)
        request->answer.release(request->answer.owner);
    request->answer = (struct answer){0};
}

static void free_request(struct request *request)
{
    struct service *service = request->service;
    release_answer(request);
    service->receiving_bytes -= request->expected;
    soon_buffer_unref(request->body);
    guard_free(request->guard);
    events_close(&service->events, request->stream);
    free(request);
}

/* The answer is out. */
static int finish(struct request *request)
{
    if (!request->linger)
        return -1;
    set_timer(request, LINGER_MS);
    return 0;
}

/* The answer takes more than one write. */
static int go_on_later(struct request *request)
{
    lws_set_timeout(request->wsi, NO_PENDING_TIMEOUT, 0);
    if (!request->guard && !(request->guard = guard_new(&request->service->loop, request->wsi)))
        return -1;
    set_timer(request, request->service->options.request_ms);
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
    release_answer(request);
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
    set_timer(request, -1); /* a stream has a time limit of its own */
    return 0;
}

int http_expect(struct request *request, size_t size)
{
    char expect[32];
    if (soon_buffer_new(&request->body, size) < 0)
        return -1;
    request->expected = size;
    request->service->receiving_bytes += size;
    set_timer(request, request->service->options.request_ms);
    if (http_header(request, WSI_TOKEN_HTTP_EXPECT, expect, sizeof expect) && strcasecmp(expect, "100-continue") == 0) {
        unsigned char line[LWS_PRE + 32];
        memcpy(line + LWS_PRE, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        return lws_write(request->wsi, line + LWS_PRE, 25, LWS_WRITE_HTTP) < 0 ? -1 : 0;
    }
    return 0;
}

static int begin(struct service *service, struct lws *wsi, struct request **session, const char *path)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return -1;
    if (*session)
        free_request(*session);
    *session = request;
    request->service = service;
    request->wsi = wsi;
    request->method = METHOD_OTHER;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (lws_hdr_total_length(wsi, methods[i].token))
            request->method = methods[i].method;
    snprintf(request->path, sizeof request->path, "%s", strlen(path) < sizeof request->path ? path : "");
    set_timer(request, service->options.request_ms);
    return routes_begin(request);
}

static int add_body(struct request *request, const void *data, size_t size)
{
    if (!request->body)
        return 0; /* nobody wants it */
    size_t left = soon_buffer_size(request->body) - request->received;
    if (size > left)
        return -1;
    if (size)
        memcpy((char *)soon_buffer_data(request->body) + request->received, data, size);
    request->received += size;
    return 0;
}

static int end_body(struct request *request)
{
    if (!request->body)
        return -1; /* it was answered, and lingered */
    request->service->receiving_bytes -= request->expected;
    request->expected = 0;
    return routes_body(request);
}

static int go_on(struct request *request)
{
    unsigned char buffer[LWS_PRE + CHUNK];
    if (request->stream)
        return events_write(request->stream);
    if (!request->answer.size && request->guard)
        return finish(request);
    return request->answer.size ? write_some(request, buffer, 0) : 0;
}

/* It took too long. libwebsockets would go on trying to send what it has; not so if the socket is shut. */
static int give_up(struct request *request)
{
    if (request)
        shutdown(lws_get_socket_fd(request->wsi), SHUT_RDWR);
    return -1;
}

static int refuse_upgrade(struct lws *wsi)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    unsigned char buffer[LWS_PRE + sizeof text];
    memcpy(buffer + LWS_PRE, text, sizeof text - 1);
    lws_write(wsi, buffer + LWS_PRE, sizeof text - 1, LWS_WRITE_HTTP);
    return -1;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    struct service *service = lws_context_user(lws_get_context(wsi));
    struct request **session = user, *request = session ? *session : NULL;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        service->connections++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        service->connections -= service->connections > 0;
        return 0;
    case LWS_CALLBACK_HTTP:
        return begin(service, wsi, session, in);
    case LWS_CALLBACK_HTTP_BODY:
        return request ? add_body(request, in, size) : -1;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return request ? end_body(request) : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return request ? go_on(request) : 0;
    case LWS_CALLBACK_TIMER:
        return request && !request->limited ? 0 : give_up(request);
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (request) {
            *session = NULL;
            free_request(request);
        }
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return refuse_upgrade(wsi);
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX: /* CONNECT */
        return -1;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = callback, .per_session_data_size = sizeof(struct request *), .tx_packet_size = CHUNK},
    {0},
};

int http_start(struct service *service)
{
    void *loops[] = {&service->loop};
    unsigned request_s = (unsigned)((service->options.request_ms + 999) / 1000);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
        .foreign_loops = loops,
        .user = service,
        .pcontext = &service->context,
        .max_http_header_data = HEADERS_MAX,
        .max_http_header_pool =
            (unsigned short)(service->options.connections_max < 65535 ? service->options.connections_max : 65535),
        .pt_serv_buf_size = READ_AT_ONCE,
        .timeout_secs = request_s,
        .timeout_secs_ah_idle = request_s,
    };
    lws_set_log_level(LLL_ERR, NULL);
    service->context = lws_create_context(&info);
    if (!service->context)
        return -ENOSYS;
    service->vhost = lws_create_vhost(service->context, &info);
    lws_set_log_level(0, NULL); /* nothing that a client does is to be printed, which could block */
    return service->vhost ? 0 : -ENOMEM;
}

void http_stop(struct service *service)
{
    if (service->context)
        lws_context_destroy(service->context);
}

void http_adopt(struct service *service, int fd)
{
    lws_adopt_socket_vhost(service->vhost, fd); /* closes it if it fails */
}
