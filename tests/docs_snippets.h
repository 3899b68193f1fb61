/*
 * docs_snippets.h - the names that lines of code in the documentation use without declaring them. See docs_snippets.sh.
 */
#ifndef SOON_TESTS_DOCS_SNIPPETS_H
#define SOON_TESTS_DOCS_SNIPPETS_H

#include <soon.h>

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
extern soon_task *task;
extern const struct add *arg;
extern int *result;
extern const soon_error *error;
extern const soon_executor_class my_class;
extern const soon_function setup_task;
extern const char *text;
extern void *data, *value, *self, *client, *memory;
extern int rc, fd, sum, source, xs[4], ys[4], errors[4], argc;
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

#endif
