/*
 * threads.pml - the thread pool's wake protocol: who sleeps, who is woken, who is started, and where what comes in
 * waits.
 *
 * Modelled: two submitters with two tasks each, a canceller, a shutdown at any moment, the library's loop (an idle
 * worker that retires, joining, the end), and up to WORKERS + SPARES worker threads.
 *
 *     here                    in executor/threads/
 *     state[], in[]           state_internal.h: enum soon__worker_state, soon__pool.locked.in
 *     become()                scheduler_internal.h: soon__worker_become()
 *     lock(), unlock()        scheduler.c: soon__pool_lock(), soon__pool_unlock()
 *     worker_lock()           scheduler.c: soon__worker_lock(): it searches no more
 *     decide()                scheduler.c: decide_locked(), coming_locked(), may_start_locked()
 *     OPEN, set_mode()        ../pools/inject_internal.h: soon__inject_is_open(), soon__inject_set_locked();
 *                             scheduler.c: set_mode_locked()
 *     act()                   scheduler.c: the end of soon__pool_unlock()
 *     search()                scheduler_internal.h: soon__worker_search(); run.c: soon__worker_counted()
 *     NEWS                    worker.c: has_news()
 *     submit()                pool.c: submit(), push_locked(); ../pools/inject_internal.h: soon__inject_push()
 *     submit_child()          deque.c: soon__deque_push()
 *     take_deques()           deque.c: soon__deques_gather_locked(): here a deque holds at most one
 *     take_back()             scheduler.c: soon__pool_take_back_locked(); deque.c: soon__deque_take_back_locked()
 *     ring()                  scheduler.c: soon__worker_ring(), its two steps
 *     worker                  life.c: worker_main(); worker.c: soon__worker_work(), spin_locked(), take_injected(),
 *                             sleep_locked(), take_more_locked(); run_internal.h; park.c: held_up()
 *     await(), park()         park.c: run_own(), help(), unparked()
 *     canceller, closer       pool.c: take_back(); closing.c: soon__pool_shut_down()
 *     loop                    watch.c: watch(), retire_locked(); life.c: soon__worker_start(), start_failed(), join()
 *
 * A thread that locks the mutex takes in what has come, and does what it came for, in one step (`atomic`). Then it
 * decides and sets the mode, in one step each, and unlocks. Between any two steps everything that needs no mutex may
 * happen: a push to the injector or to a deque, a worker that begins to search, a searcher that takes the only call,
 * rings, outcomes. `inject`, `mode`, `queued` and `searcher` are one word there: here each step on them is one step.
 *
 * What the tasks do:
 *
 *     -DWAIT     0 sleeps for a while, 2 waits for 3
 *     -DPROMISE  0 waits for what 1 does, but cannot run 1 itself
 *     -DMEET     2 and 3 each need that the other one has begun: long tasks run side by side
 *     -DHELD     1 has a callback, which stays until 0 has begun
 *     -DNESTED   0 submits a child, the task TASKS, and then may wait for it
 *     -DBESIDE   it does not wait, but needs that the child has begun; with -DLONG so does 1
 *     -DINIT     the initializer of the second worker that is started stays until 2 has begun
 *
 * Ending 3 runs user code: its worker does not search before that.
 *
 * -DCANCEL, -DCLOSE, -DRETIRE, -DSTART_FAILS: a task may be cancelled, the pool be shut down, a worker retire, a thread
 * fail to start, at any moment, or never; the last two up to n times with =n. -DSPIN: a worker may spin before it
 * sleeps, and take what comes meanwhile without the mutex. -DBATCH, with -DNESTED: a worker takes two of the queue at
 * once. -DWORKERS=n, -DTASKS=n.
 *
 * Checked: no deadlock; whenever nothing moves any more every task has ended, and after a shutdown the pool is down;
 * each task ends exactly once.
 *
 * Found by it, and mended since: what was pending stayed when a start had failed and the last worker that could have
 * run it parked inside its task (-DNEVER_AGAIN: nobody was started any more, and nobody failed it); a task waited for
 * the initializer of another worker although one was idle (-DIDLE_AWAITS_START).
 *
 * Left out: an initializer that waits (STARTING_PARKED); releases, which are to it what the callback of -DHELD is: user
 * code on a worker that has published an outcome; priorities, limits of time, the bound of the queue and its condition
 * variable, initializers that fail, boot, stats; that there are fewer deques than workers; the future, which is
 * future.pml; weak memory: all is sequentially consistent.
 *
 * Broken variants: -DNO_BATON, -DLOOK_BEFORE_LOCK, -DNO_HELD_UP, -DSEARCH_AFTER, -DKEEP_SEARCHING, -DSTART_FAILS
 * -DIDLE_STAYS_IDLE, -DSTART_FAILS -DNEVER_AGAIN, -DINIT -DIDLE_AWAITS_START, -DLEAVE_OPEN, -DCLOSE_UNTAKEN, -DSPIN
 * -DSLEEP_UNLOOKED, -DSPIN -DTAKE_QUEUED, -DSPIN -DTAKE_ALL, -DSPIN -DDECIDE_ONCE, and with -DNESTED -DPUSH_UNLOOKED,
 * -DCLOSE_WITHOUT_DEQUES, -DDEQUES_BEFORE_CLOSE; -DWORKERS=3 -DTASKS=3 -DNESTED -DBESIDE -DLONG -DSPIN -DTAKE_UNNESTED,
 * which takes 38 million states to be found out, so tests/models/run leaves it out.
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

/* A worker is in one of these; `in` counts them, and the one that is SEARCHING with those that are RUNNING. */
#define STARTING 0
#define SEARCHING 1
#define RUNNING 2
#define PARKED 3
#define IDLE 4
#define LEAVING 5

/* Under the mutex. SEARCHING is entered and left without it, by the worker itself. */
bool held;
chan queue = [ALL] of { byte };
byte state[IDS], in[6], to_start, ids;
byte stack[IDS]; /* those that are IDLE, the latest last */
bool cannot_start, closed, close_posted;
bool used[IDS];

/* The word: the mode and `queued` are set under the mutex, */
#define NEEDED 0
#define BUSY 1
#define SHUT 2
chan inject = [ALL] of { byte };
byte mode;
bool queued;
/* this one also without. */
bool searcher;

/* Outside of it. */
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

#define COUNTED(s) ((s) == SEARCHING -> RUNNING : (s))
#define ACTIVE (in[STARTING] + in[RUNNING])
#define THREADS (ACTIVE + in[PARKED] + in[IDLE])
#define UNJOINED (THREADS + in[LEAVING])
#ifdef IDLE_AWAITS_START
#define COMING (in[STARTING] + searcher)
#else
#define COMING ((in[IDLE] -> 0 : in[STARTING]) + searcher)
#endif
#ifdef NEVER_AGAIN
#define MAY_START (THREADS < WORKERS + SPARES && ACTIVE < WORKERS && !cannot_start)
#else
#define MAY_START (THREADS < WORKERS + SPARES && ACTIVE < WORKERS && !(cannot_start && ACTIVE))
#endif
#define MUST_END (state[me] == LEAVING || (closed && (!len(queue) || ACTIVE > WORKERS)))
#ifdef LEAVE_OPEN
#define OPEN (mode != SHUT)
#else
#define OPEN (mode == BUSY || (mode == NEEDED && searcher))
#endif
#ifdef NESTED
#define NEWS (len(inject) || queued || mode == SHUT || nested)
#else
#define NEWS (len(inject) || queued || mode == SHUT)
#endif

/* The arrows at the head of state_internal.h. */
inline become(w, to)
{
    assert((state[w] == STARTING && (to == RUNNING || to == LEAVING)) || (state[w] == RUNNING && to != STARTING) ||
           (state[w] == SEARCHING && to == RUNNING) || (state[w] == PARKED && to == RUNNING) ||
           (state[w] == IDLE && (to == SEARCHING || to == RUNNING || to == LEAVING)));
    in[COUNTED(state[w])]--;
    state[w] = to;
    in[COUNTED(state[w])]++
}

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
    :: closed && !UNJOINED && !len(queue) && !close_posted -> close_posted = true
    :: else
    fi
}

inline take_inject()
{
    do
    :: nempty(inject) -> inject?i; queue!i
    :: empty(inject) -> break
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

/* Sets `taken`: it was in a deque, or in the queue. */
inline take_back(t)
{
#ifdef NESTED
    i = 0;
    do
    :: i < IDS && deque[i] == t -> deque[i] = 0; taken = true; break
    :: i < IDS && deque[i] != t -> i++
    :: i == IDS -> break
    od;
    i = 0;
#endif
    if
    :: queue??[eval(t)] -> queue??eval(t); taken = true
    :: else
    fi
}

/* The first statement of a step. */
inline lock()
{
    !held;
    held = true;
    d_step {
        take_inject()
    }
}

/* The same of a worker. */
inline worker_lock()
{
    !held;
    held = true;
    d_step {
        take_inject();
        if
        :: state[me] == SEARCHING ->
            become(me, RUNNING);
#ifndef KEEP_SEARCHING
            searcher = false
#endif
        :: else
        fi
    }
}

inline search()
{
    d_step {
        if
        :: !searcher -> searcher = true; become(me, SEARCHING)
        :: else
        fi
    }
}

/* The latest of those that are IDLE; `wake` is set to it. */
inline pop_idle()
{
    wake = stack[in[IDLE] - 1];
    stack[in[IDLE] - 1] = 0
}

/* Sets `wake`. */
inline decide()
{
    if
    :: len(queue) <= COMING || ACTIVE >= WORKERS
    :: else ->
        if
        :: in[IDLE] && (COMING || wake != NONE) /* that one will pass it on */
        :: in[IDLE] && !COMING && wake == NONE ->
            pop_idle();
            searcher = true;
            become(wake, SEARCHING)
        :: !in[IDLE] && MAY_START ->
            n = len(queue) - COMING;
            if
            :: n > WORKERS - ACTIVE -> n = WORKERS - ACTIVE
            :: else
            fi;
            if
            :: n > WORKERS + SPARES - THREADS -> n = WORKERS + SPARES - THREADS
            :: else
            fi;
            in[STARTING] = in[STARTING] + n;
            to_start = to_start + n;
            n = 0
        :: !in[IDLE] && !MAY_START
        fi
    fi
}

inline set_mode()
{
    queued = len(queue) > 0;
    if
    :: closed -> mode = SHUT
    :: !closed && ACTIVE >= WORKERS -> mode = BUSY
    :: !closed && ACTIVE < WORKERS -> mode = NEEDED
    fi;
    if
    :: OPEN
    :: else ->
#ifdef CLOSE_UNTAKEN
        skip
#else
        take_inject()
#endif
    fi
}

/* soon__pool_take_in_locked(), from its second step on. */
inline take_in_rest()
{
#ifdef NESTED
#ifndef CLOSE_WITHOUT_DEQUES
#ifndef DEQUES_BEFORE_CLOSE
    d_step {
        take_deques()
    }
#endif
#endif
    d_step {
        set_mode()
    }
#else
    skip
#endif
}

/* settle_locked(), and the mutex is free. */
inline unlock()
{
    d_step {
        decide();
#ifdef DEQUES_BEFORE_CLOSE
        take_deques()
#endif
    }
    if
    :: d_step {
        (!closed && (ACTIVE >= WORKERS || searcher)) -> set_mode();
        held = false
    }
    :: d_step {
        !(!closed && (ACTIVE >= WORKERS || searcher)) -> set_mode()
    }
        take_in_rest();
#ifdef DECIDE_ONCE
        held = false
#else
        d_step {
            decide()
        }
        d_step {
            set_mode();
            held = false
        }
#endif
    fi
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

/* Outside the mutex: what was decided under it. */
inline act()
{
    if
    :: wake != NONE ->
        ring(wake);
        wake = NONE
    :: else
    fi
}

inline start_failed()
{
#ifdef START_FAILS
    atomic {
        lock();
        failures--;
        used[id] = false;
        ids--;
        in[STARTING]--;
        cannot_start = true;
        if
        :: THREADS == in[PARKED] -> end_pending() /* nobody is left to run what is pending */
        :: else
        fi;
        close_if_empty();
#ifdef IDLE_STAYS_IDLE
        held = false
#endif
    }
#ifndef IDLE_STAYS_IDLE
    unlock(); /* an idle one was one too many beside the one that did not start */
#endif
    act()
#endif
}

inline submit(t)
{
    if
    :: atomic {
        OPEN -> inject!t
    }
    :: !OPEN ->
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

/* Under the deque's lock, in one step with the look at the word; `nested` is set before that. */
inline submit_child(t)
{
    nested = true;
    if
    :: atomic {
        (OPEN && !deque[me]) -> deque[me] = t;
        nested = true
    }
#ifdef PUSH_UNLOOKED
    :: atomic {
        (!OPEN && !deque[me]) -> deque[me] = t;
        nested = true
    }
#else
    :: !OPEN || deque[me] -> submit(t)
#endif
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
        parks = !(THREADS - in[PARKED] == 1 && THREADS >= WORKERS + SPARES);
        if
        :: parks -> become(me, PARKED)
        :: else
        fi
    }
    unlock();
    act();
    if
    :: parks ->
        over;
        atomic {
            lock();
            become(me, RUNNING)
        }
        unlock();
        act()
    :: else
    fi
}

/* On top of the task that waits: this worker does not search then. */
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
                    taken = false;
                    take_back(t);
                    on_top = taken;
                    taken = false
                }
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
        stack[in[IDLE]] = me;
        become(me, IDLE);
        bell[me] = false
    }
}

proctype worker(byte me)
{
    byte task, wake = NONE;
    chan rest = [ALL] of { byte };
    bool parks, on_top, came, slow, taken, spins, more;

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
        become(me, RUNNING);
        search()
    }
    unlock();
    act();

look:
    atomic {
        worker_lock();
        d_step {
            take_deques()
        }
again:
        spins = false;
        d_step {
            do
            :: nempty(rest) -> rest?i; queue!i
            :: empty(rest) -> break
            od;
            i = 0
        }
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
#ifdef BATCH
            if
            :: ACTIVE == WORKERS && !closed && len(queue) && !queue?[0] && !deque[me] ->
                queue?deque[me];
                nested = true;
                more = true
            :: else
            fi;
#endif
#ifdef NO_BATON
            held = false;
#endif
#ifdef SPIN
        :: (ACTIVE <= WORKERS && !len(queue)) && !searcher -> /* if it has luck */
            search();
            goto spin
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
runs:
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
#ifdef LONG
    :: task == 1 -> begun[TASKS] || ended[TASKS]
#endif
#endif
    :: else
    fi;
#ifdef SEARCH_AFTER
    end_task(task);
#endif
    if
    :: task != 3 && !more && mode == NEEDED -> search() /* as counted() */
    :: else
    fi;
#ifndef SEARCH_AFTER
    end_task(task);
#endif
#ifdef HELD
    if
    :: task == 1 ->
#ifndef NO_HELD_UP
        atomic {
            worker_lock()
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
#ifdef BATCH
    if
    :: atomic {
        (more && mode == BUSY && deque[me]) -> task = deque[me];
        deque[me] = 0;
        more = false
    }
        goto runs
    :: else -> more = false
    fi;
#endif
#ifdef SPIN
    if
    :: spins -> search();
        if
        :: state[me] == SEARCHING -> goto looking
        :: else
        fi
    :: else
    fi;
#endif
    goto look;

#ifdef LOOK_BEFORE_LOCK
sleep:
    unlock();
    act();
    lie_down();
    goto wait_for_bell;
#endif

#ifdef SPIN
spin:
    unlock();
    act();
looking:
    spins = true;
    if
    :: NEWS -> came = true
    :: true /* its time is over */
    fi;
    /* take_injected() */
    if
    :: atomic {
#ifdef TAKE_QUEUED
        (came && len(inject) && mode != SHUT) ->
#else
        (came && len(inject) && !queued && mode != SHUT) ->
#endif
        came = false;
        searcher = false;
        become(me, RUNNING);
        do
        :: nempty(inject) -> inject?task; rest!task
        :: empty(inject) -> break
        od
    }
        if
#ifdef TAKE_ALL
        :: true ->
#elif defined(NESTED) && !defined(TAKE_UNNESTED)
        :: len(rest) == 1 && !nested ->
#else
        :: len(rest) == 1 ->
#endif
            atomic {
                rest?task;
                goto runs
            }
        :: else ->
            atomic {
                task = 0;
                worker_lock();
                goto again
            }
        fi
    :: else
    fi;
#ifdef SLEEP_UNLOOKED
    if
    :: !came ->
        atomic {
            !held -> searcher = false;
            become(me, RUNNING);
            lie_down()
        }
        goto wait_for_bell
    :: else
    fi;
#endif
    atomic {
        worker_lock();
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
        worker_lock();
        goto again
    }

leave:
    atomic {
        if
        :: state[me] == LEAVING /* it has retired */
        :: else -> become(me, LEAVING)
        fi
    }
    unlock();
    act();
    atomic { /* the loop joins it */
        adopted[me] && !held -> adopted[me] = false;
        lock();
        used[me] = false;
        ids--;
        in[LEAVING]--;
        state[me] = STARTING;
        close_if_empty();
    }
    unlock();
    act();
    goto end_unborn
}

proctype submitter(byte first)
{
    byte task = first, wake = NONE;

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
    byte wake = NONE;
    bool taken;

    if
    :: true
    :: atomic {
        lock();
        d_step {
            take_back(CANCELLED)
        }
        if
        :: taken -> end_task(CANCELLED); close_if_empty()
        :: else
        fi
    }
        unlock();
        act()
    fi
}

proctype closer()
{
    byte wake = NONE;

    if
    :: true /* it stays open */
    :: atomic {
        lock();
        closed = true;
        set_mode()
    }
    take_in_rest();
    atomic {
        if
        :: true
        :: end_pending() /* cancels what is pending */
        fi;
        do
        :: in[IDLE] ->
            pop_idle();
            become(wake, RUNNING);
            ring(wake);
            wake = NONE
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
    byte wake = NONE, id;

end_idle:
    do
#ifdef RETIRE
    :: atomic {
        retirements && in[IDLE] && !held ->
        lock();
        if
        :: in[IDLE] ->
            retirements--;
            i = stack[0]; /* the longest */
            become(i, LEAVING);
            ring(i);
            i = 0;
            do
            :: i < in[IDLE] -> stack[i] = stack[i + 1]; i++
            :: else -> break
            od;
            stack[in[IDLE]] = 0
        fi
    }
        unlock();
        act()
    :: retirements -> retirements-- /* none, after all */
#endif
    :: atomic { /* soon__worker_start() */
        to_start && ids < IDS && !held -> /* else once one was joined: the model alone has so few */
        to_start--;
        ids++;
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
    :: atomic {
        close_posted && !down ->
        assert(!len(queue) && !UNJOINED);
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
    assert(!held && !len(queue) && !len(inject) && !in[STARTING] && !in[PARKED] && !searcher && in[IDLE] == THREADS);
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
