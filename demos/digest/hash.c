/*
 * hash.c - the tasks of the pool.
 */
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 128 * 1024,     /* read at once; a cancel request is seen after each */
    SMALL_MAX = 1024 * 1024 /* the largest file that is hashed among others */
};

/* Worker-local. */
struct hasher {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
    unsigned char block[BLOCK];
};

static void free_hasher(void *pointer)
{
    struct hasher *hasher = pointer;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->sha256);
    free(hasher);
}

int hasher_make(soon_task *task)
{
    struct hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return soon_raise(task, ENOMEM, NULL);
    hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (!hasher->sha256 || !hasher->context) {
        free_hasher(hasher);
        return soon_raise(task, ENOTSUP, "OpenSSL has no SHA-256");
    }
    soon_task_set_local(task, hasher, free_hasher);
    return 0;
}

SOON_TASK_DEFINE(make_hasher)
{
    return hasher_make(task);
}

static bool is_large(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_size > SMALL_MAX;
}

int hash_descriptor(soon_task *task, int fd, const struct hash_progress *progress, struct outcome *ret)
{
    struct hasher *hasher = soon_task_local(task);
    if (!EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL))
        return EIO;
    while (!soon_task_cancel_requested(task)) {
        ssize_t got = read(fd, hasher->block, BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return EVP_DigestFinal_ex(hasher->context, ret->digest, NULL) ? 0 : EIO;
        if (!EVP_DigestUpdate(hasher->context, hasher->block, (size_t)got))
            return EIO;
        ret->size += (uint64_t)got;
        soon_task_set_progress(task, progress->before + ret->size, progress->total);
    }
    return ECANCELED;
}

/* `before`: what the task has read of other files. */
static int hash_file(soon_task *task, const char *name, bool alone, uint64_t before, struct outcome *ret)
{
    struct hash_progress progress = {.before = before};
    if (strcmp(name, "-") == 0)
        return hash_descriptor(task, STDIN_FILENO, &progress, ret);

    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno;
    if (alone)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    int error = !alone && is_large(fd) ? HASH_ALONE : hash_descriptor(task, fd, &progress, ret);
    close(fd);
    return error;
}

SOON_TASK_BYTES_DEFINE(hash_files)
{
    const char *name = arg.data, *end = name + arg.size;
    size_t count = 0;
    for (const char *at = name; at < end; at += strlen(at) + 1)
        count++;

    struct outcome *outcome = soon_task_return_space(task, count * sizeof *outcome);
    if (!outcome)
        return -ENOMEM;
    for (uint64_t before = 0; name < end; before += outcome->size, outcome++, name += strlen(name) + 1) {
        outcome->error = hash_file(task, name, count == 1, before, outcome);
        if (outcome->error == ECANCELED && soon_task_cancel_requested(task))
            return -ECANCELED;
    }
    return 0;
}
