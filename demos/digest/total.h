/*
 * total.h - how many bytes there are to hash, for the time left.
 */
#ifndef DIGEST_TOTAL_H
#define DIGEST_TOTAL_H

#include <soon.h>
#include <stdint.h>

/* Adds up the sizes of all files that a path of the command line means. */
SOON_TASK_STRING_DECLARE(size_of_path, uint64_t);

#endif
