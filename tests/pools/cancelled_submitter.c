/*
 * cancelled_submitter.c - a thread that is cancelled by pthread_cancel() while it waits in a submit leaves the pool whole.
 */
#include "../support/process_fixture.h"

TestSuite(cancelled_submitter);

struct submitter {
    soon_executor *pool;
    struct gate gate;
    _Atomic int submitted;
};

static void *submit_until_cancelled(void *data)
{
    struct submitter *self = data;

    for (;; pthread_testcancel()) {
        soon_future_unref(submit_pass(self->pool, self->gate));
        self->submitted++;
    }
    return NULL;
}

static void cancel_a_submitter(soon_executor *pool)
{
    struct submitter self = {.pool = pool, .gate = gate_new()};
    pthread_t thread;

    pthread_create(&thread, NULL, submit_until_cancelled, &self);
    gate_await(self.gate, 1);
    test_wait_until(self.submitted == 2); /* one runs, one waits for it, the next one for a place */
    usleep(20000);                        /* most likely it does */
    pthread_cancel(thread);
    usleep(20000); /* and has been told: else this shows less */
    cr_assert_leq(stats_of(pool).pending, 1);
    do {
        gate_open(self.gate, 1);
        usleep(1000);
    } while (pthread_tryjoin_np(thread, NULL) != 0);
    gate_open(self.gate, 10); /* for the rest */
    free_pool(pool);
    gate_free(self.gate);
}

Test(cancelled_submitter, leaves_the_thread_pool_whole)
{
    cancel_a_submitter(new_pool(.workers = 1, .queue_max = 1));
}

Test(cancelled_submitter, leaves_the_process_pool_whole)
{
    if (test_has_processes())
        cancel_a_submitter(new_processes(.workers = 1, .queue_max = 1));
}
