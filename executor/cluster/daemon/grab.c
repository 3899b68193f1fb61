/*
 * grab.c - whom to ask next.
 *
 * The sources have their turns, so that one with a long queue does not keep the others waiting. A source that has said
 * NO_JOB is not asked again before a slot was idle while nothing was asked there: then it goes to sleep, and the server
 * wakes it with a NOOP. A daemon that can take no job does not go to sleep: a server that wakes only some of its
 * sleepers should not count on it.
 *
 * A process that has run a task goes to sleep when there is none for it, and to wake it takes longer than a short task
 * does. So of functions that are short some jobs are taken ahead. They wait for about a millisecond at most, and if a
 * task beside them crashes they are none the worse: the pool gives them to another process. It is one job at first: if
 * there is none, the server is told while the tasks run that it shall call, and not after. When many grabs in a row
 * have brought jobs there is a queue, and it is as many as keep the processes awake.
 *
 * A client that waits for each result before it submits the next job has none for us when the one before ends, but soon
 * after. If we were asleep then, its job would wait until the server has called and we have asked. So when a job ends,
 * and the next one often came soon after an end (`luck`), the source is asked for a little while before it may sleep:
 * for one job at a time, however many slots are idle.
 * That keeps a server busy, but not for long: the answers of a busy one take longer, so it is asked less often.
 */
#include "grab_internal.h"

enum { AHEAD = 8, ENOUGH = 16, PART = 8, LUCKY = 2, LUCK_MAX = 8 };
#define SHORT_NS UINT64_C(1000000)
#define OLD_NS UINT64_C(10000000)
#define SOON_AFTER_NS UINT64_C(250000)

/* The only place where its state changes. */
static void become(struct soon__source *source, enum soon__source_state state)
{
    source->state = state;
}

/* What waits in the daemon shares the slots with what came before it, so a part of its time was a wait. */
void soon__grab_measure(const struct soon__gearman_job *job)
{
    struct soon__offer *offer = job->offer;
    uint64_t slots = job->source->daemon->slots;
    uint64_t took_ns = (uv_hrtime() - job->began_ns) * slots / (job->beside > slots ? job->beside : slots);

    if (offer->measured++ == 0)
        offer->run_ns = took_ns;
    offer->run_ns = offer->run_ns - offer->run_ns / PART + took_ns / PART;
}

/* Nothing is known of a function before some of its tasks have ended; and a task that takes long is not short, whatever
 * the others took. */
static bool all_are_short(const struct soon__daemon *daemon)
{
    uint64_t now = uv_hrtime();

    for (const struct soon__gearman_job *job = daemon->jobs; job; job = job->next) {
        if (job->offer->measured < ENOUGH || job->offer->run_ns > SHORT_NS || now - job->began_ns > OLD_NS)
            return false;
    }
    return daemon->jobs != NULL;
}

static size_t idle_slots(const struct soon__daemon *daemon)
{
    size_t taken = daemon->job_count, slots = daemon->slots;

    for (size_t i = 0; i < daemon->source_count; i++)
        taken += daemon->sources[i].grabs;
    if (taken >= slots && taken < slots * AHEAD && all_are_short(daemon))
        slots = daemon->in_a_row >= ENOUGH ? slots * AHEAD : slots + 1;
    return taken < slots ? slots - taken : 0;
}

static bool may_have_jobs(const struct soon__source *source)
{
    return source->state == SOON__SOURCE_FULL && (!source->had_none || source->grabs == 0) &&
           soon__connection_is_up(source->work) && !soon__connection_is_crowded(source->work);
}

/* NULL: none may have jobs. */
static struct soon__source *next_source(struct soon__daemon *daemon)
{
    for (size_t i = 0; i < daemon->source_count; i++) {
        struct soon__source *source = &daemon->sources[(daemon->next_source + i) % daemon->source_count];

        if (may_have_jobs(source)) {
            daemon->next_source = (size_t)(source - daemon->sources) + 1;
            return source;
        }
    }
    return NULL;
}

static void sleep_if_dry(struct soon__source *source)
{
    if (source->state != SOON__SOURCE_DRY || source->grabs > 0 || !soon__connection_is_up(source->work))
        return;
    if (soon__connection_write(source->work, SOON__PRE_SLEEP, NULL, 0) == 0)
        become(source, SOON__SOURCE_ASLEEP);
}

void soon__grab(struct soon__daemon *daemon)
{
    struct soon__source *source;
    size_t idle;

    if (daemon->stage != SOON__SERVING)
        return;
    idle = idle_slots(daemon);
    /* First, so that no other source that is asked again and again has all slots whenever one of them is idle. */
    for (size_t i = 0; i < daemon->source_count && idle > 0; i++)
        sleep_if_dry(&daemon->sources[i]);
    for (; idle > 0 && (source = next_source(daemon)); idle--) {
        if (soon__connection_write(source->work, SOON__GRAB_JOB_UNIQ, NULL, 0) < 0)
            return; /* no memory: the next answer, or a NOOP, comes back here */
        source->grabs++;
    }
}

static bool is_soon_after_an_end(const struct soon__source *source)
{
    return source->ended_ns && uv_hrtime() - source->ended_ns < SOON_AFTER_NS;
}

/* There is a job, the first since one has ended. */
static void learn(struct soon__source *source)
{
    if (!source->ended_ns)
        return;
    if (!is_soon_after_an_end(source))
        source->luck /= 2;
    else if (source->luck < LUCK_MAX)
        source->luck++;
    source->ended_ns = 0;
}

static bool may_pay(const struct soon__source *source)
{
    return source->luck >= LUCKY && source->daemon->job_count < source->daemon->slots && is_soon_after_an_end(source);
}

void soon__grab_answered(struct soon__source *source, bool with_job)
{
    source->grabs -= source->grabs > 0;
    source->daemon->in_a_row = with_job ? source->daemon->in_a_row + 1 : 0;
    source->had_none = !with_job;
    if (with_job) {
        learn(source);
        become(source, SOON__SOURCE_FULL);
    } else if (source->state == SOON__SOURCE_FULL && !may_pay(source)) {
        become(source, SOON__SOURCE_DRY);
    }
}

void soon__grab_woken(struct soon__source *source)
{
    learn(source);
    source->had_none = false;
    become(source, SOON__SOURCE_FULL);
}

void soon__grab_ended(struct soon__source *source)
{
    source->ended_ns = uv_hrtime();
    if (may_pay(source))
        become(source, SOON__SOURCE_FULL);
}
