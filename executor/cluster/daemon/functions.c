/*
 * functions.c - from a worker's catalog to a table of functions that can be submitted.
 */
#include "functions_internal.h"

#include "../../core/executor_internal.h"
#include "../../processes/both/catalog_internal.h"
#include "../both/digest_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A submit wants a body. In this process none is called. */
static int never_runs(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    abort();
}

static int count_entries(const soon_bytes *catalog, size_t *ret)
{
    soon_function function;
    uint64_t version;
    size_t offset = 0, count = 0;
    int rc;

    while ((rc = soon__catalog_next(&function, &version, catalog->data, catalog->size, &offset)) == 1)
        count++;
    *ret = count;
    return rc;
}

/* The catalog has the order of names. */
static int read_entries(struct soon__offers *offers, const soon_bytes *catalog)
{
    size_t offset = 0;
    int rc = count_entries(catalog, &offers->count);

    if (rc < 0)
        return rc;
    offers->each = calloc(offers->count + 1, sizeof *offers->each);
    if (!offers->each)
        return -ENOMEM;
    for (size_t i = 0; i < offers->count; i++) {
        struct soon__offer *offer = &offers->each[i];

        (void)soon__catalog_next(&offer->function, &offer->version, catalog->data, catalog->size, &offset);
        offer->function.body = never_runs;
        offer->digest = soon__function_digest(&offer->function);
    }
    return 0;
}

int soon__offers_init(struct soon__offers *offers, soon_executor *pool)
{
    static const soon_function ask = {.name = SOON__CATALOG_TASK, .body = never_runs};
    soon_bytes catalog;
    int rc;

    *offers = (struct soon__offers){.catalog = soon_submit_bytes(pool, &ask, NULL, 0, NULL)};
    rc = soon_future_result(offers->catalog, SOON_FOREVER, &catalog);
    if (rc == 0)
        rc = read_entries(offers, &catalog);
    if (rc < 0)
        soon__offers_fini(offers);
    return rc;
}

soon_function soon__offers_initializer(const char *name)
{
    return (soon_function){.name = name,
                           .body = never_runs,
                           .arg_size = sizeof(soon_none),
                           .result_size = sizeof(soon_none),
                           .arg_type = "soon_none",
                           .result_type = "soon_none"};
}

void soon__offers_fini(struct soon__offers *offers)
{
    free(offers->each);
    soon_future_unref(offers->catalog);
    *offers = (struct soon__offers){0};
}

/* As bsearch() wants it: the name has no NUL. */
static int compare(const void *key, const void *element)
{
    const soon_bytes *name = key;
    const char *other = ((const struct soon__offer *)element)->function.name;
    int order = strncmp(name->data, other, name->size);

    return order ? order : -(other[name->size] != '\0');
}

struct soon__offer *soon__offers_find(const struct soon__offers *offers, soon_bytes name)
{
    if (!name.size)
        return NULL;
    return bsearch(&name, offers->each, offers->count, sizeof *offers->each, compare);
}

bool soon__function_takes_string(const soon_function *function)
{
    return !function->arg_size && strcmp(function->arg_type, "string") == 0;
}
