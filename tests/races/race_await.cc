/*
 * race_await.cc - co_await while the future is completed, in each order.
 */
#include "../support/hpp_fixture.h"
#include "../support/other_loop.hpp"

#include <coroutine>

/* A coroutine that ends by itself. */
struct detached {
    struct promise_type {
        detached get_return_object()
        {
            return {};
        }
        std::suspend_never initial_suspend()
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
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
};

static void spin(int count)
{
    for (int i = 0; i < count; i++)
        __asm__ __volatile__("" ::: "memory");
}

/* W1: it may be gone before wait() has returned. */
static detached await_here(const soon::executor &pool, int delay, std::atomic<int> &ended)
{
    counted local;
    auto f = soon::submit(pool, [] { return 1; });

    spin(delay);
    ended += co_await f;
}

Test(race_await, each_is_resumed_once)
{
    {
        const auto pool = soon::thread_pool({2});
        const int rounds = test_rounds(200000);
        std::atomic<int> ended{0};

        for (int i = 0; i < rounds; i++)
            await_here(pool, i % 1000, ended);
        test_wait_until(ended == rounds);
    }
    cr_assert_eq(counted::alive, 0);
}

static std::coroutine_handle<> waiting;

struct note_itself {
    bool await_ready()
    {
        return false;
    }
    bool await_suspend(std::coroutine_handle<> self)
    {
        waiting = self;
        return false; /* goes on */
    }
    void await_resume()
    {
    }
};

static detached await_there(const soon::executor &pool, other_loop &loop, bool &ended)
{
    counted local;

    co_await note_itself();
    co_await soon::on(loop.poster(), soon::submit(pool, [] { return 1; }));
    waiting = nullptr;
    ended = true;
}

/* Destroyed on its loop's thread, before the callback, while it posts, or when it has. */
Test(race_await, one_that_is_destroyed_is_not_resumed)
{
    {
        auto pool = soon::thread_pool({2});
        other_loop loop;
        int count = 0;

        for (int i = 0; i < test_rounds(100000); i++) {
            bool ended = false;
            await_there(pool, loop, ended);
            spin(i % 2000);
            if (i % 3 == 0)
                loop.turn();
            if (!ended)
                waiting.destroy();
            count += ended;
        }
        pool = soon::executor();
        loop.turn();
        cr_assert(count >= 0);
    }
    cr_assert_eq(counted::alive, 0);
}
