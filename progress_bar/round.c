/*
 * round.c - a round of the drawer: what each bar shows now, and where.
 */
#include "round_internal.h"

#include "members_internal.h"

static bool is_visible(const soon_progress_bar *bar, int64_t now_ns)
{
    return now_ns - bar->began_ns >= bar->options.delay_ms * SOON__NS_PER_MS;
}

static void look(soon_progress_bar *bar, int64_t now_ns)
{
    struct soon__view *view = &bar->drawer.view;

    soon__members_look(bar, view);
    view->second = (double)(now_ns - bar->began_ns) / 1e9;
    view->rate = soon__rate_look(&bar->drawer.rate, (double)view->done + view->running, view->second);
    view->finished = bar->drawer.ends;
    if (view->finished && view->second > 0)
        view->rate = (double)view->done / view->second;
}

static void add_line(struct soon__text *text, const char *line, size_t size, bool is_first)
{
    if (!is_first)
        soon__text_add_string(text, "\033[K\r\n");
    soon__text_add(text, line, size);
}

/* How many lines there are, and how many there may be of bars, and of their running tasks. */
struct lines {
    int count, bars_left, rows_left;
};

/* The bar and its running tasks, as far as there are lines for them. */
static void add_bar(struct soon__text *body, const soon_progress_bar *bar, const struct soon__look *as,
                    struct lines *lines)
{
    char line[SOON__LINE_MAX];
    const struct soon__view *view = &bar->drawer.view;

    if (lines->bars_left-- <= 0)
        return;
    add_line(body, line, soon__line_of_bar(line, view, as), lines->count++ == 0);
    for (size_t i = 0; i < view->row_count && lines->rows_left > 0; i++, lines->rows_left--, lines->count++)
        add_line(body, line, soon__line_of_row(line, view, i, as), false);
}

static void add_last_line(struct soon__text *above, const soon_progress_bar *bar, const struct soon__look *as)
{
    char line[SOON__LINE_MAX];

    soon__text_add(above, line, soon__line_of_bar(line, &bar->drawer.view, as));
    soon__text_add_string(above, "\033[K\r\n");
}

static bool is_on(const soon_progress_bar *bar, const struct soon__outlet *outlet, int64_t now_ns)
{
    return bar->outlet == outlet && is_visible(bar, now_ns);
}

/* Of the lines of a terminal each bar gets one, and running tasks what is left. */
static struct lines share_lines(const struct soon__round *round, const struct soon__outlet *outlet, int rows)
{
    struct lines lines = {.bars_left = rows > 1 ? rows - 1 : 1};
    int bars = 0;

    for (const soon_progress_bar *bar = round->first; bar; bar = bar->drawer.next)
        bars += is_on(bar, outlet, round->now_ns) && !bar->drawer.ends;
    lines.rows_left = lines.bars_left - bars;
    return lines;
}

static void draw_terminal(struct soon__round *round, struct soon__outlet *outlet)
{
    int columns, rows;
    struct lines lines;
    struct soon__text *above = &round->above, *body = &round->body;

    soon__outlet_size(outlet, &columns, &rows);
    lines = share_lines(round, outlet, rows);
    above->size = body->size = 0;
    for (soon_progress_bar *bar = round->first; bar; bar = bar->drawer.next) {
        if (!is_on(bar, outlet, round->now_ns))
            continue;
        struct soon__look as = {bar->blocks, bar->colour, columns};
        look(bar, round->now_ns);
        if (!bar->drawer.ends)
            add_bar(body, bar, &as, &lines);
        else if (!bar->options.vanish)
            add_last_line(above, bar, &as);
    }
    round->is_shown |= soon__outlet_draw(outlet, round->hidden, above, body, lines.count, columns);
}

/* The one bar of a file or a pipe. */
static void draw_plain(soon_progress_bar *bar, int64_t now_ns)
{
    char line[SOON__LINE_MAX];
    int64_t since_ns = bar->drawer.drawn_ns ? bar->drawer.drawn_ns : bar->began_ns;
    int64_t every_ms = bar->options.plain_every_ms;
    bool is_due = bar->drawer.ends ? !bar->options.vanish : now_ns - since_ns >= every_ms * SOON__NS_PER_MS;

    if (every_ms == SOON_FOREVER || !is_due || !is_visible(bar, now_ns))
        return;
    look(bar, now_ns);
    bar->drawer.drawn_ns = now_ns;
    soon__outlet_line(bar->outlet, line, soon__line_of_plain(line, &bar->drawer.view));
}

/* What takes nothing now is tried again; then no bar there ends in this round. */
static void draw_bars_of(struct soon__round *round, struct soon__outlet *terminal)
{
    enum soon__readiness readiness = soon__outlet_readiness(terminal);

    if (readiness == SOON__OUTLET_READY)
        draw_terminal(round, terminal);
    for (soon_progress_bar *bar = round->first; bar && readiness == SOON__OUTLET_BUSY; bar = bar->drawer.next) {
        if (bar->outlet == terminal)
            bar->drawer.ends = false;
    }
}

static void draw_elsewhere(struct soon__round *round, soon_progress_bar *bar)
{
    if (soon__outlet_readiness(bar->outlet) == SOON__OUTLET_BUSY)
        bar->drawer.ends = false;
    else
        draw_plain(bar, round->now_ns);
}

bool soon__round_draw(struct soon__round *round, const atomic_int *hidden)
{
    round->now_ns = soon__bar_now_ns();
    round->hidden = hidden;
    round->is_shown = false;
    for (struct soon__outlet *outlet = round->outlets; outlet; outlet = outlet->listed.next) {
        if (outlet->is_terminal)
            draw_bars_of(round, outlet);
    }
    for (soon_progress_bar *bar = round->first; bar; bar = bar->drawer.next) {
        if (!bar->outlet->is_terminal)
            draw_elsewhere(round, bar);
    }
    return round->is_shown;
}
