/*
 * spec.c - one table: what each parameter is called, which kinds have it, where it goes, what it may be. On the loop.
 */
#include "spec.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 200, SIDE_MAX = 2048 };

#define OF(kind) (1u << (kind))
enum { ALL = OF(JOB_KINDS) - 1, OF_IMAGES = OF(JOB_THUMBNAIL), OF_FILES = OF(JOB_THUMBNAIL) | OF(JOB_DIGEST) };

struct parameter {
    const char *name;
    unsigned kinds;
    size_t offset;
    int64_t least, most, standard; /* of a number */
    size_t size;                   /* of a text, with its 0; 0: it is a number */
};

static const struct parameter parameters[] = {
    {"strips", OF(JOB_PI), offsetof(struct spec, strips), 1, INT64_C(1000000000000), 1000000000, 0},
    {"width", OF_IMAGES, offsetof(struct spec, width), 1, SIDE_MAX, 256, 0},
    {"height", OF_IMAGES, offsetof(struct spec, height), 1, SIDE_MAX, 256, 0},
    {"time_limit_ms", ALL, offsetof(struct spec, time_limit_ms), 1, INT64_MAX, 0, 0},
    {"label", ALL, offsetof(struct spec, label), 0, 0, 0, sizeof(((struct spec *)0)->label)},
    {"path", OF_FILES, offsetof(struct spec, path), 0, 0, 0, sizeof(((struct spec *)0)->path)},
};

enum { PARAMETERS = sizeof parameters / sizeof *parameters };

static const char *const kind_names[] = {"pi", "digest", "thumbnail", "crash"};

const char *job_kind_name(enum job_kind kind)
{
    return kind_names[kind];
}

static const struct parameter *find(const char *name)
{
    for (int i = 0; i < PARAMETERS; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

static const char *wrong(char *text, const char *what, const char *name)
{
    snprintf(text, TEXT_SIZE, "%s %.80s", what, name);
    return text;
}

static const char *read_number(const struct parameter *parameter, const json_t *value, void *ret, char *text)
{
    if (!json_is_integer(value))
        return wrong(text, "a whole number is wanted for", parameter->name);
    int64_t number = json_integer_value(value);
    if (number < parameter->least || number > parameter->most)
        return wrong(text, "out of range:", parameter->name);
    memcpy(ret, &number, sizeof number);
    return NULL;
}

static const char *read_text(const struct parameter *parameter, const json_t *value, void *ret, char *text)
{
    if (!json_is_string(value))
        return wrong(text, "a text is wanted for", parameter->name);
    if (json_string_length(value) >= parameter->size || strlen(json_string_value(value)) != json_string_length(value))
        return wrong(text, "too long, or with a 0 in it:", parameter->name);
    memcpy(ret, json_string_value(value), json_string_length(value) + 1);
    return NULL;
}

static const char *read_format(struct spec *ret, const json_t *value)
{
    const char *name = json_string_value(value);
    ret->jpeg = name && strcmp(name, "jpeg") == 0;
    return ret->jpeg || (name && strcmp(name, "png") == 0) ? NULL : "format is \"png\" or \"jpeg\"";
}

static const char *read_parameter(struct spec *ret, const char *name, const json_t *value, char *text)
{
    const struct parameter *parameter = find(name);
    if (strcmp(name, "format") == 0 && ret->kind == JOB_THUMBNAIL)
        return read_format(ret, value);
    if (!parameter || !(parameter->kinds & OF(ret->kind)))
        return wrong(text, "this kind of job has no parameter", name);
    void *field = (char *)ret + parameter->offset;
    return parameter->size ? read_text(parameter, value, field, text) : read_number(parameter, value, field, text);
}

static const char *read_kind(struct spec *ret, const json_t *value)
{
    const char *name = json_string_value(value);
    if (!name)
        return "a job needs a kind, which is a text";
    for (int kind = 0; kind < JOB_KINDS; kind++)
        if (strcmp(kind_names[kind], name) == 0) {
            ret->kind = (enum job_kind)kind;
            return NULL;
        }
    return "there is no such kind of job";
}

/* That a path stays inside is for the worker to see, as it opens it. This finds what can only be a mistake. */
static bool leads_out(const char *path)
{
    for (const char *name = path;; name++) {
        size_t length = strcspn(name, "/");
        if (length == 2 && name[0] == '.' && name[1] == '.')
            return true;
        name += length;
        if (!*name)
            return path[0] == '/';
    }
}

static const char *check_files(const struct spec *spec, const struct spec_limits *limits, bool upload)
{
    bool reads = OF(spec->kind) & OF_FILES;
    if (upload && !reads)
        return "this kind of job takes no file";
    if (upload && spec->path[0])
        return "a path and an uploaded file are one too many";
    if (!upload && reads && !spec->path[0])
        return "this kind of job needs a path, or an uploaded file";
    if (!upload && reads && !limits->has_root)
        return "this service has no root, so it takes no paths";
    return leads_out(spec->path) ? "a path is relative to the root, and has no .." : NULL;
}

const char *spec_read(struct spec *ret, const json_t *object, const struct spec_limits *limits, bool upload, char *text)
{
    const char *name, *error;
    json_t *value;
    *ret = (struct spec){.time_limit_ms = limits->time_limit_ms};
    if (!json_is_object(object))
        return "a job is an object of JSON";
    for (int i = 0; i < PARAMETERS; i++)
        if (parameters[i].standard)
            memcpy((char *)ret + parameters[i].offset, &parameters[i].standard, sizeof parameters[i].standard);
    if ((error = read_kind(ret, json_object_get(object, "kind"))))
        return error;
    json_object_foreach((json_t *)object, name,
                        value) if (strcmp(name, "kind") != 0 &&
                                   (error = read_parameter(ret, name, value, text))) return error;
    if (ret->time_limit_ms > limits->time_limit_ms)
        return "time_limit_ms is above what this service allows";
    return check_files(ret, limits, upload);
}

bool spec_add_word(json_t *object, const char *word)
{
    size_t length = strcspn(word, "=");
    char name[32], *end;
    if (length >= sizeof name || !word[length])
        return false;
    memcpy(name, word, length);
    name[length] = 0;
    const struct parameter *parameter = find(name);
    const char *text = word + length + 1;
    long long number = strtoll(text, &end, 10);
    bool is_number = parameter && !parameter->size && end != text && !*end;
    return !json_object_get(object, name) &&
           json_object_set_new(object, name, is_number ? json_integer(number) : json_string(text)) == 0;
}
