/*
 * callback_index.c - a future's callbacks by what they call: a treap, whose links are fields of the callbacks.
 *
 * From left to right its nodes are in the order of function and data, and of registration among equal ones. A parent is
 * heavier than its children. The weight of a callback is its address, well mixed: so a program that chooses functions
 * and data does not choose the shape. Nothing is allocated, and nothing recurses.
 */
#include "callback_index_internal.h"

static uint64_t weight(const struct soon__callback *callback)
{
    uint64_t mixed = (uint64_t)(uintptr_t)callback * UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    return mixed ^ (mixed >> 32);
}

static bool is_heavier(const struct soon__callback *a, const struct soon__callback *b)
{
    return weight(a) > weight(b);
}

/* Returns a number that is negative, 0 or positive, as what the callback calls is less than, equal to or greater than
 * this. */
static int compare(const struct soon__callback *callback, soon_done_fn fn, const void *data)
{
    uintptr_t a = (uintptr_t)callback->fn, b = (uintptr_t)fn;

    if (a == b) {
        a = (uintptr_t)callback->data;
        b = (uintptr_t)data;
    }
    return a < b ? -1 : a > b;
}

/* Returns where the link to the callback is. */
static struct soon__callback **link_to(struct soon__callback **root, struct soon__callback *callback)
{
    struct soon__callback *parent = callback->index.parent;

    if (!parent)
        return root;
    return parent->index.left == callback ? &parent->index.left : &parent->index.right;
}

/* Makes the parent of the callback its child; the order from left to right stays. */
static void rotate_up(struct soon__callback **root, struct soon__callback *callback)
{
    struct soon__callback *parent = callback->index.parent, *moved;

    *link_to(root, parent) = callback;
    if (parent->index.left == callback) {
        moved = parent->index.left = callback->index.right;
        callback->index.right = parent;
    } else {
        moved = parent->index.right = callback->index.left;
        callback->index.left = parent;
    }
    if (moved)
        moved->index.parent = parent;
    callback->index.parent = parent->index.parent;
    parent->index.parent = callback;
}

struct soon__callback *soon__callback_index_add(struct soon__callback *root, struct soon__callback *callback)
{
    struct soon__callback *parent = NULL, **link = &root;

    while (*link) {
        parent = *link;
        link = compare(parent, callback->fn, callback->data) > 0 ? &parent->index.left : &parent->index.right;
    }
    *link = callback;
    callback->index.left = callback->index.right = NULL;
    callback->index.parent = parent;
    while (callback->index.parent && is_heavier(callback, callback->index.parent))
        rotate_up(&root, callback);
    return root;
}

struct soon__callback *soon__callback_index_remove(struct soon__callback *root, struct soon__callback *callback)
{
    while (callback->index.left || callback->index.right) {
        struct soon__callback *left = callback->index.left, *right = callback->index.right;

        rotate_up(&root, !left || (right && is_heavier(right, left)) ? right : left);
    }
    *link_to(&root, callback) = NULL;
    return root;
}

struct soon__callback *soon__callback_index_find(struct soon__callback *root, soon_done_fn fn, const void *data)
{
    struct soon__callback *found = NULL;

    while (root) {
        int order = compare(root, fn, data);

        if (order == 0)
            found = root;
        root = order < 0 ? root->index.right : root->index.left;
    }
    return found;
}
