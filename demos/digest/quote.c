/*
 * quote.c - one pass over the name tells which kind of quotes it needs, a second writes it.
 */
#include "quote.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* Bytes of the character at `at`; `*ret_printable`: it can be shown as it is. Bytes that are no character are not. */
static size_t character(const char *at, mbstate_t *state, bool *ret_printable)
{
    wchar_t wide;
    size_t size = mbrtowc(&wide, at, strlen(at), state);
    *ret_printable = size != (size_t)-1 && size != (size_t)-2 && iswprint(wide);
    if (size == (size_t)-1 || size == (size_t)-2) {
        memset(state, 0, sizeof *state);
        return size == (size_t)-1 ? 1 : strlen(at); /* cut off at the end */
    }
    return size;
}

/* Whether the name needs quotes, and whether double quotes will do: it has a ', and nothing that is special in them. */
static bool needs_quotes(const char *name, bool *ret_double)
{
    mbstate_t state = {0};
    bool special = !*name || strcmp(name, "{") == 0 || strcmp(name, "}") == 0;
    bool all_plain = true, printable;
    for (size_t i = 0, size; name[i]; i += size) {
        size = character(name + i, &state, &printable);
        bool lead = i == 0 && strchr("#~", name[i]);
        special = special || !printable || lead || strchr(" !\"$&()*;<=>?[\\^`|':", name[i]);
        all_plain = all_plain && printable && (lead || !strchr("!\"#$&()*;<=>?[\\^`{|}~", name[i]));
    }
    *ret_double = all_plain && strchr(name, '\'');
    return special;
}

/* Writes a byte that cannot be shown: $'\n', $'\001'. */
static char *put_escape(char *to, unsigned char byte)
{
    static const char letters[] = "a\ab\bf\fn\nr\rt\tv\v";
    *to++ = '\\';
    for (const char *letter = letters; *letter; letter += 2)
        if (byte == (unsigned char)letter[1]) {
            *to++ = *letter;
            return to;
        }
    *to++ = (char)('0' + (byte >> 6));
    *to++ = (char)('0' + (byte >> 3 & 7));
    *to++ = (char)('0' + (byte & 7));
    return to;
}

/* Writes it in single quotes, which it leaves for a ' and for what cannot be shown. */
static char *put_quoted(char *to, const char *name)
{
    mbstate_t state = {0};
    bool printable, escaping = false;
    *to++ = '\'';
    for (size_t size; *name; name += size) {
        size = character(name, &state, &printable);
        if (!printable && !escaping)
            to = stpcpy(to, "'$'");
        else if (printable && escaping && *name != '\'')
            to = stpcpy(to, "''");
        escaping = !printable;

        if (*name == '\'')
            to = stpcpy(to, "'\\''");
        else if (printable)
            to = mempcpy(to, name, size);
        else
            for (size_t i = 0; i < size; i++)
                to = put_escape(to, (unsigned char)name[i]);
    }
    *to++ = '\'';
    return to;
}

char *quote(const char *name)
{
    bool in_double;
    if (!needs_quotes(name, &in_double))
        return strdup(name);

    /* A byte takes at most this much: leaving the quotes, an octal number, and the quotes again. */
    char *text = malloc(10 * strlen(name) + 8), *end = text;
    if (!text)
        return NULL;
    if (in_double) {
        *end++ = '"';
        end = stpcpy(end, name);
        *end++ = '"';
    } else {
        end = put_quoted(end, name);
    }
    *end = 0;
    return text;
}
