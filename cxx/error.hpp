/**
 * @file error.hpp
 * Exceptions: what has no result says why.
 *
 * @addtogroup soon_cxx
 * @{
 */
#ifndef SOON_CXX_ERROR_HPP
#define SOON_CXX_ERROR_HPP

#include "../soon.h"

#include <cerrno>
#include <stdexcept>

namespace soon
{

/** Why something has no result: what soon_error says, thrown. `what()` is its message. */
class error : public std::runtime_error
{
  public:
    /** As a future has it. */
    explicit error(const soon_error &from)
        : std::runtime_error(from.message), code_(from.code), raised_(from.raised), attempt_(from.attempt),
          started_(from.started)
    {
    }

    /** Of a call that failed. */
    error(int code, const char *message) : std::runtime_error(message), code_(code)
    {
    }

    /** SOON_ERAISED, SOON_EWORKERDIED, SOON_ESHUTDOWN ...: see soon_error. */
    int code() const noexcept
    {
        return code_;
    }

    /** With SOON_ERAISED: what the task gave to soon_raise(), or returned; else 0. */
    int raised() const noexcept
    {
        return raised_;
    }

    /** False: the task never began, so it may safely be submitted again. True where that is not known. */
    bool started() const noexcept
    {
        return started_;
    }

    /** How many tries of the task have begun; 0: none, or it is not known. */
    unsigned attempt() const noexcept
    {
        return attempt_;
    }

  private:
    int code_, raised_ = 0;
    unsigned attempt_ = 0;
    bool started_ = true;
};

/** It was cancelled. A lambda that throws it gives in to a cancel request: `throw soon::cancelled_error();` */
class cancelled_error : public error
{
  public:
    using error::error;
    /** For a lambda. */
    cancelled_error() : error(-ECANCELED, soon_strerror(-ECANCELED))
    {
    }
};

/** It was not done in time. The task goes on. */
class timeout_error : public error
{
  public:
    using error::error;
};

/** @cond */
namespace detail
{

template <class... From> [[noreturn]] void fail(int code, const From &...from)
{
    if (code == -ECANCELED)
        throw cancelled_error(from...);
    if (code == -ETIMEDOUT)
        throw timeout_error(from...);
    throw error(from...);
}

/* What the function that has just returned it has to say. */
[[noreturn]] inline void fail_with(int code)
{
    const soon_error *const last = soon_last_error();

    if (last->code == code)
        fail(code, *last);
    fail(code, code, soon_strerror(code));
}

inline void check(int code)
{
    if (code < 0)
        fail_with(code);
}

} // namespace detail
/** @endcond */

} // namespace soon

/** @} */
#endif
