/*
 * hpp.cc - soon.hpp: what lambdas return and throw, typed futures, executors.
 */
#include "../support/hpp_fixture.h"

#include <functional>
#include <memory>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;

struct pair {
    int x, y;
};

SOON_TASK(mul, pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(divide, pair, int)
{
    if (arg->y == 0)
        return soon_raise(task, EDOM, "division of %d by zero", arg->x);
    *result = arg->x / arg->y;
    return 0;
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

static int seven()
{
    return 7;
}

Test(hpp, lambda_returns_what_it_returns)
{
    const auto pool = soon::thread_pool({2});
    int number = 5, &reference = number;
    bool ran = false;

    cr_assert_eq(soon::submit(pool, [] { return 42; }).result(), 42);
    cr_assert(soon::submit(pool, [] { return std::string(1000, 'x'); }).result() == std::string(1000, 'x'));
    cr_assert_eq(*soon::submit(pool, [] { return std::make_unique<int>(6); }).result(), 6);
    cr_assert_eq(soon::submit(pool, [&]() -> int & { return reference; }).result(), 5);
    soon::submit(pool, [&] { ran = true; }).result();
    cr_assert(ran);
}

Test(hpp, all_that_can_be_called_can_be_submitted)
{
    const auto pool = soon::thread_pool({2});
    const auto named = [](int x) { return x + 1; };
    std::function<int()> function = [] { return 8; };
    auto once = [p = std::make_unique<int>(9)]() mutable { return std::move(p); };

    cr_assert_eq(soon::submit(pool, seven).result(), 7);
    cr_assert_eq(soon::submit(pool, &seven).result(), 7);
    cr_assert_eq(soon::submit(pool, function).result(), 8);
    cr_assert_eq(soon::submit(pool, std::bind(named, 4)).result(), 5);
    cr_assert_eq(*soon::submit(pool, std::move(once)).result(), 9);
}

Test(hpp, result_stays_in_the_future_until_it_is_moved_out)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] { return std::make_unique<int>(3); });

    cr_assert_eq(*f.result(), 3);
    cr_assert_eq(*f.result_within(1h), 3);
    cr_assert(f.done());
    std::unique_ptr<int> moved = std::move(f).result();
    cr_assert_eq(*moved, 3);
    cr_assert_not(f);
    cr_assert(failure_of(f).substr(0, 7) == "EINVAL:");
}

struct odd : std::runtime_error {
    explicit odd(int given) : std::runtime_error("odd"), number(given)
    {
    }
    int number;
};

Test(hpp, what_a_lambda_throws_is_thrown_by_result)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] {
        throw odd(7);
        return 0;
    });
    int caught = 0;

    for (int i = 0; i < 2; i++) {
        try {
            f.result();
        } catch (const odd &e) {
            caught += e.number;
        }
    }
    cr_assert_eq(caught, 14);
    try {
        soon::submit(pool, [] { throw 5; }).result();
    } catch (int number) {
        caught = number;
    }
    cr_assert_eq(caught, 5);
}

/* raised, message. */
template <class F> static void assert_raises(const soon::executor &pool, F fn, int raised, const char *message)
{
    auto f = soon::submit(pool, fn);

    cr_assert_eq(soon_future_wait(f.get(), SOON_FOREVER), 0);
    cr_assert_eq(soon_future_error(f.get())->code, SOON_ERAISED);
    cr_assert_eq(soon_future_error(f.get())->raised, raised);
    cr_assert_str_eq(soon_future_error(f.get())->message, message);
}

Test(hpp, what_a_lambda_throws_is_an_error_for_c)
{
    const auto pool = soon::thread_pool({1});
    const std::string denied = std::generic_category().message(EACCES);

    assert_raises(
        pool, [] { throw odd(7); }, 0, "odd");
    assert_raises(
        pool, [] { throw std::bad_alloc(); }, ENOMEM, "std::bad_alloc");
    assert_raises(
        pool, [] { throw std::system_error(EACCES, std::generic_category()); }, EACCES, denied.c_str());
    assert_raises(
        pool, [] { throw soon::error(SOON_EFULL, "full"); }, SOON_EFULL, "full");
    assert_raises(
        pool, [] { throw 5; }, 0, "an exception that is no std::exception");
    assert_raises(
        pool, [&] { soon::future<int>(soon_submit(pool.get(), divide, 6, 0)).result(); }, EDOM,
        "division of 6 by zero");
    assert_raises(
        pool, [] { throw soon::cancelled_error(); }, -ECANCELED, soon_strerror(-ECANCELED));
}

Test(hpp, exception_that_nobody_reads_is_heard_of)
{
    std::string heard;

    soon_on_unhandled([](const soon_error *e, void *text) { *static_cast<std::string *>(text) += e->message; }, &heard);
    {
        const auto pool = soon::thread_pool({1});
        auto unread = soon::submit(pool, [] { throw odd(1); });
        auto read = soon::submit(pool, [] { throw std::runtime_error("read"); });

        cr_assert(failure_of(read) == "read");
        cr_assert(unread.wait_for(1h));
    }
    soon_on_unhandled(nullptr, nullptr);
    cr_assert(heard == "odd");
}

Test(hpp, lambda_is_given_its_task)
{
    const auto pool = soon::thread_pool({2});
    gate door = gate_new();
    auto f = soon::submit(pool, [=](soon_task *task) {
        soon_task_set_progress(task, 3, 4);
        if (gate_pass(door, task) < 0)
            throw soon::cancelled_error();
        return 1;
    });
    auto nested = soon::submit(
        pool, [](soon_task *task) { return soon::submit(soon_task_executor(task), [] { return 2; }).result(); });

    gate_await(door, 1);
    cr_assert_eq(soon_future_progress(f.get()).done, 3);
    cr_assert_not(f.cancel());
    cr_assert(failure_of(f) == "cancelled: cancelled while it ran");
    cr_assert(soon_future_cancelled(f.get()));
    cr_assert_eq(nested.result(), 2);
    gate_free(door);
}

Test(hpp, lambda_that_gives_in_after_its_time_limit_has_that_error)
{
    const auto pool = soon::thread_pool({1});
    soon_submit_options options = {};
    options.time_limit_ms = 1;
    auto f = soon::submit(pool, options, [](soon_task *task) {
        test_wait_until(soon_task_cancel_requested(task));
        throw soon::cancelled_error();
    });

    cr_assert(failure_of(f) == std::string("SOON_ETIMELIMIT: ") + soon_strerror(SOON_ETIMELIMIT));
}

Test(hpp, submit_takes_options)
{
    const auto pool = soon::thread_pool({1});
    soon_submit_options options = {};
    soon_buffer *buffer;

    cr_assert_eq(soon_buffer_new(&buffer, 100), 0);
    options.label = "from a lambda";
    options.payload = buffer;
    auto f = soon::submit(pool, options, [](soon_task *task) {
        return std::string(soon_task_label(task)) + std::to_string(soon_buffer_size(soon_task_payload(task)));
    });

    cr_assert(f.result() == "from a lambda100");
    cr_assert_str_eq(soon_future_label(f.get()), "from a lambda");
}

Test(hpp, time_that_is_over_is_an_exception_of_its_own)
{
    busy_pool busy;
    auto f = soon::submit(busy.pool, [] { return 1; });

    cr_assert(thrown_by([&] { return f.result_within(0s); }).substr(0, 8) == "timeout:");
    cr_assert(thrown_by([&] { return std::move(f).result_within(100us); }).substr(0, 8) == "timeout:");
    cr_assert_not(f.wait_for(1us));
    busy.open();
    cr_assert(f.wait_for(std::chrono::hours::max()));
    cr_assert_eq(std::move(f).result_within(0s), 1);
}

Test(hpp, futures_of_c_functions_have_types)
{
    const auto pool = soon::thread_pool({1});
    soon::future product(soon_submit(pool.get(), mul, 6, 7), mul_get);
    soon::future none(soon_submit(pool.get(), nothing), nothing_get);
    soon::future<int> by_size(soon_submit(pool.get(), mul, 2, 3));
    soon::future<pair> too_large(soon_submit(pool.get(), mul, 2, 3));
    soon::future<float> of_another_kind(soon_submit(pool.get(), mul, 2, 3));
    soon::future<void> ignored(soon_submit(pool.get(), mul, 2, 3));
    soon::future another(soon_submit(pool.get(), mul, 6, 7), divide_get);
    soon::future failed(soon_submit(pool.get(), divide, 6, 0), divide_get);

    static_assert(std::is_same_v<decltype(product), soon::future<int>>);
    static_assert(std::is_same_v<decltype(none), soon::future<void>>);
    cr_assert_eq(product.result(), 42);
    cr_assert_eq(std::move(product).result(), 42);
    cr_assert_not(product);
    none.result();
    cr_assert_eq(by_size.result(), 6);
    cr_assert(failure_of(too_large).substr(0, 11) == "SOON_ETYPE:");
    cr_assert(failure_of(of_another_kind).find("the result of mul is int") != std::string::npos);
    cr_assert(failure_of(another).substr(0, 11) == "SOON_ETYPE:");
    ignored.result();
    cr_assert(failure_of(failed) == "SOON_ERAISED: division of 6 by zero");
    try {
        failed.result();
    } catch (const soon::error &e) {
        cr_assert_eq(e.raised(), EDOM);
        cr_assert(e.started());
        cr_assert_eq(e.attempt(), 1u);
    }
}

Test(hpp, executor_is_moved_and_given_away)
{
    soon::executor empty, pool = soon::thread_pool({1});

    cr_assert_not(empty);
    empty = std::move(pool);
    cr_assert(empty);
    cr_assert_not(pool);
    cr_assert_eq(soon::submit(empty, seven).result(), 7);
    cr_assert_eq(soon_executor_free(empty.release()), 0);
    cr_assert_not(empty);
}

Test(hpp, futures_of_lambdas_can_be_gathered)
{
    const auto pool = soon::thread_pool({2});
    auto good = soon::submit(pool, [] { return 1; });
    auto bad = soon::submit(pool, [] { throw odd(3); });
    soon_future *handles[] = {good.get(), bad.get()};
    soon::future<void> first(soon_gather(handles, 1)), all(soon_gather(handles, 2));

    first.result();
    cr_assert(failure_of(all) == "SOON_ERAISED: odd");
}

Test(hpp, executor_that_cannot_be_made_throws)
{
    const std::string of_threads = thrown_by([] { return soon::thread_pool({-1}); });

    cr_assert(of_threads.find(".workers = -1 is negative") != std::string::npos);
    cr_assert(thrown_by([] { return soon::process_pool({-1}); }).substr(0, 8) == "EINVAL: ");
    cr_assert(thrown_by([] { return soon::cluster({""}); }).substr(0, 8) == "EINVAL: ");
    cr_assert(thrown_by([] { return soon::pool(SOON_THREADS, {-1}); }).substr(0, 8) == "EINVAL: ");
}

Test(hpp, lambda_is_refused_by_a_process_pool_with_words)
{
    if (!test_has_processes())
        return cr_skip_test("there is no pidfd_open() here");
    const auto pool = soon::pool(SOON_PROCESSES, {1});
    auto f = soon::submit(pool, [keep = counted()] { return 1; });

    cr_assert(f.done());
    cr_assert_eq(counted::alive, 0);
    cr_assert(failure_of(f) == "SOON_ELOCAL: a lambda cannot run in another process: give it to a thread pool, or make "
                               "it a SOON_TASK");
    cr_assert_eq(soon::future(soon_submit(pool.get(), mul, 6, 7), mul_get).result(), 42);
}

Test(hpp, a_progress_bar_ends_with_its_scope)
{
    const auto pool = soon::thread_pool({2});
    const int fd = memfd_create("lines", MFD_CLOEXEC);
    soon_progress_bar_options options;
    char line[256] = "";

    options.label = "seven";
    options.fd = fd;
    {
        soon::progress_bar bar(options), empty;
        auto f = soon::submit(pool, seven);
        cr_assert(bar.add(f));
        f.result();
        bar.update();
        cr_assert(static_cast<bool>(bar));
        cr_assert_not(static_cast<bool>(empty));
        empty.update();
    }
    cr_assert_gt(pread(fd, line, sizeof line - 1, 0), 0);
    cr_assert(std::string(line).rfind("seven: ", 0) == 0);
    close(fd);
    options.fd = -1;
    cr_assert_not(static_cast<bool>(soon::progress_bar(options)));
}
