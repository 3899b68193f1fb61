/*
 * thread.c - the record of the calling thread.
 */
#include "thread_internal.h"

#include "system_internal.h"

#include <pthread.h>
#include <string.h>

_Thread_local struct soon__thread soon__this_thread;

bool soon__thread_is_busy(void)
{
    return soon__this_thread.frames || soon__this_thread.of_library || soon__this_thread.queues.in_internals ||
           soon__this_thread.queues.in_callbacks || soon__this_thread.queues.below;
}

bool soon__thread_in_executor(const void *executor)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (frame->executor == executor)
            return true;
    }
    return false;
}

bool soon__thread_in_callback(void)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (!frame->executor && !frame->pinned)
            return true;
    }
    return false;
}

bool soon__thread_has_pinned(const void *owner)
{
    for (struct soon__frame *frame = soon__this_thread.frames; frame; frame = frame->below) {
        if (frame->pinned == owner)
            return true;
    }
    return false;
}

void soon__thread_set_aside(struct soon__thread_saved *ret_saved)
{
    *ret_saved = (struct soon__thread_saved){.some = true, .queues = soon__this_thread.queues};
    soon__this_thread.queues = (struct soon__callback_queues){.below = &ret_saved->queues};
}

void soon__thread_take_up(const struct soon__thread_saved *saved)
{
    soon__this_thread.queues = saved->queues;
}

/* The one thread of a forked child is no worker, and no thread of the library: those are in the parent. */
static void forget_worker(void)
{
    soon__this_thread.parking = NULL;
    soon__this_thread.worker = NULL;
    soon__this_thread.pool = NULL;
    soon__this_thread.of_library = false;
    soon__this_thread.sink = NULL;
}

static pthread_key_t end_key;
static bool has_end_key;
static _Atomic bool end_key_is_used;

/* A later function, or a destructor of the program's, may use again what an earlier one has given back. Then that is
 * registered again, and the system calls this again. */
static void end(void *data)
{
    void (*at_end[SOON__AT_END_MAX])(void);

    (void)data;
    memcpy(at_end, soon__this_thread.at_end, sizeof at_end);
    memset(soon__this_thread.at_end, 0, sizeof at_end);
    for (int i = 0; i < SOON__AT_END_MAX && at_end[i]; i++)
        at_end[i]();
}

/* Returns false if the system has no room for it. */
static bool watch_end(void)
{
    soon__stay_loaded();
    /* Relaxed: it is read when the object is unloaded, which does not happen from now on. */
    atomic_store_explicit(&end_key_is_used, true, memory_order_relaxed);
    return has_end_key && pthread_setspecific(end_key, &soon__this_thread) == 0;
}

bool soon__thread_at_end(void (*give_back)(void))
{
    void (**at)(void) = soon__this_thread.at_end, (**limit)(void) = at + SOON__AT_END_MAX;

    while (at < limit && *at && *at != give_back)
        at++;
    if (at == limit || (!*at && !watch_end()))
        return false;
    *at = give_back;
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    has_end_key = pthread_key_create(&end_key, end) == 0;
    (void)soon__at_fork(NULL, NULL, forget_worker); /* one of the first: there is room */
}

/* An object that is unloaded again before the library was used must not leave its key behind. */
__attribute__((destructor)) static void finish(void)
{
    if (has_end_key && !atomic_load_explicit(&end_key_is_used, memory_order_relaxed))
        pthread_key_delete(end_key);
}
