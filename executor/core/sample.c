/*
 * sample.c - which calls are sampled, and their moments. See sample_internal.h.
 */
#include "sample_internal.h"

#include "executor_table_internal.h"
#include "histogram_internal.h"

enum { MEAN_MAX = 512, SAMPLES_EACH = 8, FASTER = 4, SLOW_NS = 1000000 };

_Atomic(const struct soon__tracer *) soon__tracer;
_Thread_local struct soon__sampler soon__this_sampler;

static const struct soon__tracer *tracer(void)
{
    /* Acquire: what the tracer is made of. */
    return atomic_load_explicit(&soon__tracer, memory_order_acquire);
}

/*
 * Choosing
 */

/* Xorshift. A thread begins with the address of its record, which is its own. */
static uint32_t random_of(struct soon__sampler *sampler)
{
    uint32_t x = sampler->random ? sampler->random : (uint32_t)((uintptr_t)sampler >> 4) | 1;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    sampler->random = x;
    return x;
}

/* S1. `count` calls came since the last that was sampled, this one included. */
static void set_mean(struct soon__sampler *sampler, uint32_t count)
{
    int64_t now = soon__clock_ns();

    if (now - sampler->last_ns >= (int64_t)count * SLOW_NS) {
        sampler->mean = sampler->mean / FASTER ? sampler->mean / FASTER : 1;
        sampler->at_this_mean = SAMPLES_EACH;
    } else if (sampler->mean < MEAN_MAX && --sampler->at_this_mean == 0) {
        sampler->mean *= 2;
        sampler->at_this_mean = SAMPLES_EACH;
    }
    sampler->last_ns = now;
}

uint32_t soon__sample_choose(void)
{
    struct soon__sampler *sampler = &soon__this_sampler;
    bool all = soon__executors_are_sampled();
    uint32_t count;

    if (sampler->left >= 0 && !soon__sample_is_due() && !all)
        return 0;
    count = sampler->gap ? sampler->gap - 1 - (uint32_t)sampler->left : 1;
    sampler->gap = 1;
    if (!all) {
        set_mean(sampler, count);
        sampler->gap += random_of(sampler) % (2 * sampler->mean - 1);
    }
    sampler->left = (int32_t)sampler->gap - 1;
    return count;
}

/*
 * The moments of a call
 */

void soon__sample_submitted(struct soon__sample *sample)
{
    const struct soon__tracer *to = tracer();

    sample->submitted_ns = sample->queued_ns = soon__clock_ns();
    if (to)
        to->submitted(sample);
}

void soon__sample_submits(const struct soon__sample *sample, struct soon__submit_note *ret)
{
    const struct soon__tracer *to = tracer();

    ret->is_traced = false;
    if (sample && to)
        to->submits(sample, ret);
}

void soon__sample_has_submitted(struct soon__submit_note *note)
{
    const struct soon__tracer *to = tracer();

    if (note->is_traced && to)
        to->has_submitted(note);
}

void soon__sample_queued(struct soon__sample *sample, bool waited)
{
    const struct soon__tracer *to = tracer();

    if (waited)
        sample->queued_ns = soon__clock_ns();
    if (to)
        to->queued(sample);
}

void soon__sample_dropped(struct soon__sample *sample)
{
    const struct soon__tracer *to = tracer();

    if (to)
        to->dropped(sample);
}

void soon__sample_started(struct soon__sample *sample, unsigned worker)
{
    const struct soon__tracer *to = tracer();

    sample->worker = worker;
    sample->started_ns = soon__clock_ns();
    sample->waited_ns = sample->started_ns - sample->queued_ns;
    if (to)
        to->started(sample);
}

void soon__sample_ran(struct soon__sample *sample, unsigned worker, struct soon__trace_row row, int64_t began_ns,
                      int64_t ended_ns, bool goes_on)
{
    const struct soon__tracer *to = tracer();
    int64_t now = soon__clock_ns();

    if (began_ns < sample->queued_ns || began_ns > now)
        return;
    sample->worker = worker;
    if (!sample->started_ns)
        sample->waited_ns = began_ns - sample->queued_ns;
    if (!sample->started_ns || !goes_on)
        sample->started_ns = began_ns;
    sample->ended_ns = ended_ns >= began_ns && ended_ns <= now ? ended_ns : now;
    if (to)
        to->ran(sample, row, began_ns);
}

void soon__sample_again(struct soon__sample *sample, enum soon__ending how)
{
    const struct soon__tracer *to = tracer();

    if (!sample->ended_ns)
        sample->ended_ns = soon__clock_ns();
    if (to)
        to->again(sample, how);
    sample->ended_ns = 0;
}

void soon__sample_ended(struct soon__sample *sample, enum soon__ending how)
{
    const struct soon__tracer *to = tracer();
    struct soon__histogram *timings = sample->executor->timings;

    if (!sample->ended_ns)
        sample->ended_ns = soon__clock_ns();
    if (sample->started_ns) {
        soon__histogram_record(&timings[SOON_QUEUE_WAIT], sample->waited_ns, sample->weight);
        soon__histogram_record(&timings[SOON_RUN_TIME], sample->ended_ns - sample->started_ns, sample->weight);
    }
    if (to)
        to->ended(sample, how);
    sample->weight = 0; /* S2 */
}

void soon__sample_item(const struct soon__sample *sample, const struct soon__item_told *told)
{
    const struct soon__tracer *to = tracer();

    if (to)
        to->item(sample, told);
}
