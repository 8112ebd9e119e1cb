/* How it works: the node says with each packet which session it belongs to and where its counters
 * are. A session without a row gets one (of the longest unused) and LINK is sent, sealed, and
 * repeated until answered; only then do frames use it. When half of a window is used up, LINK is
 * sent again with new bases; meanwhile the old ones serve, and since both windows hold the counters
 * in use, 16 bits mean the same in both.
 *
 * A coordinator that does not know LINK never answers: after six tries nothing more is asked on
 * this control session. A new one begins with nothing, whatever became of the coordinator. */
#include "client_link.h"

#include <string.h>

#include "client.h"
#include "client_priv.h"

static bool is_same_session(const struct tn_link_context *a, const struct tn_link_context *b)
{
    return a->channel == b->channel && a->tx_index == b->tx_index && a->rx_index == b->rx_index;
}

static bool is_far(uint64_t base, uint64_t next)
{
    return next < base || next - base >= TN_LINK_WINDOW / 2;
}

static struct tn_link_row *row_for(struct tn_link_table *t, const struct tn_link_context *session)
{
    struct tn_link_row *pick = NULL;

    for (size_t i = 0; i < TN_LINK_CONTEXTS; i++) {
        struct tn_link_row *row = &t->row[i];

        if (is_same_session(&row->want, session))
            return row;
        if (!pick || (pick->want.channel && (!row->want.channel || row->used_us < pick->used_us)))
            pick = row;
    }
    return pick;
}

void tn_coord_client_link(struct tn_coord_client *c, const struct tn_link_context *session,
                          struct tn_now now)
{
    struct tn_link_row *row;

    if (!c->session_ok || c->link.silent || !session->channel)
        return;
    row = row_for(&c->link, session);
    row->used_us = now.us;
    if (is_same_session(&row->want, session) && !is_far(row->want.tx_base, session->tx_base) &&
        !is_far(row->want.rx_base, session->rx_base))
        return;
    row->want = *session;
    row->due_us = now.us;
    row->tries = 0;
    row->request_id = tn_coord_new_id(c);
}

int tn_coord_client_open_link(const struct tn_coord_client *c, const struct tn_addr *src,
                              struct tn_buf *b)
{
    if (!c->session_ok || tn_addr_is_zero(src) ||
        !tn_addr_equal(src, &c->server[tn_addr_family(src)]))
        return TN_EINVAL;
    return tn_link_unpack_down(b, c->link.on, c->local.public_key, c->session.local_index);
}

void tn_coord_link_reset(struct tn_coord_client *c)
{
    memset(&c->link, 0, sizeof(c->link));
    for (size_t i = 0; i < TN_LINK_CONTEXTS; i++)
        c->link.row[i].due_us = TN_NEVER;
}

void tn_coord_link_unbind(struct tn_coord_client *c, uint16_t channel)
{
    for (size_t i = 0; i < TN_LINK_CONTEXTS; i++) {
        if (c->link.row[i].want.channel != channel)
            continue;
        memset(&c->link.on[i], 0, sizeof(c->link.on[i]));
        memset(&c->link.row[i], 0, sizeof(c->link.row[i]));
        c->link.row[i].due_us = TN_NEVER;
    }
}

uint64_t tn_coord_link_due(const struct tn_coord_client *c)
{
    uint64_t at = TN_NEVER;

    for (size_t i = 0; i < TN_LINK_CONTEXTS && !c->link.silent; i++) {
        if (c->link.row[i].due_us < at)
            at = c->link.row[i].due_us;
    }
    return at;
}

bool tn_coord_link_next(struct tn_coord_client *c, struct tn_msg *m, struct tn_now now)
{
    for (size_t i = 0; i < TN_LINK_CONTEXTS && !c->link.silent; i++) {
        struct tn_link_row *row = &c->link.row[i];

        if (row->due_us > now.us)
            continue;
        if (row->tries >= TN_COORD_TRIES) {
            row->due_us = TN_NEVER;
            c->link.silent = !c->link.answered;
            memset(&row->want, 0, sizeof(row->want)); /* the next packet asks anew */
            continue;
        }
        row->tries++;
        row->due_us = now.us + tn_coord_resend_us(c, row->tries);
        *m = (struct tn_msg){.type = TN_MSG_LINK,
                             .request_id = row->request_id,
                             .context = (uint8_t)i,
                             .link = row->want};
        /* another session takes the place: until the answer has come, frames go without */
        if (!is_same_session(&c->link.on[i], &row->want))
            memset(&c->link.on[i], 0, sizeof(c->link.on[i]));
        return true;
    }
    return false;
}

int tn_coord_link_answered(struct tn_coord_client *c, const struct tn_msg *m)
{
    for (size_t i = 0; i < TN_LINK_CONTEXTS; i++) {
        struct tn_link_row *row = &c->link.row[i];

        if (row->due_us == TN_NEVER || !row->tries || row->request_id != m->request_id)
            continue;
        row->due_us = TN_NEVER;
        if (m->status == TN_STATUS_OK) {
            c->link.answered = true;
            c->link.on[i] = row->want;
        } else {
            memset(&row->want, 0, sizeof(row->want)); /* the channel is not bound yet, or no more */
        }
        return 0;
    }
    return TN_ENOENT;
}
