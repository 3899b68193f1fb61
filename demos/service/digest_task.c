/*
 * digest_task.c - the SHA-256 of an upload, a file or a folder, by the parts of demos/digest. On the workers' side.
 *
 * A folder is walked twice: first for the number of its bytes, so that the progress has an end.
 */
#include "root.h"
#include "tasks.h"

#include "../digest/files.h"
#include "../digest/hash.h"
#include "../digest/output.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 1024 * 1024,            /* bytes of an upload, between two looks at a cancel request */
    LISTING_MAX = 16 * 1024 * 1024, /* bytes */
    LINE_MAX_EXTRA = 2 * DIGEST_SIZE + 3
};

/* The lines about a folder's files. */
struct listing {
    char *text;
    size_t size, capacity;
};

/* What files.c does without memory: the worker ends, and with it the job. */
void *must(void *memory)
{
    if (!memory)
        _exit(1);
    return memory;
}

/* Hashes bytes that are all there. Returns: 0, or an errno value. */
static int hash_bytes(soon_task *task, const void *data, size_t size, unsigned char *sha256)
{
    const unsigned char *at = data;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t done = 0, step; good && done < size && !soon_task_cancel_requested(task); done += step) {
        step = size - done < BLOCK ? size - done : BLOCK;
        good = EVP_DigestUpdate(context, at + done, step);
        soon_task_set_progress(task, done + step, size);
    }
    good = good && EVP_DigestFinal_ex(context, sha256, NULL);
    EVP_MD_CTX_free(context);
    return soon_task_cancel_requested(task) ? ECANCELED : good ? 0 : EIO;
}

static bool stopped(const void *task)
{
    return soon_task_cancel_requested(task);
}

static void walk(struct files *files, char **paths, soon_task *task)
{
    files_init(files, paths, stopped, task);
    files->open = root_open;
}

static uint64_t total_size(soon_task *task, char **paths)
{
    struct files files;
    struct entry entry;
    uint64_t total = 0;
    walk(&files, paths, task);
    while (files_next(&files, &entry)) {
        struct stat status;
        int fd = entry.error ? -1 : root_open(entry.name, O_PATH | O_NOFOLLOW);
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
            total += (uint64_t)status.st_size;
        if (fd >= 0)
            close(fd);
    }
    files_fini(&files);
    return total;
}

/* Adds "DIGEST  NAME\n", without the quoting of odd names that sha256sum has. Returns: false: it gets too long. */
static bool add_line(struct listing *listing, const unsigned char *sha256, const char *name)
{
    size_t length = strlen(name), needed = listing->size + length + LINE_MAX_EXTRA;
    if (needed > LISTING_MAX)
        return false;
    if (needed > listing->capacity)
        listing->text = must(realloc(listing->text, listing->capacity = 2 * needed));
    for (int i = 0; i < DIGEST_SIZE; i++)
        for (int half = 4; half >= 0; half -= 4)
            listing->text[listing->size++] = "0123456789abcdef"[sha256[i] >> half & 15];
    memcpy(listing->text + listing->size, "  ", 2);
    memcpy(listing->text + listing->size + 2, name, length);
    listing->size += length + 3;
    listing->text[listing->size - 1] = '\n';
    return true;
}

/* Hashes one file. Returns: 0, or an errno value. */
static int hash_one(soon_task *task, const char *name, int flags, const struct hash_progress *progress,
                    struct outcome *ret)
{
    struct stat status;
    int fd = root_open(name, O_RDONLY | flags);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &status) != 0 ? errno : !S_ISREG(status.st_mode) ? EINVAL : 0;
    if (!error)
        error = hash_descriptor(task, fd, progress, ret);
    close(fd);
    return error;
}

/* Returns: 0, or an errno value: it is not to be gone on with. */
static int hash_files_of(soon_task *task, char **paths, struct listing *listing, struct digest_result *ret)
{
    struct files files;
    struct entry entry;
    int error = 0;
    struct hash_progress progress = {.total = total_size(task, paths)};
    walk(&files, paths, task);
    while (!error && files_next(&files, &entry)) {
        struct outcome outcome = {0};
        if (entry.error || hash_one(task, entry.name, O_NOFOLLOW, &progress, &outcome) != 0)
            ret->failed++;
        else if (add_line(listing, outcome.digest, entry.name))
            ret->files++;
        else
            error = EFBIG;
        progress.before += outcome.size;
    }
    files_fini(&files);
    ret->bytes = progress.before;
    return soon_task_cancel_requested(task) ? ECANCELED : error;
}

static int return_listing(soon_task *task, const struct listing *listing, struct digest_result *ret)
{
    soon_buffer *buffer;
    if (!EVP_Digest(listing->text, listing->size, ret->sha256, NULL, EVP_sha256(), NULL))
        return EIO;
    if (soon_buffer_new(&buffer, listing->size) < 0)
        return ENOMEM;
    if (listing->size)
        memcpy(soon_buffer_data(buffer), listing->text, listing->size);
    return soon_task_return_payload(task, buffer) < 0 ? ENOMEM : 0;
}

static int digest_folder(soon_task *task, char *path, struct digest_result *ret)
{
    struct listing listing = {0};
    int error = hash_files_of(task, (char *[]){path, NULL}, &listing, ret);
    if (!error)
        error = return_listing(task, &listing, ret);
    free(listing.text);
    return error;
}

static int digest_path(soon_task *task, char *path, struct digest_result *ret)
{
    struct stat status;
    struct outcome outcome = {0};
    int fd = root_open(path, O_PATH);
    int error = fd < 0 || fstat(fd, &status) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error)
        return error;
    if (S_ISDIR(status.st_mode))
        return digest_folder(task, path, ret);
    error = hash_one(task, path, 0, &(struct hash_progress){.total = (uint64_t)status.st_size}, &outcome);
    memcpy(ret->sha256, outcome.digest, sizeof ret->sha256);
    ret->bytes = outcome.size;
    ret->files = 1;
    return error;
}

SOON_TASK_DEFINE(digest)
{
    soon_buffer *upload = soon_task_payload(task);
    char *path = (char *)soon_task_extra(task).data;
    int error;
    place_take(task, arg->place);
    soon_task_set_progress(task, 0, upload ? soon_buffer_size(upload) : 0);
    if (upload) {
        error = hash_bytes(task, soon_buffer_data(upload), soon_buffer_size(upload), result->sha256);
        result->bytes = soon_buffer_size(upload);
        result->files = 1;
    } else {
        error = digest_path(task, path, result);
    }
    if (error == ECANCELED)
        return -ECANCELED;
    return error ? soon_raise(task, error, "%s: %s", upload ? "the upload" : path, strerror(error)) : 0;
}
