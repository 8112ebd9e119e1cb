/* Candidates, and the moment at which both ends punch (PROTOCOL.md sections 4.1
 * and 5).
 *
 * Each end is told the other's candidates: where the coordinator sees it, in
 * both families, then what it registered. Both shall send with full TTL at the
 * same moment. An end learns of it half its round trip from now, so with
 *     T = half of the longer round trip + 10 ms
 * each waits for T less half of its own. An answer that was lost is asked for
 * again, and both are given a new moment: to punch twice does no harm. */
#include <string.h>

#include "server_priv.h"

#define MARGIN_US 10000u

void tn_server_keep_candidates(struct tn_server_session *x, const struct tn_msg *m)
{
    x->cand_count = 0;
    for (uint8_t i = 0; i < m->cand_count && i < TN_CANDLIST_SEND_MAX; i++) {
        if (tn_addr_is_probeable(&m->cand[i].addr))
            x->cand[x->cand_count++] = m->cand[i];
    }
}

static void add_candidate(struct tn_msg *m, uint8_t origin, const struct tn_addr *addr)
{
    for (uint8_t i = 0; i < m->cand_count; i++) {
        if (tn_addr_equal(&m->cand[i].addr, addr))
            return;
    }
    if (m->cand_count == TN_CANDLIST_MAX)
        return;
    m->cand[m->cand_count].origin = origin;
    m->cand[m->cand_count].addr = *addr;
    m->cand_count++;
}

static void list_candidates(const struct tn_server *s, const struct tn_server_session *x,
                            struct tn_now now, struct tn_msg *m)
{
    m->cand_count = 0;
    for (int family = 0; family < TN_FAMILY_STREAM; family++) {
        const struct tn_server_seen *at = &x->seen[family];

        if (now.us < at->at_us + s->cfg.session_timeout_us && tn_addr_is_probeable(&at->addr))
            add_candidate(m, TN_CAND_REFLEXIVE, &at->addr);
    }
    for (uint8_t i = 0; i < x->cand_count; i++)
        add_candidate(m, x->cand[i].origin, &x->cand[i].addr);
}

static uint16_t delay_ms(uint32_t own_rtt_us, uint32_t longer_rtt_us)
{
    return (uint16_t)((longer_rtt_us / 2 - own_rtt_us / 2 + MARGIN_US) / 1000);
}

static uint8_t why_not(struct tn_server *s, uint64_t network, const uint8_t identity[32])
{
    struct tn_store_member found;
    const struct tn_store *store = &s->cfg.store;
    uint8_t status = tn_server_read_status(
        s, store->ops->member_by_identity(store->ctx, network, identity, &found));

    if (status)
        return status;
    return found.left ? TN_STATUS_NO_SUCH_MEMBER : TN_STATUS_UNREACHABLE;
}

uint32_t tn_server_do_connect(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                              struct tn_now now, struct tn_msg *a, struct tn_msg *punch)
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t peer = tn_server_by_member(s, x->network, m->identity);
    const struct tn_server_session *y = &s->mem.session[peer == TN_SERVER_NONE ? slot : peer];
    uint32_t longer;

    tn_server_keep_candidates(x, m);
    s->counter.connects++;
    if (peer == slot) {
        a->status = TN_STATUS_NO_SUCH_MEMBER;
        return TN_SERVER_NONE;
    }
    if (peer == TN_SERVER_NONE || !tn_server_is_live(s, y, now)) {
        a->status = why_not(s, x->network, m->identity);
        s->counter.connects_unreachable++;
        return TN_SERVER_NONE;
    }
    longer = x->rtt_us > y->rtt_us ? x->rtt_us : y->rtt_us;
    a->delay_ms = delay_ms(x->rtt_us, longer);
    list_candidates(s, y, now, a);
    memset(punch, 0, sizeof(*punch));
    punch->type = TN_MSG_PUNCH;
    memcpy(punch->identity, x->identity, 32);
    punch->delay_ms = delay_ms(y->rtt_us, longer);
    list_candidates(s, x, now, punch);
    s->counter.punches++;
    return peer;
}
