/*
 * fork_join.c - tasks that submit tasks of the same pool and wait for them: fib, quicksort in place, and the sum of a
 * tree with soon_take. More tasks wait at once than the pool has workers.
 */
#include "program.h"

#include <stdint.h>

SOON_TASK(fib, int, long)
{
    long a, b;

    if (*arg < 2) {
        *result = *arg;
        return 0;
    }
    soon_executor *pool = soon_task_executor(task);
    soon_future *first = soon_submit(pool, fib, *arg - 1);
    soon_future *second = soon_submit(pool, fib, *arg - 2);
    if (soon_take(first, &a) < 0 || soon_take(second, &b) < 0)
        return soon_raise(task, 1, "a half of fib(%d) is missing", *arg);
    *result = a + b;
    return 0;
}

struct slice {
    int *first;
    size_t count;
};

static void swap(int *a, int *b)
{
    int was = *a;

    *a = *b;
    *b = was;
}

/* Returns where the pivot is. */
static size_t partition(int *numbers, size_t count)
{
    size_t end = 0;

    swap(&numbers[count / 2], &numbers[count - 1]);
    for (size_t i = 0; i + 1 < count; i++) {
        if (numbers[i] < numbers[count - 1])
            swap(&numbers[i], &numbers[end++]);
    }
    swap(&numbers[end], &numbers[count - 1]);
    return end;
}

SOON_TASK_LOCAL(sort, struct slice, soon_none, NULL, NULL)
{
    if (arg->count < 2)
        return 0;
    size_t middle = partition(arg->first, arg->count);
    struct slice left = {arg->first, middle};
    struct slice right = {arg->first + middle + 1, arg->count - middle - 1};

    if (arg->count < 64) {
        sort(task, &left, result);
        return sort(task, &right, result);
    }
    soon_future *first = sort_submit(soon_task_executor(task), &left, NULL);
    soon_future *second = sort_submit(soon_task_executor(task), &right, NULL);
    int rc = soon_take(first, result);
    return soon_take(second, result) == 0 && rc == 0 ? 0 : soon_raise(task, 1, "a half is not sorted");
}

struct tree {
    struct tree *left, *right;
    int64_t value;
};
typedef struct tree *tree_ref;

SOON_TASK_LOCAL(sum, tree_ref, int64_t, NULL, NULL)
{
    const struct tree *tree = *arg;
    int64_t left = 0, right = 0;

    if (!tree) {
        *result = 0;
        return 0;
    }
    soon_future *forked = soon_submit(soon_task_executor(task), sum, tree->left);
    int rc = sum(task, &tree->right, &right); /* the other half here, a plain call */
    if (soon_take(forked, &left) < 0 || rc < 0)
        return soon_raise(task, 2, "a subtree is missing");
    *result = tree->value + left + right;
    return 0;
}

static struct tree *grow(int depth, int64_t value)
{
    struct tree *tree = NULL;

    if (depth > 0) {
        must((tree = malloc(sizeof *tree)));
        *tree = (struct tree){grow(depth - 1, 2 * value), grow(depth - 1, 2 * value + 1), value};
    }
    return tree;
}

static void fell(struct tree *tree)
{
    if (!tree)
        return;
    fell(tree->left);
    fell(tree->right);
    free(tree);
}

static void run(int workers)
{
    enum { NUMBERS = 20000, DEPTH = 14 };
    SOON_AUTO_EXECUTOR *pool = pool_of(workers);
    int *numbers = malloc(NUMBERS * sizeof *numbers);
    struct tree *tree = grow(DEPTH, 1);
    soon_none none;
    int64_t total;
    long f;
    uint32_t random = 1;

    must(numbers);
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = (int)((random = random * 1664525 + 1013904223) >> 8);

    must(soon_take(soon_submit(pool, fib, 20), &f) == 0);
    must(soon_take(soon_submit(pool, sort, numbers, NUMBERS), &none) == 0);
    must(soon_take(soon_submit(pool, sum, tree), &total) == 0);
    for (size_t i = 1; i < NUMBERS; i++)
        must(numbers[i - 1] <= numbers[i]);
    printf("%d workers: fib(20) = %ld, sorted, sum of the tree = %lld\n", workers, f, (long long)total);
    fell(tree);
    free(numbers);
}

int main(void)
{
    run(1);
    run(2);
    run(8);
    return 0;
}
