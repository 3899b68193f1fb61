/**
 * @file submit.h
 * Handing a task to an executor: submit, try_submit, then.
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
    SOON_FULL_DEFAULT, /**< what the pool's options say; there: SOON_FULL_BLOCK */
    SOON_FULL_BLOCK,   /**< wait for a place */
    SOON_FULL_FAIL,    /**< the future has SOON_EFULL */
    SOON_FULL_RUN_HERE /**< run the task on the submitting thread, before submit returns */
} soon_full;

/** Every field: 0 is the default. Negative where it makes no sense: -EINVAL. */
typedef struct soon_submit_options {
    const char *label SOON__ZERO; /**< copied; soon_future_label() */
    void *data SOON__ZERO;        /**< soon_future_data() */
    int priority SOON__ZERO;      /**< higher first, 0 normal */
    int retries SOON__ZERO;       /**< further tries after a worker's death; it runs in between. Threads do not die */
    int64_t time_limit_ms
        SOON__ZERO; /**< from its start; 0: none. A thread is only told: soon_task_cancel_requested() */
    int64_t queue_limit_ms SOON__ZERO;  /**< from now until its first start, else SOON_EEXPIRED; 0: none */
    soon_full when_full SOON__ZERO;     /**< what to do when the queue is full */
    soon_buffer *payload SOON__ZERO;    /**< submit takes it, always; a try_submit that refuses takes nothing */
    soon_done_fn on_done SOON__ZERO;    /**< cannot fail, unlike adding it later */
    void *on_done_data SOON__ZERO;      /**< for on_done */
    soon_loop *on_done_loop SOON__ZERO; /**< NULL: as soon_future_add_done_callback() */
    soon_bytes extra SOON__ZERO; /**< copied; beside the argument: soon_task_extra(). `.extra = soon_string(s)` */
    /**
     * Gets on_done_data once: when on_done has run, or never will, as soon_future_add_done_callback_owned() says. A
     * soon_try_submit() that refuses does not call it.
     */
    soon_free_fn on_done_release SOON__ZERO;
    soon_buffer *const *payloads SOON__ZERO; /**< further ones, behind `payload` if that is set; taken as that is */
    size_t payload_count SOON__ZERO;         /**< how many there are in `payloads` */
    /**
     * Futures of any executor: the task starts when all of them have succeeded, and reads their results by
     * soon_task_input(). One that fails or is cancelled passes that on, the first of them in their order, and the task does
     * not run. To cancel the task before it has started cancels them, too, as soon_gather() does. The array is lent for the
     * call, the futures are held until the task has ended. The queue's bound does not apply, and a drain waits for it.
     */
    soon_future *const *after SOON__ZERO;
    size_t after_count SOON__ZERO; /**< how many there are in `after` */
    /**
     * Hears of the task's progress, as soon_future_add_progress_callback() says: on `on_done_loop`, without one on the
     * library's callback thread; and always of the last one, before `on_done` runs.
     */
    soon_progress_fn on_progress SOON__ZERO;
    void *on_progress_data SOON__ZERO;           /**< for on_progress */
    int64_t progress_every_ms SOON__ZERO;        /**< not more often than that; 0: 100 ms */
    soon_free_fn on_progress_release SOON__ZERO; /**< as on_done_release, of on_progress_data */
} soon_submit_options;

/**
 * Submits one call of `function` on `size` bytes at `data`, which are copied. NULL with size 0 for a function of
 * fixed size: zeroes. soon_submit() is the typed form.
 *
 * Ownership: the caller owns one reference of the future. The payload, and what a LOCAL argument points to, are taken
 * whatever happens.
 * Threads: any thread. Blocks only while a bounded queue is full and the policy says so, never on a worker of the
 * same pool.
 * Returns: never NULL. A submission that cannot be taken is a future that is done: -EINVAL (NULL, wrong size,
 * negative option), SOON_ESHUTDOWN, SOON_EBROKEN, SOON_EFULL, SOON_ELOCAL, SOON_EFORKED, -ENOMEM. The future for
 * -ENOMEM may be one and the same object for several submits, and `on_done` does not run for it: use
 * soon_try_submit_bytes() where that matters.
 *
 * As Executor.submit() in Python's concurrent.futures.
 */
SOON_API SOON_MUST_USE soon_future *soon_submit_bytes_sized(soon_executor *executor, const soon_function *function,
                                                            const void *data, size_t size,
                                                            const soon_submit_options *options, size_t options_size);

/** soon_submit_bytes_sized() with the options' size that this program was compiled with. */
static inline SOON_MUST_USE soon_future *soon_submit_bytes(soon_executor *executor, const soon_function *function,
                                                           const void *data, size_t size,
                                                           const soon_submit_options *options)
{
    return soon_submit_bytes_sized(executor, function, data, size, options, sizeof *options);
}

/**
 * Submits without ever blocking or running the task here. For event loops, and where a refusal must be seen at once.
 * soon_try_submit() is the typed form.
 *
 * Ownership: on 0 as soon_submit_bytes_sized(). A refusal takes nothing: payload and what a LOCAL argument points to
 * remain the caller's.
 * Threads: any thread. Never blocks.
 * Returns: 0 and sets `*ret`; SOON_EFULL, SOON_ESHUTDOWN, SOON_EBROKEN, SOON_ELOCAL, SOON_EFORKED, -EINVAL, -ENOMEM,
 * and leaves it alone.
 */
SOON_API int soon_try_submit_bytes_sized(soon_future **ret, soon_executor *executor, const soon_function *function,
                                         const void *data, size_t size, const soon_submit_options *options,
                                         size_t options_size);

/** soon_try_submit_bytes_sized() with the options' size that this program was compiled with. */
static inline int soon_try_submit_bytes(soon_future **ret, soon_executor *executor, const soon_function *function,
                                        const void *data, size_t size, const soon_submit_options *options)
{
    return soon_try_submit_bytes_sized(ret, executor, function, data, size, options, sizeof *options);
}

/**
 * Runs `function` on the result of `first`, when it has one. Its argument is those bytes, without a copy; an error or
 * a cancellation of `first` passes through. Cancelling the new future cancels `first` too if that is pending. The
 * queue bound of the executor does not apply. A drain of the executor waits for it. For the results of several there is
 * the submit option `after`.
 *
 * Ownership: the caller owns one reference; `first` is held until the task has ended.
 * Threads: any thread. Never blocks.
 * Returns: never NULL; refused as soon_submit_bytes_sized(); SOON_ETYPE if the result has not the argument's size.
 */
SOON_API SOON_MUST_USE soon_future *soon_then(soon_future *first, soon_executor *executor,
                                              const soon_function *function);

/* The argument type of functions of variable size: soon_submit() cannot know how long theirs is. */
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
 * soon_submit(pool, fn, .x = 1), soon_submit(pool, fn, 7): the fields of the argument stand in the call; a function of
 * soon_none has none: soon_submit(pool, fn). For a struct that exists: `fn_submit(pool, &arg, options)`. Else as soon_submit_bytes_sized().
 */
#define soon_submit(executor, ...) SOON__CAT(SOON__SUBMIT_, SOON__MORE(__VA_ARGS__))(executor, NULL, __VA_ARGS__)

/** soon_submit_with(pool, (.label = "a", .time_limit_ms = 500), fn, .x = 1). In C++17 options stand in their order. */
#define soon_submit_with(executor, options, ...) SOON__WITH(SOON__SUBMIT_WITH_, options, executor, __VA_ARGS__)
#define SOON__SUBMIT_WITH_1(options, executor, ...)                                                                    \
    SOON__CAT(SOON__SUBMIT_, SOON__MORE(__VA_ARGS__))(executor, SOON__SUBMIT_OPTIONS(options), __VA_ARGS__)
#define SOON__SUBMIT_WITH_0(...) SOON__WRONG(soon_future *, SOON__WANTS_PARENTHESES)

/**
 * rc = soon_try_submit(&f, pool, fn, .x = 1): as soon_submit(), but never blocks, runs nothing here, and a refusal is
 * returned and takes nothing. For a struct that exists: `fn_try_submit(&f, pool, &arg, options)`. Else as
 * soon_try_submit_bytes_sized().
 */
#define soon_try_submit(ret, executor, ...)                                                                            \
    SOON__CAT(SOON__TRY_SUBMIT_, SOON__MORE(__VA_ARGS__))(ret, executor, NULL, __VA_ARGS__)

/** soon_try_submit_with(&f, pool, (.on_done = reply, .on_done_loop = on), fn, .x = 1). */
#define soon_try_submit_with(ret, executor, options, ...)                                                              \
    SOON__WITH(SOON__TRY_SUBMIT_WITH_, options, ret, executor, __VA_ARGS__)
#define SOON__TRY_SUBMIT_WITH_1(options, ret, executor, ...)                                                           \
    SOON__CAT(SOON__TRY_SUBMIT_, SOON__MORE(__VA_ARGS__))(ret, executor, SOON__SUBMIT_OPTIONS(options), __VA_ARGS__)
#define SOON__TRY_SUBMIT_WITH_0(...) SOON__WRONG(int, SOON__WANTS_PARENTHESES)

/** @} */
#endif
