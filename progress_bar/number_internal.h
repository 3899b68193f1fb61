/*
 * number_internal.h - numbers, times and rates, as people read them.
 */
#ifndef SOON_PROGRESS_BAR_NUMBER_INTERNAL_H
#define SOON_PROGRESS_BAR_NUMBER_INTERNAL_H

#include "progress_bar.h"

enum { SOON__NUMBER_MAX = 64 };

/* 1234567; 1.23M; 1.18Mi. Returns `ret`. */
const char *soon__number_text(char ret[SOON__NUMBER_MAX], double number, soon_progress_bar_scale scale);
/* 01:05; 1:01:05; of less than 0, which is not known: ?. Returns `ret`. */
const char *soon__time_text(char ret[SOON__NUMBER_MAX], double seconds);
/* So many a second: 12.50it/s; of less than one 2.00s/it; of 0: ?it/s. Returns `ret`. */
const char *soon__rate_text(char ret[SOON__NUMBER_MAX], double rate, soon_progress_bar_scale scale, const char *unit);

/*
 * The rate of the recent past: counts and times, of which the older ones weigh less and less. All zeroes: nothing has
 * happened yet.
 */
struct soon__rate {
    double counts, seconds;         /* weighed */
    double last_count, last_second; /* at the last look */
};

/* At `second` since the beginning `count` were done. Returns how many there are in a second; 0: it is not known. */
double soon__rate_look(struct soon__rate *rate, double count, double second);

#endif
