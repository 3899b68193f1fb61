/*
 * silence.c - how long a server may say nothing, and take nothing.
 */
#include "silence_internal.h"

void soon__silence_begin(struct soon__silence *self, uint64_t now)
{
    self->heard = self->left = now;
    self->sent = 0;
    self->is_asked = false;
    self->due = now + self->silence_ms;
}

void soon__silence_heard(struct soon__silence *self, uint64_t now)
{
    self->heard = now;
    self->is_asked = false;
}

void soon__silence_left(struct soon__silence *self, uint64_t now, uint64_t sent)
{
    if (self->is_asked && self->sent < self->question)
        self->asked = now;
    self->left = now;
    self->sent = sent;
}

void soon__silence_asked(struct soon__silence *self, uint64_t now, uint64_t written)
{
    self->is_asked = true;
    self->asked = now;
    self->question = written;
}

static uint64_t earlier_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum soon__verdict judge(struct soon__silence *self, uint64_t now, bool waits)
{
    uint64_t stuck = self->left + self->silence_ms + self->answer_ms;
    uint64_t quiet = self->is_asked ? self->asked + self->answer_ms : self->heard + self->silence_ms;

    if (waits && now >= stuck)
        return SOON__SILENCE_TAKES_NOTHING;
    if (now >= quiet && self->is_asked)
        return SOON__SILENCE_NO_ANSWER;
    /* An answer may come at any time, and another silence begin with it. */
    self->due = earlier_of(now + self->silence_ms, waits ? earlier_of(stuck, quiet) : quiet);
    return now >= quiet ? SOON__SILENCE_ASK : SOON__SILENCE_WAIT;
}

enum soon__verdict soon__silence_look(struct soon__silence *self, uint64_t now, uint64_t written, uint64_t sent,
                                      uint64_t *ret_next_ms)
{
    bool was_stopped = now > self->due + self->answer_ms / 2;
    enum soon__verdict verdict;

    if (sent != self->sent || was_stopped)
        soon__silence_left(self, now, sent);
    if (was_stopped)
        self->asked = now;
    verdict = judge(self, now, written > sent);
    if (verdict == SOON__SILENCE_ASK)
        self->due = now + earlier_of(self->answer_ms, self->silence_ms);
    *ret_next_ms = self->due > now ? self->due - now : 1;
    return verdict;
}
