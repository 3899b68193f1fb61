/*
 * kill_points.c - a worker is stopped at each delicate moment of the protocol, and killed there: what must become of the
 * task that it had, and of all others.
 */
#include "../../executor/processes/both/channel_internal.h"
#include "../support/process_fixture.h"

TestSuite(kill_points);

enum { LARGE = SOON__BODY_MAX + 1000, NOWHERE = -1, IN_INITIALIZER = 100 };

/*
 * The trap: workers find it by their environment, and the first that comes to the point stays there.
 */
struct trap {
    _Atomic int point;
    _Atomic int caught; /* its pid */
};

static struct trap *trap;
static char variable[64];
static void (*in_parent)(void); /* at SOON__POINT_ARGUMENT_SENT */

static struct trap *map_trap(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *data = mmap(NULL, sizeof(struct trap), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    return data;
}

static void step_on(int point)
{
    const char *path = getenv("SOON_TEST_TRAP");

    if (!path)
        return;
    if (!trap)
        trap = map_trap(path);
    if (!atomic_compare_exchange_strong(&trap->point, &point, NOWHERE))
        return;
    trap->caught = getpid();
    for (;;)
        pause();
}

void soon__process_point(enum soon__point point)
{
    if (point != SOON__POINT_ARGUMENT_SENT)
        step_on((int)point);
    else if (in_parent)
        in_parent();
}

static void set_trap(int point)
{
    char path[32];
    int fd = memfd_create("trap", MFD_CLOEXEC);

    cr_assert_eq(ftruncate(fd, sizeof(struct trap)), 0);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    snprintf(variable, sizeof variable, "SOON_TEST_TRAP=%s", path);
    trap = map_trap(path);
    trap->point = point;
    test_accept_open_descriptors();
}

static int await_caught(void)
{
    test_wait_until(trap->caught);
    return trap->caught;
}

/*
 * Tasks that carry so many bytes and tell where they ran.
 */

SOON_TASK_BYTES(weigh)
{
    size_t size = *(const size_t *)arg.data; /* of the result */
    unsigned char *space = soon_task_return_space(task, size);
    int pid = getpid();

    if (!space)
        return ENOMEM;
    memset(space, 7, size);
    memcpy(space, &pid, sizeof pid);
    return 0;
}

static soon_future *submit_weigh(soon_executor *pool, size_t arg_size, size_t result_size, int retries)
{
    size_t *arg = calloc(1, arg_size);
    soon_future *future;

    *arg = result_size;
    future = weigh_submit(pool, arg, arg_size, &(soon_submit_options){.retries = retries});
    free(arg);
    return future;
}

static int pid_of(soon_future *future)
{
    soon_bytes result;
    int pid, rc = soon_future_result(future, SOON_FOREVER, &result);

    cr_assert_eq(rc, 0, "%s", soon_future_error(future)->message);
    cr_assert_eq(((const char *)result.data)[result.size - 1], 7);
    memcpy(&pid, result.data, sizeof pid);
    return pid;
}

static void assert_died_with(soon_future *future, int pid)
{
    const soon_error *error;

    cr_assert_eq(soon_future_exception(future, SOON_FOREVER, &error), 0);
    cr_assert_eq(error->code, SOON_EWORKERDIED, "%s", error->message);
    cr_assert_eq(error->worker_pid, pid);
    cr_assert_eq(error->worker_signal, SIGKILL);
    cr_assert(error->started);
}

SOON_TASK(prepare, soon_none, soon_none)
{
    step_on(IN_INITIALIZER);
    return 0;
}

/*
 * One task of its own, others behind it, one worker
 */

enum fate { SAVED, LOST, DONE };

struct row {
    const char *name;
    int point;
    size_t arg_size, result_size;
    enum fate fate; /* of the first task: runs elsewhere, fails, has ended already */
};

static const struct row rows[] = {
    {"before HELLO", SOON__POINT_BEFORE_HELLO, 8, 8, SAVED},
    {"after HELLO", SOON__POINT_AFTER_HELLO, 8, 8, SAVED},
    {"after HELLO, large", SOON__POINT_AFTER_HELLO, LARGE, 8, SAVED},
    {"in the initializer", IN_INITIALIZER, 8, 8, SAVED},
    {"before the claim", SOON__POINT_BEFORE_CLAIM, 8, 8, SAVED},
    {"before the claim, in the area", SOON__POINT_BEFORE_CLAIM, 5000, 8, SAVED},
    {"before the claim, large", SOON__POINT_BEFORE_CLAIM, LARGE, 8, SAVED},
    {"after the claim", SOON__POINT_AFTER_CLAIM, 8, 8, LOST},
    {"after the claim, large", SOON__POINT_AFTER_CLAIM, LARGE, 8, LOST},
    {"large result sent", SOON__POINT_RESULT_SENT, 8, LARGE, LOST},
    {"before the reply", SOON__POINT_BEFORE_REPLY, 8, 8, LOST},
    {"before the reply, in the area", SOON__POINT_BEFORE_REPLY, 8, 5000, LOST},
    {"before the reply, large", SOON__POINT_BEFORE_REPLY, LARGE, LARGE, LOST},
    {"after the reply", SOON__POINT_REPLY_PUBLISHED, 8, 8, DONE},
    {"after the reply, in the area", SOON__POINT_REPLY_PUBLISHED, 8, 5000, DONE},
    {"after the reply, large", SOON__POINT_REPLY_PUBLISHED, LARGE, LARGE, DONE},
};

static soon_executor *pool_with_trap(const struct row *row, int workers)
{
    const char *environment[] = {variable, NULL};

    set_trap(row->point);
    environment[0] = variable;
    return new_processes(.workers = workers, .environment = environment,
                         .initializer = row->point == IN_INITIALIZER ? &prepare_task : NULL);
}

static void forget_trap(void)
{
    munmap(trap, sizeof *trap);
    trap = NULL;
}

/* A reply is to be an initializer's only where there is one: there is none here but for its own row. */
static void kill_at(const struct row *row, int retries, bool by_us)
{
    soon_executor *pool = pool_with_trap(row, 1);
    soon_future *first = submit_weigh(pool, row->arg_size, row->result_size, retries), *others[20];
    int caught = 0;

    for (int i = 0; i < 20; i++)
        others[i] = submit_weigh(pool, 8, 8, 0);
    caught = await_caught();
    if (by_us)
        cr_assert_eq(soon_future_kill(first), 0);
    else
        kill(caught, SIGKILL);

    if (row->fate == LOST && !retries && by_us)
        cr_assert_eq(soon_future_result(first, SOON_FOREVER, &(soon_bytes){0}), SOON_EKILLED, "%s", row->name);
    else if (row->fate == LOST && !retries)
        assert_died_with(first, caught);
    else
        cr_assert_eq(pid_of(first) == caught, row->fate == DONE, "%s", row->name);
    for (int i = 0; i < 20; i++)
        cr_assert_neq(pid_of(others[i]), caught, "%s: other %d", row->name, i);
    cr_assert_eq(stats_of(pool).worker_deaths, !by_us, "%s", row->name);
    soon_future_unref(first);
    soon_futures_unref(others, 20);
    free_pool(pool);
    forget_trap();
}

Test(kill_points, fail_the_claimed_task_and_no_other)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kill_at(&rows[i], 0, false);
}

Test(kill_points, lose_nothing_that_may_be_tried_again)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kill_at(&rows[i], 1, false);
}

Test(kill_points, of_soon_future_kill_end_that_task_and_no_other)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].fate == LOST)
            kill_at(&rows[i], 0, true);
    }
}

/* A shutdown that comes while one is stopped: it ends, and nothing is unresolved. */
static void shut_down_at(const struct row *row, soon_shutdown mode)
{
    soon_executor *pool = pool_with_trap(row, 2);
    soon_future *futures[20];
    int rc;

    for (int i = 0; i < 20; i++)
        futures[i] = submit_weigh(pool, row->arg_size, row->result_size, 0);
    await_caught();
    if (mode < SOON_TERMINATE) {
        rc = soon_executor_shutdown(pool, mode, 0);
        cr_assert(rc == -ETIMEDOUT || rc == 0); /* 0: the other has done all of it, and this one was not needed */
        if (rc < 0)
            kill(trap->caught, SIGKILL);
    }
    cr_assert_eq(soon_executor_shutdown(pool, mode, SOON_FOREVER), 0);

    for (int i = 0; i < 20; i++)
        cr_assert(soon_future_done(futures[i]), "%s", row->name);
    soon_futures_unref(futures, 20);
    free_pool(pool);
    forget_trap();
}

Test(kill_points, do_not_hold_up_a_shutdown)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (soon_shutdown mode = SOON_DRAIN; mode <= SOON_KILL; mode++)
            shut_down_at(&rows[i], mode);
    }
}

/*
 * Chunks
 */

enum { ITEMS = 10 };

/* The worker is killed there: the first `lost` items fail. */
static void kill_chunk(soon_executor *pool, soon_future *map, int lost)
{
    int result;

    kill(await_caught(), SIGKILL);
    (void)soon_future_wait(map, SOON_FOREVER);
    for (int i = 0; i < ITEMS; i++) {
        int rc = soon_map_item(map, (size_t)i, SOON_FOREVER, &result, sizeof result);

        cr_assert_eq(rc, i < lost ? SOON_EWORKERDIED : 0, "item %d: %s", i, soon_strerror(rc));
        cr_assert(i < lost || result == 2 * i);
    }
    soon_future_unref(map);
    free_pool(pool);
    forget_trap();
}

static const int counted[ITEMS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void kill_in_chunk(int point, int lost)
{
    const struct row row = {.point = point};
    soon_executor *pool = pool_with_trap(&row, 1);

    kill_chunk(pool, soon_map_async_with(pool, (.chunk = ITEMS), twice, counted, ITEMS), lost);
}

Test(kill_points, in_a_chunk_keep_what_its_items_have_given)
{
    kill_in_chunk(SOON__POINT_BEFORE_CLAIM, 0);
    kill_in_chunk(SOON__POINT_AFTER_CLAIM, 1);
    kill_in_chunk(SOON__POINT_BEFORE_REPLY, 0);
    kill_in_chunk(SOON__POINT_REPLY_PUBLISHED, 0);
}

/* So slowly that each is told of by itself. */
SOON_TASK(twice_slowly, int, int)
{
    usleep(2000);
    *result = 2 * *arg;
    return 0;
}

Test(kill_points, between_two_items_of_a_chunk_lose_nothing)
{
    const struct row row = {.point = SOON__POINT_REPLY_PUBLISHED};
    soon_executor *pool = pool_with_trap(&row, 1);

    kill_chunk(pool, soon_map_async_with(pool, (.chunk = ITEMS), twice_slowly, counted, ITEMS), 0);
}

/* As large as a request may be: each item of the chunk is one of its own. */
struct block {
    int number;
    char filler[SOON__BODY_MAX - sizeof(int)];
};

SOON_TASK(number_of, struct block, int)
{
    *result = arg->number;
    return 0;
}

/* All that was sent has ended, nobody was told: what has not been sent has not begun. */
static void kill_between_requests(int point)
{
    static struct block blocks[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    const struct row row = {.point = point};
    soon_executor *pool = pool_with_trap(&row, 1);
    soon_future *map = soon_map_async_with(pool, (.chunk = 3), number_of, blocks, 3);
    int number, rc;

    kill(await_caught(), SIGKILL);
    for (int i = 0; i < 3; i++) {
        rc = soon_map_item(map, (size_t)i, SOON_FOREVER, &number, sizeof number);
        cr_assert(rc == 0 && number == i, "point %d, item %d: %s", point, i, soon_strerror(rc));
    }
    soon_future_unref(map);
    free_pool(pool);
    forget_trap();
}

Test(kill_points, between_the_requests_of_a_chunk_lose_nothing)
{
    kill_between_requests(SOON__POINT_BEFORE_REPLY);
    kill_between_requests(SOON__POINT_REPLY_PUBLISHED);
}

/*
 * In the parent: the descriptors are on their way, the slot is not posted
 */

static soon_executor *stricken;
static int its_pid;

static void strike_worker(void)
{
    uint64_t deaths = stats_of(stricken).worker_deaths;

    in_parent = NULL;
    kill(its_pid, SIGKILL);
    test_wait_until(stats_of(stricken).worker_deaths > deaths);
}

Test(kill_points, between_descriptors_and_post_send_the_task_elsewhere)
{
    soon_future *future;

    stricken = new_processes(.workers = 1);
    its_pid = pid_of_one(stricken);
    in_parent = strike_worker;
    future = submit_weigh(stricken, LARGE, 8, 0);

    cr_assert_null(in_parent);
    cr_assert_neq(pid_of(future), its_pid);
    soon_future_unref(future);
    free_pool(stricken);
}

static soon_future *being_sent;

static void *cancel_it(void *unused)
{
    /* It has no future that we know yet: everything that is pending goes. */
    cr_assert_eq(soon_executor_shutdown(stricken, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
    return unused;
}

static void cancel_meanwhile(void)
{
    pthread_t thread;

    in_parent = NULL;
    cr_assert_eq(pthread_create(&thread, NULL, cancel_it, NULL), 0);
    pthread_join(thread, NULL);
}

Test(kill_points, between_descriptors_and_post_a_cancel_wins)
{
    stricken = new_processes(.workers = 1);
    its_pid = pid_of_one(stricken);
    in_parent = cancel_meanwhile;
    being_sent = submit_weigh(stricken, LARGE, 8, 0);

    cr_assert(soon_future_cancelled(being_sent));
    soon_future_unref(being_sent);
    free_pool(stricken);
}
