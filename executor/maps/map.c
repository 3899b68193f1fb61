/*
 * map.c - soon_map() and soon_map_async(): a map is made, submitted and waited for, and its results are handed out.
 *
 * Where arguments and results lie: M2, in arguments.c. How a map ends: map_state.c.
 */
#include "map_internal.h"

#include "../../futures/await_internal.h"
#include "../../futures/failed_internal.h"
#include "../core/progress_internal.h"
#include "map_chunk_internal.h"
#include "map_future_internal.h"
#include "map_options_internal.h"
#include "map_results_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Making one
 */

/* Returns how many chunks of `size` there are in `count`. The sum of both could overflow. */
static size_t chunks_of(size_t count, size_t size)
{
    return count / size + (count % size != 0);
}

static size_t choose_chunk(const struct soon__map_params *params)
{
    size_t calls, chunk = params->options.chunk;

    if (!soon__executor_takes_items(params->executor, params->function) || params->count == 0)
        return 1;
    if (chunk == 0) {
        calls = soon__map_default_calls(params->executor);
        chunk = chunks_of(params->count, calls);
    }
    return chunk < params->count ? chunk : params->count;
}

/* Finds the place of the results: M2. */
static int set_results(struct soon__map *map, const struct soon__map_params *params)
{
    size_t size = params->function->result_size;

    if (!size && !params->observed)
        return 0; /* not wanted */
    if (!size) {
        map->results.varied = calloc(params->count, sizeof *map->results.varied);
        return map->results.varied ? 0 : -ENOMEM;
    }
    map->results.are_own = !params->results || soon__map_outlives_caller(params);
    map->results.array = map->results.are_own ? calloc(params->count, size) : params->results;
    return map->results.array ? 0 : -ENOMEM;
}

static int make_chunks(struct soon__map *map, const struct soon__map_params *params)
{
    const char *args;
    int rc = 0;

    if (params->count == 0)
        return 0;
    map->chunks = calloc(chunks_of(params->count, map->chunk_size), sizeof *map->chunks);
    rc = map->chunks ? soon__map_set_args(map, params) : -ENOMEM;
    if (rc == 0)
        rc = set_results(map, params);
    if (rc < 0)
        return rc;
    args = map->args.array ? map->args.array : params->args;
    for (size_t first = 0; first < params->count; first += map->chunk_size) {
        size_t left = params->count - first;

        soon__chunk_init(&map->chunks[map->chunk_count++], map, first, left < map->chunk_size ? left : map->chunk_size,
                         args);
    }
    return 0;
}

/* Registers on_progress. That is before anything is submitted, so it hears of the last progress in any case. */
static int set_on_progress(struct soon__map *map, const soon_map_options *o)
{
    const struct soon__progress_request request = {.loop = o->on_progress_loop,
                                                   .every_ms = o->progress_every_ms,
                                                   .fn = o->on_progress,
                                                   .data = o->on_progress_data};

    return o->on_progress ? soon__progress_listen(&map->future, &request) : 0;
}

static void set_task(struct soon__map *map, const struct soon__map_params *params)
{
    int64_t timeout_ms = params->options.timeout_ms;

    map->function = params->function;
    map->count = params->count;
    map->chunk_size = choose_chunk(params);
    map->deadline = timeout_ms ? soon__deadline(timeout_ms) : SOON__NEVER;
    map->stop_at_error = params->options.stop_at_error;
    map->observed = params->observed;
    map->can_be_killed = params->executor->klass.public.kill != NULL;
}

/* Sets `*ret` to a map with two references: of the reader and of the library. Returns 0 or why not. */
static int map_new(struct soon__map **ret, const struct soon__map_params *params)
{
    const soon_submit_options *each = params->options.each;
    struct soon__map *map = soon__map_alloc(each && each->label ? each->label : "", params->executor->klass.refresh);
    int rc;

    if (!map)
        return -ENOMEM;
    set_task(map, params);
    rc = set_on_progress(map, &params->options);
    if (rc == 0)
        rc = make_chunks(map, params);
    if (rc < 0) {
        soon__future_unref(&map->future);
        soon_future_unref(&map->future);
        return rc;
    }
    atomic_init(&map->left, map->chunk_count + 1);
    *ret = map;
    return 0;
}

/* Limits how long a call waits for a place in the queue, and in the queue: no longer than the whole map may take. */
static void limit_queue(soon_submit_options *each, const struct soon__map_params *params, int64_t deadline)
{
    int64_t left_ms = (deadline - soon__clock_ns()) / 1000000 + 1;
    soon_full full = each->when_full ? each->when_full : params->executor->when_full;

    if (left_ms > 0 && (each->queue_limit_ms == 0 || left_ms < each->queue_limit_ms))
        each->queue_limit_ms = left_ms;
    if (full == SOON_FULL_RUN_HERE && !params->observed)
        each->when_full = SOON_FULL_BLOCK; /* an item that runs here could not be left behind */
}

static void submit(struct soon__map *map, const struct soon__map_params *params)
{
    for (size_t i = 0; i < map->chunk_count; i++) {
        soon_submit_options each = params->options.each ? *params->options.each : (soon_submit_options){0};

        if (map->deadline != SOON__NEVER)
            limit_queue(&each, params, map->deadline);
        soon__chunk_submit(&map->chunks[i], params->executor,
                           params->options.each || each.queue_limit_ms ? &each : NULL);
    }
    soon__map_leave(map);
}

/* Makes and submits a map. Returns 0, -EINVAL, SOON_EFORKED or -ENOMEM. Takes the arguments, except with -EINVAL. */
static int start(struct soon__map **ret, struct soon__map_params *params, const void *options, size_t options_size)
{
    int rc = soon__options_read(&params->options, sizeof params->options, options, options_size);

    if (rc == 0)
        rc = soon__map_check(params);
    if (rc == -EINVAL)
        return rc;
    if (rc == 0)
        rc = map_new(ret, params);
    if (rc < 0) {
        soon__map_release_args(params);
        return rc;
    }
    submit(*ret, params);
    if (params->options.on_progress)
        soon__progress_start(&(*ret)->future);
    return 0;
}

/*
 * soon_map
 */

static int await_all(struct soon__map *map)
{
    for (size_t i = 0; i < map->chunk_count; i++) {
        soon_future *call = atomic_load_explicit(&map->chunks[i].batch.call,
                                                 memory_order_relaxed); /* relaxed: this thread has stored it */
        int rc = call ? soon__future_await(call, map->deadline) : 0;

        if (rc < 0)
            return rc;
    }
    return soon__future_await(&map->future, map->deadline);
}

struct failures_out {
    size_t first;
    int *errors;
};

static void give_failure(size_t index, struct soon__error *error, void *data)
{
    struct failures_out *out = data;

    out->errors[out->first + index] = error->public.code;
}

/* Copies the first `given` results of a chunk to the caller's array, zeroes for the others. */
static void give_results(struct soon__chunk *chunk, size_t first, size_t given, char *results)
{
    size_t size = chunk->batch.function->result_size, count = chunk->batch.items.count;

    memcpy(results + first * size, chunk->batch.items.results, given * size);
    memset(results + (first + given) * size, 0, (count - given) * size);
    chunk->given = given;
}

/* Runs the user code that the end of a chunk has left to soon_map(), which must not return before that. */
static void release_what_is_left(struct soon__map *map, struct soon__chunk *chunk, bool results_are_wanted)
{
    soon__chunk_release(chunk);
    if (map->results.are_own && !results_are_wanted)
        soon__chunk_free_results(chunk);
}

/* Gives the caller what has its outcome. `late` is the code of every other item; 0: all have ended. */
static void give(struct soon__map *map, void *results, int *errors, int late)
{
    for (size_t i = 0; i < map->chunk_count; i++) {
        struct soon__chunk *chunk = &map->chunks[i];
        struct failures_out out = {.first = i * map->chunk_size, .errors = errors};
        /* Acquire: pairs with the release in set_finished(). */
        size_t given = atomic_load_explicit(&chunk->finished, memory_order_acquire);

        if (results && map->results.are_own)
            give_results(chunk, out.first, given, results);
        for (size_t j = 0; errors && j < chunk->batch.items.count; j++)
            errors[out.first + j] = j < given ? 0 : late;
        if (errors)
            soon__chunk_each_failure(chunk, given, give_failure, &out);
        if (late == 0)
            release_what_is_left(map, chunk, results != NULL);
    }
}

int soon__map_run(struct soon__map_params *params, const void *options, size_t options_size)
{
    struct soon__error *error;
    struct soon__map *map;
    int rc = start(&map, params, options, options_size);

    if (rc < 0)
        return soon__failed(rc, params->caller);
    rc = await_all(map);
    give(map, params->results, params->errors, rc);
    if (rc < 0) {
        soon__map_stop(map); /* after that, so that what is cancelled now has got `rc` as its error */
        (void)soon__failed(rc, params->caller);
    } else {
        error = soon__future_failure(&map->future);
        rc = error ? soon__failed_with(soon__error_ref(error)) : 0;
    }
    soon_future_unref(&map->future);
    return rc;
}

int soon_map_bytes(soon_executor *executor, const soon_function *function, const void *args, size_t count,
                   void *results, int *errors, const soon_map_options *options, size_t options_size)
{
    struct soon__map_params params = {.caller = "soon_map",
                                      .executor = executor,
                                      .function = function,
                                      .args = args,
                                      .count = count,
                                      .results = results,
                                      .errors = errors};

    return soon__map_run(&params, options, options_size);
}

/*
 * soon_map_async
 */

soon_future *soon__map_begin(struct soon__map_params *params, const void *options, size_t options_size)
{
    const soon_function *function = params->function;
    struct soon__map *map;
    int rc;

    params->observed = true;
    rc = start(&map, params, options, options_size);
    if (rc < 0)
        return soon__future_new_failed(rc, params->caller, function ? function->name : NULL, NULL, NULL);
    return &map->future;
}

soon_future *soon_map_async_bytes(soon_executor *executor, const soon_function *function, const void *args,
                                  size_t count, const soon_map_options *options, size_t options_size)
{
    struct soon__map_params params = {
        .caller = "soon_map_async", .executor = executor, .function = function, .args = args, .count = count};

    return soon__map_begin(&params, options, options_size);
}
