/* What the stories of paths_net*_test.c share. */
#ifndef TN_TESTS_PATHS_NET_FIXTURE_H
#define TN_TESTS_PATHS_NET_FIXTURE_H

#include "pathnet.h"
#include "vectors.h"

#define SEEDS 50

static struct pathnet net;
static uint64_t net_seed;

/* Fails the test with a sentence and the seed that replays it. */
static inline void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("%s (seed %lu, at %lu us)", what, (unsigned long)net_seed,
                 (unsigned long)net.now.us);
}

static inline void begin(uint64_t seed)
{
    net_seed = seed;
    pathnet_init(&net, seed);
    net.jitter_us = TN_MS(3);
}

static inline void set_loss(uint32_t ppm)
{
    for (int e = 0; e < 2; e++)
        net.direct_loss_ppm[e] = net.relay_loss_ppm[e] = ppm;
}

static inline void set_data(uint64_t every_us)
{
    for (int e = 0; e < 2; e++) {
        net.end[e].data_every_us = every_us;
        net.end[e].data_at_us = net.now.us;
    }
}

static inline void set_coordinator(bool up)
{
    for (int e = 0; e < 2; e++) {
        net.end[e].coordinator_up = up;
        net.relay_cut[e] = !up;
        tn_paths_set_relay(&net.end[e].paths, up, &net.now);
    }
}

static inline void start_with_data(uint64_t every_us)
{
    pathnet_start(&net);
    set_data(every_us);
    pathnet_measure(&net);
}

/* How long it took until both ends were in that state; fails the test after `at_most_us`. */
static inline uint64_t time_until(uint8_t via, uint64_t at_most_us)
{
    uint64_t from_us = net.now.us;

    check(pathnet_run_until(&net, via, at_most_us), "the state was not reached in time");
    return net.now.us - from_us;
}

static inline void start_direct(uint64_t every_us)
{
    start_with_data(every_us);
    time_until(TN_VIA_DIRECT, TN_S(2));
}

static inline void clear_counters(void)
{
    for (int e = 0; e < 2; e++) {
        struct pathnet_end *me = &net.end[e];

        me->sent = me->got = me->got_direct = me->got_relay = me->dropped_no_route = 0;
        me->probes = me->probe_bytes = me->connects = 0;
        me->events = 0;
    }
}

static inline const struct tn_cand *find_cand(int end, const struct tn_addr *addr)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        const struct tn_cand *c = tn_paths_cand(&net.end[end].paths, i);

        if (c && tn_addr_equal(&c->addr, addr))
            return c;
    }
    return NULL;
}

static inline int compare_times(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Sorts, and prints median, 95 of 100, and the longest. */
static inline void print_times(const char *what, uint64_t *us, size_t count)
{
    qsort(us, count, sizeof(*us), compare_times);
    print_message("# %s: p50 %lu ms, p95 %lu ms, longest %lu ms\n", what,
                  (unsigned long)(us[count / 2] / 1000), (unsigned long)(us[count * 95 / 100] / 1000),
                  (unsigned long)(us[count - 1] / 1000));
}

#endif
