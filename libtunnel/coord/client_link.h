/* A member's end of link compression: which WireGuard sessions have a context at the coordinator. Part
 * of struct tn_coord_client; how it works: client_link.c. */
#ifndef TN_COORD_CLIENT_LINK_H
#define TN_COORD_CLIENT_LINK_H

#include "../base/addr.h"
#include "../base/now.h"
#include "link.h"

struct tn_coord_client;
struct tn_msg;

/* What is asked for of one context. */
struct tn_link_row {
    struct tn_link_context want; /* channel 0: the row is free */
    uint64_t due_us;             /* when LINK is to be sent (again); TN_NEVER: it was answered */
    uint64_t used_us;            /* the last packet of its session */
    uint16_t request_id;
    uint8_t tries;
};

/* Fields are the client's own. */
struct tn_link_table {
    struct tn_link_context on[TN_LINK_CONTEXTS]; /* as the coordinator has said that it has them */
    struct tn_link_row row[TN_LINK_CONTEXTS];
    bool answered; /* this coordinator knows link compression */
    bool silent;   /* it does not: nothing more is asked on this session */
};

/* Called with each packet of a session whose way is the relay: asks for a context, and in good time
 * for new bases. The bases in `session` are the counters that come next. */
void tn_coord_client_link(struct tn_coord_client *c, const struct tn_link_context *session,
                          struct tn_now now);
/* A compressed frame: b is then the WireGuard message. It is not authentic until WireGuard says so. Wants
 * TN_LINK_GROWTH_FRONT bytes before the frame and TN_LINK_GROWTH_BACK behind it. */
TN_MUST_CHECK int tn_coord_client_open_link(const struct tn_coord_client *c,
                                            const struct tn_addr *src, struct tn_buf *b);

/* ---- for client*.c ---- */

/* A new control session, or another coordinator: nothing is known of its contexts. */
void tn_coord_link_reset(struct tn_coord_client *c);
/* The channel is another's from now on. */
void tn_coord_link_unbind(struct tn_coord_client *c, uint16_t channel);
uint64_t tn_coord_link_due(const struct tn_coord_client *c);
/* Fills the next LINK that is due; false: none is. */
bool tn_coord_link_next(struct tn_coord_client *c, struct tn_msg *m, struct tn_now now);
int tn_coord_link_answered(struct tn_coord_client *c, const struct tn_msg *m);

#endif
