/*
 * future.pml - the word of a future: who completes it, who sleeps on it, who may touch its lists.
 *
 * Modelled: a worker that starts it and finishes it, a canceller, a death (or whoever else finishes it from outside), all
 * at any moment; two readers that sleep on the word, one of whom may give up; with -DLISTS, in the place of that one
 * and of the death, a waiter that is registered with it, whose node is gone when it has given up; with -DLOOP a callback
 * on a loop that it began with, the loop's turn that reaches it, and a remove; with both, the waiter, the callback and its turn.
 *
 *     here                    in futures/
 *     doze(), unpark_all()    system_linux.c: soon__park() compares and sleeps in one step; soon__unpark_all()
 *     start(), claim()        future.c: soon__future_start(), claim(); what becomes of the state: soon__word_move()
 *     lock(), unlock()        future.c: soon__future_lock(), soon__future_unlock(); looking again first is left out
 *     publish()               complete.c: publish_bare(), publish_lists(), store_final(), notify_waiters_locked()
 *     publish_to_loop()       complete.c: publish_to_loop()
 *     turn, remover           delivery.c: run(); callback.c: soon_future_remove_done_callback()
 *     canceller               cancel.c: cancel_one(), resolve(); with -DOWNER a pool's own call: who has taken it out of its queue
 *                             finishes it (class->take_back(), run.c: soon__call_finish() with hooks); with -DPLAIN
 *                             too without a step of the word that says that it has begun (soon__call_run_plain())
 *     park_on()               await.c: park_on(); settled(): soon__future_stable_word()
 *     reader                  await.c: soon__future_await()
 *     waiter                  future.c: soon__future_add_waiter(), soon__future_remove_waiter()
 *
 * Each access of the word, each call of the kernel and the write of the outcome is a step of its own. A loop around a
 * compare-exchange is one access: nothing is done between its load and the exchange that succeeds, or what it gives up for.
 *
 * Checked: no deadlock; exactly one of the three writes the outcome, once; who sees a final state sees the outcome; every
 * reader and waiter wakes; a cancel that said true has made it CANCELLED, after one that said false it is not; a waiter that
 * has gone is not touched; a callback on a loop runs once, unless it was removed, which one remove was told.
 *
 * Left out: references, callbacks, progress, forks, groups and thens; weak memory: all is sequentially consistent.
 *
 * Broken variants: -DOWNER -DPLAIN -DRUN_UNTAKEN, -DSEPARATE_WORDS, -DCLAIM_BY_STORE, -DFINAL_BEFORE_OUTCOME, -DSLEEP_UNSAID, -DWAKE_NOBODY,
 * -DLISTS -DFINAL_WITHOUT_LOCK, -DLISTS -DUNLOCK_WAKES_NOBODY, -DLOOP -DLOOP_WAKES_NOBODY, -DLOOP -DTURN_UNLOCKED.
 */
#define STATE 7
#define PENDING 0
#define RUNNING 1
#define COMPLETING_PENDING 2
#define COMPLETING_RUNNING 3
#define FINISHED 4
#define CANCELLED 5
#define LOCK 8
#define LOCK_WANTED 16
#define PARKED 32
#define LISTED 64
#define CANCEL_REQUESTED 128

#define WITHOUT(bits) (word & (255 - (bits)))
#define STATE_IS(state) ((word & STATE) == (state))
#define IS_FINAL ((word & STATE) >= FINISHED)

#define WORKER 0
#define CANCELLER 1
#define DEATH 2
#define READER 3 /* and 4 */
#define WAITER 5
#define TURN 6
#define REMOVER 7
#define THREADS 8

byte word;
bool asleep[THREADS];
byte outcome;       /* who has written it, from 1; 0: nobody */
bool queued = true; /* the owner's, under its mutex */
bool parked;        /* with -DSEPARATE_WORDS */
bool in_ring = true, delivered;
byte ran, removed;

/* The waiter's node: under LOCK. */
bool linked, notified, gone;

/* Until it is woken; not at all if the word is another one by now. */
inline doze()
{
    d_step {
        asleep[me] = word == w;
        w = 0
    }
    !asleep[me]
}

inline unpark_all()
{
    d_step {
        asleep[0] = false;
        asleep[1] = false;
        asleep[2] = false;
        asleep[3] = false;
        asleep[4] = false;
        asleep[5] = false;
        asleep[6] = false;
        asleep[7] = false
    }
}

inline start()
{
    d_step {
        won = STATE_IS(PENDING);
        if
        :: won -> word = WITHOUT(STATE) | RUNNING
        :: else
        fi
    }
}

inline claim()
{
#ifdef CLAIM_BY_STORE
    w = word;
    if
    :: (w & STATE) == PENDING -> word = w - PENDING + COMPLETING_PENDING; won = true
    :: (w & STATE) == RUNNING -> word = w - RUNNING + COMPLETING_RUNNING; won = true
    :: else -> won = false
    fi;
    w = 0
#else
    d_step {
        won = STATE_IS(PENDING) || STATE_IS(RUNNING);
        if
        :: won -> word = word - RUNNING * STATE_IS(RUNNING) +
                         (STATE_IS(RUNNING) -> COMPLETING_RUNNING : COMPLETING_PENDING)
        :: else
        fi
    }
#endif
}

inline claim_pending()
{
    d_step {
        won = STATE_IS(PENDING);
        if
        :: won -> word = WITHOUT(STATE) | COMPLETING_PENDING
        :: else
        fi
    }
}

inline lock()
{
    do
    :: atomic {
        !(word & LOCK) -> word = word | LOCK; break
    }
    :: atomic {
        word & LOCK -> word = word | LOCK_WANTED; w = word
    }
        doze()
    od
}

inline unlock()
{
    d_step {
        w = word;
        word = WITHOUT(LOCK + LOCK_WANTED)
    }
    if
#ifndef UNLOCK_WAKES_NOBODY
    :: atomic {
        w & LOCK_WANTED -> unpark_all(); w = 0
    }
#endif
    :: else -> w = 0
    fi
}

/* `won`: it was stored. `w`: what the word was. */
inline store_final(state, but_not)
{
#ifdef SEPARATE_WORDS
    d_step { /* first whether somebody sleeps, */
        w = parked * PARKED;
        won = true
    }
    d_step { /* then the state */
        if
        :: word & (but_not) -> w = word; won = false
        :: else -> word = WITHOUT(STATE) | state
        fi
    }
#else
    d_step {
        w = word;
        won = !(word & (but_not));
        if
        :: won -> word = WITHOUT(STATE + PARKED) | state
        :: else
        fi
    }
#endif
}

inline wake_parked()
{
    if
#ifndef WAKE_NOBODY
    :: atomic {
        w & PARKED -> unpark_all(); w = 0
    }
#endif
    :: else -> w = 0
    fi
}

inline notify()
{
    if
    :: linked -> linked = false; assert(!gone); notified = true
    :: else
    fi
}

/* `won`: it was so. */
inline publish_to_loop(state)
{
    lock();
    if
    :: linked -> unlock(); won = false
    :: else ->
        d_step {
            before = word;
            word = WITHOUT(STATE + PARKED + LOCK + LOCK_WANTED) | state;
            won = true
        }
        if
#ifdef LOOP_WAKES_NOBODY
        :: atomic {
            before & PARKED -> unpark_all()
        }
#else
        :: atomic {
            before & (PARKED + LOCK_WANTED) -> unpark_all()
        }
#endif
        :: else
        fi;
        before = 0;
        delivered = true
    fi
}

inline publish(state)
{
#ifdef LOOP
    publish_to_loop(state);
    if
    :: !won -> publish_lists(state); delivered = true
    :: else
    fi
#else
    publish_lists(state)
#endif
}

inline publish_lists(state)
{
#ifdef FINAL_WITHOUT_LOCK
    store_final(state, 0);
    wake_parked();
    notify()
#else
    store_final(state, LOCK + LISTED);
    if
    :: won -> wake_parked()
    :: !won ->
        lock();
        store_final(state, 0);
        before = w;
        notify();
        unlock();
        atomic {
            w = before;
            before = 0
        }
        wake_parked()
    fi
#endif
}

inline write_outcome()
{
    assert(!outcome);
    outcome = me + 1
}

inline complete(state)
{
#ifdef FINAL_BEFORE_OUTCOME
    publish(state);
    write_outcome()
#else
    write_outcome();
    publish(state)
#endif
}

/* Sleeps until the word changes, or for no reason. */
inline park_on()
{
    if
    :: IS_FINAL
#ifdef SEPARATE_WORDS
    :: atomic {
        !IS_FINAL -> w = word
    }
        parked = true;
        doze()
#else
    :: atomic {
        !IS_FINAL ->
#ifndef SLEEP_UNSAID
        word = word | PARKED;
#endif
        w = word
    }
        doze()
#endif
    fi
}

inline settled()
{
    do
    :: STATE_IS(COMPLETING_PENDING) || STATE_IS(COMPLETING_RUNNING) -> park_on()
    :: else -> break
    od
}

proctype worker()
{
    byte me = WORKER, w, before;
    bool won = true;

#ifdef OWNER
    d_step {
#ifndef RUN_UNTAKEN
        won = queued;
#endif
        queued = false
    }
#endif
#ifndef PLAIN
    if
    :: won -> start()
    :: else
    fi;
#endif
#ifndef OWNER /* else nobody but who has taken it out finishes it: without a claim */
    if
    :: won -> claim()
    :: else
    fi;
#endif
    if
    :: won -> complete(FINISHED)
    :: else
    fi
}

proctype death()
{
    byte me = DEATH, w, before;
    bool won;

#ifdef OWNER
    if
    :: d_step { /* a limit of time, the end of the pool: it too takes it out */
        won = queued;
        queued = false
    }
    :: true /* it does not come */
    fi;
    if
    :: won -> claim()
    :: else
    fi;
#else
    if
    :: claim()
    :: true /* it does not come */
    fi;
#endif
    if
    :: won -> complete(FINISHED)
    :: else
    fi
}

proctype canceller()
{
    byte me = CANCELLER, w, before;
    bool won, is_pending, said;

    if
    :: IS_FINAL -> goto over
    :: else
    fi;
    lock();
    if
    :: IS_FINAL -> unlock(); goto over
    :: else -> is_pending = STATE_IS(PENDING)
    fi;
    unlock();
#ifdef OWNER
    if
    :: is_pending -> d_step {
        won = queued;
        queued = false
    }
    :: else
    fi;
    if
    :: won -> claim()
    :: else
    fi;
#else
    if
    :: is_pending -> claim_pending()
    :: else
    fi;
#endif
    said = won;
    if
    :: won -> complete(CANCELLED)
    :: else -> word = word | CANCEL_REQUESTED; settled()
    fi;
over:
    atomic {
        said = said || STATE_IS(CANCELLED);
        assert(said == STATE_IS(CANCELLED));
        assert(!said || outcome == CANCELLER + 1)
    }
}

proctype reader(byte me)
{
    byte w;

    do
    :: d_step {
        IS_FINAL ->
        assert(outcome);
        assert(STATE_IS(CANCELLED) == (outcome == CANCELLER + 1))
    }
        break
    :: !IS_FINAL -> park_on()
    :: !IS_FINAL && me == READER -> break /* its time is over */
    od
}

/* Ends a sleep for another reason: a signal, a deadline. */
proctype impatience()
{
    asleep[READER] = false
}

proctype waiter()
{
    byte me = WAITER, w;

    lock();
    if
    :: IS_FINAL -> unlock(); goto over
    :: else -> linked = true
    fi;
    word = word | LISTED;
    unlock();
    if
    :: true -> notified
    :: true -> /* it gives up */
        lock();
        linked = false;
        unlock();
        gone = true
    fi;
over:
}

/* Takes the callback off its future: true for one alone. */
inline take_off()
{
#ifdef TURN_UNLOCKED
    took = in_ring;
    in_ring = false
#else
    lock();
    took = in_ring;
    in_ring = false;
    unlock()
#endif
}

proctype turn()
{
    byte me = TURN, w;
    bool took;

    delivered;
    take_off();
    ran = ran + took
}

proctype remover()
{
    byte me = REMOVER, w;
    bool took;

    take_off();
    removed = removed + took
}

proctype at_rest()
{
    timeout;
#ifdef LOOP
    assert(ran + removed == 1);
#endif
    assert(IS_FINAL && outcome);
    assert(!(word & (LOCK + LOCK_WANTED + PARKED)));
    assert(!asleep[0] && !asleep[1] && !asleep[2] && !asleep[3] && !asleep[4] && !asleep[5] && !asleep[6] && !asleep[7])
}

init
{
    atomic {
        run worker();
        run canceller();
#ifdef LISTS
        run waiter();
#endif
#ifdef LOOP
        word = LISTED;
        run turn();
#ifndef LISTS
        run remover();
#endif
#endif
#if !defined(LISTS) && !defined(LOOP)
        run death();
        run reader(READER);
        run impatience();
#endif
#if !defined(LISTS) || !defined(LOOP)
        run reader(READER + 1);
#endif
        run at_rest()
    }
}
