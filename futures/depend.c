/*
 * depend.c - what an unfinished future waits for, and whether that can come.
 *
 * A future that was made of others leads to them: to the one that it needs (class->source: a then to its first, a map
 * to a call), or to several (a group to its members). A search follows these links, until it comes to a future that
 * somebody resolves: that of a task, or of a promise.
 *
 * D1  A link is an internal continuation, which runs on the completing thread before anything else; or a callback
 *     (class->needs_callback), which runs there later, or on the library's callback thread if the completing thread has
 *     a sink. So even a future that is done leads to this thread, if the link has yet to run here.
 * D2  Members, source and executor are read under LOCK while the future is unfinished: until then they exist.
 * D3  Groups in groups are searched to DEPTH_MAX, and GROUPS_MAX of them. The search assumes that what is behind these
 *     will come.
 * D4  On the callback thread, a future that needs a callback of one that ends on the library's loop waits for this very
 *     thread. If the thread that completes a chain is just between one future and the next, the search waits for it,
 *     since that is short.
 */
#include "depend_internal.h"

#include <sched.h>

enum { DEPTH_MAX = 32, GROUPS_MAX = 4096 };

enum answer { NO, YES, AGAIN }; /* AGAIN: its parts are done, and it is about to be */

struct search {
    /* Returns whether the search ends at this future with yes. `by_callback`: a callback of it, or of one that was made
     * of it, is waited for. */
    bool (*decides)(soon_future *at, const void *data, bool by_callback);
    const void *data;
    bool here; /* the question is whether the future can only be finished by this thread */
    unsigned groups;
};

static bool is_in_list(const struct soon__future_list *list, const soon_future *future)
{
    for (const soon_future *f = list->head; f; f = f->link) {
        if (f == future)
            return true;
    }
    return false;
}

/* D1. Returns whether internal continuations of a done future, or with `callbacks` its users' callbacks, wait for their
 * turn on this thread, or are running. */
static bool waits_here(const soon_future *done, bool callbacks)
{
    const struct soon__thread *self = soon__thread_self();

    if (callbacks && self->of_library && (soon__future_word(done) & SOON__SUNK))
        return true;
    for (const struct soon__callback_queues *queues = &self->queues; queues; queues = queues->below) {
        if (is_in_list(&queues->internals, done) ||
            (callbacks && (done == queues->running || is_in_list(&queues->callbacks, done))))
            return true;
    }
    return false;
}

/* D2. Returns a reference, or NULL: it has no source. Sets the kind of the link (D1). */
static soon_future *source_of(soon_future *future, bool *ret_by_callback)
{
    const struct soon__class *class = future->class;
    soon_future *source = NULL;

    if (!class->source || !soon__future_lock_unfinished(future))
        return NULL;
    source = class->source(future);
    if (source)
        soon__future_ref(source);
    *ret_by_callback = class->needs_callback && class->needs_callback(future);
    soon__future_unlock(future);
    return source;
}

static bool ask(bool (*question)(const soon_future *future), soon_future *future)
{
    bool answer;

    if (!question || !soon__future_lock_unfinished(future))
        return false;
    answer = question(future);
    soon__future_unlock(future);
    return answer;
}

/* D2. Returns a reference; NULL: there are no more members, or the group is done. */
static soon_future *member_of(soon_future *group, size_t index)
{
    soon_future *member;

    if (!soon__future_lock_unfinished(group))
        return NULL;
    member = group->class->member(group, index);
    soon__future_unlock(group);
    return member;
}

static bool leads(soon_future *start, struct search *search, bool by_callback, unsigned depth);

/* A soon_gather() leads there if one of its members does. A soon_any() can be finished by any member: so it leads to
 * this thread only if all do; but it may need a task if one member does, since the others may fail. */
static enum answer group_leads(soon_future *group, struct search *search, bool by_callback, unsigned depth)
{
    bool first_suffices = search->here && ask(group->class->takes_first, group), all = true, one = false, left = false;
    soon_future *member;

    if (depth >= DEPTH_MAX || search->groups++ >= GROUPS_MAX)
        return NO;
    for (size_t i = 0; (member = member_of(group, i)); i++) {
        bool done = soon__word_final(soon__future_word(member));
        bool found = !done && leads(member, search, by_callback, depth + 1);

        done = soon__word_final(soon__future_word(member)); /* if it ended meanwhile, the answer says nothing */
        if (done)
            found = search->here && waits_here(member, false);
        left |= !done;
        one |= found;
        all &= found || (done && soon__future_error(member)); /* a success is about to end it, on another thread */
        soon__future_unref(member);
        if (first_suffices ? !all : one)
            break;
    }
    if (first_suffices ? one && all : one)
        return YES;
    return left ? NO : AGAIN;
}

/* Makes one step from `at`, which is unfinished. Sets `*ret_next` to a reference of the next future, or to NULL and
 * returns the answer. */
static enum answer step(soon_future *at, struct search *search, bool *by_callback, bool *ret_link, unsigned depth,
                        soon_future **ret_next)
{
    soon_future *next;
    bool link = false;

    *ret_next = NULL;
    if (search->decides(at, search->data, *by_callback))
        return YES;
    if (at->class->member)
        return group_leads(at, search, *by_callback, depth);
    next = source_of(at, &link);
    if (!next)
        return NO;
    if (!link && soon__word_final(soon__future_word(next)) && !(search->here && waits_here(next, false))) {
        soon__future_unref(next);
        return AGAIN;
    }
    *by_callback |= link;
    *ret_link = link;
    *ret_next = next;
    return NO;
}

static bool leads(soon_future *start, struct search *search, bool by_callback, unsigned depth)
{
    soon_future *at = soon__future_ref(start), *next;
    enum answer answer = NO;
    bool link = false;

    for (;;) {
        if (soon__word_final(soon__future_word(at))) {
            answer = at != start && search->here && waits_here(at, link) ? YES : NO;
            break;
        }
        answer = step(at, search, &by_callback, &link, depth, &next);
        if (next) {
            soon__future_unref(at);
            at = next;
        } else if (answer == AGAIN && search->here && by_callback && soon__thread_self()->of_library) {
            sched_yield(); /* D4 */
        } else if (answer == YES || !soon__word_final(soon__future_word(at))) {
            break;
        } /* else it ended while it was asked, so the answer says nothing: the loop asks again */
    }
    soon__future_unref(at);
    return answer == YES;
}

/*
 * The questions
 */

static bool is_on_stack(const soon_future *future)
{
    for (struct soon__frame *frame = soon__thread_self()->frames; frame; frame = frame->below) {
        if (frame->future == future)
            return true;
    }
    return false;
}

static bool comes_from_here(soon_future *at, const void *data, bool by_callback)
{
    (void)data;
    return is_on_stack(at) || ask(at->class->is_blocked_here, at) ||
           (by_callback && soon__thread_self()->of_library && ask(at->class->ends_on_loop, at)); /* D4 */
}

bool soon__thread_is_inside(const soon_future *future)
{
    struct search search = {.decides = comes_from_here, .here = true};

    return soon__thread_is_busy() && leads((soon_future *)future, &search, false, 0);
}

bool soon__future_needs(soon_future *future, bool (*what)(soon_future *at, const void *data, bool by_callback),
                        const void *data)
{
    struct search search = {.decides = what, .data = data};

    return leads(future, &search, false, 0);
}
