/*
 * process_descriptors.c - results and payloads that travel as descriptors: each item of a chunk gets its own bytes, and
 * one that finds no descriptor loses nobody else's.
 */
#include "../support/process_fixture.h"

#include <sys/resource.h>

TestSuite(process_descriptors);

enum { BODY_MAX = 4 << 20, CHUNK = 6, ITEMS = 12, PAYLOAD = 1 << 20 };

struct block {
    int first;
    char filler[BODY_MAX];
    int last;
};

/* What came with item `number`. */
static bool is_payload_of(soon_buffer *buffer, int number)
{
    const int *data = soon_buffer_data(buffer);

    return soon_buffer_size(buffer) == PAYLOAD && data[0] == number && data[PAYLOAD / sizeof(int) - 1] == number;
}

static int give_payload(soon_task *task, int number)
{
    soon_buffer *buffer;
    int *data;

    if (soon_buffer_new(&buffer, PAYLOAD) < 0)
        return -ENOMEM;
    data = soon_buffer_data(buffer);
    data[0] = data[PAYLOAD / sizeof(int) - 1] = number;
    return soon_task_return_payload(task, buffer);
}

/* One in three has no payload, one in five fails. */
static bool has_payload(int number)
{
    return number % 3 != 0 && number % 5 != 0;
}

SOON_TASK(number_with_payload, int, int)
{
    *result = *arg;
    if (*arg % 5 == 0)
        return soon_raise(task, EDOM, "%d", *arg);
    return has_payload(*arg) ? give_payload(task, *arg) : 0;
}

SOON_TASK(block_with_payload, int, struct block)
{
    result->first = result->last = *arg;
    return has_payload(*arg) ? give_payload(task, *arg) : 0;
}

static int count_up(void *arg, void *data)
{
    int *next = data;

    if (*next == ITEMS)
        return 0;
    *(int *)arg = (*next)++;
    return 1;
}

static soon_imap *imap_of(soon_executor *pool, const soon_function *function, int *next)
{
    soon_imap *imap = NULL;

    *next = 0;
    cr_assert_eq(soon_imap_new(&imap, pool, function, &(soon_map_options){.chunk = CHUNK}, count_up, next), 0);
    return imap;
}

static soon_future *next_of(soon_imap *imap)
{
    soon_future *future = NULL;

    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
    return future;
}

static void assert_payload(soon_future *future, int number)
{
    soon_buffer *payload = soon_future_payload(future);

    cr_assert_eq(payload != NULL, has_payload(number), "item %d", number);
    cr_assert(!payload || is_payload_of(payload, number), "item %d", number);
}

Test(process_descriptors, that_items_of_a_chunk_return_are_each_their_own)
{
    soon_executor *pool = new_processes(.workers = 1);
    int next, result;
    soon_imap *imap = imap_of(pool, &number_with_payload_task, &next);

    for (int i = 0; i < ITEMS; i++) {
        soon_future *future = next_of(imap);

        cr_assert_eq(soon_result(future, &result), i % 5 ? 0 : SOON_ERAISED, "item %d: %s", i,
                     soon_future_error(future)->message);
        cr_assert(i % 5 == 0 || result == i);
        assert_payload(future, i);
        soon_future_unref(future);
    }
    soon_imap_free(imap);
    free_pool(pool);
}

Test(process_descriptors, for_result_and_payload_of_one_item_are_told_apart)
{
    soon_executor *pool = new_processes(.workers = 1);
    int next;
    soon_imap *imap = imap_of(pool, &block_with_payload_task, &next);

    for (int i = 0; i < ITEMS; i++) {
        soon_future *future = next_of(imap);
        soon_bytes bytes;

        cr_assert_eq(soon_future_result(future, SOON_FOREVER, &bytes), 0, "item %d: %s", i,
                     soon_future_error(future)->message);
        cr_assert_eq(((const struct block *)bytes.data)->first, i);
        cr_assert_eq(((const struct block *)bytes.data)->last, i);
        cr_assert_eq(soon_future_payload(future) != NULL, has_payload(i));
        cr_assert(!has_payload(i) || is_payload_of(soon_future_payload(future), i));
        soon_future_unref(future);
    }
    soon_imap_free(imap);
    free_pool(pool);
}

Test(process_descriptors, of_the_large_items_of_a_map_are_each_their_own)
{
    soon_executor *pool = new_processes(.workers = 2);
    struct block *results = malloc(ITEMS * sizeof *results);
    int numbers[ITEMS], errors[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        numbers[i] = i;
    cr_assert_eq(soon_map_with(pool, (.chunk = CHUNK), block_with_payload, numbers, ITEMS, results, errors), 0);
    for (int i = 0; i < ITEMS; i++) {
        cr_assert_eq(errors[i], 0, "item %d: %s", i, soon_strerror(errors[i]));
        cr_assert_eq(results[i].first, i);
        cr_assert_eq(results[i].last, i);
    }
    free(results);
    free_pool(pool);
}

/*
 * Without room for one
 */

static struct rlimit allowed;

static void allow_no_more_descriptors(void)
{
    struct rlimit none;

    getrlimit(RLIMIT_NOFILE, &allowed);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = allowed.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void allow_them_again(void)
{
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &allowed), 0);
}

struct turn {
    int number;
    struct gate gate;
};

SOON_TASK(payload_in_turn, struct turn, int)
{
    int rc = gate_pass(arg->gate, NULL);

    *result = arg->number;
    return rc < 0 ? rc : give_payload(task, arg->number);
}

struct turns {
    int next;
    struct gate gate;
};

static int take_turns(void *arg, void *data)
{
    struct turns *turns = data;

    if (turns->next == CHUNK)
        return 0;
    *(struct turn *)arg = (struct turn){turns->next++, turns->gate};
    return 1;
}

enum { LOST = 2 };

/* It ran, so it says that it began; those after it have their own. */
Test(process_descriptors, that_find_no_room_are_the_error_of_one_item)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct turns turns = {0, gate_new()};
    soon_imap *imap = NULL;

    cr_assert_eq(
        soon_imap_new(&imap, pool, &payload_in_turn_task, &(soon_map_options){.chunk = CHUNK}, take_turns, &turns), 0);
    gate_open(turns.gate, LOST);
    for (int i = 0; i < CHUNK; i++) {
        soon_future *future;

        if (i == LOST)
            allow_no_more_descriptors();
        if (i >= LOST)
            gate_open(turns.gate, 1);
        future = next_of(imap);
        if (i == LOST)
            allow_them_again();
        cr_assert_eq(soon_future_error(future)->code, i == LOST ? -EMFILE : 0, "item %d: %s", i,
                     soon_future_error(future)->message);
        cr_assert(soon_future_error(future)->started == (i == LOST));
        cr_assert(i == LOST || is_payload_of(soon_future_payload(future), i), "item %d", i);
        soon_future_unref(future);
    }
    soon_imap_free(imap);
    free_pool(pool);
    gate_free(turns.gate);
}

/* So large that it cannot travel but by a descriptor. */
SOON_TASK(payload_without_room, int, int)
{
    struct rlimit limit;
    soon_buffer *buffer;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = *arg ? 0 : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || soon_buffer_new(&buffer, BODY_MAX + 1) < 0)
        return -ENOMEM;
    *result = getpid();
    return soon_task_return_payload(task, buffer);
}

/* The task fails, its worker is in its right mind. */
Test(process_descriptors, that_a_worker_has_no_room_for_cost_it_that_result)
{
    soon_executor *pool = new_processes(.workers = 1);
    int pid = pid_of_one(pool), other;
    soon_future *future = soon_submit(pool, payload_without_room, 1);

    cr_assert_eq(soon_result(future, &other), -EMFILE, "%s", soon_future_error(future)->message);
    cr_assert(soon_future_error(future)->started);
    soon_future_unref(future);
    future = soon_submit(pool, payload_without_room, 0);
    cr_assert_eq(soon_result(future, &other), 0, "%s", soon_future_error(future)->message);
    cr_assert_eq(other, pid);
    soon_future_unref(future);
    free_pool(pool);
}

SOON_TASK(first_of_payload, int, int)
{
    soon_buffer *payload = soon_task_payload(task);

    *result = *(const int *)soon_buffer_data(payload);
    return is_payload_of(payload, *arg) ? soon_task_return_payload(task, soon_buffer_ref(payload)) : -EILSEQ;
}

/* A hundred large ones, and the program may have sixty-four: it can go on opening files, and send them all on. */
Test(process_descriptors, are_not_used_up_by_results_that_are_kept)
{
    enum { KEPT = 100, LIMIT = 64 };
    soon_executor *pool = new_processes(.workers = 1);
    soon_future *futures[KEPT], *again;
    struct rlimit limit;
    int number, pid = pid_of_one(pool), fd;

    cr_assert_gt(pid, 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, limit.rlim_max}), 0);
    for (int i = 0; i < KEPT; i++) {
        futures[i] = soon_submit(pool, number_with_payload, 15 * i + 1);
        cr_assert_eq(soon_result(futures[i], &number), 0, "%s", soon_future_error(futures[i])->message);
    }
    fd = open("/", O_PATH | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    close(fd);
    for (int i = 0; i < KEPT; i++) {
        again = soon_submit_with(pool, (.payload = soon_buffer_ref(soon_future_payload(futures[i]))), first_of_payload,
                                 15 * i + 1);
        cr_assert_eq(soon_result(again, &number), 0, "%s", soon_future_error(again)->message);
        cr_assert_eq(number, 15 * i + 1);
        cr_assert(is_payload_of(soon_future_payload(again), number));
        soon_future_unref(again);
    }
    soon_futures_unref(futures, KEPT);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    free_pool(pool);
}
