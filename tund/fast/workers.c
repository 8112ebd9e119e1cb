/* How it works: fork and join, batch by batch. The owner publishes an array of jobs in one 64-bit ticket:
 *
 *   round (32 bits) | jobs in all (16) | jobs taken (16)
 *
 * Everybody, the owner too, takes a few jobs at a time by moving the ticket on with compare-and-swap. That
 * can only succeed in the round that was read, and a round ends when all its jobs are done, so who
 * has taken some may read the array. Between rounds a worker looks for the next one for a moment, then
 * sleeps on `bell`.
 *
 * Threads do not always help: with one processor or two, with few packets, or where the other processors
 * are busy with the applications, waking and waiting cost more than sealing. So now and then some
 * batches are run with and without, alternately, and the faster way is taken until the next
 * trial; trials that fail become rare. While it is off, nothing is gathered and no
 * thread is woken. */
#include "workers.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/crypto/cipher.h"
#include "tund/log.h"

#define TAKE 4u           /* jobs at a time */
#define WORTH_JOBS 8u     /* fewer, */
#define WORTH_LEN 12000u  /* or fewer bytes in all, are done before anybody is awake */
#define SPIN 2000u        /* looks before sleeping: some 20 us */
#define AUTO_MAX 3u       /* workers: beyond that the owner is the limit */
#define TRIAL_BATCHES 16u /* with, and as many without */
#define WARM_UP 4u        /* batches of a trial that do not count: threads wake, the cipher gets memory */
#define GAIN 0.85         /* of the time without: then they help */
#define TRIAL_FIRST_NS 500000000ull
#define TRIAL_MAX_NS 32000000000ull
#define TRIAL_AGAIN_NS 2000000000ull /* when they do help */

struct trial {
    bool running, always, help;
    uint32_t batches;
    uint64_t ns[2], bytes[2]; /* 0: without, 1: with */
    uint64_t next_ns, pause_ns;
};

struct fast_workers {
    unsigned count;
    pthread_t thread[FAST_WORKERS_MAX];
    struct tn_job *job; /* of the round */
    _Alignas(64) atomic_uint_least64_t ticket;
    _Alignas(64) atomic_uint done;
    _Alignas(64) atomic_uint bell; /* a futex */
    atomic_uint asleep;
    atomic_bool stop;
    struct trial trial;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* ---- a round ---- */

static uint32_t taken_of(uint64_t ticket)
{
    return (uint32_t)(ticket & 0xffff);
}

static uint32_t count_of(uint64_t ticket)
{
    return (uint32_t)(ticket >> 16 & 0xffff);
}

/* False: nothing is left to take. */
static bool take_some(struct fast_workers *w)
{
    uint64_t ticket = atomic_load_explicit(&w->ticket, memory_order_acquire);
    uint32_t first, count;

    do {
        first = taken_of(ticket);
        count = count_of(ticket) - first < TAKE ? count_of(ticket) - first : TAKE;
        if (!count)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&w->ticket, &ticket, ticket + count,
                                                    memory_order_acq_rel, memory_order_acquire));
    for (uint32_t i = first; i < first + count; i++)
        tn_job_run(&w->job[i]);
    atomic_fetch_add_explicit(&w->done, count, memory_order_release);
    return true;
}

static bool has_work(struct fast_workers *w)
{
    uint64_t ticket = atomic_load_explicit(&w->ticket, memory_order_acquire);

    return taken_of(ticket) < count_of(ticket);
}

static void futex(atomic_uint *word, int operation, unsigned value)
{
    /* EAGAIN and EINTR: look again, as after any waking */
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* ---- a worker ---- */

static void rest(struct fast_workers *w)
{
    unsigned bell;

    for (unsigned i = 0; i < SPIN; i++) {
        if (has_work(w))
            return;
        relax();
    }
    bell = atomic_load(&w->bell);
    atomic_fetch_add(&w->asleep, 1);
    if (!has_work(w) && !atomic_load(&w->stop))
        futex(&w->bell, FUTEX_WAIT, bell);
    atomic_fetch_sub(&w->asleep, 1);
}

static void *work(void *arg)
{
    struct fast_workers *w = arg;

    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        if (!take_some(w))
            rest(w);
    }
    tn_cipher_in_use()->leave();
    return NULL;
}

/* ---- the owner ---- */

static void ring(struct fast_workers *w, unsigned count)
{
    atomic_fetch_add(&w->bell, 1);
    if (atomic_load(&w->asleep))
        futex(&w->bell, FUTEX_WAKE, count);
}

static void run_alone(struct tn_job *job, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tn_job_run(&job[i]);
}

static void run_together(struct fast_workers *w, struct tn_job *job, uint32_t count)
{
    uint64_t round = (atomic_load_explicit(&w->ticket, memory_order_relaxed) >> 32) + 1;
    unsigned looks = 0;

    w->job = job;
    atomic_store_explicit(&w->done, 0, memory_order_relaxed);
    atomic_store(&w->ticket, round << 32 | (uint64_t)count << 16);
    ring(w, (count + TAKE - 1) / TAKE);
    while (take_some(w))
        ;
    while (atomic_load_explicit(&w->done, memory_order_acquire) != count) {
        /* who took the last ones may have lost his processor, perhaps to us */
        if (++looks > SPIN)
            sched_yield();
        else
            relax();
    }
}

bool fast_workers_gather(struct fast_workers *w)
{
    struct trial *t = &w->trial;

    if (!w->count)
        return false;
    if (t->always || t->running)
        return true;
    if (clock_ns() >= t->next_ns) {
        *t = (struct trial){.running = true, .help = t->help, .pause_ns = t->pause_ns};
        return true;
    }
    return t->help;
}

static void judge(struct trial *t)
{
    double without = (double)t->ns[0] / (double)t->bytes[0];
    double with = (double)t->ns[1] / (double)t->bytes[1];

    t->running = false;
    t->help = with < GAIN * without;
    if (t->help)
        t->pause_ns = TRIAL_FIRST_NS;
    else if (t->pause_ns < TRIAL_MAX_NS)
        t->pause_ns *= 2;
    t->next_ns = clock_ns() + (t->help ? TRIAL_AGAIN_NS : t->pause_ns);
    log_trace("workers: %.2f ns a byte with, %.2f without", with, without);
}

static uint64_t bytes_of(const struct tn_job *job, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += job[i].len;
    return bytes;
}

void fast_workers_run(struct fast_workers *w, struct tn_job *job, uint32_t count)
{
    struct trial *t = &w->trial;
    bool with = t->running ? t->batches % 2 : t->help || t->always;
    uint64_t bytes, began;

    if (!w->count || count < WORTH_JOBS || (bytes = bytes_of(job, count)) < WORTH_LEN) {
        run_alone(job, count);
        return;
    }
    began = t->running ? clock_ns() : 0;
    if (with)
        run_together(w, job, count);
    else
        run_alone(job, count);
    if (!t->running || t->batches++ < WARM_UP)
        return;
    t->ns[with] += clock_ns() - began;
    t->bytes[with] += bytes;
    if (t->batches == WARM_UP + 2 * TRIAL_BATCHES)
        judge(t);
}

bool fast_workers_help(const struct fast_workers *w)
{
    return w->trial.help || w->trial.always;
}

unsigned fast_workers_count(const struct fast_workers *w)
{
    return w->count;
}

/* ---- life ---- */

static unsigned usable_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

unsigned fast_workers_wanted(void)
{
    unsigned processors = usable_processors();

    if (processors <= 2)
        return 0;
    return processors - 2 < AUTO_MAX ? processors - 2 : AUTO_MAX;
}

/* Signals are for the owner's loop. */
static int start(struct fast_workers *w, unsigned i)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&w->thread[i], NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

struct fast_workers *fast_workers_new(unsigned threads, bool always)
{
    struct fast_workers *w = aligned_alloc(_Alignof(struct fast_workers), sizeof *w);

    if (!w)
        return NULL;
    *w = (struct fast_workers){.trial = {.always = always, .pause_ns = TRIAL_FIRST_NS}};
    for (unsigned i = 0; i < threads && i < FAST_WORKERS_MAX; i++) {
        int err = start(w, i);

        if (err) {
            log_debug("no thread beyond %u: error %d", i, err);
            break;
        }
        w->count++;
    }
    return w;
}

void fast_workers_free(struct fast_workers *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    ring(w, FAST_WORKERS_MAX);
    for (unsigned i = 0; i < w->count; i++)
        pthread_join(w->thread[i], NULL);
    free(w);
}
