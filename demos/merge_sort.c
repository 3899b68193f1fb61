/*
 * merge_sort.c - N numbers in 16 parts. A task sorts each part, and another task merges two sorted parts as soon as
 * both are there. No level waits for the one below it.
 *
 *     $ merge_sort -j 2 -n 1000000
 *     16 parts to sort, 15 merges to do
 *     1000000 numbers in order, from 1123 to 4294959038
 */
#include "demo.h"

enum { PARTS = 16 };

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the task's payload. */
SOON_TASK(sort_part, soon_none, soon_none)
{
    soon_buffer *part = soon_task_payload(task), *sorted;
    if (soon_buffer_new(&sorted, soon_buffer_size(part)) < 0)
        return -ENOMEM;
    memcpy(soon_buffer_data(sorted), soon_buffer_data(part), soon_buffer_size(part));
    qsort(soon_buffer_data(sorted), soon_buffer_size(sorted) / sizeof(uint32_t), sizeof(uint32_t), compare);
    return soon_task_return_payload(task, sorted);
}

/* Merges the payloads of the two tasks before it. */
SOON_TASK(merge, soon_none, soon_none)
{
    soon_buffer *left = soon_task_input_payload(task, 0), *right = soon_task_input_payload(task, 1), *merged;
    const uint32_t *a = soon_buffer_data(left), *a_end = a + soon_buffer_size(left) / sizeof *a;
    const uint32_t *b = soon_buffer_data(right), *b_end = b + soon_buffer_size(right) / sizeof *b;
    if (soon_buffer_new(&merged, soon_buffer_size(left) + soon_buffer_size(right)) < 0)
        return -ENOMEM;
    uint32_t *to = soon_buffer_data(merged);
    while (a < a_end || b < b_end)
        *to++ = b == b_end || (a < a_end && *a <= *b) ? *a++ : *b++;
    return soon_task_return_payload(task, merged);
}

static soon_future *submit_part(soon_executor *pool, size_t count, uint32_t *seed)
{
    soon_buffer *part;
    if (soon_buffer_new(&part, count * sizeof(uint32_t)) < 0)
        exit(1);
    uint32_t *numbers = soon_buffer_data(part);
    for (size_t i = 0; i < count; i++)
        numbers[i] = *seed = *seed * 1664525 + 1013904223;
    return soon_submit_with(pool, (.payload = part), sort_part);
}

int main(int argc, char **argv)
{
    int workers = 0, count = 10000000;
    demo_start(argc, argv, "merge_sort", (struct demo_option[]){{"-j", &workers, 0}, {"-n", &count, PARTS}, {0}});

    soon_executor *pool = demo_pool(workers);
    soon_future *sorted[PARTS];
    uint32_t seed = 1;
    int merges = 0;
    for (int i = 0; i < PARTS; i++)
        sorted[i] = submit_part(pool, (size_t)(count / PARTS + (i < count % PARTS)), &seed);
    for (int left = PARTS; left > 1; left /= 2)
        for (int i = 0; i < left; i += 2, merges++) {
            soon_future *merged = soon_submit_with(pool, (.after = &sorted[i], .after_count = 2), merge);
            soon_futures_unref(&sorted[i], 2);
            sorted[i / 2] = merged;
        }
    printf("%d parts to sort, %d merges to do\n", PARTS, merges);

    if (soon_future_wait(sorted[0], SOON_FOREVER) < 0 || !soon_future_succeeded(sorted[0]))
        return fprintf(stderr, "merge_sort: %s\n", soon_future_error(sorted[0])->message), 1;
    const uint32_t *all = soon_buffer_data(soon_future_payload(sorted[0]));
    for (int i = 1; i < count; i++)
        if (all[i - 1] > all[i])
            return fprintf(stderr, "merge_sort: number %d is out of order\n", i), 1;
    printf("%d numbers in order, from %u to %u\n", count, all[0], all[count - 1]);
    soon_future_unref(sorted[0]);
    soon_executor_free(pool);
    return 0;
}
