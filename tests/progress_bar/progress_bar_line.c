/*
 * What a bar looks like: numbers, times, rates, labels; and the layouts, from the widest to the narrowest.
 */
#include "../../progress_bar/label_internal.h"
#include "../../progress_bar/line_internal.h"
#include "../../progress_bar/number_internal.h"
#include "../harness/test.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

static void in_utf8(void)
{
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

static void in_c(void)
{
    cr_assert(setlocale(LC_CTYPE, "C"));
}

Test(progress_bar_line, numbers_have_three_digits)
{
    static const struct {
        double number;
        soon_progress_bar_scale scale;
        const char *text;
    } rows[] = {
        {0, SOON_PROGRESS_BAR_PLAIN_NUMBERS, "0"},
        {1234567, SOON_PROGRESS_BAR_PLAIN_NUMBERS, "1234567"},
        {999, SOON_PROGRESS_BAR_SCALE_1000, "999"},
        {1000, SOON_PROGRESS_BAR_SCALE_1000, "1.00k"},
        {9994, SOON_PROGRESS_BAR_SCALE_1000, "9.99k"},
        {9996, SOON_PROGRESS_BAR_SCALE_1000, "10.0k"},
        {99960, SOON_PROGRESS_BAR_SCALE_1000, "100k"},
        {999600, SOON_PROGRESS_BAR_SCALE_1000, "1.00M"},
        {1000, SOON_PROGRESS_BAR_SCALE_1024, "0.98Ki"},
        {1048576, SOON_PROGRESS_BAR_SCALE_1024, "1.00Mi"},
        {1.8446744073709552e19, SOON_PROGRESS_BAR_SCALE_1024, "16.0Ei"},
        {1.8446744073709552e19, SOON_PROGRESS_BAR_SCALE_1000, "18.4E"},
    };
    char text[SOON__NUMBER_MAX];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_str_eq(soon__number_text(text, rows[i].number, rows[i].scale), rows[i].text);
}

Test(progress_bar_line, times_are_minutes_and_hours)
{
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {{0, "00:00"},          {59.99, "00:59"}, {61, "01:01"}, {3599, "59:59"},         {3600, "1:00:00"},
                {360000, "100:00:00"}, {-1, "?"},        {1e300, "?"},  {__builtin_nan(""), "?"}};
    char text[SOON__NUMBER_MAX];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_str_eq(soon__time_text(text, rows[i].seconds), rows[i].text);
}

Test(progress_bar_line, a_slow_rate_is_the_time_for_one)
{
    char text[SOON__NUMBER_MAX];

    cr_assert_str_eq(soon__rate_text(text, 0, SOON_PROGRESS_BAR_PLAIN_NUMBERS, "it"), "?it/s");
    cr_assert_str_eq(soon__rate_text(text, 0.5, SOON_PROGRESS_BAR_PLAIN_NUMBERS, "it"), "2.00s/it");
    cr_assert_str_eq(soon__rate_text(text, 12.345, SOON_PROGRESS_BAR_PLAIN_NUMBERS, "it"), "12.35it/s");
    cr_assert_str_eq(soon__rate_text(text, 3145728, SOON_PROGRESS_BAR_SCALE_1024, "B"), "3.00MiB/s");
}

Test(progress_bar_line, the_rate_follows_the_recent_past)
{
    struct soon__rate rate = {0};
    double last = 0;

    cr_assert_eq(soon__rate_look(&rate, 0, 0), 0);
    cr_assert_eq(soon__rate_look(&rate, 10, 1), 10);
    cr_assert_eq(soon__rate_look(&rate, 10, 1), 10); /* no time has passed */
    for (int second = 2; second < 100; second++)
        last = soon__rate_look(&rate, 10 + 100 * (second - 1), second);
    cr_assert_gt(last, 95);
    cr_assert_leq(last, 100);
    for (int second = 100; second < 1000; second++)
        last = soon__rate_look(&rate, 9810, second);
    cr_assert_lt(last, 10);
}

/* What becomes of a text in so many columns. */
static const char *fit(const char *text, int columns)
{
    static char ret[256];
    int used;

    cr_assert_eq(soon__label_fit(ret, sizeof ret, text, columns, &used), strlen(ret));
    cr_assert_leq(used, columns);
    return ret;
}

Test(progress_bar_line, a_label_is_cut_by_columns, .init = in_utf8)
{
    cr_assert_str_eq(fit("plain", 5), "plain");
    cr_assert_str_eq(fit("plain", 4), "pla…");
    cr_assert_str_eq(fit("plain", 1), "…");
    cr_assert_str_eq(fit("plain", 0), "");
    cr_assert_str_eq(fit("漢字仮名", 8), "漢字仮名");
    cr_assert_str_eq(fit("漢字仮名", 7), "漢字仮…");
    cr_assert_str_eq(fit("漢字仮名", 6), "漢字…");                        /* half a character does not fit */
    cr_assert_str_eq(fit("e\xcc\x81t\xc3\xa9", 3), "e\xcc\x81t\xc3\xa9"); /* a combining accent has no column */
}

Test(progress_bar_line, a_label_cannot_move_the_cursor, .init = in_utf8)
{
    cr_assert_str_eq(fit("a\033[31mb", 20), "a\xef\xbf\xbd[31mb");
    cr_assert_str_eq(fit("a\nb\tc\rd", 20), "a b c d");
    cr_assert_str_eq(fit("a\177b\xc2\x9b", 20), "a\xef\xbf\xbd"
                                                "b\xef\xbf\xbd");
    cr_assert_str_eq(fit("not\xff\xfeutf8", 20), "not\xef\xbf\xbd\xef\xbf\xbdutf8");
    cr_assert_str_eq(fit("cut \xe6\xbc", 20), "cut \xef\xbf\xbd");
}

Test(progress_bar_line, in_the_c_locale_a_label_is_ascii, .init = in_c)
{
    cr_assert_str_eq(fit("caf\xc3\xa9", 20), "caf??");
    cr_assert_str_eq(fit("plain", 4), "pla~");
}

Test(progress_bar_line, a_label_that_never_ends_fits, .init = in_utf8)
{
    static char text[4096], ret[64];
    int used;

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xcc\x81", 2);
    cr_assert_lt(soon__label_fit(ret, sizeof ret, text, 10, &used), sizeof ret);
    cr_assert_leq(used, 10);
}

/*
 * Layouts
 */

static const char *line(const struct soon__view *view, int columns, bool blocks)
{
    static char ret[SOON__LINE_MAX];

    cr_assert_eq(soon__line_of_bar(ret, view, &(struct soon__look){.blocks = blocks, .columns = columns}), strlen(ret));
    wchar_t wide[SOON__LINE_MAX];
    cr_assert_neq(mbstowcs(wide, ret, SOON__LINE_MAX), (size_t)-1);
    cr_assert_leq(wcswidth(wide, SOON__LINE_MAX), columns, "%s", ret);
    return ret;
}

static struct soon__view half_done(void)
{
    return (struct soon__view){
        .label = "hash", .unit = "it", .done = 5, .total = 10, .failed = 1, .second = 10, .rate = 0.5};
}

Test(progress_bar_line, it_has_all_there_is_to_say_and_fills_the_line)
{
    struct soon__view view = half_done();

    cr_assert_str_eq(line(&view, 80, false),
                     "hash:  50%|##############               | 5/10 [00:10<00:10, 2.00s/it, 1 failed]");
    cr_assert_eq(strlen(line(&view, 200, false)), 200);
}

Test(progress_bar_line, the_narrower_the_less)
{
    struct soon__view view = half_done();

    cr_assert_str_eq(line(&view, 60, false), "hash:  50%|#########          | 5/10 [00:10<00:10, 1 failed]");
    cr_assert_str_eq(line(&view, 50, false), "hash:  50%|###########            | 5/10, 1 failed");
    cr_assert_str_eq(line(&view, 40, false), "hash:  50%|######       | 5/10, 1 failed");
    cr_assert_str_eq(line(&view, 30, false), " 50%|####     | 5/10, 1 failed");
    cr_assert_str_eq(line(&view, 20, false), " 50% 5/10, 1 failed");
    cr_assert_str_eq(line(&view, 18, false), " 50%|###    | 5/10");
    cr_assert_str_eq(line(&view, 10, false), " 50%|##  |");
    cr_assert_str_eq(line(&view, 9, false), " 50% 5/10");
    cr_assert_str_eq(line(&view, 4, false), " 50%");
    cr_assert_str_eq(line(&view, 3, false), "50%");
}

Test(progress_bar_line, each_width_is_kept, .init = in_utf8)
{
    struct soon__view view = half_done();

    view.label = "漢字の長いラベル with more behind it";
    view.scale = SOON_PROGRESS_BAR_SCALE_1024;
    view.unit = "漢B";
    for (int with_total = 0; with_total < 2; with_total++)
        for (int columns = SOON__COLUMNS_MIN; columns < 250; columns++) {
            view.total = with_total ? 10000000000 : 0;
            view.done = 123456789;
            (void)line(&view, columns, true);
        }
}

Test(progress_bar_line, blocks_have_eighths, .init = in_utf8)
{
    struct soon__view view = {.unit = "it", .done = 5, .running = 0.25, .total = 10, .second = 1};

    cr_assert_str_eq(line(&view, 30, true), " 52%|█████████▉         | 5/10");
    view.done = 10;
    cr_assert_str_eq(line(&view, 30, true), "100%|██████████████████| 10/10");
}

Test(progress_bar_line, without_a_total_it_counts)
{
    struct soon__view view = half_done();

    view.total = 0;
    cr_assert_str_eq(line(&view, 80, false), "hash: 5it [00:10, 2.00s/it, 1 failed]");
    view.total = 4; /* more than there should be */
    cr_assert_str_eq(line(&view, 80, false), "hash: 5it [00:10, 2.00s/it, 1 failed]");
}

Test(progress_bar_line, it_is_complete_only_when_all_is_done)
{
    struct soon__view view = {.unit = "it", .done = 999999, .running = 0.999, .total = 1000000, .second = 1};

    cr_assert(strncmp(line(&view, 80, false), " 99%", 4) == 0);
    view.done++;
    cr_assert(strncmp(line(&view, 80, false), "100%", 4) == 0);
}

Test(progress_bar_line, a_running_task_has_a_line_of_its_own)
{
    struct soon__view view = half_done();
    char ret[SOON__LINE_MAX];

    strcpy(view.rows[0].label, "a.iso");
    view.rows[0].progress = (soon_progress){3, 4};
    strcpy(view.rows[1].label, "silent");
    view.row_count = 2;
    soon__line_of_row(ret, &view, 0, &(struct soon__look){.columns = 40});
    cr_assert_str_eq(ret, "  a.iso:  75%|###############      | 3/4");
    soon__line_of_row(ret, &view, 0, &(struct soon__look){.columns = 20});
    cr_assert_str_eq(ret, "  a.iso:  75%|###  |");
    soon__line_of_row(ret, &view, 1, &(struct soon__look){.columns = 40});
    cr_assert_str_eq(ret, "  silent");
    soon__line_of_plain(ret, &view);
    cr_assert_str_eq(ret, "hash:  50% 5/10 [00:10<00:10, 2.00s/it, 1 failed]  a.iso: 75%, silent");
}

Test(progress_bar_line, colours_have_no_width)
{
    struct soon__view view = half_done();
    char ret[SOON__LINE_MAX];

    soon__line_of_bar(ret, &view, &(struct soon__look){.colour = true, .columns = 60});
    cr_assert_str_eq(ret, "hash:  50%|\033[32m#########\033[m          | 5/10 [00:10<00:10, \033[31m1 failed\033[m]");
}
