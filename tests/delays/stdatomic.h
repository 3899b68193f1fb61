/*
 * stdatomic.h - the compiler's, with a random delay before each atomic operation: mostly none, now and then a yield,
 * rarely a sleep of up to three milliseconds. A window between two operations, which is some instructions wide and would
 * be hit once in a million runs, is then hit within some hundreds. For gcc; see CONTRIBUTING.md for how it is run.
 */
#ifndef SOON_TESTS_DELAYS_STDATOMIC_H
#define SOON_TESTS_DELAYS_STDATOMIC_H

#include_next <stdatomic.h>

/* Not <unistd.h> and <errno.h>: what includes this may set macros for these later. */
extern int sched_yield(void) __attribute__((nothrow));
extern int usleep(unsigned microseconds);
extern int getentropy(void *bytes, __SIZE_TYPE__ size);
extern int *__errno_location(void) __attribute__((nothrow, const));

__attribute__((unused)) static inline void soon__delay(void)
{
    static __thread unsigned long long dice;
    int error = *__errno_location();

    while (!dice) /* each thread of each process throws its own */
        (void)!getentropy(&dice, sizeof dice);
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    if (dice % 512 == 0)
        sched_yield();
    else if (dice % 1021 == 0)
        usleep(1 + (unsigned)(dice >> 40) % 3000);
    *__errno_location() = error;
}

#undef atomic_load_explicit
#define atomic_load_explicit(from, order)                                                                              \
    __extension__({                                                                                                    \
        __auto_type soon__at = (from);                                                                                 \
        __typeof__((void)0, *soon__at) soon__was;                                                                      \
        soon__delay();                                                                                                 \
        __atomic_load(soon__at, &soon__was, (order));                                                                  \
        soon__was;                                                                                                     \
    })

#undef atomic_store_explicit
#define atomic_store_explicit(to, value, order)                                                                        \
    __extension__({                                                                                                    \
        __auto_type soon__at = (to);                                                                                   \
        __typeof__((void)0, *soon__at) soon__new = (value);                                                            \
        soon__delay();                                                                                                 \
        __atomic_store(soon__at, &soon__new, (order));                                                                 \
    })

#undef atomic_exchange_explicit
#define atomic_exchange_explicit(at, value, order)                                                                     \
    __extension__({                                                                                                    \
        __auto_type soon__at = (at);                                                                                   \
        __typeof__((void)0, *soon__at) soon__new = (value), soon__was;                                                 \
        soon__delay();                                                                                                 \
        __atomic_exchange(soon__at, &soon__new, &soon__was, (order));                                                  \
        soon__was;                                                                                                     \
    })

#define SOON__COMPARE_EXCHANGE(at, expected, value, weak, order, otherwise)                                            \
    __extension__({                                                                                                    \
        __auto_type soon__at = (at);                                                                                   \
        __typeof__((void)0, *soon__at) soon__new = (value);                                                            \
        soon__delay();                                                                                                 \
        __atomic_compare_exchange(soon__at, (expected), &soon__new, (weak), (order), (otherwise));                     \
    })
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(at, expected, value, order, otherwise)                                 \
    SOON__COMPARE_EXCHANGE(at, expected, value, 0, order, otherwise)
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(at, expected, value, order, otherwise)                                   \
    SOON__COMPARE_EXCHANGE(at, expected, value, 1, order, otherwise)

#undef atomic_fetch_add_explicit
#define atomic_fetch_add_explicit(at, value, order) (soon__delay(), __atomic_fetch_add((at), (value), (order)))
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(at, value, order) (soon__delay(), __atomic_fetch_sub((at), (value), (order)))
#undef atomic_fetch_and_explicit
#define atomic_fetch_and_explicit(at, value, order) (soon__delay(), __atomic_fetch_and((at), (value), (order)))
#undef atomic_fetch_or_explicit
#define atomic_fetch_or_explicit(at, value, order) (soon__delay(), __atomic_fetch_or((at), (value), (order)))

#endif
