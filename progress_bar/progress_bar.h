/**
 * @file progress_bar.h
 * Progress bars on a terminal, and plain lines elsewhere: what tqdm is to Python.
 *
 *     soon_progress_bar *bar;
 *
 *     soon_progress_bar_new(&bar, &(soon_progress_bar_options){.label = "hash", .tasks_max = 4});
 *     soon_progress_bar_add_all(bar, futures, count);
 *     soon_wait(futures, count, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
 *     soon_progress_bar_free(bar);
 *
 *     hash:  60%|████████████████▉           | 4/8 [00:02<00:01, 2.29it/s]
 *       a.iso:  73%|██████████████████▎      | 730/1000
 *       b.iso:  12%|███                      | 122/1000
 *
 * A thread of the library's draws, and nobody else: whoever counts, completes a future or runs a loop never waits for a
 * terminal. Bars of one terminal stand below each other. Where the output is no terminal, a bar is a line from time to
 * time, and one at its end.
 *
 * A bar that is NULL is one that nobody sees: each function takes it, and does all but draw. So a program may go on
 * when soon_progress_bar_new() has failed. In a forked child the bars of its parent are such bars; the child may free
 * them and make its own.
 *
 * Nothing of the terminal is changed that would have to be restored: the cursor stays visible. It rests at the
 * beginning of the first bar. So what others write to the terminal is not overwritten: it stands where the bars were,
 * and they are drawn again below it, though the rest of a bar may stand behind it. soon_progress_bar_printf() and
 * soon_progress_bar_hide() do without that. A signal that ends the program (SIGINT, SIGTERM, SIGHUP, SIGQUIT) finds the
 * cursor below the bars, if the program has no handler of its own; so does exit().
 *
 * As tqdm in Python.
 *
 * @addtogroup soon_progress_bars
 * @{
 */
#ifndef SOON_PROGRESS_BAR_PROGRESS_BAR_H
#define SOON_PROGRESS_BAR_PROGRESS_BAR_H

#include "../executor/imap.h"
#include "../futures/wait.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A progress bar. Made by soon_progress_bar_new(), freed by soon_progress_bar_free(). */
typedef struct soon_progress_bar soon_progress_bar;

/** What a bar counts of the futures that are added to it. */
typedef enum soon_progress_bar_counts {
    /** How many are done; of a map, how many of its items. The bar itself also shows how far running ones are. */
    SOON_PROGRESS_BAR_FUTURES,
    /** What their tasks have given to soon_task_set_progress(), added up: bytes, for example. */
    SOON_PROGRESS_BAR_PROGRESS
} soon_progress_bar_counts;

/** How numbers are written. */
typedef enum soon_progress_bar_scale {
    SOON_PROGRESS_BAR_PLAIN_NUMBERS, /**< 1234567 */
    SOON_PROGRESS_BAR_SCALE_1000,    /**< 1.23M */
    SOON_PROGRESS_BAR_SCALE_1024     /**< 1.18Mi, so with the unit "B": 1.18MiB */
} soon_progress_bar_scale;

/** Yes, no, or as it seems best. */
typedef enum soon_progress_bar_choice {
    SOON_PROGRESS_BAR_AUTO,
    SOON_PROGRESS_BAR_NEVER,
    SOON_PROGRESS_BAR_ALWAYS
} soon_progress_bar_choice;

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_progress_bar_options {
    /**
     * Stands before the bar, in the encoding of the environment's locale. Copied. What cannot be shown becomes `?`, or
     * in UTF-8 U+FFFD. NULL: none. As desc of tqdm.
     */
    const char *label SOON__ZERO;
    /** How many there will be. 0: as many as were added, or it is not known. As total of tqdm. */
    uint64_t total SOON__ZERO;
    const char *unit SOON__ZERO;                /**< of what is counted; copied; NULL: "it" */
    soon_progress_bar_scale scale SOON__ZERO;   /**< as unit_scale and unit_divisor of tqdm */
    soon_progress_bar_counts counts SOON__ZERO; /**< what it counts of futures */
    size_t tasks_max SOON__ZERO;    /**< so many running tasks, at most 64, have a bar of their own below; 0: none */
    int fd SOON__ZERO;              /**< where it is drawn; a copy of the descriptor is made; 0: standard error */
    int64_t delay_ms SOON__ZERO;    /**< nothing is drawn before so long, nor of a bar that has ended by then */
    int64_t interval_ms SOON__ZERO; /**< it is drawn no more often, in milliseconds; 0: 100. As mininterval of tqdm */
    /** Where it is no terminal: a line no more often than this, in milliseconds. 0: 10,000. SOON_FOREVER: no lines. */
    int64_t plain_every_ms SOON__ZERO;
    /** Bars of eighths of blocks; else of `#`. AUTO: if the environment's locale has UTF-8. As ascii of tqdm. */
    soon_progress_bar_choice blocks SOON__ZERO;
    /** A green bar, red failures. AUTO: unless NO_COLOR is set. Never where it is no terminal. As colour of tqdm. */
    soon_progress_bar_choice colour SOON__ZERO;
    bool vanish SOON__ZERO; /**< at its end it is wiped out; else it stays, above those that go on. As leave of tqdm */
    bool hidden SOON__ZERO; /**< nothing is drawn: `*ret` becomes NULL. As disable of tqdm */
} soon_progress_bar_options;

/**
 * Makes a bar; its time begins. It counts as a terminal if `fd` is one, and TERM is neither "dumb" nor unset.
 * soon_progress_bar_new() is the form to use in programs.
 *
 * Ownership: the caller owns the bar until soon_progress_bar_free(). Options are copied.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL, which is a bar that nobody sees, and returns
 * - -EINVAL: `ret` is NULL, or an option that makes no sense;
 * - -EBADF: `fd` is not open;
 * - -ENOMEM; -EMFILE: no descriptor is left; -EAGAIN: no thread.
 *
 * As tqdm(...) in Python.
 */
SOON_API int soon_progress_bar_new_sized(soon_progress_bar **ret, const soon_progress_bar_options *options,
                                         size_t options_size);

/** soon_progress_bar_new_sized() with the size that this program was compiled with. `options` NULL: defaults. */
static inline int soon_progress_bar_new(soon_progress_bar **ret, const soon_progress_bar_options *options)
{
    return soon_progress_bar_new_sized(ret, options, sizeof *options);
}

/**
 * Adds a future of any kind. It is counted when it is done, also when it is done already; failed and cancelled ones are
 * counted besides. That of a map_async counts as its items. While it runs, its progress is looked at.
 *
 * Ownership: the bar has a reference of its own until the future is done, or the bar is freed.
 * Threads: any thread. Never blocks.
 * Returns: 0; -EINVAL: `future` is NULL; -ENOMEM; SOON_EFORKED.
 */
SOON_API int soon_progress_bar_add(soon_progress_bar *bar, soon_future *future);

/**
 * Adds several futures, as soon_progress_bar_add().
 *
 * Threads: any thread. Never blocks.
 * Returns: 0; else the code of the first that could not be added: those before it are, those behind it are not.
 */
SOON_API int soon_progress_bar_add_all(soon_progress_bar *bar, soon_future *const *futures, size_t count);

/** Counts `count` more. For what is no future, or to count by hand. Any thread. Never blocks. As update(n) of tqdm. */
SOON_API void soon_progress_bar_update(soon_progress_bar *bar, uint64_t count);

/**
 * Counts a future that is done, with its failure if it has failed: one more. For a future that was taken from a set or
 * an imap; one that was added is counted by itself. Any thread. Never blocks.
 */
SOON_API void soon_progress_bar_count(soon_progress_bar *bar, const soon_future *future);

/** Sets how many there will be, in the place of the option `total`. Any thread. Never blocks. */
SOON_API void soon_progress_bar_set_total(soon_progress_bar *bar, uint64_t total);

/**
 * Sets another label; NULL: none.
 *
 * Ownership: the text is copied.
 * Threads: any thread. Never blocks.
 * Returns: 0; -ENOMEM: the label is as it was.
 *
 * As set_description() of tqdm.
 */
SOON_API int soon_progress_bar_set_label(soon_progress_bar *bar, const char *label);

/**
 * soon_as_completed_next(), and counts what that hands out. Without the option `total` the bar takes that from the set.
 *
 *     while (soon_progress_bar_next(bar, set, &f) == 0) ...
 *
 * Ownership, Threads, Returns: as soon_as_completed_next(). The waits are those of the set; the bar adds none.
 *
 * As `for f in tqdm(as_completed(fs))`.
 */
SOON_API int soon_progress_bar_next(soon_progress_bar *bar, soon_as_completed *set, soon_future **ret);

/**
 * soon_imap_next(), and counts what that hands out. How many there will be is not known without the option `total`.
 *
 * Ownership, Threads, Returns: as soon_imap_next().
 *
 * As `for x in tqdm(pool.imap(fn, xs))`.
 */
SOON_API int soon_progress_bar_imap_next(soon_progress_bar *bar, soon_imap *imap, int64_t timeout_ms, soon_future **ret,
                                         uint64_t *ret_index);

/**
 * Says that nothing more is to be counted. The bar is drawn once more, soon, and stays as it is, or vanishes. For
 * loops, which must not wait for a terminal: they free the bar later. To end it a second time does nothing.
 *
 * Threads: any thread. Never blocks.
 */
SOON_API void soon_progress_bar_finish(soon_progress_bar *bar);

/**
 * Finishes the bar, waits until it was drawn for the last time, and frees it. NULL is allowed. Futures that are not
 * done are let go, not cancelled.
 *
 * Threads: one thread, after every other use; not inside a callback of a future that was added. Blocks until the
 * terminal has taken the last state: for ever while somebody has stopped the terminal with Ctrl-S, as any output does.
 */
SOON_API void soon_progress_bar_free(soon_progress_bar *bar);

/**
 * As fprintf(), with a line of its own above the bars of the terminal that `stream` is on, if there are some: they are
 * wiped out, the text is written, and they are drawn again. So nothing of it is lost, nor mixed with a bar. If the text
 * does not end with a newline it gets one. Calls of several threads do not mix.
 *
 * Threads: any thread. Blocks as fprintf() and fflush() do: while the terminal takes nothing.
 * Returns: 0; -EINVAL: NULL; -ENOMEM; what write() has returned, such as -EIO, -ENOSPC.
 *
 * As tqdm.write().
 */
SOON_API int soon_progress_bar_printf(FILE *stream, const char *format, ...) SOON_PRINTF(2, 3);

/**
 * Wipes out all bars, until as many calls of soon_progress_bar_show(). For output by other means, which should end with
 * a newline, and for questions to the user. Counting goes on.
 *
 * Threads: any thread. Blocks while a terminal takes nothing.
 *
 * As tqdm.external_write_mode().
 */
SOON_API void soon_progress_bar_hide(void);

/** Ends a soon_progress_bar_hide(). One too many is ignored. Any thread. Never blocks. */
SOON_API void soon_progress_bar_show(void);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
