/*
 * hpp_release.cc - soon.hpp: what a lambda holds, and what it returns, is destroyed once, and when; whatever becomes of it.
 */
#include "../support/hpp_fixture.h"

#include <memory>
#include <vector>

static void assert_none_is_alive()
{
    cr_assert_eq(counted::alive, 0);
}

TestSuite(hpp_release, .fini = assert_none_is_alive);

/* B1 */
Test(hpp_release, callable_is_destroyed_before_its_future_is_done)
{
    const auto pool = soon::thread_pool({1});

    for (int i = 0; i < test_rounds(1000); i++) {
        auto f = soon::submit(pool, [keep = counted()] { return 1; });
        test_wait_until(f.done());
        cr_assert_eq(counted::alive, 0);
        auto failed = soon::submit(pool, [keep = counted()] { throw 1; });
        test_wait_until(failed.done());
        cr_assert_eq(counted::alive, 0);
    }
}

struct remembers {
    std::thread::id *where;

    explicit remembers(std::thread::id *given) : where(given)
    {
    }
    remembers(remembers &&from) noexcept : where(std::exchange(from.where, nullptr))
    {
    }
    ~remembers()
    {
        if (where)
            *where = std::this_thread::get_id();
    }
};

/* B2 */
Test(hpp_release, result_is_destroyed_by_who_drops_it)
{
    const auto pool = soon::thread_pool({1});
    std::thread::id where;

    for (int i = 0; i < test_rounds(1000); i++) {
        where = {};
        {
            auto f = soon::submit(pool, [&] { return remembers(&where); });
            test_wait_until(f.done());
        }
        cr_assert(where == std::this_thread::get_id());
    }
}

/* B2: the task holds nothing of it any more, though it has not quite ended. */
Test(hpp_release, result_is_destroyed_in_the_callback_that_drops_it)
{
    struct {
        soon::future<counted> future;
        std::atomic<int> alive{-1};
    } held;
    busy_pool busy;
    soon_submit_options options = {};

    options.on_done = [](soon_future *, void *data) {
        auto *const self = static_cast<decltype(held) *>(data);
        self->future = soon::future<counted>();
        self->alive = counted::alive.load();
    };
    options.on_done_data = &held;
    held.future = soon::submit(busy.pool, options, [] { return counted(); });
    busy.open();
    test_wait_until(held.alive >= 0);
    cr_assert_eq(held.alive, 0);
}

Test(hpp_release, result_that_was_dropped_unread_is_destroyed)
{
    {
        busy_pool busy;

        for (int i = 0; i < 10; i++) {
            auto dropped = soon::submit(busy.pool, [keep = counted()] { return counted(); });
            auto thrown = soon::submit(busy.pool, [keep = counted()] { throw counted(); });
        }
        cr_assert_eq(counted::alive, 20);
    }
    assert_none_is_alive();
}

Test(hpp_release, cancelled_callable_is_destroyed_at_once)
{
    busy_pool busy;
    auto f = soon::submit(busy.pool, [keep = counted()] { return 1; });

    cr_assert_eq(counted::alive, 1);
    cr_assert(f.cancel());
    cr_assert_eq(counted::alive, 0);
    cr_assert(failure_of(f).substr(0, 10) == "cancelled:");
}

Test(hpp_release, refused_callable_is_destroyed)
{
    busy_pool busy;
    soon_submit_options senseless = {}, expires = {};
    senseless.retries = -1;
    expires.queue_limit_ms = 1;
    const auto submit = [](const auto &pool, const soon_submit_options &options) {
        return soon::submit(pool, options, [keep = counted()] { return 1; });
    };

    cr_assert(failure_of(submit(static_cast<soon_executor *>(nullptr), {})).substr(0, 7) == "EINVAL:");
    cr_assert(failure_of(submit(busy.pool, senseless)).substr(0, 7) == "EINVAL:");
    cr_assert_eq(counted::alive, 0);
    cr_assert(failure_of(submit(busy.pool, expires)).substr(0, 13) == "SOON_EEXPIRED");
    test_wait_until(counted::alive == 0); /* the loop ends it a moment later */
    cr_assert_eq(soon_executor_shutdown(busy.pool.get(), SOON_DRAIN, 0), -ETIMEDOUT);
    try {
        submit(busy.pool, {}).result();
        cr_assert_fail("it was taken");
    } catch (const soon::error &e) {
        cr_assert_eq(e.code(), SOON_ESHUTDOWN);
        cr_assert_not(e.started());
    }
    cr_assert_eq(counted::alive, 0);
}

Test(hpp_release, callable_that_ran_on_its_submitter_is_destroyed)
{
    soon_submit_options here = {};
    here.when_full = SOON_FULL_RUN_HERE;
    soon_thread_pool_options bounded = {};
    bounded.workers = 1;
    bounded.queue_max = 1;
    gate door = gate_new();
    auto pool = soon::thread_pool(bounded);
    auto held = soon::submit(pool, [=](soon_task *task) { return gate_pass(door, task); });

    gate_await(door, 1);
    auto queued = soon::submit(pool, [] { return 1; });
    auto f = soon::submit(pool, here, [keep = counted()] { return std::this_thread::get_id(); });
    cr_assert(f.done());
    cr_assert_eq(counted::alive, 0);
    cr_assert(f.result() == std::this_thread::get_id());
    gate_open(door, 1);
    pool = soon::executor();
    gate_free(door);
}

Test(hpp_release, future_outlives_its_pool)
{
    auto pool = soon::thread_pool({2});
    auto value = soon::submit(pool, [] { return std::make_unique<counted>(); });
    auto thrown = soon::submit(pool, [] { throw std::runtime_error("later"); });

    pool = soon::executor();
    cr_assert(value.result());
    cr_assert(failure_of(thrown) == "later");
}

/* Which copy or move, from now on, throws; 0: none. */
struct throws {
    static inline int left = 0;
    counted keep;

    throws() = default;
    throws(const throws &)
    {
        count();
    }
    throws(throws &&)
    {
        count();
    }
    static void count()
    {
        if (left && --left == 0)
            throw std::runtime_error("no copy");
    }
};

Test(hpp_release, callable_that_cannot_be_copied_is_not_submitted)
{
    const auto pool = soon::thread_pool({1});
    const auto fn = [keep = throws()] { return 1; };
    soon_submit_options options = {};
    soon_buffer *buffer;
    soon_stats stats;

    cr_assert_eq(soon_buffer_new(&buffer, 10), 0);
    options.payload = soon_buffer_ref(buffer);
    throws::left = 1;
    cr_assert(thrown_by([&] { return soon::submit(pool, fn); }) == "no copy");
    throws::left = 1;
    cr_assert(thrown_by([&] { return soon::submit(pool, options, fn); }) == "no copy");
    cr_assert_eq(soon_buffer_resize(buffer, 20), 0); /* there is no other reference */
    soon_buffer_unref(buffer);
    soon_executor_stats(pool.get(), &stats);
    cr_assert_eq(stats.submitted, 0);
    cr_assert_eq(counted::alive, 1);
}

Test(hpp_release, result_that_cannot_be_copied_is_an_exception_of_the_task)
{
    const auto pool = soon::thread_pool({1});
    const throws original;

    throws::left = 1;
    cr_assert(failure_of(soon::submit(pool, [&]() -> const throws & { return original; })) == "no copy");
    cr_assert_eq(counted::alive, 1);
}

Test(hpp_release, result_that_cannot_be_moved_out_stays)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] { return throws(); });

    cr_assert(f.wait_for(std::chrono::hours(1)));
    throws::left = 1;
    cr_assert(thrown_by([&] { return std::move(f).result(), 0; }) == "no copy");
    cr_assert(f);
    const throws moved = std::move(f).result();
    cr_assert_not(f);
    cr_assert_eq(counted::alive, 1);
}

/* It needs to be neither copied nor moved. */
Test(hpp_release, result_is_made_where_it_stays)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] { return std::atomic<int>(5); });

    cr_assert_eq(f.result(), 5);
}

/* An executor of the program's own, which answers in the body's stead. */
static int answer(void *, soon_call *call, bool)
{
    const soon_none none = {};

    soon_promise_set_running(soon_call_promise(call));
    soon_promise_set_result(soon_call_promise(call), &none, sizeof none);
    soon_call_free(call);
    return 0;
}

/* B4 */
Test(hpp_release, executor_that_answers_itself_gives_no_result)
{
    soon_executor_class klass = {};
    soon_executor *made = nullptr;

    klass.size = sizeof klass;
    klass.submit = answer;
    klass.shutdown = [](void *, soon_shutdown, soon_promise *down) {
        return soon_promise_set_result(down, nullptr, 0);
    };
    cr_assert_eq(soon_executor_new(&made, &klass, nullptr), 0);
    const soon::executor executor(made);
    auto f = soon::submit(executor, [keep = counted()] { return counted(); });

    cr_assert(f.done());
    cr_assert_eq(counted::alive, 0);
    cr_assert(failure_of(f).substr(0, 10) == "SOON_ETYPE");
}
