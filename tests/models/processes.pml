/*
 * processes.pml - the process pool: claim, take back, reply, death, kill, and who reads replies.
 *
 * Modelled: a submitter, the library's loop, and worker processes with SLOTS slots each, one after the other (two at once
 * when one is condemned). Beside them, as asked for:
 *
 *     -DSPIN    a thread that waits for a task takes in the replies itself for a while
 *     -DCANCEL    a thread cancels a task
 *     -DKILL      a thread kills a task that runs
 *     -DCRASH     a worker dies, at any of its steps
 *     -DSHUFFLE   what is not claimed yet is taken back once, and handed out again
 *     -DBOUND     the queue has a bound of 1, and the submitter waits for a place in it
 *     -DFLOOD=n   from n tasks in slots on, and while none is free, submits go to `inject`, without the mutex (P9)
 *
 *     here                        in executor/processes/
 *     worker: find, claim         both/channel_requests.c: look(), claim(); D6: `kn` and `kw` stand for what was found
 *                                 beside that, in a slot behind it
 *     worker: reply               both/channel_replies.c: soon__channel_reply(), soon__channel_await_ack(); D5: the
 *                                 ring holds RING replies
 *     worker: sleep               both/channel_requests.c: soon__channel_await_request()
 *     take_out()                  both/channel_requests.c: soon__channel_take_back(); slots.c: soon__process_take_out_locked()
 *     dispatch()                  dispatch.c: soon__process_pool_dispatch_locked(), set_injector_locked(), and
 *                                 soon__process_pool_post_plain_locked(), which does the same for one that need not wait;
 *                                 post.c: soon__process_pool_wake_all_locked();
 *                                 both/channel_requests.c: soon__channel_publish(), soon__channel_wake()
 *     drain()                     replies.c: take_in(), take_some_locked(), end_turn_locked(), take_last_locked();
 *                                 both/channel_replies.c: soon__channel_ack(), soon__channel_want_bell(). `plain`: a
 *                                 reply that is taken in without leaving the mutex
 *     waiter                      spin.c: soon__process_pool_spin(); await.c: soon__future_await()
 *     enter()                     stage.c: soon__process_enter_locked()
 *     condemn(), execute()        sentence.c: soon__process_condemn_task_locked(), soon__process_reprieve_locked();
 *                                 listen.c: soon__process_execute()
 *     died()                      death.c: soon__process_died(), bury_locked(), lost_call()
 *     look()                      supervisor.c: look()
 *     canceller, killer           pool.c: take_back(), kill_call()
 *
 * Each access of a word that is shared with a worker is a step, and so is each wake-up; what is private to the parent and
 * under a mutex goes with the next of these. `tail` stands for the numbers of the replies, `word` for the number in a slot's
 * word: by whom it was claimed or taken back is told by nothing else. `post_bell` and `room_bell` are counters that one side compares with what
 * they were: here a bit says that they have changed since. `bell_wanted` is a number, for which the worker rings once: here
 * `has_rung` says that it has.
 *
 * Checked: no deadlock; whenever nothing moves any more every task has ended, so no bell, no wake-up and no look of the
 * loop was lost; each task is claimed once and ends once; one that was cancelled was not claimed; a reply that was
 * published counts, also after a death; every reply is of what is posted there; after a death nothing is left with the
 * dead, and only what it had claimed was lost; a signal for a task loses no other.
 *
 * Left out: starting and retiring, a second process beside the first that is not condemned, a second sentence on one that is
 * (P13), the spinning of the loop and its inspections
 * (P8), shutdown, retries, limits of time, chunks, bodies and descriptors, slots that are
 * filled outside the mutex (P3), corrupt workers (D4), spinning, priorities; the future, which is future.pml; weak memory: all
 * is sequentially consistent, a variant without a fence has its two steps the other way round.
 *
 * Broken variants: -DLOOK_BEFORE_PUBLISH, -DLOOK_BEFORE_WANT, -DLOOK_BEFORE_POST, -DLOOK_BEFORE_SLEEP,
 * -DLOOK_BEFORE_ACKED: without the fences of D3. -DBELL_STAYS_OFF, -DNO_BELL_FOR_THE_REST: P10. -DACK_EVERY, above
 * RING. -DNUMBERS_DIFFER: that is enough to be claimed. -DFILLED_AFTER_BELL. -DNO_LAST_DRAIN: of one that spins. -DNO_DRAIN_AT_DEATH,
 * -DNO_LOOK_BEFORE_KILL, -DKEEP_POSTED (when condemned), -DCLAIM_BY_STORE, -DDEATH_FREES_NO_PLACE, -DCLOSE_AND_GO: what came
 * until `inject` was closed is not handed out; -DKEEP_OPEN.
 */
#ifndef TASKS
#define TASKS 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef RING
#define RING 2
#endif
#ifndef ACK_EVERY
#define ACK_EVERY 1 /* replies; RING at most */
#endif
#ifndef PROCESSES
#define PROCESSES 2 /* that may ever be */
#endif
#define NONE 99
#define ALL_SLOTS (PROCESSES * SLOTS)
#define AT(p, s) ((p) * SLOTS + (s))

/* A channel: its slots; number: the sequence of what is posted; request: the task, from 1; word: the last one that is settled; */
byte number[ALL_SLOTS], request[ALL_SLOTS], word[ALL_SLOTS];
byte filled[PROCESSES]; /* a set of slots; the first is always looked at */
/* what each side sleeps on, and whether it does, */
bool post_bell[PROCESSES], asleep[PROCESSES], sleeps[PROCESSES];
bool room_bell[PROCESSES], starved[PROCESSES], starves[PROCESSES];
/* and replies: the place of a slot, and the number. */
byte tail[PROCESSES], acked[PROCESSES], reply_slot[PROCESSES * RING], reply_number[PROCESSES * RING];
bool bell_wanted[PROCESSES], has_rung[PROCESSES], rung[PROCESSES]; /* has_rung: the worker has rung for this wish */
bool bell_is_off[PROCESSES]; /* P10 */

/* The parent's, under its mutex. */
bool mutex;
bool queued[TASKS], posted[TASKS];
byte at_process[TASKS], at_slot[TASKS];
#define ABSENT 0
#define READY 1
#define CONDEMNED 2
#define DEAD 3
byte stage[PROCESSES], sequence[PROCESSES], sentence_slot[PROCESSES], sentence_number[PROCESSES];
/* A slot's state; FILLING and RECALLED are left out. Then the task, from 1, and its number. */
#define EMPTY 0
#define POSTED 1
#define RUNNING 2
byte state[ALL_SLOTS], assigned[ALL_SLOTS], assigned_number[ALL_SLOTS];
bool to_wake[PROCESSES];
#ifdef FLOOD
chan inject = [TASKS] of { byte };
bool is_open;
#endif
bool spun_on[PROCESSES];
byte alive, wanted, started;
bool look_posted, waits_for_place;

/* P7: `reading.busy`, and what belongs to the thread that has set it. */
bool reading[PROCESSES], reading_is_over[PROCESSES];
byte head[PROCESSES];

/* The loop's. */
bool again[PROCESSES], signalled[PROCESSES], execute_it[PROCESSES];

/* The system's. */
bool lives[PROCESSES], struck[PROCESSES], dead[PROCESSES];

/* What is known to us alone. */
bool claimed[TASKS], answered[TASKS], ended[TASKS], by_signal[PROCESSES];

inline lock()
{
    atomic {
        !mutex -> mutex = true
    }
}

#define HOW_DONE 1
#define HOW_LOST 2
#define HOW_CANCELLED 3

inline end_task(t, how)
{
    d_step {
        assert(!ended[t]);
        assert(answered[t] == (how == HOW_DONE));
        assert(how != HOW_CANCELLED || !claimed[t]);
        ended[t] = true
    }
}

/*
 * Under the mutex
 */

#ifdef FLOOD
#define PARENT byte dt, dp, ds; bool came_in
#else
#define PARENT byte dt, dp, ds
#endif

inline set_slot(p, s, to)
{
    assert(to == EMPTY && state[AT(p, s)] != EMPTY || to == POSTED && state[AT(p, s)] == EMPTY ||
           to == RUNNING && state[AT(p, s)] == POSTED);
    state[AT(p, s)] = to
}

inline release(p, s)
{
    request[AT(p, s)] = 0;
    posted[assigned[AT(p, s)] - 1] = false;
    at_process[assigned[AT(p, s)] - 1] = 0;
    at_slot[assigned[AT(p, s)] - 1] = 0;
    assigned[AT(p, s)] = 0;
    assigned_number[AT(p, s)] = 0;
    set_slot(p, s, EMPTY)
}

#define IS_POSTED(p, s) (word[AT(p, s)] != assigned_number[AT(p, s)])
#define IS_RUNNING(p, s) (state[AT(p, s)] == RUNNING || (state[AT(p, s)] == POSTED && !IS_POSTED(p, s)))

/* `dt`: the task that was taken out, from 1; 0: it was claimed. */
inline take_out(p, s)
{
    d_step {
        dt = 0;
        if
        :: state[AT(p, s)] == POSTED && IS_POSTED(p, s) ->
            dt = assigned[AT(p, s)];
            word[AT(p, s)] = number[AT(p, s)];
            release(p, s)
        :: state[AT(p, s)] == POSTED && !IS_POSTED(p, s) -> set_slot(p, s, RUNNING)
        :: else
        fi
    }
}

#ifdef FLOOD
/* Of two processes with two slots each. */
#define IN_SLOTS ((state[0] > 0) + (state[1] > 0) + (state[2] > 0) + (state[3] > 0))
/* Behind choose(). */
#ifdef KEEP_OPEN
#define MAY_OPEN (is_open || (IN_SLOTS >= FLOOD && dp == PROCESSES))
#else
#define MAY_OPEN (IN_SLOTS >= FLOOD && dp == PROCESSES)
#endif
#endif

inline return_unclaimed(p)
{
    ds = 0;
    do
    :: ds < SLOTS ->
        atomic {
            take_out(p, ds);
            if
            :: dt -> queued[dt - 1] = true; dt = 0
            :: else
            fi;
            ds++
        }
    :: else -> break
    od;
    ds = 0
}

/* The first that is queued, and where it goes; dt == TASKS or dp == PROCESSES: nothing, or nowhere. */
inline choose()
{
    d_step {
        dt = 0;
        dp = 0;
        ds = 0;
        do
        :: dt < TASKS && !queued[dt] -> dt++
        :: else -> break
        od;
        do
        :: dp < PROCESSES && stage[dp] == READY && state[AT(dp, ds)] == EMPTY -> break
        :: dp < PROCESSES && (stage[dp] != READY || state[AT(dp, ds)] != EMPTY) ->
            ds++;
            if
            :: ds == SLOTS || stage[dp] != READY -> ds = 0; dp++
            :: else
            fi
        :: dp == PROCESSES -> break
        od
    }
}

/* Leaves the mutex if `leave`. */
inline grow(leave)
{
    d_step {
        if
        :: dt < TASKS && !alive -> alive++; wanted++; look_posted = true
        :: else
        fi;
        dt = 0;
        dp = 0;
        ds = 0;
        mutex = mutex && !(leave)
    }
}

inline post()
{
    d_step {
        queued[dt] = false;
        posted[dt] = true;
        at_process[dt] = dp;
        at_slot[dt] = ds;
        sequence[dp]++;
        set_slot(dp, ds, POSTED);
        assigned[AT(dp, ds)] = dt + 1;
        assigned_number[AT(dp, ds)] = sequence[dp];
        request[AT(dp, ds)] = dt + 1;
#ifndef BELL_STAYS_OFF
        bell_wanted[dp] = bell_wanted[dp] || bell_is_off[dp];
        has_rung[dp] = has_rung[dp] && !bell_is_off[dp];
#endif
        bell_is_off[dp] = false;
        number[AT(dp, ds)] = sequence[dp];
        to_wake[dp] = true
    }
}

#if SLOTS == 1
#define FILLED(p) (state[AT(p, 0)] > 0)
#elif SLOTS == 2
#define FILLED(p) ((state[AT(p, 0)] > 0) + 2 * (state[AT(p, 1)] > 0))
#endif

/* Before the mutex is given back. */
inline wake_all()
{
    dp = 0;
    do
    :: dp < PROCESSES && to_wake[dp] ->
#ifndef FILLED_AFTER_BELL
        filled[dp] = FILLED(dp);
#endif
#ifdef LOOK_BEFORE_POST
        if
        :: asleep[dp] -> post_bell[dp] = true; sleeps[dp] = false
        :: else -> post_bell[dp] = true
        fi;
#else
        post_bell[dp] = true;
        if
        :: asleep[dp] -> sleeps[dp] = false
        :: else
        fi;
#endif
#ifdef FILLED_AFTER_BELL
        filled[dp] = FILLED(dp);
#endif
        atomic {
            to_wake[dp] = false;
            dp++
        }
    :: atomic {
        dp < PROCESSES && !to_wake[dp] -> dp++
    }
    :: atomic {
        dp == PROCESSES -> break
    }
    od
}

inline take_in()
{
#ifdef FLOOD
    do
    :: inject?dt -> queued[dt] = true
    :: empty(inject) -> break
    od;
    dt = 0
#else
    skip
#endif
}

inline dispatch(leave)
{
    d_step {
        take_in()
    }
    choose();
    do
    :: dt < TASKS && dp < PROCESSES -> post(); choose()
#ifdef FLOOD
    :: atomic { /* set_injector_locked() */
        (dt == TASKS || dp == PROCESSES) && MAY_OPEN -> is_open = true; break
    }
    :: atomic {
        (dt == TASKS || dp == PROCESSES) && !MAY_OPEN ->
        is_open = false;
        came_in = nempty(inject);
        take_in()
    }
#ifdef CLOSE_AND_GO
        break
#else
        choose();
        if
        :: came_in -> came_in = false
        :: !came_in -> break
        fi
#endif
#else
    :: else -> break
#endif
    od;
    wake_all();
    d_step {
        choose()
    }
    grow(leave)
}

/* soon__process_enter_locked(). One that starts is counted when it is wanted. */
inline enter(p, to)
{
    assert(to == READY && (stage[p] == ABSENT || stage[p] == CONDEMNED) || to == CONDEMNED && stage[p] == READY ||
           to == DEAD && (stage[p] == READY || stage[p] == CONDEMNED));
    alive = alive + (to == READY && stage[p] == CONDEMNED) - (to != READY && stage[p] == READY);
    stage[p] = to
}

/* Because of the task in slot `s`. */
inline condemn(p, s)
{
    d_step {
        enter(p, CONDEMNED);
        sentence_slot[p] = s;
        sentence_number[p] = assigned_number[AT(p, s)]
    }
#ifndef KEEP_POSTED
    return_unclaimed(p);
#endif
    look_posted = true
}

/*
 * Replies
 */

#define READER byte h, rs, rn, rt; bool came, more, reads, on, other

inline want_bell(p)
{
    d_step {
        bell_wanted[p] = true;
        has_rung[p] = false
    }
}

/* `more`: there is one behind those that were taken in. `spins`: who does so waits for nobody else who reads; it does no more after
 * it, unless `goes_on`: then `on`. */
inline drain(p, spins, goes_on, last)
{
    atomic {
        !mutex && (spins || !reading[p]) -> mutex = true;
        reads = !reading[p] && !reading_is_over[p];
        reading[p] = reading[p] || reads;
        h = head[p];
        came = false;
        more = false;
        on = false
    }
    if
    :: reads ->
        do
        :: atomic {
            tail[p] != h ->
            rs = reply_slot[p * RING + h % RING];
            rn = reply_number[p * RING + h % RING];
            reply_slot[p * RING + h % RING] = 0;
            reply_number[p * RING + h % RING] = 0;
            h++;
            head[p] = h;
            came = true;
            rt = assigned[AT(p, rs)];
            assert(rt && assigned_number[AT(p, rs)] == rn && IS_RUNNING(p, rs));
            if
            :: state[AT(p, rs)] == POSTED -> set_slot(p, rs, RUNNING)
            :: else
            fi;
            if
            :: true -> /* a plain one, whose call is finished in a step */
                release(p, rs);
                waits_for_place = false
            :: true -> mutex = false; other = true
            fi
        }
            if
            :: other ->
                atomic { /* release() */
                    lock();
                    release(p, rs);
                    waits_for_place = false;
                    mutex = false;
                    other = false
                }
                atomic {
                    end_task(rt - 1, HOW_DONE);
                    rt = 0;
                    rs = 0;
                    rn = 0
                }
                lock()
            :: else ->
                atomic {
                    end_task(rt - 1, HOW_DONE);
                    rt = 0;
                    rs = 0;
                    rn = 0
                }
            fi
        :: tail[p] == h -> break
        od;
        if
        :: came -> came = false; dispatch(false)
        :: else
        fi;
        if
        :: h - acked[p] >= ACK_EVERY ->
#ifdef LOOK_BEFORE_ACKED
            if
            :: starved[p] -> acked[p] = h; room_bell[p] = true; starves[p] = false
            :: else -> acked[p] = h; room_bell[p] = true
            fi
#else
            acked[p] = h;
            room_bell[p] = true;
            if
            :: starved[p] -> starves[p] = false
            :: else
            fi
#endif
        :: else
        fi;
        atomic { /* end_turn_locked() */
            on = goes_on;
#ifdef NO_BELL_FOR_THE_REST
            bell_is_off[p] = spins && !on
#else
            bell_is_off[p] = spins && !on && FILLED(p) == 0
#endif
        }
        if
        :: on || bell_is_off[p]
        :: else ->
#ifdef LOOK_BEFORE_WANT
            more = tail[p] != h;
            want_bell(p)
#else
            want_bell(p);
            more = tail[p] != h
#endif
        fi
    :: else ->
        if
        :: spins && !reading_is_over[p] -> want_bell(p); more = tail[p] != head[p]
        :: else
        fi
    fi;
    atomic {
        reading_is_over[p] = reading_is_over[p] || last;
        rung[p] = rung[p] || (spins && more);
        spun_on[p] = spun_on[p] && !(spins && !on);
        reading[p] = reading[p] && !reads;
        h = 0;
        reads = false;
        mutex = false
    }
}

/*
 * The loop
 */

inline serve(p)
{
    bell_wanted[p] = false;
    drain(p, false, false, false);
    atomic {
        again[p] = again[p] || more;
        more = false
    }
}

inline died(p)
{
    atomic {
        lock();
        enter(p, DEAD);
        mutex = false
    }
#ifndef NO_DRAIN_AT_DEATH
    drain(p, false, false, true);
    more = false;
#endif
    lock();
    return_unclaimed(p);
    d_step {
        do
        :: ds < SLOTS && state[AT(p, ds)] != EMPTY ->
            assert(!lost); /* it runs one at a time */
            assert(!by_signal[p] || (ds == sentence_slot[p] && assigned_number[AT(p, ds)] == sentence_number[p]));
            lost = assigned[AT(p, ds)];
            release(p, ds);
            ds++
        :: ds < SLOTS && state[AT(p, ds)] == EMPTY -> ds++
        :: ds == SLOTS -> break
        od;
        ds = 0;
        /* What nobody asks for any more is forgotten: that makes fewer states. */
        sequence[p] = 0;
        sentence_slot[p] = 0;
        sentence_number[p] = 0;
        by_signal[p] = false;
        signalled[p] = false;
        post_bell[p] = false;
        asleep[p] = false;
        sleeps[p] = false;
        room_bell[p] = false;
        starved[p] = false;
        starves[p] = false;
        again[p] = false
    }
    mutex = false;
    if
    :: lost -> end_task(lost - 1, HOW_LOST); lost = 0
    :: else
    fi;
    atomic {
        lock();
#ifndef DEATH_FREES_NO_PLACE
        waits_for_place = false
#endif
    }
    dispatch(true)
}

/* Signals it, unless the task has ended meanwhile. */
inline execute(p)
{
#ifndef NO_LOOK_BEFORE_KILL
    drain(p, false, false, false);
    again[p] = again[p] || more;
    more = false;
#endif
    lock();
    if
#ifndef NO_LOOK_BEFORE_KILL
    :: assigned_number[AT(p, sentence_slot[p])] != sentence_number[p] -> /* reprieve_locked() */
        d_step {
            enter(p, READY);
            sentence_slot[p] = 0;
            sentence_number[p] = 0
        }
        dispatch(true)
#endif
    :: else ->
        mutex = false;
        atomic {
            signalled[p] = true;
            by_signal[p] = !struck[p];
            struck[p] = true
        }
    fi
}

inline begin()
{
    atomic {
        assert(started < PROCESSES);
        lives[started] = true;
        bell_wanted[started] = true; /* adopt() */
        has_rung[started] = false
    }
    /* soon__process_is_ready() */
    atomic {
        lock();
        enter(started, READY);
        started++
    }
    ps = 0;
    do
    :: ps < started && stage[ps] == READY -> return_unclaimed(ps); ps++
    :: ps < started && stage[ps] != READY -> ps++
    :: ps == started -> break
    od;
    ps = 0;
    dispatch(true)
}

inline look()
{
    atomic {
        lock();
        look_posted = false;
        ps = 0;
        do
        :: ps < PROCESSES -> execute_it[ps] = stage[ps] == CONDEMNED && !signalled[ps]; ps++
        :: else -> break
        od;
        ps = 0
    }
    dispatch(false);
    atomic {
        starts = wanted;
        wanted = 0;
        mutex = false
    }
    do
    :: starts -> begin(); starts--
    :: else -> break
    od
}

/* `p`: the process that `what` is true of. */
#if PROCESSES > 2
#define PICK(what) if :: what(0) -> p = 0 :: what(1) -> p = 1 :: what(2) -> p = 2 fi
#else
#define PICK(what) if :: what(0) -> p = 0 :: what(1) -> p = 1 fi
#endif
#define HAS_RUNG(p) (rung[p] && stage[p] != DEAD)
#define IS_AGAIN(p) (again[p] && stage[p] != DEAD)
#define HAS_DIED(p) (dead[p] && stage[p] != DEAD && !execute_it[p])
#define IS_TO_BE_EXECUTED(p) execute_it[p]

proctype loop()
{
    PARENT;
    READER;
    byte p, lost, ps, starts;

end_idle:
    do
    :: atomic {
        PICK(HAS_RUNG);
        rung[p] = false
    }
        serve(p);
#ifdef BOUND
        atomic {
            lock();
            waits_for_place = false; /* a claim may have made a place */
            mutex = false
        }
#endif
        p = 0
    :: atomic {
        PICK(IS_AGAIN);
        again[p] = false
    }
        serve(p);
        p = 0
    :: PICK(HAS_DIED);
        died(p);
        p = 0
    :: atomic {
        PICK(IS_TO_BE_EXECUTED);
        execute_it[p] = false
    }
        execute(p);
        p = 0
    :: look_posted && !execute_it[0] && !execute_it[1] && !execute_it[PROCESSES - 1] -> look()
    od
}

/*
 * Other threads of the parent
 */

/* Is it in the queue, or posted and not claimed? */
#define PENDING(t) (queued[t] || posted[t] && !IS_RUNNING(at_process[t], at_slot[t]))

#ifdef BOUND
inline wait_for_place()
{
    do
    :: atomic {
        lock();
        if
        :: !(PENDING(0) || PENDING(1) || PENDING(TASKS - 1)) -> break
        :: else
        fi;
        waits_for_place = true;
        mutex = false
    }
end_waits:
        !waits_for_place
    od
}
#endif

proctype submitter()
{
    PARENT;
    byte task;

    do
    :: task < TASKS ->
#ifdef FLOOD
        if
        :: atomic {
            is_open -> inject!task
        }
        :: !is_open -> lock(); queued[task] = true; dispatch(true)
        fi;
#else
#ifdef BOUND
        wait_for_place();
#else
        lock();
#endif
        queued[task] = true;
        dispatch(true);
#endif
        task++
    :: else -> break
    od
}

#ifdef CANCEL
proctype canceller(byte task)
{
    PARENT;
    byte p, s;
    bool taken;

    atomic {
        lock();
        take_in();
        p = at_process[task];
        s = at_slot[task];
        if
        :: queued[task] -> queued[task] = false; taken = true
        :: posted[task] -> take_out(p, s); taken = dt > 0; dt = 0
        :: else
        fi
    }
    if
    :: taken ->
        waits_for_place = false;
        dispatch(true);
        end_task(task, HOW_CANCELLED)
    :: else -> mutex = false
    fi
}
#endif

/* So that there are PROCESSES at most. */
#ifdef CRASH
#define MAY_DIE(p) (p == 0)
#else
#define MAY_DIE(p) true
#endif

#ifdef KILL
proctype killer(byte task)
{
    PARENT;
    byte p, s;

    atomic {
        lock();
        p = at_process[task];
        s = at_slot[task]
    }
    if
    :: posted[task] && stage[p] == READY && IS_RUNNING(p, s) && MAY_DIE(p) ->
        if
        :: state[AT(p, s)] == POSTED -> set_slot(p, s, RUNNING)
        :: else
        fi;
        condemn(p, s)
    :: else
    fi;
    mutex = false
}
#endif

#ifdef SHUFFLE
proctype shuffler()
{
    PARENT;

    lock();
    if
    :: stage[0] == READY -> return_unclaimed(0)
    :: else
    fi;
    dispatch(true)
}
#endif

#ifdef SPIN
proctype waiter(byte task)
{
    PARENT;
    READER;
    byte p;
    bool seen;

    atomic { /* begin_locked() */
        lock();
        p = NONE;
        if
        :: posted[task] && stage[at_process[task]] == READY && !spun_on[at_process[task]] ->
            p = at_process[task];
            spun_on[p] = true
        :: else
        fi;
        mutex = false
    }
    if
    :: p == NONE -> goto over
    :: else
    fi;
    do
    :: true ->
        bell_wanted[p] = false;
        if
        :: tail[p] != head[p] -> seen = true
        :: ended[task] -> seen = false
        :: true -> seen = false /* time is over */
        fi;
#ifdef NO_LAST_DRAIN
        if
        :: !seen -> spun_on[p] = false; break
        :: else
        fi;
#endif
        drain(p, true, seen && posted[task] && at_process[task] == p, false);
        more = false;
        if
        :: on -> on = false; seen = false
        :: else -> seen = false; break
        fi
    od;
    p = 0;
over:
    p = 0
}
#endif

/*
 * A worker process
 */

#ifdef CRASH
proctype crash(byte p)
{
    if
    :: lives[p] && !struck[p] -> struck[p] = true
    :: true
    fi
}
#endif

#ifdef NUMBERS_DIFFER
#define IS_NEWER(n, w) (n != w)
#else
#define IS_NEWER(n, w) (n > w)
#endif

/* For what is posted in one of the slots `f`: `s`, `n` and `w` then; or goes to `none`. */
#define LOOK(none) \
        do \
        :: atomic { \
            s < SLOTS && f & (1 << s) -> n = number[AT(p, s)] \
        } \
            atomic { \
                w = word[AT(p, s)]; \
                if \
                :: IS_NEWER(n, w) -> break \
                :: else -> s++; n = 0; w = 0 \
                fi \
            } \
        :: atomic { \
            s < SLOTS && !(f & (1 << s)) -> s++ \
        } \
        :: atomic { \
            s == SLOTS -> s = 0; f = 0; goto none \
        } \
        od

proctype worker(byte p)
{
    byte s, n, w, f; /* the slot; the request's number, and the word's; where to look */
    byte kn, kw; /* D6 */
    bool wanted_bell;

end_unborn:
    lives[p];
    {
        s = 0;
find:
        n = 0;
        w = 0;
        if
        :: kn && !post_bell[p] ->
            atomic {
                s = 1;
                n = kn;
                w = kw;
                kn = 0;
                kw = 0;
                goto try
            }
        :: else ->
            post_bell[p] = false; /* what it is now */
            kn = 0;
            kw = 0
        fi;
        f = filled[p] | 1;
        LOOK(nothing);
#if SLOTS == 2
        if
        :: s == 0 && filled[p] & 2 ->
            kn = number[AT(p, 1)];
            atomic {
                kw = word[AT(p, 1)];
                if
                :: IS_NEWER(kn, kw)
                :: else -> kn = 0; kw = 0
                fi
            }
        :: else
        fi;
#endif
try:
        atomic {
#ifdef CLAIM_BY_STORE
            if
            :: word[AT(p, s)] == w -> goto claim
            :: else -> s = 0; goto find
            fi
        }
claim:
        atomic {
#else
            if
            :: word[AT(p, s)] == w
            :: else -> s = 0; goto find
            fi;
#endif
            word[AT(p, s)] = n;
            assert(request[AT(p, s)] && number[AT(p, s)] == n && !claimed[request[AT(p, s)] - 1]);
            claimed[request[AT(p, s)] - 1] = true;
            w = 0;
            f = 0
        }
#ifdef BOUND
        rung[p] = true; /* tell_claims */
#endif
        /* It runs. */
        do /* is there a place in the ring? */
        :: atomic {
            tail[p] - acked[p] < RING -> break
        }
        :: atomic {
            tail[p] - acked[p] >= RING -> room_bell[p] = false
        }
            if
            :: tail[p] - acked[p] < RING -> break
            :: else
            fi;
            starved[p] = true;
            starves[p] = !room_bell[p];
            !starves[p];
            starved[p] = false
        od;
#ifdef LOOK_BEFORE_PUBLISH
        atomic {
            wanted_bell = bell_wanted[p] && !has_rung[p];
            has_rung[p] = has_rung[p] || wanted_bell
        }
#endif
        atomic {
            reply_slot[p * RING + tail[p] % RING] = s;
            reply_number[p * RING + tail[p] % RING] = n;
            answered[request[AT(p, s)] - 1] = true;
            tail[p]++;
            n = 0;
            s = 0
        }
#ifndef LOOK_BEFORE_PUBLISH
        atomic {
            wanted_bell = bell_wanted[p] && !has_rung[p];
            has_rung[p] = has_rung[p] || wanted_bell
        }
#endif
        if
        :: wanted_bell -> atomic { rung[p] = true; wanted_bell = false }
        :: else
        fi;
        goto find;

nothing: /* soon__channel_await_request() */
#ifdef LOOK_BEFORE_SLEEP
        if
        :: post_bell[p] -> goto find
        :: else
        fi;
        asleep[p] = true;
        sleeps[p] = true;
#else
        asleep[p] = true;
        sleeps[p] = !post_bell[p];
#endif
end_asleep:
        !sleeps[p];
        asleep[p] = false;
        goto find
    } unless {
        struck[p]
    }
    atomic {
        s = 0;
        n = 0;
        w = 0;
        f = 0;
        kn = 0;
        kw = 0;
        wanted_bell = false;
        dead[p] = true
    }
}

proctype at_rest()
{
    byte t;

    timeout;
    atomic {
        do
        :: t < TASKS -> assert(ended[t] && !queued[t] && !posted[t]); t++
        :: else -> break
        od
    }
}

init
{
    byte i;

    atomic {
        do
        :: i < PROCESSES -> run worker(i); i++
        :: else -> break
        od;
        run loop();
        run submitter();
#ifdef SPIN
        run waiter(0);
#endif
#ifdef CANCEL
        run canceller(TASKS - 1);
#endif
#ifdef KILL
        run killer(0);
#endif
#ifdef SHUFFLE
        run shuffler();
#endif
#ifdef CRASH
        run crash(0);
#endif
        run at_rest()
    }
}
