/* A stage's cost: so many calls, in rounds, of which the median counts. Time is the process's own (one
 * thread), so that what else the machine does counts little. One line each:
 *   name  nanoseconds */
#ifndef TN_TESTS_BENCH_H
#define TN_TESTS_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_ROUNDS 11
#define BENCH_ROUND_NS 20000000 /* about as long as a round takes */

static inline uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* `step(ctx)` does `each` of what is counted. Prints, and returns, nanoseconds of one. */
static inline double bench(const char *name, void (*step)(void *ctx), void *ctx, double each)
{
    double round[BENCH_ROUNDS];
    uint64_t calls = 1, began, took = 0;

    for (;; calls *= 2) { /* how many calls make a round */
        began = bench_now_ns();
        for (uint64_t i = 0; i < calls; i++)
            step(ctx);
        took = bench_now_ns() - began;
        if (took > BENCH_ROUND_NS / 2)
            break;
    }
    for (int r = 0; r < BENCH_ROUNDS; r++) {
        began = bench_now_ns();
        for (uint64_t i = 0; i < calls; i++)
            step(ctx);
        round[r] = (double)(bench_now_ns() - began) / ((double)calls * each);
    }
    qsort(round, BENCH_ROUNDS, sizeof round[0], bench_compare);
    printf("%-56s %10.1f\n", name, round[BENCH_ROUNDS / 2]);
    fflush(stdout);
    return round[BENCH_ROUNDS / 2];
}

static inline void bench_must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

#endif
