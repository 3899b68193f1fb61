/*
 * loop_post_internal.h - a function that was posted to a loop; also the word that a detach is over.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_POST_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_POST_INTERNAL_H

#include "library_loop_internal.h"
#include "loop_state_internal.h"

struct soon__loop_post {
    union {
        struct soon__loop_entry entry; /* first */
        struct soon__job job;          /* it was dropped, and its data is let go of on the callback thread */
    };
    soon_loop *loop;
    soon_loop_fn fn; /* NULL: nobody is told */
    void *data;
    soon_free_fn let_go; /* when `fn` has run, or will not; NULL: nobody is told */
    bool is_closed;      /* the word that a detach is over: it comes in any case */
};

/* Takes `post` if 0. */
int soon__loop_push_post(soon_loop *loop, struct soon__loop_post *post);
/* Calls it here, and frees it. */
void soon__loop_run_post(struct soon__loop_entry *entry);

#endif
