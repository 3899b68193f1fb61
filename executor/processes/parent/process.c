/*
 * process.c - memory, descriptors and program of one worker process: made together, given back together. Loop thread
 * only.
 */
#include "process_internal.h"

#include "../../pools/backlog_internal.h"
#include "agenda_internal.h"
#include "receive_internal.h"
#include "remains_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The descriptors of a process while it is made; -1: there is none yet. */
struct descriptors {
    int control[2], requests, replies, reply_area, bell;
};

static void close_all(struct descriptors *d)
{
    int all[] = {d->control[0], d->control[1], d->replies, d->requests, d->reply_area, d->bell};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] >= 0)
            close(all[i]);
    }
}

static int make_descriptors(struct descriptors *d)
{
    int rc = soon__socket_pair(d->control);

    if (rc >= 0)
        rc = d->replies = soon__shm_new(sizeof(struct soon__replies));
    if (rc >= 0)
        rc = d->requests = soon__shm_new(sizeof(struct soon__requests));
    if (rc >= 0)
        rc = d->reply_area = soon__shm_new(SOON__REPLY_AREA);
    if (rc >= 0)
        rc = d->bell = soon__bell_new();
    return rc < 0 ? rc : 0;
}

static int map_areas(struct soon__process *process, const struct descriptors *d)
{
    void *replies = NULL, *requests = NULL, *reply_area = NULL;
    int rc = soon__shm_map(&replies, d->replies, sizeof(struct soon__replies), true);

    process->channel.replies = replies;
    if (rc == 0)
        rc = soon__shm_map(&requests, d->requests, sizeof(struct soon__requests), true);
    process->channel.requests = requests;
    if (rc == 0)
        rc = soon__shm_close_to_writers(d->requests);
    if (rc == 0)
        rc = soon__shm_map(&reply_area, d->reply_area, SOON__REPLY_AREA, false);
    process->channel.reply_area = reply_area;
    return rc;
}

static void fill_channel(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__replies *replies = process->channel.replies;

    replies->magic = SOON__CHANNEL_MAGIC;
    replies->version = SOON__CHANNEL_VERSION;
    replies->size = sizeof *replies;
    replies->requests_size = sizeof(struct soon__requests);
    replies->reply_area_size = SOON__REPLY_AREA;
    replies->shared_size = pool->backlog.executor->shared ? soon__shared_size(pool->backlog.executor->shared) : 0;
    replies->memory_limit = pool->options.memory_limit;
    replies->depth = pool->launch.depth;
    replies->tell_claims = pool->backlog.bound > 0;
    soon__worker_name(replies->name, sizeof replies->name, pool->backlog.name, process->number);
    process->locked.sequence = (uint64_t)soon__clock_ns();
    soon__channel_init(&process->channel, process->locked.sequence);
}

static int start(struct soon__process *process, const struct descriptors *d)
{
    struct soon__process_pool *pool = process->pool;
    soon_shared *shared = pool->backlog.executor->shared;
    int given[SOON__FD_END - SOON__FD_CONTROL] = {d->control[1], d->replies,
                                                  d->requests,   d->reply_area,
                                                  d->bell,       shared ? soon__shared_descriptor(shared) : d->replies};
    int rc = soon__launch_start(&pool->launch, given, sizeof given / sizeof *given, &process->pid);

    if (rc == 0)
        soon__surroundings_give(&pool->surroundings, process->pid);
    return rc;
}

static void unmap_areas(struct soon__process *process)
{
    soon__shm_unmap(process->channel.replies, sizeof(struct soon__replies));
    soon__shm_unmap(process->channel.requests, sizeof(struct soon__requests));
    soon__shm_unmap(process->channel.reply_area, SOON__REPLY_AREA);
}

/* Its memory alone. NULL: there is none. */
static struct soon__process *allocate(struct soon__process_pool *pool)
{
    struct soon__process *process = calloc(1, sizeof *process);

    if (!process)
        return NULL;
    process->pool = pool;
    process->number = ++pool->locked.numbers; /* this thread alone changes it */
    process->locked.refs = 1;
    process->loop.watch = process->loop.control = -1;
    process->channel.parent_notes = &process->notes;
    soon__ring_allocator_init(&process->locked.ring, SOON__REQUEST_AREA);
    process->loop.remains = soon__remains_new();
    if (process->loop.remains)
        return process;
    free(process);
    return NULL;
}

/* Watches for its end. If that is not possible, ends it, and leaves it to remains.c. */
static int watch(struct soon__process *process)
{
    int rc = process->loop.watch = soon__process_watch(process->pid);

    if (rc >= 0 || rc == -ESRCH) /* that: it is dead already, and was reaped by other code */
        return 0;
    (void)soon__process_signal(-1, process->pid, SIGKILL);
    soon__remains_keep(process->loop.remains, -1, process->pid);
    process->loop.remains = NULL;
    return rc;
}

int soon__process_new(struct soon__process **ret, struct soon__process_pool *pool)
{
    struct descriptors d = {{-1, -1}, -1, -1, -1, -1};
    struct soon__process *process;
    int rc;

    assert(soon__library_on_loop());
    process = allocate(pool);
    if (!process)
        return -ENOMEM;
    rc = make_descriptors(&d);
    if (rc == 0)
        rc = map_areas(process, &d);
    if (rc < 0)
        goto fail;
    fill_channel(process);
    rc = start(process, &d);
    if (rc == 0)
        rc = watch(process);
    if (rc < 0)
        goto fail;
    process->loop.control = d.control[0];
    process->channel.bell = d.bell;
    d.control[0] = d.bell = -1;
    close_all(&d);
    *ret = process;
    return 0;

fail:
    close_all(&d);
    unmap_areas(process);
    free(process->loop.remains);
    free(process);
    return rc;
}

void soon__process_free(struct soon__process *process)
{
    unmap_areas(process);
    soon__directory_fini(&process->locked.directory);
    if (process->loop.control >= 0)
        close(process->loop.control);
    close(process->channel.bell);
    free(process);
}

void soon__process_close(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    bool left;

    assert(soon__library_on_loop());
    soon__process_drop_descriptors(process);
    if (process->loop.watch >= 0)
        close(process->loop.watch);
    free(process->loop.remains);
    soon__error_unref(process->loop.initializer_error);
    soon__mutex_lock(&pool->backlog.mutex);
    left = soon__process_unref_locked(process);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (left)
        soon__process_free(process);
}
