/*
 * line.c - a bar at one moment, as a line of so many columns.
 *
 *     label:  40%|████████            | 4/10 [00:12<00:18, 1.33it/s, 1 failed]
 *     label: 4it [00:12, 1.33it/s, 1 failed]                                      of how many is not known
 *
 * There are layouts from the richest to the poorest, and the first that has room for a bar of some width is taken. The
 * last one always fits: it is cut.
 */
#include "line_internal.h"

#include "label_internal.h"
#include "number_internal.h"

#include <string.h>

enum { LABEL_MAX = 1024, PART_MAX = 512 };

/* What a layout shows. `bar` is the least width of the bar; 0: there is none. */
struct layout {
    bool rate, times, failures, numbers;
    int label_part; /* the label has one part in so many of the columns; 0: there is none */
    int bar;
};

static const struct layout layouts[] = {
    {true, true, true, true, 2, 10},   {false, true, true, true, 2, 10},  {false, false, true, true, 2, 10},
    {false, false, true, true, 3, 5},  {false, false, true, true, 4, 4},  {false, false, true, true, 0, 4},
    {false, false, true, true, 0, 0},  {false, false, false, true, 0, 4}, {false, false, false, false, 0, 4},
    {false, false, false, true, 0, 0}, {false, false, false, false, 0, 0}};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

/* A line that is being made. */
struct line {
    char *text;
    size_t size;
    int columns; /* that are used */
};

static const char GREEN[] = "\033[32m", RED[] = "\033[31m", PLAIN[] = "\033[m";

/* Escape sequences and blocks: their columns are not their bytes. */
static void put(struct line *line, const char *text, int columns)
{
    size_t size = strlen(text);

    if (line->size + size >= SOON__LINE_MAX)
        return;
    memcpy(line->text + line->size, text, size + 1);
    line->size += size;
    line->columns += columns;
}

static void put_fitting(struct line *line, const char *text, int columns)
{
    char fitting[LABEL_MAX];
    int used;

    soon__label_fit(fitting, sizeof fitting, text, columns, &used);
    put(line, fitting, used);
}

/* The whole part is known, and how much of it is done: 0 to 1. */
static bool has_part(const struct soon__view *view, double *ret)
{
    double done = (double)view->done + view->running;

    *ret = 0;
    if (view->total == 0 || view->done > view->total)
        return false;
    *ret = done < (double)view->total ? done / (double)view->total : 1;
    return true;
}

static void put_cells(struct line *line, double part, int width, const struct soon__look *look)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int steps = look->blocks ? 8 : 1, full = (int)(part * width * steps), i = 0;

    if (look->colour)
        put(line, GREEN, 0);
    for (; i < full / steps; i++)
        put(line, look->blocks ? "█" : "#", 1);
    if (full % steps > 0 && i++ < width)
        put(line, eighths[full % steps], 1);
    if (look->colour)
        put(line, PLAIN, 0);
    for (; i < width; i++)
        put(line, " ", 1);
}

/* ", 2 failed, 1 cancelled". With `red` the failures are. Returns its columns. */
static int failures_text(char *ret, size_t size, const struct soon__view *view, bool red)
{
    char failed[SOON__NUMBER_MAX] = "", cancelled[SOON__NUMBER_MAX] = "";
    int columns = 0;

    if (view->failed > 0)
        columns += snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)view->failed);
    if (view->cancelled > 0)
        columns += snprintf(cancelled, sizeof cancelled, ", %llu cancelled", (unsigned long long)view->cancelled);
    if (red && *failed)
        snprintf(ret, size, ", %s%s%s%s", RED, failed + 2, PLAIN, cancelled);
    else
        snprintf(ret, size, "%s%s", failed, cancelled);
    return columns;
}

/* "[00:12<00:18, 1.33it/s", without what a layout leaves out. */
static void times_text(char *ret, size_t size, const struct soon__view *view, const struct layout *layout)
{
    char gone[SOON__NUMBER_MAX], left[SOON__NUMBER_MAX], rate[SOON__NUMBER_MAX];
    double part, missing = (double)view->total - (double)view->done - view->running;
    bool ends = has_part(view, &part) && !view->finished;

    soon__time_text(gone, view->second);
    soon__time_text(left, part == 1 ? 0 : view->rate > 0 ? missing / view->rate : -1);
    soon__rate_text(rate, view->rate, view->scale, view->unit);
    snprintf(ret, size, "[%s%s%s%s%s", gone, ends ? "<" : "", ends ? left : "", layout->rate ? ", " : "",
             layout->rate ? rate : "");
}

/* " 4/10 [00:12<00:18, 1.33it/s, 1 failed]": all behind the bar. */
static void put_end(struct line *line, const struct soon__view *view, const struct layout *layout, bool colour)
{
    char done[SOON__NUMBER_MAX], total[SOON__NUMBER_MAX], times[PART_MAX] = "", failures[PART_MAX] = "",
                                                          text[2 * PART_MAX];
    double part;
    bool scaled = view->scale != SOON_PROGRESS_BAR_PLAIN_NUMBERS, of = has_part(view, &part);
    /* The unit stands behind the number, unless that is one of things: 4/10, 1.20MiB/4.00MiB, 4it. */
    const char *unit = scaled || !of ? view->unit : "";

    if (!layout->numbers)
        return;
    soon__number_text(done, (double)view->done, view->scale);
    soon__number_text(total, (double)view->total, view->scale);
    if (layout->times)
        times_text(times, sizeof times, view, layout);
    int columns = layout->failures ? failures_text(failures, sizeof failures, view, colour) : 0;
    if (of)
        snprintf(text, sizeof text, "%s%.16s/%s%.16s", done, unit, total, unit);
    else
        snprintf(text, sizeof text, "%s%.16s", done, unit);
    put_fitting(line, text, SOON__COLUMNS_MAX);
    if (*times) {
        put(line, " ", 1);
        put_fitting(line, times, SOON__COLUMNS_MAX);
    }
    put(line, failures, columns);
    if (*times)
        put(line, "]", 1);
}

/* Of a label that is cut to less than this there is nothing to read. */
static void put_label(struct line *line, const char *label, int columns, int least)
{
    if (!label || !*label || columns < least)
        return;
    put_fitting(line, label, columns - 2);
    put(line, ": ", 2);
}

/* Returns whether there was room. */
static bool lay_out(struct line *line, const struct soon__view *view, const struct layout *layout,
                    const struct soon__look *look)
{
    char end_text[SOON__LINE_MAX], percent[32];
    struct line end = {.text = end_text};
    double part;
    bool of = has_part(view, &part);

    *end_text = 0;
    *line = (struct line){.text = line->text};
    *line->text = 0;
    put_end(&end, view, layout, look->colour);
    put_label(line, view->label, layout->label_part ? look->columns / layout->label_part : 0,
              layout->label_part > 2 ? 6 : 4);
    if (of) {
        snprintf(percent, sizeof percent, "%3d%%", (int)(100 * part));
        put(line, percent, (int)strlen(percent));
    }
    int room = look->columns - line->columns - end.columns - 2 - (end.columns > 0);
    if (of && layout->bar > 0 && room >= layout->bar) {
        put(line, "|", 1);
        put_cells(line, part, room, look);
        put(line, "|", 1);
    }
    if (of && end.columns > 0)
        put(line, " ", 1);
    put(line, end_text, end.columns);
    return (!of || layout->bar == 0 || room >= layout->bar) && line->columns <= look->columns;
}

size_t soon__line_of_bar(char ret[SOON__LINE_MAX], const struct soon__view *view, const struct soon__look *look)
{
    struct line line = {.text = ret};
    double part;

    for (int i = 0; i < LAYOUTS; i++) {
        /* Without a bar there is nothing to say but the numbers. */
        if (!has_part(view, &part) && !layouts[i].numbers)
            break;
        if (lay_out(&line, view, &layouts[i], look))
            return line.size;
    }
    char number[SOON__NUMBER_MAX];
    line = (struct line){.text = ret};
    *ret = 0;
    if (has_part(view, &part))
        snprintf(number, sizeof number, "%d%%", (int)(100 * part));
    else
        soon__number_text(number, (double)view->done, view->scale);
    put_fitting(&line, number, look->columns);
    return line.size;
}

size_t soon__line_of_row(char ret[SOON__LINE_MAX], const struct soon__view *view, size_t row,
                         const struct soon__look *look)
{
    static const struct layout for_rows[] = {{false, false, false, true, 2, 10},
                                             {false, false, false, true, 2, 5},
                                             {false, false, false, false, 2, 4},
                                             {false, false, false, false, 2, 0}};
    const struct soon__row *task = &view->rows[row];
    struct soon__view one = {.label = task->label,
                             .unit = view->adds_progress ? view->unit : "",
                             .scale = view->adds_progress ? view->scale : SOON_PROGRESS_BAR_PLAIN_NUMBERS,
                             .done = task->progress.done,
                             .total = task->progress.total};
    struct soon__look narrower = *look;
    struct line line;

    narrower.columns -= 2;
    line.text = stpcpy(ret, "  ");
    if (one.done > 0 || one.total > 0)
        for (size_t i = 0; i < sizeof for_rows / sizeof *for_rows; i++)
            if (lay_out(&line, &one, &for_rows[i], &narrower))
                return 2 + line.size;
    /* It has no progress, or there is no room for it. */
    line = (struct line){.text = ret + 2};
    *line.text = 0;
    put_fitting(&line, task->label, narrower.columns > 0 ? narrower.columns : 0);
    return 2 + line.size;
}

size_t soon__line_of_plain(char ret[SOON__LINE_MAX], const struct soon__view *view)
{
    static const struct layout all = {true, true, true, true, 1, 0};
    struct line line = {.text = ret};
    char percent[32];

    lay_out(&line, view, &all, &(struct soon__look){.columns = SOON__COLUMNS_MAX});
    for (size_t i = 0; i < view->row_count; i++) {
        const struct soon__row *row = &view->rows[i];
        put(&line, i ? ", " : "  ", 2);
        put_fitting(&line, row->label, SOON__ROW_LABEL_MAX);
        if (row->progress.total > 0) {
            double part = (double)row->progress.done / (double)row->progress.total;
            snprintf(percent, sizeof percent, ": %d%%", (int)(100 * (part < 1 ? part : 1)));
            put(&line, percent, (int)strlen(percent));
        }
    }
    return line.size;
}
