/*
 * answers.h - the usual answers. On the loop. All return what http_answer() returns.
 */
#ifndef SERVICE_ANSWERS_H
#define SERVICE_ANSWERS_H

#include "http.h"

#include <jansson.h>

/* {"error": "TEXT"}, with the headers that this status has. */
int answer_error(struct request *request, int status, const char *text);

/* A value of JSON, which is taken. NULL: there was no memory. */
int answer_json(struct request *request, int status, const char *headers, json_t *json);

#endif
