/**
 * @file lambda.hpp
 * What a lambda is to the library: a function that shares memory with its caller.
 *
 * A lambda and its result share one block, of which the task and the future each hold a reference:
 *
 *     submitted --run--> a value, or what it threw      the task lets go of it before the future is done
 *         |
 *         +--cancelled, refused, expired--> neither     free_arg lets go of it
 *
 * B1  The task owns the callable, and destroys it once: on the worker when it has run, else in free_arg(). Its argument
 *     is a pointer to the block in memory of the call's own, and NULL as soon as the body has taken it.
 * B2  So whoever sees the future done is the only owner of the block: a result is destroyed where its reader drops it.
 * B3  No exception leaves a body. What a lambda throws is kept in the block before the future fails.
 * B4  What a block holds is written before `kind` and read after it: an executor of the program's own may end a future
 *     without its body, or before that has returned.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_LAMBDA_HPP
#define SOON_CXX_LAMBDA_HPP

#include "error.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace soon
{

/** @cond */
namespace detail
{

/* In a handler: tells the library of the exception. What the body returns. */
inline int describe(soon_task *task) noexcept
{
    try {
        throw;
    } catch (const cancelled_error &) {
        return -ECANCELED;
    } catch (const error &e) {
        return soon_raise(task, e.code() == SOON_ERAISED ? e.raised() : e.code(), "%s", e.what());
    } catch (const std::system_error &e) {
        return soon_raise(task, e.code().value(), "%s", e.what());
    } catch (const std::bad_alloc &e) {
        return soon_raise(task, ENOMEM, "%s", e.what());
    } catch (const std::exception &e) {
        return soon_raise(task, 0, "%s", e.what());
    } catch (...) {
        return soon_raise(task, 0, "an exception that is no std::exception");
    }
}

/* What the library sees of a block. */
class block
{
  public:
    block() = default;
    block(const block &) = delete;

    virtual int run(soon_task *task) noexcept = 0;
    virtual void drop() noexcept = 0; /* the callable, which will never run */

    void unref() noexcept
    {
        /* Acquire-release: the last one destroys what the other has written. */
        if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }

  protected:
    virtual ~block() = default;

  private:
    std::atomic<int> refs{2}; /* the task and the future */
};

inline int run_block(soon_task *task, const void *arg, void *)
{
    block *const taken = std::exchange(*static_cast<block **>(const_cast<void *>(arg)), nullptr); /* B1 */
    const int rc = taken->run(task);

    taken->unref(); /* B2 */
    return rc;
}

inline void free_block(void *arg)
{
    block *const left = *static_cast<block **>(arg);

    if (!left)
        return;
    left->drop();
    left->unref();
}

constexpr soon_function lambda_function()
{
    soon_function function = {};

    function.name = "soon::submit";
    function.body = run_block;
    function.arg_size = sizeof(block *);
    function.result_size = sizeof(soon_none);
    function.arg_type = function.result_type = "";
    function.flags = SOON_FUNCTION_LOCAL;
    function.free_arg = free_block;
    return function;
}

inline constexpr soon_function lambda = lambda_function();

struct nothing {
};

/* The half that the future knows. `nothing` stands for void. */
template <class T> class outcome : public block
{
  public:
    /* NULL: none, or not yet. */
    T *value() noexcept
    {
        return holds(VALUE) ? &value_ : nullptr;
    }

    /* Returns if nothing was thrown, or not yet. */
    void rethrow() const
    {
        if (holds(EXCEPTION))
            std::rethrow_exception(thrown);
    }

  protected:
    outcome()
    {
    }
    ~outcome() override
    {
        if (holds(VALUE))
            value_.~T();
    }

    template <class F> int keep(F &&make, soon_task *task) noexcept
    {
        try {
            ::new (static_cast<void *>(std::addressof(value_))) T(make());
            kind.store(VALUE, std::memory_order_release);
            return 0;
        } catch (...) {
            thrown = std::current_exception();
            kind.store(EXCEPTION, std::memory_order_release);
            return describe(task); /* B3 */
        }
    }

  private:
    enum content { NEITHER, VALUE, EXCEPTION };

    bool holds(content wanted) const noexcept
    {
        return kind.load(std::memory_order_acquire) == wanted; /* B4: pairs with the releases in keep() */
    }

    std::atomic<content> kind{NEITHER};
    std::exception_ptr thrown;
    union {
        T value_;
    };
};

template <class F> decltype(auto) call(F &fn, [[maybe_unused]] soon_task *task)
{
    if constexpr (std::is_invocable_v<F, soon_task *>)
        return std::invoke(std::move(fn), task);
    else
        return std::invoke(std::move(fn));
}

template <class F> using value_of = std::decay_t<decltype(call(std::declval<F &>(), nullptr))>;
template <class T> using stored = std::conditional_t<std::is_void_v<T>, nothing, T>;

template <class F> class closure final : public outcome<stored<value_of<F>>>
{
  public:
    template <class From> explicit closure(From &&from) : fn(std::in_place, std::forward<From>(from))
    {
    }

    int run(soon_task *task) noexcept override
    {
        const int rc = this->keep(
            [&]() -> decltype(auto) {
                if constexpr (std::is_void_v<value_of<F>>)
                    return call(*fn, task), nothing();
                else
                    return call(*fn, task);
            },
            task);

        fn.reset();
        return rc;
    }

    void drop() noexcept override
    {
        fn.reset();
    }

  private:
    std::optional<F> fn;
};

struct unref_block {
    void operator()(block *b) const noexcept
    {
        b->unref();
    }
};

} // namespace detail
/** @endcond */

} // namespace soon

/** @} */
#endif
