/*
 * loop_table.c - all loops that there are.
 */
#include "loop_table_internal.h"

#include "../../futures/future_internal.h"

#include <unistd.h>

/* All that there are: to find a loop that is attached again, and for leak checkers those that nobody runs while they
 * close. */
static struct {
    pthread_mutex_t mutex;
    soon_loop *first;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* In a child the parent's loops stay in the list: never found, never freed. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&table.mutex); /* one of the first: there is room */
}

void soon__loop_table_lock(void)
{
    pthread_mutex_lock(&table.mutex);
}

void soon__loop_table_unlock(void)
{
    pthread_mutex_unlock(&table.mutex);
}

soon_loop *soon__loop_find_locked(const struct uv_loop_s *uv)
{
    soon_loop *loop = table.first;

    while (loop && (soon__loop_is_pre_fork(loop) || loop->uv != uv || !loop->tabled.attached))
        loop = loop->tabled.next;
    return loop;
}

void soon__loop_add_locked(soon_loop *loop)
{
    loop->tabled.next = table.first;
    loop->tabled.link = &table.first;
    if (table.first)
        table.first->tabled.link = &loop->tabled.next;
    table.first = loop;
}

void soon__loop_free(soon_loop *loop)
{
    pthread_mutex_lock(&table.mutex);
    *loop->tabled.link = loop->tabled.next;
    if (loop->tabled.next)
        loop->tabled.next->tabled.link = loop->tabled.link;
    pthread_mutex_unlock(&table.mutex);
    close(loop->bell);
    pthread_mutex_destroy(&loop->mutex);
    loop->kind->free(loop);
}
