/*
 * own_priority.c - an executor of one's own with one thread that runs the most urgent call first. A cancel takes a call
 * out of its list; a task that waits for another one of them runs that on top of its own stack, so that one thread is
 * enough.
 */
#include "program.h"

#include <pthread.h>
#include <string.h>

enum { MAX_CALLS = 1024 };

struct urgent {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    soon_call *calls[MAX_CALLS];
    size_t count;
    bool paused;
    soon_promise *down;
    unsigned helped;
};

static int priority_of(const soon_call *call)
{
    return soon_call_options(call)->priority;
}

static soon_call *remove_locked(struct urgent *urgent, size_t at)
{
    soon_call *call = urgent->calls[at];

    urgent->count--;
    memmove(&urgent->calls[at], &urgent->calls[at + 1], (urgent->count - at) * sizeof *urgent->calls);
    return call;
}

/* The first of those with the highest priority. */
static soon_call *pop_locked(struct urgent *urgent)
{
    size_t best = 0;

    for (size_t i = 1; i < urgent->count; i++) {
        if (priority_of(urgent->calls[i]) > priority_of(urgent->calls[best]))
            best = i;
    }
    return remove_locked(urgent, best);
}

static void *work(void *data)
{
    struct urgent *urgent = data;

    pthread_mutex_lock(&urgent->mutex);
    while (urgent->count > 0 || !urgent->down) {
        if (urgent->count == 0 || urgent->paused) {
            pthread_cond_wait(&urgent->changed, &urgent->mutex);
            continue;
        }
        soon_call *call = pop_locked(urgent);
        pthread_mutex_unlock(&urgent->mutex);
        soon_call_run(call);
        pthread_mutex_lock(&urgent->mutex);
    }
    pthread_mutex_unlock(&urgent->mutex);
    soon_promise_set_result(urgent->down, NULL, 0);
    return NULL;
}

static int submit(void *self, soon_call *call, bool may_block)
{
    struct urgent *urgent = self;
    int rc = 0;

    (void)may_block;
    pthread_mutex_lock(&urgent->mutex);
    if (urgent->down)
        rc = SOON_ESHUTDOWN;
    else if (urgent->count == MAX_CALLS)
        rc = SOON_EFULL;
    else
        urgent->calls[urgent->count++] = call;
    pthread_cond_signal(&urgent->changed);
    pthread_mutex_unlock(&urgent->mutex);
    return rc;
}

static bool take_back(void *self, soon_call *call)
{
    struct urgent *urgent = self;
    size_t at = 0;

    pthread_mutex_lock(&urgent->mutex);
    while (at < urgent->count && urgent->calls[at] != call)
        at++;
    bool found = at < urgent->count;
    if (found)
        remove_locked(urgent, at);
    pthread_mutex_unlock(&urgent->mutex);
    return found;
}

static bool help(void *self, soon_call *call)
{
    struct urgent *urgent = self;

    if (!take_back(self, call))
        return false;
    urgent->helped++;
    soon_call_run(call);
    return true;
}

static int begin_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    struct urgent *urgent = self;
    soon_call *call;

    do {
        pthread_mutex_lock(&urgent->mutex);
        urgent->down = down;
        urgent->paused = false;
        call = mode > SOON_DRAIN && urgent->count > 0 ? pop_locked(urgent) : NULL;
        pthread_cond_signal(&urgent->changed);
        pthread_mutex_unlock(&urgent->mutex);
        if (call) {
            soon_promise_set_cancelled(soon_call_promise(call));
            soon_call_free(call);
        }
    } while (call);
    return 0;
}

static void stats(void *self, soon_stats *ret)
{
    struct urgent *urgent = self;

    pthread_mutex_lock(&urgent->mutex);
    ret->pending = urgent->count;
    ret->workers = 1;
    pthread_mutex_unlock(&urgent->mutex);
}

static void join(void *self)
{
    struct urgent *urgent = self;

    pthread_join(urgent->thread, NULL);
    printf("helped %u times\n", urgent->helped);
    free(urgent);
}

static soon_executor *urgent_new(struct urgent **ret)
{
    static const soon_executor_class klass = {
        sizeof(soon_executor_class), "urgent", submit, take_back, NULL, help, begin_shutdown, stats, join};
    struct urgent *urgent = calloc(1, sizeof *urgent);
    soon_executor *executor;

    must(urgent && soon_executor_new(&executor, &klass, urgent) == 0);
    pthread_mutex_init(&urgent->mutex, NULL);
    pthread_cond_init(&urgent->changed, NULL);
    urgent->paused = true;
    must(pthread_create(&urgent->thread, NULL, work, urgent) == 0);
    *ret = urgent;
    return executor;
}

static void go(struct urgent *urgent)
{
    pthread_mutex_lock(&urgent->mutex);
    urgent->paused = false;
    pthread_cond_signal(&urgent->changed);
    pthread_mutex_unlock(&urgent->mutex);
}

SOON_TASK(say, int, soon_none)
{
    printf("%s %d\n", soon_task_label(task), *arg);
    return 0;
}

SOON_TASK(fib, int, long)
{
    long a, b;

    if (*arg < 2) {
        *result = *arg;
        return 0;
    }
    soon_future *first = soon_submit(soon_task_executor(task), fib, *arg - 1);
    soon_future *second = soon_submit(soon_task_executor(task), fib, *arg - 2);
    if (soon_take(first, &a) < 0 || soon_take(second, &b) < 0)
        return soon_raise(task, 1, NULL);
    *result = a + b;
    return 0;
}

int main(void)
{
    struct urgent *urgent;
    soon_executor *executor = urgent_new(&urgent);
    soon_future *futures[6];
    soon_stats count;
    long f;

    futures[0] = soon_submit_with(executor, (.label = "normal"), say, 1);
    futures[1] = soon_submit_with(executor, (.label = "low", .priority = -1), say, 2);
    futures[2] = soon_submit_with(executor, (.label = "high", .priority = 5), say, 3);
    futures[3] = soon_submit_with(executor, (.label = "cancelled", .priority = 9), say, 4);
    futures[4] = soon_submit_with(executor, (.label = "high", .priority = 5), say, 5);
    futures[5] = soon_submit_with(executor, (.label = "normal"), say, 6);
    must(soon_future_cancel(futures[3]));
    soon_executor_stats(executor, &count);
    must(count.pending == 5 && count.workers == 1);
    go(urgent);
    must(soon_wait(futures, 6, SOON_ALL_COMPLETED, SOON_FOREVER, NULL) == 6);
    soon_futures_unref(futures, 6);

    must(soon_take(soon_submit(executor, fib, 10), &f) == 0);
    printf("fib(10) = %ld\n", f);
    must(soon_executor_free(executor) == 0);
    return 0;
}
