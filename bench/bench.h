/*
 * bench.h - what the measuring programs share: arguments, clocks, quantiles, and one line of JSON.
 *
 * A program measures one system in one case, once: `submit workers=2 tasks=100000`. It warms up, measures `passes`
 * times, checks every result, and prints {"metric": [value, value ...], ...}. If a result is wrong it prints no numbers
 * and exits with 1; if the case cannot run here it exits with 77 and the reason. measure.py starts ours and the peers
 * in turns.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads arguments of the form key=value. */
void bench_start(int argc, char **argv);
int64_t bench_number(const char *key, int64_t otherwise);
const char *bench_word(const char *key, const char *otherwise);

int64_t bench_now_ns(void);
/* Keeps a CPU busy for so long, by the clock; the same in all systems. */
void bench_busy(int64_t ns);

/* Ends the program with 1 unless `holds`. */
void bench_check(bool holds, const char *what);
/* Ends the program with 77: this cannot be measured here. */
void bench_skip(const char *reason) __attribute__((noreturn));

/* Adds one more value, of one pass, to a metric. `name` is not copied. */
void bench_metric(const char *name, double value);
/* Sorts `count` times, and adds the metrics p50_ns, p99_ns and p999_ns, as far as there are enough times, and mean_ns. */
void bench_percentiles(int64_t *times_ns, size_t count);
/* Prints what was measured. Returns main's 0. */
int bench_finish(void);

void *bench_alloc(size_t count, size_t size);

/* Bytes of this process that are resident. */
int64_t bench_resident(void);
/* The time on a CPU, and how often they were given one, of all threads of this process and its children except the calling
 * thread, which has to look. */
struct bench_used {
    int64_t cpu_ns, switches;
};
struct bench_used bench_used(void);
/* Makes that much memory resident; for the cases with a large parent. */
void bench_grow(int64_t bytes);

/* The sum of 1 to n: what tasks that return their argument plus one add up to. */
static inline uint64_t bench_sum(uint64_t n)
{
    return n * (n + 1) / 2;
}

#ifdef __cplusplus
}
#endif
#endif
