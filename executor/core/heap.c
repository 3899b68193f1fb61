/*
 * heap.c - a pairing heap: a tree in which no node comes before its parent.
 *
 * H1  `previous` of a node is its left sibling, or its parent if it is the first child; of the root NULL.
 * H2  Taking a node away melds its children two by two from the left, then these pairs from the right: amortised
 *     O(log n), in loops, however deep or wide the tree is.
 */
#include "heap_internal.h"

#include <assert.h>
#include <stddef.h>

static bool comes_before(const struct soon__heap_node *a, const struct soon__heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->sequence < b->sequence;
}

/* Two roots into one. Either may be NULL. */
static struct soon__heap_node *meld(struct soon__heap_node *a, struct soon__heap_node *b)
{
    struct soon__heap_node *parent = a, *child = b;

    if (!a || !b)
        return a ? a : b;
    if (comes_before(b, a)) {
        parent = b;
        child = a;
    }
    child->previous = parent;
    child->sibling = parent->child;
    if (child->sibling)
        child->sibling->previous = child;
    parent->child = child;
    return parent;
}

/* The pairs wait in a list through `sibling`, the rightmost first. */
static struct soon__heap_node *meld_siblings(struct soon__heap_node *first)
{
    struct soon__heap_node *pairs = NULL, *root = NULL, *a, *b;

    while ((a = first)) {
        b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = a->previous = NULL;
        if (b)
            b->sibling = b->previous = NULL;
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while ((a = pairs)) {
        pairs = a->sibling;
        a->sibling = NULL;
        root = meld(root, a);
    }
    return root;
}

static void unlink_from_parent(struct soon__heap_node *node)
{
    if (node->previous->child == node)
        node->previous->child = node->sibling;
    else
        node->previous->sibling = node->sibling;
    if (node->sibling)
        node->sibling->previous = node->previous;
}

void soon__heap_push(struct soon__heap *heap, struct soon__heap_node *node, int64_t key, uint64_t sequence)
{
    assert(!node->linked);
    *node = (struct soon__heap_node){.key = key, .sequence = sequence, .linked = true};
    heap->root = meld(heap->root, node);
}

struct soon__heap_node *soon__heap_first(const struct soon__heap *heap)
{
    return heap->root;
}

void soon__heap_remove(struct soon__heap *heap, struct soon__heap_node *node)
{
    struct soon__heap_node *children;

    assert(node->linked);
    children = meld_siblings(node->child);
    if (node == heap->root) {
        heap->root = children;
    } else {
        unlink_from_parent(node);
        heap->root = meld(heap->root, children);
    }
    node->linked = false;
}
