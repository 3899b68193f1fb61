/**
 * @file task.h
 * What a running task may do, and the macros that make functions.
 *
 *     SOON_TASK(slow_add, struct add, int)
 *     {
 *         if (arg->x < 0)
 *             return soon_raise(task, EDOM, "x must not be negative, got %d", arg->x);
 *         *result = arg->x + arg->y;
 *         return 0;
 *     }
 *
 * Below, "worker only" is the thread that runs the body, inside of it. "Any thread of the task" is that one, and any
 * that the body has started and that ends before it. No function blocks unless it says so. What is lent is lent until
 * the task ends.
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
 * Fails the task: `return soon_raise(task, EDOM, "x must not be negative, got %d", x);`. The future then has
 * SOON_ERAISED; in its error, `raised` is `code` and the message is the formatted text in one line. `format` NULL: the
 * code's own text. A later call replaces an earlier one. A task that returns 0 all the same has succeeded. From a
 * worker process at most 65535 bytes of text arrive.
 *
 * Ownership: the text is copied.
 * Threads: worker only.
 * Returns: SOON_ERAISED, always.
 *
 * As raise in Python.
 */
SOON_API int soon_raise(soon_task *task, int code, const char *format, ...) SOON_PRINTF(3, 4);

/**
 * The same without a format, for callers from other languages, and with bytes beside the message: a pickled exception,
 * a structure of the program's own. The reader finds them in soon_error.data. `message` NULL: the code's own text;
 * `size` 0: no bytes.
 *
 * Ownership: message and bytes are copied.
 * Threads: worker only.
 * Returns: SOON_ERAISED. If both have more than 65535 bytes together, the task's error is -EMSGSIZE, which the message
 * says. -EINVAL: `data` is NULL and `size` is not 0.
 */
SOON_API int soon_raise_bytes(soon_task *task, int code, const char *message, const void *data, size_t size);

/**
 * Passes a nested failure on: as soon_raise() with code, message and bytes of `failed`'s error.
 *
 * Ownership: those are copied.
 * Threads: worker only.
 * Returns: SOON_ERAISED. -EINVAL: `failed` is NULL or has no error; to return that fails the task, too.
 *
 * As `raise ... from` in Python.
 */
SOON_API int soon_raise_from(soon_task *task, const soon_future *failed);

/**
 * Returns whether somebody has cancelled the running task, or its time limit is over. Then it should clean up and
 * return -ECANCELED. Any thread of the task.
 */
SOON_API bool soon_task_cancel_requested(const soon_task *task);

/**
 * Gives a descriptor that becomes readable when soon_task_cancel_requested() becomes true, for a task that blocks in
 * poll(): beside what it waits for. It stays readable up to the end of the task. A cancel from before this call counts.
 *
 * In a worker process, a task that has asked for this descriptor, or for a callback, gets the grace period to end by
 * itself when its worker is to be ended (by a kill, a time limit, SOON_TERMINATE). The pool's SIGTERM interrupts a
 * poll() with EINTR then, and does not end it.
 *
 * Ownership: the descriptor is the library's, lent until the task ends: poll it, and never read, write or close it. A
 * program that the task executes does not inherit it. A child that the task forks may poll it, too.
 * Threads: worker only; any thread of the task may poll the descriptor. Never blocks.
 * Returns: the descriptor, 0 or above, and the same one if it is called again; else
 * - -EINVAL: `task` is NULL;
 * - -EMFILE, -ENFILE, -ENOMEM, -EAGAIN: no descriptor, memory or thread is left for it; it may be tried again;
 * - SOON_EFORKED: this is a child that the task has forked.
 */
SOON_API SOON_MUST_USE int soon_task_cancel_fd(soon_task *task);

/** What soon_task_add_cancel_callback() is given. */
typedef void (*soon_cancel_fn)(void *data);

/**
 * Has `fn` called once when soon_task_cancel_requested() becomes true, at once if it is. It is for a task that blocks
 * in something that another thread can interrupt: sqlite3_interrupt(), pthread_kill(), a condition. A task that waits
 * for descriptors has soon_task_cancel_fd().
 *
 * `fn` may call what may be called on any thread, but must not wait for the task, which waits for it. Keep it short.
 *
 * Ownership: `data` is lent until `fn` was called, or taken back, or the task has ended. The task does not end before
 * `fn` has returned.
 * Threads: worker only. Never blocks. `fn` runs on the thread that cancels or shuts down, before that returns; for a
 * time limit on the library's callback thread; in a worker process on a thread for that. No lock is held.
 * Returns: 0. Else `fn` will not run: -EINVAL for NULL; -ENOMEM, -EAGAIN or SOON_EFORKED as soon_task_cancel_fd().
 */
SOON_API SOON_MUST_USE int soon_task_add_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data);

/**
 * Takes back the first registration of `fn` with `data` that has not begun to run. If there is none and `fn` runs just
 * now on another thread, it waits until that has returned. So after this call what `data` points to may go.
 *
 * Threads: worker only. Blocks only while `fn` runs.
 * Returns: true: it will not run; false: it has run, or there is none.
 */
SOON_API bool soon_task_remove_cancel_callback(soon_task *task, soon_cancel_fn fn, void *data);

/**
 * Returns the milliseconds until the time limit; 0: it is over; SOON_FOREVER: there is none. Any thread of the task.
 */
SOON_API int64_t soon_task_time_left_ms(const soon_task *task);

/**
 * Sets what soon_future_progress() shows from now on, in units of the task's own; `total` 0: unknown. What was set last
 * stays when the task has ended. The first call allocates; if there is no memory, nothing is shown.
 *
 * Threads: any thread of the task.
 */
SOON_API void soon_task_set_progress(soon_task *task, uint64_t done, uint64_t total);

/** Returns the executor that runs the task, for nested submits; in a worker process NULL. Lent. Worker only. */
SOON_API soon_executor *soon_task_executor(soon_task *task);

/**
 * Returns what the initializer has left on this worker. NULL: it has left nothing, there is none, or the task runs on
 * the thread that submitted it. Lent. Worker only.
 */
SOON_API void *soon_task_local(soon_task *task);

/**
 * In an initializer: leaves `local` for the tasks of this worker. `release` (or NULL) gets it when that ends. Worker
 * only.
 */
SOON_API void soon_task_set_local(soon_task *task, void *local, soon_free_fn release);

/**
 * Returns the memory of the pool's option `shared`, where this process sees it. NULL: none. Lent. Any thread of the
 * task.
 */
SOON_API void *soon_task_shared(soon_task *task);

/** Returns the submit option `label`, or "". Lent. Worker only. */
SOON_API const char *soon_task_label(const soon_task *task);

/**
 * Returns the bytes of the argument. They are aligned for any type; only those of a soon_map_items() or
 * soon_map_strings() that waits are, on threads, the caller's own. Lent. Worker only.
 */
SOON_API soon_bytes soon_task_arg(const soon_task *task);

/**
 * Returns the submit option `extra`, or that of an initializer: bytes beside the argument, for what has no fixed size.
 * They are aligned for any type. No bytes if there are none. Lent. Worker only.
 */
SOON_API soon_bytes soon_task_extra(const soon_task *task);

/**
 * Returns the argument as a string, the last byte of which is a NUL: what the body of a SOON_TASK_STRING gets. NULL:
 * the argument does not end with a NUL. Then the task has failed as by soon_raise() with EINVAL. Lent. Worker only.
 */
SOON_API const char *soon_task_string(soon_task *task);

/**
 * Returns the payload that was submitted with the task, the first if there are several, to be read only. NULL: none.
 * Lent. Worker only.
 */
SOON_API soon_buffer *soon_task_payload(soon_task *task);

/**
 * Returns one of several payloads that were submitted with the task, to be read only: 0 is soon_task_payload(), the
 * others come from the option `payloads`. NULL: there are not so many. Lent. Worker only.
 */
SOON_API soon_buffer *soon_task_payload_at(soon_task *task, size_t index);

/** Returns how many payloads were submitted with the task. Worker only. */
SOON_API size_t soon_task_payload_count(const soon_task *task);

/**
 * Returns the result of one of the futures that the task was submitted `after`, in their order, to be read only. On
 * threads it is not copied. It is aligned for any type. No bytes if there are not so many, or that one has none. Lent.
 * Worker only.
 */
SOON_API soon_bytes soon_task_input(const soon_task *task, size_t index);

/** Returns how many futures the task was submitted `after`. Worker only. */
SOON_API size_t soon_task_input_count(const soon_task *task);

/**
 * Returns the first payload that came with such a result, as soon_future_payload(). NULL: there is none. Lent. Worker
 * only.
 */
SOON_API soon_buffer *soon_task_input_payload(const soon_task *task, size_t index);

/**
 * Copies such a result of exactly `size` bytes to `ret`. soon_input(task, i, &x) fills in the size.
 *
 * Threads: worker only.
 * Returns: 0. Else it leaves `*ret` alone and returns SOON_ETYPE: it has another size; or -EINVAL: NULL, or there are
 * not so many.
 */
SOON_API int soon_task_read_input(const soon_task *task, size_t index, void *ret, size_t size);

/** rc = soon_input(task, 0, &x): soon_task_read_input() of the first future that the task was submitted `after`. */
#define soon_input(task, index, ret) soon_task_read_input((task), (index), (ret), sizeof *(ret))

/**
 * Gives `size` zeroed bytes for the result, to be filled in place. A later call replaces an earlier one. Choose it for
 * a result of variable size that can be built where it lies; else soon_task_return_bytes().
 *
 * Ownership: the bytes belong to the future.
 * Threads: worker only.
 * Returns: the bytes. NULL: no memory; or the function's result has a fixed size, which is another.
 */
SOON_API void *soon_task_return_space(soon_task *task, size_t size);

/**
 * Sets the result to a copy of `size` bytes at `data`.
 *
 * Ownership: the bytes are copied.
 * Threads: worker only.
 * Returns: 0; -ENOMEM; -EINVAL: NULL; SOON_ETYPE: the function's result has a fixed size, which is another.
 */
SOON_API int soon_task_return_bytes(soon_task *task, const void *data, size_t size);

/**
 * Sets the result of a function of variable size to a text with its NUL: what printf() would print.
 *
 * Ownership: the text is copied.
 * Threads: worker only.
 * Returns: as soon_task_return_bytes(); -EINVAL also for a text that cannot be formatted.
 */
SOON_API int soon_task_return_text(soon_task *task, const char *format, ...) SOON_PRINTF(2, 3);

/**
 * Sends a buffer along with the result: soon_future_payload(). A later call replaces an earlier one. Takes the buffer,
 * always. Worker only. Returns 0, or -EINVAL for NULL.
 */
SOON_API int soon_task_return_payload(soon_task *task, soon_buffer *buffer);

/**
 * Sends one more buffer along, behind those that go already: soon_future_payload_at(). soon_task_return_payload()
 * changes the first. Takes the buffer, always. Worker only. Returns 0; -ENOMEM; -EINVAL for NULL.
 */
SOON_API int soon_task_add_payload(soon_task *task, soon_buffer *buffer);

#ifdef __cplusplus
}
#define SOON__EXTERN_C extern "C"
#else
#define SOON__EXTERN_C extern
#endif

/* What travels by value must mean the same elsewhere: it is no bare pointer in C, and in C++ has no constructor. */
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
/* A pointer and an array both decay to a pointer in an expression, but only the pointer has that type itself. */
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
    SOON__EXTERN_C const uint64_t name##_task_version __attribute__((weak, visibility("hidden")));                     \
    const soon_function name##_task = {#name, call, as, rs, at, rt, fl, fa, fr, rk, &name##_task_version, {0, 0}};     \
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
 * In a header: declares the function that SOON_TASK_DEFINE defines in one .c file, with its types and its typed calls:
 * `name_task`, `name_arg`, `name_result`, `name_submit`, `name_try_submit`, `name_get`, as SOON_TASK makes them.
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
 *     slow_add                                 the body, a plain static function of (task, arg, result)
 *     slow_add_task                            the soon_function, with external linkage: two of one name do not link
 *     slow_add_arg, slow_add_result            the two types
 *     slow_add_submit(executor, &arg, options)
 *                                              soon_submit_bytes(), typed. arg NULL: zeroes; options NULL: defaults
 *     slow_add_try_submit(&future, executor, &arg, options)
 *                                              soon_try_submit_bytes(), typed
 *     slow_add_get(future, timeout_ms, &result)
 *                                              soon_future_read_as(): SOON_ETYPE for a future of another function
 *
 * The body returns 0, or fails with soon_raise(). Argument and result travel by value. A type that is a pointer does
 * not compile, nor in C++ one that is not trivially copyable. A type whose name is not one identifier (an array, a
 * pointer to a function) needs a typedef first. A C++ exception must not leave the body.
 */
#define SOON_TASK(name, arg_type, result_type)                                                                         \
    SOON_TASK_DECLARE(name, arg_type, result_type);                                                                    \
    SOON__TASK_BODY(name, 0, NULL, NULL)

/**
 * As SOON_TASK, but argument and result may hold pointers. Only executors in this process take such a task; others
 * refuse it with SOON_ELOCAL. `free_arg` and `free_result` release what argument and result point to: see
 * soon_function. Either may be NULL.
 */
#define SOON_TASK_LOCAL(name, arg_type, result_type, free_arg, free_result)                                            \
    SOON__TASK_TYPES(name, arg_type, result_type)                                                                      \
    SOON__TASK_BODY(name, SOON_FUNCTION_LOCAL, free_arg, free_result)

/*
 * Functions whose argument has any size. The type of the result may be left out; then that has any size, too. Macros
 * that end in _0 are for that case, those in _1 for a result with a type.
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
/* A NULL string is submitted as NULL with a size, which is refused. */
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

/* `take` gets from the task what the body is given; `fails`: it could not. The typedefs must be those of the
 * declaration. */
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
 * SOON_TASK_BYTES_DECLARE(name), or (name, result_type), declares a function on bytes for SOON_TASK_BYTES_DEFINE:
 * `name_task`, `name_submit(executor, data, size, options)` and `name_try_submit(&future, executor, data, size,
 * options)`. With a result type it also declares `name_result` and `name_get(future, timeout_ms, &result)`.
 */
#define SOON_TASK_BYTES_DECLARE(...)                                                                                   \
    SOON__CAT(SOON__BYTES_DECLARE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__) struct soon__semicolon

/**
 * In the .c file of a declared function, with the same arguments. The body reads `arg`, a soon_bytes, and sets its
 * result with soon_task_return_*(), or in `*result`.
 */
#define SOON_TASK_BYTES_DEFINE(...) SOON__CAT(SOON__BYTES_DEFINE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__)

/**
 * A function on bytes, declared and defined at once. SOON_TASK_BYTES(greet) { ... } has an argument and a result of any
 * size. With a second argument the result has a fixed size:
 *
 *     SOON_TASK_BYTES(checksum, uint32_t)
 *     {
 *         *result = crc(arg.data, arg.size);
 *         return 0;
 *     }
 */
#define SOON_TASK_BYTES(...)                                                                                           \
    SOON_TASK_BYTES_DECLARE(__VA_ARGS__);                                                                              \
    SOON_TASK_BYTES_DEFINE(__VA_ARGS__)

/**
 * The same for a function on a string: `name_submit(executor, string, options)` and `name_try_submit(&future, executor,
 * string, options)`. They refuse NULL with -EINVAL.
 */
#define SOON_TASK_STRING_DECLARE(...)                                                                                  \
    SOON__CAT(SOON__STRING_DECLARE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__) struct soon__semicolon

/** In the .c file of a declared function, with the same arguments. */
#define SOON_TASK_STRING_DEFINE(...) SOON__CAT(SOON__STRING_DEFINE_, SOON__MORE(__VA_ARGS__))(__VA_ARGS__)

/**
 * A function on a string of any length, declared and defined at once:
 *
 *     SOON_TASK_STRING(hash_file, struct digest)      const char *arg, struct digest *result
 *     SOON_TASK_STRING(first_line)                    const char *arg; the result by soon_task_return_*()
 *
 * The string travels with its NUL. A task that was given bytes without one fails. See also soon_map_strings().
 */
#define SOON_TASK_STRING(...)                                                                                          \
    SOON_TASK_STRING_DECLARE(__VA_ARGS__);                                                                             \
    SOON_TASK_STRING_DEFINE(__VA_ARGS__)

/** @} */
#endif
