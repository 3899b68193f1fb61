/*
 * routes.c - finds the route, checks what holds for all of them, and answers what needs no body. On the loop.
 */
#include "routes.h"
#include "answers.h"
#include "job_json.h"
#include "metrics.h"
#include "post.h"
#include "service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIMIT_MAX = 200, LIMIT = 50 };

/* A whole number without a sign, not above INT64_MAX. Returns: false: it is none. */
static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *ret = number;
    return !errno && !*end && number <= INT64_MAX;
}

/* The query of a list. Returns: false: something in it makes no sense. */
static bool read_page(struct request *request, uint64_t *ret_limit, uint64_t *ret_before)
{
    char word[64];
    int found;
    *ret_limit = LIMIT;
    *ret_before = INT64_MAX;
    for (int i = 0; (found = http_query(request, i, word, sizeof word)) > 0; i++) {
        uint64_t *value = strncmp(word, "limit=", 6) == 0    ? ret_limit
                          : strncmp(word, "before=", 7) == 0 ? ret_before
                                                             : NULL;
        if (!value || !read_number(strchr(word, '=') + 1, value))
            return false;
    }
    return found == 0 && *ret_limit >= 1 && *ret_limit <= LIMIT_MAX;
}

static int list_jobs(struct request *request, struct job *unused)
{
    struct jobs *jobs = &request->service->jobs;
    uint64_t limit, before, count = 0;
    char next[96];
    (void)unused;
    if (!read_page(request, &limit, &before))
        return answer_error(request, 400, "limit is a number from 1 to 200, before is the number of a job");
    json_t *list = json_array();
    struct job *job = jobs->newest;
    while (job && job->number >= before)
        job = job->older;
    uint64_t last = 0;
    for (; job && count < limit; job = job->older, count++) {
        json_array_append_new(list, job_json(job));
        last = job->number;
    }
    snprintf(next, sizeof next, "/jobs?limit=%llu&before=%llu", (unsigned long long)limit, (unsigned long long)last);
    return answer_json(request, 200, NULL,
                       json_pack("{s:o, s:o}", "jobs", list, "next", job ? json_string(next) : json_null()));
}

static int show_job(struct request *request, struct job *job)
{
    return answer_json(request, 200, NULL, job_json(job));
}

static int cancel_job(struct request *request, struct job *job)
{
    return job_cancel(job) ? answer_json(request, 202, NULL, job_json(job))
                           : answer_error(request, 409, "the job has ended");
}

static void unref(void *buffer)
{
    soon_buffer_unref(buffer);
}

static int send_result(struct request *request, struct job *job)
{
    if (!job->file)
        return answer_error(request, 404, "the job has no result to fetch");
    const char *type = job->kind == JOB_DIGEST ? "text/plain; charset=utf-8" : job->jpeg ? "image/jpeg" : "image/png";
    return http_answer(request, &(struct answer){.status = 200,
                                                 .type = type,
                                                 .data = soon_buffer_data(job->file),
                                                 .size = soon_buffer_size(job->file),
                                                 .release = unref,
                                                 .owner = soon_buffer_ref(job->file)});
}

/* `job` NULL: of all jobs. */
static int open_stream(struct request *request, struct job *job)
{
    struct service *service = request->service;
    if (service->phase == STOPPING)
        return answer_error(request, 503, "the service stops");
    struct stream *stream = events_open(&service->events, request->wsi, job);
    return stream ? http_stream(request, stream) : -1;
}

static int tell_health(struct request *request, struct job *unused)
{
    bool serving = request->service->phase == SERVING;
    (void)unused;
    return answer_json(request, serving ? 200 : 503, NULL, json_pack("{s:s}", "status", serving ? "ok" : "draining"));
}

static int tell_metrics(struct request *request, struct job *unused)
{
    size_t size;
    char *text = metrics_text(request->service, &size);
    (void)unused;
    if (!text)
        return -1;
    return http_answer(request, &(struct answer){.status = 200,
                                                 .type = "text/plain; version=0.0.4; charset=utf-8",
                                                 .data = text,
                                                 .size = size,
                                                 .release = free,
                                                 .owner = text});
}

static int begin_post(struct request *request, struct job *unused)
{
    (void)unused;
    return post_begin(request);
}

/* One path and method. Behind "/jobs/" comes the number of a job, and then `tail`. */
struct route {
    const char *path, *tail;
    enum method method;
    int (*answer)(struct request *request, struct job *job);
};

static const struct route routes[] = {
    {"/jobs", NULL, METHOD_POST, begin_post},       {"/jobs", NULL, METHOD_GET, list_jobs},
    {"/jobs/", "", METHOD_GET, show_job},           {"/jobs/", "", METHOD_DELETE, cancel_job},
    {"/jobs/", "/result", METHOD_GET, send_result}, {"/jobs/", "/events", METHOD_GET, open_stream},
    {"/events", NULL, METHOD_GET, open_stream},     {"/metrics", NULL, METHOD_GET, tell_metrics},
    {"/healthz", NULL, METHOD_GET, tell_health},
};

enum { ROUTES = sizeof routes / sizeof *routes };

/* Whether the path is this route's. A job's number goes to `ret`. */
static bool fits(const struct route *route, const char *path, uint64_t *ret)
{
    char number[24];
    if (!route->tail)
        return strcmp(route->path, path) == 0;
    size_t length = strlen(route->path);
    if (strncmp(route->path, path, length) != 0)
        return false;
    size_t digits = strspn(path + length, "0123456789");
    if (digits == 0 || digits >= sizeof number || strcmp(path + length + digits, route->tail) != 0)
        return false;
    memcpy(number, path + length, digits);
    number[digits] = 0;
    return read_number(number, ret);
}

static int send_page(struct request *request, const struct page_file *file)
{
    static const char policy[] =
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
        "Referrer-Policy: no-referrer\r\n";
    if (request->method != METHOD_GET && request->method != METHOD_HEAD)
        return answer_json(request, 405, "Allow: GET, HEAD\r\n", json_pack("{s:s}", "error", "there is only GET here"));
    return http_answer(
        request,
        &(struct answer){.status = 200, .type = file->type, .headers = policy, .data = file->data, .size = file->size});
}

/* The path has routes, but none for this method. */
static int refuse_method(struct request *request)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "DELETE"};
    char allow[64] = "Allow:";
    uint64_t number;
    for (int i = 0; i < ROUTES; i++)
        if (fits(&routes[i], request->path, &number)) {
            strcat(allow, allow[6] ? ", " : " ");
            strcat(allow, names[routes[i].method]);
            if (routes[i].method == METHOD_GET && routes[i].answer != open_stream)
                strcat(allow, ", HEAD");
        }
    strcat(allow, "\r\n");
    return answer_json(request, 405, allow, json_pack("{s:s}", "error", "this method is not for this path"));
}

static int dispatch(struct request *request)
{
    const struct page_file *file = page_find(&request->service->page, request->path);
    bool known = false;
    if (file)
        return send_page(request, file);
    for (int i = 0; i < ROUTES; i++) {
        const struct route *route = &routes[i];
        uint64_t number = 0;
        if (!fits(route, request->path, &number))
            continue;
        known = true;
        bool head = request->method == METHOD_HEAD && route->method == METHOD_GET && route->answer != open_stream;
        if (request->method != route->method && !head)
            continue;
        struct job *job = number ? jobs_find(&request->service->jobs, number) : NULL;
        return route->tail && !job ? answer_error(request, 404, "there is no such job, or it was forgotten")
                                   : route->answer(request, job);
    }
    return known ? refuse_method(request) : answer_error(request, 404, "there is nothing here");
}

/* Whether a "HOST[:PORT]" is of this machine's own. */
static bool is_loopback(const char *host)
{
    size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    return (length == 9 && strncasecmp(host, "localhost", 9) == 0) || (length == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length);
}

/*
 * Browsers send requests for any page that asks. Another site's scripts may not start jobs (Origin), nor read what is
 * here by a name of their own that leads to this address (Host).
 */
static bool is_ours(struct request *request)
{
    char host[256] = "", origin[264];
    bool has_host = lws_hdr_total_length(request->wsi, WSI_TOKEN_HOST) > 0;
    if (has_host && !http_header(request, WSI_TOKEN_HOST, host, sizeof host))
        return false;
    if (has_host && request->service->listener.is_loopback && !is_loopback(host))
        return false;
    if (request->method == METHOD_GET || request->method == METHOD_HEAD ||
        !lws_hdr_total_length(request->wsi, WSI_TOKEN_ORIGIN))
        return true;
    return http_header(request, WSI_TOKEN_ORIGIN, origin, sizeof origin) && strncmp(origin, "http://", 7) == 0 &&
           strcasecmp(origin + 7, host) == 0;
}

/* Whether libwebsockets waits for a body: it does for any POST, PUT and PATCH that does not say that it is empty. */
static bool has_body(const struct request *request)
{
    char length[24];
    if (lws_hdr_total_length(request->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0)
        return !http_header(request, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length) || strcmp(length, "0") != 0;
    return request->method == METHOD_POST || lws_hdr_total_length(request->wsi, WSI_TOKEN_PUT_URI) > 0 ||
           lws_hdr_total_length(request->wsi, WSI_TOKEN_PATCH_URI) > 0;
}

int routes_begin(struct request *request)
{
    request->linger = has_body(request); /* until post.c takes it */
    if (lws_hdr_total_length(request->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
        return answer_error(request, 411, "a body needs a Content-Length");
    if (!request->path[0])
        return answer_error(request, 414, "the path is too long");
    if (!is_ours(request))
        return answer_error(request, 403, "this Host or Origin is not this service's");
    if (request->linger &&
        (request->method == METHOD_GET || request->method == METHOD_HEAD || request->method == METHOD_DELETE))
        return answer_error(request, 400, "this method has no body");
    return dispatch(request);
}

int routes_body(struct request *request)
{
    return post_body(request);
}
