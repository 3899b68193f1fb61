/*
 * total.h - how many bytes there are to hash, for the time left.
 */
#ifndef DIGEST_TOTAL_H
#define DIGEST_TOTAL_H

#include <soon.h>

/*
 * Adds up the sizes of all files that are to be hashed. The argument's bytes are the command line's paths, each with
 * its 0; the result is a uint64_t. A task of its own, since nothing waits for it.
 */
SOON_TASK_BYTES_DECLARE(add_sizes);

#endif
