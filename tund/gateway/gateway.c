/* The life of mappings. One is asked for by PCP, then NAT-PMP, then UPnP; whichever gives it holds it.
 * UPnP is looked for at the same time, as finding it takes seconds; in the IPv6 firewall, where a pinhole
 * matters less, when PCP is not there.
 *
 * A mapping that the gateway gave is renewed at half its life, on the same outside port. If a renewal
 * is not answered it is tried again until the lease ends; if it is refused, the other protocols
 * are asked. What the gateway forgot in between shows by its epoch (epoch.h), by its announcements, by
 * another outside address, or, with UPnP, when the entry is written again after ten minutes. */
#include "gateway_inside.h"

#include <string.h>

#include "libtunnel/base/now.h"
#include "libtunnel/crypto/crypto.h"

#define LEASE_MAX_S 86400u    /* a longer one is renewed as if it were this (RFC 6887 section 15) */
#define UPNP_CHECK_S 600u     /* no epoch tells that a UPnP table was emptied */
#define UPNP_RENEW_MIN_S 10u  /* a process is started for each */
#define NOT_ANSWERED_MAX_S 300u
#define LIES_RETRY_S 3600u
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* ---- small pieces ---- */

uint64_t gateway_random(struct gateway *g, uint64_t below)
{
    g->random ^= g->random << 13; /* xorshift64: spreads load, protects nothing */
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return below ? g->random % below : 0;
}

bool gateway_is_outstanding(const struct gateway_mapping *m)
{
    return m->state == GATEWAY_ASKING || m->state == GATEWAY_ENDING ||
           (m->state == GATEWAY_MAPPED && m->renewing);
}

/* The same nonce for the same mapping, also after a restart: the gateway then knows its owner again
 * (RFC 6887 section 11.4). Nobody else can guess it. */
static void make_nonce(const struct gateway *g, struct gateway_mapping *m)
{
    uint8_t what[16 + 4] = {0}, out[32];
    const struct gateway_server *s = &g->server[m->want.family];

    memcpy(what, s->router.address.ip, 16);
    what[16] = (uint8_t)(m->want.internal_port >> 8);
    what[17] = (uint8_t)m->want.internal_port;
    what[18] = m->want.tcp ? PROTOCOL_TCP : PROTOCOL_UDP;
    what[19] = (uint8_t)m->want.family;
    tn_blake2s(out, sizeof out, g->config.nonce_key, sizeof g->config.nonce_key, what, sizeof what);
    memcpy(m->nonce, out, sizeof m->nonce);
}

static void forget_external(struct gateway *g, struct gateway_mapping *m)
{
    if (!tn_addr_is_zero(&m->external))
        g->changed = true;
    memset(&m->external, 0, sizeof m->external);
    m->verdict = GATEWAY_UNVERIFIED;
    m->renewing = m->rewritten = false;
    m->pending_port = 0;
    m->pinhole = IGD_NO_PINHOLE;
    m->expires_us = m->due_us = TN_NEVER;
    m->send_wish = m->job_wish = false;
}

static void set_state(struct gateway *g, struct gateway_mapping *m, enum gateway_state state,
                      enum gateway_why why)
{
    if (m->state != state || m->why != why)
        g->changed = true;
    m->state = (uint8_t)state;
    m->why = (uint8_t)why;
}

/* ---- which protocol ---- */

static bool can_try(const struct gateway *g, const struct gateway_mapping *m, enum gateway_protocol p)
{
    const struct gateway_server *s = &g->server[m->want.family];

    if (m->want.only != GATEWAY_NONE && m->want.only != p)
        return false;
    switch (p) {
    case GATEWAY_PCP:
        return s->pcp != GATEWAY_ABSENT;
    case GATEWAY_NATPMP:
        return s->natpmp != GATEWAY_ABSENT && m->want.family == GATEWAY_V4;
    case GATEWAY_UPNP:
        return g->igd[m->want.family].service != GATEWAY_ABSENT && g->config.upnp;
    case GATEWAY_NONE:
        break;
    }
    return false;
}

/* The first that can be tried after `last` (GATEWAY_NONE: of all); GATEWAY_NONE where none is left. */
static enum gateway_protocol next_protocol(const struct gateway *g, const struct gateway_mapping *m,
                                           enum gateway_protocol last)
{
    for (int p = last + 1; p <= GATEWAY_UPNP; p++) {
        if (can_try(g, m, (enum gateway_protocol)p))
            return (enum gateway_protocol)p;
    }
    return GATEWAY_NONE;
}

void gateway_ask(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    struct gateway_server *s = &g->server[m->want.family];

    m->due_us = TN_NEVER;
    if (m->protocol == GATEWAY_UPNP) {
        gateway_igd_ask(g, m, now_us);
        return;
    }
    m->send_wish = true;
    if (m->protocol == GATEWAY_NATPMP && m->state != GATEWAY_ENDING)
        s->want_outside = true;
    if (m->protocol == GATEWAY_PCP && s->pcp == GATEWAY_UNKNOWN)
        s->pcp = GATEWAY_ASKED;
}

void gateway_begin(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    const struct gateway_server *s = &g->server[m->want.family];
    enum gateway_protocol p;

    forget_external(g, m);
    m->tries = m->port_tries = 0;
    m->code = 0;
    m->retry_s = UINT32_MAX;
    if (!s->present || g->stopping) {
        m->protocol = GATEWAY_NONE;
        set_state(g, m, GATEWAY_WAITING, GATEWAY_NO_ROUTER);
        return;
    }
    if (m->want.family == GATEWAY_V4 && !tn_addr_is_private(&s->router.own)) {
        m->protocol = GATEWAY_NONE;
        set_state(g, m, GATEWAY_WAITING, GATEWAY_NOT_NEEDED);
        return;
    }
    make_nonce(g, m);
    set_state(g, m, GATEWAY_ASKING, GATEWAY_WELL);
    p = next_protocol(g, m, GATEWAY_NONE);
    m->protocol = (uint8_t)p;
    if (p == GATEWAY_NONE)
        gateway_refused(g, m, GATEWAY_NO_SERVICE, 0, 1800, now_us);
    else
        gateway_ask(g, m, now_us);
}

/* ---- what the gateway said ---- */

static uint64_t renewal_us(const struct gateway_mapping *m, uint32_t lease_s)
{
    uint64_t half_us = TN_S(lease_s) / 2;

    if (m->protocol == GATEWAY_UPNP) {
        if (lease_s == 0 || half_us > TN_S(UPNP_CHECK_S))
            half_us = TN_S(UPNP_CHECK_S);
        return half_us < TN_S(UPNP_RENEW_MIN_S) ? TN_S(UPNP_RENEW_MIN_S) : half_us;
    }
    return half_us < TN_S(1) ? TN_S(1) : half_us;
}

void gateway_granted(struct gateway *g, struct gateway_mapping *m, const struct tn_addr *external,
                     uint32_t lease_s, uint64_t now_us)
{
    bool is_private = m->want.family == GATEWAY_V4 && tn_addr_is_private(external);

    if (!tn_addr_is_probeable(external)) { /* port 0 (RouterOS), no address, a group ... */
        gateway_refused(g, m, GATEWAY_BAD_ANSWER, 0, 600, now_us);
        return;
    }
    if (lease_s > LEASE_MAX_S)
        lease_s = LEASE_MAX_S;
    if (!tn_addr_equal(&m->external, external)) {
        g->changed = true;
        m->verdict = GATEWAY_UNVERIFIED;
    }
    if (m->in_doubt) { /* it was gone meanwhile, with all else that the gateway had let in */
        g->changed = true;
        m->remade++;
    }
    m->in_doubt = false;
    m->rewritten = external->port != (m->want.external_port ? m->want.external_port
                                                             : m->want.internal_port);
    m->external = *external;
    m->ask_port = external->port;
    m->lease_s = lease_s;
    m->code = 0;
    m->renewing = m->send_wish = m->job_wish = false;
    m->tries = m->port_tries = 0;
    m->pending_port = 0;
    m->granted_us = now_us;
    m->expires_us = lease_s ? now_us + TN_S(lease_s) : TN_NEVER;
    m->due_us = now_us + renewal_us(m, lease_s);
    set_state(g, m, GATEWAY_MAPPED, is_private ? GATEWAY_PRIVATE : GATEWAY_WELL);
    if (m->removed || g->stopping)
        gateway_remove(g, (uint32_t)(m - g->mapping), now_us);
}

/* A renewal without an answer: again at half of what is left. */
static void try_renewal_later(struct gateway_mapping *m, uint64_t now_us)
{
    uint64_t wait_us = TN_S(NOT_ANSWERED_MAX_S);

    if (m->expires_us != TN_NEVER && (m->expires_us - now_us) / 2 < wait_us)
        wait_us = (m->expires_us - now_us) / 2;
    m->renewing = m->send_wish = m->job_wish = false;
    m->tries = 0;
    m->due_us = now_us + (wait_us < TN_S(1) ? TN_S(1) : wait_us);
}

void gateway_refused(struct gateway *g, struct gateway_mapping *m, enum gateway_why why, uint16_t code,
                     uint32_t retry_s, uint64_t now_us)
{
    bool says_more = m->state == GATEWAY_MAPPED || m->why == GATEWAY_WELL ||
                     (why != GATEWAY_NO_SERVICE && why != GATEWAY_UNREACHED);
    enum gateway_protocol p;

    if (m->state == GATEWAY_ENDING || m->removed) {
        gateway_ended(g, m, now_us);
        return;
    }
    if (m->state == GATEWAY_MAPPED && why == GATEWAY_UNREACHED && m->expires_us > now_us) {
        try_renewal_later(m, now_us);
        return;
    }
    forget_external(g, m);
    if (says_more) {
        m->why = (uint8_t)why;
        m->code = code;
    }
    if (retry_s < m->retry_s)
        m->retry_s = retry_s;
    p = next_protocol(g, m, (enum gateway_protocol)m->protocol);
    m->tries = m->port_tries = 0;
    if (p != GATEWAY_NONE && m->protocol != GATEWAY_NONE) {
        m->protocol = (uint8_t)p;
        set_state(g, m, GATEWAY_ASKING, (enum gateway_why)m->why);
        gateway_ask(g, m, now_us);
        return;
    }
    if (m->why == GATEWAY_NO_SERVICE && g->igd[m->want.family].status != IGD_OK) {
        m->why = (uint8_t)gateway_igd_why(g->igd[m->want.family].status);
        m->code = g->igd[m->want.family].status;
    }
    m->protocol = GATEWAY_NONE;
    set_state(g, m, GATEWAY_FAILED, (enum gateway_why)m->why);
    m->due_us = now_us + TN_S(m->retry_s);
}

void gateway_lost_port(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    forget_external(g, m);
    m->port_tries = 1;
    m->ask_port = 0;
    m->tries = 0;
    set_state(g, m, GATEWAY_ASKING, (enum gateway_why)m->why);
    gateway_ask(g, m, now_us);
}

void gateway_ended(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    bool lies = m->silent_count >= 2;

    forget_external(g, m);
    g->changed = true;
    if (m->removed || g->stopping) {
        memset(m, 0, sizeof *m);
    } else if (lies) {
        m->protocol = GATEWAY_NONE;
        set_state(g, m, GATEWAY_FAILED, GATEWAY_LIES);
        m->due_us = now_us + TN_S(LIES_RETRY_S);
    } else {
        gateway_begin(g, m, now_us);
    }
}

/* ---- what we want ---- */

int gateway_add(struct gateway *g, const struct gateway_want *want, uint64_t now_us)
{
    uint32_t id = 0;
    struct gateway_mapping *m;

    if (g->stopping)
        return TN_ESTATE;
    if (!want->internal_port || want->family >= GATEWAY_FAMILIES || want->only > GATEWAY_UPNP ||
        (want->family == GATEWAY_V6 && want->only == GATEWAY_NATPMP))
        return TN_EINVAL;
    if (gateway_find(g, want->family, want->tcp, want->internal_port) != GATEWAY_NO_MAPPING)
        return TN_EEXIST;
    while (id < GATEWAY_MAPPINGS && g->mapping[id].used)
        id++;
    if (id == GATEWAY_MAPPINGS)
        return TN_ENOSPC;
    m = &g->mapping[id];
    memset(m, 0, sizeof *m);
    m->used = true;
    m->serial = ++g->serial;
    m->want = *want;
    m->ask_port = want->external_port ? want->external_port : want->internal_port;
    gateway_begin(g, m, now_us);
    g->changed = true;
    return (int)id;
}

static void begin_end(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    bool may_exist = m->state == GATEWAY_MAPPED ||
                     (m->state == GATEWAY_ASKING && m->protocol != GATEWAY_UPNP);

    if (m->state == GATEWAY_ENDING || (m->state == GATEWAY_ASKING && gateway_igd_works_for(g, m)))
        return; /* on_igd goes on with it */
    if (!may_exist) {
        gateway_ended(g, m, now_us);
        return;
    }
    set_state(g, m, GATEWAY_ENDING, (enum gateway_why)m->why);
    m->renewing = false;
    m->tries = 0;
    gateway_ask(g, m, now_us);
}

void gateway_remove(struct gateway *g, uint32_t id, uint64_t now_us)
{
    struct gateway_mapping *m = id < GATEWAY_MAPPINGS ? &g->mapping[id] : NULL;

    if (!m || !m->used)
        return;
    m->removed = true;
    g->changed = true;
    begin_end(g, m, now_us);
}

void gateway_stop(struct gateway *g, uint64_t now_us)
{
    g->stopping = true;
    for (int family = 0; family < GATEWAY_FAMILIES; family++)
        g->igd[family].probe_wish = false;
    g->order.wanted = false;
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        gateway_remove(g, i, now_us);
        if (m->used && m->state == GATEWAY_ENDING && m->protocol == GATEWAY_UPNP && !m->job_wish &&
            !gateway_igd_works_for(g, m))
            gateway_ended(g, m, now_us); /* it waited for a probe that is not made any more */
    }
}

bool gateway_is_idle(const struct gateway *g)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        if (g->mapping[i].used)
            return false;
    }
    return g->stopping && !(g->job.running && g->job.id != GATEWAY_NO_MAPPING);
}

void gateway_on_verdict(struct gateway *g, uint32_t id, bool answered, uint64_t now_us)
{
    struct gateway_mapping *m = id < GATEWAY_MAPPINGS ? &g->mapping[id] : NULL;

    if (!m || !m->used || m->state != GATEWAY_MAPPED)
        return;
    g->changed = true;
    if (answered) {
        m->verdict = GATEWAY_ANSWERED;
        m->silent_count = 0;
        return;
    }
    m->verdict = GATEWAY_SILENT;
    if (m->silent_count < 2)
        m->silent_count++;
    begin_end(g, m, now_us);
}

/* ---- the router ---- */

static void forget_services(struct gateway *g, enum gateway_family family, bool same)
{
    struct gateway_server *s = &g->server[family];
    struct gateway_igd *igd = &g->igd[family];
    bool runs = g->job.running && g->job.family == family;

    if (!same) {
        memset(s, 0, sizeof *s);
    } else {
        s->pcp = s->pcp == GATEWAY_THERE ? GATEWAY_THERE : GATEWAY_UNKNOWN;
        s->natpmp = s->natpmp == GATEWAY_THERE ? GATEWAY_THERE : GATEWAY_UNKNOWN;
    }
    if (same && (igd->service == GATEWAY_THERE || runs))
        return;
    g->job.stale |= runs;
    igd->service = GATEWAY_UNKNOWN;
    igd->location[0] = '\0';
    igd->status = IGD_OK;
    igd->swept = igd->swept && same;
    igd->probe_wish = igd->probe_wish && same;
}

static bool needs_probe(const struct gateway *g)
{
    return g->config.upnp && !g->stopping && g->igd[GATEWAY_V4].service == GATEWAY_UNKNOWN;
}

static void move_mapping(struct gateway *g, struct gateway_mapping *m, bool same, uint64_t now_us)
{
    if (same && m->state == GATEWAY_MAPPED) {
        gateway_renew_soon(g, m, 0, now_us);
    } else if (same && (m->state == GATEWAY_ENDING || (m->removed && gateway_igd_works_for(g, m)))) {
        return;
    } else if (m->removed) { /* at a router that is not ours any more */
        gateway_ended(g, m, now_us);
    } else {
        m->silent_count = 0;
        m->permanent = false;
        gateway_begin(g, m, now_us);
    }
}

void gateway_set_router(struct gateway *g, enum gateway_family family,
                        const struct gateway_router *router, uint64_t now_us)
{
    struct gateway_server *s = &g->server[family];
    bool same = router && s->present && tn_addr_equal(&s->router.address, &router->address) &&
                tn_addr_equal(&s->router.own, &router->own);

    if (!router && !s->present)
        return;
    forget_services(g, family, same);
    s->present = router != NULL;
    if (router)
        s->router = *router;
    if (family == GATEWAY_V4)
        g->igd[GATEWAY_V4].probe_wish = router && tn_addr_is_private(&router->own) && needs_probe(g);
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        if (g->mapping[i].used && g->mapping[i].want.family == family)
            move_mapping(g, &g->mapping[i], same, now_us);
    }
    g->changed = true;
}

void gateway_renew_soon(struct gateway *g, struct gateway_mapping *m, uint64_t max_wait_us,
                        uint64_t now_us)
{
    uint64_t at_us = now_us + gateway_random(g, max_wait_us);

    if (m->state == GATEWAY_MAPPED && !m->renewing && m->due_us > at_us)
        m->due_us = at_us;
}

void gateway_on_observed(struct gateway *g, const struct tn_addr *observed, uint64_t now_us)
{
    struct gateway_server *s = &g->server[GATEWAY_V4];
    bool known = !tn_addr_is_zero(&s->observed);

    if (!tn_addr_is_v4(observed) || (known && tn_addr_same_ip(&s->observed, observed)))
        return;
    s->observed = *observed;
    for (uint32_t i = 0; known && i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (m->used && m->want.family == GATEWAY_V4 && !tn_addr_same_ip(&m->external, observed))
            gateway_renew_soon(g, m, 0, now_us);
    }
}

/* ---- the clock ---- */

static void renew(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    m->renewing = true;
    m->tries = 0;
    m->pending_port = 0;
    gateway_ask(g, m, now_us);
}

static void step(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    uint32_t tries = m->state == GATEWAY_ENDING ? GATEWAY_END_TRIES : GATEWAY_TRIES;

    m->due_us = TN_NEVER;
    switch (m->state) {
    case GATEWAY_MAPPED:
        if (!m->renewing) {
            renew(g, m, now_us);
            return;
        }
        break;
    case GATEWAY_FAILED:
        /* by then it may speak what it did not speak */
        forget_services(g, m->want.family, true);
        g->igd[GATEWAY_V4].probe_wish |= m->want.family == GATEWAY_V4 && needs_probe(g);
        gateway_begin(g, m, now_us);
        return;
    case GATEWAY_ASKING:
    case GATEWAY_ENDING:
        break;
    case GATEWAY_WAITING:
        return;
    }
    if (m->tries < tries)
        gateway_ask(g, m, now_us);
    else
        gateway_udp_no_answer(g, m, now_us);
}

void gateway_tick(struct gateway *g, uint64_t now_us)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!m->used)
            continue;
        if (m->state == GATEWAY_MAPPED && m->expires_us <= now_us)
            gateway_begin(g, m, now_us); /* it ran out without an answer */
        else if (m->due_us <= now_us)
            step(g, m, now_us);
    }
}

uint64_t gateway_next_deadline(const struct gateway *g)
{
    uint64_t next = TN_NEVER;

    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        const struct gateway_mapping *m = &g->mapping[i];

        if (!m->used)
            continue;
        if (m->due_us < next)
            next = m->due_us;
        if (m->state == GATEWAY_MAPPED && m->expires_us < next)
            next = m->expires_us;
    }
    return next;
}

/* ---- life and looking ---- */

void gateway_init(struct gateway *g, const struct gateway_config *config)
{
    memset(g, 0, sizeof *g);
    g->config = *config;
    g->random = config->seed ? config->seed : 1;
    g->job.id = GATEWAY_NO_MAPPING;
    for (int family = 0; family < GATEWAY_FAMILIES; family++)
        g->igd[family].service = config->upnp ? GATEWAY_UNKNOWN : GATEWAY_ABSENT;
}

bool gateway_take_changed(struct gateway *g)
{
    bool changed = g->changed;

    g->changed = false;
    return changed;
}

const struct gateway_mapping *gateway_at(const struct gateway *g, uint32_t id)
{
    return id < GATEWAY_MAPPINGS && g->mapping[id].used ? &g->mapping[id] : NULL;
}

uint32_t gateway_find(const struct gateway *g, enum gateway_family family, bool tcp,
                      uint16_t internal_port)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        const struct gateway_want *w = &g->mapping[i].want;

        if (g->mapping[i].used && !g->mapping[i].removed && w->family == family && w->tcp == tcp &&
            w->internal_port == internal_port)
            return i;
    }
    return GATEWAY_NO_MAPPING;
}
