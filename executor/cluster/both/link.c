/*
 * link.c - one TCP connection, on a uv_tcp_t.
 *
 * libuv ends the program where it cannot get what it needs to watch a descriptor. So that is taken before, where it can
 * fail: the socket is made here; its place in libuv's epoll set is taken here, and libuv finds it there and changes it,
 * which cannot fail; memory for libuv's table of descriptors is asked for, and given back, which leaves a gap only if
 * another thread takes the last of it at the same moment. Nor does libuv close a descriptor with a number of input,
 * output or errors, where a program has closed these; and it opens one with the first socket of a loop. So these
 * numbers are taken meanwhile.
 *
 * A write may raise SIGPIPE: the library's loop blocks it, a program with a loop of its own ignores it.
 */
#include "link_internal.h"
#include "output_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* libuv needs no memory for a write of four pieces. A flush tries a few times before it leaves the rest to libuv, which
 * goes on when there is room. */
enum { TRIED = 16, LATER = 4, TRIES = 4, HANDLES = 2, KEEPALIVE_S = 10, MEMORY = 1 << 16 };

struct soon__link {
    uv_tcp_t tcp;
    uv_idle_t flush; /* active: something was written in this turn */
    uv_connect_t connect;
    uv_write_t write;
    size_t writing; /* so many bytes are with libuv; 0: `write` is free */
    int broken;     /* what a flush has found, for the loop to tell; 0: nothing */
    uint64_t written;
    struct soon__output output;
    struct soon__packet_reader reader;
    const struct soon__link_events *events;
    void *owner;
    bool is_let_go;
    int open; /* handles */
};

static struct soon__link *link_of(void *handle)
{
    return ((uv_handle_t *)handle)->data;
}

static void lost(struct soon__link *self, int code)
{
    if (!self->is_let_go)
        self->events->lost(self->owner, code);
}

/*
 * Output
 */

static void flush(struct soon__link *self);

static void on_written(uv_write_t *request, int status)
{
    struct soon__link *self = request->data;
    size_t size;

    if (status == UV_ECANCELED || self->is_let_go) /* K3 */
        return;
    size = self->writing;
    self->writing = 0;
    if (status < 0) {
        lost(self, status);
        return;
    }
    soon__output_taken(&self->output, size);
    flush(self);
}

static int write_later(struct soon__link *self)
{
    uv_buf_t pieces[LATER];
    unsigned count = soon__output_pieces(&self->output, pieces, LATER);

    for (unsigned i = 0; i < count; i++)
        self->writing += pieces[i].len;
    return uv_write(&self->write, (uv_stream_t *)&self->tcp, pieces, count, on_written);
}

/* Not by libuv's own call, which may raise SIGPIPE: this may be on a thread of the program. */
static int try_to_write(struct soon__link *self)
{
    uv_buf_t pieces[TRIED];
    struct iovec vectors[TRIED];
    struct msghdr message = {.msg_iov = vectors};
    uv_os_fd_t fd;
    ssize_t size;

    message.msg_iovlen = soon__output_pieces(&self->output, pieces, TRIED);
    for (size_t i = 0; i < message.msg_iovlen; i++)
        vectors[i] = (struct iovec){pieces[i].base, pieces[i].len};
    if (uv_fileno((uv_handle_t *)&self->tcp, &fd) < 0)
        return UV_EBADF;
    while ((size = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (size < 0)
        return errno == ENOBUFS ? UV_EAGAIN : uv_translate_sys_error(errno);
    soon__output_taken(&self->output, (size_t)size);
    return (int)size;
}

static void flush(struct soon__link *self)
{
    int rc = self->broken ? self->broken : 1;

    uv_idle_stop(&self->flush);
    for (int i = 0; i < TRIES && rc > 0 && !self->writing && self->output.size > 0; i++)
        rc = try_to_write(self);
    if ((rc > 0 || rc == UV_EAGAIN) && !self->writing && self->output.size > 0)
        rc = write_later(self);
    if (rc < 0 && rc != UV_EAGAIN)
        lost(self, rc);
    else
        self->events->sent(self->owner);
}

static void on_flush(uv_idle_t *handle)
{
    flush(link_of(handle));
}

void soon__link_flush(struct soon__link *self)
{
    int rc;

    if (self->writing || self->output.size == 0)
        return;
    rc = try_to_write(self);
    self->broken = rc < 0 && rc != UV_EAGAIN ? rc : 0;
    if (self->output.size > 0)
        return; /* the loop goes on */
    uv_idle_stop(&self->flush);
    self->events->sent(self->owner);
}

int soon__link_space(struct soon__link *self, size_t size, void **ret)
{
    int rc = soon__output_space(&self->output, size, ret);

    if (rc < 0)
        return rc;
    self->written += size;
    if (!self->writing)
        uv_idle_start(&self->flush, on_flush); /* K1 */
    return 0;
}

uint64_t soon__link_written(const struct soon__link *self)
{
    return self->written;
}

uint64_t soon__link_sent(const struct soon__link *self)
{
    /* What libuv was given, and has sent in part. */
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&self->tcp);

    return self->written - self->output.size + (self->writing > left ? self->writing - left : 0);
}

void soon__link_end(struct soon__link *self)
{
    uv_os_fd_t fd;

    assert(soon__link_sent(self) == self->written); /* libuv may have sent more than it has told of */
    if (uv_fileno((uv_handle_t *)&self->tcp, &fd) == 0)
        shutdown(fd, SHUT_WR);
}

/*
 * Input
 */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct soon__link *self = link_of(handle);
    size_t size = 0;
    void *room = NULL;

    (void)suggested;
    if (soon__packet_reader_room(&self->reader, &room, &size) < 0)
        size = 0; /* read() is told UV_ENOBUFS */
    ret->base = room;
    ret->len = size;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *unused)
{
    struct soon__link *self = link_of(stream);

    (void)unused;
    if (self->is_let_go)
        return;
    if (size < 0) {
        lost(self, size == UV_ENOBUFS ? -ENOMEM : (int)size);
        return;
    }
    soon__packet_reader_add(&self->reader, (size_t)size);
    if (size > 0)
        self->events->came(self->owner, &self->reader);
}

/*
 * Beginning and end
 */

static void on_connected(uv_connect_t *request, int status)
{
    struct soon__link *self = request->data;

    if (status == UV_ECANCELED || self->is_let_go) /* K3 */
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&self->tcp, give_room, on_read);
    if (status < 0)
        lost(self, status);
    else
        self->events->connected(self->owner);
}

static void on_closed(uv_handle_t *handle)
{
    struct soon__link *self = link_of(handle);

    if (--self->open > 0)
        return;
    soon__output_fini(&self->output);
    soon__packet_reader_fini(&self->reader);
    free(self);
}

void soon__link_let_go(struct soon__link *self)
{
    if (!self || self->is_let_go)
        return;
    self->is_let_go = true;
    uv_close((uv_handle_t *)&self->tcp, on_closed);
    uv_close((uv_handle_t *)&self->flush, on_closed);
}

/* Those numbers of input, output and errors that are free. */
struct low_numbers {
    int taken[STDERR_FILENO + 1], count;
};

static void take_low_numbers(struct low_numbers *numbers, int of)
{
    int fd;

    numbers->count = 0;
    while ((fd = fcntl(of, F_DUPFD_CLOEXEC, 0)) >= 0 && fd <= STDERR_FILENO)
        numbers->taken[numbers->count++] = fd;
    if (fd >= 0)
        close(fd);
}

static void give_low_numbers(const struct low_numbers *numbers)
{
    for (int i = 0; i < numbers->count; i++)
        close(numbers->taken[i]);
}

static int probe_memory(int fd)
{
    void *memory = malloc(MEMORY + 4 * sizeof(void *) * (size_t)fd);

    free(memory);
    return memory ? 0 : -ENOMEM;
}

static int make_socket(uv_loop_t *loop, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct epoll_event nothing = {.data.fd = fd};
    int rc = fd < 0 ? -errno : probe_memory(fd);

    if (rc == 0 && epoll_ctl(uv_backend_fd(loop), EPOLL_CTL_ADD, fd, &nothing) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int start(struct soon__link *self, int fd, const struct sockaddr *address)
{
    int rc = uv_tcp_open(&self->tcp, fd);

    if (rc < 0) {
        close(fd);
        return rc;
    }
    uv_tcp_nodelay(&self->tcp, 1); /* if they cannot be set, all works, if more slowly: C4 of connection_internal.h */
    uv_tcp_keepalive(&self->tcp, 1, KEEPALIVE_S);
    return uv_tcp_connect(&self->connect, &self->tcp, address, on_connected);
}

static int make(struct soon__link **ret, uv_loop_t *loop, const struct sockaddr *address)
{
    int fd = make_socket(loop, address->sa_family), rc;
    struct soon__link *self = fd < 0 ? NULL : calloc(1, sizeof *self);

    if (!self) {
        if (fd >= 0)
            close(fd);
        return fd < 0 ? fd : -ENOMEM;
    }
    self->open = HANDLES;
    uv_tcp_init(loop, &self->tcp);
    uv_idle_init(loop, &self->flush);
    self->tcp.data = self->flush.data = self->connect.data = self->write.data = self;
    rc = start(self, fd, address);
    if (rc < 0)
        soon__link_let_go(self);
    else
        *ret = self;
    return rc;
}

int soon__link_new(struct soon__link **ret, uv_loop_t *loop, const struct sockaddr *address, size_t limit,
                   const struct soon__link_events *events, void *owner)
{
    struct low_numbers numbers;
    struct soon__link *self = NULL;
    int rc;

    take_low_numbers(&numbers, uv_backend_fd(loop));
    rc = make(&self, loop, address);
    give_low_numbers(&numbers);
    if (rc < 0)
        return rc;
    self->events = events;
    self->owner = owner;
    soon__packet_reader_init(&self->reader, limit, true);
    *ret = self;
    return 0;
}
