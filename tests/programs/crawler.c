/*
 * crawler.c - follows the links of a made-up site: the set of what is under way grows while it is iterated. First the
 * main thread adds each page's links; then the tasks themselves submit and give what they find to the set.
 */
#include "program.h"

#include <pthread.h>
#include <stdint.h>

enum { PAGES = 3000, LINKS = 3 };

struct page {
    uint32_t number;
    uint32_t links[LINKS];
    uint32_t count;
};

static void links_of(uint32_t number, struct page *ret)
{
    *ret = (struct page){.number = number};
    for (uint32_t i = 1; i <= LINKS; i++) {
        uint32_t to = number * LINKS + i;

        if (number % 7 == 3 && i == 2)
            to = number / 2; /* back to where one has been */
        if (to < PAGES)
            ret->links[ret->count++] = to;
    }
}

SOON_TASK(fetch, uint32_t, struct page)
{
    if (*arg % 1000 == 999)
        return soon_raise(task, 404, "page %u is not there", *arg);
    links_of(*arg, result);
    return 0;
}

struct tally {
    size_t pages, broken;
    uint64_t checksum;
};

static void print(const char *how, const struct tally *tally)
{
    printf("%s: %zu pages, %zu broken, checksum %llu\n", how, tally->pages, tally->broken,
           (unsigned long long)tally->checksum);
}

static void main_thread_adds(soon_executor *pool)
{
    static bool seen[PAGES];
    struct tally tally = {0};
    soon_as_completed *set;
    soon_future *future;
    int rc;

    must(soon_as_completed_new(&set, NULL, 0, SOON_FOREVER) == 0);
    must(soon_as_completed_next(set, &future) == SOON_EEND);
    must(soon_as_completed_give(set, soon_submit(pool, fetch, 0)) == 0);
    seen[0] = true;
    while ((rc = soon_as_completed_next(set, &future)) == 0) {
        struct page page;

        if (fetch_get(future, 0, &page) < 0) {
            must(soon_future_error(future)->raised == 404);
            tally.broken++;
        } else {
            tally.pages++;
            tally.checksum += page.number;
            for (uint32_t i = 0; i < page.count; i++) {
                if (seen[page.links[i]])
                    continue;
                seen[page.links[i]] = true;
                must(soon_as_completed_give(set, soon_submit(pool, fetch, page.links[i])) == 0);
            }
        }
        soon_future_unref(future);
    }
    must(rc == SOON_EEND);
    size_t total;
    must(soon_as_completed_left(set, &total) == 0 && total == tally.pages + tally.broken);
    soon_as_completed_free(set);
    print("the main thread adds", &tally);
}

/* What the tasks share with each other: so their function is a LOCAL one. */
struct crawl {
    pthread_mutex_t mutex;
    soon_as_completed *set;
    bool seen[PAGES];
};

struct visit {
    struct crawl *crawl;
    uint32_t number;
};

static bool first_time(struct crawl *crawl, uint32_t number)
{
    pthread_mutex_lock(&crawl->mutex);
    bool first = !crawl->seen[number];
    crawl->seen[number] = true;
    pthread_mutex_unlock(&crawl->mutex);
    return first;
}

SOON_TASK_DECLARE(nothing, soon_none, soon_none);
SOON_TASK_LOCAL(visit, struct visit, uint32_t, NULL, NULL)
{
    struct page page;

    if (arg->number % 1000 == 999)
        return soon_raise(task, 404, "page %u is not there", arg->number);
    links_of(arg->number, &page);
    for (uint32_t i = 0; i < page.count; i++) {
        struct visit next = {arg->crawl, page.links[i]};

        if (!first_time(arg->crawl, next.number))
            continue;
        if (soon_as_completed_give(arg->crawl->set, visit_submit(soon_task_executor(task), &next, NULL)) < 0)
            return soon_raise(task, 1, "the set has no memory");
    }
    *result = arg->number;
    return 0;
}

static void tasks_give(soon_executor *pool)
{
    static struct crawl crawl = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct tally tally = {0};
    soon_future *future;

    must(soon_as_completed_new(&crawl.set, NULL, 0, SOON_FOREVER) == 0);
    must(first_time(&crawl, 0));
    must(soon_as_completed_give(crawl.set, soon_submit(pool, visit, &crawl, 0)) == 0);
    while (soon_as_completed_next(crawl.set, &future) == 0) {
        uint32_t number;

        if (soon_take(future, &number) == 0) {
            tally.pages++;
            tally.checksum += number;
        } else {
            tally.broken++;
        }
    }
    soon_as_completed_free(crawl.set);
    print("the tasks give", &tally);
}

SOON_TASK_DEFINE(nothing)
{
    return 0;
}

int main(void)
{
    SOON_AUTO_EXECUTOR *pool = pool_of(4);

    main_thread_adds(pool);
    tasks_give(pool);
    must(soon_take(soon_submit(pool, nothing), &(soon_none){0}) == 0);
    return 0;
}
