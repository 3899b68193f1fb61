/*
 * catalog.c - a task like those of the program, so that whoever has a pool can call it by its name.
 */
#include "catalog_internal.h"

#include "../../task.h"
#include "../both/catalog_internal.h"

#include <stdlib.h>

static int tell(soon_task *task, const void *arg, void *result)
{
    void *catalog;
    size_t size;
    int rc = soon__catalog_write(&catalog, &size);

    (void)arg, (void)result;
    if (rc == 0) {
        rc = soon_task_return_bytes(task, catalog, size);
        free(catalog);
    }
    return rc;
}

void soon__worker_register_catalog(void)
{
    static const soon_function function = {.name = SOON__CATALOG_TASK, .body = tell, .arg_type = "", .result_type = ""};

    (void)soon_function_register(&function);
}
