/*
 * failed.c - futures that are done with an error from the start, as a submit returns that was refused.
 */
#include "failed_internal.h"

#include "block_internal.h"
#include "complete_internal.h"

#include <string.h>

struct failed {
    soon_future future; /* first */
    void *data;
    char label[];
};

static size_t size_with(const char *label)
{
    return sizeof(struct failed) + strlen(label) + 1;
}

static void failed_destroy(soon_future *future)
{
    soon__future_fini(future);
    soon__block_free(future, size_with(((struct failed *)future)->label));
}

static const char *failed_label(const soon_future *future)
{
    return ((const struct failed *)future)->label;
}

static void *failed_data(const soon_future *future)
{
    return ((const struct failed *)future)->data;
}

static const struct soon__class failed_class = {.destroy = failed_destroy, .label = failed_label, .data = failed_data};
static const struct soon__class nomem_class = {.counting = SOON__IMMORTAL};
static soon_future nomem = {
    .word = SOON__FINISHED | SOON__FAILED | SOON__LOOKED, .class = &nomem_class, .failure = &soon__error_nomem};

soon_future *soon__future_nomem(void)
{
    return &nomem;
}

soon_future *soon__future_new_failed(int code, const char *caller, const char *function, const char *label, void *data)
{
    soon_error fields = {.function = function, .label = label};
    struct soon__error *error = soon__refused(code, caller, &fields);
    struct failed *failed = soon__block_new(size_with(label ? label : ""));

    (void)soon__failed_with(soon__error_ref(error));
    if (!failed) {
        soon__error_unref(error);
        return &nomem;
    }
    soon__future_init(&failed->future, &failed_class, 1, 0);
    failed->data = data;
    strcpy(failed->label, label ? label : "");
    soon__future_end(&failed->future, SOON__FINISHED, error);
    return &failed->future;
}
