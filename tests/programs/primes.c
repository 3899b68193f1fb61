/*
 * primes.c - an imap over a source that never ends: the first primes, in order, then unordered, then with chunks; and
 * how far the source is read ahead.
 */
#include "program.h"

#include <stdint.h>

SOON_TASK(is_prime, uint64_t, bool)
{
    *result = *arg > 1;
    for (uint64_t divisor = 2; divisor * divisor <= *arg && *result; divisor++)
        *result = *arg % divisor != 0;
    return 0;
}

struct naturals {
    uint64_t next;
};

static int count_up(void *arg, void *data)
{
    struct naturals *naturals = data;

    *(uint64_t *)arg = naturals->next++;
    return 1;
}

static void in_order(soon_executor *pool, size_t wanted, size_t chunk)
{
    struct naturals naturals = {0};
    soon_map_options options = {.in_flight_max = 64, .chunk = chunk};
    soon_imap *imap;
    uint64_t index, handed_out = 0, last = 0;
    soon_future *future;

    must(soon_imap_new(&imap, pool, &is_prime_task, &options, count_up, &naturals) == 0);
    must(naturals.next == 0);
    for (size_t found = 0; found < wanted; handed_out++) {
        bool prime;

        must(soon_imap_next(imap, SOON_FOREVER, &future, &index) == 0);
        must(index == handed_out);
        must(naturals.next - handed_out <= 64);
        must(is_prime_get(future, 0, &prime) == 0);
        soon_future_unref(future);
        if (prime) {
            last = index;
            found++;
        }
    }
    soon_imap_free(imap);
    printf("chunk %zu: prime number %zu is %llu\n", chunk, wanted, (unsigned long long)last);
}

static void unordered(soon_executor *pool, uint64_t below)
{
    struct naturals naturals = {0};
    soon_map_options options = {.unordered = true};
    uint64_t index, primes = 0, seen = 0;
    soon_future *future;
    soon_imap *imap;
    bool prime;

    must(soon_imap_new(&imap, pool, &is_prime_task, &options, count_up, &naturals) == 0);
    while (seen < below) {
        must(soon_imap_next(imap, SOON_FOREVER, &future, &index) == 0);
        must(soon_take(future, &prime) == 0);
        if (index < below) {
            seen++;
            primes += prime;
        }
    }
    soon_imap_free(imap);
    printf("unordered: %llu primes below %llu\n", (unsigned long long)primes, (unsigned long long)below);
}

/* A source that ends, and one that fails. */
static int three(void *arg, void *data)
{
    struct naturals *naturals = data;

    *(uint64_t *)arg = naturals->next;
    return naturals->next++ < 3;
}

static int fails_at_two(void *arg, void *data)
{
    return three(arg, data) && ((struct naturals *)data)->next < 3 ? 1 : -7;
}

static void drain(soon_executor *pool, const char *what, soon_source_fn source)
{
    struct naturals naturals = {0};
    soon_imap *imap;
    soon_future *future;
    int rc, items = 0;

    must(soon_imap_new(&imap, pool, &is_prime_task, NULL, source, &naturals) == 0);
    while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0) {
        soon_future_unref(future);
        items++;
    }
    printf("%s: %d items, then %d", what, items, rc);
    rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL);
    printf(", then %s\n", soon_errname(rc));
    soon_imap_free(imap);
}

int main(void)
{
    SOON_AUTO_EXECUTOR *pool = pool_of(3);

    in_order(pool, 1000, 0);
    in_order(pool, 1000, 16);
    unordered(pool, 5000);
    drain(pool, "a source that ends", three);
    drain(pool, "a source that fails", fails_at_two);
    return 0;
}
