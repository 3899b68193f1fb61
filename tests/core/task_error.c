/*
 * task_error.c - how a task fails: raising, passing on, giving in to a request or a time limit.
 */
#include "../support/pools.h"

static soon_executor *pool;

static void make_pool(void)
{
    pool = new_pool(.workers = 2);
}
static void drop_pool(void)
{
    free_pool(pool);
}

TestSuite(task_error, .init = make_pool, .fini = drop_pool);

/* The error of a task that must fail; lent by the future in `*ret`. */
static const soon_error *error_of(soon_future *f, soon_future **ret)
{
    cr_assert_lt(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}), 0);
    *ret = f;
    return soon_future_error(f);
}

SOON_TASK(return_code, int, int)
{
    *result = 1;
    return *arg;
}

/* pebble: test_thread_pool_error; CPython: an exception of the task */
Test(task_error, any_number_that_is_returned_is_an_exception)
{
    static const int codes[] = {-1,           1,          -EIO,      42,       SOON_ERAISED, SOON_EKILLED,
                                SOON_EBROKEN, -ECANCELED, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        soon_future *f;
        const soon_error *error = error_of(soon_submit(pool, return_code, codes[i]), &f);

        cr_assert_eq(error->code, SOON_ERAISED);
        cr_assert_eq(error->raised, codes[i]);
        cr_assert_str_eq(error->message, soon_strerror(codes[i]));
        cr_assert_str_eq(error->function, "return_code");
        cr_assert(error->started);
        cr_assert_eq(error->worker_pid, 0);
        cr_assert_eq(error->attempt, 1);
        cr_assert_eq(soon_future_attempt(f), 1);
        cr_assert_eq(soon_future_state(f), SOON_FINISHED);
        soon_future_unref(f);
    }
}

SOON_TASK(raise_twice, int, int)
{
    cr_assert_eq(soon_raise(task, 1, "first"), SOON_ERAISED);
    cr_assert_eq(soon_raise(task, 2, "second %s", "thought"), SOON_ERAISED);
    return *arg;
}

Test(task_error, that_was_raised_last_counts)
{
    soon_future *f;
    const soon_error *error = error_of(soon_submit(pool, raise_twice, SOON_ERAISED), &f);

    cr_assert_eq(error->raised, 2);
    cr_assert_str_eq(error->message, "second thought");
    soon_future_unref(f);
}

Test(task_error, that_was_raised_is_forgotten_by_a_task_that_succeeds)
{
    soon_future *f = soon_submit(pool, raise_twice, 0);

    cr_assert_eq(soon_result(f, &(int){0}), 0);
    cr_assert_eq(soon_future_error(f)->code, 0);
    soon_future_unref(f);
}

Test(task_error, that_was_raised_gives_way_to_another_number)
{
    soon_future *f;
    const soon_error *error = error_of(soon_submit(pool, raise_twice, -EPERM), &f);

    cr_assert_eq(error->raised, -EPERM);
    cr_assert_str_eq(error->message, soon_strerror(-EPERM));
    soon_future_unref(f);
}

SOON_TASK(raise_text, int, soon_none)
{
    char text[5000];

    if (*arg == 0)
        return soon_raise(task, EDOM, NULL);
    if (*arg == 1)
        return soon_raise(task, EDOM, "one\nline\r\nonly");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    return soon_raise(task, EDOM, "%s%d", text, 7);
}

Test(task_error, message_is_one_line_of_any_length)
{
    soon_future *f;
    const soon_error *error = error_of(soon_submit(pool, raise_text, 0), &f);

    cr_assert_str_eq(error->message, soon_strerror(EDOM));
    soon_future_unref(f);
    error = error_of(soon_submit(pool, raise_text, 1), &f);
    cr_assert_str_eq(error->message, "one line  only");
    soon_future_unref(f);
    error = error_of(soon_submit(pool, raise_text, 2), &f);
    cr_assert_eq(strlen(error->message), 5000);
    cr_assert_str_eq(error->message + 4998, "x7");
    soon_future_unref(f);
}

/*
 * From another
 */

enum inner { RAISES, SUCCEEDS, RETURNS, IS_CANCELLED, IS_NOTHING, IS_REFUSED };

SOON_TASK(pass_on, enum inner, int)
{
    static const int codes[] = {[RAISES] = SOON_ERAISED, [SUCCEEDS] = 0, [RETURNS] = -EPERM};
    soon_executor *executor = soon_task_executor(task);
    soon_promise *promise;
    soon_future *inner = NULL;
    int rc;

    switch (*arg) {
    case IS_CANCELLED:
        cr_assert_eq(soon_promise_new(&promise, NULL), 0);
        inner = soon_promise_future(promise);
        soon_future_cancel(inner);
        soon_promise_free(promise);
        break;
    case IS_REFUSED:
        inner = raise_twice_submit(executor, NULL, &(soon_submit_options){.retries = -1});
        break;
    case IS_NOTHING:
        break;
    default:
        inner = soon_submit_with(executor, (.label = "inner"), raise_twice, codes[*arg]);
        soon_future_wait(inner, SOON_FOREVER);
    }
    rc = soon_raise_from(task, inner);
    soon_future_unref(inner);
    return rc;
}

Test(task_error, of_another_can_be_passed_on)
{
    static const struct {
        enum inner inner;
        int raised;
        const char *message;
    } rows[] = {
        {RAISES, 2, "second thought"}, {RETURNS, -EPERM, NULL},   {IS_CANCELLED, -ECANCELED, "cancelled"},
        {IS_REFUSED, -EINVAL, NULL},   {SUCCEEDS, -EINVAL, NULL}, /* there is none to pass on, which is a failure too */
        {IS_NOTHING, -EINVAL, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        soon_future *f;
        const soon_error *error = error_of(soon_submit_with(pool, (.label = "outer"), pass_on, rows[i].inner), &f);

        cr_assert_eq(error->code, SOON_ERAISED);
        cr_assert_eq(error->raised, rows[i].raised, "row %zu", i);
        if (rows[i].message)
            cr_assert_str_eq(error->message, rows[i].message);
        cr_assert_str_eq(error->function, "pass_on");
        cr_assert_str_eq(error->label, "outer");
        soon_future_unref(f);
    }
}

/*
 * Requests and limits
 */

struct plan {
    struct gate gate;
    int returns;
    bool until_late, until_open; /* goes on when its time is over; when the gate is open */
};

static atomic_llong left_at_first, left_at_last;
static atomic_bool asked_at_first, asked_at_last;

SOON_TASK(follow, struct plan, int)
{
    left_at_first = soon_task_time_left_ms(task);
    asked_at_first = soon_task_cancel_requested(task);
    gate_knock(arg->gate);
    if (arg->until_late)
        test_wait_until(soon_task_time_left_ms(task) == 0);
    if (arg->until_open)
        gate_pass(arg->gate, NULL);
    asked_at_last = soon_task_cancel_requested(task);
    left_at_last = soon_task_time_left_ms(task);
    *result = 5;
    return arg->returns;
}

/* Row by row: what a task returns after its time limit, after a request, after both, after neither. */
Test(task_error, of_a_task_that_gives_in_depends_on_what_it_was_asked)
{
    static const struct {
        bool limit, request;
        int returns, code, raised;
        soon_state state;
    } rows[] = {
        {false, false, -ECANCELED, SOON_ERAISED, -ECANCELED, SOON_FINISHED},
        {false, true, -ECANCELED, -ECANCELED, 0, SOON_CANCELLED},
        {true, false, -ECANCELED, SOON_ETIMELIMIT, 0, SOON_FINISHED},
        {true, true, -ECANCELED, -ECANCELED, 0, SOON_CANCELLED},
        {false, true, 0, 0, 0, SOON_FINISHED},
        {true, false, 0, 0, 0, SOON_FINISHED},
        {true, true, 0, 0, 0, SOON_FINISHED},
        {false, true, -EIO, SOON_ERAISED, -EIO, SOON_FINISHED},
        {true, false, -EIO, SOON_ERAISED, -EIO, SOON_FINISHED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan plan = {gate_new(), rows[i].returns, rows[i].limit, true};
        soon_future *f = follow_submit(pool, &plan, &(soon_submit_options){.time_limit_ms = rows[i].limit});

        gate_await(plan.gate, 1);
        if (rows[i].request)
            cr_assert_not(soon_future_cancel(f));
        gate_open(plan.gate, 1);
        cr_assert_eq(soon_future_result(f, SOON_FOREVER, &(soon_bytes){NULL, 0}), rows[i].code, "row %zu", i);
        cr_assert_eq(asked_at_last, rows[i].limit || rows[i].request);
        cr_assert_eq(soon_future_state(f), rows[i].state);
        cr_assert_eq(soon_future_error(f)->raised, rows[i].raised);
        cr_assert_eq(soon_future_error(f)->started, rows[i].code != 0);
        soon_future_unref(f);
        gate_free(plan.gate);
    }
}

Test(task_error, by_the_time_limit_has_its_name_and_label)
{
    struct plan plan = {gate_new(), -ECANCELED, .until_late = true};
    soon_future *f;
    const soon_error *error =
        error_of(follow_submit(pool, &plan, &(soon_submit_options){.time_limit_ms = 1, .label = "long"}), &f);

    cr_assert_str_eq(error->message, soon_strerror(SOON_ETIMELIMIT));
    cr_assert_str_eq(error->function, "follow");
    cr_assert_str_eq(error->label, "long");
    soon_future_unref(f);
    gate_free(plan.gate);
}

Test(task_error, is_far_while_there_is_time_left)
{
    struct plan plan = {gate_new(), 0, .until_open = true};
    soon_future *f = follow_submit(pool, &plan, &(soon_submit_options){.time_limit_ms = 1000000});

    gate_open(plan.gate, 1);
    cr_assert_eq(outcome_of(f), 0);
    cr_assert_not(asked_at_first);
    cr_assert_leq(left_at_first, 1000000);
    cr_assert_gt(left_at_last, 0);
    cr_assert_leq(left_at_last, left_at_first);

    f = follow_submit(pool, &plan, &(soon_submit_options){.time_limit_ms = INT64_MAX});
    gate_open(plan.gate, 1);
    cr_assert_eq(outcome_of(f), 0);
    cr_assert_eq(left_at_last, SOON_FOREVER);
    gate_free(plan.gate);
}

Test(task_error, is_due_when_no_time_is_left)
{
    struct plan plan = {gate_new(), 0, .until_late = true};

    cr_assert_eq(outcome_of(follow_submit(pool, &plan, &(soon_submit_options){.time_limit_ms = 1})), 0);
    cr_assert_eq(left_at_last, 0);
    gate_free(plan.gate);
}

/* The limit counts from the start, not from the submit. */
Test(task_error, comes_not_while_a_task_waits_in_the_queue)
{
    soon_executor *one = new_pool(.workers = 1);
    struct gate gate = gate_new();
    soon_future *first = occupy_one(one, gate), *f, *expires;

    f = return_code_submit(one, NULL, &(soon_submit_options){.time_limit_ms = 1});
    expires = return_code_submit(one, NULL, &(soon_submit_options){.queue_limit_ms = 3});
    cr_assert_eq(outcome_of(expires), SOON_EEXPIRED); /* by now the limit would be over */
    gate_open(gate, 1);

    cr_assert_eq(outcome_of(first), 0);
    cr_assert_eq(outcome_of(f), 0);
    free_pool(one);
    gate_free(gate);
}

/* What ends by a shutdown is asked like any other. */
Test(task_error, by_terminate_is_a_cancellation)
{
    for (int mode = SOON_TERMINATE; mode <= SOON_KILL; mode++) {
        struct gate gate = gate_new();
        soon_executor *one = new_pool(.workers = 1);
        soon_future *f = occupy_one(one, gate);

        cr_assert_eq(soon_executor_shutdown(one, (soon_shutdown)mode, SOON_FOREVER), 0);
        cr_assert_eq(soon_future_state(f), SOON_CANCELLED);
        cr_assert(soon_future_error(f)->started);
        soon_future_unref(f);
        free_pool(one);
        gate_free(gate);
    }
}

/* Asked before it began: nothing of it runs. Many rounds, since it depends on who is first. */
Test(task_error, of_a_cancel_that_comes_at_the_start_is_never_half)
{
    for (int i = 0; i < 2000; i++) {
        soon_future *f = soon_submit(pool, return_code, 0);
        bool cancelled = soon_future_cancel(f);
        int rc = soon_result(f, &(int){0});

        cr_assert(rc == 0 || rc == -ECANCELED);
        cr_assert(!cancelled || rc == -ECANCELED);
        soon_future_unref(f);
    }
}
