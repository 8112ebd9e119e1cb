/* How it works: each library that is there seals and opens a packet of full length a few
 * hundred times, which takes about a millisecond; the best of several tries counts, since
 * a try in which the process was moved off its processor says nothing about the library. A child does this,
 * since not every library leaves when it is closed, and one that dies takes nobody along. */
#include "cipher.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/crypto/backends/backends.h"
#include "libtunnel/crypto/crypto.h"
#include "log.h"

#define PACKET_LEN 1420u
#define TRIES 8
#define PACKETS_PER_TRY 40
#define MARGIN 0.98 /* so much faster than one before it in the list, to be taken instead */

static const uint8_t key[TN_KEY_LEN] = {1, 2, 3, 4};
static const uint8_t nonce[12] = {0, 0, 0, 0, 5};

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

bool cipher_agrees(const struct tn_cipher *c)
{
    static const size_t lengths[] = {0, 1, 15, 16, 64, 127, 576, PACKET_LEN, 9000};
    uint8_t want[9000 + TN_TAG_LEN], got[9000 + TN_TAG_LEN];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len = lengths[i];

        memset(want, (int)(len * 7 + 1), len);
        memcpy(got, want, len);
        tn_aead_seal_nonce(want, want, len, NULL, 0, nonce, key);
        c->seal(got, got, len, NULL, 0, nonce, key);
        if (memcmp(got, want, len + TN_TAG_LEN) != 0)
            return false;
        if (c->open(got, got, len + TN_TAG_LEN, NULL, 0, nonce, key))
            return false;
        want[len] ^= 1;
        if (c->open(want, want, len + TN_TAG_LEN, NULL, 0, nonce, key) != TN_EAUTH)
            return false;
    }
    return true;
}

double cipher_measure_ns(const struct tn_cipher *c)
{
    uint8_t packet[PACKET_LEN + TN_TAG_LEN] = {0};
    double best = 1e18;

    for (int try = 0; try < TRIES; try++) {
        double began = now_ns(), each;
        int bad = 0;

        for (int i = 0; i < PACKETS_PER_TRY; i++) {
            c->seal(packet, packet, PACKET_LEN, NULL, 0, nonce, key);
            bad |= c->open(packet, packet, sizeof packet, NULL, 0, nonce, key);
        }
        each = (now_ns() - began) / PACKETS_PER_TRY;
        if (!bad && each < best)
            best = each;
    }
    return best;
}

const struct tn_cipher *cipher_fastest(const struct tn_cipher *(*known)(size_t i))
{
    const struct tn_cipher *best = NULL, *c;
    double best_ns = 0;

    for (size_t i = 0; (c = known(i)); i++) {
        double ns;

        if (!c->load())
            continue;
        if (!cipher_agrees(c)) {
            log_error("packet cipher: %s seals otherwise than it should, and is not used", c->name);
            c->unload();
            continue;
        }
        ns = cipher_measure_ns(c);
        log_debug("packet cipher: %s seals and opens a packet in %.0f ns", c->name, ns);
        if (!best || ns < MARGIN * best_ns) {
            if (best)
                best->unload();
            best = c;
            best_ns = ns;
        } else {
            c->unload();
        }
    }
    return best ? best : &tn_cipher_sodium;
}

static int number_of(const struct tn_cipher *wanted)
{
    int i = 0;

    while (tn_cipher_known((size_t)i) != wanted)
        i++;
    return i;
}

/* The number of the fastest, found out by a child. */
static int try_all(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(number_of(cipher_fastest(tn_cipher_known)));
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return 0;
    }
    if (child < 0 || !WIFEXITED(status)) {
        log_error("packet cipher: trying what is installed failed; it is libsodium");
        return 0;
    }
    return WEXITSTATUS(status);
}

void cipher_choose(void)
{
    const struct tn_cipher *c = NULL;

    if (!tn_crypto_init())
        c = tn_cipher_known((size_t)try_all());
    if (!c || !c->load())
        c = &tn_cipher_sodium;
    tn_cipher_use(c);
    log_debug("packet cipher: %s", c->name);
}
