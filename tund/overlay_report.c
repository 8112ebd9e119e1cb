/* status and peers as JSON, made from what the node tells. Units are in
 * the keys' names; what is not known is null. Nothing here changes anything. */
#include "overlay_inside.h"

#include <stdio.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/text.h"
#include "libtunnel/path/mode.h"
#include "log.h"
#include "overlay_tcp.h"

/* ---- small pieces ---- */

json_t *overlay_ms_json(uint64_t us)
{
    return us ? json_real((double)us / 1000.0) : json_null();
}

/* Seconds from a moment to now, or null for one that never was. */
json_t *overlay_age_json(uint64_t at_us, uint64_t now_us)
{
    return at_us && at_us <= now_us ? json_real((double)(now_us - at_us) / 1e6) : json_null();
}

json_t *overlay_endpoint_json(const struct tn_addr *a)
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
        json_array_append_new(list, overlay_endpoint_json(&info->observed_v4));
    if (!tn_addr_is_zero(&info->observed_v6))
        json_array_append_new(list, overlay_endpoint_json(&info->observed_v6));
    return list;
}

static json_t *reach_json(const struct overlay *o, uint64_t now_us)
{
    json_t *list = json_array();
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(o->t->node, i, &row); i++)
        json_array_append_new(list, json_pack("{s:o,s:s,s:s,s:b,s:o}",
                                              "address", overlay_endpoint_json(&row.addr),
                                              "origin", tn_cand_origin_name(row.origin),
                                              "unsolicited", tn_reach_verdict_name(row.verdict),
                                              "two_addresses", row.sent & TN_REACH_FROM_ADDRESS,
                                              "checked_s", overlay_age_json(row.judged_us, now_us)));
    return list;
}

static json_t *self_json(const struct overlay *o, const struct tn_coord_info *info)
{
    char p4[PREFIX_TEXT_LEN], p6[PREFIX_TEXT_LEN], offloads[IO_DESCRIBE_LEN];

    io_describe(o->t->io, offloads, sizeof offloads);
    return json_pack("{s:s,s:o,s:o,s:s,s:[s,s],s:s,s:i,s:i,s:s,s:o,s:o,s:o,s:s}",
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
                     "metered", o->metered.ifname[0] ? json_string(o->metered.ifname) : json_null(),
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
    bool stream;

    if (tn_url_encode(&o->self.coordinator, url, sizeof(url), NULL) != 0)
        url[0] = '\0';
    tn_node_coord_info(o->t->node, &info);
    stream = tn_addr_is_stream(&info.endpoint);
    return json_pack("{s:b,s:s,s:o,s:o,s:s,s:s,s:i,s:s*,s:b}",
                     "connected", info.connected,
                     "transport", stream ? "tls" : "udp",
                     "endpoint", stream ? json_string(overlay_stream_endpoint(o))
                                        : overlay_endpoint_json(&info.endpoint),
                     "rtt_ms", overlay_ms_json(info.rtt_us),
                     "url", url,
                     "state", overlay_coord_state_name(o->coord_state),
                     "status", o->coord_state == COORD_REFUSED ? (int)o->refused_status : 0,
                     "error", error,
                     "member", info.member);
}

/* ---- peers ---- */

/* What a device has told of itself; null: nothing, or it is none. */
static json_t *told_json(const struct tn_peer_info *info, uint64_t now_us)
{
    const struct tn_report *r = &info->report;

    if (!info->is_device || !info->report_us)
        return json_null();
    return json_pack("{s:I,s:o,s:b,s:o,s:i,s:o}",
                     "used_bytes", (json_int_t)r->used,
                     "budget_bytes", r->budget ? json_integer(r->budget) : json_null(),
                     "low", r->is_low,
                     "nat_lifetime_s", r->lifetime_s ? json_integer(r->lifetime_s) : json_null(),
                     "keepalive_s", (int)r->keepalive_s,
                     "told_s", overlay_age_json(info->report_us, now_us));
}

json_t *overlay_peer_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                         struct tn_now now)
{
    struct tn_peer_info info = {.member = TN_NO_PEER};
    uint8_t id[TN_NODE_ID_LEN];
    json_t *handshake = NULL, *out;
    struct tn_addr shown;
    bool known = peer != TN_NO_PEER && tn_node_peer_info(o->t->node, peer, &info);

    tn_wipe(info.psk, sizeof(info.psk));
    tn_node_id(id, m->card.identity);
    shown = overlay_tcp_shown(o, &info.endpoint);
    if (info.last_handshake_unix_ns && info.last_handshake_unix_ns <= now.unix_ns)
        handshake = json_real((double)(now.unix_ns - info.last_handshake_unix_ns) / 1e9);
    out = json_pack("{s:s,s:o,s:o,s:s,s:s?,s:b,s:s,s:s?,s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:b,s:b,s:o,s:i}",
                    "name", m->card.cert.name,
                    "id", id_json(id),
                    "addresses", addresses_json(&m->card),
                    "path", tn_path_kind_name(info.path),
                    "through", overlay_through(o, info.path, &info.endpoint),
                    "relays", tn_card_relays(&m->card),
                    "path_mode", tn_mode_name(info.path_mode),
                    "transport", info.path != TN_PATH_DIRECT ? NULL : tn_addr_is_stream(&info.endpoint) ? "tcp" : "udp",
                    "endpoint", info.has_endpoint ? overlay_endpoint_json(&shown) : json_null(),
                    "rtt_ms", overlay_ms_json(info.rtt_us),
                    "tx_bytes", (json_int_t)info.tx_bytes,
                    "rx_bytes", (json_int_t)info.rx_bytes,
                    "last_handshake_s", handshake ? handshake : json_null(),
                    "time_to_direct_ms", overlay_ms_json(info.time_to_direct_us),
                    "direct_for_s", overlay_age_json(info.direct_since_us, now.us),
                    "reachable", known && info.reachable,
                    "device", (m->card.cert.flags & TN_CERT_DEVICE) != 0,
                    "told", told_json(&info, now.us),
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
            json_array_append_new(list, overlay_peer_json(o, m, peer, now));
    }
    return list;
}

json_t *overlay_status_json(const struct overlay *o)
{
    struct tn_coord_info info;

    tn_node_coord_info(o->t->node, &info);
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "self", self_json(o, &info), "coordinator",
                     overlay_coord_json(o), "portmap", overlay_portmap_json(o), "relay",
                     overlay_relay_json(o), "peers",
                     overlay_peers_json(o));
}
