/*
 * spec.h - what a job is to do, checked: from the JSON of a request, or from the query of an upload.
 */
#ifndef SERVICE_SPEC_H
#define SERVICE_SPEC_H

#include <jansson.h>
#include <limits.h>
#include <soon.h>
#include <stdbool.h>
#include <stdint.h>

enum job_kind { JOB_PI, JOB_DIGEST, JOB_THUMBNAIL, JOB_CRASH, JOB_KINDS };

struct spec {
    enum job_kind kind;
    char label[201];
    char path[PATH_MAX]; /* relative to the root; "": an upload, or it has none */
    int64_t strips, width, height, time_limit_ms;
    bool jpeg;
    soon_buffer *upload; /* NULL: none; the one reference is the spec's until the job is submitted */
};

/* What a request may ask for. */
struct spec_limits {
    int64_t time_limit_ms;
    bool has_root;
};

/* "pi" ... Static. */
const char *job_kind_name(enum job_kind kind);

/*
 * Reads a spec from an object. `upload`: the file comes with the request, so a path must not. `ret->upload` is left
 * NULL.
 *
 * Returns: NULL; else what is wrong, for people: static, or in `text`, which has 200 bytes.
 */
const char *spec_read(struct spec *ret, const json_t *object, const struct spec_limits *limits, bool upload,
                      char *text);

/*
 * Adds one "name=value" of a query to an object, as a number where the name says that it is one.
 *
 * Returns: false: it is said twice, or it is no text in UTF-8, or there is no memory.
 */
bool spec_add_word(json_t *object, const char *word);

#endif
