/**
 * @file task.h
 * What a running task may do, and the macros that make functions.
 *
 * @addtogroup soon_tasks
 * @{
 */
#ifndef SOON_EXECUTOR_TASK_H
#define SOON_EXECUTOR_TASK_H

#include "submit.h"

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

/**
 * Fails the task: `return soon_raise(task, EDOM, "x must not be negative, got %d", x);` The future then has
 * SOON_ERAISED, `raised` is `code`, and the message is the formatted text in one line (NULL: the code's own text). A
 * later call replaces an earlier one; a task that then returns 0 has succeeded all the same. From a worker process at
 * most 65535 bytes of text arrive.
 *
 * Threads: worker only, inside the task. Returns: SOON_ERAISED, always.
 */
SOON_API int soon_raise(soon_task *task, int code, const char *format, ...) SOON_PRINTF(3, 4);

/**
 * soon_raise() without a format, for callers from other languages, and with bytes beside the message: a pickled exception, a
 * structure of your own. The reader finds them in soon_error.data. `message` NULL: the code's own text; `size` 0: no bytes.
 *
 * Ownership: both are copied. Threads: worker only, inside the task.
 * Returns: SOON_ERAISED; with more than 65535 bytes of both the error is -EMSGSIZE, and says so; -EINVAL for NULL with a size.
 */
SOON_API int soon_raise_bytes(soon_task *task, int code, const char *message, const void *data, size_t size);

/**
 * Passes a nested failure on: as soon_raise() with code, message and bytes of `failed`'s error.
 *
 * Threads: worker only. Returns: SOON_ERAISED; -EINVAL if `failed` is NULL or has no error, which fails the task too
 * when it is returned.
 */
SOON_API int soon_raise_from(soon_task *task, const soon_future *failed);

/**
 * Somebody cancelled the running task, or its time limit is over: clean up and return -ECANCELED. Any thread of the
 * task.
 */
SOON_API bool soon_task_cancel_requested(const soon_task *task);

/**
 * A descriptor that becomes readable when soon_task_cancel_requested() becomes true: for a task that blocks in poll(),
 * beside what it waits for. It stays readable up to the end of the task. A cancel of before this call counts.
 *
 * Ownership: the library's, lent for the time of the task: poll it, and never read, write or close it. What the task
 * executes does not inherit it; a child that it forks may poll it, too.
 * Threads: worker only; any thread of the task may poll it. Never blocks. The same number, if it is called again.
 * Returns: the descriptor, 0 or above; -EINVAL for NULL; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN: there is no descriptor,
 * memory or thread left for it, and it may be tried again; SOON_EFORKED in a child that the task has forked.
 *
 * In a worker process the task that has asked for it, or for a callback, gets the grace period to end by itself when its
 * worker is to be ended (a kill, a time limit, SOON_TERMINATE): SIGTERM of the pool, which interrupts a poll() with
 * EINTR, does not end it then.
 */
SOON_API SOON_MUST_USE int soon_task_cancel_fd(soon_task *task);

/** What soon_task_add_cancel_callback() is given. */
typedef void (*soon_cancel_fn)(void *data);

/**
 * Calls `fn` once when soon_task_cancel_requested() becomes true, at once if it is: for a task that blocks in something
 * that another thread can interrupt (sqlite3_interrupt(), pthread_kill(), a condition). soon_task_cancel_fd() is for what
 * waits for a descriptor.
 *
 * `fn` may call what may be called on any thread, and must not wait for the task, which waits for it. It should be
 * short.
 *
 * Ownership: `data` is lent until `fn` was called, or taken back, or the task has ended: its body does not end before
 * `fn` has returned.
 * Threads: worker only. `fn` runs on the thread that cancels or shuts down, before that returns; for a time limit on the
 * library's callback thread; in a worker process on a thread for that. Under no lock.
 * Returns: 0; -EINVAL for NULL; -ENOMEM, -EAGAIN, SOON_EFORKED as soon_task_cancel_fd(): it will not run.
 */
SOON_API SOON_MUST_USE int soon_task_add_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data);

/**
 * Takes back the first registration of `fn` with `data` that has not begun to run. If there is none and it runs just now,
 * on another thread, waits for that: so when this returns, what `data` points to may go.
 *
 * Threads: worker only. Returns: true: it will not run; false: it has run, or there is none.
 */
SOON_API bool soon_task_remove_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data);

/** Milliseconds until the time limit, 0 if it is over, SOON_FOREVER without one. Any thread of the task. */
SOON_API int64_t soon_task_time_left_ms(const soon_task *task);

/**
 * What soon_future_progress() shows from now on; kept as the last word when the task has ended. Without memory for the
 * first it is not shown. Any thread of the task.
 */
SOON_API void soon_task_set_progress(soon_task *task, uint64_t done, uint64_t total);

/** The executor that runs it, for nested submits; in a worker process NULL. Lent. Worker only. */
SOON_API soon_executor *soon_task_executor(soon_task *task);

/**
 * What the initializer left on this worker; NULL where there is none (also: a task that runs on its submitter's
 * thread).
 */
SOON_API void *soon_task_local(soon_task *task);

/**
 * In the initializer only: leaves `local` for the tasks of this worker; `release` (may be NULL) runs when the worker
 * ends.
 */
SOON_API void soon_task_set_local(soon_task *task, void *local, soon_free_fn release);

/**
 * The memory that the pool has as its option `shared`, where this process sees it; NULL: it has none. Lent for the time
 * of the task. Any thread of the task.
 */
SOON_API void *soon_task_shared(soon_task *task);

/** The submit option `label`, or "". Worker only. */
SOON_API const char *soon_task_label(const soon_task *task);

/**
 * The argument's bytes. Lent for the time of the task. Aligned for any type; but of a soon_map_items() or
 * soon_map_strings() that waits they are, on threads, the caller's own. Worker only.
 */
SOON_API soon_bytes soon_task_arg(const soon_task *task);

/**
 * The submit option `extra`, or an initializer's: bytes beside the argument, for what has no fixed size. No bytes if
 * there are none. Lent for the time of the task. Aligned for any type. Worker only.
 */
SOON_API soon_bytes soon_task_extra(const soon_task *task);

/**
 * The argument as a string: what the body of a SOON_TASK_STRING gets.
 *
 * Threads: worker only. Returns: its bytes, the last of which is a NUL. Lent for the time of the task. NULL, and the task
 * has failed as by soon_raise() with EINVAL: they have none at their end.
 */
SOON_API const char *soon_task_string(soon_task *task);

/** The payload that was submitted with it. Lent for the time of the task, read only; NULL: none. Worker only. */
SOON_API soon_buffer *soon_task_payload(soon_task *task);

/**
 * One of several that were submitted with it (the option `payloads`); 0 is soon_task_payload(). Lent for the time of the
 * task, read only; NULL: there are not so many. Worker only.
 */
SOON_API soon_buffer *soon_task_payload_at(soon_task *task, size_t index);

/** How many payloads were submitted with it. Worker only. */
SOON_API size_t soon_task_payload_count(const soon_task *task);

/**
 * The result of one of the futures that it was submitted `after`, in their order; no bytes if there are not so many, or that one
 * has none. On threads without a copy. Lent for the time of the task, read only. Aligned for any type. Worker only.
 */
SOON_API soon_bytes soon_task_input(const soon_task *task, size_t index);

/** How many futures it was submitted `after`. Worker only. */
SOON_API size_t soon_task_input_count(const soon_task *task);

/** The first payload that came with that result, as soon_future_payload(). Lent as soon_task_input(); NULL: none. */
SOON_API soon_buffer *soon_task_input_payload(const soon_task *task, size_t index);

/**
 * Copies one of them, of exactly `size` bytes, to `ret`. soon_input(task, i, &x) fills in the size.
 *
 * Threads: worker only. Returns: 0; SOON_ETYPE if it has another size; -EINVAL if there are not so many; and leaves
 * `ret` alone.
 */
SOON_API int soon_task_read_input(const soon_task *task, size_t index, void *ret, size_t size);

/** rc = soon_input(task, 0, &x): the first result of those that the task was submitted `after`. */
#define soon_input(task, index, ret) soon_task_read_input((task), (index), (ret), sizeof *(ret))

/**
 * Space for a result of variable size, to be filled in place. Zeroed. A later call replaces an earlier one.
 *
 * Threads: worker only. Returns: `size` bytes that belong to the future; NULL: no memory, or a function of fixed size
 * (which has its result already) was asked for another.
 */
SOON_API void *soon_task_return_space(soon_task *task, size_t size);

/**
 * Sets the result to a copy of these bytes.
 *
 * Threads: worker only. Returns: 0; -ENOMEM; -EINVAL for NULL; SOON_ETYPE if the function has a fixed size and this
 * is another.
 */
SOON_API int soon_task_return_bytes(soon_task *task, const void *data, size_t size);

/**
 * Sets the result of a function of variable size to a text, with its NUL: as soon_task_return_bytes() of what printf() would
 * print. Worker only. 0; -ENOMEM; -EINVAL for a NULL, or what cannot be formatted; SOON_ETYPE.
 */
SOON_API int soon_task_return_text(soon_task *task, const char *format, ...) SOON_PRINTF(2, 3);

/** Sends a buffer along with the result: soon_future_payload(). Takes it, always. Worker only. 0 or -EINVAL. */
SOON_API int soon_task_return_payload(soon_task *task, soon_buffer *buffer);

/**
 * Sends one more along, behind those that go already: soon_future_payload_at(). soon_task_return_payload() changes the
 * first. Takes it, always.
 *
 * Threads: worker only. Returns: 0; -ENOMEM; -EINVAL for NULL.
 */
SOON_API int soon_task_add_payload(soon_task *task, soon_buffer *buffer);

#ifdef __cplusplus
}
#define SOON__EXTERN_C extern "C"
#else
#define SOON__EXTERN_C extern
#endif

/* What travels by value must mean the same elsewhere: no bare pointer in C; in C++ no constructor either. */
#ifdef __cplusplus
#define SOON__TRAVELS(name)                                                                                            \
    static_assert(!std::is_pointer<name##_arg>::value && !std::is_pointer<name##_result>::value &&                     \
                      std::is_trivially_copyable<name##_arg>::value &&                                                 \
                      std::is_trivially_copyable<name##_result>::value,                                                \
                  "this type does not travel: use SOON_TASK_LOCAL, SOON_TASK_BYTES or a payload");
#define SOON__RESULT_TRAVELS(name)                                                                                     \
    static_assert(!std::is_pointer<name##_result>::value && std::is_trivially_copyable<name##_result>::value,          \
                  "this type does not travel: use soon_task_return_bytes() or a payload");
#else
/* Both a pointer and an array decay to a pointer in an expression; but only a pointer has that type itself. */
#define SOON__DECAYS(type) (__builtin_classify_type(*(type *)0) == 5)
#define SOON__IS_POINTER(type)                                                                                         \
    (SOON__DECAYS(type) &&                                                                                             \
     __builtin_types_compatible_p(type, __typeof__(__builtin_choose_expr(SOON__DECAYS(type), *(type *)0, 0) + 0)))
#define SOON__TRAVELS(name)                                                                                            \
    _Static_assert(!SOON__IS_POINTER(name##_arg) && !SOON__IS_POINTER(name##_result),                                  \
                   "a pointer does not travel: use SOON_TASK_LOCAL, SOON_TASK_STRING, SOON_TASK_BYTES or a payload");
#define SOON__RESULT_TRAVELS(name)                                                                                     \
    _Static_assert(!SOON__IS_POINTER(name##_result),                                                                   \
                   "a pointer does not travel: use soon_task_return_bytes() or a payload");
#endif

#define SOON__TASK_TYPES(name, arg_c_type, result_c_type)                                                              \
    typedef arg_c_type name##_arg;                                                                                     \
    typedef result_c_type name##_result;                                                                               \
    static const char SOON_UNUSED name##_arg_type[] = #arg_c_type;                                                     \
    static const char SOON_UNUSED name##_result_type[] = #result_c_type;                                               \
    SOON__EXTERN_C const soon_function name##_task;                                                                    \
    static inline SOON_UNUSED SOON_MUST_USE soon_future *name##_submit(soon_executor *executor, const name##_arg *arg, \
                                                                       const soon_submit_options *options)             \
    {                                                                                                                  \
        return soon_submit_bytes(executor, &name##_task, arg, arg ? sizeof *arg : 0, options);                         \
    }                                                                                                                  \
    static inline SOON_UNUSED int name##_try_submit(soon_future **ret, soon_executor *executor, const name##_arg *arg, \
                                                    const soon_submit_options *options)                                \
    {                                                                                                                  \
        return soon_try_submit_bytes(ret, executor, &name##_task, arg, arg ? sizeof *arg : 0, options);                \
    }                                                                                                                  \
    static inline SOON_UNUSED int name##_get(soon_future *future, int64_t timeout_ms, name##_result *ret)              \
    {                                                                                                                  \
        return soon_future_read_as(future, &name##_task, timeout_ms, ret, sizeof *ret);                                \
    }

#define SOON__TASK_OBJECT(name, call, at, as, rt, rs, fl, fa, fr, rk)                                                  \
    const soon_function name##_task = {#name, call, as, rs, at, rt, fl, fa, fr, rk, {0, 0, 0}};                        \
    __attribute__((constructor)) static void name##_register(void)                                                     \
    {                                                                                                                  \
        (void)soon_function_register(&name##_task);                                                                    \
    }                                                                                                                  \
    __attribute__((destructor)) static void name##_unregister(void)                                                    \
    {                                                                                                                  \
        soon_function_unregister(&name##_task);                                                                        \
    }

#define SOON__TASK_BODY(name, fl, fa, fr)                                                                              \
    static int name(soon_task *task, const name##_arg *arg, name##_result *result);                                    \
    static int name##_call(soon_task *soon__t, const void *soon__a, void *soon__r)                                     \
    {                                                                                                                  \
        return name(soon__t, (const name##_arg *)soon__a, (name##_result *)soon__r);                                   \
    }                                                                                                                  \
    SOON__TASK_OBJECT(name, name##_call, name##_arg_type, sizeof(name##_arg), name##_result_type,                      \
                      sizeof(name##_result), fl, fa, fr, SOON__KIND_OF(name##_result))                                 \
    static int name(SOON_UNUSED soon_task *task, SOON_UNUSED const name##_arg *arg, SOON_UNUSED name##_result *result)

/**
 * In a header: declares the function that SOON_TASK_DEFINE defines in one .c file, with its types and its typed
 * calls. `name_task`, `name_arg`, `name_result`, `name_submit`, `name_try_submit`, `name_get` as in SOON_TASK.
 */
#define SOON_TASK_DECLARE(name, arg_type, result_type)                                                                 \
    SOON__TASK_TYPES(name, arg_type, result_type)                                                                      \
    SOON__TRAVELS(name)                                                                                                \
    struct soon__semicolon

/** In the .c file of a declared function: `SOON_TASK_DEFINE(slow_add) { ... }`. */
#define SOON_TASK_DEFINE(name) SOON__TASK_BODY(name, 0, NULL, NULL)

/**
 * SOON_TASK(slow_add, struct add, int) { ... } makes
 *
 *     slow_add            the body, a plain static function of (task, arg, result): call it, set a breakpoint on it
 *     slow_add_task       the soon_function, with external linkage: two of a name do not link
 *     slow_add_arg, slow_add_result                   the two types
 *     slow_add_submit(executor, &arg, options)        typed by the compiler; arg NULL: zeroes; options NULL: defaults
 *     slow_add_try_submit(&future, executor, &arg, options)       never blocks, and returns a refusal
 *     slow_add_get(future, timeout_ms, &result)       SOON_ETYPE for a future of another function
 *
 * The body returns 0, or fails by soon_raise(). Argument and result travel by value. Types whose names are not one
 * identifier after a typedef (arrays, pointers to functions) need a typedef first. A C++ exception must not leave the
 * body.
 */
#define SOON_TASK(name, arg_type, result_type)                                                                         \
    SOON_TASK_DECLARE(name, arg_type, result_type);                                                                    \
    SOON__TASK_BODY(name, 0, NULL, NULL)

/**
 * As SOON_TASK, but argument and result may hold pointers; only executors in this process take it, others answer
 * SOON_ELOCAL. `free_arg` and `free_result` release what they point to: see soon_function. Either may be NULL.
 */
#define SOON_TASK_LOCAL(name, arg_type, result_type, free_arg, free_result)                                            \
    SOON__TASK_TYPES(name, arg_type, result_type)                                                                      \
    SOON__TASK_BODY(name, SOON_FUNCTION_LOCAL, free_arg, free_result)

/*
 * Functions whose argument has any size. The result's type may be left out: then that has any size, too. `_0`: it was.
 */
#define SOON__OF_ANY_SIZE(name, parameter, data, size)                                                                 \
    SOON__EXTERN_C const soon_function name##_task;                                                                    \
    static inline SOON_UNUSED SOON_MUST_USE soon_future *name##_submit(                                                \
        soon_executor *executor, SOON__UNWRAP parameter, const soon_submit_options *options)                           \
    {                                                                                                                  \
        return soon_submit_bytes(executor, &name##_task, data, size, options);                                         \
    }                                                                                                                  \
    static inline SOON_UNUSED int name##_try_submit(soon_future **ret, soon_executor *executor,                        \
                                                    SOON__UNWRAP parameter, const soon_submit_options *options)        \
    {                                                                                                                  \
        return soon_try_submit_bytes(ret, executor, &name##_task, data, size, options);                                \
    }
#define SOON__UNWRAP(...) __VA_ARGS__
#define SOON__OF_BYTES(name)                                                                                           \
    typedef struct soon_bytes_by_its_own_submit name##_arg;                                                            \
    SOON__OF_ANY_SIZE(name, (const void *data, size_t size), data, size)
/* NULL with a size is refused. */
#define SOON__OF_STRING(name)                                                                                          \
    typedef struct soon_string_by_its_own_submit name##_arg;                                                           \
    SOON__OF_ANY_SIZE(name, (const char *string), string, string ? __builtin_strlen(string) + 1 : 1)

#define SOON__RESULT_0(name) typedef void name##_result;
#define SOON__RESULT_1(name, result_c_type)                                                                            \
    typedef result_c_type name##_result;                                                                               \
    static const char SOON_UNUSED name##_result_type[] = #result_c_type;                                               \
    static inline SOON_UNUSED int name##_get(soon_future *future, int64_t timeout_ms, name##_result *ret)              \
    {                                                                                                                  \
        return soon_future_read_as(future, &name##_task, timeout_ms, ret, sizeof *ret);                                \
    }                                                                                                                  \
    SOON__RESULT_TRAVELS(name)

#define SOON__BYTES_DECLARE_0(name)                                                                                    \
    SOON__OF_BYTES(name)                                                                                               \
    SOON__RESULT_0(name)
#define SOON__BYTES_DECLARE_1(name, result_type)                                                                       \
    SOON__OF_BYTES(name)                                                                                               \
    SOON__RESULT_1(name, result_type)
#define SOON__STRING_DECLARE_0(name)                                                                                   \
    SOON__OF_STRING(name)                                                                                              \
    SOON__RESULT_0(name)
#define SOON__STRING_DECLARE_1(name, result_type)                                                                      \
    SOON__OF_STRING(name)                                                                                              \
    SOON__RESULT_1(name, result_type)

/* `take`: what the body gets of the task; `fails`: of which it gets none. The typedefs must be those of the declaration. */
#define SOON__VARIED_DEFINE_0(name, arg_c_type, arg_name, take, fails)                                                 \
    typedef void name##_result;                                                                                        \
    static int name(soon_task *task, arg_c_type arg);                                                                  \
    static int name##_call(soon_task *soon__t, SOON_UNUSED const void *soon__a, SOON_UNUSED void *soon__r)             \
    {                                                                                                                  \
        arg_c_type soon__arg = take(soon__t);                                                                          \
        return fails ? SOON_ERAISED : name(soon__t, soon__arg);                                                        \
    }                                                                                                                  \
    SOON__TASK_OBJECT(name, name##_call, arg_name, 0, "", 0, 0, NULL, NULL, NULL)                                      \
    static int name(SOON_UNUSED soon_task *task, SOON_UNUSED arg_c_type arg)
#define SOON__VARIED_DEFINE_1(name, result_c_type, arg_c_type, arg_name, take, fails)                                  \
    typedef result_c_type name##_result;                                                                               \
    static int name(soon_task *task, arg_c_type arg, name##_result *result);                                           \
    static int name##_call(soon_task *soon__t, SOON_UNUSED const void *soon__a, void *soon__r)                         \
    {                                                                                                                  \
        arg_c_type soon__arg = take(soon__t);                                                                          \
        return fails ? SOON_ERAISED : name(soon__t, soon__arg, (name##_result *)soon__r);                              \
    }                                                                                                                  \
    SOON__TASK_OBJECT(name, name##_call, arg_name, 0, name##_result_type, sizeof(name##_result), 0, NULL, NULL, NULL)  \
    static int name(SOON_UNUSED soon_task *task, SOON_UNUSED arg_c_type arg, SOON_UNUSED name##_result *result)
#define SOON__BYTES_DEFINE_0(name) SOON__VARIED_DEFINE_0(name, soon_bytes, "", soon_task_arg, false)
#define SOON__BYTES_DEFINE_1(name, result_type)                                                                        \
    SOON__VARIED_DEFINE_1(name, result_type, soon_bytes, "", soon_task_arg, false)
#define SOON__STRING_DEFINE_0(name) SOON__VARIED_DEFINE_0(name, const char *, "string", soon_task_string, !soon__arg)
#define SOON__STRING_DEFINE_1(name, result_type)                                                                       \
    SOON__VARIED_DEFINE_1(name, result_type, const char *, "string", soon_task_string, !soon__arg)

/**
 * SOON_TASK_BYTES_DECLARE(name) or (name, result_type) declares a function on bytes for SOON_TASK_BYTES_DEFINE: `name_task`,
 * `name_submit(executor, data, size, options)` and `name_try_submit(&future, executor, data, size, options)`; with a result
 * type also `name_result` and `name_get(future, timeout_ms, &result)`.
 */
#define SOON_TASK_BYTES_DECLARE(...)                                                                                   \
    SOON__CAT(SOON__BYTES_DECLARE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__) struct soon__semicolon

/**
 * In the .c file of a declared one, with the same arguments. The body reads `arg` (soon_bytes) and answers by
 * soon_task_return_*(), or with a result type in `*result`.
 */
#define SOON_TASK_BYTES_DEFINE(...) SOON__CAT(SOON__BYTES_DEFINE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__)

/**
 * Variable size both ways, declared and defined at once: SOON_TASK_BYTES(greet) { ... }. Or with a result of a fixed size:
 * SOON_TASK_BYTES(checksum, uint32_t) { *result = crc(arg.data, arg.size); return 0; }
 */
#define SOON_TASK_BYTES(...)                                                                                           \
    SOON_TASK_BYTES_DECLARE(__VA_ARGS__);                                                                              \
    SOON_TASK_BYTES_DEFINE(__VA_ARGS__)

/**
 * The same of a string: `name_submit(executor, string, options)` and `name_try_submit(&future, executor, string, options)`;
 * a NULL is -EINVAL.
 */
#define SOON_TASK_STRING_DECLARE(...)                                                                                  \
    SOON__CAT(SOON__STRING_DECLARE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__) struct soon__semicolon

/** In the .c file of a declared one, with the same arguments. */
#define SOON_TASK_STRING_DEFINE(...) SOON__CAT(SOON__STRING_DEFINE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__)

/**
 * A function on a string of any length:
 *
 *     SOON_TASK_STRING(hash_file, struct digest)      const char *arg, struct digest *result
 *     SOON_TASK_STRING(first_line)                    const char *arg; the result by soon_task_return_*()
 *
 * `arg` has its NUL: it travels along, and a task that was given bytes without one fails. See also soon_map_strings().
 */
#define SOON_TASK_STRING(...)                                                                                          \
    SOON_TASK_STRING_DECLARE(__VA_ARGS__);                                                                             \
    SOON_TASK_STRING_DEFINE(__VA_ARGS__)

/** @} */
#endif
