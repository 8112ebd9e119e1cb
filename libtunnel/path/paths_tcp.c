/* TCP connections as candidates. The program opens them (node_tcp.c says when) and calls each by a stream
 * address of its own, which is never used again: so such a candidate comes with its connection and goes
 * with it. While it is there it is one like any other: PINGs ask it, an answer in full size makes it a
 * path, and silence ends that. */
#include "paths_priv.h"

/* Until something authentic has come by it, it gets small PINGs only, as a stranger's address does. */
bool tn_paths_tcp_opened(struct tn_paths *p, const struct tn_addr *stream, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, stream);

    if (p->cfg.relay_only)
        return false;
    if (!pr) {
        pr = tn_table_add(p, stream, TN_CAND_TCP, now);
        if (!pr)
            return false;
        tn_tokens_refill(p, now);
        tn_round_begin(p, pr, false, 0, now);
        pr->heard = false;
    }
    tn_paths_renew_next(p);
    return true;
}

void tn_paths_tcp_closed(struct tn_paths *p, const struct tn_addr *stream, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, stream);

    if (pr)
        tn_probe_remove(p, pr, now);
}
