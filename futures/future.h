/**
 * @file future.h
 * The future: the reader's half of a task's outcome. Opaque, counted.
 *
 *     PENDING --> RUNNING --> FINISHED       with a result or an error
 *        |           |
 *        +-----------+------> CANCELLED      while pending; or the running task gave in
 *
 * Every function here: any thread, many at once. Once a future is done, nothing about it changes any more. Where a
 * wait could never end it returns SOON_EDEADLK: for the task's own future inside that task, for any task further down
 * on this thread's stack, for a future whose completion this very thread is in the middle of or alone can bring about
 * (in a callback, for what needs another callback on the same thread), and for what was made of such futures.
 *
 * @addtogroup soon_futures
 * @{
 */
#ifndef SOON_FUTURES_FUTURE_H
#define SOON_FUTURES_FUTURE_H

#include "value.h"

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

/** The reader's handle for a task's outcome. */
typedef struct soon_future soon_future;

/** How far a task is, in units of its own. */
typedef struct soon_progress {
    uint64_t done;  /**< of `total` */
    uint64_t total; /**< 0: unknown */
} soon_progress;

/** Where a future stands; it is done in the last two. */
typedef enum soon_state {
    SOON_PENDING,  /**< not begun: it can still be cancelled */
    SOON_RUNNING,  /**< a worker has really begun it */
    SOON_FINISHED, /**< it has a result or an error */
    SOON_CANCELLED /**< its error is -ECANCELED */
} soon_state;

/** Is called for a future that is done. `future` is lent for the time of the call; take a reference to keep it. */
typedef void (*soon_done_fn)(soon_future *future, void *data);

/** Returns whether the calling thread shall give up its wait. It runs outside all locks. */
typedef bool (*soon_interrupt_fn)(void *data);

/**
 * Has each wait of the calling thread ask `check`: before it sleeps, after a signal handler has run on this thread, and
 * twenty times a second. Once it returns true the wait returns -EINTR, as on a timeout: nothing is lost, and the wait
 * may be repeated; but soon_take() and soon_map() have given up their future or map then. For hosts whose own signals
 * must end an endless wait, as Ctrl-C in an interpreter. It concerns soon_future_wait() and all functions that read,
 * soon_wait(), soon_as_completed_next(), soon_imap_next(), soon_map(), soon_map_item(), soon_executor_shutdown() and
 * soon_executor_free() (which then has begun, and freed nothing).
 *
 * Ownership: `data` is lent until another call. `check` NULL: waits go on, which is how a thread begins.
 * Threads: any thread, about itself. Never blocks.
 */
SOON_API void soon_thread_set_interrupt(soon_interrupt_fn check, void *data);

/** Adds a reference; there can be 16,777,215 at a time. Returns `future`. */
SOON_API soon_future *soon_future_ref(soon_future *future);

/**
 * Gives up a reference; NULL is allowed. Never cancels and never blocks: a task whose future nobody holds runs all
 * the same. One too many is asserted while the future still lives, and ignored without asserts.
 *
 * The last one releases result, error and payload, on this thread: the release functions of a LOCAL function and of a
 * wrapped buffer run here, and so does the hook of soon_on_unhandled().
 */
SOON_API void soon_future_unref(soon_future *future);

/** Where it stands now. Never blocks. For NULL, without asserts: SOON_CANCELLED. */
SOON_API soon_state soon_future_state(const soon_future *future);

/** Whether it has a result or an error, or was cancelled. As Future.done(); AsyncResult.ready() of Pool. */
SOON_API bool soon_future_done(const soon_future *future);

/** Whether a worker has begun it and it is not done; also between two tries. As Future.running(). */
SOON_API bool soon_future_running(const soon_future *future);

/** Whether it was cancelled. As Future.cancelled(). */
SOON_API bool soon_future_cancelled(const soon_future *future);

/** Whether it has a result; false while it is not done. As AsyncResult.successful() of Pool, which fails instead. */
SOON_API bool soon_future_succeeded(const soon_future *future);

/**
 * Cancels it. A pending one is final at once: waiters are woken and callbacks run, here; so is one that waits for its
 * next try (soon_submit_options.retries). A running one goes on, and its task is asked to end
 * (soon_task_cancel_requested()); there is no further try then.
 *
 * Threads: any thread, callbacks included. Never blocks.
 * Returns: true if it is cancelled now, or was already; false if it runs or has finished.
 *
 * As Future.cancel() in Python's concurrent.futures.
 */
SOON_API bool soon_future_cancel(soon_future *future);

/**
 * Ends a running task by force, if its executor can: the future then fails with SOON_EKILLED, also if the task waits
 * for its next try just now. Such an executor cancels a pending task. For a map it is each item that runs; for
 * soon_gather() and soon_any() each member that can be killed. Choose soon_future_cancel() where the task listens.
 *
 * Threads: any thread. Never blocks.
 * Returns: 0: it is under way, or cancelled (of a group: of one member at least); SOON_EINVALIDSTATE: it is done
 * already; -ENOTSUP, pending or not: a task of a thread pool, or of anything else that cannot kill; -EINVAL;
 * SOON_EFORKED.
 */
SOON_API int soon_future_kill(soon_future *future);

/**
 * Waits until it is done, however it ends. For when the outcome does not matter yet.
 *
 * Threads: any thread. Blocks up to `timeout_ms` (0 polls, SOON_FOREVER never gives up). A worker that waits,
 * without a time limit, for a task of its own pool that has not started runs it here.
 * Returns: 0; -ETIMEDOUT; SOON_EDEADLK; SOON_EFORKED; -EINVAL.
 *
 * As AsyncResult.wait(timeout) of Python's multiprocessing.Pool.
 */
SOON_API int soon_future_wait(soon_future *future, int64_t timeout_ms);

/**
 * Waits for the outcome and lends the result. For results of variable size, or to save a copy; else choose
 * soon_result().
 *
 * Ownership: the bytes belong to the future and live until its last unref. Aligned for any type of that size. A future
 * without bytes of its own, such as that of soon_gather(), lends none: size 0.
 * Threads: any thread. Blocks up to `timeout_ms`, as soon_future_wait().
 * Returns: 0 and sets `*ret`; the code of its error (-ECANCELED, SOON_ERAISED, SOON_EBROKEN ...; see soon_error);
 * -ETIMEDOUT, SOON_EDEADLK, SOON_EFORKED while it is not done; -EINVAL; and leaves it alone.
 *
 * As Future.result(timeout) in Python's concurrent.futures.
 */
SOON_API int soon_future_result(soon_future *future, int64_t timeout_ms, soon_bytes *ret);

/**
 * Waits for the outcome and copies the result of exactly `size` bytes to `ret`. soon_result() fills in the size; a
 * function's `name_get` checks the function too.
 *
 * Ownership: what a LOCAL result points to stays the future's and is only lent: soon_future_take() gives it away.
 * Threads: any thread. Blocks up to `timeout_ms`, as soon_future_wait().
 * Returns: as soon_future_result(); SOON_ETYPE if the result has another size.
 */
SOON_API int soon_future_read(soon_future *future, int64_t timeout_ms, void *ret, size_t size);

/**
 * Waits for the outcome and lends its error.
 *
 * Ownership: the error belongs to the future and lives until its last unref.
 * Threads: any thread. Blocks up to `timeout_ms`, as soon_future_wait().
 * Returns: 0 and sets `*ret`, to NULL if it succeeded; -ECANCELED if it was cancelled; -ETIMEDOUT, SOON_EDEADLK,
 * SOON_EFORKED while it is not done; -EINVAL; and leaves it alone.
 *
 * As Future.exception(timeout) in Python's concurrent.futures.
 */
SOON_API int soon_future_exception(soon_future *future, int64_t timeout_ms, const soon_error **ret);

/**
 * Its error, without waiting: for a message after soon_result() has failed. Never NULL; `code` is 0 if there is no
 * error, or the future is not done. Lent until the last unref.
 */
SOON_API const soon_error *soon_future_error(const soon_future *future);

/**
 * The buffer that came with the result (soon_task_return_payload()). Lent until the last unref; NULL: there is none, or
 * the future is not done.
 */
SOON_API soon_buffer *soon_future_payload(soon_future *future);

/**
 * One of several that came with the result (soon_task_add_payload()); 0 is soon_future_payload(). Lent until the last
 * unref; NULL: there are not so many, or it is not done. Any thread.
 */
SOON_API soon_buffer *soon_future_payload_at(soon_future *future, size_t index);

/** How many buffers came with the result; 0 as long as it is not done. Any thread. */
SOON_API size_t soon_future_payload_count(soon_future *future);

/**
 * What the task last gave to soon_task_set_progress(); zeroes before that. It stays when the future is done, however it
 * ended; a further try begins at zero. Never blocks.
 */
SOON_API soon_progress soon_future_progress(const soon_future *future);

/**
 * Which try of the task this is: 1 until one is lost, one more after each that `retries` has made good (see
 * soon_submit_options). It stays when the future is done. 0: it is no task's. Never blocks. Any thread.
 */
SOON_API unsigned soon_future_attempt(const soon_future *future);

/** The submit option `label`, or "". Lent until the last unref. */
SOON_API const char *soon_future_label(const soon_future *future);

/** The submit option `data`, or NULL. */
SOON_API void *soon_future_data(const soon_future *future);

/**
 * Has `fn` called once when the future is done, after waiters were woken, in the order of registration. If it is done
 * already, `fn` is called at once, on this thread. The submit option `on_done` does the same and cannot fail;
 * soon_future_add_done_callback_on() calls on a loop instead.
 *
 * `fn` may unref, cancel, submit, add and remove callbacks. If it completes other futures, their callbacks run after
 * it has returned, not nested.
 *
 * Ownership: `data` is lent until `fn` was called, or removed.
 * Threads: any thread. `fn` runs on the thread that completes the future (a worker, a canceller, a promise's maker),
 * on the library's callback thread where its loop does.
 * Returns: 0; -ENOMEM or SOON_EFORKED: it will never run; -EINVAL.
 *
 * As Future.add_done_callback(fn) in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE int soon_future_add_done_callback(soon_future *future, soon_done_fn fn, void *data);

/**
 * Takes back the first registration of `fn` with `data` that has not begun to run, whichever way it was made. Among
 * many callbacks it is found without going over all of them.
 *
 * Threads: any thread. Never blocks. For a callback on a loop it is exact on that loop's thread: afterwards the
 * callback does not run.
 * Returns: true: it will not run; false: it has run, it is running, or there is none.
 */
SOON_API bool soon_future_remove_done_callback(soon_future *future, soon_done_fn fn, void *data);

/**
 * As soon_future_read(), and compares `kind` with what a function made by SOON_TASK returns. `kind` is a letter, and a
 * name for messages: "iint" for whole numbers, "fdouble" for others, "ppointer", "sstruct" for structures; NULL: any.
 * Only the letters are compared: so an int is not read as a float, but a signed number may be read as an unsigned one,
 * and a structure as another of its size. The function's own `name_get` tells these apart, too. soon_result() fills in
 * `kind`.
 *
 * Threads, Returns: as soon_future_read(); SOON_ETYPE also for another kind.
 */
SOON_API int soon_future_read_typed(soon_future *future, int64_t timeout_ms, void *ret, size_t size, const char *kind);

/* The kind of a type, or of the value at a pointer: a letter and a name. */
#ifdef __cplusplus
#define SOON__KIND_OF(type) soon__kind<type>()
#define SOON__READ(future, timeout_ms, ret) soon__read((future), (timeout_ms), (ret))
#define SOON__TAKE(future, ret) soon__take((future), (ret))
#else
#define SOON__NAME_OF(value)                                                                                           \
    _Generic((value), _Bool                                                                                            \
             : "ibool", char                                                                                           \
             : "ichar", signed char                                                                                    \
             : "isigned char", unsigned char                                                                           \
             : "iunsigned char", short                                                                                 \
             : "ishort", unsigned short                                                                                \
             : "iunsigned short", int                                                                                  \
             : "iint", unsigned                                                                                        \
             : "iunsigned", long                                                                                       \
             : "ilong", unsigned long                                                                                  \
             : "iunsigned long", long long                                                                             \
             : "ilong long", unsigned long long                                                                        \
             : "iunsigned long long", float                                                                            \
             : "ffloat", double                                                                                        \
             : "fdouble", long double                                                                                  \
             : "flong double", default                                                                                 \
             : SOON__CLASS_OF(value))
/* 1: an integer of another kind; 5: a pointer or an array; 8: real. */
#define SOON__CLASS_OF(value)                                                                                          \
    (__builtin_classify_type(value) == 1   ? "iinteger"                                                                \
     : __builtin_classify_type(value) == 5 ? "ppointer"                                                                \
     : __builtin_classify_type(value) == 8 ? "fnumber"                                                                 \
                                           : "sstruct")
#define SOON__KIND_OF(type) SOON__NAME_OF(*(type *)0)
#define SOON__READ(future, timeout_ms, ret)                                                                            \
    soon_future_read_typed((future), (timeout_ms), (ret), sizeof *(ret), SOON__NAME_OF(*(ret)))
#define SOON__TAKE(future, ret) soon_future_take_typed((future), (ret), sizeof *(ret), SOON__NAME_OF(*(ret)))
#endif

/** `soon_result(f, &x)`: soon_future_read_typed() that waits as long as it takes, with size and kind of `x`. */
#define soon_result(future, ret) SOON__READ(future, SOON_FOREVER, ret)

/** soon_result() with a time limit: `soon_result_within(f, 500, &x)`. */
#define soon_result_within(future, timeout_ms, ret) SOON__READ(future, timeout_ms, ret)

/**
 * Waits for the outcome, copies the result, and gives up the reference, whatever happens; soon_last_error() still has
 * the message. For fork-join. soon_take() fills in the size.
 *
 * Ownership: takes the reference. What a LOCAL result points to is the caller's after a 0.
 * Threads: any thread; only one takes. Blocks as long as it needs.
 * Returns: as soon_future_read().
 */
SOON_API int soon_future_take(soon_future *future, void *ret, size_t size);

/** As soon_future_take(), and compares the kind, as soon_future_read_typed(). Gives up the reference in any case. */
SOON_API int soon_future_take_typed(soon_future *future, void *ret, size_t size, const char *kind);

/**
 * `soon_take(f, &x)`: soon_future_take_typed() with size and kind of `x`. If it fails, soon_last_error() says why. As
 * Pool.apply() when `f` is a submit.
 */
#define soon_take(future, ret) SOON__TAKE(future, ret)

/** soon_future_unref() for each; NULL members are skipped. */
SOON_API void soon_futures_unref(soon_future *const *futures, size_t count);

/**
 * How many futures of this process have a reference, of a reader or of the library: those of every executor, of
 * promises, groups and maps. An executor that was not freed counts as two, items of an imap that travel together as
 * one. So it is 0 a moment after all executors are freed, if nothing was forgotten. If it grows and grows, an unref is
 * missing: see "Find a forgotten unref" in docs/ownership.md.
 *
 * Threads: any thread. Exact while no other thread makes or gives up any. In a forked child those of the parent may
 * count, too.
 */
SOON_API size_t soon_futures_alive(void);

/** soon_future_cancel() for each, NULL members skipped. Returns how many are cancelled. */
SOON_API size_t soon_futures_cancel(soon_future *const *futures, size_t count);

#if defined(__GNUC__)
/* What SOON_AUTO_FUTURE calls. */
static inline void soon__unref(soon_future **f)
{
    soon_future_unref(*f);
}
/** `SOON_AUTO_FUTURE *f = soon_submit(...);` gives up its reference at the end of its scope. */
#define SOON_AUTO_FUTURE __attribute__((cleanup(soon__unref))) soon_future
#endif

#ifdef __cplusplus
}

template <class T> constexpr const char *soon__kind()
{
    using U = typename std::remove_cv<T>::type;
    return std::is_same<U, int>::value                            ? "iint"
           : std::is_same<U, double>::value                       ? "fdouble"
           : std::is_same<U, float>::value                        ? "ffloat"
           : std::is_same<U, long>::value                         ? "ilong"
           : std::is_same<U, unsigned long>::value                ? "iunsigned long"
           : std::is_floating_point<U>::value                     ? "fnumber"
           : std::is_integral<U>::value                           ? "iinteger"
           : std::is_enum<U>::value                               ? "iinteger"
           : std::is_pointer<U>::value || std::is_array<U>::value ? "ppointer"
                                                                  : "sstruct";
}
template <class T> static inline int soon__read(soon_future *future, int64_t timeout_ms, T *ret)
{
    return soon_future_read_typed(future, timeout_ms, ret, sizeof *ret, soon__kind<T>());
}
template <class T> static inline int soon__take(soon_future *future, T *ret)
{
    return soon_future_take_typed(future, ret, sizeof *ret, soon__kind<T>());
}
#endif

/** @} */
#endif
