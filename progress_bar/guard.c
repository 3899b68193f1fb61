/*
 * guard.c - a program that ends or stops while a bar is shown leaves the cursor below it.
 *
 * Nothing of the terminal has to be restored, but the cursor rests at the beginning of the bars, so that a shell's
 * prompt would stand among them. So what is shown is written once more, from there, with a newline behind it: by a
 * handler of the signals that end the program by default, and at exit().
 *
 * G1  A signal gets our handler only while bars are shown, and only if the program has left it at its default. When
 *     nothing is shown it has its default again, unless somebody has set a handler meanwhile.
 * G2  The handler may interrupt anything: it reads what `current` points to, and calls write(), poll(), getpid() and
 *     sigaction(). If a handler that was set later calls ours, that one decides, and ours does nothing.
 * G3  `current` points to one of two notes; the drawer writes the other one, and neither while somebody reads: a reader
 *     counts itself before it takes `current`.
 * G4  The handler waits for nobody: a terminal that takes nothing gets nothing.
 */
#include "guard_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { NOTE_MAX = 32768 };

static const char BEGINNING[] = "\r\033[?7h", END[] = "\033[J\r\n";

struct note {
    pid_t pid;
    int fd;
    size_t size;
    char text[NOTE_MAX];
};

static struct note notes[2];
static _Atomic(struct note *) current; /* NULL: nothing is shown */
static atomic_uint readers;
static atomic_bool has_left;

static void write_note(const struct note *note)
{
    if (note->pid == getpid() && poll(&(struct pollfd){.fd = note->fd, .events = POLLOUT}, 1, 0) == 1)
        (void)!write(note->fd, note->text, note->size);
}

/* G2, G3, G4 */
static void leave(bool for_ever)
{
    atomic_fetch_add_explicit(&readers, 1, memory_order_relaxed); /* published by the exchange */
    /* Acquire: the note is written. Release: `readers`. Pairs with the exchange in soon__guard_set(). */
    struct note *note = atomic_exchange_explicit(&current, NULL, memory_order_acq_rel);
    /* Relaxed: a draw that has begun may still come. */
    if (note && for_ever)
        atomic_store_explicit(&has_left, true, memory_order_relaxed);
    if (note)
        write_note(note);
    /* Release: the note was read; pairs with the acquire in soon__guard_set(). */
    atomic_fetch_sub_explicit(&readers, 1, memory_order_release);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof *signals };

static void on_signal(int number)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) < 0 || now.sa_handler != on_signal)
        return;
    leave(number != SIGTSTP);
    sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    raise(number); /* when this handler returns */
}

/* G1 */
static void handle(int number)
{
    struct sigaction before;

    if (sigaction(number, NULL, &before) < 0 || before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
        return;
    sigaction(number, &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK}, &before);
    if (before.sa_handler != SIG_DFL) /* somebody was faster */
        sigaction(number, &before, NULL);
}

static void let_go(int number)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == on_signal)
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

void soon__guard_rest(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        let_go(signals[i]);
}

static void write_down(struct note *note, int fd, const char *shown, size_t size)
{
    size_t most = sizeof note->text - sizeof BEGINNING - sizeof END;
    char *at = note->text;

    at = mempcpy(at, BEGINNING, sizeof BEGINNING - 1);
    at = mempcpy(at, shown, size < most ? size : most);
    at = mempcpy(at, END, sizeof END - 1);
    note->size = (size_t)(at - note->text);
    note->fd = fd;
    note->pid = getpid();
}

void soon__guard_set(int fd, const char *shown, size_t size)
{
    static unsigned turn; /* of the drawer's thread */
    struct note *note = &notes[turn % 2];

    /* Acquire: what was read there was read; pairs with the release in leave(). */
    if (atomic_load_explicit(&readers, memory_order_acquire) == 0) {
        write_down(note, fd, shown, size);
        /* Release: the note is written. Acquire: whoever has taken the last one has counted itself. */
        atomic_exchange_explicit(&current, note, memory_order_acq_rel);
        turn++;
    }
    for (size_t i = 0; i < SIGNALS; i++)
        handle(signals[i]);
}

void soon__guard_clear(int fd)
{
    /* Acquire: pairs with the exchange in soon__guard_set(). */
    struct note *note = atomic_load_explicit(&current, memory_order_acquire);

    if (note && note->fd == fd) /* relaxed, both: it has nothing to publish */
        atomic_compare_exchange_strong_explicit(&current, &note, NULL, memory_order_relaxed, memory_order_relaxed);
}

bool soon__guard_has_left(void)
{
    return atomic_load_explicit(&has_left, memory_order_relaxed); /* it guards nothing */
}

__attribute__((destructor)) static void at_exit(void)
{
    leave(true);
}
