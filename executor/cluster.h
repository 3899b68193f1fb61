/**
 * @file cluster.h
 * Tasks on other machines, by way of a Gearman server.
 *
 * @addtogroup soon_cluster
 * @{
 */
#ifndef SOON_EXECUTOR_CLUSTER_H
#define SOON_EXECUTOR_CLUSTER_H

#include "pool.h"

/**
 * SOON_TASK_FOREIGN(reverse, "reverse"); declares and defines a function that workers have which are not of this
 * library: the `gearman` command, a program in PHP or Perl. It makes `reverse_task`, `reverse_submit(executor, data,
 * size, options)` and `reverse_try_submit(&future, executor, data, size, options)`. The worker gets these bytes, and
 * what it returns is the result, as bytes. See SOON_FUNCTION_FOREIGN.
 */
#define SOON_TASK_FOREIGN(name, its_name)                                                                              \
    SOON__OF_BYTES(name)                                                                                               \
    const soon_function name##_task = {its_name, 0, 0, 0, "", "", SOON_FUNCTION_FOREIGN, 0, 0, 0, 0, {0, 0}};          \
    struct soon__semicolon

/** @} */
#endif
