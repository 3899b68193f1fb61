/*
 * run.c - one task on a worker thread. See run_internal.h.
 */
#include "run_internal.h"

static __attribute__((noinline)) void counted_failure(struct soon__worker *worker, const struct soon__outcome *outcome)
{
    soon__count(&worker->counts.ended[soon__ending_of(outcome->error, outcome->cancelled)], 1);
    soon__count(&worker->counts.running, (uint64_t)-1);
}

void soon__worker_counted(void *data, const struct soon__outcome *outcome)
{
    struct soon__worker *worker = data;

    if (outcome->error) {
        counted_failure(worker, outcome);
        return;
    }
    soon__count(&worker->counts.ended[SOON__ENDED_WELL], 1);
    soon__count(&worker->counts.running, (uint64_t)-1);
    /* I2. Before the outcome is published, so that a thread that submits the next task then knows of it. */
    if (worker->own.is_quick && !outcome->payload &&
        (soon__inject_load(&worker->pool->backlog.inject) & SOON__MODE) == SOON__NEEDED)
        soon__worker_search(worker);
}

bool soon__worker_is_quick(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return call->flags & SOON__CALL_PLAIN || (!call->function->free_arg && !call->function->free_result &&
                                              (!extra || (!extra->options.payload && !extra->first && !extra->items)));
}

void soon__worker_run_on_top(struct soon__worker *worker, soon_call *call)
{
    bool is_quick = worker->own.is_quick;

    worker->own.is_quick = false;
    soon__worker_run(worker, call);
    worker->own.is_quick = is_quick;
}
