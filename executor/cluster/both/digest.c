/*
 * digest.c - FNV-1a over a fixed text: numbers as 8 bytes, the lowest first, and strings with their NULs.
 */
#include "digest_internal.h"

#include <stdio.h>
#include <string.h>

static uint64_t add_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(1099511628211);
}

static uint64_t add_number(uint64_t hash, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        hash = add_byte(hash, (unsigned char)(number >> 8 * i));
    return hash;
}

/* NULL is the same as "": a type that is not known. */
static uint64_t add_string(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = add_byte(hash, (unsigned char)*text);
    return add_byte(hash, 0);
}

static bool is_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;

    memcpy(&first, &one, 1);
    return first == 1;
}

/* Its letter. The names behind it are not the same in C and in C++. */
static uint64_t kind_of(const soon_function *function)
{
    return function->result_kind ? (unsigned char)*function->result_kind : 0;
}

static uint64_t version_of(const soon_function *function)
{
    return function->version ? *function->version : 0;
}

uint64_t soon__function_digest(const soon_function *function)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    hash = add_string(hash, function->name);
    hash = add_number(hash, function->arg_size);
    hash = add_number(hash, function->result_size);
    hash = add_string(hash, function->arg_type);
    hash = add_string(hash, function->result_type);
    hash = add_number(hash, kind_of(function));
    hash = add_number(hash, version_of(function));
    hash = add_number(hash, is_little_endian());
    hash = add_number(hash, sizeof(void *));
    return hash ? hash : 1;
}

/* "struct add (8 bytes)", "8 bytes", "bytes", "string" */
static void type_text(char *ret, size_t size, const char *type, size_t bytes)
{
    bool known = type && *type;

    if (!bytes)
        snprintf(ret, size, "%s", known ? type : "bytes");
    else
        snprintf(ret, size, known ? "%s (%zu byte%s)" : "%s%zu byte%s", known ? type : "", bytes,
                 bytes == 1 ? "" : "s");
}

const char *soon__layout_text(char *ret, size_t size, const soon_function *function)
{
    char argument[SOON__LAYOUT_TEXT / 3], result[SOON__LAYOUT_TEXT / 3];

    type_text(argument, sizeof argument, function->arg_type, function->arg_size);
    type_text(result, sizeof result, function->result_type, function->result_size);
    snprintf(ret, size, "%s -> %s, version %llu, %zu bits, %s-endian", argument, result,
             (unsigned long long)version_of(function), sizeof(void *) * 8, is_little_endian() ? "little" : "big");
    return ret;
}

const char *soon__layout_mismatch(char *ret, size_t size, const soon_function *function)
{
    char layout[SOON__LAYOUT_TEXT];

    snprintf(ret, size, "%s: the worker has %s", function->name, soon__layout_text(layout, sizeof layout, function));
    return ret;
}
