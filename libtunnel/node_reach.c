/* Our own outside addresses, joined to the coordinator that dials them back: path/
 * decides when to ask and what it means, coord/ carries the question.
 *
 * Asked about are the address that the coordinator sees in each family and what a
 * gateway has mapped. A mapped port that proved closed is told to no peer. */
#include "node.h"

#include <string.h>

_Static_assert((int)TN_REACH_FROM_PORT == (int)TN_DIAL_PORT &&
                   (int)TN_REACH_FROM_ADDRESS == (int)TN_DIAL_ADDRESS,
               "the bits of the wire");

void tn_reach_announce(struct tn_node *n, struct tn_now now)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX];
    size_t count = 0;

    for (uint8_t i = 0; i < n->own_count; i++) {
        if (n->own[i].origin != TN_CAND_MAPPED ||
            tn_reach_of(&n->reach, &n->own[i].addr) != TN_REACH_CLOSED)
            list[count++] = n->own[i];
    }
    if (n->has_coordinator)
        tn_coord_client_candidates(&n->coord, list, count, now);
}

/* Mapped ones first: should the table be too small, the more so for them. */
void tn_reach_refresh(struct tn_node *n, struct tn_now now)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX + 2];
    size_t count = 0;

    if (TN_PATHS_PER_FAMILY == 0) /* nobody would use what it finds */
        return;
    for (uint8_t i = 0; i < n->own_count; i++) {
        if (n->own[i].origin == TN_CAND_MAPPED)
            list[count++] = n->own[i];
    }
    for (int family = 0; family < 2; family++) {
        if (!tn_addr_is_zero(&n->observed[family]))
            list[count++] = (struct tn_cand_wire){TN_CAND_REFLEXIVE, n->observed[family]};
    }
    tn_reach_set(&n->reach, list, count, &now);
}

void tn_reach_changed_network(struct tn_node *n, struct tn_now now)
{
    tn_reach_renew(&n->reach, &now);
}

static void report(struct tn_node *n, struct tn_now now)
{
    struct tn_reach_row row;
    bool mapped = false;

    while (tn_reach_take_event(&n->reach, &row)) {
        mapped |= row.origin == TN_CAND_MAPPED;
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_REACH,
                                            .addr = row.addr,
                                            .token = row.origin,
                                            .status = row.verdict});
    }
    if (mapped)
        tn_reach_announce(n, now);
}

void tn_reach_tick(struct tn_node *n, struct tn_now now)
{
    struct tn_reach_wish w;

    while (n->member && tn_reach_poll(&n->reach, &n->rng, &now, &w)) {
        /* a full table of requests: it is asked again, as if it had been lost */
        if (tn_coord_client_check(&n->coord, w.nonce, TN_DIAL_PORT | TN_DIAL_ADDRESS, &w.addr, now))
            n->counters.drop_load++;
    }
    report(n, now);
}

uint64_t tn_reach_deadline(const struct tn_node *n)
{
    return n->member ? tn_reach_next(&n->reach) : TN_NEVER;
}

void tn_reach_result(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    enum tn_reach_answer answer = e->status == TN_STATUS_OK          ? TN_REACH_SENT
                                  : e->status == TN_STATUS_ELSEWHERE ? TN_REACH_NOT_OURS
                                                                     : TN_REACH_NO_ANSWER;

    if (!tn_reach_on_answer(&n->reach, e->seq, answer, e->from, &now))
        tn_event_push(n, &(struct tn_event){
                             .kind = TN_EV_DIALLED, .unix_ns = e->seq, .status = e->status});
    report(n, now);
}

bool tn_reach_dialled(struct tn_node *n, const uint8_t *data, size_t len, struct tn_now now)
{
    uint8_t from, nonce[TN_DIAL_NONCE_LEN];

    if (!tn_ctl_dial_decode(data, len, &from, nonce) ||
        !tn_reach_on_dial(&n->reach, tn_get_be64(nonce), from, &now))
        return false;
    report(n, now);
    return true;
}

int tn_node_dial(struct tn_node *n, const struct tn_addr *a, uint64_t nonce, struct tn_now now)
{
    return n->member ? tn_coord_client_check(&n->coord, nonce, TN_DIAL_SAME, a, now) : TN_ESTATE;
}

bool tn_node_reach(const struct tn_node *n, uint32_t i, struct tn_reach_row *out)
{
    const struct tn_reach_row *row = tn_reach_at(&n->reach, i);

    if (row)
        *out = *row;
    return row != NULL;
}
