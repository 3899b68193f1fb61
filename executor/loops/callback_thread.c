/*
 * callback_thread.c - the thread on which the library runs user code that has no thread of its own: callbacks and
 * releases.
 *
 * Lists are spliced out under the mutex and run without it. The thread sleeps without a timeout. It ends only where the
 * start of the library fails half-way.
 */
#include "callback_thread_internal.h"

#include "../../futures/run_callbacks_internal.h"
#include "../system/surroundings_internal.h"

#include <signal.h>

int soon__library_thread_start(pthread_t *ret, void *(*fn)(void *), void *data)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t all, old;
    int error;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(ret, NULL, fn, data);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -error;
}

/* Takes all there is. False: stopping. */
static bool await(struct soon__callback_thread *self, struct soon__future_list *ret_futures,
                  struct soon__jobs *ret_jobs)
{
    bool stopping;

    pthread_mutex_lock(&self->mutex);
    while (!self->locked.futures.head && !self->locked.jobs.head && !self->locked.stopping)
        pthread_cond_wait(&self->some, &self->mutex);
    stopping = self->locked.stopping;
    *ret_futures = self->locked.futures;
    *ret_jobs = self->locked.jobs;
    self->locked.futures.head = NULL;
    self->locked.jobs.head = NULL;
    pthread_mutex_unlock(&self->mutex);
    return !stopping;
}

static void *run_callbacks(void *data)
{
    struct soon__callback_thread *self = data;
    struct soon__future_list futures;
    struct soon__jobs jobs;

    soon__surroundings_give(soon__surroundings_of_process(), 0);
    pthread_setname_np(pthread_self(), "soon-callbacks");
    soon__thread_self()->of_library = true;
    while (await(self, &futures, &jobs)) {
        for (soon_future *future = futures.head, *next; future; future = next) {
            next = future->link;
            soon__future_run_sunk(future);
            if (self->generation != soon__generation())
                soon__leave_child(); /* user code forked, and this is the child */
        }
        for (struct soon__job *job = jobs.head, *next; job; job = next) {
            next = job->next;
            job->run(job);
            if (self->generation != soon__generation())
                soon__leave_child();
        }
    }
    return NULL;
}

int soon__callback_thread_start(struct soon__callback_thread *self)
{
    int rc;

    self->generation = soon__generation();
    self->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    self->some = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    rc = soon__library_thread_start(&self->thread, run_callbacks, self);
    if (rc < 0) {
        pthread_cond_destroy(&self->some);
        pthread_mutex_destroy(&self->mutex);
    }
    return rc;
}

void soon__callback_thread_stop(struct soon__callback_thread *self)
{
    pthread_mutex_lock(&self->mutex);
    self->locked.stopping = true;
    pthread_cond_signal(&self->some);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->some);
    pthread_mutex_destroy(&self->mutex);
}

void soon__callback_thread_post(struct soon__callback_thread *self, struct soon__job *job)
{
    pthread_mutex_lock(&self->mutex);
    soon__jobs_push(&self->locked.jobs, job);
    pthread_cond_signal(&self->some);
    pthread_mutex_unlock(&self->mutex);
}

void soon__callback_thread_sink(struct soon__callback_thread *self, soon_future *future)
{
    struct soon__future_list *futures = &self->locked.futures;

    future->link = NULL;
    pthread_mutex_lock(&self->mutex);
    if (futures->head)
        futures->tail->link = future;
    else
        futures->head = future;
    futures->tail = future;
    pthread_cond_signal(&self->some);
    pthread_mutex_unlock(&self->mutex);
}
