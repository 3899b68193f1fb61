/*
 * tries_fixture.h - a pool of one worker. A worker that replaces it stays in its initializer until the test lets it
 * through, so that a call that comes back from a dead worker waits for so long.
 */
#ifndef SOON_TESTS_TRIES_FIXTURE_H
#define SOON_TESTS_TRIES_FIXTURE_H

#include "../support/process_fixture.h"
#include "../support/shared_fixture.h"

#include <sys/resource.h>

struct memory {
    _Atomic int tries;
    _Atomic bool fails;              /* the next initializer is to fail */
    _Atomic bool has_no_descriptors; /* the next worker is to be unable to open any */
};

struct setup {
    struct gate starts, tasks;
    soon_shared *shared;
    struct memory *memory;
    soon_executor *pool;
};

SOON_TASK(start_at_gate, struct gate, soon_none)
{
    struct memory *memory = soon_task_shared(task);
    struct rlimit none = {0, 0};
    int rc = gate_pass(*arg, NULL);

    if (memory->has_no_descriptors)
        setrlimit(RLIMIT_NOFILE, &none);
    return memory->fails ? -EIO : rc;
}

/* On return its one worker is ready. */
static inline struct setup set_up(void)
{
    struct setup setup = {.starts = gate_new(), .tasks = gate_new(), .shared = new_shared(sizeof(struct memory))};

    setup.memory = soon_shared_data(setup.shared);
    setup.pool = new_processes(.workers = 1, .max_restarts = -1, .grace_ms = -1, .shared = setup.shared,
                               .initializer = &start_at_gate_task, .initializer_arg = &setup.starts);
    gate_open(setup.starts, 1);
    cr_assert_eq(soon_executor_boot(setup.pool, SOON_FOREVER), 0);
    gate_await(setup.starts, 1);
    return setup;
}

static inline void tear_down(struct setup setup)
{
    gate_open(setup.starts, 1);
    free_pool(setup.pool);
    gate_free(setup.starts);
    gate_free(setup.tasks);
    soon_shared_unref(setup.shared);
}

#endif
