/*
 * hpp_await.cc - co_await: where a coroutine goes on, with what, and that nobody resumes one that was destroyed.
 */
#include "../support/hpp_fixture.h"
#include "../support/other_loop.hpp"

#include <coroutine>
#include <memory>
#include <uv.h>
#include <vector>

/* A coroutine that runs as it is called, and is the caller's to destroy. */
struct routine {
    struct promise_type {
        routine get_return_object()
        {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_never initial_suspend()
        {
            return {};
        }
        std::suspend_always final_suspend() noexcept
        {
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };

    std::coroutine_handle<promise_type> handle;

    /* On the thread on which it goes on. */
    void end()
    {
        handle.destroy();
    }
    bool has_ended()
    {
        return handle.done();
    }
};

/* What a coroutine tells of itself: its steps may be on another thread than the test. */
struct diary {
    std::atomic<int> value{0};
    std::thread::id where;
    std::string thrown;
    counted keep;
};

template <class Awaited> static routine write(diary &diary, Awaited awaited)
{
    counted local;

    try {
        int value = co_await awaited();
        diary.where = std::this_thread::get_id();
        diary.value = value;
    } catch (const std::exception &e) {
        diary.thrown = e.what();
        diary.value = -1;
    }
}

/*
 * On the thread that completes it
 */

Test(hpp_await, goes_on_where_the_future_is_completed)
{
    busy_pool busy;
    diary diary;
    auto f = soon::submit(busy.pool, [] { return std::this_thread::get_id(); });
    auto last = soon::submit(busy.pool, [] { return 5; });
    routine r = write(
        diary, [&]() -> auto & { return last; });

    cr_assert_not(r.has_ended());
    busy.open();
    test_wait_until(diary.value == 5);
    cr_assert(diary.where == f.result());
    cr_assert_eq(last.result(), 5); /* it stays */
    busy.pool = soon::executor();   /* its worker has left the coroutine */
    cr_assert(r.has_ended());
    r.end();
}

Test(hpp_await, does_not_suspend_for_a_future_that_is_done)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] { return 6; });
    diary diary;

    test_wait_until(f.done());
    routine r = write(
        diary, [&]() -> auto & { return f; });
    cr_assert(r.has_ended());
    cr_assert_eq(diary.value, 6);
    cr_assert(diary.where == std::this_thread::get_id());
    r.end();
}

static routine take(std::unique_ptr<int> &taken, soon::future<std::unique_ptr<int>> f)
{
    taken = co_await std::move(f);
}

Test(hpp_await, moves_the_result_out_of_a_future_that_it_owns)
{
    const auto pool = soon::thread_pool({1});
    auto f = soon::submit(pool, [] { return std::make_unique<int>(4); });
    std::unique_ptr<int> taken;

    test_wait_until(f.done());
    routine r = take(taken, std::move(f));
    cr_assert(r.has_ended());
    cr_assert_eq(*taken, 4);
    r.end();
}

Test(hpp_await, throws_what_the_lambda_threw)
{
    busy_pool busy;
    auto f = soon::submit(busy.pool, []() -> int { throw std::runtime_error("thrown"); });
    diary thrown, cancelled;
    auto c = soon::submit(busy.pool, [] { return 1; });
    routine r = write(
        thrown, [&]() -> auto & { return f; });
    routine q = write(
        cancelled, [&]() -> auto & { return c; });

    c.cancel(); /* completes it, here */
    cr_assert(q.has_ended());
    cr_assert_eq(cancelled.value, -1);
    cr_assert(cancelled.thrown == soon_future_error(c.get())->message);
    busy.open();
    test_wait_until(thrown.value == -1);
    cr_assert(thrown.thrown == "thrown");
    busy.pool = soon::executor();
    r.end();
    q.end();
}

Test(hpp_await, that_is_destroyed_is_not_resumed)
{
    busy_pool busy;
    diary diary;
    auto f = soon::submit(busy.pool, [] { return 5; });
    routine r = write(
        diary, [&]() -> auto & { return f; });

    cr_assert_eq(counted::alive, 2);
    r.end();
    cr_assert_eq(counted::alive, 1);
    busy.open();
    busy.pool = soon::executor();
    cr_assert_eq(diary.value, 0);
}

/* Each is awaited while it is completed, or just before or after that: nothing is nested, and nothing is missed. */
static routine sum_up(const soon::executor &pool, int count, std::atomic<int> &sum)
{
    for (int i = 0; i < count; i++)
        sum += co_await soon::submit(pool, [] { return 1; });
}

Test(hpp_await, many_in_a_row_need_no_stack)
{
    auto pool = soon::thread_pool({2});
    const int count = test_rounds(100000);
    std::atomic<int> sum{0};
    routine r = sum_up(pool, count, sum);

    test_wait_until(sum == count);
    pool = soon::executor();
    r.end();
}

/*
 * On a loop of libuv's
 */

static uv_loop_t uv;
static soon_loop *loop;

static void open_loop()
{
    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&loop, &uv), 0);
}
static void close_loop()
{
    soon_loop_detach(loop, nullptr, nullptr);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

TestSuite(hpp_await_loop, .init = open_loop, .fini = close_loop);

Test(hpp_await_loop, goes_on_in_a_later_turn)
{
    const auto pool = soon::thread_pool({1});
    diary diary;
    auto f = soon::submit(pool, [] { return 5; });

    test_wait_until(f.done());
    routine r = write(diary, [&] { return soon::on(loop, f); });
    cr_assert_not(r.has_ended());
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert(r.has_ended());
    cr_assert_eq(diary.value, 5);
    cr_assert(diary.where == std::this_thread::get_id());
    r.end();
}

Test(hpp_await_loop, waits_as_long_as_it_takes)
{
    busy_pool busy;
    diary diary;
    routine r = write(diary, [&] { return soon::on(loop, soon::submit(busy.pool, [] { return 5; })); });

    uv_run(&uv, UV_RUN_NOWAIT);
    cr_assert_not(r.has_ended());
    busy.open();
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(diary.value, 5);
    r.end();
}

Test(hpp_await_loop, that_is_destroyed_is_not_resumed)
{
    busy_pool busy;
    diary before, between;
    auto f = soon::submit(busy.pool, [] { return 5; });
    routine r = write(before, [&] { return soon::on(loop, f); });
    routine q = write(between, [&] { return soon::on(loop, f); });

    r.end();
    busy.open();
    test_wait_until(f.done());
    q.end(); /* its turn was about to come */
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(before.value + between.value, 0);
}

Test(hpp_await_loop, that_is_detached_is_an_exception)
{
    const auto pool = soon::thread_pool({1});
    uv_loop_t other;
    soon_loop *detached;
    diary diary;
    auto f = soon::submit(pool, [] { return 5; });

    cr_assert_eq(uv_loop_init(&other), 0);
    cr_assert_eq(soon_loop_attach(&detached, &other), 0);
    soon_loop_detach(detached, nullptr, nullptr);
    routine r = write(diary, [&] { return soon::on(detached, f); });
    cr_assert(r.has_ended());
    cr_assert(diary.thrown.find("soon_future_add_done_callback_on: ") == 0);
    r.end();
    cr_assert_eq(uv_run(&other, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&other), 0);
}

Test(hpp_await_loop, goes_on_where_a_loop_of_ones_own_is_dispatched)
{
    busy_pool busy;
    soon_loop *own;
    diary diary;

    cr_assert_eq(soon_loop_new(&own), 0);
    routine r = write(diary, [&] { return soon::on(own, soon::submit(busy.pool, [] { return 5; })); });
    cr_assert_eq(soon_loop_dispatch(own, 0), 0);
    cr_assert_not(r.has_ended());
    busy.open();
    test_wait_until(soon_loop_dispatch(own, 0) == 1);
    cr_assert(r.has_ended());
    cr_assert_eq(diary.value, 5);
    cr_assert(diary.where == std::this_thread::get_id());
    r.end();
    soon_loop_detach(own, nullptr, nullptr);
    cr_assert_eq(soon_loop_dispatch(own, 0), SOON_EEND);
}

/*
 * On any other loop
 */

static void assert_none_is_alive()
{
    cr_assert_eq(counted::alive, 0);
}

TestSuite(hpp_await_other, .fini = assert_none_is_alive);

Test(hpp_await_other, goes_on_where_it_is_posted_to)
{
    busy_pool busy;
    other_loop other;
    diary now, later;
    auto f = soon::submit(busy.pool, [] { return 5; });
    routine r = write(later, [&] { return soon::on(other.poster(), f); });

    busy.open();
    test_wait_until(f.done());
    routine q = write(now, [&] { return soon::on(other.poster(), f); });
    cr_assert_not(r.has_ended());
    cr_assert_not(q.has_ended());
    for (int count = 0; count < 2; count += other.turn())
        sched_yield();
    cr_assert_eq(later.value, 5);
    cr_assert_eq(now.value, 5);
    cr_assert(later.where == std::this_thread::get_id());
    r.end();
    q.end();
    busy.pool = soon::executor(); /* its worker has let go of what was posted */
}

Test(hpp_await_other, may_be_the_thread_that_completes_it)
{
    busy_pool busy;
    diary now, later;
    auto f = soon::submit(busy.pool, [] { return 5; });
    const auto at_once = [keep = counted()](auto fn, void *data) { fn(data); };
    routine r = write(later, [&] { return soon::on(at_once, f); });

    busy.open();
    test_wait_until(later.value == 5);
    routine q = write(now, [&] { return soon::on(at_once, std::move(f)); });
    cr_assert(q.has_ended());
    cr_assert_eq(now.value, 5);
    busy.pool = soon::executor();
    r.end();
    q.end();
}

/* It is under way when the coroutine that owned it has ended. */
Test(hpp_await_other, lives_until_it_has_posted)
{
    const auto pool = soon::thread_pool({1});
    std::atomic<int> alive{-1};
    auto f = soon::submit(pool, [] { return 5; });
    diary diary;
    auto post = [&alive, keep = std::make_unique<counted>()](auto fn, void *data) {
        std::atomic<int> &said = alive;
        fn(data);
        said = counted::alive.load();
    };

    test_wait_until(f.done());
    routine r = write(diary, [&] { return soon::on(std::move(post), f); });
    cr_assert(r.has_ended());
    cr_assert_eq(alive, 2); /* the diary's, and its own */
    r.end();
}

Test(hpp_await_other, that_is_destroyed_is_not_resumed)
{
    busy_pool busy;
    other_loop other;
    diary before, between;
    auto f = soon::submit(busy.pool, [] { return 5; });
    routine r = write(before, [&] { return soon::on(other.poster(), f); });
    routine q = write(between, [&] { return soon::on(other.poster(), f); });

    r.end();
    busy.open();
    busy.pool = soon::executor(); /* by now it is posted */
    q.end();
    cr_assert_eq(other.turn(), 1);
    cr_assert_eq(before.value + between.value, 0);
}
