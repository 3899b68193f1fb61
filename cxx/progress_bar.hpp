/**
 * @file progress_bar.hpp
 * A progress bar that ends with its scope.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_PROGRESS_BAR_HPP
#define SOON_CXX_PROGRESS_BAR_HPP

#include "future.hpp"

#include <memory>

namespace soon
{

/** @cond */
namespace detail
{

struct free_progress_bar {
    void operator()(soon_progress_bar *bar) const noexcept
    {
        soon_progress_bar_free(bar);
    }
};

} // namespace detail
/** @endcond */

/**
 * Owns a progress bar. Its end is soon_progress_bar_free(), also when an exception leaves the scope. A bar never makes
 * a program fail: one that cannot be made is empty, and then nobody sees it. Moved, not copied.
 */
class progress_bar
{
  public:
    /** An empty one. */
    progress_bar() noexcept = default;

    /** `soon::progress_bar bar({.label = "hash"});` in C++20. */
    explicit progress_bar(const soon_progress_bar_options &options) noexcept
    {
        soon_progress_bar *made = nullptr;

        (void)soon_progress_bar_new(&made, &options);
        handle.reset(made);
    }

    /** For the C functions, which take NULL. Lent. */
    soon_progress_bar *get() const noexcept
    {
        return handle.get();
    }

    /** Whether there is one. */
    explicit operator bool() const noexcept
    {
        return handle != nullptr;
    }

    /** As soon_progress_bar_add(). Returns whether the future will be counted. */
    template <class T> bool add(const future<T> &f) const noexcept
    {
        return soon_progress_bar_add(get(), f.get()) == 0;
    }

    /** As soon_progress_bar_update(). */
    void update(uint64_t count = 1) const noexcept
    {
        soon_progress_bar_update(get(), count);
    }

  private:
    std::unique_ptr<soon_progress_bar, detail::free_progress_bar> handle;
};

} // namespace soon

/** @} */
#endif
