/*
 * storm.h - what the parts of the storm share: chance, what is known of each future, the round that is played.
 */
#ifndef SOON_TESTS_STORM_STORM_H
#define SOON_TESTS_STORM_STORM_H

#include <soon.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DRIVERS = 3, RECORDS = 4096, COUNTS = 1 << 20, PUBLIC = 128, CALLBACKS = 8192, LIVE = 48, LOOPS = 2 };

extern bool procs, sanitized; /* on processes; under a sanitizer */
extern uint64_t seed0, round_number;
extern _Atomic uint64_t violations, operations, futures_made, blows_all, stops_all, squeezes, forks, corrupts,
    kills_made, cancels_made, rounds, outcomes[12];

/*
 * Chance
 */

struct dice {
    uint64_t state;
};

static inline uint64_t roll(struct dice *d)
{
    uint64_t z = (d->state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline unsigned below(struct dice *d, unsigned n)
{
    return (unsigned)(roll(d) % n);
}

static inline bool one_in(struct dice *d, unsigned n)
{
    return below(d, n) == 0;
}

static inline void nap_us(unsigned us)
{
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000L}, NULL);
}

static inline int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

#define WRONG(what, ...)                                                                                               \
    do {                                                                                                               \
        static _Atomic unsigned shown;                                                                                 \
                                                                                                                       \
        violations++;                                                                                                  \
        if (++shown <= 12) {                                                                                           \
            flockfile(stdout);                                                                                         \
            printf("VIOLATION %s: seed %llu round %llu: ", what, (unsigned long long)seed0,                            \
                   (unsigned long long)round_number);                                                                  \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
            fflush(stdout);                                                                                            \
            funlockfile(stdout);                                                                                       \
        }                                                                                                              \
    } while (0)

/* The tasks: tasks.c, scribble.c. */

struct arg {
    uint32_t ticket;
    int32_t n;
    int32_t us;
};

SOON_TASK_DECLARE(add, struct arg, int64_t);
SOON_TASK_DECLARE(add_then, int64_t, int64_t);
SOON_TASK_DECLARE(doze, struct arg, int64_t);
SOON_TASK_DECLARE(sulk, struct arg, int64_t);
SOON_TASK_DECLARE(fall, struct arg, int64_t);
SOON_TASK_DECLARE(haul, struct arg, int64_t);
SOON_TASK_DECLARE(fork_join, struct arg, int64_t);
SOON_TASK_DECLARE(wait_for_self, struct arg, int64_t);
SOON_TASK_DECLARE(begin, int, soon_none);
SOON_TASK_DECLARE(rave, struct arg, int64_t);
SOON_TASK_BYTES_DECLARE(carry);

void count_start(soon_task *task, uint32_t ticket);
void paint(unsigned char *to, size_t size, uint32_t ticket);
bool is_painted(const unsigned char *from, size_t size, uint32_t ticket);
int64_t fork_join_value(int n);
extern soon_future *_Atomic selves[RECORDS]; /* by record */

/*
 * What is known of a future
 */

enum kind { ADD, DOZE, SULK, FALL, CARRY, FORK_JOIN, SELF, RAVE, MAP, IMAP_ITEM, THEN, GATHER, ANY, APPLY, KINDS };

struct record {
    soon_future *future; /* ours */
    enum kind kind;
    uint32_t ticket, tickets; /* of so many */
    int64_t value;
    size_t size, payload;
    bool time_limit, queue_limit, may_be_full, stops_at_error, wants_item_check;
    int retries;
    _Atomic bool cancelled, killed; /* was asked to, by anybody */
    bool late;                      /* submitted when the shutdown may have begun */
    struct record *members[4];
    int member_count;
    int32_t args_n[40];
};

struct round {
    soon_executor *pool;
    _Atomic unsigned char *counts;
    size_t workers;
    _Atomic int mode; /* the strongest that was asked for; -1: none */
    _Atomic bool over, down;
    bool breaks, init_fails, squeezed, bounded, any_corrupt, bounded_fail, limits;
    unsigned pause; /* between blows: times 6 ms */
    _Atomic uint32_t blows, tickets, innocents_died, kills, corrupt_tasks;
    struct record records[RECORDS];
    _Atomic uint32_t used;
    pthread_mutex_t mutex;
    struct {
        struct record *record;
        soon_future *future;
    } public[PUBLIC];
};
extern struct round r;

struct callback {
    _Atomic int state; /* 0 none, 1 registered, 2 ran, 3 taken back */
    soon_future *expected;
};
extern struct callback callbacks[CALLBACKS];
extern _Atomic uint32_t callbacks_used;
extern soon_loop *loops[LOOPS]; /* one of libuv; one that two threads poll, and dispatch in turns */

/* model.c */
void on_done(soon_future *future, void *data);
struct callback *new_callback(void);
struct record *new_record(enum kind kind, uint32_t tickets); /* NULL: there are no more */
void publish(struct record *record, struct dice *d);         /* others may see it from now on */
soon_future *pick(struct dice *d, struct record **ret);      /* a published one, or NULL */
void mark_cancelled(struct record *record);
void mark_killed(struct record *record);
void check_code(struct record *record, const char *what, int code, bool started, uint32_t ticket);
void check_resolved(void);
void judge(struct record *record);

/* submits.c */
struct record *submit_one(struct dice *d);
struct record *submit_self(struct dice *d);
struct record *submit_map(struct dice *d);
void do_imap(struct dice *d);
struct record *submit_apply(struct dice *d);
struct record *derive(struct record *const *live, unsigned count, struct dice *d);

void *drive(void *data);  /* driver.c */
void *strike(void *data); /* outside.c */

#endif
