/*
 * status.c - a soon_cluster_status, put together of the lines of a server.
 *
 * What is gathered are texts, each with its NUL: of a function its name and its three numbers, of a worker its address,
 * its name, and its functions up to an empty one. The status is one block: its arrays, then the texts, to which they
 * point.
 */
#include "status_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * Gathering
 */

static void put(struct soon__status_lines *lines, const char *text, size_t size)
{
    size_t capacity = lines->capacity ? lines->capacity : 1024;
    char *data;

    while (capacity - lines->size < size + 1)
        capacity *= 2;
    data = capacity > lines->capacity ? realloc(lines->data, capacity) : lines->data;
    if (!data) {
        lines->failed = true;
        return;
    }
    lines->data = data;
    lines->capacity = capacity;
    if (size)
        memcpy(data + lines->size, text, size);
    data[lines->size + size] = '\0';
    lines->size += size + 1;
}

/* Takes a word that ends before `end` or one of `ends`. */
static const char *next_word(const char **at, const char *end, char ends, size_t *ret_size)
{
    const char *word = *at, *stop = memchr(word, ends, (size_t)(end - word));

    *ret_size = (size_t)((stop ? stop : end) - word);
    *at = stop ? stop + 1 : end;
    return word;
}

static bool is_for_orders(const char *name, size_t size)
{
    return size > 7 && memcmp(name, "cancel@", 7) == 0;
}

static bool is_number(const char *text, size_t size)
{
    size_t digits = 0;

    while (digits < size && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    return size > 0 && digits == size;
}

enum { FIELDS = 4 };

void soon__status_add_function(struct soon__status_lines *lines, const char *line, size_t size)
{
    const char *at = line, *end = line + size, *words[FIELDS];
    size_t sizes[FIELDS];

    for (int i = 0; i < FIELDS; i++)
        words[i] = next_word(&at, end, '\t', &sizes[i]);
    for (int i = 1; i < FIELDS; i++) {
        if (!is_number(words[i], sizes[i]))
            return;
    }
    if (is_for_orders(words[0], sizes[0]))
        return;
    for (int i = 0; i < FIELDS; i++)
        put(lines, words[i], sizes[i]);
    lines->functions++;
}

/* Puts the functions of a worker. Returns how many it has; without those for orders. */
static size_t put_functions(struct soon__status_lines *lines, const char *at, const char *end)
{
    size_t count = 0, size;

    while (at < end) {
        const char *word = next_word(&at, end, ' ', &size);

        if (size == 0 || is_for_orders(word, size))
            continue;
        put(lines, word, size);
        count++;
    }
    put(lines, "", 0);
    return count;
}

void soon__status_add_worker(struct soon__status_lines *lines, const char *line, size_t size)
{
    const char *at = line, *end = line + size, *host, *name, *colon;
    size_t host_size, name_size, before = lines->size, count;

    (void)next_word(&at, end, ' ', &host_size);
    host = next_word(&at, end, ' ', &host_size);
    for (colon = at; colon < end && *colon != ':'; colon++)
        ;
    name = next_word(&at, colon, ' ', &name_size);
    if (colon == end)
        return;
    put(lines, host, host_size);
    put(lines, name, name_size == 1 && *name == '-' ? 0 : name_size);
    count = put_functions(lines, colon + 1, end);
    if (count == 0) {
        lines->size = before; /* a client */
        return;
    }
    lines->workers++;
    lines->names += count;
}

void soon__status_lines_fini(struct soon__status_lines *lines)
{
    free(lines->data);
    *lines = (struct soon__status_lines){0};
}

/*
 * The status
 */

struct whole {
    soon_cluster_status status; /* first */
    soon_cluster_function *functions;
    soon_cluster_worker *workers;
    const char **names;
    char *texts;
};

static const char *take(const char **at)
{
    const char *text = *at;

    *at += strlen(text) + 1;
    return text;
}

static const char *fill_functions(struct whole *whole, const char *at)
{
    for (size_t i = 0; i < whole->status.function_count; i++) {
        soon_cluster_function *function = &whole->functions[i];
        uint64_t total;

        function->name = take(&at);
        total = strtoull(take(&at), NULL, 10);
        function->running = strtoull(take(&at), NULL, 10);
        function->pending = total > function->running ? total - function->running : 0;
        function->workers = (unsigned)strtoul(take(&at), NULL, 10);
    }
    return at;
}

static void fill_workers(struct whole *whole, const char *at)
{
    const char **names = whole->names, *name;

    for (size_t i = 0; i < whole->status.worker_count; i++) {
        soon_cluster_worker *worker = &whole->workers[i];

        worker->host = take(&at);
        worker->name = take(&at);
        worker->functions = names;
        while (*(name = take(&at)))
            *names++ = name;
        worker->function_count = (size_t)(names - (const char **)worker->functions);
    }
}

soon_cluster_status *soon__status_new(const struct soon__status_lines *lines, const char *server)
{
    size_t functions = lines->functions * sizeof(soon_cluster_function);
    size_t workers = lines->workers * sizeof(soon_cluster_worker), names = lines->names * sizeof(char *);
    size_t server_size = strlen(server) + 1;
    struct whole *whole =
        lines->failed ? NULL : malloc(sizeof *whole + functions + workers + names + lines->size + server_size);

    if (!whole)
        return NULL;
    whole->functions = (soon_cluster_function *)(whole + 1);
    whole->workers = (soon_cluster_worker *)((char *)whole->functions + functions);
    whole->names = (const char **)((char *)whole->workers + workers);
    whole->texts = (char *)whole->names + names;
    if (lines->size)
        memcpy(whole->texts, lines->data, lines->size);
    whole->status = (soon_cluster_status){.server = memcpy(whole->texts + lines->size, server, server_size),
                                          .functions = whole->functions,
                                          .function_count = lines->functions,
                                          .workers = whole->workers,
                                          .worker_count = lines->workers};
    fill_workers(whole, fill_functions(whole, whole->texts));
    return &whole->status;
}

void soon_cluster_status_free(soon_cluster_status *status)
{
    free(status);
}
