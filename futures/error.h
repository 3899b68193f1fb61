/**
 * @file error.h
 * Codes, and the description of a failure.
 *
 * Functions return 0 or a negative code. On failure they do not write their results; a function that makes an object
 * sets it to NULL. soon_last_error() says what was wrong, in a sentence. A code is the negative of an errno value, as
 * libuv has them on Unix, or one of our own, from -5001 down. For a NULL object a function returns -EINVAL if it
 * returns a code or a future. Any other function asserts that it is not NULL; without asserts it does nothing, and
 * returns false, 0, NULL or "". A mistake that the library cannot see, such as a pointer to freed memory, has undefined
 * behaviour.
 *
 * @addtogroup soon_errors
 * @{
 */
#ifndef SOON_FUTURES_ERROR_H
#define SOON_FUTURES_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Marks what the shared library exports. */
#define SOON_API __attribute__((visibility("default")))
/** The compiler warns when the returned value is not used. */
#define SOON_MUST_USE __attribute__((warn_unused_result))
/** Argument `f` is a format as that of printf(); its values begin at argument `a`. */
#define SOON_PRINTF(f, a) __attribute__((format(printf, f, a)))
/** No warning if it is not used. */
#define SOON_UNUSED __attribute__((unused))

/* After a field of an option struct: a field that an initialiser leaves out is zero, without a warning in C++, too. */
#ifdef __cplusplus
#define SOON__ZERO = {}
#else
#define SOON__ZERO
#endif

/** A `timeout_ms` that never ends. 0 polls; anything below -1 is -EINVAL. */
#define SOON_FOREVER ((int64_t)-1)

#ifdef __cplusplus
extern "C" {
#endif

/** Number, name and text of each code of our own. All other codes are negative errno values. */
#define SOON_ERROR_TABLE(X)                                                                                            \
    X(-5001, SOON_ERAISED, "the task raised an exception")                                                             \
    X(-5002, SOON_EWORKERDIED, "the worker died while it ran the task")                                                \
    X(-5003, SOON_ETIMELIMIT, "the task ran longer than its time limit")                                               \
    X(-5004, SOON_EKILLED, "the task was killed on request")                                                           \
    X(-5005, SOON_EDEPTH, "too many pools nested in workers of pools")                                                 \
    X(-5006, SOON_EBROKEN, "the executor is broken")                                                                   \
    X(-5007, SOON_ESHUTDOWN, "the executor is shut down")                                                              \
    X(-5008, SOON_EFULL, "the executor's queue is full")                                                               \
    X(-5009, SOON_EEXPIRED, "the task waited in the queue longer than allowed")                                        \
    X(-5010, SOON_ENOFUNCTION, "no such function in the worker")                                                       \
    X(-5011, SOON_ELOCAL, "the function shares memory with its caller")                                                \
    X(-5012, SOON_ETYPE, "the result has another type or size")                                                        \
    X(-5013, SOON_EINVALIDSTATE, "the future is in another state")                                                     \
    X(-5014, SOON_EDEADLK, "this wait could never end")                                                                \
    X(-5015, SOON_EABANDONED, "the promise was dropped unresolved")                                                    \
    X(-5016, SOON_ENOINIT, "soon_init was not called at the top of main")                                              \
    X(-5017, SOON_EEND, "no more items")                                                                               \
    X(-5018, SOON_EFORKED, "the executor belongs to the parent of this process")                                       \
    X(-5019, SOON_ENOPROGRAM,                                                                                          \
      "this program cannot be started again as a worker: mount /proc, do not start it by ld.so, or set "               \
      "worker_program")                                                                                                \
    X(-5020, SOON_ELOST, "the server, the machine or the network that had the task was lost")

/** The codes of SOON_ERROR_TABLE. */
enum soon_code {
#define SOON__ENUM(number, name, text) name = number,
    SOON_ERROR_TABLE(SOON__ENUM)
#undef SOON__ENUM
        SOON_OK = 0
};

/**
 * Why a task has no result. Lent by the future, valid until its last unref; never changes.
 */
typedef struct soon_error {
    int code;                /**< what soon_future_result() returns: SOON_ERAISED, -ECANCELED ...; 0: no error */
    int raised;              /**< with SOON_ERAISED: what the task gave to soon_raise(), or returned; else 0 */
    bool started;            /**< false: the task never began, at no try, so it may safely be submitted again */
    int worker_pid;          /**< that of the worker process; 0: it ran in none */
    int worker_signal;       /**< SOON_EWORKERDIED: the signal that ended it; 0: it exited */
    int worker_status;       /**< SOON_EWORKERDIED: its exit status; -1: it is not known how it ended */
    const char *message;     /**< one line, never NULL */
    const char *function;    /**< the name of the soon_function, or "" */
    const char *label;       /**< the submit option `label`, or "" */
    const void *data;        /**< what soon_raise_bytes() gave beside the message, not aligned; NULL: nothing */
    size_t data_size;        /**< how many bytes that is */
    const char *worker_host; /**< the machine of the worker, if it is another than this one; else "" */
    const char *worker;      /**< the name of the worker daemon on it, or "" */
    unsigned attempt;        /**< which try of the task it was; 0: none has begun, or it is not known */
} soon_error;

/**
 * The text of a code of ours or of an errno value (of either sign). Never NULL, static, one line, not translated. Any
 * thread.
 *
 * For one failure rather than its kind: soon_error.message.
 */
SOON_API const char *soon_strerror(int code);

/** The name of a code: "SOON_EBROKEN", "ENOMEM"; "UNKNOWN". Never NULL, static. Any thread. */
SOON_API const char *soon_errname(int code);

/**
 * Code and message of the last failure of a function of the library on this thread: "soon_thread_pool_new: .workers =
 * -3 is negative", "the result of half is double, 8 bytes; int was asked for", or the error of the future that was
 * read, also one that soon_take() has given up. A call that succeeds leaves it as it was: look at it after a call has
 * failed, as at errno.
 *
 * Ownership: lent until this thread's next failure; soon_error_copy() makes a copy to keep. Never NULL; `code` is 0 if
 * nothing has failed yet.
 * Threads: any thread, about itself.
 */
SOON_API const soon_error *soon_last_error(void);

/**
 * Makes a copy of an error, to keep it longer than what has lent it. The caller owns it, and frees it by
 * soon_error_free(). Returns NULL only for NULL; without memory the copy has only the code, or is the error for
 * -ENOMEM. Any thread.
 */
SOON_API soon_error *soon_error_copy(const soon_error *error);

/** Frees a copy; NULL is allowed. Any thread. */
SOON_API void soon_error_free(soon_error *error);

/** Is called with an error that nobody has looked at. `error` is lent for the time of the call. */
typedef void (*soon_unhandled_fn)(const soon_error *error, void *data);

/**
 * Sets what is called when a failed future is freed and nobody has looked at its error. One for the process; a later
 * call replaces it; `fn` NULL: none, which is how it begins. Cancelled futures do not count as failed.
 *
 * Somebody has looked at it if soon_future_result(), _read(), _take(), _exception() or _error() was called for the done
 * future, by whatever name, or if a gather, any, then or map over it has passed the error on.
 *
 * Ownership: `data` is lent, for as long as it is set and for calls that are under way when it is replaced.
 * Threads: any thread. `fn` runs on the thread that gives up the last reference; if that is the thread of the library's
 * loop, on the library's callback thread.
 */
SOON_API void soon_on_unhandled(soon_unhandled_fn fn, void *data);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
