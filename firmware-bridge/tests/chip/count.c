/* Instructions that the chip takes for what WireGuard costs, counted by QEMU: with -icount shift=0 an
 * instruction lasts a nanosecond, and TIM2 has 1 GHz there. Counted again with other secrets: what takes
 * another number for another secret has a branch on it. One line each: NAME MIN MAX. Exit status 1 when
 * the count depends on a secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-bridge/ports/stm32f2/regs.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/wg/cookie.h"
#include "libtunnel/wg/noise.h"

#define ROUNDS 4

struct count {
    const char *name;
    bool may_vary; /* public numbers, or a comparison that ends the same in the end */
    uint32_t min, max;
};
enum { X25519, X25519_PUBLIC, SIGN, VERIFY, SEAL, OPEN, INITIATE, RESPOND, FINISH, COUNTS };
static struct count counts[COUNTS] = {
    [X25519] = {.name = "x25519"},
    [X25519_PUBLIC] = {.name = "x25519-public"},
    [SIGN] = {.name = "ed25519-sign"},
    [VERIFY] = {.name = "ed25519-verify", .may_vary = true},
    [SEAL] = {.name = "seal-448"},
    [OPEN] = {.name = "open-448"},
    [INITIATE] = {.name = "initiation"},
    [RESPOND] = {.name = "initiation-to-response"},
    [FINISH] = {.name = "response-to-session"},
};

static struct tn_rng rng;
static uint32_t began;

static void begin(void)
{
    began = TIM2_CNT;
}

static void end(int what)
{
    uint32_t n = TIM2_CNT - began;
    struct count *c = &counts[what];

    c->min = c->max && c->min < n ? c->min : n;
    c->max = c->max > n ? c->max : n;
}

static void must(int error)
{
    if (error) {
        printf("error %d\n", error);
        exit(2);
    }
}

static void primitives(void)
{
    static uint8_t data[448 + TN_TAG_LEN];
    uint8_t secret[32], pub[32], out[32], sig[64];

    tn_rng_bytes(&rng, secret, sizeof secret);
    begin();
    must(tn_x25519_public(pub, secret));
    end(X25519_PUBLIC);
    begin();
    must(tn_x25519(out, secret, pub));
    end(X25519);
    begin();
    tn_ed25519_sign(sig, data, 100, secret);
    end(SIGN);
    tn_ed25519_public(pub, secret);
    begin();
    must(tn_ed25519_verify(sig, data, 100, pub));
    end(VERIFY);
    begin();
    tn_aead_seal(data, data, 448, NULL, 0, 1, secret);
    end(SEAL);
    begin();
    must(tn_aead_open(data, data, sizeof data, NULL, 0, 1, secret));
    end(OPEN);
}

static void handshake(void)
{
    static struct tn_wg_local a, b;
    static struct tn_wg_handshake at_a, at_b;
    static struct tn_cookie_maker maker;
    static struct tn_session session;
    struct tn_noise_initiation in;
    uint8_t key[32], init[148], response[92];
    const uint8_t stamp[12] = {0x40, 1};

    tn_rng_bytes(&rng, key, sizeof key);
    must(tn_wg_local_set(&a, key));
    tn_rng_bytes(&rng, key, sizeof key);
    must(tn_wg_local_set(&b, key));
    tn_noise_init(&at_a, &a, b.pub, NULL);
    tn_noise_init(&at_b, &b, a.pub, NULL);
    tn_cookie_maker_init(&maker, b.pub);
    begin();
    must(tn_noise_create_initiation(&a, &at_a, &rng, stamp, 1, init));
    tn_cookie_add_macs(&maker, init, sizeof init, 1);
    end(INITIATE);
    begin();
    must(tn_noise_consume_initiation(&b, init, &in));
    must(tn_noise_accept_initiation(&at_b, &in, 1));
    must(tn_noise_create_response(&at_b, &in, &rng, 2, 1, response, &session));
    end(RESPOND);
    begin();
    must(tn_noise_consume_response(&a, &at_a, response, 1, &session));
    end(FINISH);
}

int main(void)
{
    int bad = 0;

    TIM2_PSC = 0;
    TIM2_ARR = UINT32_MAX;
    TIM2_EGR = TIM_UG;
    TIM2_CR1 = TIM_CEN;
    tn_rng_init(&rng, (const uint8_t[32]){7});
    for (int i = 0; i < ROUNDS; i++) {
        primitives();
        handshake();
    }
    for (int i = 0; i < COUNTS; i++) {
        printf("%s %lu %lu\n", counts[i].name, (unsigned long)counts[i].min, (unsigned long)counts[i].max);
        bad |= !counts[i].may_vary && counts[i].min != counts[i].max;
    }
    return bad;
}
