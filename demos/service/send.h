/*
 * send.h - what http.c needs of the answers: http_answer() and http_stream() are there, too.
 */
#ifndef SERVICE_SEND_H
#define SERVICE_SEND_H

#include "http.h"

#include <stdint.h>

enum { SEND_AT_ONCE = 32 * 1024 /* bytes in one write */ };

/* The request has so long from now on, then its connection is closed; -1: for ever. */
void send_limit(struct request *request, int64_t limit_ms);

/* The connection takes more. Returns: as http_answer(). */
int send_more(struct request *request);

/* Gives back what the answer was made of. */
void send_release(struct request *request);

#endif
