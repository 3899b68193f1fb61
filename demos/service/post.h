/*
 * post.h - POST /jobs: its head, its body, its job. On the loop. Both return what http_answer() returns.
 *
 * A body is received straight into a buffer of the library, which from 1 MiB on is memory that a worker maps: an upload
 * touches no disk and is copied once, and nothing on the loop waits for it.
 */
#ifndef SERVICE_POST_H
#define SERVICE_POST_H

#include "http.h"

int post_begin(struct request *request);
int post_body(struct request *request);

#endif
