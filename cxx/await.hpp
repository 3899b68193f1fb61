/**
 * @file await.hpp
 * co_await on a future, from C++20 on. Where the compiler has no coroutines there is nothing here.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_AWAIT_HPP
#define SOON_CXX_AWAIT_HPP

#include "future.hpp"

#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)
#include <coroutine>

namespace soon
{

/** @cond */
namespace detail
{

/*
 * Where a coroutine goes on. Each has
 *
 *     wait()        suspends it until the future is done; false: it is done, go on
 *     arrived()     it goes on
 *     take_back()   it is destroyed: if it waits, nobody resumes it
 *
 * W1  Once a callback is registered another thread may resume the coroutine, and end it. So wait() looks at nothing of
 *     its own from then on, unless something keeps that thread back.
 */

/* On the thread that completes the future, or right here if that was quicker than wait(): nothing is nested. */
class completing_thread
{
  public:
    static constexpr bool goes_elsewhere = false;

    bool wait(soon_future *future, std::coroutine_handle<> coroutine)
    {
        handle = coroutine;
        check(soon_future_add_done_callback(future, done, this));
        /* Acquire-release: whoever comes second goes on with what the first one has left; also in done(). */
        return state.exchange(SUSPENDED, std::memory_order_acq_rel) != DONE;
    }

    void arrived() noexcept
    {
        state.store(DONE, std::memory_order_relaxed); /* relaxed: nobody else looks at it */
    }

    void take_back(soon_future *future) noexcept
    {
        if (state.load(std::memory_order_relaxed) == SUSPENDED) /* relaxed: nobody resumes it meanwhile */
            (void)soon_future_remove_done_callback(future, done, this);
    }

  private:
    enum { RUNNING, SUSPENDED, DONE };

    static void done(soon_future *, void *data) noexcept
    {
        auto *const self = static_cast<completing_thread *>(data);

        if (self->state.exchange(DONE, std::memory_order_acq_rel) == SUSPENDED)
            self->handle.resume();
    }

    std::coroutine_handle<> handle;
    std::atomic<int> state{RUNNING};
};

/* On a program's loop: all but wait() is on its thread. */
class loop_thread
{
  public:
    static constexpr bool goes_elsewhere = true;

    explicit loop_thread(soon_loop *on) noexcept : loop(on)
    {
    }

    bool wait(soon_future *future, std::coroutine_handle<> coroutine)
    {
        handle = coroutine;
        if (const int rc = soon_future_add_done_callback_on(future, loop, done, this); rc < 0) {
            handle = nullptr;
            fail_with(rc);
        }
        return true;
    }

    void arrived() noexcept
    {
    }

    void take_back(soon_future *future) noexcept
    {
        if (handle)
            (void)soon_future_remove_done_callback(future, done, this);
    }

  private:
    static void done(soon_future *, void *data) noexcept
    {
        std::exchange(static_cast<loop_thread *>(data)->handle, nullptr).resume();
    }

    soon_loop *loop;
    std::coroutine_handle<> handle; /* empty: it does not wait */
};

/*
 * Where `post` takes it. Between the callback, on any thread, and the turn of that other loop the coroutine may be
 * destroyed: so what is posted is a letter, which knows whether somebody still waits for it. It is counted: by who waits,
 * by the callback, and by the loop from its posting on.
 */
template <class Post> class posted_thread
{
    struct letter;

  public:
    static constexpr bool goes_elsewhere = true;

    explicit posted_thread(Post given) : post(std::move(given))
    {
    }

    bool wait(soon_future *future, std::coroutine_handle<> coroutine)
    {
        auto made = std::make_unique<letter>(std::move(post), coroutine);

        sent = made.get();
        if (const int rc = soon_future_add_done_callback(future, done, made.get()); rc < 0) {
            sent = nullptr;
            fail_with(rc);
        }
        (void)made.release();
        return true;
    }

    void arrived() noexcept
    {
        std::exchange(sent, nullptr)->unref();
    }

    void take_back(soon_future *future) noexcept
    {
        if (!sent)
            return;
        sent->handle = nullptr;
        if (soon_future_remove_done_callback(future, done, sent))
            sent->unref();
        sent->unref();
    }

  private:
    struct letter {
        letter(Post &&given, std::coroutine_handle<> coroutine) : post(std::move(given)), handle(coroutine)
        {
        }

        void unref() noexcept
        {
            /* Acquire-release: the last one destroys what the others have used. */
            if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
                delete this;
        }

        Post post;
        std::coroutine_handle<> handle; /* the place's thread only; empty: nobody waits */
        std::atomic<int> refs{2};
    };

    static void done(soon_future *, void *data) noexcept
    {
        auto *const self = static_cast<letter *>(data);

        self->refs.fetch_add(1, std::memory_order_relaxed); /* relaxed: under a reference */
        self->post(arrive, data);
        self->unref();
    }

    static void arrive(void *data) noexcept
    {
        auto *const self = static_cast<letter *>(data);
        const std::coroutine_handle<> handle = self->handle;

        self->unref();
        if (handle)
            handle.resume();
    }

    Post post;
    letter *sent = nullptr; /* NULL: it does not wait */
};

/* `Future` is a reference, or a future that it owns. */
template <class Future, class Place> class [[nodiscard]] awaiter
{
  public:
    awaiter(Future &&future, Place &&where) : awaited(std::forward<Future>(future)), place(std::move(where))
    {
    }
    explicit awaiter(Future &&future) : awaited(std::forward<Future>(future))
    {
    }
    awaiter(const awaiter &) = delete;
    ~awaiter()
    {
        place.take_back(awaited.get());
    }

    bool await_ready() const noexcept
    {
        return !Place::goes_elsewhere && awaited.done();
    }

    /* Not inline: clang 14 would keep what is local to it in the coroutine, which may be gone before it returns. */
    __attribute__((noinline)) bool await_suspend(std::coroutine_handle<> coroutine)
    {
        return place.wait(awaited.get(), coroutine);
    }

    decltype(auto) await_resume()
    {
        place.arrived();
        return std::forward<Future>(awaited).result();
    }

  private:
    Future awaited;
    Place place;
};

} // namespace detail
/** @endcond */

/**
 * `co_await f`: result(), without a thread that waits. Goes on on the thread that completes the future: a worker, who
 * cancels it, or for a process pool the library's callback thread, which is not to be kept long. on() goes elsewhere. If it
 * is done already, nothing is suspended.
 *
 * The coroutine may be destroyed while it waits, if the future cannot be completed at that moment.
 */
template <class T> auto operator co_await(future<T> &f)
{
    return detail::awaiter<future<T> &, detail::completing_thread>(f);
}

/** The same; the result is moved out. */
template <class T> auto operator co_await(future<T> &&f)
{
    return detail::awaiter<future<T>, detail::completing_thread>(std::move(f));
}

/**
 * `co_await soon::on(loop, f)`: as `co_await f`, but goes on on the loop's thread, always in a later turn. Throws what
 * soon_future_add_done_callback_on() returns.
 *
 * On the loop's thread the coroutine may be destroyed at any time while it waits: it is not resumed then.
 */
template <class T> auto on(soon_loop *loop, future<T> &f)
{
    return detail::awaiter<future<T> &, detail::loop_thread>(f, detail::loop_thread(loop));
}

/** The same; the result is moved out. */
template <class T> auto on(soon_loop *loop, future<T> &&f)
{
    return detail::awaiter<future<T>, detail::loop_thread>(std::move(f), detail::loop_thread(loop));
}

/**
 * The same for any other loop. `post(fn, data)` has it call `fn(data)`, once, on its thread; with Asio
 * `[&](auto fn, void *data) { asio::post(io, [=] { fn(data); }); }`. It is called on the thread that completes the
 * future, and must not throw.
 */
template <class Post, class T>
requires std::is_invocable_v<Post &, void (*)(void *), void *>
auto on(Post post, future<T> &f)
{
    using place = detail::posted_thread<Post>;
    return detail::awaiter<future<T> &, place>(f, place(std::move(post)));
}

/** The same; the result is moved out. */
template <class Post, class T>
requires std::is_invocable_v<Post &, void (*)(void *), void *>
auto on(Post post, future<T> &&f)
{
    using place = detail::posted_thread<Post>;
    return detail::awaiter<future<T>, place>(std::move(f), place(std::move(post)));
}

} // namespace soon
#endif

/** @} */
#endif
