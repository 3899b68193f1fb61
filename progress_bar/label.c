/*
 * label.c - text from outside, as a terminal can show it in so many columns.
 *
 * A label may be a file's name: it may hold any bytes, and sequences that a terminal obeys. Only what mbrtowc() takes
 * for a character, and wcwidth() knows the width of, is written as it is.
 */
#include "label_internal.h"

#include <langinfo.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* One character: its bytes, where they stand, and its columns. */
struct character {
    const char *bytes;
    size_t size;
    int columns;
};

static bool is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static struct character unknown(void)
{
    return is_utf8() ? (struct character){"\xef\xbf\xbd", 3, 1} : (struct character){"?", 1, 1};
}

/* Reads the character at `*text`, which does not begin with a NUL, and moves on behind it. */
static struct character read_character(const char **text, size_t left)
{
    const char *at = *text;
    mbstate_t state = {0};
    wchar_t wide;
    size_t size = mbrtowc(&wide, at, left, &state);

    if (size == (size_t)-1 || size == (size_t)-2 || size == 0) {
        *text += size == (size_t)-2 ? left : 1;
        return unknown();
    }
    *text += size;
    if (iswspace((wint_t)wide))
        return (struct character){" ", 1, 1};
    int columns = wcwidth(wide);
    return columns < 0 ? unknown() : (struct character){at, size, columns};
}

/* Copies as much as fits. `*text` is then at what does not; at the NUL, if all does. */
static size_t copy(char *ret, size_t size, const char **text, int columns, int *ret_columns)
{
    const char *end = *text + strlen(*text);
    size_t used = 0;

    *ret_columns = 0;
    while (*text < end) {
        const char *next = *text;
        struct character c = read_character(&next, (size_t)(end - next));
        if (*ret_columns + c.columns > columns || used + c.size >= size)
            break;
        memcpy(ret + used, c.bytes, c.size);
        used += c.size;
        *ret_columns += c.columns;
        *text = next;
    }
    ret[used] = 0;
    return used;
}

size_t soon__label_fit(char *ret, size_t size, const char *text, int columns, int *ret_columns)
{
    const char *end = is_utf8() ? "\xe2\x80\xa6" : "~", *rest = text;
    size_t used = copy(ret, size, &rest, columns, ret_columns);

    if (!*rest || columns < 1 || size <= strlen(end))
        return used;
    rest = text;
    used = copy(ret, size - strlen(end), &rest, columns - 1, ret_columns);
    ++*ret_columns;
    return used + (size_t)(stpcpy(ret + used, end) - (ret + used));
}
