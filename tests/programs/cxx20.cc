/*
 * cxx20.cc - the library from C++20: arguments and options by designated initialisers, as in C.
 */
#include <soon.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#define must(condition)                                                                                                \
    ((condition) ? (void)0                                                                                             \
                 : (std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), std::exit(1)))

struct box {
    int width = 1, height = 1, depth = 1;
};

SOON_TASK(volume, box, int)
{
    if (arg->width < 0)
        return soon_raise(task, EDOM, "a box of width %d", arg->width);
    *result = arg->width * arg->height * arg->depth;
    return 0;
}

int main()
{
    soon_thread_pool_options options = {.workers = 2, .name = "boxes", .queue_max = 16};
    std::array<box, 4> boxes = {{{.width = 1}, {.width = 2, .height = 3}, {.width = -1}, {.depth = 7}}};
    std::array<int, 4> volumes, errors;
    soon_executor *pool;
    int value;

    must(soon_thread_pool_new(&pool, &options) == 0);

    soon_future *future = soon_submit(pool, volume, .width = 2, .depth = 5);
    must(soon_take(future, &value) == 0);
    std::printf("2 x 1 x 5 = %d\n", value);

    box large = {.width = 100};
    soon_submit_options labelled = {.label = "large", .priority = 2, .time_limit_ms = 10000};
    future = volume_submit(pool, &large, &labelled);
    must(volume_get(future, SOON_FOREVER, &value) == 0);
    std::printf("%s: %d\n", soon_future_label(future), value);
    soon_future_unref(future);

    must(soon_map_with(pool, (.chunk = 2), volume, boxes.data(), boxes.size(), volumes.data(), errors.data()) ==
         SOON_ERAISED);
    for (std::size_t i = 0; i < boxes.size(); i++)
        std::printf("map: %d %s\n", volumes[i], soon_errname(errors[i]));

    future = soon_map_async_with(pool, (.chunk = 4, .stop_at_error = true), volume, boxes.data(), boxes.size());
    must(soon_future_wait(future, SOON_FOREVER) == 0);
    std::printf("map_async: %s\n", soon_future_error(future)->message);
    soon_future_unref(future);

    future = soon_apply_async(
        pool, nullptr, [](const soon_error *error, void *) { std::puts(error->message); }, nullptr, volume,
        .width = -9);
    must(soon_future_wait(future, SOON_FOREVER) == 0);
    soon_future_unref(future);
    must(soon_executor_free(pool) == 0);
    return 0;
}
