/**
 * @file future.hpp
 * A future that knows the type of its result.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_FUTURE_HPP
#define SOON_CXX_FUTURE_HPP

#include "lambda.hpp"

#include <chrono>

namespace soon
{

/** @cond */
namespace detail
{

struct unref_future {
    void operator()(soon_future *f) const noexcept
    {
        soon_future_unref(f);
    }
};

template <class R> using get_fn = int (*)(soon_future *, int64_t, R *);
template <class T> using read_as = std::conditional_t<std::is_void_v<T>, soon_none, T>;

/* Rounded up. From ten thousand years on: for ever. */
template <class Rep, class Period> int64_t to_ms(std::chrono::duration<Rep, Period> time)
{
    const double ms = std::chrono::duration<double, std::milli>(time).count();

    if (ms >= 4e14)
        return SOON_FOREVER;
    return ms <= 0 ? 0 : static_cast<int64_t>(ms) + (static_cast<double>(static_cast<int64_t>(ms)) < ms);
}

} // namespace detail
/** @endcond */

/**
 * Owns a reference to a future, and knows the type of its result. Moved, not copied: it has one reader, who may take the
 * result out. To drop it cancels nothing, and waits for nothing.
 *
 * Threads: as any object, one at a time; done(), cancel() and what `get()` is good for, many at once.
 */
template <class T> class [[nodiscard]] future
{
  public:
    /** `const T &`; void for void. */
    using reference = std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>>;

    future() noexcept = default;

    /** Takes a future of the C API, to be read as soon_result() does for a T. future<void> reads no result. */
    explicit future(soon_future *taken) noexcept : handle(taken)
    {
        static_assert(std::is_void_v<T> || std::is_trivially_copyable_v<T>, "results of C functions are plain bytes");
    }

    /** The same for a function that SOON_TASK made: `soon::future f(soon_submit(pool, add, 6, 7), add_get);` */
    future(soon_future *taken, detail::get_fn<detail::read_as<T>> reader) noexcept : handle(taken), typed_get(reader)
    {
    }

    /**
     * Waits for the result. Throws what the lambda threw; else soon::error, cancelled_error among them.
     *
     * Ownership: it stays in the future. That of a future that is about to go, `std::move(f).result()` or
     * `soon::submit(pool, fn).result()`, is moved out, and the future is empty then.
     */
    reference result() const &
    {
        return read(SOON_FOREVER);
    }

    /** The same, moved out. */
    T result() &&
    {
        return take(SOON_FOREVER);
    }

    /** As result(), and throws soon::timeout_error where it is not done in time. */
    template <class Rep, class Period> reference result_within(std::chrono::duration<Rep, Period> timeout) const &
    {
        return read(detail::to_ms(timeout));
    }

    /** The same, moved out. */
    template <class Rep, class Period> T result_within(std::chrono::duration<Rep, Period> timeout) &&
    {
        return take(detail::to_ms(timeout));
    }

    /** Waits so long, however it ends. Returns whether it is done. Throws soon::error where it could never be. */
    template <class Rep, class Period> bool wait_for(std::chrono::duration<Rep, Period> timeout) const
    {
        const int rc = soon_future_wait(get(), detail::to_ms(timeout));

        if (rc != -ETIMEDOUT)
            detail::check(rc);
        return rc == 0;
    }

    /** As soon_future_done(). */
    bool done() const noexcept
    {
        return soon_future_done(get());
    }

    /** As soon_future_cancel(). A lambda that takes a soon_task * hears of it. */
    bool cancel() noexcept
    {
        return soon_future_cancel(get());
    }

    /** For the C functions. Lent. */
    soon_future *get() const noexcept
    {
        return handle.get();
    }

    /** Whether there is one. */
    explicit operator bool() const noexcept
    {
        return handle != nullptr;
    }

    /** @cond */
    future(soon_future *taken, detail::outcome<detail::stored<T>> *known) noexcept : handle(taken), outcome(known)
    {
    }
    /** @endcond */

  private:
    std::unique_ptr<soon_future, detail::unref_future> handle;
    std::unique_ptr<detail::outcome<detail::stored<T>>, detail::unref_block> outcome; /* NULL: the C API's */
    detail::get_fn<detail::read_as<T>> typed_get = nullptr;

    [[noreturn]] void fail(int code) const
    {
        soon_error told = {};

        if (handle)
            told = *soon_future_error(get());
        if (outcome && code == SOON_ERAISED)
            outcome->rethrow();
        if (told.code != code)
            detail::fail_with(code);
        if (outcome && code == SOON_ELOCAL)
            told.message = "a lambda cannot run in another process: give it to a thread pool, or make it a SOON_TASK";
        detail::fail(code, told);
    }

    /* Of one that is done with a result of the C API's. */
    int check_type() const
    {
        alignas(detail::read_as<T>) unsigned char copy[sizeof(detail::read_as<T>)];
        [[maybe_unused]] auto *const into = reinterpret_cast<detail::read_as<T> *>(copy);

        if (typed_get)
            return typed_get(get(), 0, into);
        if constexpr (!std::is_void_v<T>)
            return soon_result_within(get(), 0, into);
        return 0;
    }

    /* The result; for void, whatever. */
    detail::stored<T> *find(int64_t timeout_ms) const
    {
        soon_bytes bytes = {nullptr, 0};
        void *found = nullptr;
        int rc = soon_future_result(get(), timeout_ms, &bytes);

        if (rc == 0 && outcome) {
            found = outcome->value();
            rc = found ? 0 : SOON_ETYPE; /* B4 */
        } else if (rc == 0) {
            found = const_cast<void *>(bytes.data);
            rc = check_type();
        }
        if (rc < 0)
            fail(rc);
        return static_cast<detail::stored<T> *>(found);
    }

    reference read(int64_t timeout_ms) const
    {
        detail::stored<T> *const value = find(timeout_ms);

        if constexpr (!std::is_void_v<T>)
            return *value;
        else
            (void)value;
    }

    T take(int64_t timeout_ms)
    {
        detail::stored<T> *const value = find(timeout_ms);

        if constexpr (std::is_void_v<T>) {
            (void)value;
            *this = future();
        } else {
            T moved(std::move(*value));
            *this = future();
            return moved;
        }
    }
};

/** soon_none is void. */
template <class R>
future(soon_future *, int (*)(soon_future *, int64_t, R *))
    -> future<std::conditional_t<std::is_same_v<R, soon_none>, void, R>>;

} // namespace soon

/** @} */
#endif
