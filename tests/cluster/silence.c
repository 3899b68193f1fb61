/*
 * silence.c - how long a server may say nothing, and take nothing: by numbers, without a clock.
 */
#include "../support/futures.h"

#include "../../executor/cluster/both/silence_internal.h"

enum { SILENCE = 500, ANSWER = 300, BEGIN = 1000 };

static struct soon__silence silence = {.silence_ms = SILENCE, .answer_ms = ANSWER};
static uint64_t next_ms;

static void begin(void)
{
    soon__silence_begin(&silence, BEGIN);
}

TestSuite(silence, .init = begin);

static enum soon__verdict look(uint64_t now, uint64_t written, uint64_t sent)
{
    return soon__silence_look(&silence, now, written, sent, &next_ms);
}

/* At that time it is asked, and the question has left at once: it is the first of all bytes, or follows `sent`. */
static void is_asked_at(uint64_t now, uint64_t sent)
{
    cr_assert_eq(look(now, sent, sent), SOON__SILENCE_ASK);
    cr_assert_eq(next_ms, ANSWER);
    soon__silence_asked(&silence, now, sent + 12);
    soon__silence_left(&silence, now, sent + 12);
}

Test(silence, is_looked_for_when_it_may_have_lasted)
{
    cr_assert_eq(look(BEGIN + 100, 0, 0), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, SILENCE - 100);
    soon__silence_heard(&silence, BEGIN + 400);
    cr_assert_eq(look(BEGIN + SILENCE, 0, 0), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, 400);
}

Test(silence, leads_to_a_question_and_without_an_answer_to_the_end)
{
    is_asked_at(BEGIN + SILENCE, 0);
    cr_assert_eq(look(BEGIN + SILENCE + ANSWER - 1, 12, 12), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, 1);
    cr_assert_eq(look(BEGIN + SILENCE + ANSWER, 12, 12), SOON__SILENCE_NO_ANSWER);
}

Test(silence, is_looked_for_again_before_the_time_for_an_answer_is_over)
{
    silence.answer_ms = 10 * SILENCE;
    cr_assert_eq(look(BEGIN + SILENCE, 0, 0), SOON__SILENCE_ASK);
    cr_assert_eq(next_ms, SILENCE);
    soon__silence_asked(&silence, BEGIN + SILENCE, 12);
    cr_assert_eq(look(BEGIN + 2 * SILENCE, 12, 12), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, SILENCE);
    soon__silence_heard(&silence, BEGIN + 2 * SILENCE);
    cr_assert_eq(look(BEGIN + 3 * SILENCE, 12, 12), SOON__SILENCE_ASK);
}

Test(silence, that_is_broken_begins_anew)
{
    is_asked_at(BEGIN + SILENCE, 0);
    soon__silence_heard(&silence, BEGIN + SILENCE + ANSWER - 1);
    cr_assert_eq(look(BEGIN + SILENCE + ANSWER, 12, 12), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, SILENCE - 1);
    is_asked_at(BEGIN + SILENCE + ANSWER - 1 + SILENCE, 12);
}

/* What is written meanwhile leaves, but into the system: that is no answer. */
Test(silence, is_not_broken_by_what_leaves_behind_the_question)
{
    is_asked_at(BEGIN + SILENCE, 0);
    for (uint64_t i = 1; i < ANSWER; i++)
        soon__silence_left(&silence, BEGIN + SILENCE + i, 12 + i);
    cr_assert_eq(look(BEGIN + SILENCE + ANSWER, 12 + ANSWER, 12 + ANSWER), SOON__SILENCE_NO_ANSWER);
}

Test(silence, after_a_question_counts_from_when_the_question_has_left)
{
    uint64_t now = BEGIN + SILENCE;

    soon__silence_left(&silence, BEGIN + 1, 0); /* from now on 1000 bytes wait */
    cr_assert_eq(look(now, 1000, 0), SOON__SILENCE_ASK);
    soon__silence_asked(&silence, now, 1012);
    for (uint64_t sent = 100; sent <= 1000; sent += 100) {
        now += ANSWER - 1;
        cr_assert_eq(look(now, 1012, sent), SOON__SILENCE_WAIT);
    }
    soon__silence_left(&silence, now, 1012);
    cr_assert_eq(look(now + ANSWER - 1, 1012, 1012), SOON__SILENCE_WAIT);
    cr_assert_eq(look(now + ANSWER, 1012, 1012), SOON__SILENCE_NO_ANSWER);
}

Test(silence, of_a_server_that_speaks_and_takes_nothing_ends_too)
{
    uint64_t now = BEGIN;

    soon__silence_left(&silence, now, 0); /* from now on something waits */
    while (now < BEGIN + SILENCE + ANSWER - 100) {
        now += 100;
        soon__silence_heard(&silence, now);
        cr_assert_eq(look(now, 50, 0), SOON__SILENCE_WAIT);
    }
    cr_assert_eq(next_ms, 100);
    now += 100;
    soon__silence_heard(&silence, now);
    cr_assert_eq(look(now, 50, 0), SOON__SILENCE_TAKES_NOTHING);
}

Test(silence, does_not_count_while_who_listens_was_stopped)
{
    is_asked_at(BEGIN + SILENCE, 0);
    cr_assert_eq(look(BEGIN + 100000, 12, 12), SOON__SILENCE_WAIT);
    cr_assert_eq(next_ms, ANSWER);
    cr_assert_eq(look(BEGIN + 100000 + ANSWER, 12, 12), SOON__SILENCE_NO_ANSWER);
}
