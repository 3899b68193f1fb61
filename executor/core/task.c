/*
 * task.c - what a running task may do, and what its return value means.
 *
 *     0               it has succeeded
 *     -ECANCELED      after a reader's request it is cancelled; after its time limit it fails with SOON_ETIMELIMIT; if
 *                     its worker is being ended, with the reason for that; else it has failed with this number
 *     SOON_ERAISED    it has failed with the error that soon_raise() described
 *     anything else   it has failed with this number
 */
#include "task_internal.h"

#include "../../futures/value_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool soon_task_cancel_requested(const soon_task *task)
{
    return soon__check(task, "soon_task_cancel_requested: NULL") &&
           (soon__task_host(task)->cancel_requested(task) || soon__deadline_check(task->deadline) < 0);
}

int64_t soon_task_time_left_ms(const soon_task *task)
{
    int64_t left;

    if (!soon__check(task, "soon_task_time_left_ms: NULL") || task->deadline == SOON__NEVER)
        return SOON_FOREVER;
    left = task->deadline - soon__clock_ns();
    return left <= 0 ? 0 : (left + 999999) / 1000000;
}

void soon_task_set_progress(soon_task *task, uint64_t done, uint64_t total)
{
    if (soon__check(task, "soon_task_set_progress: NULL"))
        soon__task_host(task)->set_progress(task, done, total);
}

soon_executor *soon_task_executor(soon_task *task)
{
    return soon__check(task, "soon_task_executor: NULL") ? task->executor : NULL;
}

void *soon_task_local(soon_task *task)
{
    return soon__check(task, "soon_task_local: NULL") && task->local ? task->local->value : NULL;
}

void soon_task_set_local(soon_task *task, void *local, soon_free_fn release)
{
    if (!soon__check(task && soon__task_host(task)->is_initializer(task) && task->local,
                     "soon_task_set_local: not in an initializer"))
        return;
    task->local->value = local;
    task->local->release = release;
}

void *soon_task_shared(soon_task *task)
{
    return soon__check(task, "soon_task_shared: NULL") ? soon__task_host(task)->shared(task) : NULL;
}

const char *soon_task_label(const soon_task *task)
{
    const char *label = soon__check(task, "soon_task_label: NULL") ? soon__task_host(task)->label(task) : NULL;

    return label ? label : "";
}

soon_bytes soon_task_arg(const soon_task *task)
{
    if (!soon__check(task, "soon_task_arg: NULL"))
        return (soon_bytes){NULL, 0};
    return (soon_bytes){task->arg, task->arg_size};
}

soon_bytes soon_task_extra(const soon_task *task)
{
    if (!soon__check(task, "soon_task_extra: NULL"))
        return (soon_bytes){NULL, 0};
    return soon__task_host(task)->extra(task);
}

const char *soon_task_string(soon_task *task)
{
    const char *bytes = soon_task_arg(task).data;

    if (!task)
        return NULL;
    if (bytes && task->arg_size && !bytes[task->arg_size - 1])
        return bytes;
    (void)soon_raise(task, EINVAL, "the argument is no string: its %zu bytes do not end in a NUL", task->arg_size);
    return NULL;
}

soon_buffer *soon_task_payload(soon_task *task)
{
    return soon__check(task, "soon_task_payload: NULL") ? soon__task_host(task)->payload(task, 0) : NULL;
}

soon_buffer *soon_task_payload_at(soon_task *task, size_t index)
{
    return soon__check(task, "soon_task_payload_at: NULL") ? soon__task_host(task)->payload(task, index) : NULL;
}

size_t soon_task_payload_count(const soon_task *task)
{
    return soon__check(task, "soon_task_payload_count: NULL") ? soon__task_host(task)->payload_count(task) : 0;
}

size_t soon_task_input_count(const soon_task *task)
{
    return soon__check(task, "soon_task_input_count: NULL") ? soon__task_host(task)->input_count(task) : 0;
}

soon_bytes soon_task_input(const soon_task *task, size_t index)
{
    soon_buffer *payload;

    if (!soon__check(task, "soon_task_input: NULL"))
        return (soon_bytes){NULL, 0};
    return soon__task_host(task)->input(task, index, &payload);
}

soon_buffer *soon_task_input_payload(const soon_task *task, size_t index)
{
    soon_buffer *payload = NULL;

    if (soon__check(task, "soon_task_input_payload: NULL"))
        (void)soon__task_host(task)->input(task, index, &payload);
    return payload;
}

static int read_input(const soon_task *task, size_t index, void *ret, size_t size)
{
    size_t count = task ? soon_task_input_count(task) : 0;
    soon_bytes input;

    if (!task || (!ret && size))
        return soon__is_null(task ? "ret" : "the task");
    if (index >= count)
        return soon__refuse(-EINVAL, "index = %zu; the task was submitted .after %zu", index, count);
    input = soon_task_input(task, index);
    if (input.size != size)
        return soon__refuse(SOON_ETYPE, "input %zu has %zu bytes; %zu were asked for", index, input.size, size);
    if (size)
        memcpy(ret, input.data, size);
    return 0;
}

int soon_task_read_input(const soon_task *task, size_t index, void *ret, size_t size)
{
    return soon__failed(read_input(task, index, ret, size), "soon_task_read_input");
}

void *soon_task_return_space(soon_task *task, size_t size)
{
    soon_buffer *buffer = NULL;
    void *space;

    if (!soon__check(task, "soon_task_return_space: NULL"))
        return NULL;
    if (task->function->result_size)
        return size == task->function->result_size ? task->space : NULL;
    if (size > soon__task_host(task)->heap_max)
        space = soon__buffer_new_mappable(&buffer, size) == 0 ? soon_buffer_data(buffer) : NULL;
    else
        space = calloc(1, size ? size : 1);
    if (!space)
        return NULL;
    soon__outcome_clear_result(&task->outcome);
    task->outcome.result = space;
    task->outcome.result_size = size;
    task->outcome.result_on_heap = !buffer;
    task->outcome.result_buffer = buffer;
    return space;
}

int soon_task_return_bytes(soon_task *task, const void *data, size_t size)
{
    void *space;

    if (!task || (!data && size))
        return soon__failed(soon__is_null(task ? "data" : "the task"), "soon_task_return_bytes");
    if (task->function->result_size && task->function->result_size != size)
        return soon__failed(soon__refuse(SOON_ETYPE, "the result of %s is %s, %zu bytes; %zu were given",
                                         task->function->name, task->function->result_type, task->function->result_size,
                                         size),
                            "soon_task_return_bytes");
    space = soon_task_return_space(task, size);
    if (!space)
        return soon__failed(-ENOMEM, "soon_task_return_bytes");
    if (size)
        memmove(space, data, size);
    return 0;
}

int soon_task_return_text(soon_task *task, const char *format, ...)
{
    va_list args;
    char *space;
    int length;

    if (!task || !format)
        return -EINVAL;
    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return -EINVAL;
    if (task->function->result_size && task->function->result_size != (size_t)length + 1)
        return SOON_ETYPE;
    space = soon_task_return_space(task, (size_t)length + 1);
    if (!space)
        return -ENOMEM;
    va_start(args, format);
    (void)vsnprintf(space, (size_t)length + 1, format, args);
    va_end(args);
    return 0;
}

int soon_task_return_payload(soon_task *task, soon_buffer *buffer)
{
    if (!task || !buffer) {
        soon_buffer_unref(buffer);
        return soon__failed(soon__is_null(task ? "the buffer" : "the task"), "soon_task_return_payload");
    }
    soon_buffer_unref(task->outcome.payload);
    task->outcome.payload = buffer;
    return 0;
}

int soon_task_add_payload(soon_task *task, soon_buffer *buffer)
{
    if (!task || !buffer || !task->outcome.payload)
        return soon_task_return_payload(task, buffer);
    return soon__failed(soon__buffers_add(&task->outcome.further, buffer), "soon_task_add_payload");
}

/*
 * Failing
 */

static soon_error fields_of(const soon_task *task, int code, int raised)
{
    return (soon_error){.code = code,
                        .raised = raised,
                        .started = true,
                        .function = task->function->name,
                        .label = soon__task_host(task)->label(task)};
}

static void set_error(soon_task *task, struct soon__error *error)
{
    soon__error_unref(task->outcome.error);
    task->outcome.error = error;
}

int soon_raise(soon_task *task, int code, const char *format, ...)
{
    soon_error fields;
    va_list args;

    if (!soon__check(task, "soon_raise: NULL"))
        return SOON_ERAISED;
    fields = fields_of(task, SOON_ERAISED, code);
    va_start(args, format);
    set_error(task, soon__error_new(&fields, format, args));
    va_end(args);
    return SOON_ERAISED;
}

/* As much as a reply of a worker process has room for: the same on threads, so that a task means the same on both. */
enum { RAISED_MAX = (64 << 10) - 1 };

int soon_raise_bytes(soon_task *task, int code, const char *message, const void *data, size_t size)
{
    size_t text = message ? strlen(message) : 0;
    soon_error fields;

    if (!soon__check(task, "soon_raise_bytes: NULL"))
        return SOON_ERAISED;
    if (!data && size)
        return soon__failed(soon__refuse(-EINVAL, "data is NULL, size = %zu", size), "soon_raise_bytes");
    if (text > RAISED_MAX || size > RAISED_MAX - text)
        return soon_raise(task, -EMSGSIZE, "soon_raise_bytes: %zu bytes of message and data are more than %d",
                          text + size, RAISED_MAX);
    fields = fields_of(task, SOON_ERAISED, code);
    fields.data = size ? data : NULL;
    fields.data_size = size;
    set_error(task, soon__error_newf(&fields, message ? "%s" : NULL, message));
    return SOON_ERAISED;
}

int soon_raise_from(soon_task *task, const soon_future *failed)
{
    const soon_error *error = failed ? soon_future_error(failed) : NULL;
    soon_error fields;

    if (!task || !error || error->code == 0)
        return soon__failed(soon__refuse(-EINVAL, task && error ? "that future has no error" : "NULL"),
                            "soon_raise_from");
    fields = fields_of(task, SOON_ERAISED, error->code == SOON_ERAISED ? error->raised : error->code);
    fields.data = error->data;
    fields.data_size = error->data_size;
    set_error(task, soon__error_newf(&fields, "%s", error->message));
    return SOON_ERAISED;
}

/* The body returned -ECANCELED, and nothing else. */
static void gave_in(soon_task *task)
{
    int requested = soon__task_host(task)->cancel_requested(task);
    soon_error fields;

    if (requested == -ECANCELED) {
        set_error(task, &soon__error_cancelled_running);
        task->outcome.cancelled = true;
        return;
    }
    fields = fields_of(task, SOON_ERAISED, -ECANCELED);
    if (soon__deadline_check(task->deadline) < 0)
        fields = fields_of(task, SOON_ETIMELIMIT, 0);
    else if (requested)
        fields = fields_of(task, requested, 0);
    set_error(task, soon__error_newf(&fields, NULL));
}

void soon__task_settle(soon_task *task, int rc)
{
    struct soon__outcome *outcome = &task->outcome;
    soon_error fields;

    if (soon__task_host(task)->returned)
        soon__task_host(task)->returned(task);
    if (rc == 0) {
        set_error(task, NULL);
        if (task->function->result_size) {
            outcome->result = task->space;
            outcome->result_size = task->function->result_size;
        }
        return;
    }
    soon__outcome_clear_result(outcome);
    soon__outcome_drop_payloads(outcome); /* they go with a result, and there is none */
    if (rc == -ECANCELED) {
        gave_in(task);
    } else if (rc != SOON_ERAISED || !outcome->error) {
        fields = fields_of(task, SOON_ERAISED, rc);
        set_error(task, soon__error_newf(&fields, NULL));
    }
}
