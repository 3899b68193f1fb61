/*
 * grab.c - whom to ask next.
 *
 * The sources have their turns, so that one with a long queue does not keep the others waiting. A source that has said
 * NO_JOB is not asked again before a slot was idle while nothing was asked there: then it goes to sleep, and the server
 * wakes it with a NOOP. A daemon without idle slots does not go to sleep: a server that wakes only some of its sleepers
 * should not count on it.
 */
#include "grab_internal.h"

static size_t idle_slots(const struct soon__daemon *daemon)
{
    size_t taken = daemon->job_count;

    for (size_t i = 0; i < daemon->source_count; i++)
        taken += daemon->sources[i].grabs;
    return taken < daemon->slots ? daemon->slots - taken : 0;
}

static bool may_have_jobs(const struct soon__source *source)
{
    return source->state == SOON__SOURCE_FULL && soon__connection_is_up(source->work) &&
           !soon__connection_is_crowded(source->work);
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
        source->state = SOON__SOURCE_ASLEEP;
}

void soon__grab(struct soon__daemon *daemon)
{
    struct soon__source *source;

    if (daemon->stage != SOON__SERVING)
        return;
    for (size_t idle = idle_slots(daemon); idle > 0 && (source = next_source(daemon)); idle--) {
        if (soon__connection_write(source->work, SOON__GRAB_JOB_UNIQ, NULL, 0) < 0)
            return; /* no memory: the next answer, or a NOOP, comes back here */
        source->grabs++;
    }
    if (idle_slots(daemon) == 0)
        return;
    for (size_t i = 0; i < daemon->source_count; i++)
        sleep_if_dry(&daemon->sources[i]);
}

void soon__grab_answered(struct soon__source *source, bool with_job)
{
    source->grabs -= source->grabs > 0;
    if (with_job)
        source->state = SOON__SOURCE_FULL;
    else if (source->state == SOON__SOURCE_FULL)
        source->state = SOON__SOURCE_DRY;
}

void soon__grab_woken(struct soon__source *source)
{
    source->state = SOON__SOURCE_FULL;
}
