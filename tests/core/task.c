/*
 * task.c - functions and the macros that make them; arguments and results of any size.
 */
#include "../support/pools.h"

#include "../../executor/core/function_internal.h"

TestSuite(task);

static soon_executor *pool;

static void make_pool(void)
{
    pool = new_pool(.workers = 2);
}
static void drop_pool(void)
{
    free_pool(pool);
}

/*
 * The macros
 */

struct rect {
    double width, height;
};

SOON_TASK(area, struct rect, double)
{
    *result = arg->width * arg->height;
    return 0;
}

SOON_TASK_DECLARE(declared, struct rect, unsigned char);
SOON_TASK_DECLARE(again, soon_none, soon_none);
SOON_TASK_BYTES_DECLARE(echo);

Test(task, function_knows_its_name_types_and_sizes)
{
    cr_assert_str_eq(area_task.name, "area");
    cr_assert_str_eq(area_task.arg_type, "struct rect");
    cr_assert_str_eq(area_task.result_type, "double");
    cr_assert_eq(area_task.arg_size, sizeof(struct rect));
    cr_assert_eq(area_task.result_size, sizeof(double));
    cr_assert_eq(area_task.flags, 0);
    cr_assert_null(area_task.free_arg);
    cr_assert_null(area_task.free_result);

    cr_assert_str_eq(echo_task.name, "echo");
    cr_assert_str_eq(echo_task.arg_type, "");
    cr_assert_eq(echo_task.arg_size, 0);
    cr_assert_eq(echo_task.result_size, 0);
}

Test(task, function_is_registered_when_the_program_is_loaded)
{
    cr_assert_eq(soon__function_find("area"), &area_task);
    cr_assert_eq(soon__function_find("declared"), &declared_task);
    cr_assert_eq(soon__function_find("echo"), &echo_task);
    cr_assert_eq(soon_function_register(&area_task), -EINVAL);
}

Test(task, function_has_typed_calls, .init = make_pool, .fini = drop_pool)
{
    area_arg rect = {2, 3};
    area_result surface;
    soon_future *f = area_submit(pool, &rect, NULL);

    rect.width = 100; /* it was copied */
    cr_assert_eq(area_get(f, SOON_FOREVER, &surface), 0);
    cr_assert_eq(surface, 6);
    soon_future_unref(f);

    f = declared_submit(pool, &(declared_arg){4, 5}, NULL);
    cr_assert_eq(declared_get(f, SOON_FOREVER, &(declared_result){0}), 0);
    cr_assert_eq(area_get(f, SOON_FOREVER, &surface), SOON_ETYPE);
    soon_future_unref(f);
}

SOON_TASK_DEFINE(declared)
{
    *result = (unsigned char)(arg->width * arg->height);
    return 0;
}

SOON_TASK_DEFINE(again)
{
    return 0;
}

SOON_TASK_BYTES_DEFINE(echo)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}

Test(task, function_may_have_neither_argument_nor_result, .init = make_pool, .fini = drop_pool)
{
    soon_none none;

    cr_assert_eq(soon_take(soon_submit(pool, again), &none), 0);
}

typedef char line[80];
SOON_TASK(length_of_line, line, size_t)
{
    *result = strlen(*arg);
    return 0;
}

Test(task, argument_may_be_an_array_with_a_name, .init = make_pool, .fini = drop_pool)
{
    size_t length;

    cr_assert_eq(soon_take(soon_submit(pool, length_of_line, "twelve chars"), &length), 0);
    cr_assert_eq(length, 12);
}

struct many {
    int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C, D, E, F;
};
SOON_TASK(sum_many, struct many, int)
{
    for (const int *at = &arg->a; at <= &arg->F; at++)
        *result += *at;
    return 0;
}

Test(task, argument_may_have_many_fields_in_the_call, .init = make_pool, .fini = drop_pool)
{
    int sum;

    cr_assert_eq(soon_take(soon_submit(pool, sum_many, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                       1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
                           &sum),
                 0);
    cr_assert_eq(sum, 32);
    cr_assert_eq(soon_take(soon_submit_with(pool, (.priority = 1, .label = "x"), sum_many, .F = 5), &sum), 0);
    cr_assert_eq(sum, 5);
    cr_assert_eq(soon_take(soon_submit_with(pool, (.priority = 1), sum_many, 0), &sum), 0);
    cr_assert_eq(sum, 0);
}

/* By hand, as a binding of another language would. */
static int add_bytes(soon_task *task, const void *arg, void *result)
{
    (void)task;
    *(long *)result = ((const long *)arg)[0] + ((const long *)arg)[1];
    return 0;
}

Test(task, function_may_be_made_by_hand_and_need_not_be_registered, .init = make_pool, .fini = drop_pool)
{
    static const soon_function add = {
        .name = "add_bytes", .body = add_bytes, .arg_size = 2 * sizeof(long), .result_size = sizeof(long)};
    const long numbers[2] = {20, 22};
    soon_future *f = soon_submit_bytes(pool, &add, numbers, sizeof numbers, NULL);
    long sum;

    cr_assert_eq(soon_future_read_as(f, &add, SOON_FOREVER, &sum, sizeof sum), 0);
    cr_assert_eq(sum, 42);
    soon_future_unref(f);
}

/*
 * Sizes
 */

static const size_t sizes[] = {1,   2,   15,  16,   17,   31,    32,      33,
                               255, 256, 257, 4095, 4096, 65537, 1 << 20, (300 << 20) + 1};

/* The first and the last byte of the argument, if both are aligned and the result is zeroed. */
static int copy_ends(soon_task *task, const void *arg, void *result)
{
    soon_bytes bytes = soon_task_arg(task);
    char *to = result;

    if (bytes.data != arg || (uintptr_t)arg % _Alignof(max_align_t) || (uintptr_t)result % test_alignment(bytes.size))
        return soon_raise(task, EFAULT, "not aligned");
    for (size_t i = 0; i < bytes.size && i < 4096; i++) {
        if (to[i])
            return soon_raise(task, EFAULT, "not zeroed");
    }
    to[0] = ((const char *)arg)[0];
    to[bytes.size - 1] = ((const char *)arg)[bytes.size - 1];
    return 0;
}

/* A function must outlive its futures. */
static soon_function functions[sizeof sizes / sizeof *sizes];

Test(task, argument_and_result_of_fixed_size_may_have_any_size, .init = make_pool, .fini = drop_pool)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        char *bytes = calloc(1, size);
        soon_future *f;
        soon_bytes back;

        functions[i] = (soon_function){.name = "copy_ends", .body = copy_ends, .arg_size = size, .result_size = size};
        bytes[0] = bytes[size - 1] = 'e';
        f = soon_submit_bytes(pool, &functions[i], bytes, size, NULL);
        bytes[0] = bytes[size - 1] = 'x'; /* it was copied */
        cr_assert_eq(soon_future_result(f, SOON_FOREVER, &back), 0, "%zu", size);
        cr_assert_eq(back.size, size);
        cr_assert_eq(((const char *)back.data)[0], 'e');
        cr_assert_eq(((const char *)back.data)[size - 1], 'e');
        soon_future_unref(f);
        free(bytes);
    }
}

/* What one task leaves in memory, the next does not see. */
Test(task, result_is_zeroed_however_often_memory_is_used_again, .init = make_pool, .fini = drop_pool)
{
    static const soon_function function = {.name = "copy_ends", .body = copy_ends, .arg_size = 200, .result_size = 200};
    char bytes[200];

    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(outcome_of(soon_submit_bytes(pool, &function, bytes, sizeof bytes, NULL)), 0);
}

static int has_zeroes(soon_task *task, const void *arg, void *result)
{
    soon_bytes bytes = soon_task_arg(task);

    (void)arg;
    *(bool *)result = true;
    for (size_t i = 0; i < bytes.size; i++)
        *(bool *)result &= !((const char *)bytes.data)[i];
    return 0;
}

Test(task, argument_that_is_not_given_is_zeroes, .init = make_pool, .fini = drop_pool)
{
    for (size_t i = 0; i + 1 < sizeof sizes / sizeof *sizes; i++) {
        bool zeroes = false;

        functions[i] = (soon_function){.name = "zeroes", .body = has_zeroes, .arg_size = sizes[i], .result_size = 1};
        free(memset(malloc(sizes[i]), 'x', sizes[i]));
        cr_assert_eq(soon_take(soon_submit_bytes(pool, &functions[i], NULL, 0, NULL), &zeroes), 0);
        cr_assert(zeroes, "%zu", sizes[i]);
    }
}

Test(task, bytes_may_have_any_size, .init = make_pool, .fini = drop_pool)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *bytes = calloc(1, sizes[i]);
        soon_future *f;
        soon_bytes back;

        bytes[sizes[i] - 1] = 'e';
        f = echo_submit(pool, bytes, sizes[i], NULL);
        cr_assert_eq(soon_future_result(f, SOON_FOREVER, &back), 0);
        cr_assert_eq(back.size, sizes[i]);
        cr_assert_eq(((const char *)back.data)[sizes[i] - 1], 'e');
        soon_future_unref(f);
        free(bytes);
    }
}

Test(task, bytes_may_be_none, .init = make_pool, .fini = drop_pool)
{
    soon_bytes back = {NULL, 1};
    soon_future *futures[] = {echo_submit(pool, NULL, 0, NULL), echo_submit(pool, "", 0, NULL)};

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(soon_future_result(futures[i], SOON_FOREVER, &back), 0);
        cr_assert_eq(back.size, 0);
        cr_assert_eq(soon_future_read(futures[i], 0, NULL, 0), 0);
        cr_assert_eq(soon_future_read(futures[i], 0, &back, sizeof back), SOON_ETYPE);
        soon_future_unref(futures[i]);
    }
}

SOON_TASK_BYTES(answer_nothing)
{
    return (int)arg.size;
}

Test(task, result_that_is_never_set_is_no_bytes, .init = make_pool, .fini = drop_pool)
{
    soon_future *f = answer_nothing_submit(pool, NULL, 0, NULL);
    soon_bytes back = {NULL, 1};

    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &back), 0);
    cr_assert_eq(back.size, 0);
    soon_future_unref(f);
}

/* The last one counts. What was asked for before is forgotten, and so is all of it when the task fails. */
SOON_TASK_BYTES(change_its_mind)
{
    char *space = soon_task_return_space(task, 1000);

    space[999] = 'x';
    if (soon_task_return_bytes(task, "second", 7) != 0 || soon_task_return_bytes(task, NULL, 1) != -EINVAL ||
        soon_task_return_space(task, SIZE_MAX) != NULL || soon_task_return_bytes(task, "x", PTRDIFF_MAX) != -ENOMEM)
        return -EIO;
    return arg.size ? soon_raise(task, EIO, "after all") : 0;
}

Test(task, result_may_be_set_again, .init = make_pool, .fini = drop_pool)
{
    soon_future *good = change_its_mind_submit(pool, "", 0, NULL), *bad = change_its_mind_submit(pool, "x", 1, NULL);
    soon_bytes back;

    cr_assert_eq(soon_future_result(good, SOON_FOREVER, &back), 0);
    cr_assert_eq(back.size, 7);
    cr_assert_str_eq(back.data, "second");
    cr_assert_eq(soon_future_result(bad, SOON_FOREVER, &back), SOON_ERAISED);
    soon_future_unref(good);
    soon_future_unref(bad);
}

SOON_TASK(set_fixed, soon_none, int)
{
    int value = 5;
    bool as_meant = soon_task_return_space(task, 3) == NULL && soon_task_return_space(task, sizeof value) == result &&
                    soon_task_return_bytes(task, "abc", 3) == SOON_ETYPE &&
                    soon_task_return_bytes(task, NULL, sizeof value) == -EINVAL &&
                    soon_task_return_bytes(task, &value, sizeof value) == 0;

    return as_meant ? 0 : -EIO;
}

Test(task, result_of_fixed_size_may_be_set_too, .init = make_pool, .fini = drop_pool)
{
    int result;

    cr_assert_eq(soon_take(soon_submit(pool, set_fixed), &result), 0);
    cr_assert_eq(result, 5);
}

/* The other way round: an argument of variable size, a result of fixed size. */
static int count_bytes(soon_task *task, const void *arg, void *result)
{
    (void)arg;
    *(size_t *)result = soon_task_arg(task).size;
    return 0;
}

Test(task, may_have_only_one_of_them_fixed, .init = make_pool, .fini = drop_pool)
{
    static const soon_function function = {.name = "count_bytes", .body = count_bytes, .result_size = sizeof(size_t)};
    size_t count;

    cr_assert_eq(soon_take(soon_submit_bytes(pool, &function, "abc", 3, NULL), &count), 0);
    cr_assert_eq(count, 3);
    cr_assert_eq(soon_take(soon_submit_bytes(pool, &function, NULL, 0, NULL), &count), 0);
    cr_assert_eq(count, 0);
}

/* No machine has that much: the task fails, the pool goes on. */
Test(task, result_that_fits_nowhere_is_a_failure, .init = make_pool, .fini = drop_pool)
{
    static const soon_function function = {
        .name = "huge", .body = copy_ends, .arg_size = 1, .result_size = PTRDIFF_MAX / 2};
    soon_future *f = soon_submit_bytes(pool, &function, "", 1, NULL);

    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}), -ENOMEM);
    cr_assert_not(soon_future_error(f)->started);
    soon_future_unref(f);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(stats_of(pool).failed, 1);
}

Test(task, argument_that_fits_nowhere_is_refused, .init = make_pool, .fini = drop_pool)
{
    static const soon_function function = {
        .name = "huge", .body = copy_ends, .arg_size = PTRDIFF_MAX / 2, .result_size = 1};
    soon_future *f = soon_submit_bytes(pool, &function, NULL, 0, NULL), *none = NULL;

    cr_assert_eq(outcome_of(f), -ENOMEM);
    cr_assert_eq(soon_try_submit_bytes(&none, pool, &function, NULL, 0, NULL), -ENOMEM);
    cr_assert_null(none);
}
