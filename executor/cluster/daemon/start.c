/*
 * start.c - what a workload says, as a submit or as a map of one chunk.
 *
 * The workload lies in the connection's memory, which is lent for the call: a submit copies all of it. Payloads become
 * buffers, and results of `after` futures that are done.
 */
#include "start_internal.h"

#include "../../../futures/promise.h"
#include "../../items.h"
#include "../both/digest_internal.h"
#include "../both/message_internal.h"
#include "end_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The stricter of two limits; 0: none. */
static int64_t stricter(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static soon_submit_options options_of(struct soon__gearman_job *job)
{
    struct soon__daemon *daemon = job->source->daemon;

    return (soon_submit_options){.time_limit_ms = daemon->options->time_limit_ms,
                                 .on_done = soon__gearman_job_done,
                                 .on_done_data = job,
                                 .on_done_loop = daemon->loop};
}

static int submit(struct soon__gearman_job *job, soon_bytes argument, const soon_submit_options *options)
{
    return soon_try_submit_bytes(&job->future, job->source->daemon->pool, &job->offer->function,
                                 argument.size > 0 ? argument.data : NULL, argument.size, options);
}

/*
 * Of other clients
 */

static bool wants_nul(const soon_function *function, soon_bytes workload)
{
    return soon__function_takes_string(function) &&
           (!workload.size || ((const char *)workload.data)[workload.size - 1] != '\0');
}

static int submit_foreign(struct soon__gearman_job *job, soon_bytes workload)
{
    soon_submit_options options = options_of(job);
    char *string;
    int rc;

    if (!wants_nul(&job->offer->function, workload))
        return submit(job, workload, &options);
    string = malloc(workload.size + 1);
    if (!string)
        return -ENOMEM;
    if (workload.size > 0)
        memcpy(string, workload.data, workload.size);
    string[workload.size] = '\0';
    rc = submit(job, (soon_bytes){string, workload.size + 1}, &options);
    free(string);
    return rc;
}

/*
 * One task of ours
 */

static int buffer_of(soon_buffer **ret, soon_bytes bytes)
{
    int rc = soon_buffer_new(ret, bytes.size);

    if (rc == 0 && bytes.size > 0)
        memcpy(soon_buffer_data(*ret), bytes.data, bytes.size);
    return rc;
}

static void buffers_free(soon_buffer **buffers, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        soon_buffer_unref(buffers[i]);
    free(buffers);
}

static int read_buffers(soon_buffer ***ret, struct soon__message_reader *rest, uint64_t count)
{
    soon_buffer **buffers = calloc(count + 1, sizeof *buffers);
    int rc = buffers ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < count && rc == 0; i++)
        rc = buffer_of(&buffers[i], soon__get_bytes(rest));
    if (rc < 0 && buffers)
        buffers_free(buffers, count);
    else
        *ret = buffers;
    return rc;
}

/* A future that is done, with what another task has returned. */
static int input_of(soon_future **ret, const struct soon__input_message *input)
{
    soon_promise *promise;
    soon_buffer *buffer;
    int rc = soon_promise_new(&promise, NULL);

    if (rc < 0)
        return rc;
    if (input->has_payload) {
        rc = buffer_of(&buffer, input->payload);
        rc = rc < 0 ? rc : soon_promise_set_payload(promise, buffer);
    }
    if (rc == 0)
        rc = soon_promise_set_result(promise, input->result.data, input->result.size);
    if (rc == 0)
        *ret = soon_promise_future(promise);
    soon_promise_free(promise);
    return rc;
}

static void inputs_free(soon_future **inputs, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        soon_future_unref(inputs[i]);
    free(inputs);
}

static int read_inputs(soon_future ***ret, struct soon__message_reader *rest, uint64_t count)
{
    soon_future **inputs = calloc(count + 1, sizeof *inputs);
    int rc = inputs ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < count && rc == 0; i++) {
        struct soon__input_message input = soon__get_input(rest);

        rc = input_of(&inputs[i], &input);
    }
    if (rc < 0 && inputs)
        inputs_free(inputs, count);
    else
        *ret = inputs;
    return rc;
}

static int submit_with(struct soon__gearman_job *job, struct soon__call_message *call, soon_submit_options *options)
{
    soon_buffer **payloads;
    soon_future **inputs;
    int rc = read_buffers(&payloads, &call->rest, call->payloads);

    if (rc < 0)
        return rc;
    rc = read_inputs(&inputs, &call->rest, call->inputs);
    if (rc == 0) {
        options->payloads = payloads;
        options->payload_count = call->payloads;
        options->after = inputs;
        options->after_count = call->inputs;
        rc = submit(job, call->argument, options);
        inputs_free(inputs, call->inputs);
    }
    buffers_free(payloads, rc < 0 ? call->payloads : 0); /* a submit has taken them, a refusal has not */
    return rc;
}

static soon_submit_options options_of_call(struct soon__gearman_job *job, const struct soon__call_message *call)
{
    soon_submit_options options = options_of(job);

    options.time_limit_ms = stricter(call->time_limit_ms, options.time_limit_ms);
    options.label = *call->label ? call->label : NULL;
    options.extra = call->extra;
    return options;
}

static int submit_one(struct soon__gearman_job *job, struct soon__call_message *call)
{
    soon_submit_options options = options_of_call(job, call);

    return call->payloads || call->inputs ? submit_with(job, call, &options) : submit(job, call->argument, &options);
}

/*
 * A chunk of ours
 */

static int read_items(soon_item **ret, struct soon__call_message *call)
{
    soon_item *items = calloc(call->items, sizeof *items);
    int rc = items ? 0 : -ENOMEM;
    uint64_t i;

    for (i = 0; i < call->items && rc == 0; i++) {
        struct soon__item_message item = soon__get_item(&call->rest);

        items[i] = (soon_item){
            .data = item.argument.data, .size = item.argument.size, .label = *item.label ? item.label : NULL};
        if (item.has_payload)
            rc = buffer_of(&items[i].payload, item.payload);
    }
    if (rc == 0)
        *ret = items;
    for (; rc < 0 && i-- > 0;)
        soon_buffer_unref(items[i].payload);
    if (rc < 0)
        free(items);
    return rc;
}

/* A map, or a future that says why there is none. NULL: no memory. */
static soon_future *map_varied(struct soon__gearman_job *job, struct soon__call_message *call,
                               const soon_map_options *options)
{
    soon_item *items = NULL;
    soon_future *map;

    if (read_items(&items, call) < 0)
        return NULL;
    map = soon_map_items_async_bytes(job->source->daemon->pool, &job->offer->function, items, call->items, options,
                                     sizeof *options);
    for (uint64_t i = 0; i < call->items && soon_future_error(map)->code == -EINVAL && !soon_map_count(map, 0, 0); i++)
        soon_buffer_unref(items[i].payload); /* nothing was taken */
    free(items);
    return map;
}

static soon_future *map_even(struct soon__gearman_job *job, const struct soon__call_message *call,
                             const soon_map_options *options)
{
    return soon_map_async_bytes(job->source->daemon->pool, &job->offer->function, call->argument.data, call->items,
                                options, sizeof *options);
}

static int submit_chunk(struct soon__gearman_job *job, struct soon__call_message *call)
{
    soon_submit_options each = {.time_limit_ms =
                                    stricter(call->time_limit_ms, job->source->daemon->options->time_limit_ms),
                                .retries = call->retries <= INT_MAX ? (int)call->retries : INT_MAX,
                                .label = *call->label ? call->label : NULL,
                                .extra = call->extra};
    soon_map_options options = {.chunk = call->items, .each = &each};
    int rc;

    if (!call->items_vary && call->argument.size / call->items != job->offer->function.arg_size)
        return -EINVAL;
    job->items = call->items;
    job->future = call->items_vary ? map_varied(job, call, &options) : map_even(job, call, &options);
    if (!job->future)
        return -ENOMEM;
    if (!soon_map_count(job->future, NULL, NULL))
        return soon_future_result(job->future, 0, &(soon_bytes){0});
    rc = soon_future_add_done_callback_on(job->future, job->source->daemon->loop, soon__gearman_job_done, job);
    if (rc < 0)
        soon_future_cancel(job->future);
    return rc;
}

static int submit_ours(struct soon__gearman_job *job, soon_bytes workload, const char **ret_why)
{
    static char why[SOON__LAYOUT_TEXT + 256];
    struct soon__call_message call;

    if (soon__read_call(&call, workload) < 0) {
        *ret_why = "the call cannot be read: the client has another version of the library";
        return -EBADMSG;
    }
    job->attempt = call.attempt;
    job->alive_every_ms = call.alive_every_ms;
    job->alive_at_ms = (int64_t)uv_now(job->source->daemon->uv) + call.alive_every_ms;
    if (call.digest != job->offer->digest) {
        *ret_why = soon__layout_mismatch(why, sizeof why, &job->offer->function);
        return SOON_ETYPE;
    }
    return call.items ? submit_chunk(job, &call) : submit_one(job, &call);
}

int soon__gearman_job_submit(struct soon__gearman_job *job, soon_bytes workload, const char **ret_why)
{
    int rc;

    *ret_why = NULL;
    rc = job->is_ours ? submit_ours(job, workload, ret_why) : submit_foreign(job, workload);
    if (rc < 0 && !*ret_why)
        *ret_why = soon_last_error()->code == rc ? soon_last_error()->message : soon_strerror(rc);
    return rc;
}
