/*
 * cxx17.cc - the library from C++17: positional arguments, lambdas as callbacks, owners with destructors, a map over a
 * vector.
 */
#include <soon.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#define must(condition)                                                                                                \
    ((condition) ? (void)0                                                                                             \
                 : (std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), std::exit(1)))

struct unref {
    void operator()(soon_future *future) const
    {
        soon_future_unref(future);
    }
};
using future = std::unique_ptr<soon_future, unref>;

struct shut {
    void operator()(soon_executor *executor) const
    {
        must(soon_executor_free(executor) == 0);
    }
};
using executor = std::unique_ptr<soon_executor, shut>;

struct add {
    double seconds;
    int x, y;
};

SOON_TASK(slow_add, add, int)
{
    if (arg->x < 0)
        return soon_raise(task, EDOM, "x must not be negative, got %d", arg->x);
    *result = arg->x + arg->y;
    return 0;
}

SOON_TASK(fib, int, long)
{
    long a, b;

    if (*arg < 2) {
        *result = *arg;
        return 0;
    }
    soon_future *first = soon_submit(soon_task_executor(task), fib, *arg - 1);
    soon_future *second = soon_submit(soon_task_executor(task), fib, *arg - 2);
    if (soon_take(first, &a) < 0 || soon_take(second, &b) < 0)
        return soon_raise(task, 1, nullptr);
    *result = a + b;
    return 0;
}

/* Pointers stay in this process: a C++ object may travel in them. */
using words = std::vector<std::string> *;
static void free_words(void *arg)
{
    delete *static_cast<words *>(arg);
}

SOON_TASK_LOCAL(join, words, std::size_t, free_words, nullptr)
{
    std::string all;

    for (const std::string &word : **arg)
        all += word;
    *result = all.size();
    return 0;
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

static executor make(int workers)
{
    soon_thread_pool_options options = {};
    soon_executor *made;

    options.workers = workers;
    must(soon_thread_pool_new(&made, &options) == 0);
    return executor(made);
}

int main(int argc, char **argv)
{
    must(soon_init(argc, argv) == 0);
    executor pool = make(2);
    std::vector<int> numbers(10);
    std::vector<long> fibs(10);
    int sum = 0;
    long f = 0;

    future added(soon_submit(pool.get(), slow_add, 0.1, 6, 7));
    must(soon_result(added.get(), &sum) == 0);
    std::printf("Result is %d\n", sum);

    add wrong = {0.1, -6, 7};
    future failed(slow_add_submit(pool.get(), &wrong, nullptr));
    must(slow_add_get(failed.get(), SOON_FOREVER, &sum) == SOON_ERAISED);
    std::printf("Error = %s\n", soon_future_error(failed.get())->message);
    must(fib_get(failed.get(), 0, &f) == SOON_ETYPE || fib_get(failed.get(), 0, &f) == SOON_ERAISED);
    must(fib_get(added.get(), 0, &f) == SOON_ETYPE);

    must(soon_take(soon_submit(pool.get(), nothing), &f) == SOON_ETYPE);
    must(soon_take(soon_submit(pool.get(), fib, 15), &f) == 0);
    std::printf("fib(15) = %ld\n", f);

    std::iota(numbers.begin(), numbers.end(), 0);
    must(soon_map(pool.get(), fib, numbers.data(), numbers.size(), fibs.data()) == 0);
    std::printf("map: %ld ... %ld\n", fibs.front(), fibs.back());
    future map(soon_map_async(pool.get(), fib, numbers.data(), numbers.size()));
    must(soon_future_wait(map.get(), SOON_FOREVER) == 0 && soon_map_count(map.get(), nullptr, nullptr) == 10);

    std::size_t size = 0;
    must(soon_take(soon_submit(pool.get(), join, new std::vector<std::string>{"so", "on"}), &size) == 0);
    std::printf("joined: %zu\n", size);

    std::string heard;
    must(soon_future_add_done_callback(
             added.get(),
             [](soon_future *done, void *data) {
                 int value = 0;
                 must(soon_result_within(done, 0, &value) == 0);
                 *static_cast<std::string *>(data) += "callback: " + std::to_string(value);
             },
             &heard) == 0);
    std::puts(heard.c_str());

    future applied(soon_apply_async(
        pool.get(),
        [](soon_bytes result, void *data) { *static_cast<int *>(data) = *static_cast<const int *>(result.data); },
        [](const soon_error *, void *) { must(false); }, &sum, slow_add, 0.0, 40, 2));
    must(soon_future_wait(applied.get(), SOON_FOREVER) == 0);
    std::printf("apply_async: %d\n", sum);
    return 0;
}
