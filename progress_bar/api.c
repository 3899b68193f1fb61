/*
 * api.c - the public face of progress bars.
 *
 * A bar that is NULL, or that of the parent of a forked child, is one that nobody sees.
 */
#include "bar_internal.h"

#include "../executor/core/executor_internal.h"
#include "../futures/refuse_internal.h"
#include "display_internal.h"
#include "members_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INTERVAL_MS = 100, PLAIN_EVERY_MS = 10000 };

static int check(const soon_progress_bar_options *o)
{
    const struct soon__range ranges[] = {
        {"scale", o->scale, 0, SOON_PROGRESS_BAR_SCALE_1024},
        {"counts", o->counts, 0, SOON_PROGRESS_BAR_PROGRESS},
        {"tasks_max", o->tasks_max > INT64_MAX ? INT64_MAX : (int64_t)o->tasks_max, 0, SOON__ROWS_MAX},
        {"fd", o->fd, 0, INT_MAX},
        {"delay_ms", o->delay_ms, 0, INT_MAX},
        {"interval_ms", o->interval_ms, 0, INT_MAX},
        {"plain_every_ms", o->plain_every_ms, SOON_FOREVER, INT_MAX},
        {"blocks", o->blocks, 0, SOON_PROGRESS_BAR_ALWAYS},
        {"colour", o->colour, 0, SOON_PROGRESS_BAR_ALWAYS}};

    return soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);
}

/* Of checked options. NULL: no memory. */
static soon_progress_bar *make(const soon_progress_bar_options *options)
{
    soon_progress_bar *bar = calloc(1, sizeof *bar);
    char *label = bar && options->label ? strdup(options->label) : NULL;

    if (!bar || (options->label && !label)) {
        free(bar);
        return NULL;
    }
    bar->options = *options;
    bar->options.label = bar->options.unit = NULL; /* lent */
    if (bar->options.interval_ms == 0)
        bar->options.interval_ms = INTERVAL_MS;
    if (bar->options.plain_every_ms == 0)
        bar->options.plain_every_ms = PLAIN_EVERY_MS;
    snprintf(bar->unit, sizeof bar->unit, "%s", options->unit ? options->unit : "it");
    bar->began_ns = soon__bar_now_ns();
    bar->locked.label = label;
    atomic_init(&bar->references, 1);
    atomic_init(&bar->total, options->total);
    pthread_mutex_init(&bar->mutex, NULL);
    return bar;
}

static int new_bar(soon_progress_bar **ret, const soon_progress_bar_options *options, size_t options_size)
{
    soon_progress_bar_options own;

    if (!ret)
        return soon__is_null("ret");
    *ret = NULL;
    int rc = soon__options_read(&own, sizeof own, options, options_size);
    if (rc == 0)
        rc = check(&own);
    if (rc < 0 || own.hidden)
        return rc;
    soon_progress_bar *bar = make(&own);
    if (!bar)
        return -ENOMEM;
    rc = soon__display_add(bar, own.fd ? own.fd : STDERR_FILENO);
    if (rc < 0)
        soon__bar_unref(bar);
    else
        *ret = bar;
    return rc;
}

int soon_progress_bar_new_sized(soon_progress_bar **ret, const soon_progress_bar_options *options, size_t options_size)
{
    return soon__failed(new_bar(ret, options, options_size), "soon_progress_bar_new");
}

/*
 * Counting
 */

static int add(soon_progress_bar *bar, soon_future *future)
{
    if (!future)
        return soon__is_null("the future");
    return soon__display_has(bar) ? soon__members_add(bar, future) : 0;
}

int soon_progress_bar_add(soon_progress_bar *bar, soon_future *future)
{
    return soon__failed(add(bar, future), "soon_progress_bar_add");
}

int soon_progress_bar_add_all(soon_progress_bar *bar, soon_future *const *futures, size_t count)
{
    int rc = futures || count == 0 ? 0 : soon__is_null("futures");

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add(bar, futures[i]);
    return soon__failed(rc, "soon_progress_bar_add_all");
}

void soon_progress_bar_update(soon_progress_bar *bar, uint64_t count)
{
    if (bar) /* relaxed: it is only shown */
        atomic_fetch_add_explicit(&bar->counted, count, memory_order_relaxed);
}

void soon_progress_bar_count(soon_progress_bar *bar, const soon_future *future)
{
    if (!bar || !future)
        return;
    soon__members_count_failure(bar, future);
    soon_progress_bar_update(bar, 1);
}

void soon_progress_bar_set_total(soon_progress_bar *bar, uint64_t total)
{
    if (bar)
        atomic_store_explicit(&bar->total, total, memory_order_relaxed); /* it is only shown */
}

int soon_progress_bar_set_label(soon_progress_bar *bar, const char *label)
{
    if (!soon__display_has(bar))
        return 0;
    char *copy = label ? strdup(label) : NULL;
    if (label && !copy)
        return soon__failed(-ENOMEM, "soon_progress_bar_set_label");
    pthread_mutex_lock(&bar->mutex);
    char *before = bar->locked.label;
    bar->locked.label = copy;
    pthread_mutex_unlock(&bar->mutex);
    free(before);
    return 0;
}

int soon_progress_bar_next(soon_progress_bar *bar, soon_as_completed *set, soon_future **ret)
{
    size_t total = 0;

    if (bar && set && bar->options.total == 0) {
        soon_as_completed_left(set, &total);
        soon_progress_bar_set_total(bar, total);
    }
    int rc = soon_as_completed_next(set, ret);
    if (rc == 0)
        soon_progress_bar_count(bar, *ret);
    return rc;
}

int soon_progress_bar_imap_next(soon_progress_bar *bar, soon_imap *imap, int64_t timeout_ms, soon_future **ret,
                                uint64_t *ret_index)
{
    int rc = soon_imap_next(imap, timeout_ms, ret, ret_index);

    if (rc == 0)
        soon_progress_bar_count(bar, *ret);
    return rc;
}

/*
 * The end
 */

void soon_progress_bar_finish(soon_progress_bar *bar)
{
    if (soon__display_has(bar))
        soon__display_finish(bar);
}

void soon_progress_bar_free(soon_progress_bar *bar)
{
    if (!soon__display_has(bar))
        return;
    soon__display_finish(bar);
    soon__display_await_end(bar);
    soon__members_let_go(bar);
    soon__bar_unref(bar);
}

/*
 * What the program writes besides
 */

/* As vfprintf(), into `text`, with a newline at the end. Returns 0 or a negative code. */
static int format_line(struct soon__text *text, const char *format, va_list values)
{
    va_list again;

    va_copy(again, values);
    int size = vsnprintf(NULL, 0, format, values), rc = 0;
    if (size < 0)
        rc = -errno;
    else if (!soon__text_reserve(text, (size_t)size + 2))
        rc = -ENOMEM;
    else
        text->size = (size_t)vsnprintf(text->data, (size_t)size + 1, format, again);
    va_end(again);
    if (rc == 0 && (text->size == 0 || text->data[text->size - 1] != '\n'))
        text->data[text->size++] = '\n';
    return rc;
}

static int print(FILE *stream, const struct soon__text *text)
{
    int rc;

    if (soon__display_print(stream, text, &rc))
        return rc;
    return fwrite(text->data, 1, text->size, stream) == text->size ? 0 : -errno;
}

int soon_progress_bar_printf(FILE *stream, const char *format, ...)
{
    struct soon__text text = {0};
    va_list values;

    if (!stream || !format)
        return soon__failed(soon__is_null(stream ? "format" : "stream"), "soon_progress_bar_printf");
    va_start(values, format);
    int rc = format_line(&text, format, values);
    va_end(values);
    if (rc == 0)
        rc = print(stream, &text);
    free(text.data);
    return soon__failed(rc, "soon_progress_bar_printf");
}

void soon_progress_bar_hide(void)
{
    soon__display_hide();
}

void soon_progress_bar_show(void)
{
    soon__display_show();
}
