/*
 * metrics_socket.c - a visitor sends a request up to its empty line, gets the answer, and is left.
 *
 * There are few visitors at a time; each has to end within two looks of a timer. Visitors are on a list until their
 * handles have closed.
 */
#include "metrics_socket_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VISITORS_MAX = 16, REQUEST_MAX = 8192, LOOK_MS = 5000 };

struct visitor {
    struct visitor *next, **link;
    struct soon__metrics_socket *socket;
    uv_pipe_t pipe;
    uv_write_t write;
    char *answer;
    size_t size; /* of the request, so far */
    char request[REQUEST_MAX + 1];
    bool was_seen; /* by a look */
};

struct soon__metrics_socket {
    struct soon__daemon *daemon;
    soon__metrics_write_fn *write;
    uv_pipe_t pipe;
    uv_timer_t timer;
    int open; /* handles of its own that are not closed */
    struct visitor *visitors;
    size_t count;
};

static void visitor_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;

    if (visitor->link) {
        *visitor->link = visitor->next;
        visitor->socket->count--;
    }
    if (visitor->link && visitor->next)
        visitor->next->link = visitor->link;
    free(visitor->answer);
    free(visitor);
}

static void leave(struct visitor *visitor)
{
    if (!uv_is_closing((uv_handle_t *)&visitor->pipe))
        uv_close((uv_handle_t *)&visitor->pipe, visitor_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    leave(write->data);
}

/* The head and the text in one piece; NULL: no memory. */
static char *answer_of(struct soon__metrics_socket *self, size_t *ret_size)
{
    char *body = NULL, *answer = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&body, &size);
    int length = -1;

    if (!to)
        return NULL;
    self->write(to, self->daemon);
    if (fclose(to) == 0)
        length = asprintf(&answer,
                          "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %zu\r\n\r\n%s",
                          size, body);
    free(body);
    *ret_size = (size_t)length;
    return length < 0 ? NULL : answer;
}

static void answer(struct visitor *visitor)
{
    size_t size = 0;
    uv_buf_t buffer;

    uv_read_stop((uv_stream_t *)&visitor->pipe);
    visitor->answer = answer_of(visitor->socket, &size);
    buffer = uv_buf_init(visitor->answer, (unsigned)size);
    visitor->write.data = visitor;
    if (!visitor->answer || uv_write(&visitor->write, (uv_stream_t *)&visitor->pipe, &buffer, 1, on_written) < 0)
        leave(visitor);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
    struct visitor *visitor = handle->data;

    (void)wanted;
    *ret = uv_buf_init(visitor->request + visitor->size, (unsigned)(REQUEST_MAX - visitor->size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct visitor *visitor = stream->data;

    (void)buffer;
    if (size < 0) { /* also if it has asked for more than there is room for */
        leave(visitor);
        return;
    }
    visitor->size += (size_t)size;
    visitor->request[visitor->size] = '\0';
    if (strstr(visitor->request, "\r\n\r\n") || strstr(visitor->request, "\n\n"))
        answer(visitor);
}

static void on_visitor(uv_stream_t *stream, int status)
{
    struct soon__metrics_socket *self = stream->data;
    struct visitor *visitor = status == 0 ? calloc(1, sizeof *visitor) : NULL;

    if (!visitor)
        return; /* it waits until somebody else comes */
    visitor->socket = self;
    visitor->pipe.data = visitor;
    uv_pipe_init(self->daemon->uv, &visitor->pipe, 0);
    if (uv_accept(stream, (uv_stream_t *)&visitor->pipe) < 0 || self->count >= VISITORS_MAX ||
        uv_read_start((uv_stream_t *)&visitor->pipe, give_room, on_read) < 0) {
        leave(visitor);
        return;
    }
    visitor->next = self->visitors;
    visitor->link = &self->visitors;
    if (visitor->next)
        visitor->next->link = &visitor->next;
    self->visitors = visitor;
    self->count++;
}

static void look(uv_timer_t *timer)
{
    struct soon__metrics_socket *self = timer->data;

    for (struct visitor *visitor = self->visitors; visitor; visitor = visitor->next) {
        if (visitor->was_seen)
            leave(visitor);
        visitor->was_seen = true;
    }
}

static void remove_stale(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        (void)unlink(path);
}

static void handle_closed(uv_handle_t *handle)
{
    struct soon__metrics_socket *self = handle->data;

    if (--self->open == 0)
        free(self);
}

int soon__metrics_socket_new(struct soon__metrics_socket **ret, struct soon__daemon *daemon, const char *path,
                             soon__metrics_write_fn *write)
{
    struct soon__metrics_socket *self = calloc(1, sizeof *self);
    int rc;

    if (!self)
        return -ENOMEM;
    *self = (struct soon__metrics_socket){.daemon = daemon, .write = write, .open = 2};
    self->pipe.data = self->timer.data = self;
    uv_pipe_init(daemon->uv, &self->pipe, 0);
    uv_timer_init(daemon->uv, &self->timer);
    uv_timer_start(&self->timer, look, LOOK_MS, LOOK_MS);
    remove_stale(path);
    rc = uv_pipe_bind(&self->pipe, path);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&self->pipe, VISITORS_MAX, on_visitor);
    if (rc < 0) {
        soon__log(SOON__LOG_ERROR, "--metrics: %s: %s", path, uv_strerror(rc));
        soon__metrics_socket_free(self);
        return rc;
    }
    *ret = self;
    return 0;
}

void soon__metrics_socket_free(struct soon__metrics_socket *self)
{
    for (struct visitor *visitor = self->visitors, *next; visitor; visitor = next) {
        next = visitor->next;
        visitor->link = NULL; /* the list goes first */
        leave(visitor);
    }
    uv_close((uv_handle_t *)&self->pipe, handle_closed);
    uv_close((uv_handle_t *)&self->timer, handle_closed);
}
