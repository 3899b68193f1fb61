/*
 * number.c - numbers, times and rates, as people read them.
 */
#include "number_internal.h"

/* Less than 1000 of a unit: with three digits. */
static void three_digits(char *ret, double number, const char *prefix)
{
    int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;

    snprintf(ret, SOON__NUMBER_MAX, "%.*f%s", decimals, number, prefix);
}

const char *soon__number_text(char ret[SOON__NUMBER_MAX], double number, soon_progress_bar_scale scale)
{
    static const char *const prefixes[][7] = {{"", "k", "M", "G", "T", "P", "E"},
                                              {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}};
    bool binary = scale == SOON_PROGRESS_BAR_SCALE_1024;
    size_t prefix = 0;

    if (scale == SOON_PROGRESS_BAR_PLAIN_NUMBERS || number < 999.5) {
        snprintf(ret, SOON__NUMBER_MAX, "%.0f", number);
        return ret;
    }
    for (; number >= 999.5 && prefix < 6; prefix++)
        number /= binary ? 1024 : 1000;
    three_digits(ret, number, prefixes[binary][prefix]);
    return ret;
}

const char *soon__time_text(char ret[SOON__NUMBER_MAX], double seconds)
{
    /* A century: what takes longer is not known. */
    if (!(seconds >= 0) || seconds > 3.2e9) {
        snprintf(ret, SOON__NUMBER_MAX, "?");
        return ret;
    }
    unsigned long all = (unsigned long)seconds;
    if (all < 3600)
        snprintf(ret, SOON__NUMBER_MAX, "%02lu:%02lu", all / 60, all % 60);
    else
        snprintf(ret, SOON__NUMBER_MAX, "%lu:%02lu:%02lu", all / 3600, all / 60 % 60, all % 60);
    return ret;
}

const char *soon__rate_text(char ret[SOON__NUMBER_MAX], double rate, soon_progress_bar_scale scale, const char *unit)
{
    char number[SOON__NUMBER_MAX];

    if (!(rate > 0))
        snprintf(ret, SOON__NUMBER_MAX, "?%.16s/s", unit);
    else if (rate < 1)
        snprintf(ret, SOON__NUMBER_MAX, "%.2fs/%.16s", 1 / rate, unit);
    else if (scale == SOON_PROGRESS_BAR_PLAIN_NUMBERS || rate < 999.5)
        snprintf(ret, SOON__NUMBER_MAX, "%.2f%.16s/s", rate, unit);
    else
        snprintf(ret, SOON__NUMBER_MAX, "%.24s%.16s/s", soon__number_text(number, rate, scale), unit);
    return ret;
}

double soon__rate_look(struct soon__rate *rate, double count, double second)
{
    double passed = second - rate->last_second;
    /* How far back the recent past goes: further after a long time, so that what comes rarely has a rate, too. */
    double memory = second / 4 > 3 ? second / 4 : 3;
    double keep = memory / (memory + (passed > 0 ? passed : 0));

    if (passed > 0) {
        rate->counts = keep * rate->counts + (count - rate->last_count);
        rate->seconds = keep * rate->seconds + passed;
        rate->last_count = count;
        rate->last_second = second;
    }
    return rate->seconds > 0 && rate->counts > 0 ? rate->counts / rate->seconds : 0;
}
