/*
 * driver.c - a thread that submits, waits, cancels, kills, forks, in random order.
 */
#include "storm.h"

#include <sys/wait.h>

static void wait_for_some(struct record *const *live, unsigned count, struct dice *d)
{
    soon_future *some[16], *next;
    soon_as_completed *set;
    unsigned n = 1 + below(d, 16);
    int64_t timeout = one_in(d, 3) ? SOON_FOREVER : (int64_t)below(d, 8);
    bool done[16];
    int64_t rc;
    unsigned given = 0, distinct = 0;

    if (!count)
        return;
    for (unsigned i = 0; i < n; i++) {
        some[i] = live[below(d, count)]->future;
        for (unsigned j = 0; j <= i; j++) {
            if (some[j] == some[i]) {
                distinct += j == i;
                break;
            }
        }
    }
    if (one_in(d, 2)) {
        soon_when when = (soon_when)below(d, 3);

        rc = soon_wait(some, n, when, timeout, done);
        if (rc < 0 && rc != -ENOMEM)
            WRONG("M3", "wait: %s", soon_errname((int)rc));
        if (rc >= 0 && timeout == SOON_FOREVER && when == SOON_ALL_COMPLETED && (unsigned)rc != distinct)
            WRONG("M9", "wait for all %u: %lld are done", distinct, (long long)rc);
        if (timeout == SOON_FOREVER && when == SOON_FIRST_COMPLETED && rc == 0)
            WRONG("M9", "wait for one: none");
        for (unsigned i = 0; rc >= 0 && i < n; i++) {
            if (done[i] && !soon_future_done(some[i]))
                WRONG("M9", "wait says done");
        }
        return;
    }
    if ((rc = soon_as_completed_new(&set, some, n / 2, timeout)) < 0) {
        if (rc != -ENOMEM)
            WRONG("M3", "as_completed: %s", soon_errname((int)rc));
        return;
    }
    for (unsigned i = n / 2; i < n; i++)
        (void)soon_as_completed_add(set, some[i]);
    while ((rc = soon_as_completed_next(set, &next)) == 0) {
        if (!soon_future_done(next))
            WRONG("M9", "as_completed gave one that is not done");
        given++;
        soon_future_unref(next);
    }
    if (rc == SOON_EEND ? given != distinct : !(rc == -ETIMEDOUT && timeout != SOON_FOREVER))
        WRONG("M9", "as_completed: %s after %u of %u", soon_errname((int)rc), given, distinct);
    soon_as_completed_free(set);
}

static void do_callback(struct record *const *live, unsigned count, struct dice *d)
{
    struct callback *callback = count ? new_callback() : NULL;
    soon_future *future;
    soon_loop *loop = one_in(d, 2) ? loops[below(d, LOOPS)] : NULL;
    int rc, one = 1;

    if (!callback)
        return;
    future = live[below(d, count)]->future;
    rc = loop ? soon_future_add_done_callback_on(future, loop, on_done, callback)
              : soon_future_add_done_callback(future, on_done, callback);
    if (rc < 0) {
        if (rc != -ENOMEM)
            WRONG("M3", "add_done_callback: %s", soon_errname(rc));
        callback->state = 0;
        return;
    }
    if (one_in(d, 3)) {
        if (one_in(d, 2))
            nap_us(below(d, 300));
        if (soon_future_remove_done_callback(future, on_done, callback) &&
            !atomic_compare_exchange_strong(&callback->state, &one, 3))
            WRONG("M6", "removed, and in state %d", one);
    }
}

static void on_post(void *data)
{
    on_done(NULL, data);
}

static void meddle(struct dice *d)
{
    struct record *record;
    soon_future *future = pick(d, &record);
    soon_progress progress;
    soon_stats stats;
    int rc;

    if (!future)
        return;
    switch (below(d, 9)) {
    case 0:
    case 1:
        cancels_made++;
        mark_cancelled(record);
        if (soon_future_cancel(future) && !soon_future_cancelled(future))
            WRONG("M9", "cancelled, and is not");
        break;
    case 2:
    case 3:
        mark_killed(record);
        rc = soon_future_kill(future);
        kills_made += rc == 0;
        r.kills += rc == 0;
        if (rc && rc != SOON_EINVALIDSTATE && rc != -ENOTSUP)
            WRONG("M3", "kill: %s", soon_errname(rc));
        break;
    case 4:
        progress = soon_future_progress(future);
        if (progress.done > progress.total && !r.any_corrupt)
            WRONG("M9", "progress %llu of %llu", (unsigned long long)progress.done, (unsigned long long)progress.total);
        (void)soon_future_state(future);
        (void)soon_future_label(future);
        break;
    case 5:
        soon_executor_stats(r.pool, &stats);
        if (procs && stats.idle > r.workers)
            WRONG("M7 overshoot", "%zu workers are idle in a pool of %zu", stats.idle, r.workers);
        break;
    case 6:
        (void)soon_future_wait(future, below(d, 3));
        break;
    case 7:
        if (soon_map_count(future, NULL, NULL)) {
            int64_t item;

            (void)soon_map_item(future, 0, below(d, 4), &item, sizeof item);
            (void)soon_map_item_error(future, 0);
        }
        break;
    default:
        rc = soon_executor_boot(r.pool, below(d, 3));
        if (rc && rc != -ETIMEDOUT && rc != SOON_ESHUTDOWN &&
            !((rc == SOON_EBROKEN || rc == -EMFILE || rc == -ENFILE || rc == -EAGAIN || rc == -ENOMEM) &&
              (r.squeezed || r.breaks || r.init_fails)))
            WRONG("M3", "boot: %s", soon_errname(rc));
    }
    soon_future_unref(future);
}

static void fork_here(struct dice *d)
{
    struct record *record;
    soon_future *future = pick(d, &record);
    pid_t pid;
    int status;

    forks++;
    pid = fork();
    if (pid == 0) {
        soon_executor *own;
        soon_future *f;
        int64_t x = 0;
        int rc;

        alarm(60);
        f = soon_submit(r.pool, add, .n = 1);
        if (soon_result(f, &x) != SOON_EFORKED)
            _exit(3);
        if (future && !soon_future_done(future) && (rc = soon_future_wait(future, SOON_FOREVER)) != SOON_EFORKED)
            _exit(4);
        if (soon_executor_free(r.pool) != SOON_EFORKED)
            _exit(5);
        if (soon_thread_pool_new(&own, &(soon_thread_pool_options){.workers = 2}) < 0)
            _exit(0); /* no descriptors */
        f = soon_submit(own, fork_join, .ticket = UINT32_MAX, .n = 8);
        if (soon_result(f, &x) < 0 || x != fork_join_value(8))
            _exit(6);
        _exit(soon_executor_free(own) == 0 ? 0 : 7);
    }
    soon_future_unref(future);
    if (pid < 0)
        return;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        WRONG("fork", "the child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void *drive(void *data)
{
    struct dice d = {(uint64_t)(uintptr_t)data};
    struct record *live[LIVE], *record;
    unsigned count = 0, rounds_after = 0, refused = 0;

    while ((!r.over || rounds_after++ < 3) && refused < 60) {
        operations++;
        record = NULL;
        switch (below(&d, 24)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
            record = submit_one(&d);
            break;
        case 9:
        case 10:
            record = submit_map(&d);
            break;
        case 11:
            do_imap(&d);
            break;
        case 12:
        case 13:
            record = derive(live, count, &d);
            break;
        case 14:
        case 15:
            wait_for_some(live, count, &d);
            break;
        case 16:
            do_callback(live, count, &d);
            break;
        case 17:
            record = submit_apply(&d);
            break;
        case 18: {
            struct callback *callback = new_callback();

            if (callback && soon_loop_post(loops[below(&d, LOOPS)], on_post, callback) < 0)
                callback->state = 0;
            break;
        }
        case 19:
            if (one_in(&d, 60) && !sanitized)
                fork_here(&d);
            else if (one_in(&d, 8))
                record = submit_self(&d);
            break;
        default:
            meddle(&d);
        }
        if (r.mode >= 0)
            nap_us(500 + refused++); /* most is refused now */
        if (!record)
            continue;
        if (soon_future_done(record->future) && !soon_future_succeeded(record->future))
            nap_us(300);
        if (count < LIVE)
            live[count++] = record;
        else
            live[below(&d, LIVE)] = record;
        if (r.used >= RECORDS - 200 || callbacks_used >= CALLBACKS - 200)
            break;
    }
    return NULL;
}
