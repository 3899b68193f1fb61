/*
 * map_async.c - the tutorials' Pool.map_async(): squares, with a pause each; then the same with an item that fails.
 *
 *     $ map_async
 *     Processing...
 *     1 4 9 16 25 36 49 64 81 100
 *     Processing...
 *     Error = 4 is not welcome
 *     1 4 9 - 25 36 49 64 81 100
 */
#include "demo.h"

#include <soon.h>

enum { ITEMS = 10 };

struct item {
    int x, unwelcome, pause_ms;
};

SOON_TASK(square, struct item, int)
{
    demo_pause(arg->pause_ms);
    if (arg->x == arg->unwelcome)
        return soon_raise(task, EINVAL, "%d is not welcome", arg->x);
    *result = arg->x * arg->x;
    return 0;
}

static void print_squares(soon_executor *pool, int unwelcome, int pause_ms)
{
    struct item items[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){i + 1, unwelcome, pause_ms};

    SOON_AUTO_FUTURE *map = soon_map_async(pool, square, items, ITEMS);
    puts("Processing...");

    soon_bytes squares; /* one array, if all items succeeded */
    if (soon_future_result(map, SOON_FOREVER, &squares) < 0)
        printf("Error = %s\n", soon_future_error(map)->message);
    for (int i = 0; i < ITEMS; i++) {
        int x; /* one by one: an error belongs to its item, and the others have their results */
        if (soon_map_item(map, i, SOON_FOREVER, &x, sizeof x) == 0)
            printf("%d%c", x, i < ITEMS - 1 ? ' ' : '\n');
        else
            printf("-%c", i < ITEMS - 1 ? ' ' : '\n');
    }
}

int main(int argc, char **argv)
{
    int workers = 0, pause_ms = 300;
    demo_start(argc, argv, "map_async", (struct demo_option[]){{"-j", &workers, 0}, {"--pause-ms", &pause_ms, 0}, {0}});
    soon_executor *pool = demo_pool(workers);

    print_squares(pool, 0, pause_ms);
    print_squares(pool, 4, pause_ms);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
