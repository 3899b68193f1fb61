/*
 * docs_snippets.h - the names that lines of code in the documentation use without declaring them. See docs_snippets.sh.
 */
#ifndef SOON_TESTS_DOCS_SNIPPETS_H
#define SOON_TESTS_DOCS_SNIPPETS_H

#include <soon.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>

struct add;
struct uv_loop_s;

SOON_TASK_DECLARE(work, int, int);

extern soon_executor *pool, *threads;
extern soon_future *f, *first, *fs[4];
extern soon_as_completed *set;
extern soon_imap *it;
extern soon_progress_bar *bar;
extern soon_promise *promise;
extern soon_loop *loop;
extern soon_buffer *buffer;
extern soon_lock lock;
extern struct uv_loop_s *uv;
extern struct epoll_event event;
extern struct pollfd polled[4];
extern soon_task *task;
extern const struct add *arg;
extern int *result;
extern const soon_error *error;
extern const soon_executor_class my_class;
extern const soon_function setup_task;
extern const char *text;
extern void *data, *value, *self, *client, *memory;
extern int rc, fd, epoll, sum, source, xs[4], ys[4], errors[4], argc;
extern char **argv;
extern const char *names[4], *paths[9];
extern soon_bytes bytes;
extern soon_item items[4];
extern bool yes, is_done[4];
extern int64_t count;
extern size_t i, n, size;
extern uint64_t done, total;

void on_done(soon_future *future, void *data);
void on_progress(soon_future *future, soon_progress progress, void *data);
void cb(soon_bytes result, void *data);
void ecb(const soon_error *error, void *data);
void log_error(const soon_error *error, void *data);
void on_closed(void *data);
bool interrupted(void *data);
void wake(void *data);
int next_x(void *arg, void *data);
int next_item(soon_item *item, void *data);

/* Other libraries' loops, as far as they are used. */
enum { UV_RUN_DEFAULT, G_IO_IN, EV_READ, EV_PERSIST = 16 };
int uv_run(struct uv_loop_s *loop, int mode);

struct main_loop;
extern struct main_loop *main_loop;
int on_fd(int fd, int condition, void *data);
unsigned g_unix_fd_add(int fd, int condition, int (*fn)(int fd, int condition, void *data), void *data);
void g_main_loop_run(struct main_loop *loop);

struct event;
extern struct event *due;
extern struct event_base *base;
void on_event(int fd, short what, void *data);
struct event *event_new(struct event_base *base, int fd, short what, void (*fn)(int fd, short what, void *data),
                        void *data);
int event_add(struct event *event, const struct timeval *timeout);

struct ev_loop;
struct ev_io {
    void *data;
};
extern struct ev_loop *ev;
extern struct ev_io *io;
void on_io(struct ev_loop *loop, struct ev_io *io, int events);
void ev_io_init(struct ev_io *io, void (*fn)(struct ev_loop *loop, struct ev_io *io, int events), int fd, int events);
void ev_io_start(struct ev_loop *loop, struct ev_io *io);

extern struct sd_event *sd;
extern struct sd_event_source *watch;
int on_source(struct sd_event_source *source, int fd, uint32_t events, void *data);
int sd_event_add_io(struct sd_event *event, struct sd_event_source **source, int fd, uint32_t events,
                    int (*fn)(struct sd_event_source *source, int fd, uint32_t events, void *data), void *data);
int sd_event_loop(struct sd_event *event);

#endif
