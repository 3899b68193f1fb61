/*
 * own_executor.h - an executor of the user's own, as small as can be: one thread that runs a list of calls.
 */
#ifndef SOON_TESTS_SUPPORT_OWN_EXECUTOR_H
#define SOON_TESTS_SUPPORT_OWN_EXECUTOR_H

#include "../harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <stdlib.h>

struct own_executor {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct own_node {
        struct own_node *next;
        soon_call *call;
    } * head, **tail;
    soon_promise *down;
};

static inline soon_call *own__pop_locked(struct own_executor *own)
{
    struct own_node *node = own->head;
    soon_call *call;

    if (!node)
        return NULL;
    call = node->call;
    own->head = node->next;
    if (!own->head)
        own->tail = &own->head;
    free(node);
    return call;
}

static inline void *own__main(void *data)
{
    struct own_executor *own = data;
    soon_call *call;

    pthread_mutex_lock(&own->mutex);
    while ((call = own__pop_locked(own)) || !own->down) {
        if (!call) {
            pthread_cond_wait(&own->changed, &own->mutex);
            continue;
        }
        pthread_mutex_unlock(&own->mutex);
        soon_call_run(call);
        pthread_mutex_lock(&own->mutex);
    }
    pthread_mutex_unlock(&own->mutex);
    soon_promise_set_result(own->down, NULL, 0);
    return NULL;
}

static inline int own__submit(void *self, soon_call *call, bool may_block)
{
    struct own_executor *own = self;
    struct own_node *node = malloc(sizeof *node);
    int rc = node ? 0 : -ENOMEM;

    (void)may_block;
    pthread_mutex_lock(&own->mutex);
    if (own->down)
        rc = SOON_ESHUTDOWN;
    if (rc == 0) {
        *node = (struct own_node){NULL, call};
        *own->tail = node;
        own->tail = &node->next;
        pthread_cond_signal(&own->changed);
    }
    pthread_mutex_unlock(&own->mutex);
    if (rc < 0)
        free(node);
    return rc;
}

static inline bool own__take_back(void *self, soon_call *call)
{
    struct own_executor *own = self;
    struct own_node **link, *node;

    pthread_mutex_lock(&own->mutex);
    for (link = &own->head; (node = *link) && node->call != call; link = &node->next)
        ;
    if (node) {
        *link = node->next;
        if (!node->next)
            own->tail = link;
    }
    pthread_mutex_unlock(&own->mutex);
    free(node);
    return node != NULL;
}

/* It has one thread: what a task waits for must run here. */
static inline bool own__help(void *self, soon_call *call)
{
    if (!own__take_back(self, call))
        return false;
    soon_call_run(call);
    return true;
}

static inline int own__shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct own_executor *own = self, pending = {.tail = &pending.head};
    soon_call *call;

    pthread_mutex_lock(&own->mutex);
    own->down = down;
    pthread_cond_signal(&own->changed);
    if (mode > SOON_DRAIN) { /* all at once: else its thread begins some of them meanwhile */
        pending.head = own->head;
        own->head = NULL;
        own->tail = &own->head;
    }
    pthread_mutex_unlock(&own->mutex);
    while ((call = own__pop_locked(&pending))) {
        soon_promise_set_cancelled(soon_call_promise(call));
        soon_call_free(call);
    }
    return 0;
}

static inline void own__free(void *self)
{
    struct own_executor *own = self;

    if (pthread_equal(pthread_self(), own->thread)) /* in a callback of its end */
        pthread_detach(own->thread);
    else
        pthread_join(own->thread, NULL);
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->mutex);
    free(own);
}

static inline soon_executor *own__make(bool takes_back)
{
    soon_executor_class klass = {.size = sizeof klass,
                                 .name = "own",
                                 .submit = own__submit,
                                 .take_back = takes_back ? own__take_back : NULL,
                                 .help = own__help,
                                 .shutdown = own__shutdown,
                                 .free = own__free};
    struct own_executor *own = calloc(1, sizeof *own);
    soon_executor *executor;

    pthread_mutex_init(&own->mutex, NULL);
    pthread_cond_init(&own->changed, NULL);
    own->tail = &own->head;
    cr_assert_eq(pthread_create(&own->thread, NULL, own__main, own), 0);
    cr_assert_eq(soon_executor_new(&executor, &klass, own), 0);
    return executor;
}
static inline soon_executor *make_own(void)
{
    return own__make(true);
}
static inline soon_executor *make_own_that_keeps_what_it_has(void)
{
    return own__make(false);
}

#endif
