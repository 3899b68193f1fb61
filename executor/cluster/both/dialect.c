/*
 * dialect.c - the two languages of a server.
 *
 * The answer to `version` comes between the lines of other answers, and is known by its form: "OK 1.1.20", which no
 * other line has. What follows "OK" in others is nothing; and those of `status` have tabs.
 */
#include "dialect_internal.h"

#define VERSION "version\n"

static const struct soon__packet echo = {.type = SOON__ECHO_REQ, .count = 1};

size_t soon__dialect_question_size(const struct soon__dialect *self)
{
    return self->is_text ? sizeof VERSION - 1 : soon__packet_size(&echo);
}

void soon__dialect_ask(struct soon__dialect *self, void *to)
{
    if (self->is_text)
        memcpy(to, VERSION, sizeof VERSION - 1);
    else
        soon__packet_write_head(to, &echo, true);
    self->asked += self->is_text;
}

static bool is_version(soon_bytes line)
{
    const char *text = line.data;

    return line.size > 3 && memcmp(text, "OK ", 3) == 0 && text[3] >= '0' && text[3] <= '9' &&
           !memchr(text, '\t', line.size);
}

int soon__dialect_next(struct soon__dialect *self, struct soon__packet_reader *reader, struct soon__heard *ret)
{
    int rc;

    if (!self->is_text) {
        rc = soon__packet_reader_next(reader, &ret->packet);
        ret->is_answer = rc > 0 && ret->packet.type == SOON__ECHO_RES;
        return rc;
    }
    rc = soon__packet_reader_line(reader, &ret->line);
    ret->is_answer = rc > 0 && self->asked > 0 && is_version(ret->line);
    self->asked -= ret->is_answer;
    return rc;
}

const char *soon__dialect_name(const struct soon__dialect *self, const struct soon__heard *heard)
{
    return self->is_text ? "a line" : soon__packet_name(heard->packet.type);
}
