/*
 * silence_internal.h - how long a server may say nothing, and take nothing. Numbers alone: it knows no clock and no
 * connection.
 *
 * Bytes that come are a sign of life. Bytes that leave are none, since the system takes some for a machine that is
 * gone. But the time for an answer begins when the question has left, behind all that waited before it. And who looks
 * much later than it meant to was stopped itself: what has come meanwhile is still to be read.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_SILENCE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_SILENCE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* Where nobody says otherwise. gearmand 1.1 answers nobody for up to 10 s when a machine has vanished to which it still
 * had something to say: so an answer is waited for longer than that. */
enum { SOON__SILENCE_MS = 5000, SOON__ANSWER_MS = 12000 };

/* Times are milliseconds of one clock. */
struct soon__silence {
    uint64_t silence_ms, answer_ms;
    uint64_t heard; /* when something came */
    uint64_t left;  /* when something left, or began to wait when nothing did */
    uint64_t sent;  /* how many bytes had left by then */
    bool is_asked;
    uint64_t asked;    /* the time for the answer counts from then on */
    uint64_t question; /* it has left when so many bytes have */
    uint64_t due;      /* when to look again */
};

enum soon__verdict {
    SOON__SILENCE_WAIT,
    SOON__SILENCE_ASK, /* put the question now */
    SOON__SILENCE_NO_ANSWER,
    SOON__SILENCE_TAKES_NOTHING,
};

void soon__silence_begin(struct soon__silence *silence, uint64_t now);
void soon__silence_heard(struct soon__silence *silence, uint64_t now);
/* `sent` bytes have left so far. Also when something begins to wait, and nothing did. */
void soon__silence_left(struct soon__silence *silence, uint64_t now, uint64_t sent);
/* The question was written: with it `written` bytes were so far. */
void soon__silence_asked(struct soon__silence *silence, uint64_t now, uint64_t written);
/* What is to be done now; and when to look again: in so many milliseconds, one at least. */
enum soon__verdict soon__silence_look(struct soon__silence *silence, uint64_t now, uint64_t written, uint64_t sent,
                                      uint64_t *ret_next_ms);

#endif
