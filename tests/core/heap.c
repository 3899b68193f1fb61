/*
 * heap.c - the pairing heap: order, ties, removal from anywhere, and no recursion.
 */
#include "../harness/test.h"

#include "../../executor/core/heap_internal.h"

#include <stdlib.h>

TestSuite(heap);

static struct soon__heap_node *take_first(struct soon__heap *heap)
{
    struct soon__heap_node *first = soon__heap_first(heap);

    if (first)
        soon__heap_remove(heap, first);
    return first;
}

Test(heap, is_empty_at_first)
{
    struct soon__heap heap = {NULL};

    cr_assert_null(soon__heap_first(&heap));
}

Test(heap, gives_the_smallest_key_first)
{
    static const int64_t keys[] = {5, INT64_MAX, -3, 0, 7, INT64_MIN, 2};
    static const int64_t sorted[] = {INT64_MIN, -3, 0, 2, 5, 7, INT64_MAX};
    struct soon__heap heap = {NULL};
    struct soon__heap_node nodes[7] = {{0}};

    for (size_t i = 0; i < 7; i++)
        soon__heap_push(&heap, &nodes[i], keys[i], i);

    for (size_t i = 0; i < 7; i++)
        cr_assert_eq(take_first(&heap)->key, sorted[i]);
    cr_assert_null(soon__heap_first(&heap));
}

Test(heap, keeps_the_order_of_equal_keys)
{
    struct soon__heap heap = {NULL};
    struct soon__heap_node nodes[100] = {{0}};

    for (size_t i = 0; i < 100; i++)
        soon__heap_push(&heap, &nodes[i], 1, i);

    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(take_first(&heap), &nodes[i]);
}

Test(heap, says_whether_a_node_is_in_it)
{
    struct soon__heap heap = {NULL};
    struct soon__heap_node node = {0};

    soon__heap_push(&heap, &node, 1, 1);
    cr_assert(node.linked);
    soon__heap_remove(&heap, &node);
    cr_assert_not(node.linked);

    soon__heap_push(&heap, &node, 2, 2);
    cr_assert_eq(soon__heap_first(&heap), &node);
}

/* Against a plain array. */
Test(heap, agrees_with_a_model_over_random_pushes_and_removals)
{
    enum { NODES = 64, STEPS = 100000 };
    struct soon__heap heap = {NULL};
    struct soon__heap_node nodes[NODES] = {{0}};
    uint64_t sequence = 0;

    srand(1);
    for (int step = 0; step < STEPS; step++) {
        struct soon__heap_node *node = &nodes[rand() % NODES], *least = NULL;

        if (node->linked)
            soon__heap_remove(&heap, node);
        else
            soon__heap_push(&heap, node, rand() % 8, sequence++);

        for (size_t i = 0; i < NODES; i++) {
            struct soon__heap_node *n = &nodes[i];
            if (n->linked && (!least || n->key < least->key || (n->key == least->key && n->sequence < least->sequence)))
                least = n;
        }
        cr_assert_eq(soon__heap_first(&heap), least);
    }
}

/* A recursive merge would overflow the stack on either shape. */
Test(heap, takes_a_million_children_or_a_million_generations)
{
    enum { NODES = 1000000 };
    struct soon__heap heap = {NULL};
    struct soon__heap_node *nodes = calloc(NODES, sizeof *nodes);

    for (int64_t i = 0; i < NODES; i++) /* all children of the first */
        soon__heap_push(&heap, &nodes[i], i, 0);
    for (int64_t i = 0; i < NODES; i++)
        cr_assert_eq(take_first(&heap), &nodes[i]);
    cr_assert_null(soon__heap_first(&heap));

    for (int64_t i = 0; i < NODES; i++) /* each the parent of the one before */
        soon__heap_push(&heap, &nodes[i], -i, 0);
    for (int64_t i = NODES - 1; i >= 0; i--) {
        cr_assert_eq(soon__heap_first(&heap), &nodes[i]);
        soon__heap_remove(&heap, &nodes[i]);
    }
    free(nodes);
}
