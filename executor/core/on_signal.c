/*
 * on_signal.c - signals that shut executors down.
 *
 *     signal --> handler, any thread: counts, wakes the library's loop --> each executor that wants it and is not down
 *
 * S1  The handler touches nothing but atomics and the loop's wake-up, since it may interrupt anything.
 * S2  `registry.mutex` guards the list, and with it which executor has which signal. An executor is in it until it is
 *     freed. The loop pins those that it will shut down while it has the mutex: one that is down has no pin to give,
 *     and is left alone. So none is freed while somebody is about to shut it down, and one whose end is awaited still
 *     hears.
 * S3  A signal has our handler as long as an executor in the list has heard it less than twice. An executor that is
 *     down hears, so that the third signal ends a program that has not freed it. The program's own handler is kept,
 *     and set again unless somebody has set another one meanwhile.
 * S4  A forked child has none of the executors. It sets the program's own handler again; a signal that comes between
 *     the fork and that ends it. The mutex is held over the fork: the kernel copies handlers and memory one
 *     after the other, and both must say the same.
 * S5  A class of the program's own is its code, which does not run on the loop: it is shut down on the callback thread.
 */
#include "on_signal_internal.h"

#include "../../futures/failed_internal.h"
#include "../../futures/promise.h"
#include "../loops/library_loop_internal.h"
#include "shutdown_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMES = 2 };

struct soon__on_signal {
    struct soon__on_signal *next_due; /* of the loop's thread */
    soon_executor *executor;
    sigset_t signals;
    soon_shutdown modes[TIMES];
    soon_promise *told;
    _Atomic int first; /* the signal; 0: none yet */
    struct soon__job job;
    /* Under the registry's mutex. */
    struct {
        struct soon__on_signal *next;
        int heard;      /* how many signals; written by the loop's thread, which reads it without the mutex */
        bool is_posted; /* S5: `job` has not begun */
    } locked;
};

static void hear(struct soon__job *unused);

static struct {
    pthread_mutex_t mutex;
    struct {
        struct soon__on_signal *first;
        struct sigaction before[NSIG];
        bool is_ours[NSIG];
    } locked;
    pid_t pid;
    struct soon__job heard;
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER, .heard = {.run = hear}};

/* S1 */
static struct {
    _Atomic uint32_t came; /* not heard of by the loop yet */
    /* The program's own handler, which is called too. NULL: there is none, or it is of the other kind. */
    _Atomic(void (*)(int)) plain;
    _Atomic(void (*)(int, siginfo_t *, void *)) with_info;
} signals[NSIG];

/*
 * Handlers
 */

/* Code that has set a handler above ours may call ours from it, and be below it the next time. Initial-exec: the
 * first use in a thread must need no memory. */
static _Thread_local bool is_inside __attribute__((tls_model("initial-exec")));

static void call_before(int signal, siginfo_t *info, void *context)
{
    /* Relaxed, both: set before the handler was. */
    void (*plain)(int) = atomic_load_explicit(&signals[signal].plain, memory_order_relaxed);
    void (*with_info)(int, siginfo_t *, void *) =
        atomic_load_explicit(&signals[signal].with_info, memory_order_relaxed);

    if (is_inside)
        return;
    is_inside = true;
    if (plain)
        plain(signal);
    if (with_info)
        with_info(signal, info, context);
    is_inside = false;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    int saved = errno;

    if (getpid() != registry.pid) { /* S4 */
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        kill(getpid(), signal);
        return;
    }
    /* Relaxed: the wake-up that follows orders it before the loop reads it. */
    atomic_fetch_add_explicit(&signals[signal].came, 1, memory_order_relaxed);
    soon__library_loop_interrupt(&registry.heard);
    errno = saved;
    call_before(signal, info, context);
}

static bool is_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static bool has_ours(int signal)
{
    struct sigaction now;

    return sigaction(signal, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_signal;
}

/* S3. A signal that is ignored stays ignored. SA_ONSTACK, since there are threads with small stacks. */
static void install_locked(int signal)
{
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction *before = &registry.locked.before[signal];

    if (registry.locked.is_ours[signal] || sigaction(signal, NULL, before) < 0 || before->sa_handler == SIG_IGN)
        return;
    /* Relaxed: ordered by sigaction(). */
    atomic_store_explicit(&signals[signal].plain,
                          is_handler(before) && !(before->sa_flags & SA_SIGINFO) ? before->sa_handler : NULL,
                          memory_order_relaxed);
    atomic_store_explicit(&signals[signal].with_info,
                          is_handler(before) && before->sa_flags & SA_SIGINFO ? before->sa_sigaction : NULL,
                          memory_order_relaxed);
    atomic_store_explicit(&signals[signal].came, 0, memory_order_relaxed);
    registry.locked.is_ours[signal] = true;
    sigaction(signal, &ours, NULL);
}

static void give_back(int signal)
{
    if (has_ours(signal))
        sigaction(signal, &registry.locked.before[signal], NULL);
    registry.locked.is_ours[signal] = false;
}

static bool is_wanted_locked(int signal)
{
    for (const struct soon__on_signal *one = registry.locked.first; one; one = one->locked.next) {
        if (one->locked.heard < TIMES && sigismember(&one->signals, signal))
            return true;
    }
    return false;
}

static void give_back_unwanted_locked(void)
{
    for (int signal = 1; signal < NSIG; signal++) {
        if (registry.locked.is_ours[signal] && !is_wanted_locked(signal))
            give_back(signal);
    }
}

/* S4 */
static void in_child(void)
{
    registry.pid = getpid();
    registry.locked.first = NULL;
    for (int signal = 1; signal < NSIG; signal++) {
        if (registry.locked.is_ours[signal])
            give_back(signal);
    }
}

__attribute__((constructor)) static void watch_forks(void)
{
    registry.pid = getpid();
    (void)soon__lock_at_fork(&registry.mutex); /* one of the first: there is room */
    (void)soon__at_fork(NULL, NULL, in_child);
}

/*
 * Hearing, on the loop's thread
 */

static void carry_out(struct soon__on_signal *one, soon_shutdown mode)
{
    (void)soon_executor_shutdown(one->executor, mode, 0);
    soon__executor_unpin(one->executor);
}

/* S5 */
static void carry_out_there(struct soon__job *job)
{
    struct soon__on_signal *one = (struct soon__on_signal *)((char *)job - offsetof(struct soon__on_signal, job));
    soon_shutdown mode;

    pthread_mutex_lock(&registry.mutex);
    one->locked.is_posted = false;
    mode = one->modes[one->locked.heard - 1];
    pthread_mutex_unlock(&registry.mutex);
    carry_out(one, mode);
}

static void post(struct soon__on_signal *one)
{
    bool was_posted;

    pthread_mutex_lock(&registry.mutex);
    was_posted = one->locked.is_posted;
    one->locked.is_posted = true;
    pthread_mutex_unlock(&registry.mutex);
    if (was_posted)
        soon__executor_unpin(one->executor);
    else
        soon__library_callbacks_post(&one->job);
}

/* Returns those that are to be shut down now, pinned (S2). */
static struct soon__on_signal *take_due_locked(int signal)
{
    struct soon__on_signal *due = NULL;

    for (struct soon__on_signal *one = registry.locked.first; one; one = one->locked.next) {
        if (one->locked.heard == TIMES || !sigismember(&one->signals, signal))
            continue;
        one->locked.heard++; /* also of one that is down: S3 */
        if (!soon__executor_try_pin(one->executor))
            continue;
        one->next_due = due;
        due = one;
    }
    return due;
}

static void tell(struct soon__on_signal *one, int signal)
{
    int none = 0;

    /* Release: pairs with the acquire in soon_executor_signal() and of(). */
    if (!atomic_compare_exchange_strong_explicit(&one->first, &none, signal, memory_order_release,
                                                 memory_order_relaxed))
        return;
    (void)soon_promise_set_result(one->told, &signal, sizeof signal);
}

static void hear_one(int signal)
{
    struct soon__on_signal *due, *next;

    pthread_mutex_lock(&registry.mutex);
    due = take_due_locked(signal);
    give_back_unwanted_locked();
    pthread_mutex_unlock(&registry.mutex);
    for (; due; due = next) {
        next = due->next_due; /* the executor may end as soon as the pin is given up */
        tell(due, signal);
        if (due->executor->klass.of_library)
            carry_out(due, due->modes[due->locked.heard - 1]); /* this thread alone counts */
        else
            post(due);
    }
}

static void hear(struct soon__job *unused)
{
    (void)unused;
    for (int signal = 1; signal < NSIG; signal++) {
        /* Relaxed: see on_signal(). */
        uint32_t came = atomic_exchange_explicit(&signals[signal].came, 0, memory_order_relaxed);

        for (uint32_t i = 0; i < came && i < TIMES; i++)
            hear_one(signal);
    }
}

/*
 * Asking for it
 */

/* A fault is not a request to shut down, and two signals cannot be caught. */
static bool may_be_caught(int signal)
{
    static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGCHLD};
    struct sigaction unused;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (signal == others[i])
            return false;
    }
    return signal > 0 && signal < NSIG && sigaction(signal, NULL, &unused) == 0;
}

static int read_signals(sigset_t *ret, const int *signals)
{
    static const int usual[] = {SIGINT, SIGTERM, 0};

    sigemptyset(ret);
    signals = signals ? signals : usual;
    if (!*signals)
        return soon__refuse(-EINVAL, ".signals is empty");
    for (; *signals; signals++) {
        if (!may_be_caught(*signals))
            return soon__refuse(-EINVAL, ".signals has %d, which cannot be caught", *signals);
        sigaddset(ret, *signals);
    }
    return 0;
}

static int read_modes(soon_shutdown modes[TIMES], soon_shutdown mode, soon_shutdown again)
{
    if (mode < SOON_DRAIN || mode > SOON_KILL)
        return soon__refuse(-EINVAL, "mode = %d is none of soon_shutdown", (int)mode);
    modes[0] = mode;
    modes[1] = again == SOON_DRAIN ? SOON_KILL : again;
    if (modes[1] < mode || modes[1] > SOON_KILL)
        return soon__refuse(-EINVAL, ".again = %d is weaker than mode = %d, or is none", (int)again, (int)mode);
    return 0;
}

static void destroy(struct soon__on_signal *one)
{
    (void)soon_promise_set_cancelled(one->told); /* if none has come */
    soon_promise_free(one->told);
    free(one);
}

static int new_one(struct soon__on_signal **ret, soon_executor *executor, soon_shutdown mode,
                   const soon_signal_options *options)
{
    struct soon__on_signal *one = calloc(1, sizeof *one);
    int rc = one ? read_modes(one->modes, mode, options->again) : -ENOMEM;

    if (rc == 0)
        rc = read_signals(&one->signals, options->signals);
    if (rc == 0)
        rc = soon_promise_new(&one->told, NULL);
    if (rc < 0) {
        free(one);
        return rc;
    }
    one->executor = executor;
    one->job.run = carry_out_there;
    *ret = one;
    return 0;
}

static int add_locked(struct soon__on_signal *one)
{
    /* Relaxed: under the mutex. */
    if (atomic_load_explicit(&one->executor->on_signal, memory_order_relaxed))
        return soon__refuse(SOON_EINVALIDSTATE, "this executor has been asked to before");
    one->locked.next = registry.locked.first;
    registry.locked.first = one;
    /* Release: pairs with the acquire in soon_executor_signal() and of(). */
    atomic_store_explicit(&one->executor->on_signal, one, memory_order_release);
    for (int signal = 1; signal < NSIG; signal++) {
        if (sigismember(&one->signals, signal) == 1)
            install_locked(signal);
    }
    return 0;
}

static int add(soon_executor *executor, soon_shutdown mode, const soon_signal_options *options, size_t size)
{
    struct soon__on_signal *one = NULL;
    soon_signal_options o;
    int rc = soon__executor_check(executor);

    if (rc == 0)
        rc = soon__options_read(&o, sizeof o, options, size);
    if (rc == 0)
        rc = soon__library_start();
    if (rc == 0)
        rc = new_one(&one, executor, mode, &o);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&registry.mutex);
    rc = add_locked(one);
    pthread_mutex_unlock(&registry.mutex);
    if (rc < 0)
        destroy(one);
    return rc;
}

int soon_executor_shutdown_on_signal_sized(soon_executor *executor, soon_shutdown mode,
                                           const soon_signal_options *options, size_t size)
{
    return soon__failed(add(executor, mode, options, size), "soon_executor_shutdown_on_signal");
}

static struct soon__on_signal *of(const soon_executor *executor)
{
    /* Acquire: pairs with the release in add_locked(). */
    return atomic_load_explicit(&executor->on_signal, memory_order_acquire);
}

int soon_executor_signal(const soon_executor *executor)
{
    struct soon__on_signal *one = soon__executor_check(executor) == 0 ? of(executor) : NULL;

    /* Acquire: pairs with the release in tell(). */
    return one ? atomic_load_explicit(&one->first, memory_order_acquire) : 0;
}

soon_future *soon_executor_signalled(soon_executor *executor)
{
    int rc = soon__executor_check(executor);
    struct soon__on_signal *one = rc == 0 ? of(executor) : NULL;

    if (one)
        return soon_promise_future(one->told);
    return soon__future_new_failed(rc < 0 ? rc : SOON_EINVALIDSTATE, "soon_executor_signalled", NULL, NULL, NULL);
}

void soon__on_signal_free(soon_executor *executor)
{
    struct soon__on_signal *one = of(executor), **link = &registry.locked.first;

    if (!one)
        return;
    pthread_mutex_lock(&registry.mutex);
    while (*link && *link != one)
        link = &(*link)->locked.next;
    if (*link)
        *link = one->locked.next;
    give_back_unwanted_locked();
    pthread_mutex_unlock(&registry.mutex);
    destroy(one);
}
