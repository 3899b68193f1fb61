/*
 * post.c - what is refused is refused before the body comes, if the head tells; else when it is there. On the loop.
 */
#include "post.h"
#include "answers.h"
#include "job_json.h"
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { JSON_MAX = 64 * 1024 /* bytes: parsing more would hold up the loop */ };

static bool has_type(const struct request *request, const char *type)
{
    char value[128];
    size_t length = strlen(type);
    return http_header(request, WSI_TOKEN_HTTP_CONTENT_TYPE, value, sizeof value) &&
           strncasecmp(value, type, length) == 0 &&
           (value[length] == 0 || value[length] == ';' || value[length] == ' ');
}

static bool is_json(const struct request *request)
{
    return has_type(request, "application/json");
}

static bool is_upload(const struct request *request)
{
    return has_type(request, "application/octet-stream") || has_type(request, "image/png") ||
           has_type(request, "image/jpeg");
}

/* Returns: false: there is no length, or it is no number. */
static bool read_length(const struct request *request, int64_t *ret)
{
    char text[24], *end;
    if (!http_header(request, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !errno && !*end;
}

static struct spec_limits limits_of(const struct request *request)
{
    const struct options *options = &request->service->options;
    return (struct spec_limits){.time_limit_ms = options->time_limit_ms, .has_root = options->root};
}

/* The query of an upload as a spec. Returns: NULL; else what is wrong, as spec_read(). */
static const char *read_query(const struct request *request, struct spec *ret, char *text)
{
    char word[1024];
    struct spec_limits limits = limits_of(request);
    const char *error = NULL;
    json_t *object = json_object();
    int found;
    for (int i = 0; !error && (found = http_query(request, i, word, sizeof word)) != 0; i++)
        if (found < 0 || !spec_add_word(object, word))
            error = "the query has a word that is too long, or twice there, or no name=value in UTF-8";
    if (!error)
        error = spec_read(ret, object, &limits, true, text);
    json_decref(object);
    return error;
}

static bool has_room(const struct request *request, int64_t length)
{
    const struct service *service = request->service;
    size_t taken = service->jobs.upload_bytes + service->receiving_bytes;
    return !is_upload(request) || taken + (size_t)length <= (size_t)service->options.uploads_max;
}

/* Returns: 0; else the status with which the request is refused. */
static int check_head(const struct request *request, int64_t *ret_length, const char **ret_error, char *text)
{
    const struct options *options = &request->service->options;
    struct spec spec;
    if (request->service->phase != SERVING)
        return *ret_error = "the service is being shut down", 503;
    if (!read_length(request, ret_length))
        return *ret_error = "a POST needs a Content-Length", 411;
    if (!is_json(request) && !is_upload(request))
        return *ret_error = "a job is application/json, a file application/octet-stream, image/png or image/jpeg", 415;
    if (*ret_length > options->body_max || (is_json(request) && *ret_length > JSON_MAX))
        return *ret_error = "the body is too long", 413;
    if (*ret_length == 0)
        return *ret_error = "the body is empty", 400;
    if (is_upload(request) && (*ret_error = read_query(request, &spec, text)))
        return 400;
    return has_room(request, *ret_length) ? 0 : (*ret_error = "too many bytes of uploads are waiting", 429);
}

int post_begin(struct request *request)
{
    char text[200];
    const char *error;
    int64_t length;
    int status = check_head(request, &length, &error, text);
    if (status) {
        request->service->jobs.refused += status == 429;
        return answer_error(request, status, error);
    }
    request->linger = false;
    return http_expect(request, (size_t)length);
}

static int refuse(struct request *request, int rc)
{
    if (rc == SOON_EFULL)
        return answer_error(request, 429, "too many jobs are waiting");
    if (rc == SOON_ESHUTDOWN)
        return answer_error(request, 503, "the service is being shut down");
    return answer_error(request, 500, soon_strerror(rc));
}

/* The spec of a request whose body is there. An upload moves into it. */
static const char *read_spec(struct request *request, struct spec *ret, char *text)
{
    struct spec_limits limits = limits_of(request);
    const char *error;
    if (is_upload(request)) {
        if ((error = read_query(request, ret, text)))
            return error;
        ret->upload = request->body;
        request->body = NULL;
        return NULL;
    }
    json_error_t where;
    json_t *object =
        json_loadb(soon_buffer_data(request->body), soon_buffer_size(request->body), JSON_REJECT_DUPLICATES, &where);
    if (!object) {
        snprintf(text, 200, "line %d: %.150s", where.line, where.text);
        return text;
    }
    error = spec_read(ret, object, &limits, false, text);
    json_decref(object);
    return error;
}

int post_body(struct request *request)
{
    struct spec spec;
    struct job *job;
    char text[200], location[64];
    const char *error = read_spec(request, &spec, text);
    if (error)
        return answer_error(request, 400, error);
    int rc = jobs_submit(&request->service->jobs, &spec, &job);
    if (rc < 0)
        return refuse(request, rc);
    snprintf(location, sizeof location, "Location: /jobs/%" PRIu64 "\r\n", job->number);
    return answer_json(request, 201, location, job_json(job));
}
