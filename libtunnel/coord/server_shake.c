/* Handshakes at the coordinator (PROTOCOL.md section 4).
 *
 * INIT is answered in three steps, each dearer than the one before:
 *   cookie wrong   COOKIE, which is shorter than INIT; two hashes, nothing kept
 *   cookie good    the sender is where it says: its share of handshakes (per IPv4
 *                  address or IPv6 /64) is charged, then three curve operations
 *                  tell who it is, and whether its stamp is new
 *   all good       a tentative session, RESP: two more
 *
 * A cookie is a keyed hash of source address, port and client_index; the key is
 * exchanged every 120 s by tick, and the one before it still counts. A replayed
 * INIT needs a cookie for the replayer's own address and gets a RESP that he
 * cannot read; the session of the member whose INIT it was stays as it is, since
 * only DATA makes a session real. */
#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "server_priv.h"

void tn_server_new_cookie_key(struct tn_server *s, struct tn_now now)
{
    memcpy(s->cookie_key[1], s->cookie_key[0], 32);
    tn_rng_bytes(&s->rng, s->cookie_key[0], 32);
    s->cookie_key_us = now.us;
}

static void make_cookie(const uint8_t key[32], const struct tn_addr *src,
                        const uint8_t client_index[4], uint8_t out[TN_CTL_COOKIE_VALUE_LEN])
{
    uint8_t about[TN_ADDR_WIRE_LEN + 4];

    tn_addr_encode(src, about);
    memcpy(about + TN_ADDR_WIRE_LEN, client_index, 4);
    tn_blake2s(out, TN_CTL_COOKIE_VALUE_LEN, key, 32, about, sizeof(about));
}

static bool is_cookie_good(const struct tn_server *s, const struct tn_server_in *in)
{
    uint8_t want[2][TN_CTL_COOKIE_VALUE_LEN];
    bool good = false;

    for (int n = 0; n < 2; n++) {
        make_cookie(s->cookie_key[n], in->src, in->data + 4, want[n]);
        good |= tn_ct_equal(want[n], in->data + 8, TN_CTL_COOKIE_VALUE_LEN);
    }
    tn_wipe(want, sizeof(want));
    return good;
}

static void send_cookie(struct tn_server *s, struct tn_server_in *in)
{
    uint8_t *out = s->scratch[0];

    out[0] = TN_CTL_COOKIE;
    out[1] = TN_CTL_VERSION;
    out[2] = 0;
    out[3] = 0;
    memcpy(out + 4, in->data + 4, 4);
    make_cookie(s->cookie_key[0], in->src, in->data + 4, out + 8);
    s->counter.cookies_sent++;
    tn_server_emit(in, in->port, in->src, out, TN_CTL_COOKIE_LEN);
}

uint32_t tn_server_source_row(const struct tn_server *s, const struct tn_addr *src)
{
    return tn_server_hash(s, src->ip, tn_addr_is_v4(src) ? 16 : 8) % TN_SERVER_LIMIT_ROWS;
}

static bool is_within_share(struct tn_server *s, const struct tn_server_in *in)
{
    uint32_t row = tn_server_source_row(s, in->src);
    uint64_t rate = s->cfg.handshakes_per_s;

    return tn_server_bucket_take(&s->limit[row], in->now.us, rate, rate * 5, 1);
}

static bool is_stamp_new(const struct tn_server *s, const uint8_t client_public[32],
                         const uint8_t tai64n[TN_CTL_TAI64N_LEN], struct tn_now now)
{
    for (int tentative = 0; tentative < 2; tentative++) {
        uint32_t slot = tn_server_by_key(s, client_public, tentative);
        const struct tn_server_session *x = &s->mem.session[slot == TN_SERVER_NONE ? 0 : slot];

        if (slot == TN_SERVER_NONE || (!tentative && !tn_server_is_live(s, x, now)))
            continue;
        if (memcmp(tai64n, x->tai64n, TN_CTL_TAI64N_LEN) <= 0)
            return false;
    }
    return true;
}

/* The session's index must differ from the last owner's of the slot: 0 is what a free slot has. */
static uint32_t new_index(struct tn_server *s, uint32_t slot)
{
    uint32_t index;

    do {
        index = tn_ctl_index_make(slot, s->slot_bits, tn_rng_u32(&s->rng));
    } while (index == 0);
    return index;
}

static void open_session(struct tn_server *s, struct tn_server_in *in, struct tn_ik *ik,
                         const uint8_t client_public[32], const uint8_t tai64n[TN_CTL_TAI64N_LEN])
{
    uint32_t slot = tn_server_by_key(s, client_public, true);
    struct tn_server_session *x;
    struct tn_addr observed = tn_server_observed(in);

    if (slot != TN_SERVER_NONE)
        tn_server_release(s, slot);
    slot = tn_server_take_slot(s, client_public);
    if (slot == TN_SERVER_NONE) {
        s->counter.drop_full++;
        return;
    }
    x = &s->mem.session[slot];
    if (tn_ctl_create_resp(ik, &s->rng, client_public, tn_get_be32(in->data + 4),
                           new_index(s, slot), &observed, in->now.unix_ns / 1000000000u, &x->keys,
                           s->scratch[0])) {
        tn_server_release(s, slot);
        s->counter.drop_handshake++;
        return;
    }
    memcpy(x->tai64n, tai64n, TN_CTL_TAI64N_LEN);
    x->heard_us = in->now.us;
    x->home = tn_addr_family(in->src);
    x->relay.level = s->cfg.relay_burst_bytes;
    x->relay.at_us = in->now.us;
    x->requests.level = TN_SERVER_UNITS_BURST;
    x->requests.at_us = in->now.us;
    s->counter.handshakes++;
    tn_server_emit(in, in->port, in->src, s->scratch[0], TN_CTL_RESP_LEN);
}

void tn_server_on_init(struct tn_server *s, struct tn_server_in *in)
{
    uint8_t client_public[32], tai64n[TN_CTL_TAI64N_LEN];
    struct tn_ik ik;

    if (!is_cookie_good(s, in)) {
        send_cookie(s, in);
        return;
    }
    if (!is_within_share(s, in)) {
        s->counter.drop_shake_rate++;
        return;
    }
    if (tn_ctl_consume_init(&ik, s->cfg.private_key, s->public_key, in->data, client_public,
                            tai64n)) {
        s->counter.drop_handshake++;
        return;
    }
    if (is_stamp_new(s, client_public, tai64n, in->now))
        open_session(s, in, &ik, client_public, tai64n);
    else
        s->counter.drop_stamp++;
    tn_wipe(&ik, sizeof(ik));
}

bool tn_server_confirm(struct tn_server *s, uint32_t slot)
{
    const struct tn_server_session *x = &s->mem.session[slot];
    struct tn_store_member member;
    int err = s->cfg.store.ops->member_by_wireguard(s->cfg.store.ctx, x->client_public, &member);
    uint32_t before = tn_server_by_key(s, x->client_public, false);
    uint32_t same = TN_SERVER_NONE;

    if (err && err != TN_ENOENT)
        return false;
    if (err) {
        /* first, since making a guest may push out the oldest one */
        if (before != TN_SERVER_NONE)
            tn_server_replace(s, before, slot);
        tn_server_make_guest(s, slot);
    } else {
        same = tn_server_by_member(s, member.network, member.identity);
        tn_server_make_member(s, slot, member.network, member.identity);
        if (same != TN_SERVER_NONE && same != before)
            tn_server_replace(s, same, slot); /* it has exchanged its key */
        if (before != TN_SERVER_NONE)
            tn_server_replace(s, before, slot);
    }
    s->counter.sessions_confirmed++;
    return true;
}
