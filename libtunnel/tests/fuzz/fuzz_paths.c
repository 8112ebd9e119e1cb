/* One peer's paths, driven by any order of events. Each input byte is an operation,
 * some take one more. Holds, after every one:
 *
 *   data never takes a direct path that no full-size PONG has proven
 *   full-size PINGs go only to addresses that something authentic came from
 *   after tick and poll nothing is due any more, and the cached deadline is right
 *   what goes to addresses that never answered is bounded over time */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/paths.h"
#include "libtunnel/path/paths_priv.h"

#define RECENT 16

struct world {
    struct tn_paths paths;
    struct tn_rng rng;
    struct tn_now now;
    struct tn_path_wish sent[RECENT]; /* PINGs that may be answered */
    size_t sent_count;
    const uint8_t *data;
    size_t left;
    uint64_t start_us;
    uint64_t unproven; /* packets to addresses that never answered */
    uint64_t changes;  /* of network: each fills the bucket again */
    uint64_t authentic;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

static uint8_t take(struct world *w)
{
    if (w->left == 0)
        return 0;
    w->left--;
    return *w->data++;
}

static struct tn_addr some_addr(uint8_t n)
{
    uint8_t ip4[4] = {198, 51, 100, 1};
    uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

    if (n == 255)
        ip4[0] = 127;
    ip4[3] = (uint8_t)(n & 31);
    ip6[15] = (uint8_t)(n & 31);
    return n & 32 ? tn_addr_v6(ip6, (uint16_t)(1000 + (n >> 6))) :
                    tn_addr_v4(ip4, (uint16_t)(1000 + (n >> 6)));
}

static struct tn_addr some_stream(uint8_t n)
{
    const uint8_t share[4] = {0, 0, 0, 1};

    return tn_addr_stream(share, n & 3);
}

static bool may_be_sent_to(const struct tn_addr *a)
{
    return tn_addr_is_probeable(a) || tn_addr_is_stream(a);
}

static struct tn_way some_way(struct world *w)
{
    uint8_t n = take(w);
    struct tn_way way = {.via = n == 0 ? TN_VIA_RELAY : TN_VIA_DIRECT};

    if (n)
        way.addr = some_addr(n);
    return way;
}

static void check(struct world *w)
{
    uint64_t seconds = (w->now.us - w->start_us) / 1000000;
    uint64_t cached_us = w->paths.next_us;
    struct tn_way route;

    tn_paths_renew_next(&w->paths);
    must(cached_us == w->paths.next_us);
    tn_paths_route(&w->paths, &w->now, &route);
    must(route.via != TN_VIA_MEMBER || w->paths.mode != TN_MODE_DIRECT);
    if (route.via == TN_VIA_DIRECT || route.via == TN_VIA_MEMBER) {
        struct tn_probe *pr = tn_table_find(&w->paths, &route.addr);

        must(pr && pr->c.full_ok_us != 0 && may_be_sent_to(&pr->c.addr) == (route.via == TN_VIA_DIRECT));
    }
    must(route.via != TN_VIA_RELAY || w->paths.relay_up);
    must(w->unproven <= 10 * (TN_ROUND_TOKENS_MAX * (1 + w->changes) + seconds / 10 + 1) +
                            TN_FULL_TRIES * w->authentic);
}

static void pull(struct world *w)
{
    struct tn_path_wish wish;
    struct tn_path_event event;
    int count = 0;

    tn_paths_tick(&w->paths, &w->now);
    while (tn_paths_poll(&w->paths, &w->rng, &w->now, &wish)) {
        struct tn_probe *pr = tn_table_find(&w->paths, &wish.to.addr);

        must(++count <= 8 * (TN_PATHS_CAND_MAX + 1));
        must(wish.to.via != TN_VIA_NONE && (wish.kind == TN_PATH_WISH_PUNCH || w->paths.session_up));
        if (wish.to.via == TN_VIA_DIRECT) {
            must(pr != NULL && may_be_sent_to(&wish.to.addr));
            must(!wish.full || pr->c.last_in_us != 0 || pr->c.last_pong_us != 0);
            w->unproven += pr->c.last_pong_us == 0;
        }
        if (wish.kind == TN_PATH_WISH_PING)
            w->sent[w->sent_count++ % RECENT] = wish;
    }
    (void)tn_paths_take_connect(&w->paths, &w->rng, &w->now);
    while (tn_paths_take_event(&w->paths, &event))
        must(event.via == tn_paths_via(&w->paths));
    must(tn_paths_next(&w->paths) > w->now.us);
}

static void offer(struct world *w)
{
    struct tn_cand_wire list[4], own = {.origin = TN_CAND_HOST, .addr = some_addr(1)};
    size_t count = take(w) & 3;

    for (size_t i = 0; i < count; i++) {
        list[i].origin = (uint8_t)(1 + i);
        list[i].addr = some_addr(take(w));
    }
    tn_paths_offer(&w->paths, list, count, &own, 1, &w->now);
}

/* A member that may relay: offered, or withdrawn. */
static void relay_member(struct world *w, uint8_t arg)
{
    const uint8_t ip[4] = {10, 77, 0, (uint8_t)(1 + (arg & 3))};
    struct tn_addr member = tn_addr_v4(ip, 0);

    if (arg & 8)
        (void)tn_paths_withdraw_member(&w->paths, &member, &w->now);
    else
        tn_paths_offer_member(&w->paths, &member, &w->now);
}

static void authentic(struct world *w)
{
    struct tn_way way = some_way(w);

    w->authentic++;
    tn_paths_on_authentic(&w->paths, &way, 100, &w->now);
}

/* The PONG to a PING of before, from where it went or, now and then, from elsewhere. */
static void pong(struct world *w)
{
    uint8_t n = take(w);
    struct tn_path_wish ping = w->sent[n % RECENT];
    struct tn_way from = n & 128 ? some_way(w) : ping.to;

    if (w->sent_count == 0 || ping.kind != TN_PATH_WISH_PING)
        return;
    w->authentic++;
    tn_paths_on_authentic(&w->paths, &from, ping.size, &w->now);
    tn_paths_on_pong(&w->paths, &from, ping.txid, (uint16_t)(ping.size ^ (n == 127)), NULL, &w->now);
}

static void tcp_connection(struct world *w, uint8_t arg)
{
    struct tn_addr addr = some_stream(arg);

    if (arg & 4) {
        tn_paths_tcp_closed(&w->paths, &addr, &w->now);
        must(tn_table_find(&w->paths, &addr) == NULL);
    } else if (tn_paths_tcp_opened(&w->paths, &addr, &w->now)) {
        must(tn_table_find(&w->paths, &addr) != NULL);
    }
}

static void operate(struct world *w)
{
    static const uint64_t step_us[] = {1,          TN_MS(1),   TN_MS(10), TN_MS(50), TN_MS(250),
                                       TN_S(1),    TN_S(5),    TN_S(25),  TN_S(700)};
    uint8_t op = take(w);
    uint8_t arg = op >> 4;
    struct tn_addr addr;

    switch (op & 15) {
    case 0:
        tn_paths_set_relay(&w->paths, arg & 1, &w->now);
        break;
    case 1:
        tn_paths_set_session(&w->paths, arg & 7, &w->now);
        break;
    case 2:
        offer(w);
        break;
    case 3:
        tn_paths_punch(&w->paths, TN_MS(10) * arg, &w->now);
        break;
    case 4:
        w->changes++;
        tn_paths_on_network_change(&w->paths, &w->now);
        break;
    case 5:
    case 6:
        tn_paths_on_data_sent(&w->paths, 1000, &w->now);
        break;
    case 7:
        authentic(w);
        break;
    case 8:
    case 9:
    case 10:
        pong(w);
        break;
    case 11:
        addr = some_addr(take(w));
        tn_paths_on_send_error(&w->paths, &addr, &w->now);
        break;
    case 12:
        relay_member(w, arg);
        break;
    case 13:
        if (arg & 8)
            tcp_connection(w, arg);
        else
            tn_paths_set_mode(&w->paths, arg % TN_MODES, &w->now);
        break;
    default:
        w->now.us += step_us[arg % (sizeof(step_us) / sizeof(step_us[0]))];
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct tn_paths_config cfg = {.mtu = 1400};
    const uint8_t seed[32] = {7};
    static struct world w;

    memset(&w, 0, sizeof(w));
    w.now.us = w.start_us = TN_S(1000);
    w.data = data;
    w.left = len > 4096 ? 4096 : len;
    tn_rng_init(&w.rng, seed);
    tn_paths_init(&w.paths, &cfg, &w.now);
    while (w.left > 0) {
        operate(&w);
        check(&w);
        pull(&w);
        check(&w);
    }
    return 0;
}
