/* PCP and NAT-PMP, on one UDP port of the gateway. PCP is asked first; a gateway that speaks only
 * NAT-PMP says so at once (RFC 6887 appendix A), and one that ignores what it does not know is asked
 * by NAT-PMP from the second try on. Tries follow at 250 ms, doubling (RFC 6886 section 3.1), and
 * end sooner than both RFCs have it: a gateway is one hop away, and another protocol waits.
 *
 * A lost epoch makes every mapping of that protocol be asked for again, after a random moment if the
 * whole network heard of it at once (RFC 6887 section 14.1.3). */
#include "gateway_inside.h"

#include <string.h>

#include "libtunnel/base/now.h"
#include "natpmp.h"

#define FIRST_WAIT_US TN_MS(250)
#define ANNOUNCED_WAIT_US TN_S(5)
#define MOVED_WAIT_US TN_S(1)
#define ANNOUNCED_PAUSE_US TN_S(10) /* a hostile neighbour can make us renew so often */
#define ERROR_RETRY_MIN_S 60u
#define ERROR_RETRY_MAX_S 1800u /* section 7.4 */
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* ---- out ---- */

static struct pcp_map pcp_map_of(const struct gateway_mapping *m)
{
    struct pcp_map map = {.protocol = m->want.tcp ? PROTOCOL_TCP : PROTOCOL_UDP,
                          .internal_port = m->want.internal_port};
    const uint8_t none[4] = {0};

    memcpy(map.nonce, m->nonce, sizeof map.nonce);
    map.external = m->external; /* all zero: any, of IPv6 */
    if (m->want.family == GATEWAY_V4 && tn_addr_is_zero(&m->external))
        map.external = tn_addr_v4(none, 0);
    map.external.port = m->ask_port;
    return map;
}

static size_t build(const struct gateway *g, const struct gateway_mapping *m,
                    uint8_t out[GATEWAY_OUT_MAX])
{
    bool ends = m->state == GATEWAY_ENDING;
    uint32_t lease_s = ends ? 0 : GATEWAY_LEASE_S;
    struct pcp_map map;

    if (m->protocol == GATEWAY_NATPMP) {
        natpmp_ask_map(out, m->want.tcp, m->want.internal_port, ends ? 0 : m->ask_port, lease_s);
        return NATPMP_ASK_MAP_LEN;
    }
    map = pcp_map_of(m);
    pcp_ask_map(out, &g->server[m->want.family].router.own, &map, lease_s);
    return PCP_MAP_LEN;
}

static bool send_mapping(struct gateway *g, struct gateway_mapping *m, uint8_t out[GATEWAY_OUT_MAX],
                         size_t *len, uint64_t now_us)
{
    struct gateway_server *s = &g->server[m->want.family];

    if (!m->used || !m->send_wish)
        return false;
    m->send_wish = false;
    m->due_us = now_us + (FIRST_WAIT_US << m->tries);
    m->tries++;
    if (m->protocol == GATEWAY_PCP && s->pcp == GATEWAY_ASKED && m->want.family == GATEWAY_V4 &&
        m->tries >= 2 && s->natpmp != GATEWAY_ABSENT)
        s->want_outside = true;
    *len = build(g, m, out);
    return true;
}

bool gateway_poll_out(struct gateway *g, enum gateway_family *family, uint8_t out[GATEWAY_OUT_MAX],
                      size_t *len, uint64_t now_us)
{
    struct gateway_server *s = &g->server[GATEWAY_V4];

    if (s->want_outside) {
        s->want_outside = false;
        if (s->natpmp == GATEWAY_UNKNOWN)
            s->natpmp = GATEWAY_ASKED;
        natpmp_ask_address(out);
        *len = NATPMP_ASK_ADDRESS_LEN;
        *family = GATEWAY_V4;
        return true;
    }
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        *family = g->mapping[i].want.family;
        if (send_mapping(g, &g->mapping[i], out, len, now_us))
            return true;
    }
    return false;
}

/* ---- a service is not there ---- */

/* All mappings that are being asked for by this protocol go on with the next. */
static void leave_protocol(struct gateway *g, enum gateway_family family, enum gateway_protocol p,
                           uint64_t now_us)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (m->used && m->want.family == family && m->protocol == p && gateway_is_outstanding(m))
            gateway_refused(g, m, GATEWAY_NO_SERVICE, 0, ERROR_RETRY_MAX_S, now_us);
    }
}

void gateway_udp_no_answer(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    struct gateway_server *s = &g->server[m->want.family];
    enum gateway_protocol p = (enum gateway_protocol)m->protocol;
    uint8_t *service = p == GATEWAY_PCP ? &s->pcp : &s->natpmp;

    if (m->state == GATEWAY_ENDING || *service == GATEWAY_THERE) {
        gateway_refused(g, m, GATEWAY_UNREACHED, 0, ERROR_RETRY_MIN_S, now_us);
        return;
    }
    *service = GATEWAY_ABSENT;
    if (s->natpmp == GATEWAY_ASKED) /* it was asked as often */
        s->natpmp = GATEWAY_ABSENT;
    leave_protocol(g, m->want.family, p, now_us);
}

void gateway_on_refused(struct gateway *g, enum gateway_family family, uint64_t now_us)
{
    struct gateway_server *s = &g->server[family];

    /* One that was there is being restarted: let the tries go on. */
    if (!s->present || s->pcp == GATEWAY_THERE || s->natpmp == GATEWAY_THERE)
        return;
    s->pcp = s->natpmp = GATEWAY_ABSENT;
    leave_protocol(g, family, GATEWAY_PCP, now_us);
    leave_protocol(g, family, GATEWAY_NATPMP, now_us);
}

/* ---- epochs ---- */

static void renew_all(struct gateway *g, enum gateway_family family, enum gateway_protocol p,
                      uint64_t max_wait_us, uint64_t now_us)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!m->used || m->want.family != family || (p != GATEWAY_NONE && m->protocol != p))
            continue;
        m->in_doubt = m->state == GATEWAY_MAPPED;
        gateway_renew_soon(g, m, max_wait_us, now_us);
    }
    g->server[family].renewed_us = now_us;
}

/* ---- NAT-PMP in ---- */

static void finish_natpmp(struct gateway *g, struct gateway_mapping *m, uint64_t now_us)
{
    struct tn_addr external = g->server[GATEWAY_V4].outside;

    if (!m->pending_port || tn_addr_is_zero(&external))
        return;
    external.port = m->pending_port;
    gateway_granted(g, m, &external, m->pending_lease_s, now_us);
}

static void natpmp_error(struct gateway *g, struct gateway_mapping *m, uint16_t result, uint64_t now_us)
{
    enum gateway_why why = result == NATPMP_NETWORK_FAILURE    ? GATEWAY_NO_OUTSIDE
                           : result == NATPMP_OUT_OF_RESOURCES ? GATEWAY_FULL
                                                               : GATEWAY_REFUSED;

    gateway_refused(g, m, why, result, why == GATEWAY_REFUSED ? ERROR_RETRY_MAX_S : ERROR_RETRY_MIN_S,
                    now_us);
}

static bool is_waiting_for(const struct gateway_mapping *m, enum gateway_protocol p)
{
    return m->used && m->want.family == GATEWAY_V4 && m->protocol == p && gateway_is_outstanding(m);
}

static void on_natpmp_map(struct gateway *g, const struct natpmp_answer *a, uint64_t now_us)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!is_waiting_for(m, GATEWAY_NATPMP) || m->want.tcp != (a->op == NATPMP_MAP_TCP) ||
            m->want.internal_port != a->internal_port)
            continue;
        if (m->state == GATEWAY_ENDING) {
            if (a->result != NATPMP_SUCCESS || a->lifetime_s == 0)
                gateway_ended(g, m, now_us);
        } else if (a->result != NATPMP_SUCCESS) {
            natpmp_error(g, m, a->result, now_us);
        } else if (!a->external_port || !a->lifetime_s) {
            gateway_refused(g, m, GATEWAY_BAD_ANSWER, 0, 600, now_us);
        } else {
            m->pending_port = a->external_port;
            m->pending_lease_s = a->lifetime_s;
            finish_natpmp(g, m, now_us);
        }
        return;
    }
}

static void on_natpmp_outside(struct gateway *g, const struct natpmp_answer *a, uint64_t now_us)
{
    struct gateway_server *s = &g->server[GATEWAY_V4];

    if (a->result == NATPMP_SUCCESS)
        s->outside = a->external;
    if (s->pcp == GATEWAY_ASKED) { /* it answers, but not to PCP */
        s->pcp = GATEWAY_ABSENT;
        leave_protocol(g, GATEWAY_V4, GATEWAY_PCP, now_us);
    }
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];

        if (!is_waiting_for(m, GATEWAY_NATPMP) || m->state == GATEWAY_ENDING)
            continue;
        if (a->result == NATPMP_SUCCESS)
            finish_natpmp(g, m, now_us);
        else
            natpmp_error(g, m, a->result, now_us);
    }
}

static void on_natpmp(struct gateway *g, const struct natpmp_answer *a, uint64_t now_us)
{
    struct gateway_server *s = &g->server[GATEWAY_V4];

    if (a->result == NATPMP_UNSUPPORTED_VERSION || a->result == NATPMP_UNSUPPORTED_OPCODE) {
        /* to our PCP, as our NAT-PMP has the version and the operations that there are */
        if (s->pcp == GATEWAY_ASKED) {
            s->pcp = GATEWAY_ABSENT;
            leave_protocol(g, GATEWAY_V4, GATEWAY_PCP, now_us);
        }
        return;
    }
    s->natpmp = GATEWAY_THERE;
    if (!gateway_epoch_natpmp(&s->natpmp_epoch, now_us, a->epoch_s))
        renew_all(g, GATEWAY_V4, GATEWAY_NATPMP, 0, now_us);
    if (a->op == NATPMP_ADDRESS)
        on_natpmp_outside(g, a, now_us);
    else
        on_natpmp_map(g, a, now_us);
}

/* ---- PCP in ---- */

static uint32_t error_retry_s(const struct pcp_answer *a)
{
    if (a->lifetime_s < ERROR_RETRY_MIN_S)
        return ERROR_RETRY_MIN_S;
    return a->lifetime_s < ERROR_RETRY_MAX_S ? a->lifetime_s : ERROR_RETRY_MAX_S;
}

static enum gateway_why pcp_why(uint8_t result)
{
    switch (result) {
    case PCP_NETWORK_FAILURE:
        return GATEWAY_NO_OUTSIDE;
    case PCP_NO_RESOURCES:
    case PCP_USER_EX_QUOTA:
        return GATEWAY_FULL;
    case PCP_CANNOT_PROVIDE_EXTERNAL:
        return GATEWAY_CONFLICT;
    case PCP_ADDRESS_MISMATCH:
        return GATEWAY_MISMATCH;
    case PCP_MALFORMED_REQUEST:
    case PCP_MALFORMED_OPTION:
    case PCP_UNSUPP_OPTION:
        return GATEWAY_BAD_ANSWER;
    default:
        return GATEWAY_REFUSED;
    }
}

static void on_pcp_map(struct gateway *g, struct gateway_mapping *m, const struct pcp_answer *a,
                       uint64_t now_us)
{
    if (m->state == GATEWAY_ENDING) {
        if (a->result != PCP_SUCCESS || a->lifetime_s == 0)
            gateway_ended(g, m, now_us);
    } else if (a->result == PCP_SUCCESS && a->lifetime_s) {
        gateway_granted(g, m, &a->map.external, a->lifetime_s, now_us);
    } else if (!gateway_is_outstanding(m)) {
        return; /* a late copy of an answer */
    } else if (a->result == PCP_SUCCESS) {
        gateway_refused(g, m, GATEWAY_BAD_ANSWER, 0, 600, now_us);
    } else if (a->result == PCP_CANNOT_PROVIDE_EXTERNAL && m->port_tries == 0) {
        gateway_lost_port(g, m, now_us);
    } else {
        gateway_refused(g, m, pcp_why(a->result), a->result, error_retry_s(a), now_us);
    }
}

static void pcp_is_absent(struct gateway *g, enum gateway_family family, uint64_t now_us)
{
    if (g->server[family].pcp != GATEWAY_ASKED)
        return;
    g->server[family].pcp = GATEWAY_ABSENT;
    leave_protocol(g, family, GATEWAY_PCP, now_us);
}

static void on_pcp(struct gateway *g, enum gateway_family family, const struct pcp_answer *a,
                   uint64_t now_us)
{
    struct gateway_server *s = &g->server[family];

    if (a->version != PCP_VERSION || a->result == PCP_UNSUPP_VERSION || a->result == PCP_UNSUPP_OPCODE) {
        pcp_is_absent(g, family, now_us);
        return;
    }
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        struct gateway_mapping *m = &g->mapping[i];
        struct pcp_map asked;

        if (!m->used || m->want.family != family || m->protocol != GATEWAY_PCP ||
            m->state == GATEWAY_FAILED || m->state == GATEWAY_WAITING)
            continue;
        asked = pcp_map_of(m);
        if (!pcp_is_answer_to(a, &asked))
            continue;
        s->pcp = GATEWAY_THERE;
        if (!gateway_epoch_pcp(&s->pcp_epoch, now_us, a->epoch_s))
            renew_all(g, family, GATEWAY_PCP, 0, now_us);
        on_pcp_map(g, m, a, now_us);
        return;
    }
}

void gateway_on_datagram(struct gateway *g, enum gateway_family family, const uint8_t *data, size_t len,
                         uint64_t now_us)
{
    struct natpmp_answer natpmp;
    struct pcp_answer pcp;

    if (!g->server[family].present)
        return;
    if (pcp_decode(&pcp, data, len) == 0)
        on_pcp(g, family, &pcp, now_us);
    else if (family == GATEWAY_V4 && natpmp_decode(&natpmp, data, len) == 0)
        on_natpmp(g, &natpmp, now_us);
}

/* ---- announcements ---- */

/* NAT-PMP's tells the outside address, whatever protocol holds our mappings. */
static bool announces_another_outside(const struct gateway *g, const struct tn_addr *outside)
{
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        const struct gateway_mapping *m = &g->mapping[i];

        if (m->used && m->want.family == GATEWAY_V4 && m->state == GATEWAY_MAPPED &&
            !tn_addr_same_ip(&m->external, outside))
            return true;
    }
    return false;
}

enum news {
    NO_NEWS,
    NEWS_REBOOT,
    NEWS_MOVE, /* another outside address */
};

static enum news natpmp_news(struct gateway *g, const struct natpmp_answer *a, uint64_t now_us)
{
    struct gateway_server *s = &g->server[GATEWAY_V4];
    struct gateway_epoch of_pcp = s->pcp_epoch; /* one clock, in every gateway that speaks both */
    bool fits = true;

    if (a->op != NATPMP_ADDRESS || a->result != NATPMP_SUCCESS)
        return NO_NEWS;
    if (s->natpmp_epoch.known)
        fits = gateway_epoch_natpmp(&s->natpmp_epoch, now_us, a->epoch_s);
    else if (of_pcp.known)
        fits = gateway_epoch_natpmp(&of_pcp, now_us, a->epoch_s);
    if (announces_another_outside(g, &a->external)) {
        s->outside = a->external;
        return NEWS_MOVE;
    }
    return fits ? NO_NEWS : NEWS_REBOOT;
}

/* It is one box: whatever it says is of both families. */
static void renew_both(struct gateway *g, uint64_t max_wait_us, uint64_t now_us)
{
    for (int both = 0; both < GATEWAY_FAMILIES; both++)
        renew_all(g, (enum gateway_family)both, GATEWAY_NONE, max_wait_us, now_us);
}

/* It often comes with a reboot, and does not wait for the pause after that; nor is a reboot that follows taken
 * for what this renewal covers. Gateways say it several times. */
static void on_move(struct gateway *g, uint64_t now_us)
{
    struct gateway_server *s = g->server;
    uint64_t renewed_us[GATEWAY_FAMILIES] = {s[GATEWAY_V4].renewed_us, s[GATEWAY_V6].renewed_us};

    if (now_us < s[GATEWAY_V4].moved_us)
        now_us = s[GATEWAY_V4].moved_us;
    else
        s[GATEWAY_V4].moved_us = now_us + ANNOUNCED_PAUSE_US;
    renew_both(g, MOVED_WAIT_US, now_us);
    for (int family = 0; family < GATEWAY_FAMILIES; family++)
        s[family].renewed_us = renewed_us[family];
}

void gateway_on_announcement(struct gateway *g, enum gateway_family family, const uint8_t *data,
                             size_t len, uint64_t now_us)
{
    struct gateway_server *s = &g->server[family];
    struct natpmp_answer natpmp;
    struct pcp_answer pcp;
    enum news news = NO_NEWS;

    if (!s->present || g->stopping)
        return;
    if (pcp_decode(&pcp, data, len) == 0) {
        if (pcp.opcode == PCP_ANNOUNCE && pcp.version == PCP_VERSION && s->pcp_epoch.known &&
            pcp.result == PCP_SUCCESS && !gateway_epoch_pcp(&s->pcp_epoch, now_us, pcp.epoch_s))
            news = NEWS_REBOOT;
    } else if (family == GATEWAY_V4 && natpmp_decode(&natpmp, data, len) == 0) {
        news = natpmp_news(g, &natpmp, now_us);
    }
    if (news == NEWS_MOVE) {
        on_move(g, now_us);
        return;
    }
    if (news == NO_NEWS || now_us < s->renewed_us)
        return; /* a renewal that was put off covers it */
    if (s->renewed_us && now_us < s->renewed_us + ANNOUNCED_PAUSE_US)
        now_us = s->renewed_us + ANNOUNCED_PAUSE_US;
    renew_both(g, ANNOUNCED_WAIT_US, now_us);
}
