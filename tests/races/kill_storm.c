/*
 * kill_storm.c - a killer picks a worker every few milliseconds, whatever that is doing, while tasks of every kind go
 * through the pool. Each future ends exactly once and is accounted for; what is left behind is looked for at the end.
 *
 * SOON_STORM_SECONDS in the environment: for so long, instead of so many tasks.
 */
#include "storm_fixture.h"

enum { TASKS = 100000, SUBMITTERS = 2, WINDOW = 256, ITEMS = 40, LARGE = 2 << 20 };

TestSuite(kill_storm, .timeout = 3000);

static soon_executor *pool;
static uint64_t tasks_each;      /* submitter */
static _Atomic uint64_t seen[5]; /* successes, deaths, kills, limits, cancelled */

/* What a byte of a value is: any other value's differ. */
static unsigned char byte_of(uint64_t seed, size_t at)
{
    return (unsigned char)((seed + at / 97 * 3 + at) * 0x9e3779b97f4a7c15u >> 56);
}

static void fill(void *to, size_t size, uint64_t seed)
{
    for (size_t at = 0; at<size; at += size> 4096 ? 61 : 1)
        ((unsigned char *)to)[at] = byte_of(seed, at);
}

static bool is_filled(const void *from, size_t size, uint64_t seed)
{
    for (size_t at = 0; at<size; at += size> 4096 ? 61 : 1) {
        if (((const unsigned char *)from)[at] != byte_of(seed, at))
            return false;
    }
    return true;
}

/*
 * Tasks
 */

struct sum {
    uint64_t a, b;
};

SOON_TASK(add, struct sum, uint64_t)
{
    *result = arg->a + arg->b;
    return 0;
}

/* Gives back its argument, which is {seed, then bytes of it}, one seed further; its payload, if it has one, too. */
SOON_TASK_BYTES(pass_on)
{
    uint64_t seed = *(const uint64_t *)arg.data;
    soon_buffer *payload = soon_task_payload(task), *copy;
    unsigned char *space = soon_task_return_space(task, arg.size);

    if (!space || !is_filled((const char *)arg.data + 8, arg.size - 8, seed))
        return space ? EILSEQ : ENOMEM;
    *(uint64_t *)space = ++seed;
    fill(space + 8, arg.size - 8, seed);
    if (!payload)
        return 0;
    if (!is_filled(soon_buffer_data(payload), soon_buffer_size(payload), seed - 1))
        return EILSEQ;
    if (soon_buffer_new(&copy, soon_buffer_size(payload)) < 0)
        return ENOMEM;
    fill(soon_buffer_data(copy), soon_buffer_size(copy), seed);
    return soon_task_return_payload(task, copy);
}

SOON_TASK(nap, int, int)
{
    nanosleep(&(struct timespec){.tv_nsec = *arg * 1000L}, NULL);
    *result = -*arg;
    return 0;
}

/*
 * One of each kind: submitted, then checked
 */

struct one {
    soon_future *future;
    const struct kind *kind;
    uint64_t seed;
    size_t size, payload_size;
    _Atomic int ended; /* times */
};

struct kind {
    const char *name;
    unsigned weight;
    void (*submit)(struct one *one, unsigned *seed, soon_submit_options *options);
    void (*check)(const struct one *one); /* of a success */
    int allowed;                          /* to fail with, besides a worker's death */
};

static void submit_add(struct one *one, unsigned *seed, soon_submit_options *options)
{
    (void)seed;
    one->future = add_submit(pool, &(struct sum){one->seed, 5}, options);
}

static void check_add(const struct one *one)
{
    uint64_t sum;

    cr_assert_eq(soon_result(one->future, &sum), 0);
    cr_assert_eq(sum, one->seed + 5);
}

static void submit_bytes(struct one *one, unsigned *seed, soon_submit_options *options)
{
    unsigned char *bytes = calloc(1, one->size);

    (void)seed;
    memcpy(bytes, &one->seed, 8);
    fill(bytes + 8, one->size - 8, one->seed);
    if (one->payload_size) {
        cr_assert_eq(soon_buffer_new(&options->payload, one->payload_size), 0);
        fill(soon_buffer_data(options->payload), one->payload_size, one->seed);
    }
    one->future = pass_on_submit(pool, bytes, one->size, options);
    free(bytes);
}

static void submit_small_bytes(struct one *one, unsigned *seed, soon_submit_options *options)
{
    one->size = 8 + dice(seed, 300);
    submit_bytes(one, seed, options);
}

static void submit_medium_bytes(struct one *one, unsigned *seed, soon_submit_options *options)
{
    one->size = 8 + dice(seed, 100000);
    one->payload_size = dice(seed, 2) ? 0 : 1 + dice(seed, 50000);
    submit_bytes(one, seed, options);
}

static void submit_large_bytes(struct one *one, unsigned *seed, soon_submit_options *options)
{
    one->size = LARGE / 2 + dice(seed, LARGE * 2);
    one->payload_size = dice(seed, 2) ? 0 : LARGE / 2 + dice(seed, LARGE * 2);
    submit_bytes(one, seed, options);
}

static void check_bytes(const struct one *one)
{
    soon_buffer *payload = soon_future_payload(one->future);
    uint64_t seed;
    soon_bytes got;

    cr_assert_eq(soon_future_result(one->future, 0, &got), 0);
    cr_assert_eq(got.size, one->size);
    memcpy(&seed, got.data, 8);
    cr_assert_eq(seed, one->seed + 1);
    cr_assert(is_filled((const char *)got.data + 8, got.size - 8, seed));
    cr_assert_eq(payload != NULL, one->payload_size > 0);
    if (payload)
        cr_assert(soon_buffer_size(payload) == one->payload_size &&
                  is_filled(soon_buffer_data(payload), one->payload_size, seed));
}

static void submit_map(struct one *one, unsigned *seed, soon_submit_options *options)
{
    struct sum sums[ITEMS];
    soon_submit_options each = {.retries = options->retries};

    for (size_t i = 0; i < ITEMS; i++)
        sums[i] = (struct sum){one->seed, i};
    one->ended = 1; /* no on_done here */
    one->future = soon_map_async_with(pool, (.chunk = 1 + dice(seed, 15), .each = &each), add, sums, ITEMS);
}

static void check_map_item(const struct one *one, size_t index)
{
    const soon_error *error = soon_map_item_error(one->future, index);
    uint64_t sum;

    if (error && error->code) {
        cr_assert_eq(error->code, SOON_EWORKERDIED, "%s", error->message);
        cr_assert(storm_has_hit(error->worker_pid));
        return;
    }
    cr_assert_eq(soon_map_item(one->future, index, 0, &sum, sizeof sum), 0);
    cr_assert_eq(sum, one->seed + index);
}

static void check_map(const struct one *one)
{
    for (size_t i = 0; i < ITEMS; i++)
        check_map_item(one, i);
}

static void submit_nap(struct one *one, unsigned *seed, soon_submit_options *options)
{
    one->size = dice(seed, 500);
    one->future = nap_submit(pool, &(int){(int)one->size}, options);
}

static void check_nap(const struct one *one)
{
    int slept;

    cr_assert_eq(soon_result(one->future, &slept), 0);
    cr_assert_eq(slept, -(int)one->size);
}

static void submit_to_cancel(struct one *one, unsigned *seed, soon_submit_options *options)
{
    submit_medium_bytes(one, seed, options);
    for (volatile unsigned spins = dice(seed, 20000); spins; spins--)
        continue;
    (void)soon_future_cancel(one->future);
}

static void submit_to_kill(struct one *one, unsigned *seed, soon_submit_options *options)
{
    (void)seed;
    options->retries = 0; /* else it would hang again */
    one->future = hang_submit(pool, NULL, options);
}

static void submit_limited(struct one *one, unsigned *seed, soon_submit_options *options)
{
    options->time_limit_ms = 1 + dice(seed, 5);
    options->retries = 0;
    one->future = dice(seed, 2) ? hang_submit(pool, NULL, options) : nap_submit(pool, &(int){2000}, options);
    one->size = 2000;
}

static void never(const struct one *one)
{
    cr_assert_fail("%s cannot succeed", one->kind->name);
}

static void check_limited(const struct one *one)
{
    int slept;

    cr_assert_eq(soon_result(one->future, &slept), 0); /* of a nap */
    cr_assert_eq(slept, -2000);
}

static const struct kind kinds[] = {
    {"add", 800, submit_add, check_add, 0},
    {"small bytes", 120, submit_small_bytes, check_bytes, 0},
    {"medium bytes", 20, submit_medium_bytes, check_bytes, 0},
    {"large bytes", 2, submit_large_bytes, check_bytes, 0},
    {"map", 10, submit_map, check_map, 0},
    {"nap", 40, submit_nap, check_nap, 0},
    {"cancel", 10, submit_to_cancel, check_bytes, -ECANCELED},
    {"kill", 1, submit_to_kill, never, SOON_EKILLED},
    {"time limit", 1, submit_limited, check_limited, SOON_ETIMELIMIT},
};

static const struct kind *choose(unsigned *seed)
{
    unsigned total = 0, number;
    size_t i = 0;

    for (size_t k = 0; k < COUNT(kinds); k++)
        total += kinds[k].weight;
    for (number = dice(seed, total); number >= kinds[i].weight; i++)
        number -= kinds[i].weight;
    return &kinds[i];
}

static void count_end(soon_future *future, void *data)
{
    (void)future;
    ((struct one *)data)->ended++;
}

static void submit(struct one *one, uint64_t number, unsigned *seed)
{
    soon_submit_options options = {.on_done = count_end, .on_done_data = one};

    *one = (struct one){.kind = choose(seed), .seed = number * 1000};
    options.retries = dice(seed, 10) == 0 ? 2 : 0;
    options.priority = dice(seed, 50) == 0;
    one->kind->submit(one, seed, &options);
}

static void check_failure(const struct one *one, const soon_error *error)
{
    if (error->code == SOON_EWORKERDIED) {
        cr_assert(storm_has_hit(error->worker_pid), "%s: %s", one->kind->name, error->message);
        cr_assert_eq(error->worker_signal, SIGKILL, "%s: %s", one->kind->name, error->message);
        seen[1]++;
        return;
    }
    cr_assert(one->kind->allowed, "%s: %s", one->kind->name, error->message);
    cr_assert_eq(error->code, one->kind->allowed, "%s: %s", one->kind->name, error->message);
    seen[error->code == SOON_EKILLED ? 2 : error->code == SOON_ETIMELIMIT ? 3 : 4]++;
}

static void kill_when_it_runs(const struct one *one)
{
    while (!soon_future_done(one->future) && (!soon_future_running(one->future) || soon_future_kill(one->future) < 0))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void check(struct one *one)
{
    const soon_error *error;

    if (one->kind->submit == submit_to_kill)
        kill_when_it_runs(one);
    cr_assert_eq(soon_future_wait(one->future, SOON_FOREVER), 0);
    error = soon_future_error(one->future);
    if (one->kind->submit == submit_map)
        check_map(one);
    else if (error->code)
        check_failure(one, error);
    else
        one->kind->check(one);
    seen[0] += error->code == 0;
    test_wait_until(one->ended > 0); /* the callback may come a moment later */
    storm_task_ended();
    soon_future_unref(one->future);
}

/*
 * The storm
 */

static void *submit_and_check(void *data)
{
    unsigned seed = 99 + 7 * (unsigned)(uintptr_t)data;
    struct one *window = calloc(WINDOW, sizeof *window);
    uint64_t count = 0;

    while (storm_goes_on(count, tasks_each) || !seen[1]) { /* where the blows are few, until one has told */
        struct one *one = &window[count % WINDOW];

        if (count >= WINDOW)
            check(one);
        submit(one, ++count, &seed);
    }
    for (uint64_t i = 0; i < WINDOW && i < count; i++)
        check(&window[i]);
    for (uint64_t i = 0; i < WINDOW && i < count; i++)
        cr_assert_eq(window[i].ended, 1);
    free(window);
    return (void *)(uintptr_t)count;
}

static void weather(const struct storm *storm, uint64_t count_each, int max_restarts)
{
    pthread_t threads[SUBMITTERS];
    size_t mappings = storm_count_mappings(), tasks = 0;
    void *count;

    tasks_each = count_each;
    pool = new_processes(.workers = 4, .max_restarts = max_restarts, .grace_ms = 50);
    storm_begin(storm);
    for (size_t i = 0; i < SUBMITTERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, submit_and_check, (void *)i), 0);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        pthread_join(threads[i], &count);
        tasks += (uintptr_t)count;
    }
    storm_end();
    soon_stats stats = stats_of(pool);
    free_pool(pool);

    fprintf(stderr,
            "%zu tasks, %zu blows: %llu succeeded, %llu died, %llu killed, %llu over their limit, %llu cancelled; "
            "%llu deaths\n",
            tasks, storm_blows(), (unsigned long long)seen[0], (unsigned long long)seen[1], (unsigned long long)seen[2],
            (unsigned long long)seen[3], (unsigned long long)seen[4], (unsigned long long)stats.worker_deaths);
    cr_assert_gt(seen[1], 0);
    cr_assert_gt(seen[0], tasks / 2);
    assert_no_leaks(); /* children too */
    cr_assert_eq(storm_count_mappings(), mappings);
}

Test(kill_storm, of_sigkill_loses_nothing_but_what_ran)
{
    weather(&(struct storm){.pause_us = 4000}, TASKS / SUBMITTERS, -1);
}

/* A worker that stands still answers late, cannot end by SIGTERM, and has its socket fill up. */
Test(kill_storm, of_workers_that_stand_still_loses_nothing_either)
{
    weather(&(struct storm){.pause_us = 4000, .stop_us = 3000}, TASKS / SUBMITTERS / 4, -1);
}

/* Who kills workers from outside, before they are ready too, breaks no pool. */
Test(kill_storm, of_sigkill_breaks_no_pool_of_default_limits)
{
    weather(&(struct storm){.pause_us = 4000}, TASKS / SUBMITTERS / 4, 0);
}
