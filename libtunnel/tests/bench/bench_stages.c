/* What each stage of libtunnel costs a packet: ciphers, replay window, routes, MACs, handshakes, relay
 * trains. Nothing is judged here: run it twice on the same machine and compare. */
#include <string.h>

#include "bench.h"
#include "libtunnel/base/bytes.h"
#include "libtunnel/crypto/backends/backends.h"
#include "libtunnel/node.h"

#define INDEX 5u

static struct tn_rng rng;

/* ---- ciphers ---- */

struct packet {
    const struct tn_cipher *cipher;
    size_t len;
    uint8_t key[32], nonce[12], plain[1500], sealed[1516];
};

static void seal(void *ctx)
{
    struct packet *p = ctx;

    p->cipher->seal(p->sealed, p->plain, p->len, NULL, 0, p->nonce, p->key);
}

static void open_one(void *ctx)
{
    struct packet *p = ctx;

    bench_must(!p->cipher->open(p->plain, p->sealed, p->len + 16, NULL, 0, p->nonce, p->key), "open");
}

static void ciphers(void)
{
    static const size_t len[] = {64, 1420};
    static struct packet p;
    const struct tn_cipher *c;
    char name[64];

    for (size_t i = 0; (c = tn_cipher_known(i)); i++) {
        if (!c->load())
            continue;
        p.cipher = c;
        for (size_t k = 0; k < 2; k++) {
            p.len = len[k];
            snprintf(name, sizeof name, "seal %zu bytes, %s", len[k], c->name);
            (void)bench(name, seal, &p, 1);
            snprintf(name, sizeof name, "open %zu bytes, %s", len[k], c->name);
            (void)bench(name, open_one, &p, 1);
        }
        c->unload();
    }
}

/* ---- replay, routes ---- */

static struct tn_replay replay;

static void replay_next(void *ctx)
{
    uint64_t *counter = ctx;

    bench_must(!tn_replay_check(&replay, *counter) && !tn_replay_commit(&replay, *counter), "replay");
    ++*counter;
}

struct routes {
    struct tn_allowed t;
    struct tn_allowed_node *node;
    uint32_t *head, count, at;
};

static void route_lookup(void *ctx)
{
    struct routes *r = ctx;
    uint8_t ip[4] = {10};

    r->at = r->at * 1664525u + 1013904223u;
    tn_put_be16(ip + 2, (uint16_t)(r->at >> 16) % r->count);
    bench_must(tn_allowed_lookup4(&r->t, ip) == tn_get_be16(ip + 2), "a route");
}

static void routes(uint32_t count)
{
    struct routes r = {.count = count};
    char name[64];

    r.node = calloc(2 * count, sizeof *r.node);
    r.head = calloc(count, sizeof *r.head);
    bench_must(r.node && r.head, "memory");
    tn_allowed_init(&r.t, r.node, 2 * count, r.head, count);
    for (uint32_t i = 0; i < count; i++) {
        struct tn_prefix p = {.family = 4, .cidr = 32, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};

        bench_must(!tn_allowed_insert(&r.t, &p, i), "insert");
    }
    snprintf(name, sizeof name, "route lookup, %u peers", count);
    (void)bench(name, route_lookup, &r, 1);
    free(r.node);
    free(r.head);
}

/* ---- MACs and handshakes ---- */

static struct {
    struct tn_wg_local us, peer;
    struct tn_wg_handshake ours, theirs; /* ours is the initiator's */
    struct tn_cookie_checker checker;
    struct tn_cookie_maker maker;
    uint8_t init[TN_WG_INITIATION_LEN], reply[TN_WG_COOKIE_REPLY_LEN];
    struct tn_addr from;
    uint64_t now_us, stamp;
} shake;

static void make_initiation(void)
{
    uint8_t stamp[TN_WG_STAMP_LEN] = {0};

    tn_put_be64(stamp, ++shake.stamp);
    bench_must(!tn_noise_create_initiation(&shake.us, &shake.ours, &rng, stamp, INDEX, shake.init),
               "initiation");
    tn_cookie_add_macs(&shake.maker, shake.init, sizeof shake.init, shake.now_us);
}

static void check_macs(void *ctx)
{
    (void)ctx;
    bench_must(tn_cookie_check(&shake.checker, shake.init, sizeof shake.init, &shake.from,
                               shake.now_us) == TN_MAC_VALID, "mac1");
}

static void check_wrong_mac(void *ctx)
{
    (void)ctx;
    bench_must(tn_cookie_check(&shake.checker, shake.init, sizeof shake.init, &shake.from,
                               shake.now_us) == TN_MAC_INVALID, "a wrong mac1");
}

static void cookie_reply(void *ctx)
{
    (void)ctx;
    tn_cookie_create_reply(&shake.checker, &rng, shake.init, sizeof shake.init, &shake.from,
                           shake.now_us, shake.reply);
}

/* All that a responder does: MACs, initiation, response. */
static void respond(void *ctx)
{
    struct tn_noise_initiation in;
    struct tn_session session;
    uint8_t response[TN_WG_RESPONSE_LEN];

    check_macs(ctx);
    shake.theirs.last_accepted_us = 0; /* or it would be too soon */
    memset(shake.theirs.last_stamp, 0, sizeof shake.theirs.last_stamp);
    bench_must(!tn_noise_consume_initiation(&shake.peer, shake.init, &in) &&
               !tn_noise_accept_initiation(&shake.theirs, &in, shake.now_us) &&
               !tn_noise_create_response(&shake.theirs, &in, &rng, INDEX, shake.now_us, response,
                                         &session), "response");
    tn_session_wipe(&session);
}

static void initiate(void *ctx)
{
    (void)ctx;
    make_initiation();
}

static void handshakes(void)
{
    uint8_t key[32] = {1};
    double ns;

    tn_x25519_clamp(key);
    bench_must(!tn_wg_local_set(&shake.us, key), "key");
    key[1] = 2;
    bench_must(!tn_wg_local_set(&shake.peer, key), "key");
    tn_noise_init(&shake.ours, &shake.us, shake.peer.pub, NULL);
    tn_noise_init(&shake.theirs, &shake.peer, shake.us.pub, NULL);
    tn_cookie_checker_init(&shake.checker, shake.peer.pub);
    tn_cookie_maker_init(&shake.maker, shake.peer.pub);
    shake.from = tn_addr_v4((const uint8_t[]){192, 0, 2, 1}, 5);
    shake.now_us = TN_S(1000);
    make_initiation();
    cookie_reply(NULL); /* there is a secret now */
    (void)bench("mac1 and mac2 of an initiation", check_macs, NULL, 1);
    (void)bench("cookie reply", cookie_reply, NULL, 1);
    (void)bench("handshake, initiation", initiate, NULL, 1);
    ns = bench("handshake, responder", respond, NULL, 1);
    printf("%-56s %10.0f\n", "handshakes a second and core, responder", 1e9 / ns);
    shake.init[sizeof shake.init - 2 * TN_WG_MAC_LEN] ^= 1;
    (void)bench("wrong mac1 of an initiation", check_wrong_mac, NULL, 1);
}

int main(void)
{
    uint64_t counter = 0;

    bench_must(!tn_crypto_init(), "tn_crypto_init");
    tn_rng_init(&rng, (const uint8_t[32]){7});
    ciphers();
    tn_replay_init(&replay);
    (void)bench("replay window, check and commit", replay_next, &counter, 1);
    routes(10);
    routes(1000);
    routes(10000);
    handshakes();
    return 0;
}
