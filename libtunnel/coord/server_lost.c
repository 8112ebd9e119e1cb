/* LOST at the coordinator (PROTOCOL.md section 4.4): the answer to a BEAT under an index that names no live
 * session. It is shorter, so a forged source is sent less than the forger spends; each source has a
 * rate; nothing is kept of it but that. Whatever else names no session gets silence: who sends a
 * BEAT pays for each byte, and may not speak again for half an hour. */
#include "server_lost.h"

#include <string.h>

#include "server_priv.h"

#define LOST_PER_S 20

void tn_server_tell_lost(struct tn_server *s, struct tn_server_in *in, uint32_t index)
{
    uint32_t slot = tn_server_by_index(s, index);
    size_t len;

    if (tn_addr_is_stream(in->src) || /* its connection ended with the session */
        (slot != TN_SERVER_NONE && s->mem.session[slot].state == TN_SERVER_TENTATIVE))
        return; /* what makes it real was overtaken, or comes again */
    if (in->len <= TN_CTL_LOST_LEN ||
        !tn_server_bucket_take(&s->lost[tn_server_source_row(s, in->src)], in->now.us, LOST_PER_S,
                               TN_SERVER_LOST_BURST, 1))
        return;
    len = tn_ctl_lost_encode(index, in->data + in->len - TN_CTL_ECHO_LEN, s->scratch[0]);
    s->counter.lost_told++;
    tn_server_emit(in, in->port, in->src, s->scratch[0], len);
}

bool tn_server_place_next(const struct tn_server *s, uint32_t *slot, struct tn_now now,
                          struct tn_server_place *out)
{
    while (*slot < s->mem.session_count) {
        const struct tn_server_session *x = &s->mem.session[(*slot)++];
        const struct tn_server_seen *at = &x->seen[x->home];

        if (x->state != TN_SERVER_MEMBER || !tn_server_is_live(s, x, now) ||
            x->home == TN_FAMILY_STREAM || tn_addr_is_zero(&at->addr))
            continue;
        memcpy(out->client_public, x->client_public, sizeof(out->client_public));
        out->index = x->keys.remote_index;
        out->addr = at->addr;
        out->port = at->port;
        return true;
    }
    return false;
}

bool tn_server_has(const struct tn_server *s, const uint8_t client_public[32], struct tn_now now)
{
    uint32_t slot = tn_server_by_key(s, client_public, false);

    return slot != TN_SERVER_NONE && tn_server_is_live(s, &s->mem.session[slot], now);
}
