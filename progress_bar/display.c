/*
 * display.c - all bars of the process, and the thread that draws them.
 *
 * D1  The drawer alone writes frames and lines, and it holds no lock but the outlet's `writing` meanwhile. So a
 *     terminal that takes nothing holds up the drawer, and those who ask for output: free(), printf(), hide(). Bars of
 *     other outlets wait then, too; so that this happens rarely, the drawer asks first whether it takes something.
 * D2  Bars and outlets are in lists under `mutex`. The drawer alone takes them out, so it may go over what it has found
 *     there without the mutex.
 * D3  The drawer is started with the first bar, and stays; without bars it sleeps. It has all signals blocked: a write
 *     to a pipe that nobody reads kills nobody, and no handler of the program's runs here.
 * D4  A forked child has no drawer, and its parent's locks may be held for ever. It gets a display of its own when it
 *     makes a bar, and touches nothing of its parent's, which is kept for its memory's sake.
 * D5  Labels are shown in the encoding of the environment's locale, whatever the program has called setlocale() with:
 *     the drawer has a locale of its own.
 * Order of locks: an outlet's `writing` and the display's `mutex` are never held together.
 */
#include "display_internal.h"

#include "guard_internal.h"
#include "round_internal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct soon__display {
    pid_t pid;
    struct soon__display *parent; /* D4 */
    locale_t locale;              /* D5; 0: there is no such locale */
    bool has_utf8;
    atomic_int hidden;
    pthread_mutex_t mutex;
    pthread_cond_t drawer_wakes, bar_is_gone;
    struct {
        soon_progress_bar *first, **last;
        struct soon__outlet *outlets;
        bool is_woken, has_drawer;
    } locked;
    struct {
        struct soon__round round;
        int64_t every_ns;
    } drawer;
};

static _Atomic(struct soon__display *) displays;

static struct soon__display *display_new(void)
{
    struct soon__display *display = calloc(1, sizeof *display);
    pthread_condattr_t attributes;

    if (!display)
        return NULL;
    display->pid = getpid();
    display->locked.last = &display->locked.first;
    display->locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    display->has_utf8 =
        strcmp(display->locale ? nl_langinfo_l(CODESET, display->locale) : nl_langinfo(CODESET), "UTF-8") == 0;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&display->mutex, NULL);
    pthread_cond_init(&display->drawer_wakes, &attributes);
    pthread_cond_init(&display->bar_is_gone, NULL);
    pthread_condattr_destroy(&attributes);
    return display;
}

static void display_free(struct soon__display *display)
{
    if (display->locale)
        freelocale(display->locale);
    free(display);
}

static bool is_of_this_process(const struct soon__display *display)
{
    return display && display->pid == getpid();
}

/* That of this process. NULL: it has none. */
static struct soon__display *display_now(void)
{
    /* Acquire: pairs with the release of who has made it. */
    struct soon__display *display = atomic_load_explicit(&displays, memory_order_acquire);

    return is_of_this_process(display) ? display : NULL;
}

/* One load decides that there is none, and is what the exchange compares with: another thread's is not replaced. */
static struct soon__display *display_make(void)
{
    /* Acquire, both: pairs with the release of who has made it. */
    struct soon__display *found = atomic_load_explicit(&displays, memory_order_acquire);
    struct soon__display *made = is_of_this_process(found) ? NULL : display_new();

    if (!made)
        return is_of_this_process(found) ? found : NULL;
    made->parent = found;
    if (atomic_compare_exchange_strong_explicit(&displays, &found, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    display_free(made); /* another thread was faster */
    return found;
}

bool soon__display_has(const soon_progress_bar *bar)
{
    return bar && bar->display == display_now();
}

static void wake_locked(struct soon__display *display)
{
    display->locked.is_woken = true;
    pthread_cond_signal(&display->drawer_wakes);
}

/*
 * The drawer
 */

/* D2: what there is to be drawn in this round. */
static void gather_locked(struct soon__display *display)
{
    soon_progress_bar **last = &display->drawer.round.first;
    int64_t every_ms = INT64_MAX;

    for (soon_progress_bar *bar = display->locked.first; bar; bar = bar->listed.next) {
        bar->drawer.ends = bar->listed.state == SOON__BAR_ENDING;
        *last = bar;
        last = &bar->drawer.next;
        if (bar->options.interval_ms < every_ms)
            every_ms = bar->options.interval_ms;
    }
    *last = NULL;
    display->drawer.round.outlets = display->locked.outlets;
    display->drawer.every_ns = every_ms < INT64_MAX / SOON__NS_PER_MS ? every_ms * SOON__NS_PER_MS : INT64_MAX;
}

/* Takes out the bars that were drawn for the last time. */
static void bury_locked(struct soon__display *display)
{
    soon_progress_bar **at = &display->locked.first, *bar;

    while ((bar = *at)) {
        if (!bar->drawer.ends) {
            at = &bar->listed.next;
            continue;
        }
        *at = bar->listed.next;
        bar->outlet->listed.users--;
        soon__bar_enter_locked(bar, SOON__BAR_GONE);
    }
    display->locked.last = at;
    pthread_cond_broadcast(&display->bar_is_gone);
}

/* Frees the outlets that nobody uses and that have nothing to say. Only the drawer adds to what they keep. */
static void free_outlets_locked(struct soon__display *display)
{
    struct soon__outlet **at = &display->locked.outlets, *outlet;

    while ((outlet = *at)) {
        if (outlet->listed.users > 0 || outlet->locked.kept.size > 0) {
            at = &outlet->listed.next;
            continue;
        }
        *at = outlet->listed.next;
        soon__outlet_free(outlet);
    }
}

/* Until it is woken, or the next round is due. */
static void wait_locked(struct soon__display *display)
{
    int64_t due_ns = soon__bar_now_ns();

    due_ns = __builtin_add_overflow(due_ns, display->drawer.every_ns, &due_ns) ? INT64_MAX : due_ns;
    struct timespec due = {due_ns / INT64_C(1000000000), due_ns % INT64_C(1000000000)};
    while (!display->locked.is_woken) {
        if (!display->locked.first)
            pthread_cond_wait(&display->drawer_wakes, &display->mutex);
        else if (pthread_cond_timedwait(&display->drawer_wakes, &display->mutex, &due) == ETIMEDOUT)
            break;
    }
    display->locked.is_woken = false;
}

static void *draw(void *data)
{
    struct soon__display *display = data;

    pthread_setname_np(pthread_self(), "soon-bar");
    if (display->locale)
        uselocale(display->locale);
    pthread_mutex_lock(&display->mutex);
    for (;;) {
        gather_locked(display);
        pthread_mutex_unlock(&display->mutex);

        if (!soon__round_draw(&display->drawer.round, &display->hidden))
            soon__guard_rest();

        pthread_mutex_lock(&display->mutex);
        bury_locked(display);
        free_outlets_locked(display);
        wait_locked(display);
    }
    return NULL;
}

/* D3 */
static int start_drawer_locked(struct soon__display *display)
{
    sigset_t all, before;
    pthread_t thread;

    if (display->locked.has_drawer)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, draw, display);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -rc;
    pthread_detach(thread);
    display->locked.has_drawer = true;
    return 0;
}

/*
 * What others ask for
 */

static struct soon__outlet *find_locked(const struct soon__display *display, dev_t device)
{
    struct soon__outlet *outlet = display->locked.outlets;

    while (outlet && !(outlet->is_terminal && outlet->device == device))
        outlet = outlet->listed.next;
    return outlet;
}

/* The outlet of `fd`, with a user more. */
static int use_outlet_locked(struct soon__display *display, int fd, struct soon__outlet **ret)
{
    struct stat status;
    struct soon__outlet *outlet = NULL;

    if (fstat(fd, &status) == 0 && S_ISCHR(status.st_mode))
        outlet = find_locked(display, status.st_rdev);
    if (!outlet) {
        int rc = soon__outlet_new(&outlet, fd);
        if (rc < 0)
            return rc;
        outlet->listed.next = display->locked.outlets;
        display->locked.outlets = outlet;
    }
    outlet->listed.users++;
    *ret = outlet;
    return 0;
}

static void set_style(soon_progress_bar *bar)
{
    const char *no_colour = getenv("NO_COLOR");
    bool wants_colour = bar->options.colour == SOON_PROGRESS_BAR_ALWAYS ||
                        (bar->options.colour == SOON_PROGRESS_BAR_AUTO && !(no_colour && *no_colour));

    bar->blocks = bar->options.blocks == SOON_PROGRESS_BAR_ALWAYS ||
                  (bar->options.blocks == SOON_PROGRESS_BAR_AUTO && bar->display->has_utf8);
    bar->colour = bar->outlet->is_terminal && wants_colour;
}

int soon__display_add(soon_progress_bar *bar, int fd)
{
    struct soon__display *display = display_make();

    if (!display)
        return -ENOMEM;
    bar->display = display;
    pthread_mutex_lock(&display->mutex);
    int rc = start_drawer_locked(display);
    if (rc == 0)
        rc = use_outlet_locked(display, fd, &bar->outlet);
    if (rc == 0) {
        set_style(bar);
        *display->locked.last = bar;
        display->locked.last = &bar->listed.next;
        wake_locked(display);
    }
    pthread_mutex_unlock(&display->mutex);
    return rc;
}

void soon__display_finish(soon_progress_bar *bar)
{
    struct soon__display *display = bar->display;

    pthread_mutex_lock(&display->mutex);
    if (bar->listed.state == SOON__BAR_LIVE && soon__bar_enter_locked(bar, SOON__BAR_ENDING))
        wake_locked(display);
    pthread_mutex_unlock(&display->mutex);
}

void soon__display_await_end(soon_progress_bar *bar)
{
    struct soon__display *display = bar->display;

    pthread_mutex_lock(&display->mutex);
    while (bar->listed.state != SOON__BAR_GONE)
        pthread_cond_wait(&display->bar_is_gone, &display->mutex);
    pthread_mutex_unlock(&display->mutex);
}

static void wake(struct soon__display *display)
{
    pthread_mutex_lock(&display->mutex);
    wake_locked(display);
    pthread_mutex_unlock(&display->mutex);
}

/* Gives up what use_locked() has taken; the drawer frees it. */
static void leave_outlet(struct soon__display *display, struct soon__outlet *outlet)
{
    pthread_mutex_lock(&display->mutex);
    if (--outlet->listed.users == 0)
        wake_locked(display);
    pthread_mutex_unlock(&display->mutex);
}

bool soon__display_print(FILE *stream, const struct soon__text *text, int *ret_rc)
{
    struct soon__display *display = display_now();
    struct soon__outlet *outlet = NULL;
    struct stat status;
    bool redraw;

    if (!display || fstat(fileno(stream), &status) < 0 || !S_ISCHR(status.st_mode))
        return false;
    pthread_mutex_lock(&display->mutex);
    outlet = find_locked(display, status.st_rdev);
    if (outlet)
        outlet->listed.users++;
    pthread_mutex_unlock(&display->mutex);
    if (!outlet)
        return false;
    *ret_rc = soon__outlet_print(outlet, stream, text, &redraw);
    leave_outlet(display, outlet);
    if (redraw)
        wake(display);
    return true;
}

/* Each outlet in turn, without the mutex: it stays while it has a user. */
static void wipe_all(struct soon__display *display)
{
    struct soon__outlet *outlet, *next;

    pthread_mutex_lock(&display->mutex);
    for (outlet = display->locked.outlets; outlet; outlet = next) {
        outlet->listed.users++;
        pthread_mutex_unlock(&display->mutex);
        soon__outlet_wipe(outlet);
        pthread_mutex_lock(&display->mutex);
        next = outlet->listed.next;
        if (--outlet->listed.users == 0)
            wake_locked(display);
    }
    pthread_mutex_unlock(&display->mutex);
}

void soon__display_hide(void)
{
    struct soon__display *display = display_make();

    if (!display)
        return;
    /* Release: pairs with the acquire in soon__outlet_draw(), which sees it once the wipe has begun. */
    atomic_fetch_add_explicit(&display->hidden, 1, memory_order_release);
    wipe_all(display);
}

void soon__display_show(void)
{
    struct soon__display *display = display_now();

    if (!display)
        return;
    int hidden = atomic_load_explicit(&display->hidden, memory_order_relaxed); /* compared below */
    while (hidden > 0 && !atomic_compare_exchange_weak_explicit(&display->hidden, &hidden, hidden - 1,
                                                                memory_order_release, memory_order_relaxed))
        ;
    if (hidden == 1)
        wake(display);
}
