/*
 * limits.c - what the machine itself can do: nothing that passes work from one thread or process to another can be
 * faster.
 *
 *     limits pingpong between=threads|processes spin_there_ns= spin_here_ns= rounds= pause_us= passes=
 *     limits blocks between=threads|processes tasks= passes=
 *     limits ring between=threads|processes items= passes=
 *     limits exchange size= copies=1|2 spin_there_ns= spin_here_ns= rounds= passes=
 *     limits fresh size= rounds= passes=
 *     limits memcpy size= rounds= passes=
 *     limits start resident= passes=
 */
#include "bench.h"
#include "touch.h"

#include <linux/futex.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A bell: a word that the other side counts up, and the sleepers that it has to wake. */
struct bell {
    _Alignas(128) _Atomic uint32_t count;
    _Atomic uint32_t asleep;
};

static struct {
    struct bell *there, *here; /* shared memory */
    int64_t spin_there_ns, spin_here_ns;
    uint32_t rounds;
} table;

static void pause_a_little(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void ring(struct bell *bell)
{
    atomic_fetch_add(&bell->count, 1);
    if (atomic_load(&bell->asleep))
        syscall(SYS_futex, &bell->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool spin(struct bell *bell, uint32_t old, int64_t spin_ns)
{
    int64_t until = spin_ns ? bench_now_ns() + spin_ns : 0;

    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&bell->count, memory_order_acquire) != old)
                return true;
            pause_a_little();
        }
    } while (spin_ns && bench_now_ns() < until);
    return false;
}

static void await(struct bell *bell, uint32_t old, int64_t spin_ns)
{
    if (spin_ns && spin(bell, old, spin_ns))
        return;
    while (atomic_load(&bell->count) == old) {
        atomic_store(&bell->asleep, 1);
        if (atomic_load(&bell->count) == old)
            syscall(SYS_futex, &bell->count, FUTEX_WAIT, old, NULL, NULL, 0);
        atomic_store(&bell->asleep, 0);
    }
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    bench_check(memory != MAP_FAILED, "mmap");
    return memory;
}

static bool is_processes(void)
{
    return strcmp(bench_word("between", "threads"), "processes") == 0;
}

/*
 * The other side: a thread, or a child
 */

struct partner {
    pthread_t thread;
    pid_t pid;
};

static struct partner start(void *(*run)(void *), bool process)
{
    struct partner partner = {.pid = -1};

    if (!process) {
        bench_check(pthread_create(&partner.thread, NULL, run, NULL) == 0, "pthread_create");
        return partner;
    }
    partner.pid = fork();
    bench_check(partner.pid >= 0, "fork");
    if (partner.pid == 0) {
        run(NULL);
        _exit(0);
    }
    return partner;
}

static void join(struct partner partner)
{
    int status = 0;

    if (partner.pid < 0)
        pthread_join(partner.thread, NULL);
    else
        bench_check(waitpid(partner.pid, &status, 0) == partner.pid && status == 0, "the other process");
}

static void set_table(uint32_t rounds)
{
    table.there = shared(sizeof *table.there);
    table.here = shared(sizeof *table.here);
    table.spin_there_ns = bench_number("spin_there_ns", 0);
    table.spin_here_ns = bench_number("spin_here_ns", 0);
    table.rounds = rounds;
}

/*
 * Ping-pong
 */

static void *pong(void *data)
{
    for (uint32_t i = 0; i < table.rounds; i++) {
        await(table.there, i, table.spin_there_ns);
        ring(table.here);
    }
    return data;
}

static int pingpong(void)
{
    uint32_t rounds = (uint32_t)bench_number("rounds", 20000), passes = (uint32_t)bench_number("passes", 3), i = 0;
    useconds_t pause_us = (useconds_t)bench_number("pause_us", 0);
    int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
    struct partner partner;

    set_table(rounds * passes);
    partner = start(pong, is_processes());
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (uint32_t j = 0; j < rounds; j++, i++) {
            if (pause_us)
                usleep(pause_us);
            int64_t started_ns = bench_now_ns();
            ring(table.there);
            await(table.here, i, table.spin_here_ns);
            times_ns[j] = bench_now_ns() - started_ns;
        }
        bench_percentiles(times_ns, rounds);
    }
    join(partner);
    free(times_ns);
    return bench_finish();
}

/*
 * A block there and back: what a pool must do for a task that can be cancelled and waited for, and no more. A block is
 * pushed by a compare-exchange onto a list that the other side takes whole. It starts by another one, since somebody
 * might have cancelled it. The result is written beside the argument, and the end is an exchange. All are made, then
 * each is read. Nobody sleeps.
 */

enum { PENDING, RUNNING, FINISHED };

struct block {
    _Alignas(64) _Atomic uint64_t state;
    uint64_t next; /* its place in `all`, plus one */
    uint64_t argument, result;
};

static struct blocks {
    _Alignas(128) _Atomic uint64_t latest;
    _Alignas(128) uint64_t count, passes;
    struct block all[];
} * blocks;

static void push_block(uint64_t place, uint64_t argument)
{
    struct block *block = &blocks->all[place];

    block->argument = argument;
    atomic_store_explicit(&block->state, PENDING, memory_order_relaxed);
    block->next = atomic_load_explicit(&blocks->latest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&blocks->latest, &block->next, place + 1, memory_order_release,
                                                  memory_order_relaxed))
        continue;
}

/* Takes all blocks that are there, the oldest first, as places plus one; 0: none. */
static uint64_t take_blocks(void)
{
    uint64_t latest, oldest = 0;

    if (!atomic_load_explicit(&blocks->latest, memory_order_relaxed))
        return 0;
    latest = atomic_exchange_explicit(&blocks->latest, 0, memory_order_acquire);
    while (latest) {
        struct block *block = &blocks->all[latest - 1];
        uint64_t next = block->next;
        block->next = oldest;
        oldest = latest;
        latest = next;
    }
    return oldest;
}

static void *answer_blocks(void *data)
{
    for (uint64_t done = 0; done < blocks->count * blocks->passes;) {
        uint64_t at = take_blocks();
        if (!at)
            pause_a_little();
        for (; at; done++) {
            struct block *block = &blocks->all[at - 1];
            uint64_t state = PENDING;
            at = block->next; /* after its end the block belongs to the reader */
            bench_check(atomic_compare_exchange_strong_explicit(&block->state, &state, RUNNING, memory_order_acq_rel,
                                                                memory_order_relaxed),
                        "a block's state");
            block->result = block->argument + 1;
            atomic_exchange_explicit(&block->state, FINISHED, memory_order_acq_rel);
        }
    }
    return data;
}

static uint64_t read_block(const struct block *block)
{
    while (atomic_load_explicit(&block->state, memory_order_acquire) != FINISHED)
        pause_a_little();
    return block->result;
}

static int blocks_case(void)
{
    uint64_t count = (uint64_t)bench_number("tasks", 100000);
    struct partner partner;

    blocks = shared(sizeof *blocks + count * sizeof *blocks->all);
    blocks->count = count;
    blocks->passes = (uint64_t)bench_number("passes", 3);
    partner = start(answer_blocks, is_processes());
    for (uint64_t pass = 0; pass < blocks->passes; pass++) {
        int64_t started_ns = bench_now_ns();
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; i++)
            push_block(i, i);
        for (uint64_t i = 0; i < count; i++)
            sum += read_block(&blocks->all[i]);
        bench_metric("ns_per_task", (double)(bench_now_ns() - started_ns) / (double)count);
        bench_check(sum == bench_sum(count), "the sum of the results");
    }
    join(partner);
    return bench_finish();
}

/*
 * One-way ring: what it costs to pass a word on, where nobody sleeps
 */

enum { PLACES = 4096 };

static struct ring {
    _Alignas(128) _Atomic uint64_t tail;
    _Alignas(128) _Atomic uint64_t head;
    _Alignas(128) uint64_t sum;
    _Atomic bool is_there;
    uint64_t items[PLACES];
} * one_way;

static void *consume(void *data)
{
    uint64_t items = (uint64_t)bench_number("items", 1000000), sum = 0;

    atomic_store(&one_way->is_there, true);
    for (uint64_t head = 0; head < items;) {
        uint64_t tail = atomic_load_explicit(&one_way->tail, memory_order_acquire);
        for (; head < tail; head++)
            sum += one_way->items[head % PLACES];
        atomic_store_explicit(&one_way->head, head, memory_order_release);
    }
    one_way->sum = sum;
    return data;
}

static int ring_case(void)
{
    uint64_t items = (uint64_t)bench_number("items", 1000000);

    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        one_way = shared(sizeof *one_way);
        struct partner partner = start(consume, is_processes());
        while (!atomic_load(&one_way->is_there))
            pause_a_little();
        int64_t started_ns = bench_now_ns();
        for (uint64_t tail = 0; tail < items; tail++) {
            while (tail - atomic_load_explicit(&one_way->head, memory_order_acquire) == PLACES)
                pause_a_little();
            one_way->items[tail % PLACES] = tail + 1;
            atomic_store_explicit(&one_way->tail, tail + 1, memory_order_release);
        }
        while (atomic_load_explicit(&one_way->head, memory_order_acquire) != items)
            pause_a_little();
        bench_metric("ns_per_task", (double)(bench_now_ns() - started_ns) / (double)items);
        join(partner);
        bench_check(one_way->sum == bench_sum(items), "the sum of the items");
        munmap(one_way, sizeof *one_way);
    }
    return bench_finish();
}

/*
 * Bulk data through shared memory that is there already, with the copies that a pool makes: with copies=2 the argument
 * is first copied to memory of the caller's own, which a worker cannot spoil, and then to where the worker sees it;
 * with copies=1 only that. The result is copied out once, for the same reason.
 */

static struct {
    char *request, *reply;
    size_t size;
} area;

static void *answer(void *data)
{
    for (uint32_t i = 0; i < table.rounds; i++) {
        await(table.there, i, table.spin_there_ns);
        touch_fill(area.reply, area.size, touch_sum(area.request, area.size));
        ring(table.here);
    }
    return data;
}

static int exchange(void)
{
    uint32_t rounds = (uint32_t)bench_number("rounds", 20), passes = (uint32_t)bench_number("passes", 3), i = 0;
    bool twice = bench_number("copies", 2) == 2;
    struct partner partner;

    area.size = (size_t)bench_number("size", 1 << 20);
    area.request = shared(area.size);
    area.reply = shared(area.size);
    char *data = bench_alloc(1, area.size), *original = bench_alloc(1, area.size), *result = bench_alloc(1, area.size);
    set_table(rounds * (passes + 1));
    partner = start(answer, true);
    for (uint32_t pass = 0; pass <= passes; pass++) {
        int64_t started_ns = bench_now_ns();
        for (uint32_t j = 0; j < rounds; j++, i++) {
            touch_fill(data, area.size, i);
            if (twice)
                memcpy(original, data, area.size);
            memcpy(area.request, twice ? original : data, area.size);
            ring(table.there);
            await(table.here, i, table.spin_here_ns);
            memcpy(result, area.reply, area.size);
            bench_check(touch_sum(result, area.size) == touch_answer(area.size, i), "the result's bytes");
        }
        if (pass > 0) /* the first one faults the pages in */
            bench_metric("ns_per_exchange", (double)(bench_now_ns() - started_ns) / rounds);
    }
    join(partner);
    free(data);
    free(original);
    free(result);
    return bench_finish();
}

/*
 * Memory that another process could map, made, written and given back, twice. That is the cost if argument and result
 * each have memory of their own, before anything is passed on.
 */

static void make_fresh(size_t size, uint64_t seed)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);
    void *memory;

    bench_check(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd_create");
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bench_check(memory != MAP_FAILED, "mmap");
    touch_fill(memory, size, seed);
    bench_check(touch_sum(memory, size) == touch_sum_of(size, seed), "the bytes");
    munmap(memory, size);
    close(fd);
}

static int fresh(void)
{
    size_t size = (size_t)bench_number("size", 1 << 20);
    int64_t rounds = bench_number("rounds", 20);

    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        int64_t started_ns = bench_now_ns();
        for (int64_t i = 0; i < rounds; i++) {
            make_fresh(size, (uint64_t)i);
            make_fresh(size, (uint64_t)i + 1);
        }
        bench_metric("ns_per_exchange", (double)(bench_now_ns() - started_ns) / (double)rounds);
    }
    return bench_finish();
}

static int copy(void)
{
    size_t size = (size_t)bench_number("size", 1 << 20);
    int64_t rounds = bench_number("rounds", 20);
    char *from = bench_alloc(1, size), *to = bench_alloc(1, size);

    memset(from, 1, size);
    memset(to, 2, size);
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        int64_t started_ns = bench_now_ns();
        for (int64_t i = 0; i < rounds; i++) {
            from[i % (int64_t)size]++;
            memcpy(to, from, size);
            __asm__ volatile("" ::"r"(to) : "memory");
        }
        bench_metric("ns_per_exchange", (double)(bench_now_ns() - started_ns) / (double)rounds);
        bench_check(memcmp(from, to, size) == 0, "the copy");
    }
    free(from);
    free(to);
    return bench_finish();
}

/* A program that does nothing: from its start to its end. */
static int start_program(void)
{
    char *words[] = {(char *)"true", NULL}, *none[] = {NULL};

    bench_grow(bench_number("resident", 0));
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        int64_t started_ns = bench_now_ns();
        int status;
        pid_t pid;
        bench_check(posix_spawn(&pid, "/bin/true", NULL, NULL, words, none) == 0, "a program could not be started");
        bench_check(waitpid(pid, &status, 0) == pid && status == 0, "it failed");
        bench_metric("first_result_ns", (double)(bench_now_ns() - started_ns));
    }
    return bench_finish();
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";

    bench_start(argc, argv);
    if (strcmp(which, "pingpong") == 0)
        return pingpong();
    if (strcmp(which, "blocks") == 0)
        return blocks_case();
    if (strcmp(which, "ring") == 0)
        return ring_case();
    if (strcmp(which, "exchange") == 0)
        return exchange();
    if (strcmp(which, "fresh") == 0)
        return fresh();
    if (strcmp(which, "start") == 0)
        return start_program();
    bench_check(strcmp(which, "memcpy") == 0, "which limit");
    return copy();
}
