/* explain as JSON (docs/JSON.md), from what the node tells: facts for explain.c, and for each
 * candidate what was sent, what came back and what that means. Nothing here changes anything. */
#include "overlay_inside.h"

#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/path/portsearch.h"
#include "libtunnel/path/score.h"
#include "log.h"
#include "overlay_tcp.h"

#define CANDIDATE_LEN 200

static const char *verdict_sentence(const struct tn_cand *c)
{
    static const char *const text[] = {
        [TN_CAND_NEW] = "nothing was sent there yet",
        [TN_CAND_PUNCHING] = "being tried now",
        [TN_CAND_ANSWERED_SMALL] = "small packets pass, long ones do not, so it carries no data",
        [TN_CAND_CHECKED] = "small and long packets were answered: it may carry data",
        [TN_CAND_SILENT] = "never answered: a NAT or firewall on the way keeps packets back",
        [TN_CAND_REFUSED] = "not used: our own address, or one that must not be probed",
        [TN_CAND_LOST] = "worked, and stopped answering",
    };

    if (c->left == TN_CAND_LOSSY)
        return "works, but loses so many packets that the relay is better";
    if (c->left == TN_CAND_SLOW)
        return "works, but takes so long that the relay is better";
    return c->verdict < sizeof(text) / sizeof(text[0]) ? text[c->verdict] : "unknown";
}

static void say_tried(const struct tn_cand *c, struct tn_now now, char out[CANDIDATE_LEN])
{
    if (!c->out_packets)
        snprintf(out, CANDIDATE_LEN, "nothing was sent there");
    else
        snprintf(out, CANDIDATE_LEN, "%llu packets were sent, the last %.0f s ago%s",
                 (unsigned long long)c->out_packets, (double)(now.us - c->last_out_us) / 1e6,
                 c->silent_rounds ? ", in rounds that all stayed unanswered" : "");
}

static void say_came_back(const struct tn_cand *c, struct tn_now now, char out[CANDIDATE_LEN])
{
    if (!c->in_packets)
        snprintf(out, CANDIDATE_LEN, "nothing came back");
    else if (!c->last_pong_us)
        snprintf(out, CANDIDATE_LEN, "%llu packets came from there, but no answer to what we sent: the way there "
                 "is open in one direction", (unsigned long long)c->in_packets);
    else if (!c->mtu)
        snprintf(out, CANDIDATE_LEN, "%llu packets, the last %.0f s ago; small probes are answered in %.1f ms, "
                 "long ones are not", (unsigned long long)c->in_packets,
                 (double)(now.us - c->last_in_us) / 1e6, (double)c->rtt_us / 1000.0);
    else
        snprintf(out, CANDIDATE_LEN, "%llu packets, the last %.0f s ago; small probes are answered in %.1f ms, "
                 "and packets of up to %u bytes pass in one piece", (unsigned long long)c->in_packets,
                 (double)(now.us - c->last_in_us) / 1e6, (double)c->rtt_us / 1000.0, (unsigned)c->mtu);
}

/* Of PINGs with their answers; null before there is enough to go by. */
static json_t *loss_json(const struct tn_cand *c)
{
    return c->loss_samples >= TN_SCORE_SAMPLES ? json_real(c->loss_64k / 65536.0) : json_null();
}

static json_t *candidate_json(const struct overlay *o, const struct tn_cand *c, bool in_use, struct tn_now now)
{
    struct tn_addr shown = overlay_tcp_shown(o, &c->addr);
    char tried[CANDIDATE_LEN], came_back[CANDIDATE_LEN];
    json_t *next = json_null();
    uint32_t score_us = tn_score_us(c);

    say_tried(c, now, tried);
    say_came_back(c, now, came_back);
    if (c->next_try_us != TN_NEVER && c->next_try_us)
        next = json_real(c->next_try_us > now.us ? (double)(c->next_try_us - now.us) / 1e6 : 0.0);
    return json_pack("{s:o,s:s?,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
                     "address", overlay_endpoint_json(&shown),
                     "through", c->origin == TN_CAND_MEMBER ? overlay_through(o, TN_PATH_MEMBER, &c->addr) : NULL,
                     "origin", tn_cand_origin_name(c->origin),
                     "transport", c->origin == TN_CAND_TCP ? "tcp" : "udp",
                     "verdict", tn_cand_verdict_name(c->verdict),
                     "why", verdict_sentence(c),
                     "tried", tried,
                     "came_back", came_back,
                     "in_use", in_use,
                     "out_packets", (json_int_t)c->out_packets,
                     "in_packets", (json_int_t)c->in_packets,
                     "out_bytes", (json_int_t)c->out_bytes,
                     "in_bytes", (json_int_t)c->in_bytes,
                     "rtt_ms", overlay_ms_json(c->rtt_us),
                     "loss", loss_json(c),
                     "cost_ms", json_real(c->cost_us / 1e3),
                     "score_ms", score_us == UINT32_MAX ? json_null() : json_real(score_us / 1e3),
                     "last_out_s", overlay_age_json(c->last_out_us, now.us),
                     "last_in_s", overlay_age_json(c->last_in_us, now.us),
                     "mtu", c->mtu ? json_integer(c->mtu) : json_null(),
                     "full_size_ok_s", overlay_age_json(c->full_ok_us, now.us),
                     "observed", overlay_endpoint_json(&c->observed),
                     "next_try_s", next);
}

static json_t *nat_json(const struct tn_nat *nat)
{
    if (nat->mapping == TN_NAT_UNKNOWN)
        return json_null();
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:b,s:b}",
                     "mapping", tn_nat_mapping_name(nat->mapping),
                     "filtering", tn_nat_filtering_name(nat->filtering),
                     "ports", tn_nat_ports_name(nat->ports),
                     "port_step", nat->step ? json_integer(nat->step) : json_null(),
                     "port_range", nat->last_port ? json_pack("[i,i]", (int)nat->first_port, (int)nat->last_port)
                                                  : json_null(),
                     "open", nat->open,
                     "metered", nat->reserved);
}

/* A mapping of our gateway's that dial-backs found closed. */
static const char *find_lie(const struct overlay *o, char text[ADDR_TEXT_LEN])
{
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(o->t->node, i, &row); i++) {
        if (row.origin == TN_CAND_MAPPED && row.verdict == TN_REACH_CLOSED)
            return addr_text(&row.addr, text);
    }
    return NULL;
}

static json_t *advice_json(const struct explain_facts *f)
{
    json_t *list = json_array();
    char text[EXPLAIN_LEN];

    for (unsigned i = 0; explain_advice(f, i, text); i++)
        json_array_append_new(list, json_string(text));
    return list;
}

/* The candidates, counted into *tally. */
static json_t *candidates_json(const struct overlay *o, uint32_t peer, const struct tn_peer_info *info,
                               struct explain_tally *tally, struct tn_now now)
{
    json_t *list = json_array();
    struct tn_cand c;

    for (uint32_t i = 0; tn_node_peer_candidate(o->t->node, peer, i, &c); i++) {
        bool in_use = (info->path == TN_PATH_DIRECT || info->path == TN_PATH_MEMBER) && tn_addr_equal(&c.addr, &info->endpoint);

        if (c.origin != TN_CAND_MEMBER) /* the tally is of what is direct */
            explain_count(tally, c.verdict, c.left);
        json_array_append_new(list, candidate_json(o, &c, in_use, now));
    }
    return list;
}

static json_t *search_json(const struct explain_facts *f, const struct tn_peer_info *info)
{
    char words[EXPLAIN_SEARCH_LEN];
    uint32_t needs = explain_search_bytes(f);

    return json_pack("{s:i,s:i,s:i,s:o,s:i,s:o}",
                     "begun", (int)info->searches,
                     "hits", (int)info->search_hits,
                     "bytes", (int)(info->search_sent * TN_SEARCH_PUNCH_BYTES),
                     "needs_bytes", needs ? json_integer(needs) : json_null(),
                     "budget_bytes", (int)f->budget,
                     "words", explain_search(f, words) ? json_string(words) : json_null());
}

json_t *overlay_explain_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                             struct tn_now now)
{
    char why[EXPLAIN_LEN], lie[ADDR_TEXT_LEN];
    struct tn_peer_info info;
    struct explain_facts f = {.name = m->card.cert.name, .joined = o->coord_state == COORD_JOINED,
                              .own = o->nat.own, .budget = o->metered.budget};
    json_t *list;

    if (!tn_node_peer_info(o->t->node, peer, &info))
        memset(&info, 0, sizeof(info));
    tn_wipe(info.psk, sizeof(info.psk));
    f.path = info.path;
    f.through = overlay_through(o, info.path, &info.endpoint);
    f.rtt_us = info.rtt_us;
    f.reachable = info.reachable;
    f.mtu = info.mtu;
    f.mtu_wanted = o->t->mtu;
    f.is_device = info.is_device;
    f.mode = info.path_mode;
    f.peer = info.nat;
    f.searches = info.searches;
    f.tcp = overlay_tcp_state(o, peer);
    f.by_tcp = info.path == TN_PATH_DIRECT && tn_addr_is_stream(&info.endpoint);
    f.lying = find_lie(o, lie);
    list = candidates_json(o, peer, &info, &f.tally, now);
    explain_reason(&f, why);
    return json_pack("{s:i,s:o,s:s,s:{s:o,s:o,s:s,s:s},s:o,s:o,s:o,s:o,s:o}",
                     "version", 1,
                     "peer", overlay_peer_json(o, m, peer, now),
                     "reason", why,
                     "nats",
                     "own", nat_json(&f.own),
                     "peer", nat_json(&f.peer),
                     "pair", tn_nat_pair_name(tn_nat_pair(&f.own, &f.peer)),
                     "words", explain_pair(&f),
                     "portmap", overlay_portmap_json(o),
                     "search", search_json(&f, &info),
                     "tcp", overlay_tcp_json(o, peer),
                     "advice", advice_json(&f),
                     "candidates", list);
}
