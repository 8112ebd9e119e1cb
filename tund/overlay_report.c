/* status, peers and explain as JSON, made from what the node tells. Units are in
 * the keys' names; what is not known is null. Nothing here changes anything. */
#include "overlay_inside.h"

#include <stdio.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/text.h"
#include "log.h"

/* ---- small pieces ---- */

static json_t *ms_json(uint64_t us)
{
    return us ? json_real((double)us / 1000.0) : json_null();
}

/* Seconds from a moment to now, or null for one that never was. */
static json_t *age_json(uint64_t at_us, uint64_t now_us)
{
    return at_us && at_us <= now_us ? json_real((double)(now_us - at_us) / 1e6) : json_null();
}

static json_t *endpoint_json(const struct tn_addr *a)
{
    char text[ADDR_TEXT_LEN];

    return tn_addr_is_zero(a) ? json_null() : json_string(addr_text(a, text));
}

static json_t *id_json(const uint8_t id[TN_NODE_ID_LEN])
{
    char text[TN_TEXT_HEX_LEN(TN_NODE_ID_LEN) + 1];

    if (tn_text_hex_encode(text, sizeof(text), id, TN_NODE_ID_LEN) != 0)
        return json_null();
    return json_string(text);
}

static json_t *addresses_json(const struct tn_card *card)
{
    struct tn_addr a4 = tn_card_address4(card), a6 = tn_card_address6(card);
    char text4[ADDR_TEXT_LEN], text6[ADDR_TEXT_LEN];

    return json_pack("[s,s]", addr_ip_text(&a4, text4), addr_ip_text(&a6, text6));
}

/* ---- self and coordinator ---- */

static json_t *observed_json(const struct tn_coord_info *info)
{
    json_t *list = json_array();

    if (!tn_addr_is_zero(&info->observed_v4))
        json_array_append_new(list, endpoint_json(&info->observed_v4));
    if (!tn_addr_is_zero(&info->observed_v6))
        json_array_append_new(list, endpoint_json(&info->observed_v6));
    return list;
}

static json_t *reach_json(const struct overlay *o, uint64_t now_us)
{
    json_t *list = json_array();
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(o->t->node, i, &row); i++)
        json_array_append_new(list, json_pack("{s:o,s:s,s:s,s:b,s:o}",
                                              "address", endpoint_json(&row.addr),
                                              "origin", tn_cand_origin_name(row.origin),
                                              "unsolicited", tn_reach_verdict_name(row.verdict),
                                              "two_addresses", row.sent & TN_REACH_FROM_ADDRESS,
                                              "checked_s", age_json(row.judged_us, now_us)));
    return list;
}

static json_t *self_json(const struct overlay *o, const struct tn_coord_info *info)
{
    char p4[PREFIX_TEXT_LEN], p6[PREFIX_TEXT_LEN], offloads[IO_DESCRIBE_LEN];

    io_describe(o->t->io, offloads, sizeof offloads);
    return json_pack("{s:s,s:o,s:o,s:s,s:[s,s],s:s,s:i,s:i,s:s,s:o,s:o,s:s}",
                     "name", o->self.card.cert.name,
                     "id", id_json(o->id),
                     "addresses", addresses_json(&o->self.card),
                     "network", o->self.card.cert.network,
                     "prefixes", prefix_text(&o->prefix4, p4), prefix_text(&o->prefix6, p6),
                     "ifname", o->t->ifname,
                     "port", (int)o->t->udp.port,
                     "mtu", (int)o->t->mtu,
                     "offloads", offloads,
                     "observed", observed_json(info),
                     "reach", reach_json(o, tund_now().us),
                     "version", TUND_VERSION);
}

static const char *refusal(const struct overlay *o)
{
    return o->coord_state == COORD_REFUSED ? tn_node_status_text(o->refused_status) : NULL;
}

json_t *overlay_coord_json(const struct overlay *o)
{
    struct tn_coord_info info;
    const char *error = o->coord_state == COORD_UNRESOLVED ? o->resolve_error : refusal(o);
    char url[TN_URL_SIZE];

    if (tn_url_encode(&o->self.coordinator, url, sizeof(url), NULL) != 0)
        url[0] = '\0';
    tn_node_coord_info(o->t->node, &info);
    return json_pack("{s:b,s:o,s:o,s:s,s:s,s:i,s:s*,s:b}",
                     "connected", info.connected,
                     "endpoint", endpoint_json(&info.endpoint),
                     "rtt_ms", ms_json(info.rtt_us),
                     "url", url,
                     "state", overlay_coord_state_name(o->coord_state),
                     "status", o->coord_state == COORD_REFUSED ? (int)o->refused_status : 0,
                     "error", error,
                     "member", info.member);
}

/* ---- peers ---- */

static json_t *peer_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                         struct tn_now now)
{
    struct tn_peer_info info = {.member = TN_NO_PEER};
    uint8_t id[TN_NODE_ID_LEN];
    json_t *handshake = NULL, *out;
    bool known = peer != TN_NO_PEER && tn_node_peer_info(o->t->node, peer, &info);

    tn_wipe(info.psk, sizeof(info.psk));
    tn_node_id(id, m->card.identity);
    if (info.last_handshake_unix_ns && info.last_handshake_unix_ns <= now.unix_ns)
        handshake = json_real((double)(now.unix_ns - info.last_handshake_unix_ns) / 1e9);
    out = json_pack("{s:s,s:o,s:o,s:s,s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:b,s:b,s:i}",
                    "name", m->card.cert.name,
                    "id", id_json(id),
                    "addresses", addresses_json(&m->card),
                    "path", tn_path_kind_name(info.path),
                    "endpoint", info.has_endpoint ? endpoint_json(&info.endpoint) : json_null(),
                    "rtt_ms", ms_json(info.rtt_us),
                    "tx_bytes", (json_int_t)info.tx_bytes,
                    "rx_bytes", (json_int_t)info.rx_bytes,
                    "last_handshake_s", handshake ? handshake : json_null(),
                    "time_to_direct_ms", ms_json(info.time_to_direct_us),
                    "direct_for_s", age_json(info.direct_since_us, now.us),
                    "reachable", known && info.reachable,
                    "device", (m->card.cert.flags & TN_CERT_DEVICE) != 0,
                    "mtu", (int)info.mtu);
    return out;
}

json_t *overlay_peers_json(const struct overlay *o)
{
    const struct tn_roster *r = tn_node_roster(o->t->node);
    struct tn_now now = tund_now();
    json_t *list = json_array();

    for (const struct tn_member *m = tn_roster_next(r, NULL); m; m = tn_roster_next(r, m)) {
        uint32_t peer = tn_node_member_peer(o->t->node, (uint32_t)tn_roster_index(r, m));

        if (memcmp(m->card.identity, o->self.card.identity, 32) != 0)
            json_array_append_new(list, peer_json(o, m, peer, now));
    }
    return list;
}

json_t *overlay_status_json(const struct overlay *o)
{
    struct tn_coord_info info;

    tn_node_coord_info(o->t->node, &info);
    return json_pack("{s:o,s:o,s:o}", "self", self_json(o, &info), "coordinator",
                     overlay_coord_json(o), "peers", overlay_peers_json(o));
}

/* ---- explain ---- */

static const char *verdict_sentence(uint8_t verdict)
{
    static const char *const text[] = {
        [TN_CAND_NEW] = "nothing was sent there yet",
        [TN_CAND_PUNCHING] = "being tried now",
        [TN_CAND_ANSWERED_SMALL] = "small packets pass, full-size ones do not, so it carries no data",
        [TN_CAND_CHECKED] = "small and full-size packets were answered: it may carry data",
        [TN_CAND_SILENT] = "never answered: a NAT or firewall on the way keeps packets back",
        [TN_CAND_REFUSED] = "not used: our own address, or one that must not be probed",
        [TN_CAND_LOST] = "worked, and stopped answering",
    };

    return verdict < sizeof(text) / sizeof(text[0]) ? text[verdict] : "unknown";
}

static json_t *candidate_json(const struct tn_cand *c, bool in_use, struct tn_now now)
{
    json_t *next = json_null();

    if (c->next_try_us != TN_NEVER && c->next_try_us)
        next = json_real(c->next_try_us > now.us ? (double)(c->next_try_us - now.us) / 1e6 : 0.0);
    return json_pack("{s:o,s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}",
                     "address", endpoint_json(&c->addr),
                     "origin", tn_cand_origin_name(c->origin),
                     "verdict", tn_cand_verdict_name(c->verdict),
                     "why", verdict_sentence(c->verdict),
                     "in_use", in_use,
                     "out_packets", (json_int_t)c->out_packets,
                     "in_packets", (json_int_t)c->in_packets,
                     "out_bytes", (json_int_t)c->out_bytes,
                     "in_bytes", (json_int_t)c->in_bytes,
                     "rtt_ms", ms_json(c->rtt_us),
                     "last_out_s", age_json(c->last_out_us, now.us),
                     "last_in_s", age_json(c->last_in_us, now.us),
                     "full_size_ok_s", age_json(c->full_ok_us, now.us),
                     "observed", endpoint_json(&c->observed),
                     "next_try_s", next);
}

struct tally {
    unsigned count, checked, small, trying, silent;
};

static void count_candidate(struct tally *t, const struct tn_cand *c)
{
    t->count++;
    t->checked += c->verdict == TN_CAND_CHECKED;
    t->small += c->verdict == TN_CAND_ANSWERED_SMALL;
    t->trying += c->verdict == TN_CAND_NEW || c->verdict == TN_CAND_PUNCHING;
    t->silent += c->verdict == TN_CAND_SILENT || c->verdict == TN_CAND_LOST;
}

/* Why there is no direct path (yet). */
static const char *obstacle(const struct tally *t)
{
    if (!t->count)
        return "no candidates of it are known: nothing was sent to it since this daemon runs";
    if (t->trying)
        return "candidates are still being tried";
    if (t->checked)
        return "a candidate works, and traffic is about to move to it";
    if (t->small)
        return "a candidate answers small packets only: the way there has a smaller MTU";
    if (t->silent)
        return "no candidate answers: NATs or firewalls keep packets back on every way that was tried";
    return "none of its candidates may be probed";
}

static void reason(const struct overlay *o, const struct tn_member *m,
                   const struct tn_peer_info *info, const struct tally *t, char *out, size_t len)
{
    const char *name = m->card.cert.name;

    switch (info->path) {
    case TN_PATH_DIRECT:
        snprintf(out, len, "direct, because small and full-size packets were answered on this way, "
                 "and it is the best of %u that work", t->checked);
        return;
    case TN_PATH_RELAY:
        if (!info->reachable)
            snprintf(out, len, "none but the relay is left, and the coordinator says that %s is not "
                     "connected now", name);
        else
            snprintf(out, len, "through the relay, because %s", obstacle(t));
        return;
    case TN_PATH_NONE:
        break;
    }
    if (!info->reachable)
        snprintf(out, len, "no path: the coordinator says that %s is not connected now", name);
    else if (o->coord_state != COORD_JOINED)
        snprintf(out, len, "no path: the coordinator is not connected, so there is no relay, and %s",
                 obstacle(t));
    else
        snprintf(out, len, "no path yet: %s", obstacle(t));
}

json_t *overlay_explain_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                             struct tn_now now)
{
    json_t *list = json_array();
    struct tally tally = {0};
    struct tn_peer_info info;
    struct tn_cand c;
    char why[320];

    if (!tn_node_peer_info(o->t->node, peer, &info))
        memset(&info, 0, sizeof(info));
    tn_wipe(info.psk, sizeof(info.psk));
    for (uint32_t i = 0; tn_node_peer_candidate(o->t->node, peer, i, &c); i++) {
        bool in_use = info.path == TN_PATH_DIRECT && tn_addr_equal(&c.addr, &info.endpoint);

        count_candidate(&tally, &c);
        json_array_append_new(list, candidate_json(&c, in_use, now));
    }
    reason(o, m, &info, &tally, why, sizeof(why));
    return json_pack("{s:o,s:o,s:s}", "peer", peer_json(o, m, peer, now), "candidates", list,
                     "reason", why);
}
