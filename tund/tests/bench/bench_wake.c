/* What it costs that a thread sleeps: microseconds from a word to it until it runs, where the machine has been idle as between
 * two pings of scripts/bench. A packet through two tunnels and back wakes four times: this end's daemon, the other's, this
 * end's again, and ping, which a bare veth does not let sleep. */
#include "libtunnel/tests/bench/bench.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAKES 1000
#define IDLE_NS 5000000

static struct {
    int fd;
    uint64_t sent_ns;
    double took_us[WAKES];
} w;

static uint64_t wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *sleeper(void *unused)
{
    uint64_t word;

    (void)unused;
    for (int i = 0; i < WAKES; i++) {
        bench_must(read(w.fd, &word, sizeof word) == sizeof word, "a word");
        w.took_us[i] = (double)(wall_ns() - __atomic_load_n(&w.sent_ns, __ATOMIC_ACQUIRE)) / 1e3;
    }
    return NULL;
}

int main(void)
{
    const struct timespec idle = {.tv_nsec = IDLE_NS};
    const uint64_t word = 1;
    pthread_t thread;

    w.fd = eventfd(0, EFD_CLOEXEC);
    bench_must(w.fd >= 0 && !pthread_create(&thread, NULL, sleeper, NULL), "a thread");
    for (int i = 0; i < WAKES; i++) {
        nanosleep(&idle, NULL);
        __atomic_store_n(&w.sent_ns, wall_ns(), __ATOMIC_RELEASE);
        bench_must(write(w.fd, &word, sizeof word) == sizeof word, "a word");
    }
    pthread_join(thread, NULL);
    close(w.fd);
    qsort(w.took_us, WAKES, sizeof w.took_us[0], bench_compare);
    printf("%-56s %10.1f\n", "wake a thread of an idle machine, median us", w.took_us[WAKES / 2]);
    printf("%-56s %10.1f\n", "wake a thread of an idle machine, p99 us", w.took_us[WAKES * 99 / 100]);
    return 0;
}
