/*
 * label_internal.h - text from outside, as a terminal can show it in so many columns.
 */
#ifndef SOON_PROGRESS_BAR_LABEL_INTERNAL_H
#define SOON_PROGRESS_BAR_LABEL_INTERNAL_H

#include <stddef.h>

/*
 * Writes `text` in at most `columns` columns and `size` bytes, a NUL included, and sets `*ret_columns`. It is read in
 * the encoding of the thread's locale. What is no character of that, or would move the cursor, becomes `?`, or in UTF-8
 * U+FFFD; white space becomes a space. What does not fit is cut, and ends with `~`, or in UTF-8 U+2026.
 * Returns how many bytes were written, without the NUL.
 */
size_t soon__label_fit(char *ret, size_t size, const char *text, int columns, int *ret_columns);

#endif
