/*
 * loop_post.c - functions that a program posts to its loop.
 */
#include "loop_post_internal.h"

#include "loop_internal.h"

#include <stdlib.h>

void soon__loop_run_post(struct soon__loop_entry *entry)
{
    struct soon__loop_post post = *(struct soon__loop_post *)entry;

    free(entry);
    if (post.fn)
        soon__loop_call(post.loop, post.fn, post.data);
    if (post.let_go)
        soon__loop_call(post.loop, post.let_go, post.data);
}

static void let_go_later(struct soon__job *job)
{
    struct soon__loop_post post = *(struct soon__loop_post *)job;

    free(job);
    post.let_go(post.data);
}

static void drop_post(struct soon__loop_entry *entry)
{
    struct soon__loop_post *post = (struct soon__loop_post *)entry;

    if (post->is_closed) {
        soon__loop_run_post(entry);
    } else if (post->let_go) { /* as D4 in delivery.c */
        post->job.run = let_go_later;
        soon__library_callbacks_post(&post->job);
    } else {
        free(post);
    }
}

int soon__loop_push_post(soon_loop *loop, struct soon__loop_post *post)
{
    int rc;

    post->entry.run = soon__loop_run_post;
    post->entry.drop = drop_post;
    post->loop = loop;
    pthread_mutex_lock(&loop->mutex);
    rc = soon__loop_count_in_locked(loop);
    if (rc == 0)
        soon__loop_push_locked(loop, &post->entry);
    soon__loop_leave(loop);
    return rc;
}

static int post_fn(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn let_go)
{
    struct soon__loop_post *post;
    int rc;

    if (!loop || !fn)
        return soon__is_null(loop ? "fn" : "the loop");
    rc = let_go ? soon__library_start() : 0;
    if (rc < 0)
        return rc;
    if (soon__loop_is_pre_fork(loop))
        return SOON_EFORKED;
    post = malloc(sizeof *post);
    if (!post)
        return -ENOMEM;
    *post = (struct soon__loop_post){.fn = fn, .data = data, .let_go = let_go};
    rc = soon__loop_push_post(loop, post);
    if (rc < 0)
        free(post);
    return rc;
}

int soon_loop_post(soon_loop *loop, soon_loop_fn fn, void *data)
{
    return soon__failed(post_fn(loop, fn, data, NULL), "soon_loop_post");
}

int soon_loop_post_owned(soon_loop *loop, soon_loop_fn fn, void *data, soon_free_fn release)
{
    int rc = post_fn(loop, fn, data, release);

    if (rc < 0 && release)
        release(data);
    return soon__failed(rc, "soon_loop_post_owned");
}
