/*
 * result.c - a message is measured first, and then written into the connection's memory: a large result is copied once.
 */
#include "result_internal.h"

#include "../../maps/map_items_internal.h"

#include <string.h>

static void put_buffer(struct soon__message_writer *writer, soon_buffer *buffer)
{
    soon__put_bytes(writer, (soon_bytes){soon_buffer_data(buffer), soon_buffer_size(buffer)});
}

static void put_task(struct soon__message_writer *writer, struct soon__gearman_job *job)
{
    struct soon__item_result_message item = {.payloads = soon_future_payload_count(job->future)};

    (void)soon_future_result(job->future, 0, &item.result);
    soon__put_item_result(writer, &item);
    for (size_t i = 0; i < item.payloads; i++)
        put_buffer(writer, soon_future_payload_at(job->future, i));
}

static void put_item(struct soon__message_writer *writer, struct soon__gearman_job *job, size_t index)
{
    const soon_error *error = soon_map_item_error(job->future, index);
    struct soon__item_result_message item = {.is_error = error->code != 0};

    if (item.is_error)
        item.error = soon__error_message_of(job, error);
    else
        (void)soon_map_item_result(job->future, index, 0, &item.result);
    while (!item.is_error && soon__map_item_payload_at(job->future, index, item.payloads))
        item.payloads++;
    soon__put_item_result(writer, &item);
    for (size_t i = 0; i < item.payloads; i++)
        put_buffer(writer, soon__map_item_payload_at(job->future, index, i));
}

static void put_result(struct soon__message_writer *writer, struct soon__gearman_job *job)
{
    soon__write_result(writer, job->items);
    if (!job->items)
        put_task(writer, job);
    for (uint64_t i = 0; i < job->items; i++)
        put_item(writer, job, i);
}

/* Of a function of strings: what soon_task_return_text() has made, which is text up to its closing NUL. */
static bool is_string(const soon_function *function, soon_bytes result)
{
    const char *bytes = result.data;

    return soon__function_takes_string(function) && !function->result_size && result.size > 0 &&
           memchr(bytes, '\0', result.size) == bytes + result.size - 1;
}

/* D4: others get the bytes alone; and as they need not send the NUL of a string, they get none. */
static int write_foreign(struct soon__gearman_job *job)
{
    soon_bytes arguments[] = {{job->handle, job->handle_size}, {0}};

    (void)soon_future_result(job->future, 0, &arguments[1]);
    if (is_string(&job->offer->function, arguments[1]))
        arguments[1].size--;
    return soon__connection_write(job->source->work, SOON__WORK_COMPLETE, arguments, 2);
}

int soon__result_write(struct soon__gearman_job *job)
{
    const soon_bytes handle = {job->handle, job->handle_size};
    struct soon__message_writer counting, writer;
    void *space;
    int rc;

    if (!job->is_ours)
        return write_foreign(job);
    soon__writer_init_counting(&counting);
    put_result(&counting, job);
    rc = soon__connection_write_space(job->source->work, SOON__WORK_COMPLETE, &handle, 1, counting.size, &space);
    if (rc < 0)
        return rc;
    soon__writer_init_in(&writer, space, counting.size);
    put_result(&writer, job);
    return 0;
}
