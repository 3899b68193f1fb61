/*
 * output.c - bytes that wait to be sent.
 *
 * The last chunk of the usual size is kept when it is empty, so that a connection that sends little now and then does
 * not allocate each time. All others are freed with their last byte.
 */
#include "output_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CHUNK = 64 << 10 };

static int add_chunk(struct soon__output *output, size_t size)
{
    size_t capacity = size > CHUNK ? size : CHUNK;
    struct soon__chunk *chunk = size < SIZE_MAX - sizeof *chunk ? malloc(sizeof *chunk + capacity) : NULL;

    if (!chunk)
        return -ENOMEM;
    *chunk = (struct soon__chunk){.capacity = capacity};
    if (output->tail)
        output->tail->next = chunk;
    else
        output->head = chunk;
    output->tail = chunk;
    return 0;
}

int soon__output_space(struct soon__output *output, size_t size, void **ret)
{
    struct soon__chunk *tail = output->tail;
    int rc = !tail || tail->capacity - tail->size < size ? add_chunk(output, size) : 0;

    if (rc < 0)
        return rc;
    tail = output->tail;
    *ret = tail->data + tail->size;
    tail->size += size;
    output->size += size;
    return 0;
}

unsigned soon__output_pieces(const struct soon__output *output, uv_buf_t *ret, unsigned max)
{
    unsigned count = 0;

    for (struct soon__chunk *chunk = output->head; chunk && count < max; chunk = chunk->next) {
        if (chunk->sent < chunk->size)
            ret[count++] = (uv_buf_t){.base = chunk->data + chunk->sent, .len = chunk->size - chunk->sent};
    }
    return count;
}

/* The first chunk has been sent: it goes, or is used again if it is the only one. */
static void leave(struct soon__output *output)
{
    struct soon__chunk *chunk = output->head;

    if (chunk == output->tail && chunk->capacity == CHUNK) {
        chunk->sent = chunk->size = 0;
        return;
    }
    output->head = chunk->next;
    if (!output->head)
        output->tail = NULL;
    free(chunk);
}

void soon__output_taken(struct soon__output *output, size_t size)
{
    assert(size <= output->size);
    output->size -= size;
    while (size > 0) {
        struct soon__chunk *chunk = output->head;
        size_t part = chunk->size - chunk->sent < size ? chunk->size - chunk->sent : size;

        chunk->sent += part;
        size -= part;
        if (chunk->sent == chunk->size)
            leave(output);
    }
}

void soon__output_fini(struct soon__output *output)
{
    struct soon__chunk *next;

    for (struct soon__chunk *chunk = output->head; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *output = (struct soon__output){0};
}
