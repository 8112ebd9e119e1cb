/* The manager, fed a script: each step is a byte that says what happens and what that takes. Holds: it
 * never runs hot, a mapping that is held has an address that may be used and a next step, and the end comes
 * in bounded time whatever the gateway says. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/now.h"
#include "tund/gateway/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(condition) ((condition) ? (void)0 : abort())

struct script {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct script *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->at++;
}

static void pull(struct gateway *g, uint64_t now_us)
{
    enum gateway_family family;
    uint8_t out[GATEWAY_OUT_MAX];
    struct igd_job job;
    unsigned count = 0;
    size_t len;

    while (gateway_poll_out(g, &family, out, &len, now_us))
        MUST(++count < 64 && len <= sizeof out);
    if (gateway_poll_job(g, &job))
        MUST(!gateway_poll_job(g, &job) && job.gateway.ip[15] == 1);
}

static void check(const struct gateway *g)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        const struct gateway_mapping *m = gateway_at(g, i);

        if (!m)
            continue;
        MUST(m->state <= GATEWAY_ENDING && m->why < GATEWAY_WHY_COUNT && m->protocol <= GATEWAY_UPNP);
        if (m->state == GATEWAY_MAPPED)
            MUST(tn_addr_is_probeable(&m->external) && m->protocol != GATEWAY_NONE);
        if (m->state == GATEWAY_FAILED)
            MUST(m->pinhole == IGD_NO_PINHOLE && tn_addr_is_zero(&m->external) && m->due_us != TN_NEVER && m->why != GATEWAY_WELL);
    }
}

static void set_router(struct gateway *g, uint8_t what, uint64_t now_us)
{
    const uint8_t gw4[4] = {192, 168, 1, 1}, own4[4] = {192, 168, 1, (uint8_t)(2 + (what & 1))};
    const uint8_t gw6[16] = {0xfe, 0x80, [15] = 1}, own6[16] = {0x2a, [15] = 2};
    struct gateway_router r = {.address = tn_addr_v4(gw4, 0), .own = tn_addr_v4(own4, 0)};
    enum gateway_family family = what & 4 ? GATEWAY_V6 : GATEWAY_V4;

    if (family == GATEWAY_V6)
        r = (struct gateway_router){.address = tn_addr_v6(gw6, 0), .own = tn_addr_v6(own6, 0)};
    gateway_set_router(g, family, what & 2 ? NULL : &r, now_us);
}

/* The script's bytes as a datagram; the nonce of a mapping is put in, or nothing would ever be granted. */
static void datagram(struct gateway *g, struct script *s, bool announced, uint64_t now_us)
{
    uint8_t msg[64] = {0}, n = take(s) % (sizeof msg + 1), id = take(s) % GATEWAY_MAPPINGS;
    const struct gateway_mapping *m = gateway_at(g, id);

    for (uint8_t i = 0; i < n; i++)
        msg[i] = take(s);
    if (m && n >= PCP_MAP_LEN) {
        memcpy(msg + 24, m->nonce, PCP_NONCE_LEN);
        msg[36] = m->want.tcp ? 6 : 17;
        msg[40] = (uint8_t)(m->want.internal_port >> 8);
        msg[41] = (uint8_t)m->want.internal_port;
    }
    if (announced)
        gateway_on_announcement(g, (enum gateway_family)(id & 1), msg, n, now_us);
    else
        gateway_on_datagram(g, m && m->want.family == GATEWAY_V6 ? GATEWAY_V6 : GATEWAY_V4, msg, n, now_us);
}

static void igd(struct gateway *g, struct script *s, uint64_t now_us)
{
    static struct igd_answer a;

    if (!g->job.running)
        return;
    memset(&a, 0, sizeof a);
    a.status = (uint16_t)(take(s) << 8 | take(s));
    a.external_port = (uint16_t)(take(s) << 8 | take(s));
    a.lease_s = (uint32_t)take(s) << (take(s) % 24);
    a.external.ip[10] = a.external.ip[11] = 0xff;
    a.external.ip[12] = take(s);
    a.location[0] = (char)take(s);
    a.pinhole = take(s);
    a.works = take(s) % IGD_WORKS_COUNT;
    gateway_on_igd(g, a.status == 0xffff ? NULL : &a, now_us);
}

static void step(struct gateway *g, struct script *s, uint64_t *now_us)
{
    const struct gateway_order order = {.op = IGD_LIST};
    struct gateway_want want = {0};
    uint8_t what = take(s);

    switch (what % 11) {
    case 0:
        *now_us += (uint64_t)take(s) << (take(s) % 36);
        break;
    case 1:
        want.internal_port = take(s);
        want.tcp = what & 64;
        want.family = what & 128 ? GATEWAY_V6 : GATEWAY_V4;
        want.only = (enum gateway_protocol)(take(s) % 4);
        MUST(gateway_add(g, &want, *now_us) < (int)GATEWAY_MAPPINGS);
        break;
    case 2: gateway_remove(g, take(s), *now_us); break;
    case 3: set_router(g, take(s), *now_us); break;
    case 4:
    case 5: datagram(g, s, false, *now_us); break;
    case 6: datagram(g, s, true, *now_us); break;
    case 7: igd(g, s, *now_us); break;
    case 8: gateway_on_refused(g, (enum gateway_family)(take(s) & 1), *now_us); break;
    case 9: gateway_on_verdict(g, take(s) % 20, take(s) & 1, *now_us); break;
    default:
        MUST(gateway_give_order(g, &order) <= 0);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct gateway g;
    struct gateway_config config = {.seed = 1, .upnp = len & 1, .description = "tund"};
    struct script s = {data, len};
    uint64_t now_us = TN_S(1000);

    gateway_init(&g, &config);
    set_router(&g, 0, now_us);
    while (s.left) {
        step(&g, &s, &now_us);
        gateway_tick(&g, now_us);
        pull(&g, now_us);
        check(&g);
    }
    gateway_stop(&g, now_us);
    for (int i = 0; i < 200 && !gateway_is_idle(&g); i++) { /* nobody answers any more */
        now_us += TN_MS(100);
        gateway_tick(&g, now_us);
        pull(&g, now_us);
        if (g.job.running)
            gateway_on_igd(&g, NULL, now_us);
    }
    MUST(gateway_is_idle(&g));
    return 0;
}
