/**
 * @file soon.hpp
 * The same from C++17 on, header-only: lambdas on threads, owners that release by themselves, results that throw, and
 * co_await in C++20. No more: all of soon.h may be used beside it, and `get()` gives the C handle.
 */
#ifndef SOON_HPP
#define SOON_HPP

#if __cplusplus < 201703L
#error "soon.hpp needs C++17 or newer; soon.h needs C++11"
#endif

#include "soon.h"

#include "cxx/await.hpp"
#include "cxx/error.hpp"
#include "cxx/executor.hpp"
#include "cxx/future.hpp"
#include "cxx/lambda.hpp"
#include "cxx/progress_bar.hpp"

/** The library for C++. */
namespace soon
{
}

#endif
