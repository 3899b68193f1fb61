/*
 * threads.pml - the thread pool's wake protocol: who sleeps, who is woken, who is started, and where what comes in waits.
 *
 * Modelled: two submitters with two tasks each, a canceller, a shutdown at any moment, the library's loop (an idle worker
 * that retires, joining, the end), and up to WORKERS + SPARES worker threads.
 *
 *     here                    in executor/threads/
 *     lock(), unlock()        decide.c: soon__pool_lock(), soon__pool_unlock()
 *     decide()                decide.c: decide_locked(), coming_locked(), may_start_locked()
 *     OPEN, settle            decide.c: is_open_locked(), settle_locked(), soon__pool_close_intake_locked()
 *     act()                   decide.c: carry_out()
 *     NEWS                    decide.c: soon__pool_has_news()
 *     submit()                pool.c: submit(), push_locked(); ../intake_internal.h: soon__intake_push()
 *     submit_child()          deque.c: soon__deque_push(), take_out()
 *     take_deques()           deque.c: soon__deques_look_locked(), soon__deques_empty_locked(): here a deque holds at most one
 *     find()                  deque.c: soon__deque_find_locked()
 *     ring()                  worker.c: soon__worker_ring(), its two steps
 *     start_failed()          worker.c: start_failed()
 *     worker                  worker.c: worker_main(), work(), linger_locked(), sleep_locked(), run(), held_up()
 *     await(), park()         worker.c: run_own(), soon__worker_help(), unparked()
 *     canceller, closer       pool.c: take_back(), begin_shutdown()
 *     loop                    watch.c: look(), pop_overdue_locked(), soon__pool_close(); the worker's end: join_if_known()
 *
 * Who takes the mutex takes in what has come and does what it came for, in one step (`atomic`); then it decides, closes or
 * opens the intake and gives the mutex back, in another. Between the two whatever needs no mutex may happen: a push to the
 * intake or to a deque, `between`, rings, starts, outcomes. With -DNESTED to give it back takes two steps: the intake is
 * closed before the deques are looked at.
 *
 * What the tasks do:
 *
 *     -DWAIT     0 sleeps for a while, 2 waits for 3
 *     -DPROMISE  0 waits for what 1 does, but cannot run 1 itself
 *     -DMEET     2 and 3 each need that the other one has begun: long tasks run side by side
 *     -DHELD     1 has a callback, which stays until 0 has begun
 *     -DNESTED   0 submits a child, the task TASKS, and then may wait for it
 *     -DBESIDE   it does not wait, but needs that the child has begun
 *     -DINIT     the initializer of the second worker that is started stays until 2 has begun
 *
 * Ending 3 runs user code: its worker does not count as between two tasks.
 *
 * -DCANCEL, -DCLOSE, -DRETIRE, -DSTART_FAILS: a task may be cancelled, the pool be shut down, a worker retire, a thread
 * fail to start, at any moment, or never; the last two up to n times with =n. -DLINGER: a worker may linger before it
 * sleeps. -DWORKERS=n, -DTASKS=n.
 *
 * Checked: no deadlock; whenever nothing moves any more every task has ended, and after a shutdown the pool is down;
 * each task ends exactly once.
 *
 * Found by it, and mended since: what was pending stayed when a start had failed and the last worker that could have run it
 * parked inside its task or retired (-DNEVER_AGAIN: nobody was started any more, and nobody failed it); a task waited for the
 * initializer of another worker although one was idle (-DIDLE_AWAITS_START).
 *
 * Left out: releases, which are to it what the callback of -DHELD is: user code on a worker that has published an outcome;
 * priorities, limits of time, the bound of the queue and its condition variable, initializers that fail, boot, stats;
 * that a starter takes the mutex to enter the worker in a list; that there are fewer deques than workers; the future, which is
 * future.pml; weak memory: all is sequentially consistent.
 *
 * Broken variants: -DNO_BATON, -DLOOK_BEFORE_LOCK, -DNO_LAST_DECIDE, -DNO_HELD_UP, -DSEPARATE_WORDS, -DKEEP_WAKING,
 * -DSTART_FAILS -DIDLE_STAYS_IDLE, -DSTART_FAILS -DNEVER_AGAIN, -DINIT -DIDLE_AWAITS_START, -DLEAVE_OPEN,
 * -DCLOSE_UNTAKEN, -DLINGER -DSLEEP_UNLOOKED, and with -DNESTED -DPUSH_UNLOOKED, -DCLOSE_WITHOUT_DEQUES, -DDEQUES_BEFORE_CLOSE.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef TASKS
#define TASKS 4
#endif
#define SPARES 1
#define IDS (WORKERS + SPARES + 1) /* one may be on its way out, not yet joined */
#ifdef NESTED
#define ALL (TASKS + 1)
#else
#define ALL TASKS
#endif
#define NONE 99
#define CANCELLED (ALL - 1) /* the one that may be */

/* Under the mutex. */
bool held;
chan queue = [ALL] of { byte };
byte threads, idle, parked, starting, unjoined, ids, lingering = NONE;
byte stack[IDS]; /* those that are idle, the latest last */
bool waking, cannot_start, closed, close_posted;
bool used[IDS], retired[IDS];

/* Opened, closed and emptied under it. */
chan intake = [ALL] of { byte };
bool open;

/* Outside of it. */
byte between;
bool bell[IDS], asleep[IDS], born[IDS], adopted[IDS];
bool begun[ALL], ended[ALL];
bool down;
#ifdef NESTED
bool nested;
byte deque[IDS]; /* at most one: a worker takes the mutex between two tasks. 0: none */
#endif
#ifdef START_FAILS
byte failures = START_FAILS; /* so many may happen */
#endif
#ifdef RETIRE
byte retirements = RETIRE;
#endif
#ifdef INIT
byte starts_in_all;
#endif

hidden byte i, n; /* within one step: no part of the state */

#define ACTIVE (threads - idle - parked)
#ifdef IDLE_AWAITS_START
#define COMING (starting + waking + (lingering != NONE) + between)
#else
#define COMING ((idle -> 0 : starting) + waking + (lingering != NONE) + between)
#endif
#ifdef NEVER_AGAIN
#define MAY_START (threads < WORKERS + SPARES && ACTIVE < WORKERS && !cannot_start)
#else
#define MAY_START (threads < WORKERS + SPARES && ACTIVE < WORKERS && !(cannot_start && ACTIVE))
#endif
#define MUST_END (retired[me] || (closed && (!len(queue) || ACTIVE > WORKERS)))
#ifdef LEAVE_OPEN
#define OPEN (!closed)
#else
#define OPEN (!closed && (ACTIVE >= WORKERS || (COMING && (idle || !MAY_START || lingering != NONE))))
#endif
#ifdef NESTED
#define NEWS (len(intake) || nested || bell[me])
#else
#define NEWS (len(intake) || bell[me])
#endif

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

inline take_intake()
{
    do
    :: nempty(intake) -> intake?i; queue!i
    :: empty(intake) -> break
    od;
    i = 0
}

inline take_deques()
{
#ifdef NESTED
    if
    :: nested ->
        nested = false;
        i = 0;
        do
        :: i < IDS && deque[i] -> queue!deque[i]; deque[i] = 0; i++
        :: i < IDS && !deque[i] -> i++
        :: i == IDS -> break
        od;
        i = 0
    :: else
    fi
#else
    skip
#endif
}

/* Into the queue if it is in a deque. */
inline find(t)
{
#ifdef NESTED
    i = 0;
    do
    :: i < IDS && deque[i] == t -> break
    :: i < IDS && deque[i] != t -> i++
    :: i == IDS -> break
    od;
    if
    :: i < IDS -> take_deques()
    :: else
    fi;
    i = 0
#else
    skip
#endif
}

/* The first statement of a step. */
inline lock()
{
    !held;
    held = true;
    d_step {
        take_intake()
    }
}

/* Sets `wake` and `starts`. */
inline decide()
{
    if
    :: lingering != NONE && len(queue) -> bell[lingering] = true
    :: else
    fi;
    if
    :: len(queue) <= COMING || ACTIVE >= WORKERS
    :: else ->
        if
        :: idle && (COMING || wake != NONE) /* that one will pass it on */
        :: idle && !COMING && wake == NONE ->
            idle--;
            wake = stack[idle];
            stack[idle] = 0;
#ifndef SEPARATE_WORDS
            waking = true
#endif
        :: !idle && MAY_START ->
            n = len(queue) - COMING;
            if
            :: n > WORKERS - ACTIVE -> n = WORKERS - ACTIVE
            :: else
            fi;
            if
            :: n > WORKERS + SPARES - threads -> n = WORKERS + SPARES - threads
            :: else
            fi;
            threads = threads + n;
            unjoined = unjoined + n;
            starting = starting + n;
            starts = starts + n;
            n = 0
        :: !idle && !MAY_START
        fi
    fi
}

inline close_intake()
{
    open = false;
#ifndef CLOSE_UNTAKEN
    take_intake()
#endif
}

inline open_if_due()
{
    decide(); /* for what has come until then */
    open = OPEN
}

/* settle_locked(), and the mutex is free. */
inline unlock()
{
#ifdef NESTED
    d_step {
        decide()
    }
    if
    :: d_step {
        OPEN -> open = true;
        held = false
    }
    :: d_step {
        !OPEN ->
#ifdef DEQUES_BEFORE_CLOSE
        take_deques()
#else
        close_intake()
#endif
    }
        d_step {
#ifdef DEQUES_BEFORE_CLOSE
            close_intake();
#elif !defined(CLOSE_WITHOUT_DEQUES)
            take_deques();
#endif
            open_if_due();
            held = false
        }
    fi
#else
    d_step {
        decide();
        if
        :: OPEN -> open = true
        :: else -> close_intake(); open_if_due()
        fi;
        held = false
    }
#endif
}

inline ring(w)
{
    bell[w] = true;
    asleep[w] = false
}

/* With the mutex: what has come is in the queue. */
inline end_pending()
{
    do
    :: nempty(queue) -> queue?i; end_task(i)
    :: empty(queue) -> break
    od;
    i = 0
}

inline start_failed()
{
#ifdef START_FAILS
    atomic {
        lock();
        failures--;
        used[id] = false;
        ids--;
        threads--;
        starting--;
        cannot_start = true;
        if
        :: threads == parked -> open = false; end_pending() /* nobody is left to run what is pending */
        :: else
        fi;
        unjoined--;
        close_if_empty();
#ifdef IDLE_STAYS_IDLE
        held = false
#endif
    }
#ifndef IDLE_STAYS_IDLE
    unlock();
#endif
    if
    :: wake != NONE -> ring(wake); wake = NONE /* an idle one was surplus beside the one that did not start */
    :: else
    fi
#endif
}

/* Outside the mutex: what was decided under it. */
inline act()
{
    if
    :: wake != NONE ->
        ring(wake);
#ifdef SEPARATE_WORDS
        waking = true; /* when the mutex was left */
#endif
        wake = NONE
    :: else
    fi;
    do
    :: starts ->
        atomic {
            ids < IDS -> /* else until one was joined: their number is the model's alone */
            ids++;
            starts--;
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
        fi;
        id = 0
    :: !starts -> break
    od
}

inline submit(t)
{
    if
    :: atomic {
        open -> intake!t
    }
    :: !open ->
        atomic {
            lock();
            if
            :: closed -> end_task(t) /* refused */
            :: else -> queue!t; cannot_start = false
            fi
        }
        unlock();
        act()
    fi
}

inline submit_child(t)
{
    if
    :: open ->
        deque[me] = t;
        nested = true;
        if
#ifdef PUSH_UNLOOKED
        :: true
#else
        :: open
        :: !open ->
            if
            :: atomic {
                deque[me] == t -> deque[me] = 0
            }
                submit(t)
            :: deque[me] != t /* found already */
            fi
#endif
        fi
    :: !open -> submit(t)
    fi
}

inline begin(t)
{
    begun[t] = true
}

/* A task sleeps until `over`; `parks` is false if nobody is left to run others then (SOON_EDEADLK). */
inline park(over)
{
    atomic {
        lock();
        parks = !(threads - parked == 1 && threads >= WORKERS + SPARES);
        parked = parked + parks
    }
    unlock();
    act();
    if
    :: parks ->
        over;
        atomic {
            lock();
            parked--
        }
        unlock();
        act()
    :: else
    fi
}

/* On top of the task that waits: this worker is not between two tasks then. */
inline run_on_top(t)
{
    begin(t);
    end_task(t)
}

/* A task that waits for the task `t`. */
inline await(t)
{
    do
    :: ended[t] -> break
    :: else ->
        on_top = false;
#ifdef NESTED
        if
        :: atomic {
            deque[me] == t -> deque[me] = 0; on_top = true
        }
        :: deque[me] != t
        fi;
#endif
        if
        :: on_top
        :: else ->
            atomic {
                lock();
                d_step {
                    find(t)
                }
                if
                :: queue??[eval(t)] -> queue??eval(t); on_top = true
                :: else
                fi
            }
            unlock();
            act()
        fi;
        if
        :: on_top -> on_top = false; run_on_top(t)
        :: else ->
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
    byte task, wake = NONE, id, starts;
    bool parks, on_top, is_between, came, slow;

end_unborn:
    atomic {
        born[me] -> born[me] = false;
#ifdef INIT
        starts_in_all++;
        slow = starts_in_all == 2
#endif
    }
#ifdef INIT
    if
    :: slow -> begun[2] || ended[2]
    :: else
    fi;
#endif
    atomic { /* initialize() */
        lock();
        starting--;
        between++;
        is_between = true
    }
    unlock();
    act();

look:
    atomic {
        lock();
        between = between - is_between;
        is_between = false;
        d_step {
            take_deques()
        }
again:
        if
        :: MUST_END -> goto leave
        :: else
        fi;
        d_step {
            if
            :: ACTIVE <= WORKERS -> take_deques()
            :: else
            fi
        }
        if
        :: ACTIVE <= WORKERS && len(queue) ->
            queue?task;
            cannot_start = false;
#ifdef NO_BATON
            held = false;
#endif
#ifdef LINGER
        :: (ACTIVE <= WORKERS && !len(queue)) && lingering == NONE -> /* if it has luck */
            lingering = me;
            bell[me] = false;
            goto linger
#endif
        :: ACTIVE > WORKERS || !len(queue) ->
#ifdef LOOK_BEFORE_LOCK
            goto sleep /* the mutex is given back after the look */
#else
            lie_down();
            goto asleep_now
#endif
        fi
    }
#ifndef NO_BATON
    unlock();
    act();
#endif
    begin(task);
    if
#ifdef WAIT
    :: task == 0 -> park(true)
    :: task == 2 -> await(3)
#endif
#ifdef PROMISE
    :: task == 0 -> park(ended[1])
#endif
#ifdef MEET
    :: task == 2 -> begun[3] || ended[3]
    :: task == 3 -> begun[2] || ended[2]
#endif
#ifdef NESTED
    :: task == 0 ->
        submit_child(TASKS);
#ifdef BESIDE
        begun[TASKS] || ended[TASKS]
#else
        if
        :: await(TASKS)
        :: true
        fi
#endif
#endif
    :: else
    fi;
    if
    :: task != 3 -> /* as counted() */
        atomic {
            between++;
            is_between = true
        }
    :: else
    fi;
    end_task(task);
#ifdef HELD
    if
    :: task == 1 ->
#ifndef NO_HELD_UP
        atomic {
            lock();
            between--;
            is_between = false
        }
        unlock();
        act();
#endif
        begun[0] || ended[0]
    :: else
    fi;
#endif
    atomic {
        task = 0;
        parks = false
    }
    goto look;

#ifdef LOOK_BEFORE_LOCK
sleep:
    unlock();
    act();
    lie_down();
    goto wait_for_bell;
#endif

#ifdef LINGER
linger:
    unlock();
    act();
    if
    :: NEWS -> came = true
    :: true /* its time is over */
    fi;
#ifdef SLEEP_UNLOOKED
    if
    :: !came ->
        atomic {
            !held -> lingering = NONE;
            lie_down()
        }
        goto wait_for_bell
    :: else
    fi;
#endif
    atomic {
        lock();
        lingering = NONE;
        if
        :: came || len(queue) || MUST_END -> came = false; goto again
        :: else
        fi;
        lie_down();
        goto asleep_now
    }
#endif

asleep_now:
    unlock();
    act();
wait_for_bell:
    do
    :: bell[me] -> break
    :: atomic {
        !bell[me] -> asleep[me] = true
    }
end_asleep:
        !asleep[me]
    od;
    atomic {
        lock();
#ifndef KEEP_WAKING
        waking = false;
#endif
        goto again
    }

leave:
    atomic {
        threads--;
        retired[me] = false;
#ifdef NO_LAST_DECIDE
        held = false
#endif
    }
#ifndef NO_LAST_DECIDE
    unlock();
    act();
#endif
    atomic { /* the loop joins it */
        adopted[me] && !held -> adopted[me] = false;
        lock();
        used[me] = false;
        ids--;
        unjoined--;
        close_if_empty();
#ifdef NO_LAST_DECIDE
        held = false
#endif
    }
#ifndef NO_LAST_DECIDE
    unlock();
    act();
#endif
    goto end_unborn
}

proctype submitter(byte first)
{
    byte task = first, wake = NONE, id, starts;

    do
    :: task < TASKS ->
        submit(task);
        if
        :: true ->
            ended[task]; /* it waits for it */
#ifdef HELD
            begun[0] || ended[0] /* and for its callback */
#endif
        :: true
        fi;
        task = task + 2
    :: else -> break
    od
}

proctype canceller()
{
    byte wake = NONE, id, starts;

    if
    :: true
    :: atomic {
        lock();
        d_step {
            find(CANCELLED)
        }
        if
        :: queue??[eval(CANCELLED)] -> queue??eval(CANCELLED); end_task(CANCELLED); close_if_empty()
        :: else
        fi
    }
        unlock();
        act()
    fi
}

proctype closer()
{
    byte wake = NONE, id, starts;

    if
    :: true /* it stays open */
    :: atomic {
        lock();
        closed = true;
        open = false;
#ifdef NESTED
    }
    atomic {
        take_deques();
#endif
        if
        :: true
        :: end_pending() /* cancels what is pending */
        fi;
        if
        :: lingering != NONE -> bell[lingering] = true
        :: else
        fi;
        do
        :: idle -> idle--; ring(stack[idle]); stack[idle] = 0
        :: else -> break
        od;
        close_if_empty()
    }
        unlock();
        act()
    fi
}

proctype loop()
{
    byte wake = NONE, id, starts;

end_idle:
    do
#ifdef RETIRE
    :: atomic {
        retirements && idle && !held ->
        lock();
        if
        :: idle ->
            retirements--;
            i = stack[0]; /* the longest */
            retired[i] = true;
            ring(i);
            idle--;
            i = 0;
            do
            :: i < idle -> stack[i] = stack[i + 1]; i++
            :: else -> break
            od;
            stack[idle] = 0
        fi
    }
        unlock();
        act()
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
    d_step {
        i = 0;
        do
        :: i < ALL -> assert(ended[i] || (i == TASKS && !begun[0])); i++
        :: else -> break
        od
    }
    assert(!held && !len(queue) && !len(intake) && !starting && !parked && !between && idle == threads);
    assert(down == closed)
}

init
{
    atomic {
        i = 0;
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
