/*
 * record.c - see record_internal.h.
 *
 * G1  A thread uses the writer only between its increment and its decrement of `inside`, and only if it has found it
 *     after the increment. A thread that closes the gate takes the writer away, and waits then until `inside` is 0.
 *     Both do the two steps in that order, sequentially consistent: so the one sees that there is no writer, or the
 *     other sees it inside.
 * G2  Inside a thread takes no lock and waits for nothing, so the wait for it is short.
 */
#include "record_internal.h"

#include "writer_internal.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

struct soon__trace_gate soon__trace_gate;

/* What this thread is in the trace with this number. */
static _Thread_local struct {
    uint32_t number;
    int32_t tid;
} own;

/* G1. NULL, and the thread is not inside: there is no trace. */
static struct soon__trace_writer *enter(void)
{
    struct soon__trace_writer *writer;

    atomic_fetch_add_explicit(&soon__trace_gate.inside, 1, memory_order_seq_cst);
    writer = atomic_load_explicit(&soon__trace_gate.writer, memory_order_seq_cst);
    if (!writer)
        atomic_fetch_sub_explicit(&soon__trace_gate.inside, 1, memory_order_relaxed);
    return writer;
}

static void leave(void)
{
    /* Release: this thread is through with the writer; pairs with the acquire in soon__trace_gate_close(). */
    atomic_fetch_sub_explicit(&soon__trace_gate.inside, 1, memory_order_release);
}

static void push(struct soon__trace_writer *writer, const struct soon__trace_event *event)
{
    if (soon__trace_ring_push(&writer->ring, event))
        soon__trace_writer_wake(writer);
}

void soon__trace_record(const struct soon__trace_event *event)
{
    struct soon__trace_writer *writer = enter();

    if (!writer)
        return;
    push(writer, event);
    leave();
}

static void name_own_row(struct soon__trace_writer *writer)
{
    struct soon__trace_event event = {.kind = SOON__TRACE_ROW, .row = {writer->format.pid, own.tid}};

    pthread_getname_np(pthread_self(), event.text, sizeof event.text);
    push(writer, &event);
}

struct soon__trace_row soon__trace_own_row(void)
{
    struct soon__trace_writer *writer = enter();
    struct soon__trace_row row = {0};

    if (!writer)
        return row;
    if (own.number != writer->number) {
        own.number = writer->number;
        own.tid = gettid();
        name_own_row(writer);
    }
    row = (struct soon__trace_row){writer->format.pid, own.tid};
    leave();
    return row;
}

uint32_t soon__trace_number(void)
{
    struct soon__trace_writer *writer = enter();
    uint32_t number = writer ? writer->number : 0;

    if (writer)
        leave();
    return number;
}

void soon__trace_gate_open(struct soon__trace_writer *writer)
{
    /* Sequentially consistent, as all of G1; it also publishes the writer. */
    atomic_store_explicit(&soon__trace_gate.writer, writer, memory_order_seq_cst);
}

void soon__trace_gate_close(bool wait)
{
    atomic_store_explicit(&soon__trace_gate.writer, NULL, memory_order_seq_cst); /* G1 */
    /* Sequentially consistent: G1. It is also an acquire, which pairs with the release in leave(). */
    while (wait && atomic_load_explicit(&soon__trace_gate.inside, memory_order_seq_cst))
        sched_yield();
}

struct soon__trace_writer *soon__trace_gate_forget(void)
{
    /* Relaxed, all: there is one thread. */
    struct soon__trace_writer *writer = atomic_load_explicit(&soon__trace_gate.writer, memory_order_relaxed);

    atomic_store_explicit(&soon__trace_gate.writer, NULL, memory_order_relaxed);
    atomic_store_explicit(&soon__trace_gate.inside, 0, memory_order_relaxed);
    return writer;
}
