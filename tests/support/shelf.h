/*
 * shelf.h - an executor of the user's own that does nothing by itself. It puts calls on a shelf, from which the test
 * takes them, notes what the library asks of it, and answers what the test has told it.
 */
#ifndef SOON_TESTS_SHELF_H
#define SOON_TESTS_SHELF_H

#include "pools.h"

struct shelf {
    soon_call *calls[64]; /* in the order in which they came */
    int count;
    /* What it answers. */
    int submit_code, kill_code, shutdown_code;
    bool gives_back, helps;
    bool downs; /* it is down as soon as it was shut down and has no calls left */
    /* What it was asked. */
    int submits, blocking_submits, take_backs, kills, helps_asked, frees;
    soon_shutdown modes[8];
    int mode_count;
    soon_promise *down;
    soon_executor *executor;
};

static inline int shelf__submit(void *self, soon_call *call, bool may_block)
{
    struct shelf *shelf = (struct shelf *)self;

    shelf->submits++;
    shelf->blocking_submits += may_block;
    if (shelf->submit_code == 0)
        shelf->calls[shelf->count++] = call;
    return shelf->submit_code;
}

/* Takes a call from the shelf. False: it is not there. */
static inline bool shelf_take(struct shelf *shelf, soon_call *call)
{
    for (int i = 0; i < shelf->count; i++) {
        if (shelf->calls[i] == call) {
            memmove(&shelf->calls[i], &shelf->calls[i + 1], sizeof call * (size_t)(--shelf->count - i));
            return true;
        }
    }
    return false;
}

static inline soon_call *shelf_first(struct shelf *shelf)
{
    soon_call *call = shelf->calls[0];

    cr_assert_gt(shelf->count, 0);
    cr_assert(shelf_take(shelf, call));
    return call;
}

static inline bool shelf__take_back(void *self, soon_call *call)
{
    struct shelf *shelf = (struct shelf *)self;

    shelf->take_backs++;
    return shelf->gives_back && shelf_take(shelf, call);
}

static inline int shelf__kill(void *self, soon_call *call)
{
    struct shelf *shelf = (struct shelf *)self;

    shelf->kills++;
    if (shelf->kill_code == 0)
        cr_assert_eq(soon_promise_set_exception(soon_call_promise(call), SOON_EKILLED, NULL), 0);
    return shelf->kill_code;
}

static inline bool shelf__help(void *self, soon_call *call)
{
    struct shelf *shelf = (struct shelf *)self;

    shelf->helps_asked++;
    if (!shelf->helps || !shelf_take(shelf, call))
        return false;
    soon_call_run(call);
    return true;
}

static inline int shelf__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct shelf *shelf = (struct shelf *)self;

    shelf->modes[shelf->mode_count++] = mode;
    if (shelf->shutdown_code < 0)
        return shelf->shutdown_code;
    shelf->down = down;
    while (mode > SOON_DRAIN && shelf->count) {
        soon_call *call = shelf_first(shelf);
        cr_assert_eq(soon_promise_set_cancelled(soon_call_promise(call)), 0);
        soon_call_free(call);
    }
    if (shelf->downs && shelf->count == 0)
        soon_promise_set_result(down, NULL, 0);
    return 0;
}

static inline void shelf__stats(void *self, soon_stats *ret)
{
    struct shelf *shelf = (struct shelf *)self;

    ret->pending = (size_t)shelf->count;
    ret->submitted = (uint64_t)shelf->submits;
}

static inline void shelf__free(void *self)
{
    ((struct shelf *)self)->frees++;
}

static const soon_executor_class shelf_class = {.size = sizeof(soon_executor_class),
                                                .name = "shelf",
                                                .submit = shelf__submit,
                                                .take_back = shelf__take_back,
                                                .kill = shelf__kill,
                                                .help = shelf__help,
                                                .shutdown = shelf__shutdown,
                                                .stats = shelf__stats,
                                                .free = shelf__free};

static inline void shelf_open(struct shelf *shelf, const soon_executor_class *klass)
{
    *shelf = (struct shelf){.gives_back = true, .downs = true};
    cr_assert_eq(soon_executor_new(&shelf->executor, klass, shelf), 0);
}

static inline void shelf_close(struct shelf *shelf)
{
    while (shelf->count)
        soon_call_run(shelf_first(shelf));
    cr_assert_eq(soon_executor_free(shelf->executor), 0);
    cr_assert_eq(shelf->frees, 1);
}

#endif
