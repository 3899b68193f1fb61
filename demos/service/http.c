/*
 * http.c - connections and requests. On the loop.
 *
 * What a callback of libwebsockets returns: 0 goes on, -1 closes the connection, and nothing of the request may be
 * touched afterwards. What has been written is still sent.
 */
#include "http.h"
#include "events.h"
#include "routes.h"
#include "send.h"
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    HEADERS_MAX = 4096,  /* bytes of a request's headers */
    READ_AT_ONCE = 65536 /* bytes */
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

static void free_request(struct request *request)
{
    struct service *service = request->service;
    send_release(request);
    service->receiving_bytes -= request->expected;
    soon_buffer_unref(request->body);
    guard_free(request->guard);
    events_close(&service->events, request->stream);
    free(request);
}

int http_expect(struct request *request, size_t size)
{
    char expect[32];
    if (soon_buffer_new(&request->body, size) < 0)
        return -1;
    request->expected = size;
    request->service->receiving_bytes += size;
    send_limit(request, request->service->options.request_ms);
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
    send_limit(request, service->options.request_ms);
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
        return request ? send_more(request) : 0;
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
    {.name = "http",
     .callback = callback,
     .per_session_data_size = sizeof(struct request *),
     .tx_packet_size = SEND_AT_ONCE},
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
        .max_http_header_pool = (unsigned short)service->options.connections_max,
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
