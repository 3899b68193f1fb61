/*
 * options.c - one table: what an option is called, where its value goes, what it may be. It runs before all else.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define MEBIBYTES(n) ((int64_t)(n)*1024 * 1024)

struct number {
    const char *name;
    size_t offset;
    int64_t least, most, standard;
};

static const struct number numbers[] = {
    {"port", offsetof(struct options, port), 0, 65535, 8080},
    {"workers", offsetof(struct options, workers), 0, 1000, 0},
    {"body-max", offsetof(struct options, body_max), 1, MEBIBYTES(1024), MEBIBYTES(16)},
    {"queued-max", offsetof(struct options, queued_max), 1, 100000, 1000},
    {"uploads-max", offsetof(struct options, uploads_max), 1, MEBIBYTES(1024 * 1024), MEBIBYTES(256)},
    {"kept-max", offsetof(struct options, kept_max), 1, 100000, 1000},
    {"kept-bytes-max", offsetof(struct options, kept_bytes_max), 0, MEBIBYTES(1024 * 1024), MEBIBYTES(256)},
    {"connections-max", offsetof(struct options, connections_max), 1, 30000, 1000},
    {"time-limit-ms", offsetof(struct options, time_limit_ms), 1, 86400000, 60000},
    {"queue-limit-ms", offsetof(struct options, queue_limit_ms), 1, 86400000, 600000},
    {"request-ms", offsetof(struct options, request_ms), 1, 86400000, 10000},
    {"drain-ms", offsetof(struct options, drain_ms), 1, 86400000, 10000},
};

enum { NUMBERS = sizeof numbers / sizeof *numbers, ADDRESS = NUMBERS, ROOT, PAGE, HELP, COUNT };

static const char *const names[] = {"address", "root", "page", "help"};

static _Noreturn void usage(FILE *to)
{
    fputs("usage: service [OPTION...]\n"
          "Runs jobs on worker processes for who asks by HTTP.\n"
          "  --address A          the numeric address to listen on (127.0.0.1)\n"
          "  --root FOLDER        what jobs may read\n"
          "  --page FOLDER        the page's files are read from there\n",
          to);
    for (int i = 0; i < NUMBERS; i++)
        fprintf(to, "  --%-14s N   from %lld to %lld (%lld)\n", numbers[i].name, (long long)numbers[i].least,
                (long long)numbers[i].most, (long long)numbers[i].standard);
    exit(to == stdout ? 0 : 2);
}

static int64_t read_number(const struct number *number, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < number->least || value > number->most) {
        fprintf(stderr, "service: --%s is a number from %lld to %lld, not '%s'\n", number->name,
                (long long)number->least, (long long)number->most, text);
        usage(stderr);
    }
    return value;
}

static void take(struct options *ret, int which, const char *value)
{
    if (which < NUMBERS)
        *(int64_t *)((char *)ret + numbers[which].offset) = read_number(&numbers[which], value);
    else if (which == ADDRESS)
        ret->address = value;
    else if (which == ROOT)
        ret->root = value;
    else if (which == PAGE)
        ret->page = value;
    else
        usage(which == HELP ? stdout : stderr); /* getopt_long() has printed what is wrong */
}

void options_read(struct options *ret, int argc, char **argv)
{
    struct option table[COUNT + 1] = {0};
    *ret = (struct options){.address = "127.0.0.1"};
    for (int i = 0; i < COUNT; i++) {
        const char *name = i < NUMBERS ? numbers[i].name : names[i - NUMBERS];
        table[i] = (struct option){name, i == HELP ? no_argument : required_argument, NULL, 'A' + i};
        if (i < NUMBERS)
            *(int64_t *)((char *)ret + numbers[i].offset) = numbers[i].standard;
    }
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;)
        take(ret, option == '?' ? COUNT : option - 'A', optarg);
    if (optind < argc) {
        fprintf(stderr, "service: what is '%s'?\n", argv[optind]);
        usage(stderr);
    }
}
