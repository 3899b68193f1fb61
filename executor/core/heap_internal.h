/*
 * heap_internal.h - a pairing heap of embedded nodes: smallest first, any node removable, no allocation, no recursion.
 */
#ifndef SOON_EXECUTOR_CORE_HEAP_INTERNAL_H
#define SOON_EXECUTOR_CORE_HEAP_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct soon__heap_node {
    struct soon__heap_node *child, *sibling, *previous; /* previous: left sibling, or parent of a first child */
    int64_t key;
    uint64_t sequence; /* order among equal keys */
    bool linked;
};
struct soon__heap {
    struct soon__heap_node *root;
};

void soon__heap_push(struct soon__heap *heap, struct soon__heap_node *node, int64_t key, uint64_t sequence);
struct soon__heap_node *soon__heap_first(const struct soon__heap *heap); /* NULL: empty */
void soon__heap_remove(struct soon__heap *heap, struct soon__heap_node *node);

#endif
