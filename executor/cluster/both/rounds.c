/*
 * rounds.c - which server is tried next, and after what pause.
 */
#include "rounds_internal.h"

enum { PAUSE_MS = 50, PAUSE_MAX_MS = 2000, DOUBLED_MAX = 6, SETTLED_MS = 1000 };

size_t soon__rounds_next(struct soon__rounds *self)
{
    size_t server = self->next;

    self->next = (server + 1) % self->servers;
    return server;
}

uint64_t soon__rounds_over(struct soon__rounds *self, uint64_t up_ms, uint64_t dice)
{
    size_t rounds;
    uint64_t pause_ms;

    self->in_vain = up_ms >= SETTLED_MS ? 0 : self->in_vain + 1;
    rounds = self->in_vain / self->servers;
    if (rounds == 0 || self->in_vain % self->servers > 0)
        return 0;
    pause_ms = (uint64_t)PAUSE_MS << (rounds - 1 < DOUBLED_MAX ? rounds - 1 : DOUBLED_MAX);
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    return pause_ms * (75 + dice % 51) / 100;
}
