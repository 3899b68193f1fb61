/*
 * dialect_internal.h - the two languages of a server: packets, and lines of text. In each there is a question that
 * every server answers, and that means nothing: ECHO_REQ, and `version`.
 */
#ifndef SOON_EXECUTOR_CLUSTER_BOTH_DIALECT_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_BOTH_DIALECT_INTERNAL_H

#include "packet_internal.h"

struct soon__dialect {
    bool is_text;
    unsigned asked; /* questions without an answer, in text */
};

/* What came: an answer to a question, or a packet, or a line. Lent until the reader is given more. */
struct soon__heard {
    bool is_answer;
    struct soon__packet packet;
    soon_bytes line;
};

/* How many bytes a question has; and writes it. */
size_t soon__dialect_question_size(const struct soon__dialect *dialect);
void soon__dialect_ask(struct soon__dialect *dialect, void *to);
/* 1: something came; 0: nothing whole; -EPROTO, -EMSGSIZE: it is none of that language. */
int soon__dialect_next(struct soon__dialect *dialect, struct soon__packet_reader *reader, struct soon__heard *ret);
/* "WORK_COMPLETE", "a line": to say what made no sense. */
const char *soon__dialect_name(const struct soon__dialect *dialect, const struct soon__heard *heard);

#endif
