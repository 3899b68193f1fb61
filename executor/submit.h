/**
 * @file submit.h
 * Handing a task to an executor: submit, try_submit, then.
 *
 *     soon_future *f = soon_submit(pool, slow_add, .x = 6, .y = 7);
 *
 * @addtogroup soon_submitting
 * @{
 */
#ifndef SOON_EXECUTOR_SUBMIT_H
#define SOON_EXECUTOR_SUBMIT_H

#include "function.h"
#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a submit does when the executor's queue is full. */
typedef enum soon_full {
    SOON_FULL_DEFAULT, /**< what the pool's option says; in that option: SOON_FULL_BLOCK */
    SOON_FULL_BLOCK,   /**< it waits for a place */
    SOON_FULL_FAIL,    /**< the future fails with SOON_EFULL */
    SOON_FULL_RUN_HERE /**< it runs the task on the submitting thread, before it returns */
} soon_full;

/** Every field: 0 is the default. A negative value where it makes no sense is -EINVAL. */
typedef struct soon_submit_options {
    const char *label SOON__ZERO; /**< copied; for soon_future_label(), soon_task_label() and errors. NULL: "" */
    void *data SOON__ZERO;        /**< what soon_future_data() returns */
    int priority SOON__ZERO;      /**< tasks with a higher one start first; may be negative */
    /** Further tries after the death of the worker process. The future is RUNNING in between. Threads do not die. */
    int retries SOON__ZERO;
    /**
     * Milliseconds from the start of each try; 0: no limit. A process that is late is ended, and the task fails with
     * SOON_ETIMELIMIT. A thread is only told: soon_task_cancel_requested().
     */
    int64_t time_limit_ms SOON__ZERO;
    /** Milliseconds from the submit. A task that has not started by then fails with SOON_EEXPIRED. 0: no limit. */
    int64_t queue_limit_ms SOON__ZERO;
    soon_full when_full SOON__ZERO;     /**< what to do when the queue is full */
    soon_buffer *payload SOON__ZERO;    /**< taken by a submit always, by a try_submit unless it refuses; NULL: none */
    soon_done_fn on_done SOON__ZERO;    /**< called once when the future is done; cannot fail, unlike one added later */
    void *on_done_data SOON__ZERO;      /**< given to on_done */
    soon_loop *on_done_loop SOON__ZERO; /**< on_done runs on it; NULL: as with soon_future_add_done_callback() */
    soon_bytes extra SOON__ZERO; /**< copied; bytes beside the argument: soon_task_extra(). `.extra = soon_string(s)` */
    /**
     * Gets on_done_data once: when on_done has run, or never will, as soon_future_add_done_callback_owned() says. A
     * soon_try_submit() that refuses does not call it.
     */
    soon_free_fn on_done_release SOON__ZERO;
    soon_buffer *const *payloads SOON__ZERO; /**< further ones, behind `payload` if that is set; taken as that is */
    size_t payload_count SOON__ZERO;         /**< how many there are in `payloads` */
    /**
     * Futures of any executor: the task starts when all of them have succeeded, and reads their results with
     * soon_task_input(). If one fails or is cancelled, the task does not run, and its future ends as the first of those
     * does, in their order. To cancel the task before it has started cancels them, too, as soon_gather() does. The
     * array is lent for the call; the futures are held until the task has ended. The queue's bound does not apply, and
     * a drain waits for the task.
     */
    soon_future *const *after SOON__ZERO;
    size_t after_count SOON__ZERO; /**< how many there are in `after` */
    /**
     * Hears of the task's progress, as soon_future_add_progress_callback() says: on `on_done_loop`, or without one on
     * the library's callback thread. It always hears of the last progress, and does so before `on_done` runs.
     */
    soon_progress_fn on_progress SOON__ZERO;
    void *on_progress_data SOON__ZERO;           /**< given to on_progress */
    int64_t progress_every_ms SOON__ZERO;        /**< on_progress runs no more often, in milliseconds; 0: 100 */
    soon_free_fn on_progress_release SOON__ZERO; /**< gets on_progress_data once, as on_done_release gets its own */
} soon_submit_options;

/**
 * Submits one call of `function` on `size` bytes at `data`. NULL with a size of 0 is an argument of zeroes, for a
 * function of fixed size. soon_submit() and the function's own `name_submit` are the typed forms; soon_submit_bytes()
 * is the form for bytes.
 *
 * Ownership: the caller owns one reference of the future. The bytes, the label and the extra bytes are copied. The
 * payloads, and what a LOCAL argument points to, are taken whatever happens.
 * Threads: any thread. Blocks only while a bounded queue is full, if `when_full` says so; never on a worker of the same
 * pool.
 * Returns: a future, never NULL. A submission that cannot be taken is a future that is done, with the error
 * - -EINVAL: NULL, an argument of another size than the function's, or an option that makes no sense;
 * - SOON_EFULL: the queue is full, and `when_full` is SOON_FULL_FAIL;
 * - SOON_ESHUTDOWN: the executor is shut down; or `on_done_loop` is detached, so that `on_done` does not run;
 * - SOON_EBROKEN: the pool is broken;
 * - SOON_ELOCAL: the function shares memory with its caller, and the executor runs tasks in other processes;
 * - SOON_EFORKED: the executor is that of the parent of this process;
 * - -ENOMEM: the future may be one and the same object for several submits, and `on_done` does not run for it. Where
 *   that matters, use soon_try_submit_bytes().
 *
 * As Executor.submit() in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE soon_future *soon_submit_bytes_sized(soon_executor *executor, const soon_function *function,
                                                            const void *data, size_t size,
                                                            const soon_submit_options *options, size_t options_size);

/** soon_submit_bytes_sized() with the options' size that this program was compiled with. `options` NULL: defaults. */
static inline SOON_MUST_USE soon_future *soon_submit_bytes(soon_executor *executor, const soon_function *function,
                                                           const void *data, size_t size,
                                                           const soon_submit_options *options)
{
    return soon_submit_bytes_sized(executor, function, data, size, options, sizeof *options);
}

/**
 * Submits without ever blocking, and never runs the task here. Choose it on event loops, and where a refusal must be
 * seen at once. soon_try_submit() and the function's own `name_try_submit` are the typed forms; soon_try_submit_bytes()
 * is the form for bytes.
 *
 * Ownership: with 0 as soon_submit_bytes_sized(). A refusal takes nothing: the payloads, and what a LOCAL argument
 * points to, remain the caller's.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it leaves `*ret` alone and returns the code that soon_submit_bytes_sized() gives as
 * an error; SOON_EFULL whatever `when_full` says.
 */
SOON_API int soon_try_submit_bytes_sized(soon_future **ret, soon_executor *executor, const soon_function *function,
                                         const void *data, size_t size, const soon_submit_options *options,
                                         size_t options_size);

/**
 * soon_try_submit_bytes_sized() with the options' size that this program was compiled with. `options` NULL: defaults.
 */
static inline int soon_try_submit_bytes(soon_future **ret, soon_executor *executor, const soon_function *function,
                                        const void *data, size_t size, const soon_submit_options *options)
{
    return soon_try_submit_bytes_sized(ret, executor, function, data, size, options, sizeof *options);
}

/**
 * Runs `function` on the result of `first`, when that has one. Its argument is those bytes, without a copy. If `first`
 * fails or is cancelled, so is the new future, and the task does not run. To cancel the new future before its task has
 * started cancels `first` too, if that is pending. The queue bound of the executor does not apply, and a drain of the
 * executor waits for the task. For the results of several futures there is the submit option `after`.
 *
 * Ownership: the caller owns one reference. `first` is held until the task has ended.
 * Threads: any thread. Never blocks.
 * Returns: a future, never NULL; it is refused as by soon_submit_bytes_sized(). It fails with SOON_ETYPE if the result
 * has not the size of the function's argument.
 */
SOON_API SOON_MUST_USE soon_future *soon_then(soon_future *first, soon_executor *executor,
                                              const soon_function *function);

/* The argument type of functions of variable size: soon_submit() cannot know how long their argument is. */
struct soon_bytes_by_its_own_submit;
#define SOON__WANTS_ARG                                                                                                \
    "this function has an argument: soon_submit(pool, fn, value); of a string: fn_submit(pool, string, NULL); "        \
    "zeroes: fn_submit(pool, NULL, NULL)"

#ifdef __cplusplus
}

/* Behind soon_submit() in C++: a temporary bound to a reference has an address. */
template <class A>
static inline SOON_MUST_USE soon_future *soon__submit(soon_executor *e, const soon_function *f, const A &a,
                                                      const soon_submit_options *o)
{
    return soon_submit_bytes(e, f, &a, sizeof a, o);
}
template <class A>
static inline int soon__try_submit(soon_future **ret, soon_executor *e, const soon_function *f, const A &a,
                                   const soon_submit_options *o)
{
    return soon_try_submit_bytes(ret, e, f, &a, sizeof a, o);
}
static inline const soon_submit_options *soon__submit_options(const soon_submit_options &o)
{
    return &o;
}
#define SOON__SUBMIT_1(executor, options, fn, ...) soon__submit(executor, &fn##_task, fn##_arg{__VA_ARGS__}, options)
#define SOON__TRY_SUBMIT_1(ret, executor, options, fn, ...)                                                            \
    soon__try_submit(ret, executor, &fn##_task, fn##_arg{__VA_ARGS__}, options)
#define SOON__SUBMIT_OPTIONS(options) soon__submit_options(soon_submit_options SOON__BRACES options)
template <class A> static inline const soon_function *soon__without_arg(const soon_function *function)
{
    static_assert(std::is_same<A, soon_none>::value || std::is_same<A, soon_bytes_by_its_own_submit>::value,
                  SOON__WANTS_ARG);
    return function;
}
#define SOON__WITHOUT_ARG(fn) soon__without_arg<fn##_arg>(&fn##_task)
#define SOON__WRONG(type, text)                                                                                        \
    __extension__({                                                                                                    \
        static_assert(0, text);                                                                                        \
        (type)0;                                                                                                       \
    })
#else
#define SOON__SUBMIT_1(executor, options, fn, ...)                                                                     \
    soon_submit_bytes(executor, &fn##_task, &(fn##_arg){__VA_ARGS__}, sizeof(fn##_arg), options)
#define SOON__TRY_SUBMIT_1(ret, executor, options, fn, ...)                                                            \
    soon_try_submit_bytes(ret, executor, &fn##_task, &(fn##_arg){__VA_ARGS__}, sizeof(fn##_arg), options)
#define SOON__SUBMIT_OPTIONS(options) (&(soon_submit_options)SOON__BRACES options)
#define SOON__WITHOUT_ARG(fn)                                                                                          \
    (&fn##_task + 0 * sizeof(struct {                                                                                  \
                      _Static_assert(__builtin_types_compatible_p(fn##_arg, soon_none) ||                              \
                                         __builtin_types_compatible_p(fn##_arg, struct soon_bytes_by_its_own_submit),  \
                                     SOON__WANTS_ARG);                                                                 \
                      char soon__one;                                                                                  \
                  }))
#define SOON__WRONG(type, text)                                                                                        \
    __extension__({                                                                                                    \
        _Static_assert(0, text);                                                                                       \
        (type)0;                                                                                                       \
    })
#endif

/* SOON__MORE(...) is 0 for one argument and 1 for 2 to 33. */
#define SOON__SUBMIT_0(executor, options, fn) soon_submit_bytes(executor, SOON__WITHOUT_ARG(fn), NULL, 0, options)
#define SOON__TRY_SUBMIT_0(ret, executor, options, fn)                                                                 \
    soon_try_submit_bytes(ret, executor, SOON__WITHOUT_ARG(fn), NULL, 0, options)
#define SOON__ARG33(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C, D, E, F, G, \
                    N, ...)                                                                                            \
    N
#define SOON__MORE(...)                                                                                                \
    SOON__ARG33(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
                1, 1, 0, ~)
#define SOON__CAT(a, b) SOON__CAT_(a, b)
#define SOON__CAT_(a, b) a##b
#define SOON__BRACES(...)                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* SOON__IN_PARENTHESES(x) is 1 for (x), else 0. */
#define SOON__IN_PARENTHESES(x) SOON__SECOND(SOON__PROBE x, 0, ~)
#define SOON__PROBE(...) ~, 1
#define SOON__SECOND(...) SOON__SECOND_(__VA_ARGS__)
#define SOON__SECOND_(a, b, ...) b
/* Calls WITH_1(options, ...) for options in parentheses; else it says what is wrong. */
#define SOON__WITH(with, options, ...) SOON__CAT(with, SOON__IN_PARENTHESES(options))(options, __VA_ARGS__)
#define SOON__WANTS_PARENTHESES "the options stand in parentheses: soon_submit_with(pool, (.label = \"a\"), fn, .x = 1)"

/**
 * soon_submit(pool, fn, .x = 1), soon_submit(pool, fn, 7): soon_submit_bytes_sized() with the fields of the argument in
 * the call and the default options. A function of soon_none has no argument: soon_submit(pool, fn). For a struct that
 * exists there is `fn_submit(pool, &arg, options)`.
 */
#define soon_submit(executor, ...) SOON__CAT(SOON__SUBMIT_, SOON__MORE(__VA_ARGS__))(executor, NULL, __VA_ARGS__)

/**
 * soon_submit_with(pool, (.label = "a", .time_limit_ms = 500), fn, .x = 1): the same with options. In C++ they stand in
 * their order.
 */
#define soon_submit_with(executor, options, ...) SOON__WITH(SOON__SUBMIT_WITH_, options, executor, __VA_ARGS__)
#define SOON__SUBMIT_WITH_1(options, executor, ...)                                                                    \
    SOON__CAT(SOON__SUBMIT_, SOON__MORE(__VA_ARGS__))(executor, SOON__SUBMIT_OPTIONS(options), __VA_ARGS__)
#define SOON__SUBMIT_WITH_0(...) SOON__WRONG(soon_future *, SOON__WANTS_PARENTHESES)

/**
 * rc = soon_try_submit(&f, pool, fn, .x = 1): soon_try_submit_bytes_sized() with the fields of the argument in the call
 * and the default options. For a struct that exists there is `fn_try_submit(&f, pool, &arg, options)`.
 */
#define soon_try_submit(ret, executor, ...)                                                                            \
    SOON__CAT(SOON__TRY_SUBMIT_, SOON__MORE(__VA_ARGS__))(ret, executor, NULL, __VA_ARGS__)

/** soon_try_submit_with(&f, pool, (.on_done = reply, .on_done_loop = on), fn, .x = 1): the same with options. */
#define soon_try_submit_with(ret, executor, options, ...)                                                              \
    SOON__WITH(SOON__TRY_SUBMIT_WITH_, options, ret, executor, __VA_ARGS__)
#define SOON__TRY_SUBMIT_WITH_1(options, ret, executor, ...)                                                           \
    SOON__CAT(SOON__TRY_SUBMIT_, SOON__MORE(__VA_ARGS__))(ret, executor, SOON__SUBMIT_OPTIONS(options), __VA_ARGS__)
#define SOON__TRY_SUBMIT_WITH_0(...) SOON__WRONG(int, SOON__WANTS_PARENTHESES)

/** @} */
#endif
