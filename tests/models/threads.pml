/*
 * threads.pml - the thread pool's wake protocol: who sleeps, who is woken, who is started.
 *
 * Modelled: two submitters with two tasks each, a canceller, a shutdown at any moment, the library's loop (a start that
 * was put off, an idle worker that retires, joining, the end), and up to WORKERS + SPARES worker threads.
 *
 *     here                    in executor/threads/
 *     decide()                decide.c: soon__pool_decide_locked(), put_off_locked()
 *     grow()                  decide.c: soon__pool_grow_locked()
 *     act()                   decide.c: soon__pool_do(), and what it calls
 *     ring()                  worker.c: soon__worker_ring(), its two steps
 *     start_failed()          worker.c: start_failed()
 *     worker                  worker.c: worker_main(), work(), sleep_locked(), run(); await(): soon__worker_help()
 *     submitter               pool.c: submit(), push_locked()
 *     canceller, closer       pool.c: take_back(), begin_shutdown()
 *     loop                    watch.c: look(), pop_overdue_locked(), join_if_known(), soon__pool_close()
 *
 * What is done under the mutex is one step here (`atomic`): nothing in it blocks, and all that it reads but `between` is
 * written under the mutex only. Rings, starts, outcomes and `between` are steps of their own, outside of it.
 *
 * What the tasks do:
 *
 *     -DWAIT     0 sleeps for a while, 2 waits for 3
 *     -DMEET     2 and 3 each need that the other one has begun (with three workers, 1 too): long tasks run side by side
 *     -DHELD     1 has a callback, which stays until 0 has begun
 *
 * -DCANCEL, -DCLOSE, -DRETIRE, -DSTART_FAILS: a task may be cancelled, the pool be shut down, a worker retire, a thread
 * fail to start, at any moment, or never. -DWORKERS=n.
 *
 * Checked: no deadlock; whenever nothing moves any more every task has ended, and after a shutdown the pool is down;
 * each task ends exactly once.
 *
 * Left out: priorities, limits of time, the bound of the queue and its condition variable, initializers, boot, stats; the
 * future, which is future.pml; weak memory: all is sequentially consistent.
 *
 * Broken variants: -DNO_BATON, -DLOOK_BEFORE_LOCK, -DNO_LAST_DECIDE, -DNO_ALARM, -DSEPARATE_WORDS, -DKEEP_WAKING,
 * -DSTART_FAILS -DIDLE_STAYS_IDLE.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#define SPARES 1
#define IDS (WORKERS + SPARES + 1) /* one may be on its way out, not yet joined */
#define TASKS 4
#define NONE 99

/* Under the mutex. */
chan queue = [TASKS] of { byte };
byte threads, idle, parked, starting, unjoined, ids;
byte stack[IDS]; /* those that are idle, the latest last */
bool waking, closed, grow_is_set, close_posted;
bool used[IDS], retired[IDS];

/* Outside of it. */
bool between[IDS], bell[IDS], asleep[IDS], born[IDS], adopted[IDS];
bool begun[TASKS], ended[TASKS];
bool down;
byte failures = 1, retirements = 1; /* so many may happen */

#define ACTIVE (threads - idle - parked)

inline end_task(t)
{
    atomic {
        assert(!ended[t]);
        ended[t] = true
    }
}

inline close_if_empty()
{
    if
    :: closed && !unjoined && !len(queue) && !close_posted -> close_posted = true
    :: else
    fi
}

inline count_start()
{
    threads++;
    unjoined++;
    starting++;
    start = true
}

inline count_between()
{
    n = 0;
    i = 0;
    do
    :: i < IDS -> n = n + between[i]; i++
    :: else -> break
    od;
    i = 0
}

/* Sets `wake` and `start`. */
inline decide()
{
    wake = NONE;
    start = false;
    if
    :: ACTIVE >= WORKERS
    :: ACTIVE < WORKERS && idle && waking /* that one will pass it on */
    :: ACTIVE < WORKERS && idle && !waking ->
        idle--;
        wake = stack[idle];
        stack[idle] = 0;
#ifndef SEPARATE_WORDS
        waking = true
#endif
    :: ACTIVE < WORKERS && !idle ->
        count_between();
        if
        :: threads >= WORKERS + SPARES || len(queue) <= starting + waking
        :: threads < WORKERS + SPARES && len(queue) > starting + waking + n -> count_start()
        :: else -> /* put off */
#ifndef NO_ALARM
            grow_is_set = true
#endif
        fi;
        n = 0
    fi
}

inline grow()
{
    wake = NONE;
    grow_is_set = false;
    if
    :: len(queue) > starting + waking && !idle && ACTIVE < WORKERS && threads < WORKERS + SPARES -> count_start()
    :: else
    fi
}

inline ring(w)
{
    bell[w] = true;
    asleep[w] = false
}

inline start_failed()
{
    atomic {
        failures--;
        used[id] = false;
        ids--;
        threads--;
        starting--;
        wake = NONE;
        if
        :: threads == parked -> /* nobody is left to run what is pending */
            do
            :: queue?i -> end_task(i)
            :: empty(queue) -> break
            od;
            i = 0
        :: threads > parked && len(queue) && idle -> /* an idle one was surplus beside the one that did not start */
#ifndef IDLE_STAYS_IDLE
            decide()
#endif
        :: else
        fi;
        unjoined--;
        close_if_empty()
    }
    if
    :: wake != NONE -> ring(wake)
    :: else
    fi
}

/* Outside the mutex: what was decided under it. */
inline act()
{
    if
    :: wake != NONE ->
        ring(wake);
#ifdef SEPARATE_WORDS
        waking = true /* when the mutex was left */
#endif
    :: else
    fi;
    if
    :: start ->
        atomic {
            ids < IDS -> /* else until one was joined: their number is the model's alone */
            ids++;
            start = false;
            id = 0;
            do
            :: used[id] -> id++
            :: !used[id] -> break
            od;
            used[id] = true
        }
        if
        :: born[id] = true; adopted[id] = true
#ifdef START_FAILS
        :: failures -> start_failed()
#endif
        fi
    :: else
    fi;
    atomic {
        wake = NONE;
        id = 0
    }
}

inline begin(t)
{
    begun[t] = true
}

/* As counted(), then the outcome, then callbacks. */
inline finish(t)
{
    between[me] = true;
    end_task(t)
}

/* A task sleeps until `over`; `parks` is false if nobody is left to run others then (SOON_EDEADLK). */
inline park(over)
{
    atomic {
        parks = !(threads - parked == 1 && threads >= WORKERS + SPARES);
        parked = parked + parks;
        if
        :: parks && len(queue) -> decide()
        :: else
        fi
    }
    act();
    if
    :: parks ->
        over;
        parked--
    :: else
    fi
}

/* A task that waits for the task `t`. */
inline await(t)
{
    do
    :: ended[t] -> break
    :: else ->
        between[me] = false;
        if
        :: atomic {
            queue??[eval(t)] -> queue??eval(t)
        }
            begin(t);
            finish(t);
            between[me] = false
        :: !queue??[eval(t)] ->
            park(ended[t]);
            if
            :: !parks -> break
            :: parks -> parks = false
            fi
        fi
    od
}

inline lie_down()
{
    d_step {
        stack[idle] = me;
        idle++;
        bell[me] = false
    }
}

proctype worker(byte me)
{
    byte task, wake = NONE, id, i, n;
    bool start, parks;

end_unborn:
    atomic {
        born[me] -> born[me] = false
    }
    atomic { /* initialize() */
        starting--;
        between[me] = true
    }
look:
    atomic {
        between[me] = false;
again:
        if
        :: retired[me] || (closed && (!len(queue) || ACTIVE > WORKERS)) -> goto leave
        :: else
        fi;
        if
        :: ACTIVE <= WORKERS && len(queue) -> queue?task
        :: else ->
#ifdef LOOK_BEFORE_LOCK
            goto sleep /* the mutex is left after the look */
#else
            lie_down();
            goto asleep_now
#endif
        fi;
        wake = NONE;
#ifndef NO_BATON
        if
        :: len(queue) -> decide()
        :: else
        fi
#endif
    }
    act();
    begin(task);
    if
#ifdef WAIT
    :: task == 0 -> park(true)
    :: task == 2 -> await(3)
#endif
#if defined(MEET) && WORKERS == 2
    :: task == 2 -> begun[3] || ended[3]
    :: task == 3 -> begun[2] || ended[2]
#elif defined(MEET)
    :: task -> (begun[1] || ended[1]) && (begun[2] || ended[2]) && (begun[3] || ended[3])
#endif
    :: else
    fi;
    finish(task);
#ifdef HELD
    if
    :: task == 1 -> begun[0] || ended[0]
    :: else
    fi;
#endif
    task = 0;
    parks = false;
    goto look;

#ifdef LOOK_BEFORE_LOCK
sleep:
    lie_down();
#endif
asleep_now:
    do
    :: bell[me] -> break
    :: atomic {
        !bell[me] -> asleep[me] = true
    }
end_asleep:
        !asleep[me]
    od;
    atomic {
#ifndef KEEP_WAKING
        waking = false;
#endif
        goto again
    }

leave:
    atomic {
        threads--;
        retired[me] = false;
        wake = NONE;
#ifndef NO_LAST_DECIDE
        if
        :: len(queue) -> decide()
        :: else
        fi
#endif
    }
    act();
    atomic { /* the loop: join_if_known() */
        adopted[me] -> adopted[me] = false;
        used[me] = false;
        ids--;
        unjoined--;
        close_if_empty()
    }
    goto end_unborn
}

proctype submitter(byte first)
{
    byte task = first, wake = NONE, id, i, n;
    bool start;

    do
    :: task < TASKS ->
        atomic {
            if
            :: closed -> end_task(task) /* refused */
            :: else -> queue!task; decide()
            fi
        }
        act();
#if !defined(MEET) || WORKERS < 3
        if
        :: true ->
            ended[task]; /* it waits for it */
#ifdef HELD
            begun[0] || ended[0] /* and for its callback */
#endif
        :: true
        fi;
#endif
        task = task + 2
    :: else -> break
    od
}

proctype canceller()
{
    atomic {
        if
        :: queue??[3] -> queue??eval(3); end_task(3); close_if_empty()
        :: true
        fi
    }
}

proctype closer()
{
    byte i;

    if
    :: true /* it stays open */
    :: atomic {
        closed = true;
        if
        :: true
        :: do /* cancels what is pending */
            :: queue?i -> end_task(i)
            :: empty(queue) -> break
            od
        fi;
        do
        :: idle -> idle--; ring(stack[idle]); stack[idle] = 0
        :: else -> break
        od;
        i = 0;
        close_if_empty()
    }
    fi
}

proctype loop()
{
    byte wake = NONE, id, i, n;
    bool start;

end_idle:
    do
    :: atomic {
        grow_is_set -> grow()
    }
        act()
#ifdef RETIRE
    :: atomic {
        retirements && idle ->
        retirements--;
        wake = stack[0]; /* the longest */
        retired[wake] = true;
        idle--;
        do
        :: i < idle -> stack[i] = stack[i + 1]; i++
        :: else -> break
        od;
        stack[idle] = 0;
        i = 0
    }
        ring(wake)
    :: retirements -> retirements-- /* none, after all */
#endif
    :: atomic {
        close_posted && !down ->
        assert(!len(queue) && !unjoined);
        down = true
    }
    od
}

proctype at_rest()
{
    timeout;
    assert(ended[0] && ended[1] && ended[2] && ended[3]);
    assert(!len(queue) && !starting && !parked && idle == threads);
    assert(down == closed)
}

init
{
    byte i;

    atomic {
        do
        :: i < IDS -> run worker(i); i++
        :: else -> break
        od;
        run submitter(0);
        run submitter(1);
#ifdef CANCEL
        run canceller();
#endif
#ifdef CLOSE
        run closer();
#endif
        run loop();
        run at_rest()
    }
}
