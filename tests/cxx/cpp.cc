/*
 * cpp.cc - the API from C++17: the macros make the same functions there, and lambdas without captures are callbacks.
 */
#include "../harness/test.h"

#include <atomic>
#include <cerrno>
#include <numeric>
#include <soon.h>
#include <string>
#include <vector>

struct pair {
    int x, y;
};

SOON_TASK(mul, pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(divide, pair, int)
{
    if (arg->y == 0)
        return soon_raise(task, EDOM, "division of %d by zero", arg->x);
    *result = arg->x / arg->y;
    return 0;
}

SOON_TASK_VERSION(divide, 2);

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

SOON_TASK_DECLARE(twice, int, int);
SOON_TASK_DEFINE(twice)
{
    *result = *arg * 2;
    return 0;
}

SOON_TASK_BYTES(shout)
{
    std::string text(static_cast<const char *>(arg.data), arg.size);

    for (char &c : text)
        c = static_cast<char>(toupper(c));
    return soon_task_return_bytes(task, text.data(), text.size());
}

/* What travels by value needs no constructor; what does not is LOCAL, and somebody deletes it. */
static void delete_text(void *text)
{
    delete *static_cast<std::string **>(text);
}
SOON_TASK_LOCAL(append, std::string *, std::string *, delete_text, delete_text)
{
    *result = new std::string(**arg + "!");
    return 0;
}

static soon_executor *pool;

static void make_pool()
{
    soon_thread_pool_options options = {};

    options.workers = 2;
    cr_assert_eq(soon_thread_pool_new(&pool, &options), 0);
}
static void drop_pool()
{
    cr_assert_eq(soon_executor_free(pool), 0);
}

TestSuite(cpp, .init = make_pool, .fini = drop_pool);

Test(cpp, submit_takes_the_argument_in_the_call_or_as_a_struct)
{
    const pair numbers = {6, 7};
    int result = 0;

    cr_assert_eq(soon_take(soon_submit(pool, mul, 6, 7), &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_take(soon_submit(pool, mul, .x = 3, .y = 4), &result), 0);
    cr_assert_eq(result, 12);
    cr_assert_eq(soon_take(mul_submit(pool, NULL, NULL), &result), 0);
    cr_assert_eq(result, 0);
    cr_assert_eq(soon_take(mul_submit(pool, &numbers, nullptr), &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_take(soon_submit(pool, twice, 21), &result), 0);
    cr_assert_eq(result, 42);
}

Test(cpp, try_submit_takes_the_argument_in_the_call_or_as_a_struct)
{
    soon_future *f = nullptr;
    pair numbers = {6, 7};
    int result;

    cr_assert_eq(soon_try_submit(&f, pool, mul, 6, 7), 0);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(mul_try_submit(&f, pool, nullptr, nullptr), 0);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 0);
    cr_assert_eq(mul_try_submit(&f, pool, &numbers, nullptr), 0);
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(shout_try_submit(&f, pool, "quiet", 5, nullptr), 0);
    soon_future_unref(f);
    cr_assert_eq(soon_try_submit_with(&f, pool, ("a label"), twice, 21), 0);
    cr_assert_str_eq(soon_future_label(f), "a label");
    cr_assert_eq(soon_take(f, &result), 0);
    cr_assert_eq(result, 42);
    cr_assert_eq(soon_take(soon_submit_with(pool, ("another"), twice, 2), &result), 0);
    cr_assert_eq(result, 4);
}

Test(cpp, submit_takes_options)
{
    soon_submit_options options = {};
    std::atomic<int> calls{0};

    options.label = "from C++";
    options.priority = 1;
    options.on_done = [](soon_future *future, void *data) {
        if (soon_future_succeeded(future))
            ++*static_cast<std::atomic<int> *>(data);
    };
    options.on_done_data = &calls;
    soon_future *f = mul_submit(pool, nullptr, &options);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    cr_assert_str_eq(soon_future_label(f), "from C++");
    test_wait_until(calls == 1);
    soon_future_unref(f);
}

Test(cpp, get_checks_the_function)
{
    SOON_AUTO_FUTURE *f = soon_submit(pool, mul, 2, 3);
    int result = 0;

    cr_assert_eq(divide_get(f, SOON_FOREVER, &result), SOON_ETYPE);
    cr_assert_eq(mul_get(f, SOON_FOREVER, &result), 0);
    cr_assert_eq(result, 6);
    cr_assert_eq(soon_result(f, &result), 0);
    cr_assert_eq(soon_result_within(f, 1, &result), 0);
}

Test(cpp, errors_have_their_message)
{
    SOON_AUTO_FUTURE *f = soon_submit(pool, divide, 1, 0);
    int result = 0;

    cr_assert_eq(soon_result(f, &result), SOON_ERAISED);
    cr_assert_eq(soon_future_error(f)->raised, EDOM);
    cr_assert_str_eq(soon_future_error(f)->message, "division of 1 by zero");
}

Test(cpp, bytes_and_objects_travel_too)
{
    SOON_AUTO_FUTURE *f = shout_submit(pool, "quiet", 5, nullptr);
    soon_bytes bytes;

    cr_assert_eq(soon_future_result(f, SOON_FOREVER, &bytes), 0);
    cr_assert(std::string(static_cast<const char *>(bytes.data), bytes.size) == "QUIET");

    std::string *text = nullptr;
    cr_assert_eq(soon_take(soon_submit(pool, append, new std::string("hey")), &text), 0);
    cr_assert(*text == "hey!");
    delete text;
    cr_assert_eq(soon_future_wait(f, 0), 0);
}

Test(cpp, maps_take_arrays_of_any_kind)
{
    std::vector<pair> pairs;
    std::vector<int> products(100), errors(100);

    for (int i = 0; i < 100; i++)
        pairs.push_back({i, i});
    cr_assert_eq(soon_map(pool, mul, pairs.data(), pairs.size(), products.data()), 0);
    cr_assert_eq(std::accumulate(products.begin(), products.end(), 0), 328350);
    cr_assert_eq(soon_map_with(pool, (.chunk = 7), mul, pairs.data(), pairs.size(), products.data(), errors.data()), 0);
    cr_assert_eq(products[99], 99 * 99);

    SOON_AUTO_FUTURE *map = soon_map_async(pool, mul, pairs.data(), pairs.size());
    int product = 0;
    cr_assert_eq(soon_map_item(map, 10, SOON_FOREVER, &product, sizeof product), 0);
    cr_assert_eq(product, 100);
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
}

SOON_TASK_STRING_DECLARE(letters, size_t);
SOON_TASK_STRING_DEFINE(letters, size_t)
{
    *result = std::string(arg).size();
    return 0;
}

SOON_TASK_STRING(louder)
{
    return soon_task_return_text(task, "%s!", arg);
}

Test(cpp, maps_take_strings_and_items)
{
    std::vector<const char *> words = {"one", "three"};
    std::vector<soon_item> items(1);
    std::vector<size_t> sizes(2);
    soon_bytes text;

    cr_assert_eq(soon_map_strings(pool, letters, words.data(), words.size(), sizes.data()), 0);
    cr_assert_eq(sizes[1], 5u);
    items[0] = soon_item_of_string("four");
    cr_assert_eq(soon_map_items_with(pool, (.chunk = 7), letters, items.data(), 1, sizes.data(), nullptr), 0);
    cr_assert_eq(sizes[0], 4u);

    SOON_AUTO_FUTURE *map = soon_map_strings_async_with(pool, (.chunk = 7), louder, words.data(), words.size());
    cr_assert_eq(soon_map_item_result(map, 1, SOON_FOREVER, &text), 0);
    cr_assert(std::string(static_cast<const char *>(text.data)) == "three!");
    cr_assert_eq(soon_future_wait(map, SOON_FOREVER), 0);
}

Test(cpp, apply_async_takes_lambdas)
{
    std::vector<std::string> heard;
    auto on_value = [](soon_bytes result, void *data) {
        static_cast<std::vector<std::string> *>(data)->push_back(
            std::to_string(*static_cast<const int *>(result.data)));
    };
    auto on_error = [](const soon_error *error, void *data) {
        static_cast<std::vector<std::string> *>(data)->push_back(error->message);
    };

    soon_future *f = soon_apply_async(pool, on_value, on_error, &heard, divide, 6, 2);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    soon_future_unref(f);
    f = soon_apply_async(pool, on_value, on_error, &heard, divide, 6, 0);
    cr_assert_eq(soon_future_wait(f, SOON_FOREVER), 0);
    soon_future_unref(f);

    cr_assert_eq(heard.size(), 2u);
    cr_assert(heard[0] == "3");
    cr_assert(heard[1] == "division of 6 by zero");
}

Test(cpp, imap_takes_a_source)
{
    int left = 20;
    soon_imap *imap;
    soon_future *f;
    int result, sum = 0;

    auto next = [](void *arg, void *data) {
        *static_cast<int *>(arg) = *static_cast<int *>(data);
        return (*static_cast<int *>(data))-- > 0 ? 1 : 0;
    };
    cr_assert_eq(soon_imap_new(&imap, pool, &twice_task, nullptr, next, &left), 0);
    while (soon_imap_next(imap, SOON_FOREVER, &f, nullptr) == 0) {
        cr_assert_eq(soon_take(f, &result), 0);
        sum += result;
    }
    cr_assert_eq(sum, 420);
    soon_imap_free(imap);
}

Test(cpp, imap_takes_strings_and_items)
{
    std::vector<std::string> words = {"one", "three"};
    const char *array[] = {"four"};
    soon_imap *imap;
    soon_future *f;
    size_t size, sum = 0;

    auto next = [](soon_item *item, void *data) {
        auto *left = static_cast<std::vector<std::string> *>(data);
        static std::string word;
        if (left->empty())
            return 0;
        word = left->back();
        left->pop_back();
        *item = soon_item_of_string(word.c_str());
        return 1;
    };
    cr_assert_eq(soon_imap_items_new(&imap, pool, &letters_task, nullptr, next, &words), 0);
    while (soon_imap_next(imap, SOON_FOREVER, &f, nullptr) == 0) {
        cr_assert_eq(soon_take(f, &size), 0);
        sum += size;
    }
    soon_imap_free(imap);
    cr_assert_eq(soon_imap_strings_new(&imap, pool, &letters_task, nullptr, array, 1), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &f, nullptr), 0);
    cr_assert(std::string(soon_future_label(f)) == "four");
    cr_assert_eq(soon_take(f, &size), 0);
    cr_assert_eq(sum + size, 12u);
    soon_imap_free(imap);
}

Test(cpp, waits_take_vectors)
{
    std::vector<soon_future *> futures;
    soon_as_completed *set;
    soon_future *f;
    int result, sum = 0;

    for (int i = 0; i < 10; i++)
        futures.push_back(soon_submit(pool, twice, i));
    cr_assert_eq(soon_wait(futures.data(), futures.size(), SOON_ALL_COMPLETED, SOON_FOREVER, nullptr), 10);
    cr_assert_eq(soon_as_completed_new(&set, futures.data(), futures.size(), SOON_FOREVER), 0);
    while (soon_as_completed_next(set, &f) == 0) {
        cr_assert_eq(soon_take(f, &result), 0);
        sum += result;
    }
    cr_assert_eq(sum, 90);
    soon_as_completed_free(set);
    soon_futures_unref(futures.data(), futures.size());
}

/* An executor of the user's own, as a class. */
class inline_executor
{
  public:
    int runs = 0;

    static soon_executor *make(inline_executor *self)
    {
        soon_executor_class klass = {};
        soon_executor *executor = nullptr;

        klass.size = sizeof klass;
        klass.name = "inline";
        klass.submit = [](void *self_, soon_call *call, bool) {
            static_cast<inline_executor *>(self_)->runs++;
            soon_call_run(call);
            return 0;
        };
        klass.shutdown = [](void *, soon_shutdown, soon_promise *down) {
            return soon_promise_set_result(down, nullptr, 0);
        };
        cr_assert_eq(soon_executor_new(&executor, &klass, self), 0);
        return executor;
    }
};

Test(cpp, executor_may_be_a_class)
{
    inline_executor self;
    int result = 0;

    {
        SOON_AUTO_EXECUTOR *executor = inline_executor::make(&self);
        cr_assert_eq(soon_take(soon_submit(executor, twice, 4), &result), 0);
    }

    cr_assert_eq(result, 8);
    cr_assert_eq(self.runs, 1);
}

Test(cpp, a_task_may_give_its_types_a_version)
{
    cr_assert_not(mul_task.version);
    cr_assert_eq(*divide_task.version, 2U);
}
