/*
 * state_internal.h - the daemon: two connections to each server, and a process pool, on the library's loop.
 *
 *     the daemon    SERVING --told to end--> DRAINING --nothing runs--> LEAVING --all is closed--> it ends
 *                      |                        |                          ^
 *                      +---told twice, or the pool is broken: STOPPING ----+
 *
 *     a source       FULL --NO_JOB--> DRY --no grab is out, and a slot is idle--> ASLEEP
 *                     ^               |                                          |
 *                     +----a job------+----NOOP, or a job of it has just ended---+
 *
 *     a job         RUNNING --its task ends--> reported, and gone
 *                      +--its connection is lost, or the daemon stops--> LOST --its task ends--> gone
 *
 * D1  All of it is on the thread of the library's loop, where the pool looks after its processes, too: so the end of a
 *     task is told to its server without a change of threads. The pool calls us there as it calls any loop's program.
 * D2  Grabs that are not answered and jobs, LOST ones too, are never more than the slots, over all servers together; or
 *     than some times as many, while all that the daemon has is of functions whose tasks are short.
 * D3  What is said of a job is said on the connection, and in the epoch, that it came by. When those are lost the job
 *     is LOST: nothing more is said of it, and its task is cancelled, since the server has given the job to another.
 * D4  To a job whose unique is not ours no message is sent: what its client gets is bytes, text and numbers.
 * D5  While jobs of a connection run, its functions are not taken back there: the server would give the jobs to others.
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_STATE_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_STATE_INTERNAL_H

#include "../../loops/job_internal.h"
#include "../both/connection_internal.h"
#include "../both/unique_internal.h"
#include "functions_internal.h"
#include "options_internal.h"

#include <uv.h>

struct soon__daemon;
struct soon__metrics;

enum soon__source_state { SOON__SOURCE_FULL, SOON__SOURCE_DRY, SOON__SOURCE_ASLEEP };

/* One server, from which jobs come. */
struct soon__source {
    struct soon__daemon *daemon;
    struct soon__servers *address; /* this one alone */
    struct soon__connection *work, *control;
    enum soon__source_state state;
    size_t grabs;      /* not answered yet */
    size_t jobs;       /* RUNNING */
    bool had_none;     /* the last answer was NO_JOB, and it has not called since */
    uint64_t ended_ns; /* a job has, and none has come since; 0: otherwise */
    unsigned luck;     /* how often a job came soon after one had ended */
    bool withdrawn;    /* its functions were taken back */
};

enum soon__gearman_job_state { SOON__JOB_RUNNING, SOON__JOB_LOST };
enum { SOON__HANDLE_MAX = 128 };

struct soon__gearman_job {
    struct soon__gearman_job *next, **link;
    struct soon__source *source;
    enum soon__gearman_job_state state;
    struct soon__offer *offer;
    soon_future *future;
    bool is_ours;   /* D4 */
    uint64_t items; /* 0: one task */
    uint32_t attempt;
    uint64_t began_ns, beside; /* when it was assigned; how many jobs the daemon had then, this one included */
    size_t handle_size, unique_size;
    char handle[SOON__HANDLE_MAX], unique[SOON__UNIQUE_MAX];
    int64_t alive_every_ms, alive_at_ms; /* 0: its client wants no heartbeat */
    int64_t kill_at_ms; /* LOST: its task was asked to end, and has time until then; 0: it was killed */
    soon_progress told;
    int64_t tell_at_ms; /* not before that its progress is told again */
};

enum soon__daemon_stage { SOON__SERVING, SOON__DRAINING, SOON__STOPPING, SOON__LEAVING };

struct soon__daemon {
    const struct soon__daemon_options *options;
    char host[256], worker[160]; /* where it is, and as what it is known */
    char order_function[176];    /* "cancel@WORKER" */
    size_t slots;
    int64_t grace_ms;
    enum soon__daemon_stage stage; /* of daemon.c alone */
    bool is_broken;                /* the pool is */
    int status;                    /* to exit with */

    struct soon__job on_loop; /* its first job there, and its last */
    uv_sem_t ended;
    uv_loop_t *uv;             /* the library's */
    soon_loop *loop;           /* the same */
    soon_function initializer; /* of the pool, if the options name one */
    soon_executor *pool;       /* NULL: it has ended */
    bool pool_is_ending;
    soon_stats last; /* of the pool, as its end began: counters do not go back */
    struct soon__offers offers;

    struct soon__servers *servers;
    size_t source_count, next_source; /* whose turn it is */
    struct soon__source *sources;
    size_t in_a_row;    /* so many grabs have brought a job since one that has not */
    size_t connections; /* that are not closed */

    struct soon__gearman_job *jobs;
    size_t job_count;
    uv_timer_t beat; /* heartbeats, progress, and the end of patience with LOST jobs */
    uv_signal_t signals[2];
    uv_idle_t changed; /* active: the whole is to be looked at. So libuv comes once more before it sleeps */
    uv_idle_cb before_sleep;
    uv_check_t after_poll;

    struct soon__metrics *metrics; /* NULL: nobody wants them */
    struct {
        uint64_t jobs, foreign, results, errors, lost, orders;
    } counts; /* since the start, for the metrics */
};

static inline void soon__daemon_changed(struct soon__daemon *daemon)
{
    uv_idle_start(&daemon->changed, daemon->before_sleep);
}

#endif
