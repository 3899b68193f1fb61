/*
 * order.c - the job then ends as its task does, and is reported as each other.
 */
#include "order_internal.h"

#include "../both/message_internal.h"
#include "gearman_job_internal.h"

void soon__order_obey(struct soon__daemon *daemon, soon_bytes message)
{
    struct soon__order_message order;
    struct soon__gearman_job *job;

    if (soon__read_order(&order, message) < 0) {
        soon__log(SOON__LOG_WARNING, "an order could not be read: its client has another version of the library");
        return;
    }
    daemon->counts.orders++;
    job = soon__gearman_job_find(daemon, order.unique);
    soon__log(SOON__LOG_DEBUG, "%s %s: %s", order.order == SOON__ORDER_KILL ? "kill" : "cancel", order.unique,
              job ? job->offer->function.name : "it is not here");
    if (!job)
        return;
    if (order.order == SOON__ORDER_KILL)
        (void)soon_future_kill(job->future);
    else
        (void)soon_future_cancel(job->future);
}
