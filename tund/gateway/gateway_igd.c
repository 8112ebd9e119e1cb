/* UPnP. What talks to the router is tund-igd, a process of its own, one at a time: a probe finds the
 * router and removes what an earlier run of this node left in its table; further jobs then name the
 * description's address and need no search. An IPv6 firewall (WANIPv6FirewallControl) is looked for by IPv6,
 * since it opens a port only for the address that asks, and only when PCP is not there. A job that is not answered makes the next one search
 * again: a router that was restarted may have moved its web server. */
#include "gateway_inside.h"

#include <string.h>

#include "libtunnel/base/now.h"

#define PORT_TRIES 8u
#define PORT_FIRST 20000u
#define PORT_COUNT 40000u
#define JOB_TRIES 2u
#define SOAP_INVALID_ARGS 402
#define SOAP_ACTION_FAILED 501

/* ---- out ---- */

/* Not one that was asked of another router: when that is through, its answer says nothing. */
static bool is_probing(const struct gateway *g, enum gateway_family family)
{
    return g->job.running && !g->job.stale && g->job.op == IGD_PROBE && g->job.family == family;
}

void gateway_igd_ask(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    struct gateway_igd *igd = &g->igd[m->want.family];

    if (igd->service == GATEWAY_ABSENT && m->state == GATEWAY_MAPPED)
        igd->service = GATEWAY_UNKNOWN; /* it was there: search again while the lease lasts */
    if (igd->service == GATEWAY_THERE)
        m->job_wish = true;
    else if (igd->service == GATEWAY_ABSENT)
        gateway_refused(g, m, GATEWAY_NO_SERVICE, 0, 1800, now_us);
    else if (g->stopping)
        gateway_refused(g, m, GATEWAY_UNREACHED, 0, 60, now_us);
    else if (!is_probing(g, m->want.family))
        igd->probe_wish = true; /* which asks for this one when it is through */
}

static void fill_job(const struct gateway *g, enum gateway_family family, struct igd_job *job, enum igd_op op)
{
    const struct gateway_router *router = &g->server[family].router;

    memset(job, 0, sizeof *job);
    job->op = op;
    job->gateway = router->address;
    job->own = router->own;
    job->scope = router->scope;
    job->pinhole = IGD_NO_PINHOLE;
    memcpy(job->location, g->igd[family].location, sizeof job->location);
    memcpy(job->description, g->config.description, sizeof job->description);
}

static void run(struct gateway *g, enum gateway_family family, enum igd_op op, uint32_t id)
{
    g->job = (struct gateway_job){.running = true, .family = family, .op = op, .id = id,
                                  .serial = id == GATEWAY_NO_MAPPING ? 0 : g->mapping[id].serial};
}

bool gateway_igd_works_for(const struct gateway *g, const struct gateway_mapping *m)
{
    return g->job.running && !g->job.stale && g->job.id == (uint32_t)(m - g->mapping) &&
           g->job.serial == m->serial && m->protocol == GATEWAY_UPNP;
}

static bool poll_probe(struct gateway *g, struct igd_job *job, enum gateway_family family)
{
    struct gateway_igd *igd = &g->igd[family];

    if (!igd->probe_wish || !g->server[family].present)
        return false;
    igd->probe_wish = false;
    igd->service = GATEWAY_ASKED;
    igd->location[0] = '\0';
    fill_job(g, family, job, IGD_PROBE);
    job->sweep = !igd->swept;
    run(g, family, IGD_PROBE, GATEWAY_NO_MAPPING);
    return true;
}

static bool poll_order(struct gateway *g, struct igd_job *job)
{
    if (!g->order.wanted || !g->server[GATEWAY_V4].present)
        return false;
    fill_job(g, GATEWAY_V4, job, g->order.op);
    job->tcp = g->order.tcp;
    job->external_port = g->order.external_port;
    run(g, GATEWAY_V4, g->order.op, GATEWAY_NO_MAPPING);
    return true;
}

static bool poll_mapping(struct gateway *g, struct igd_job *job, bool ending)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!m->used || !m->job_wish || ending != (m->state == GATEWAY_ENDING) ||
            !g->server[m->want.family].present)
            continue;
        m->job_wish = false;
        fill_job(g, m->want.family, job, ending ? IGD_UNMAP : IGD_MAP);
        job->tcp = m->want.tcp;
        job->internal_port = m->want.internal_port;
        job->external_port = ending ? m->external.port : m->ask_port;
        job->lease_s = m->permanent ? 0 : GATEWAY_LEASE_S;
        job->pinhole = m->pinhole;
        run(g, m->want.family, job->op, i);
        return true;
    }
    return false;
}

bool gateway_poll_job(struct gateway *g, struct igd_job *job)
{
    if (g->job.running || !g->config.upnp)
        return false;
    return poll_mapping(g, job, true) || poll_probe(g, job, GATEWAY_V4) || poll_probe(g, job, GATEWAY_V6) ||
           poll_mapping(g, job, false) || poll_order(g, job);
}

int gateway_give_order(struct gateway *g, const struct gateway_order *order)
{
    if (g->igd[GATEWAY_V4].service != GATEWAY_THERE || g->order.wanted || g->stopping)
        return TN_ESTATE;
    g->order = *order;
    g->order.wanted = true;
    return 0;
}

bool gateway_order_is_running(const struct gateway *g)
{
    return g->job.running && g->order.wanted && g->job.id == GATEWAY_NO_MAPPING &&
           g->job.op == g->order.op;
}

/* ---- in ---- */

enum gateway_why gateway_igd_why(uint16_t status)
{
    switch (status) {
    case IGD_NO_ANSWER:
    case IGD_BAD_DESCRIPTION:
        return GATEWAY_NO_SERVICE;
    case IGD_FOREIGN:
        return GATEWAY_FOREIGN_HOST;
    case IGD_NOT_CONNECTED:
        return GATEWAY_NO_OUTSIDE;
    case IGD_TRANSPORT:
        return GATEWAY_UNREACHED;
    case IGD_REWRITTEN:
    case IGD_BAD_PINHOLE:
        return GATEWAY_BAD_ANSWER;
    case IGD_FIREWALL_OFF:
    case IGD_FIREWALL_DISABLED:
        return GATEWAY_OPEN;
    case IGD_PINHOLES_FULL:
        return GATEWAY_FULL;
    case IGD_CONFLICT:
    case IGD_SAME_PORTS_ONLY:
        return GATEWAY_CONFLICT;
    default:
        return GATEWAY_REFUSED;
    }
}

/* Those who waited for the probe ask, or go on without. */
static void after_probe(struct gateway *g, enum gateway_family family, uint64_t now_us)
{
    const struct gateway_igd *igd = &g->igd[family];

    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!m->used || m->want.family != family || m->protocol != GATEWAY_UPNP || !gateway_is_outstanding(m))
            continue;
        if (igd->service == GATEWAY_THERE)
            m->job_wish = true;
        else if (m->state == GATEWAY_MAPPED)
            gateway_refused(g, m, GATEWAY_UNREACHED, igd->status, 60, now_us);
        else
            gateway_refused(g, m, gateway_igd_why(igd->status), igd->status, 1800, now_us);
    }
}

static void on_probe(struct gateway *g, enum gateway_family family, const struct igd_answer *a,
                     uint64_t now_us)
{
    struct gateway_igd *igd = &g->igd[family];
    bool there = a && (a->status == IGD_OK || a->status == IGD_NOT_CONNECTED) && a->location[0];

    igd->status = a ? a->status : IGD_TRANSPORT;
    igd->service = there ? GATEWAY_THERE : GATEWAY_ABSENT;
    igd->version = there ? a->version : 0;
    if (there) {
        memcpy(igd->location, a->location, sizeof igd->location);
        igd->outside = a->external;
        igd->swept = true;
        igd->swept_count = (uint16_t)(igd->swept_count + a->swept);
    }
    g->changed = true;
    after_probe(g, family, now_us);
}

/* Nobody answered at the address that we knew: search again, but not for ever. */
static void on_silence(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    if (m->state == GATEWAY_ENDING || g->stopping || ++m->tries >= JOB_TRIES) {
        gateway_refused(g, m, GATEWAY_UNREACHED, IGD_TRANSPORT, 60, now_us);
        return;
    }
    g->igd[m->want.family].service = GATEWAY_UNKNOWN;
    gateway_igd_ask(g, m, now_us);
}

/* True: the same is worth asking for in another way. */
static bool adapt(struct gateway *g, struct gateway_mapping *m, uint16_t status)
{
    switch (status) {
    case IGD_CONFLICT:
        if (m->port_tries >= PORT_TRIES)
            return false;
        m->port_tries++;
        m->ask_port = (uint16_t)(PORT_FIRST + gateway_random(g, PORT_COUNT));
        return true;
    case IGD_SAME_PORTS_ONLY:
        if (m->ask_port == m->want.internal_port)
            return false;
        m->ask_port = m->want.internal_port;
        return true;
    case IGD_ONLY_PERMANENT:
    case SOAP_INVALID_ARGS:
    case SOAP_ACTION_FAILED: /* how routers without leases put it that do not know 725 */
        if (m->permanent)
            return false;
        m->permanent = true;
        return true;
    default:
        return false;
    }
}

/* A pinhole has our own address and port outside, too. Another number means that ours was gone. */
static void on_pinhole(struct gateway *g, struct gateway_mapping *m, const struct igd_answer *a,
                       uint64_t now_us)
{
    struct tn_addr external = g->server[GATEWAY_V6].router.own;

    external.port = m->want.internal_port;
    m->in_doubt |= m->pinhole != IGD_NO_PINHOLE && m->pinhole != a->pinhole;
    m->pinhole = a->pinhole;
    gateway_granted(g, m, &external, a->lease_s, now_us);
    if (a->works != IGD_WORKS_UNKNOWN)
        gateway_on_verdict(g, (uint32_t)(m - g->mapping), a->works == IGD_WORKS, now_us);
}

static void on_mapped(struct gateway *g, struct gateway_mapping *m, const struct igd_answer *a,
                      uint64_t now_us)
{
    struct tn_addr external = a->external;

    if (m->want.family == GATEWAY_V6) {
        on_pinhole(g, m, a, now_us);
        return;
    }
    external.port = a->external_port;
    g->igd[GATEWAY_V4].outside = a->external;
    gateway_granted(g, m, &external, a->lease_s, now_us);
}

static void on_map(struct gateway *g, struct gateway_mapping *m, const struct igd_answer *a,
                   uint64_t now_us)
{
    if (m->state == GATEWAY_ENDING)
        return; /* that began meanwhile, and its own job follows */
    if (!a || a->status == IGD_TRANSPORT || a->status == IGD_NO_ANSWER) {
        on_silence(g, m, now_us);
    } else if (a->status == IGD_OK) {
        on_mapped(g, m, a, now_us);
    } else if (!m->removed && m->want.family == GATEWAY_V4 && adapt(g, m, a->status)) {
        m->job_wish = true;
    } else {
        gateway_refused(g, m, gateway_igd_why(a->status), a->status, a->status == IGD_NOT_CONNECTED ? 60 : 1800,
                        now_us);
    }
}

void gateway_on_igd(struct gateway *g, const struct igd_answer *answer, uint64_t now_us)
{
    const struct gateway_job job = g->job;
    bool order = gateway_order_is_running(g);
    bool gone = job.id != GATEWAY_NO_MAPPING && !gateway_igd_works_for(g, &g->mapping[job.id]);

    g->job = (struct gateway_job){.id = GATEWAY_NO_MAPPING};
    if (order) {
        g->order.wanted = false;
    } else if (job.stale || gone) {
        return;
    } else if (job.id == GATEWAY_NO_MAPPING) {
        on_probe(g, job.family, answer, now_us);
    } else if (job.op == IGD_UNMAP) {
        gateway_ended(g, &g->mapping[job.id], now_us);
    } else {
        on_map(g, &g->mapping[job.id], answer, now_us);
    }
}
