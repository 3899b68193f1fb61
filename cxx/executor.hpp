/**
 * @file executor.hpp
 * Executors that end with their scope, and submitting lambdas to them.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_EXECUTOR_HPP
#define SOON_CXX_EXECUTOR_HPP

#include "future.hpp"

namespace soon
{

/** @cond */
namespace detail
{

struct free_executor {
    void operator()(soon_executor *e) const noexcept
    {
        (void)soon_executor_free(e);
    }
};

} // namespace detail
/** @endcond */

/**
 * Owns an executor. Its end is soon_executor_free(): it waits until everything submitted has run. Inside the executor's
 * own tasks and callbacks, where that cannot be waited for, nothing is freed. Moved, not copied.
 */
class executor
{
  public:
    executor() noexcept = default;
    /** Takes what a C function has made. */
    explicit executor(soon_executor *taken) noexcept : handle(taken)
    {
    }

    /** For the C functions. Lent. */
    soon_executor *get() const noexcept
    {
        return handle.get();
    }

    /** Gives it away, to be freed by other means: `soon_executor_end(pool.release(), ...)` does not wait. */
    soon_executor *release() noexcept
    {
        return handle.release();
    }

    /** Whether there is one. */
    explicit operator bool() const noexcept
    {
        return handle != nullptr;
    }

  private:
    std::unique_ptr<soon_executor, detail::free_executor> handle;
};

/** `auto pool = soon::thread_pool({4});` As soon_thread_pool_new(), and throws soon::error. */
[[nodiscard]] inline executor thread_pool(const soon_thread_pool_options &options = {})
{
    soon_executor *made = nullptr;

    detail::check(soon_thread_pool_new(&made, &options));
    return executor(made);
}

/** As soon_pool_new(), for who chooses at run time; and throws soon::error. Lambdas run on threads only. */
[[nodiscard]] inline executor pool(soon_pool_kind kind, const soon_pool_options &options = {})
{
    soon_executor *made = nullptr;

    detail::check(soon_pool_new(&made, kind, &options));
    return executor(made);
}

/** As soon_process_pool_new(), and throws soon::error. main() begins with soon_init(). */
[[nodiscard]] inline executor process_pool(const soon_process_pool_options &options = {})
{
    soon_executor *made = nullptr;

    detail::check(soon_process_pool_new(&made, &options));
    return executor(made);
}

/** As soon_cluster_new(), and throws soon::error. It takes no lambdas: they share memory. */
[[nodiscard]] inline executor cluster(const soon_cluster_options &options)
{
    soon_executor *made = nullptr;

    detail::check(soon_cluster_new(&made, &options));
    return executor(made);
}

/** @cond */
namespace detail
{

inline soon_executor *handle_of(soon_executor *executor)
{
    return executor;
}

inline soon_executor *handle_of(const executor &executor)
{
    return executor.get();
}

template <class F> auto submit(soon_executor *executor, const soon_submit_options *options, F &&fn)
{
    using callable = std::decay_t<F>;
    static_assert(std::is_invocable_v<callable> || std::is_invocable_v<callable, soon_task *>,
                  "soon::submit takes what can be called with nothing, or with a soon_task *");
    closure<callable> *const made = new closure<callable>(std::forward<F>(fn));
    block *const arg = made;

    return future<value_of<callable>>(soon_submit_bytes(executor, &lambda, &arg, sizeof arg, options), made);
}

} // namespace detail
/** @endcond */

/**
 * Runs a lambda, or whatever else can be called with nothing or with a `soon_task *`, on a thread of `pool`: a
 * soon::executor or a `soon_executor *`. In it the task's functions may be used, soon_task_cancel_requested() among
 * them. What it throws is thrown by result().
 *
 * Ownership: it is moved or copied into the task, and destroyed before the future is done. What it refers to must live
 * until then: declare the pool after it.
 * Threads: any thread. Blocks as soon_submit_bytes().
 * Returns: a future of what it returns (of a reference: a copy). A submission that cannot be taken is thrown by result():
 * SOON_ELOCAL on a process pool, SOON_ESHUTDOWN, SOON_EFULL ... Throws here, with nothing submitted, what the copy
 * throws, and std::bad_alloc.
 */
template <class Pool, class F> [[nodiscard]] auto submit(const Pool &pool, F &&fn)
{
    return detail::submit(detail::handle_of(pool), nullptr, std::forward<F>(fn));
}

/** The same with options: `soon::submit(pool, {.label = "first"}, fn)` in C++20. The payload is taken, always. */
template <class Pool, class F> [[nodiscard]] auto submit(const Pool &pool, const soon_submit_options &options, F &&fn)
{
    try {
        return detail::submit(detail::handle_of(pool), &options, std::forward<F>(fn));
    } catch (...) {
        soon_buffer_unref(options.payload);
        throw;
    }
}

} // namespace soon

/** @} */
#endif
