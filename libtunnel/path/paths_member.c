/* Ways through another member that relays. Such a way is one more candidate: PINGs, loss, length, hysteresis and
 * falling back are those of the others. What is its own:
 *
 *   - it is named by the member's overlay address, which is no candidate otherwise;
 *   - nothing is punched: the member is reached directly already, which node_via.c sees to;
 *   - the node offers it again and again while the peer is spoken to. Each offer asks once more, if the last
 *     answer is not still awaited, as the member may have to find the peer first;
 *   - a search for a direct path goes on beside it, as beside the coordinator's relay. */
#include <string.h>

#include "paths_priv.h"

#define POOR_RTT_US TN_MS(100) /* a direct path slower than that may be worse than a way round */

static bool may_ask(const struct tn_probe *pr, const struct tn_now *now)
{
    if (pr->round_us || now->us < pr->c.quiet_until_us)
        return false;
    return pr->c.verdict == TN_CAND_NEW || pr->c.verdict == TN_CAND_SILENT ||
           pr->c.verdict == TN_CAND_ANSWERED_SMALL;
}

void tn_paths_offer_member(struct tn_paths *p, const struct tn_addr *member, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, member);

    if (p->cfg.relay_only || p->cfg.fixed_mtu || !p->session_up)
        return;
    if (!pr)
        pr = tn_table_add(p, member, TN_CAND_MEMBER, now);
    if (!pr || !may_ask(pr, now))
        return;
    tn_round_begin(p, pr, false, 0, now);
    pr->heard = false; /* a small PING shows the way before a long one is sent */
    tn_paths_renew_next(p);
}

bool tn_paths_withdraw_member(struct tn_paths *p, const struct tn_addr *member, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, member);

    if (!pr || !tn_probe_is_member(pr))
        return false;
    tn_probe_remove(p, pr, now);
    return true;
}

bool tn_paths_wants_member(const struct tn_paths *p, const struct tn_now *now)
{
    const struct tn_probe *pr = p->best >= 0 ? &p->cand[p->best] : NULL;

    if (p->cfg.relay_only || p->cfg.fixed_mtu || !p->session_up || p->mode == TN_MODE_DIRECT ||
        !tn_paths_is_active(p, now))
        return false;
    return !tn_paths_has_direct(p) || tn_probe_is_lossy(pr) || pr->c.rtt_us >= POOR_RTT_US;
}
