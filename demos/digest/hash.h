/*
 * hash.h - the work: reads files, and computes their SHA-256 with OpenSSL.
 */
#ifndef DIGEST_HASH_H
#define DIGEST_HASH_H

#include <soon.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32 };

/* In `error`: too large to be hashed among others, submit it alone. */
enum { HASH_ALONE = -1 };

/* What became of one file. */
struct outcome {
    int32_t error; /* 0, an errno value, or HASH_ALONE */
    unsigned char digest[DIGEST_SIZE];
    uint64_t size;
};

/* What a task has read before, and what it will have read in all, 0: unknown: for its progress, in bytes. */
struct hash_progress {
    uint64_t before, total;
};

/*
 * Hashes what can be read from `fd`, on a worker that has run make_hasher.
 *
 * Returns: 0, and sets digest and size; or an errno value, ECANCELED if the task shall end.
 */
int hash_descriptor(soon_task *task, int fd, const struct hash_progress *progress, struct outcome *ret);

/*
 * Hashes the files whose names, each with its 0, are the argument's bytes; "-" is standard input, which worker
 * processes do not have. The result is one struct outcome for each. One task takes many small files, so that the cost
 * of a task does not matter; a large one among them comes back as HASH_ALONE, so that it holds up nothing. The progress
 * is in bytes.
 */
SOON_TASK_BYTES_DECLARE(hash_files);

/* The initializer of the pool that runs hash_files: what each worker keeps from one file to the next. */
SOON_TASK_DECLARE(make_hasher, soon_none, soon_none);

/* What it does, for an initializer that does more. Returns: what an initializer returns. */
int hasher_make(soon_task *task);

#endif
