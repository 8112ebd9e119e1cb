/* A datagram's way: out through each router of the sender's chain (the mapping
 * is made even when the TTL ends it behind), across the core, in through the
 * routers of the receiver's. Translation as RFC 4787 sections 4 and 5. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t world_seed(uint64_t fallback)
{
    const char *text = getenv("SIM_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : fallback;

    printf("# SIM_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    uint8_t bytes[32] = {0};

    if (!w)
        abort();
    memcpy(bytes, &seed, sizeof seed);
    tn_rng_init(&w->rng, bytes);
    w->now.us = TN_S(1000);
    w->now.unix_ns = 1790000000ull * 1000000000u;
    return w;
}

void world_free(struct world *w)
{
    free(w);
}

struct tn_addr world_ip(const char *dotted)
{
    unsigned b[4];
    uint8_t ip[4];

    if (sscanf(dotted, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]) != 4)
        abort();
    for (int i = 0; i < 4; i++)
        ip[i] = (uint8_t)b[i];
    return tn_addr_v4(ip, 0);
}

int world_add_nat(struct world *w, const char *ip, int parent, enum world_mapping m,
                  enum world_filter f)
{
    struct world_nat *nat = &w->nat[w->nats];

    if (w->nats == WORLD_NATS)
        abort();
    *nat = (struct world_nat){
        .ip = world_ip(ip), .parent = parent, .mapping = m, .filter = f, .lifetime_us = TN_S(120)};
    return w->nats++;
}

int world_add_host(struct world *w, const char *ip, int nat, uint32_t delay_us,
                   world_receive_fn *receive, void *ctx)
{
    if (w->hosts == WORLD_HOSTS)
        abort();
    w->host[w->hosts] = (struct world_host){
        .ip = world_ip(ip), .nat = nat, .delay_us = delay_us, .receive = receive, .ctx = ctx};
    return w->hosts++;
}

void world_forget_mappings(struct world *w, int nat)
{
    memset(w->nat[nat].row, 0, sizeof w->nat[nat].row);
}

/* ---- translation ---- */

static bool alive(const struct world *w, const struct world_nat *nat,
                  const struct world_mapping_row *row)
{
    return row->used && row->used_us + nat->lifetime_us > w->now.us;
}

static bool port_taken(const struct world *w, const struct world_nat *nat, uint16_t port)
{
    for (int i = 0; i < WORLD_MAPPINGS; i++) {
        if (alive(w, nat, &nat->row[i]) && nat->row[i].port == port)
            return true;
    }
    return false;
}

static uint16_t draw_port(struct world *w, struct world_nat *nat)
{
    uint16_t first = nat->first_port ? nat->first_port : 1024;
    uint16_t last = nat->last_port ? nat->last_port : 65535;

    if (nat->step) {
        nat->next_port = (uint16_t)(nat->next_port + nat->step);
        return nat->next_port;
    }
    return (uint16_t)(first + tn_rng_below(&w->rng, (uint32_t)(last - first) + 1));
}

/* Only a mapping that does not depend on the destination keeps the inside port. */
static bool keeps_port(const struct world_nat *nat)
{
    return nat->mapping == WORLD_MAP_EIM && !nat->step && !nat->first_port;
}

/* Is this the mapping of what goes there? */
static bool is_for(const struct world_nat *nat, const struct world_mapping_row *row,
                   const struct tn_addr *dst)
{
    switch (nat->mapping) {
    case WORLD_MAP_EIM:
        return true;
    case WORLD_MAP_ADM:
        return tn_addr_same_ip(&row->remote, dst);
    default:
        return tn_addr_equal(&row->remote, dst);
    }
}

static struct world_mapping_row *new_row(struct world *w, struct world_nat *nat,
                                         const struct tn_addr *inside, const struct tn_addr *remote)
{
    uint16_t port = inside->port;

    for (int i = 0; i < WORLD_MAPPINGS; i++) {
        if (alive(w, nat, &nat->row[i]))
            continue;
        if (!keeps_port(nat))
            port = draw_port(w, nat);
        while (port_taken(w, nat, port))
            port = draw_port(w, nat);
        nat->row[i] = (struct world_mapping_row){
            .used = true, .inside = *inside, .remote = *remote, .port = port};
        return &nat->row[i];
    }
    return NULL;
}

static void remember_sent(struct world_mapping_row *row, const struct tn_addr *to)
{
    uint32_t known = row->sent_count < WORLD_SENT_TO ? row->sent_count : WORLD_SENT_TO;

    for (uint32_t i = 0; i < known; i++) {
        if (tn_addr_equal(&row->sent_to[i], to))
            return;
    }
    row->sent_to[row->sent_count++ % WORLD_SENT_TO] = *to;
}

/* The flow of somebody who came in by the mapped port; made when he comes. */
static struct world_mapping_row *forwarded(struct world *w, struct world_nat *nat,
                                           const struct tn_addr *remote, bool make)
{
    struct world_mapping_row *free_row = NULL;

    for (int i = 0; i < WORLD_MAPPINGS; i++) {
        struct world_mapping_row *r = &nat->row[i];

        if (!alive(w, nat, r))
            free_row = r;
        else if (r->port == nat->forward.port && tn_addr_equal(&r->remote, remote))
            return r;
    }
    if (!make || !free_row)
        return NULL;
    *free_row = (struct world_mapping_row){.used = true, .inside = nat->forward.inside,
                                           .remote = *remote, .port = nat->forward.port,
                                           .used_us = w->now.us};
    return free_row;
}

static bool translate_out(struct world *w, struct world_nat *nat, struct tn_addr *src,
                          const struct tn_addr *dst)
{
    struct world_mapping_row *row = NULL;

    if (nat->forward.port && tn_addr_equal(src, &nat->forward.inside))
        row = forwarded(w, nat, dst, false);
    for (int i = 0; i < WORLD_MAPPINGS && !row; i++) {
        struct world_mapping_row *r = &nat->row[i];

        if (alive(w, nat, r) && tn_addr_equal(&r->inside, src) &&
            is_for(nat, r, dst))
            row = r;
    }
    if (!row)
        row = new_row(w, nat, src, dst);
    if (!row)
        return false;
    row->used_us = w->now.us;
    remember_sent(row, dst);
    *src = nat->ip;
    src->port = row->port;
    return true;
}

static bool passes(const struct world_nat *nat, const struct world_mapping_row *row,
                   const struct tn_addr *src)
{
    if (nat->filter == WORLD_FILTER_EIF)
        return true;
    for (uint32_t i = 0; i < row->sent_count && i < WORLD_SENT_TO; i++) {
        if (nat->filter == WORLD_FILTER_ADF ? tn_addr_same_ip(&row->sent_to[i], src)
                                            : tn_addr_equal(&row->sent_to[i], src))
            return true;
    }
    return false;
}

static bool translate_in(struct world *w, struct world_nat *nat, const struct tn_addr *src,
                         struct tn_addr *dst)
{
    struct world_mapping_row *flow;

    if (nat->forward.port && nat->forward.port == dst->port) {
        flow = forwarded(w, nat, src, true);
        if (!flow)
            return false;
        flow->used_us = w->now.us;
        *dst = flow->inside;
        return true;
    }
    for (int i = 0; i < WORLD_MAPPINGS; i++) {
        struct world_mapping_row *row = &nat->row[i];

        if (!alive(w, nat, row) || row->port != dst->port)
            continue;
        if (!is_for(nat, row, src))
            continue;
        if (!passes(nat, row, src)) {
            if (nat->spoils) /* the refused flow owns the port now: the mapping moves */
                row->port = (uint16_t)(1024 + tn_rng_below(&w->rng, 64512));
            return false;
        }
        row->used_us = w->now.us;
        *dst = row->inside;
        return true;
    }
    return false;
}

/* ---- the way ---- */

static int nat_with_ip(const struct world *w, const struct tn_addr *ip)
{
    for (int i = 0; i < w->nats; i++) {
        if (tn_addr_same_ip(&w->nat[i].ip, ip))
            return i;
    }
    return -1;
}

/* Hosts in one site share the router (or the bare internet, for -1). */
static int host_with_ip(const struct world *w, const struct tn_addr *ip, int nat)
{
    for (int i = 0; i < w->hosts; i++) {
        if (w->host[i].nat == nat && tn_addr_same_ip(&w->host[i].ip, ip))
            return i;
    }
    return -1;
}

static bool blocked(const struct world_nat *nat, const struct tn_addr *other)
{
    return nat->blocks_direct && !tn_addr_same_ip(&nat->exempt, other);
}

/* Inwards from the place `site` (-1: the internet) to a host; -1: nowhere. */
static int find_inwards(struct world *w, int site, const struct tn_addr *src, struct tn_addr *dst,
                        int *hops)
{
    for (;;) {
        int host = host_with_ip(w, dst, site);
        int nat;

        if (host >= 0)
            return host;
        nat = nat_with_ip(w, dst);
        if (nat < 0 || w->nat[nat].parent != site || --*hops <= 0 || blocked(&w->nat[nat], src) ||
            !translate_in(w, &w->nat[nat], src, dst))
            return -1;
        site = nat;
    }
}

/* Outwards from a host until a place that knows dst; returns the host reached, or -1. */
static int find(struct world *w, int from, struct tn_addr *src, struct tn_addr *dst, int hops,
                bool *local)
{
    int site = w->host[from].nat;

    *local = site >= 0;
    for (;;) {
        int host = host_with_ip(w, dst, site);
        struct world_nat *nat;

        if (host >= 0)
            return host;
        if (site < 0)
            break;
        nat = &w->nat[site];
        if (--hops <= 0 || blocked(nat, dst))
            return -1;
        if (tn_addr_same_ip(&nat->ip, dst)) { /* its own outside address: hairpin, RFC 4787 section 6 */
            if (!nat->hairpin || !translate_out(w, nat, src, dst))
                return -1;
            return find_inwards(w, nat->parent, src, dst, &hops);
        }
        if (!translate_out(w, nat, src, dst))
            return -1;
        site = nat->parent;
        *local = false;
        if (nat_with_ip(w, dst) >= 0 && w->nat[nat_with_ip(w, dst)].parent == site && site >= 0)
            return find_inwards(w, site, src, dst, &hops);
    }
    *local = false;
    hops -= WORLD_CORE_HOPS;
    if (hops <= 0)
        return -1;
    return find_inwards(w, -1, src, dst, &hops);
}

static bool dice(struct world *w, uint32_t ppm)
{
    return ppm && tn_rng_below(&w->rng, 1000000) < ppm;
}

static uint64_t delay_of(struct world *w, const struct world_host *h)
{
    return h->delay_us + (h->jitter_us ? tn_rng_below(&w->rng, h->jitter_us) : 0);
}

static struct world_packet *free_packet(struct world *w)
{
    for (int i = 0; i < WORLD_PACKETS; i++) {
        if (!w->packet[i].used)
            return &w->packet[i];
    }
    return NULL;
}

void world_send(struct world *w, int host, uint16_t sport, const struct tn_addr *dst, uint8_t ttl,
                const uint8_t *data, size_t len)
{
    struct world_packet *p = free_packet(w);
    struct tn_addr src = w->host[host].ip, to = *dst;
    bool local;
    int at;

    w->sent++;
    src.port = sport;
    if (!p || len > WORLD_DATAGRAM || w->host[host].down) {
        w->lost++;
        return;
    }
    at = find(w, host, &src, &to, ttl ? ttl : 64, &local);
    if (at < 0 || w->host[at].down || (!local && w->max_len && len > w->max_len) ||
        dice(w, w->host[host].loss_ppm) || dice(w, w->host[at].loss_ppm)) {
        w->lost++;
        return;
    }
    *p = (struct world_packet){.used = true, .order = w->order++, .host = at, .src = src, .dst = to, .len = len};
    p->at_us = w->now.us + (local ? 200 : delay_of(w, &w->host[host]) + delay_of(w, &w->host[at]));
    memcpy(p->data, data, len);
}

static struct world_packet *earliest(const struct world *w)
{
    const struct world_packet *best = NULL;

    for (int i = 0; i < WORLD_PACKETS; i++) {
        const struct world_packet *p = &w->packet[i];

        if (p->used && (!best || p->at_us < best->at_us ||
                        (p->at_us == best->at_us && p->order < best->order)))
            best = p;
    }
    return (struct world_packet *)best;
}

uint64_t world_next(const struct world *w)
{
    const struct world_packet *p = earliest(w);

    return p ? p->at_us : TN_NEVER;
}

void world_advance(struct world *w, uint64_t us)
{
    struct world_packet *p;

    if (us > w->now.us) {
        w->now.unix_ns += (us - w->now.us) * 1000u;
        w->now.us = us;
    }
    while ((p = earliest(w)) && p->at_us <= w->now.us) {
        struct world_host *h = &w->host[p->host];

        if (!h->down) {
            w->delivered++;
            h->receive(h->ctx, &p->src, &p->dst, p->data, p->len);
        }
        p->used = false;
    }
}
