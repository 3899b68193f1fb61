/*
 * map.c - soon_map() and soon_map_async(): one function over an array of arguments.
 *
 *     submit every chunk --> chunks end, one by one --> the last one that leaves completes the map's future
 *
 * M1  The library holds one reference of the map until its last chunk, and who submits them, have left.
 * M2  Arguments and results lie in the map's own memory wherever somebody may return before every call has ended: in a
 *     map_async, with a timeout, and in a worker, whose wait may end with SOON_EDEADLK. Else they are the caller's.
 * M3  The map fails with the first error in input order that was not its own doing. What it stopped itself, for
 *     stop_at_error or a cancel, counts only if there is no other.
 * M4  Completing a map allocates nothing.
 */
#include "../../futures/slab_internal.h"
#include "map_internal.h"

#include "../core/progress_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * The map's future
 */

static struct soon__map *of_future(const soon_future *future)
{
    return (struct soon__map *)future;
}

void soon__map_stop(struct soon__map *map)
{
    /* Sequentially consistent, all: see soon__chunk_submit(). */
    if (atomic_exchange_explicit(&map->stopped, 1, memory_order_seq_cst))
        return;
    /* What is pending first, or it would start as what runs gives in. */
    for (size_t i = map->chunk_count; i-- > 0;) {
        soon_future *future = atomic_load_explicit(&map->chunks[i].future, memory_order_seq_cst);

        if (future)
            soon_future_cancel(future);
    }
}

/* Relaxed, all: every chunk has left. */
static bool has_begun(const struct soon__chunk *chunk)
{
    return atomic_load_explicit(&chunk->rest, memory_order_relaxed) > 0 || chunk->items.begun > 0;
}

/* M3. A reference, or NULL. `*ret_stopped`: the map has stopped some of its items, and nothing else is the matter. It says
 * that the map has begun if any item has, whatever it is of. */
static struct soon__error *first_error(struct soon__map *map, bool *ret_stopped)
{
    struct soon__error *own = NULL;
    bool stopped = false, begun = false;

    for (size_t i = 0; i < map->chunk_count; i++) {
        struct soon__chunk *chunk = &map->chunks[i];

        own = own ? own : chunk->first_own;
        stopped |= atomic_load_explicit(&chunk->failed, memory_order_relaxed) > 0;
        begun |= has_begun(chunk);
    }
    *ret_stopped = stopped && !own;
    if (own)
        return begun ? soon__error_as_started(soon__error_ref(own)) : soon__error_ref(own);
    if (!stopped)
        return NULL;
    return soon__error_ref(begun ? &soon__error_cancelled_running : &soon__error_cancelled);
}

static void complete(struct soon__map *map)
{
    soon_future *future = &map->future;
    bool stopped = false, asked = soon__future_word(future) & SOON__CANCEL_REQUESTED;
    struct soon__error *error = first_error(map, &stopped);

    if (error)
        soon__future_end(future, stopped && asked ? SOON__CANCELLED : SOON__FINISHED, error);
    else if (soon__future_claim(future))
        soon__future_publish_bytes(future, map->results, map->count * map->function->result_size, 0);
    if (!map->observed)
        soon__future_failure(future); /* soon_map() tells its caller itself */
    soon__future_unref(future);
}

void soon__map_leave(struct soon__map *map)
{
    /* Acquire-release: the last one sees what every other has left behind. */
    if (atomic_fetch_sub_explicit(&map->left, 1, memory_order_acq_rel) == 1)
        complete(map);
}

static size_t size_with(const char *label)
{
    return sizeof(struct soon__map) + strlen(label) + 1;
}

static void destroy(soon_future *future)
{
    struct soon__map *map = of_future(future);
    bool taken = soon__future_word(future) & SOON__TAKEN;

    soon__future_fini(future);
    for (size_t i = 0; i < map->chunk_count; i++)
        soon__chunk_fini(&map->chunks[i], (map->own_results || map->varied) && !taken);
    free(map->chunks);
    free(map->own_args);
    free(map->each);
    soon__store_fini(&map->store);
    free(map->own_results);
    free(map->varied);
    soon__block_free(map, size_with(map->label));
}

/* Its calls know what has begun: it is cancelled when they are, all of them, which may be at once. */
static bool take_back(soon_future *future, void *owner)
{
    (void)future;
    (void)owner;
    return false;
}

static void cancelled(soon_future *future, void *owner, bool taken)
{
    struct soon__map *map = of_future(future);

    (void)owner;
    (void)taken;
    soon__map_stop(map);
    soon__map_ring(map); /* an item of a map that is cancelled has its outcome */
}

/* Each worker that runs an item of it; what has not started is cancelled. Where its executor cannot, nothing is done. */
static int kill_map(soon_future *future, void *owner)
{
    struct soon__map *map = of_future(future);
    int rc = SOON_EINVALIDSTATE;

    (void)owner;
    if (!map->can_be_killed)
        return -ENOTSUP;
    soon__future_set_bits(future, SOON__CANCEL_REQUESTED); /* if nothing is there to be killed, it ends CANCELLED */
    /* Relaxed: who finds a call killed finds this. Not stopped: the outcome of an item that is killed counts. */
    atomic_store_explicit(&map->killed, 1, memory_order_relaxed);
    /* What is pending first, or it would start in the place of what is killed. */
    for (size_t i = map->chunk_count; i-- > 0;) {
        /* Acquire: pairs with the store in soon__chunk_submit(). */
        soon_future *call = atomic_load_explicit(&map->chunks[i].future, memory_order_acquire);

        if (call && soon_future_kill(call) == 0) /* else it has ended */
            rc = 0;
    }
    return rc;
}

/* Of the first chunk that has not ended; NULL: none. */
static soon_future *unfinished_call(struct soon__map *map)
{
    /* Relaxed: chunks before it have ended, for good. */
    size_t first = atomic_load_explicit(&map->first_unfinished, memory_order_relaxed);
    soon_future *call = NULL;

    for (; first < map->chunk_count; first++) {
        call = atomic_load_explicit(&map->chunks[first].future, memory_order_acquire);
        if (call && !soon__word_final(soon__future_word(call)))
            break;
        call = NULL;
    }
    atomic_store_explicit(&map->first_unfinished, first, memory_order_relaxed);
    return call;
}

/* A call of it that this thread is in the middle of, or that is still to be done. */
static soon_future *source(const soon_future *future)
{
    for (struct soon__frame *frame = soon__thread_self()->frames; frame; frame = frame->below) {
        struct soon__chunk *chunk = frame->future ? soon__chunk_of(frame->future) : NULL;

        if (chunk && &chunk->map->future == future)
            return (soon_future *)frame->future;
    }
    return unfinished_call(of_future(future));
}

bool soon__help_pending(soon_future *call)
{
    struct soon__thread *self = soon__thread_self();
    int rc = 0;

    if (soon_future_state(call) != SOON_PENDING)
        return false;
    if (call->class->help && call->class->help(call))
        return true;
    if (self->parking) {
        rc = self->parking->help(self->worker, call, true); /* it does not sleep */
        if (rc == 0)
            self->parking->unparked(self->worker); /* it is not this call that the thread is going to sleep for */
    }
    return rc > 0;
}

/* A worker that waits for the map runs its pending calls. */
static int help(soon_future *future)
{
    soon_future *call = source(future);

    return call && soon__help_pending(call);
}

enum { LOOK_AT_MAX = 64 };

/* It runs when one of its calls does: the first ones that have not ended know. */
static void look(soon_future *future, void *owner)
{
    struct soon__map *map = of_future(future);
    size_t first = atomic_load_explicit(&map->first_unfinished, memory_order_relaxed);

    (void)owner;
    for (size_t i = first; i < map->chunk_count && i - first < LOOK_AT_MAX; i++) {
        soon_future *call = atomic_load_explicit(&map->chunks[i].future, memory_order_acquire);

        if (call && call->class->look && soon_future_state(call) == SOON_RUNNING) {
            soon__future_start(future);
            return;
        }
    }
}

static soon_progress progress(const soon_future *future)
{
    size_t done, failed;

    soon__map_count_items(of_future(future), &done, &failed);
    return (soon_progress){.done = done, .total = of_future(future)->count};
}

static const char *label(const soon_future *future)
{
    return of_future(future)->label;
}

#define MAP_CLASS                                                                                                      \
    .destroy = destroy, .cancelled = cancelled, .kill = kill_map, .help = help, .source = source, .look = look,        \
    .progress = progress, .label = label
static const struct soon__class map_class = {MAP_CLASS};
/* Of an executor whose calls begin without a word to their items: those know it, and the map does not. */
static const struct soon__class remote_class = {MAP_CLASS, .take_back = take_back};

struct soon__map *soon__map_of(const soon_future *future)
{
    return future && (future->class == &map_class || future->class == &remote_class) ? of_future(future) : NULL;
}

/*
 * Making one
 */

/* How many chunks of `size` there are in `count`; not by a sum, which could overflow. */
static size_t chunks_of(size_t count, size_t size)
{
    return count / size + (count % size != 0);
}

static size_t choose_chunk(const struct soon__map_params *params)
{
    const struct soon__executor_extra *extra = params->executor->extra;
    size_t calls, chunk = params->options.chunk;

    if (!extra || !extra->takes_items || params->count == 0)
        return 1;
    if (chunk == 0) {
        calls = soon__map_calls(params->executor);
        chunk = chunks_of(params->count, calls);
    }
    return chunk < params->count ? chunk : params->count;
}

/* M2. */
static int own_results(struct soon__map *map, const struct soon__map_params *params)
{
    size_t size = params->function->result_size;

    if (!size && !params->observed)
        return 0; /* not wanted */
    if (!size) {
        map->varied = calloc(params->count, sizeof *map->varied);
        return map->varied ? 0 : -ENOMEM;
    }
    if (!params->results || soon__map_outlives_caller(params)) {
        map->own_results = calloc(params->count, size);
        map->results = map->own_results;
    } else {
        map->results = params->results;
    }
    return map->results ? 0 : -ENOMEM;
}

static int map_fill(struct soon__map *map, const struct soon__map_params *params)
{
    const char *args;
    int rc = 0;

    if (params->count == 0)
        return 0;
    map->chunks = calloc(chunks_of(params->count, map->chunk_size), sizeof *map->chunks);
    rc = map->chunks ? soon__map_own_args(map, params) : -ENOMEM;
    if (rc == 0)
        rc = own_results(map, params);
    if (rc < 0)
        return rc;
    args = map->own_args ? map->own_args : params->args;
    for (size_t first = 0; first < params->count; first += map->chunk_size) {
        size_t left = params->count - first;

        soon__chunk_init(&map->chunks[map->chunk_count++], map, first, left < map->chunk_size ? left : map->chunk_size,
                         args);
    }
    return 0;
}

/* Before anything is submitted: what is the last then is told in any case. */
static int set_on_progress(struct soon__map *map, const soon_map_options *o)
{
    const struct soon__progress_request request = {.loop = o->on_progress_loop,
                                                   .every_ms = o->progress_every_ms,
                                                   .fn = o->on_progress,
                                                   .data = o->on_progress_data};

    return o->on_progress ? soon__progress_listen(&map->future, &request) : 0;
}

/* References: one of the reader, one of the library. 0, -ENOMEM, or what on_progress was refused with. */
static int map_new(struct soon__map **ret, const struct soon__map_params *params)
{
    const char *text = params->options.each && params->options.each->label ? params->options.each->label : "";
    int64_t timeout_ms = params->options.timeout_ms;
    const struct soon__executor_extra *extra = params->executor->extra;
    struct soon__map *map = soon__block_new(size_with(text));
    int rc;

    if (!map)
        return -ENOMEM;
    *map = (struct soon__map){.function = params->function,
                              .count = params->count,
                              .chunk_size = choose_chunk(params),
                              .deadline = timeout_ms ? soon__deadline(timeout_ms) : SOON__NEVER,
                              .stop_at_error = params->options.stop_at_error,
                              .observed = params->observed,
                              .can_be_killed = params->executor->klass.kill != NULL};
    strcpy(map->label, text);
    soon__future_init(&map->future, extra && extra->look ? &remote_class : &map_class, 1, 1);
    rc = set_on_progress(map, &params->options);
    if (rc == 0)
        rc = map_fill(map, params);
    if (rc < 0) {
        soon__future_unref(&map->future);
        soon_future_unref(&map->future);
        return rc;
    }
    atomic_init(&map->left, map->chunk_count + 1);
    *ret = map;
    return 0;
}

/* A call need not wait for its place and its turn for longer than the whole may take. */
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

/* 0, -EINVAL, SOON_EFORKED, -ENOMEM; the arguments are taken, but with -EINVAL. */
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
        soon_future *future =
            atomic_load_explicit(&map->chunks[i].future, memory_order_relaxed); /* this thread's own */
        int rc = future ? soon__future_await(future, map->deadline) : 0;

        if (rc < 0)
            return rc;
    }
    return soon__future_await(&map->future, map->deadline);
}

struct failures_out {
    const struct soon__map *map;
    size_t first;
    int *errors;
};

static void give_failure(size_t index, struct soon__error *error, void *data)
{
    struct failures_out *out = data;

    if (out->errors)
        out->errors[out->first + index] = error->public.code;
}

/* What has its outcome is given to the caller; `late` is the code of all else. */
static void give(struct soon__map *map, void *results, int *errors, int late)
{
    size_t size = map->function->result_size, given;

    for (size_t i = 0; i < map->chunk_count; i++) {
        struct soon__chunk *chunk = &map->chunks[i];
        struct failures_out out = {.map = map, .first = i * map->chunk_size, .errors = errors};

        /* Acquire: pairs with the release in set_finished(). */
        given = atomic_load_explicit(&chunk->finished, memory_order_acquire);
        if (results && map->own_results) {
            memcpy((char *)results + out.first * size, chunk->items.results, given * size);
            memset((char *)results + (out.first + given) * size, 0, (chunk->items.count - given) * size);
            chunk->given = given;
        }
        for (size_t j = 0; errors && j < chunk->items.count; j++)
            errors[out.first + j] = j < given ? 0 : late;
        soon__chunk_each_failure(chunk, given, give_failure, &out);
        if (late == 0) { /* all has ended: user code that is due runs before we return, and here */
            soon__chunk_release(chunk);
            if (map->own_results && !results)
                soon__chunk_free_results(chunk);
        }
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
        soon__map_stop(map); /* afterwards, so that it is `rc` what was cancelled has as its error */
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
