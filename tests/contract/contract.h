/*
 * contract.h - the contract suite: what every executor must do, whoever wrote it. It uses the interface alone, and
 * tasks whose arguments and results travel by value.
 *
 *     Contract(submit, gives_the_result) { ... `executor`, `kind` ... }
 *
 * makes a test that runs its body on each kind of executor in turn, and frees the executor. What not every kind can do
 * is asked of `kind`.
 */
#ifndef SOON_TESTS_CONTRACT_H
#define SOON_TESTS_CONTRACT_H

#include "../support/gate.h"

#include <pthread.h>
#include <stdlib.h>

struct executor_kind {
    const char *name;
    soon_executor *(*make)(void);
    int workers;         /* tasks that it runs at once */
    bool takes_back;     /* a pending task can be cancelled at once */
    bool kills;          /* a running task can be ended by force */
    bool nests;          /* a task may submit to it and wait */
    bool counts;         /* it has stats */
    bool has_priorities; /* it looks at the submit option */
    bool is_elsewhere;   /* its tasks run in other processes */
};

/*
 * An executor of the user's own, as small as can be: one thread that runs a list of calls.
 */
struct small_executor {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct small_node {
        struct small_node *next;
        soon_call *call;
    } * head, **tail;
    soon_promise *down;
};

static inline soon_call *small__pop_locked(struct small_executor *small)
{
    struct small_node *node = small->head;
    soon_call *call;

    if (!node)
        return NULL;
    call = node->call;
    small->head = node->next;
    if (!small->head)
        small->tail = &small->head;
    free(node);
    return call;
}

static inline void *small__main(void *data)
{
    struct small_executor *small = data;
    soon_call *call;

    pthread_mutex_lock(&small->mutex);
    while ((call = small__pop_locked(small)) || !small->down) {
        if (!call) {
            pthread_cond_wait(&small->changed, &small->mutex);
            continue;
        }
        pthread_mutex_unlock(&small->mutex);
        soon_call_run(call);
        pthread_mutex_lock(&small->mutex);
    }
    pthread_mutex_unlock(&small->mutex);
    soon_promise_set_result(small->down, NULL, 0);
    return NULL;
}

static inline int small__submit(void *self, soon_call *call, bool may_block)
{
    struct small_executor *small = self;
    struct small_node *node = malloc(sizeof *node);
    int rc = node ? 0 : -ENOMEM;

    (void)may_block;
    pthread_mutex_lock(&small->mutex);
    if (small->down)
        rc = SOON_ESHUTDOWN;
    if (rc == 0) {
        *node = (struct small_node){NULL, call};
        *small->tail = node;
        small->tail = &node->next;
        pthread_cond_signal(&small->changed);
    }
    pthread_mutex_unlock(&small->mutex);
    if (rc < 0)
        free(node);
    return rc;
}

static inline bool small__take_back(void *self, soon_call *call)
{
    struct small_executor *small = self;
    struct small_node **link, *node;

    pthread_mutex_lock(&small->mutex);
    for (link = &small->head; (node = *link) && node->call != call; link = &node->next)
        ;
    if (node) {
        *link = node->next;
        if (!node->next)
            small->tail = link;
    }
    pthread_mutex_unlock(&small->mutex);
    free(node);
    return node != NULL;
}

/* It has one thread: what a task waits for must run here. */
static inline bool small__help(void *self, soon_call *call)
{
    if (!small__take_back(self, call))
        return false;
    soon_call_run(call);
    return true;
}

static inline int small__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct small_executor *small = self, pending = {.tail = &pending.head};
    soon_call *call;

    pthread_mutex_lock(&small->mutex);
    small->down = down;
    pthread_cond_signal(&small->changed);
    if (mode > SOON_DRAIN) { /* all at once: else its thread begins some of them meanwhile */
        pending.head = small->head;
        small->head = NULL;
        small->tail = &small->head;
    }
    pthread_mutex_unlock(&small->mutex);
    while ((call = small__pop_locked(&pending))) {
        soon_promise_set_cancelled(soon_call_promise(call));
        soon_call_free(call);
    }
    return 0;
}

static inline void small__free(void *self)
{
    struct small_executor *small = self;

    if (pthread_equal(pthread_self(), small->thread)) /* in a callback of its end */
        pthread_detach(small->thread);
    else
        pthread_join(small->thread, NULL);
    pthread_cond_destroy(&small->changed);
    pthread_mutex_destroy(&small->mutex);
    free(small);
}

static inline soon_executor *make_small(void)
{
    static const soon_executor_class klass = {.size = sizeof klass,
                                              .name = "small",
                                              .submit = small__submit,
                                              .take_back = small__take_back,
                                              .help = small__help,
                                              .shutdown = small__shutdown,
                                              .free = small__free};
    struct small_executor *small = calloc(1, sizeof *small);
    soon_executor *executor;

    pthread_mutex_init(&small->mutex, NULL);
    pthread_cond_init(&small->changed, NULL);
    small->tail = &small->head;
    cr_assert_eq(pthread_create(&small->thread, NULL, small__main, small), 0);
    cr_assert_eq(soon_executor_new(&executor, &klass, small), 0);
    return executor;
}

/*
 * The kinds
 */

static inline soon_executor *make_threads(int workers)
{
    soon_executor *executor;

    cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = workers}), 0);
    return executor;
}
static inline soon_executor *make_one_thread(void)
{
    return make_threads(1);
}
static inline soon_executor *make_two_threads(void)
{
    return make_threads(2);
}
static inline soon_executor *make_three_threads(void)
{
    return make_threads(3);
}

/* Impatient, so that what does not listen is soon gone. */
static inline soon_executor *make_processes(int workers)
{
    soon_executor *executor;
    int rc = soon_process_pool_new(&executor, &(soon_process_pool_options){.workers = workers, .grace_ms = 50});

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
    return executor;
}
static inline soon_executor *make_one_process(void)
{
    return make_processes(1);
}
static inline soon_executor *make_three_processes(void)
{
    return make_processes(3);
}

static const struct executor_kind executor_kinds[] = {
    {"a thread", make_one_thread, 1, .takes_back = true, .nests = true, .counts = true, .has_priorities = true},
    {"two threads", make_two_threads, 2, .takes_back = true, .nests = true, .counts = true, .has_priorities = true},
    {"three threads", make_three_threads, 3, .takes_back = true, .nests = true, .counts = true, .has_priorities = true},
    {"a process", make_one_process, 1, .takes_back = true, .kills = true, .counts = true, .has_priorities = true,
     .is_elsewhere = true},
    {"three processes", make_three_processes, 3, .takes_back = true, .kills = true, .counts = true,
     .has_priorities = true, .is_elsewhere = true},
    {"an executor of the user's own", make_small, 1, .takes_back = true, .nests = true},
};

typedef void (*contract_fn)(soon_executor *executor, const struct executor_kind *kind);

static inline void contract__run(contract_fn body)
{
    for (size_t i = 0; i < sizeof executor_kinds / sizeof *executor_kinds; i++) {
        const struct executor_kind *kind = &executor_kinds[i];
        soon_executor *executor;

        if (kind->is_elsewhere && !test_has_processes())
            continue;
        executor = kind->make();
        body(executor, kind);
        cr_assert_eq(soon_executor_free(executor), 0, "on %s", kind->name);
    }
}

/* The executor is freed behind it. */
#define Contract(...) CONTRACT__CASE(__VA_ARGS__, .description = NULL)
#define CONTRACT__CASE(suite, name, ...)                                                                               \
    static void suite##_##name##_contract(soon_executor *executor, const struct executor_kind *kind);                  \
    Test(suite, name, __VA_ARGS__)                                                                                     \
    {                                                                                                                  \
        contract__run(suite##_##name##_contract);                                                                      \
    }                                                                                                                  \
    static void suite##_##name##_contract(SOON_UNUSED soon_executor *executor,                                         \
                                          SOON_UNUSED const struct executor_kind *kind)

/*
 * Tasks that all of it uses
 */

struct pair {
    int x, y;
};

SOON_TASK(mul, struct pair, int)
{
    *result = arg->x * arg->y;
    return 0;
}

SOON_TASK(divide, struct pair, int)
{
    if (arg->y == 0)
        return soon_raise(task, EDOM, "division of %d by zero", arg->x);
    *result = arg->x / arg->y;
    return 0;
}

SOON_TASK(nothing, soon_none, soon_none)
{
    return 0;
}

/* Keeps all workers busy until gate_open(gate, kind->workers). */
static inline void occupy(soon_executor *executor, const struct executor_kind *kind, struct gate gate)
{
    for (int i = 0; i < kind->workers; i++)
        soon_future_unref(submit_pass(executor, gate));
    gate_await(gate, kind->workers);
}

#endif
