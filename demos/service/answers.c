/*
 * answers.c - JSON for who asks. On the loop.
 */
#include "answers.h"

#include <stdlib.h>
#include <string.h>

int answer_json(struct request *request, int status, const char *headers, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    if (!text)
        return -1;
    return http_answer(request, &(struct answer){.status = status,
                                                 .type = "application/json",
                                                 .headers = headers,
                                                 .data = text,
                                                 .size = strlen(text),
                                                 .release = free,
                                                 .owner = text});
}

int answer_error(struct request *request, int status, const char *text)
{
    const char *headers = status == 429 || status == 503 ? "Retry-After: 1\r\n" : NULL;
    return answer_json(request, status, headers, json_pack("{s:s}", "error", text));
}
