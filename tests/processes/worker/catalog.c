/*
 * catalog.c - a worker tells of its functions to who has not loaded them.
 */
#include "../../support/futures.h"

#include "../../../executor/processes/both/catalog_internal.h"

TestSuite(catalog);

static int do_nothing(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 0;
}

static const uint64_t seven = 7;
static const soon_function functions[] = {
    {.name = "catalog.b", .body = do_nothing, .arg_size = 1, .result_size = (size_t)1 << 33, .arg_type = "char"},
    {.name = "catalog.a", .body = do_nothing, .result_type = "int", .result_kind = "iint", .version = &seven},
    {.name = "catalog.local", .body = do_nothing, .flags = SOON_FUNCTION_LOCAL},
    {.name = SOON__CATALOG_TASK, .body = do_nothing},
};

static void *written(size_t *ret_size)
{
    void *catalog;

    for (size_t i = 0; i < COUNT(functions); i++)
        cr_assert_eq(soon_function_register(&functions[i]), 0);
    cr_assert_eq(soon__catalog_write(&catalog, ret_size), 0);
    for (size_t i = 0; i < COUNT(functions); i++)
        soon_function_unregister(&functions[i]);
    return catalog;
}

Test(catalog, it_is_read_as_it_was_written_without_local_functions_and_itself)
{
    size_t size, offset = 0;
    void *catalog = written(&size);
    soon_function function;
    uint64_t version;

    cr_assert_eq(soon__catalog_next(&function, &version, catalog, size, &offset), 1);
    cr_assert_str_eq(function.name, "catalog.a");
    cr_assert_eq(*function.version, 7);
    cr_assert_str_eq(function.result_type, "int");
    cr_assert_str_eq(function.result_kind, "iint");
    cr_assert_eq(soon__catalog_next(&function, &version, catalog, size, &offset), 1);
    cr_assert_str_eq(function.name, "catalog.b");
    cr_assert_eq(version, 0);
    cr_assert_eq(function.arg_size, 1);
    cr_assert_eq(function.result_size, (size_t)1 << 33);
    cr_assert_str_eq(function.arg_type, "char");
    cr_assert_null(function.result_kind);
    cr_assert_eq(soon__catalog_next(&function, &version, catalog, size, &offset), 0);
    free(catalog);
}

Test(catalog, one_that_is_cut_short_is_refused)
{
    size_t whole, first = 0;
    void *catalog = written(&whole);
    soon_function function;
    uint64_t version;

    cr_assert_eq(soon__catalog_next(&function, &version, catalog, whole, &first), 1);
    for (size_t size = 1; size < first; size++) {
        char *copy = malloc(size);
        size_t offset = 0;

        memcpy(copy, catalog, size);
        cr_assert_eq(soon__catalog_next(&function, &version, copy, size, &offset), -EPROTO, "%zu bytes", size);
        cr_assert_eq(offset, 0);
        free(copy);
    }
    free(catalog);
}

/* The parent knows the name of the task alone. */
Test(catalog, a_pool_tells_what_its_objects_have)
{
    static const soon_function ask = {.name = SOON__CATALOG_TASK, .body = do_nothing};
    const char *const objects[] = {getenv("OBJECT"), NULL};
    soon_executor *pool;
    soon_function function;
    soon_future *f;
    soon_bytes catalog;
    uint64_t version;
    size_t offset = 0;

    cr_assert_eq(soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = 1, .load = objects}), 0);
    f = soon_submit_bytes(pool, &ask, NULL, 0, NULL);
    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &catalog), 0);
    cr_assert_eq(soon__catalog_next(&function, &version, catalog.data, catalog.size, &offset), 1);
    cr_assert_str_eq(function.name, "loaded");
    cr_assert_eq(function.arg_size, sizeof(int));
    cr_assert_str_eq(function.arg_type, "int");
    cr_assert_eq(version, 0);
    cr_assert_eq(soon__catalog_next(&function, &version, catalog.data, catalog.size, &offset), 0);
    soon_future_unref(f);
    cr_assert_eq(soon_executor_free(pool), 0);
}
