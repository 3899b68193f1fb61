/*
 * thread.c - the record of the calling thread.
 */
#include "thread_internal.h"

#include "future_internal.h"

static _Thread_local struct soon__thread self;

struct soon__thread *soon__thread_self(void)
{
    return &self;
}

static bool is_in_list(const struct soon__future_list *list, const soon_future *future)
{
    for (const soon_future *f = list->head; f; f = f->link) {
        if (f == future)
            return true;
    }
    return false;
}

/* A done future whose callbacks, one of which completes another, wait for their turn on this thread. */
static bool has_callbacks_here(const soon_future *done)
{
    if (self.of_library && (soon__future_word(done) & SOON__SUNK))
        return true;
    if (done == self.settling || is_in_list(&self.callbacks, done) || is_in_list(&self.internals, done))
        return true;
    for (const struct soon__thread_saved *saved = self.saved; saved; saved = saved->below) {
        if (done == saved->settling || is_in_list(&saved->callbacks, done) || is_in_list(&saved->internals, done))
            return true;
    }
    return false;
}

static bool is_on_stack(const soon_future *future)
{
    for (struct soon__frame *frame = self.frames; frame; frame = frame->below) {
        if (frame->future == future)
            return true;
    }
    return false;
}

bool soon__thread_is_inside(const soon_future *future)
{
    soon_future *at, *source;
    bool inside = false;

    if (!self.frames && !self.of_library)
        return false;
    for (at = soon__future_ref((soon_future *)future); at; at = source) {
        source = NULL;
        if (soon__word_final(soon__future_word(at)))
            inside = at != future && has_callbacks_here(at);
        else if (is_on_stack(at))
            inside = true;
        else
            source = soon__future_source(at);
        soon__future_unref(at);
    }
    return inside;
}

bool soon__thread_in_executor(const void *executor)
{
    for (struct soon__frame *frame = self.frames; frame; frame = frame->below) {
        if (frame->executor == executor)
            return true;
    }
    return false;
}

bool soon__thread_in_callback(void)
{
    for (struct soon__frame *frame = self.frames; frame; frame = frame->below) {
        if (!frame->executor)
            return true;
    }
    return false;
}

void soon__thread_set_aside(struct soon__thread_saved *ret_saved)
{
    *ret_saved = (struct soon__thread_saved){.in_internals = self.in_internals,
                                             .in_callbacks = self.in_callbacks,
                                             .internals = self.internals,
                                             .callbacks = self.callbacks,
                                             .settling = self.settling,
                                             .below = self.saved};
    self.saved = ret_saved;
    self.in_internals = self.in_callbacks = false;
    self.internals = self.callbacks = (struct soon__future_list){NULL, NULL};
    self.settling = NULL;
}

void soon__thread_take_up(const struct soon__thread_saved *saved)
{
    self.in_internals = saved->in_internals;
    self.in_callbacks = saved->in_callbacks;
    self.internals = saved->internals;
    self.callbacks = saved->callbacks;
    self.settling = saved->settling;
    self.saved = saved->below;
}

void soon__thread_enter(struct soon__frame *frame, struct soon__thread_saved *ret_saved)
{
    soon__thread_set_aside(ret_saved);
    frame->below = self.frames;
    self.frames = frame;
}

void soon__thread_leave(struct soon__frame *frame, const struct soon__thread_saved *saved)
{
    self.frames = frame->below;
    soon__thread_take_up(saved);
}

int soon__thread_before_park(void)
{
    if (!self.parking)
        return 0;
    for (;;) {
        int rc = self.parking->help(self.worker, NULL);

        if (rc <= 0)
            return rc;
    }
}

void soon__thread_after_park(void)
{
    if (self.parking)
        self.parking->unparked(self.worker);
}

/* The one thread of a forked child is no worker and no thread of the library's: those are the parent's. */
static void forget_worker(void)
{
    self.parking = NULL;
    self.worker = NULL;
    self.of_library = false;
    self.sink = NULL;
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__at_fork_child(forget_worker); /* one of the first: there is room */
}
