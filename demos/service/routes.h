/*
 * routes.h - which request gets which answer; API.md has the list. On the loop.
 */
#ifndef SERVICE_ROUTES_H
#define SERVICE_ROUTES_H

#include "http.h"

/* The head of a request is there. Returns: as http_answer(). */
int routes_begin(struct request *request);

/* Its body is there, all of it. Returns: as http_answer(). */
int routes_body(struct request *request);

#endif
