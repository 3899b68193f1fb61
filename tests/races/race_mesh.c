/*
 * race_mesh.c - gathers, anys and thens of each other, in every shape that the dice give, while threads end, cancel and
 * watch any of them. Whatever happens, all of it ends, agrees with its parts, and leaves nothing behind.
 */
#include "../support/futures.h"

enum { LEAVES = 4, NODES = 16, MEMBERS_MAX = 3 };

static _Atomic int runs;

/* Takes any result. */
SOON_TASK_BYTES(touch)
{
    (void)arg;
    runs++;
    return 0;
}

/* The leaves are promises; a node is made of some that come before it. */
static struct node {
    enum { LEAF, GATHER, ANY, THEN } kind;
    soon_future *future;
    soon_future *members[MEMBERS_MAX];
    size_t count;
} nodes[NODES];

static soon_promise *promises[LEAVES];
static soon_executor *executor;
static _Atomic int added, called_or_removed;

static void make_node(struct node *node, size_t before, unsigned *seed)
{
    node->kind = GATHER + dice(seed, 3);
    node->count = node->kind == THEN ? 1 : 1 + dice(seed, MEMBERS_MAX);
    for (size_t i = 0; i < node->count; i++)
        node->members[i] = nodes[dice(seed, (unsigned)before)].future;
    if (node->kind == GATHER)
        node->future = soon_gather(node->members, node->count);
    else if (node->kind == ANY)
        node->future = soon_any(node->members, node->count);
    else
        node->future = soon_then(node->members[0], executor, &touch_task);
}

static void make_mesh(void)
{
    static unsigned seed = 1;

    executor = make_inline();
    runs = added = called_or_removed = 0;
    for (int i = 0; i < LEAVES; i++) {
        struct halves both = pending();

        promises[i] = both.promise;
        nodes[i] = (struct node){.kind = LEAF, .future = both.future};
    }
    for (size_t i = LEAVES; i < NODES; i++)
        make_node(&nodes[i], i, &seed);
}

static void end_leaf(soon_promise *promise, unsigned *seed)
{
    switch (dice(seed, 4)) {
    case 0:
        (void)soon_promise_set_exception(promise, EDOM, NULL);
        break;
    case 1:
        (void)soon_promise_set_cancelled(promise);
        break;
    case 2:
        (void)soon_promise_set_running(promise);
        break;
    default:
        (void)soon_promise_set_result(promise, "abc", 3);
    }
}

static void count_call(soon_future *future, void *data)
{
    (void)data;
    cr_assert(soon_future_done(future));
    called_or_removed++;
}

static void watch_some(unsigned *seed)
{
    soon_future *some[] = {nodes[dice(seed, NODES)].future, nodes[dice(seed, NODES)].future};
    soon_as_completed *set;
    soon_future *given;

    cr_assert_eq(soon_as_completed_new(&set, some, 2, 0), 0);
    while (soon_as_completed_next(set, &given) == 0)
        soon_future_unref(given);
    soon_as_completed_free(set);
}

static void do_anything(unsigned thread, unsigned *seed)
{
    (void)thread;
    for (int i = 0; i < 10; i++) {
        soon_future *future = nodes[dice(seed, NODES)].future;

        switch (dice(seed, 6)) {
        case 0:
            end_leaf(promises[dice(seed, LEAVES)], seed);
            break;
        case 1:
            if (dice(seed, 3) == 0)
                (void)soon_future_cancel(future);
            break;
        case 2:
            added++;
            cr_assert_eq(soon_future_add_done_callback(future, count_call, NULL), 0);
            break;
        case 3:
            called_or_removed += soon_future_remove_done_callback(future, count_call, NULL);
            break;
        case 4:
            watch_some(seed);
            break;
        default:
            (void)soon_future_state(future);
            (void)soon_future_progress(future);
            (void)soon_future_label(future);
        }
    }
}

static int first_error_of(const struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        if (!soon_future_succeeded(node->members[i]))
            return soon_future_error(node->members[i])->code;
    }
    return 0;
}

static void assert_agrees(const struct node *node)
{
    int code = code_of(node->future);
    bool some = false;

    cr_assert(soon_future_done(node->future));
    for (size_t i = 0; i < node->count; i++)
        some |= soon_future_succeeded(node->members[i]);
    if (node->kind == LEAF || soon_future_cancelled(node->future))
        return;
    if (node->kind == ANY && some)
        cr_assert_eq(code, 0);
    else
        cr_assert_eq(code, first_error_of(node));
}

static void end_mesh(void)
{
    int thens = 0;

    for (int i = 0; i < LEAVES; i++)
        soon_promise_free(promises[i]);
    for (size_t i = 0; i < NODES; i++) {
        assert_agrees(&nodes[i]);
        thens += nodes[i].kind == THEN && soon_future_succeeded(nodes[i].future);
    }
    cr_assert_eq(runs, thens);
    cr_assert_eq(added, called_or_removed);
    for (size_t i = 0; i < NODES; i++)
        soon_future_unref(nodes[i].future);
    cr_assert_eq(soon_executor_free(executor), 0);
    assert_alive(0);
}

Test(race_mesh, all_of_it_ends_and_agrees)
{
    for (unsigned threads = 1; threads <= 4; threads++)
        run_race(&(struct race){
            .threads = threads, .rounds = ROUNDS(10000), .before = make_mesh, .body = do_anything, .after = end_mesh});
}
