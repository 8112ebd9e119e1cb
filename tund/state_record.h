/* What is in the files of a state directory. Each but the roster is one record:
 * head, body, check; kept twice (NAME and NAME.bak), so that one damaged copy
 * costs nothing. The roster has a check on each member and is kept once: what is
 * lost there comes again from the coordinator, and is verified again. */
#ifndef TUND_STATE_RECORD_H
#define TUND_STATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/member/card.h"
#include "libtunnel/member/roster.h"
#include "libtunnel/member/url.h"
#include "state.h"

#define STATE_IFNAME_SIZE 16 /* with its NUL, as in the kernel */

/* File "node": everything that makes this machine that member, in one write. Secret. */
struct state_node {
    uint8_t identity_seed[32];     /* Ed25519 */
    uint8_t wireguard_private[32]; /* X25519; its public half and epoch are in the card */
    struct tn_card card;
    struct tn_url coordinator;
    char ifname[STATE_IFNAME_SIZE];
    uint16_t port; /* UDP */
    bool joined;   /* the coordinator has taken the card */
    bool portmap_off; /* gateways are not asked to map our port */
};

/* File "owner", on the machine that made the network only; the daemon never reads it. Secret. */
struct state_owner {
    uint8_t network_seed[32]; /* Ed25519 */
    char network[TN_NAME_SIZE];
    uint8_t prefix[4]; /* IPv4 */
    uint8_t bits;
    uint32_t next_host; /* number of the next address within the prefix */
};

#define STATE_RECORD_MAX 2048u /* bytes of any record */

/* The pure halves. Encoding: TN_EINVAL for fields that cannot be. Decoding: TN_EINVAL for what is
 * damaged, of another kind or of another version. */
TN_MUST_CHECK int state_node_encode(const struct state_node *n, uint8_t *out, size_t cap, size_t *len);
TN_MUST_CHECK int state_node_decode(struct state_node *n, const uint8_t *data, size_t len);
TN_MUST_CHECK int state_owner_encode(const struct state_owner *o, uint8_t *out, size_t cap, size_t *len);
TN_MUST_CHECK int state_owner_decode(struct state_owner *o, const uint8_t *data, size_t len);

void state_node_wipe(struct state_node *n);
void state_owner_wipe(struct state_owner *o);

/* 0 or a negative errno with *w filled. Loading: -ENOENT there is none (then *w is a sentence as
 * well), -EBADMSG both copies are damaged. */
TN_MUST_CHECK int state_save_node(struct state *s, const struct state_node *n, struct why *w);
TN_MUST_CHECK int state_load_node(struct state *s, struct state_node *n, struct why *w);
TN_MUST_CHECK int state_save_owner(struct state *s, const struct state_owner *o, struct why *w);
TN_MUST_CHECK int state_load_owner(struct state *s, struct state_owner *o, struct why *w);

/* File "stamp": no handshake stamp above this was ever made (nanoseconds since 1970). Loading gives 0
 * where there is none, and the higher of two good copies. */
TN_MUST_CHECK int state_save_stamp(struct state *s, uint64_t ceiling_ns, struct why *w);
TN_MUST_CHECK int state_load_stamp(struct state *s, uint64_t *ceiling_ns, struct why *w);

/* File "roster" (member/roster.h). `at` gives member i, NULL past the last. Encoding allocates *out, which
 * the caller frees; writing what it gave may be done in another thread. */
TN_MUST_CHECK int state_encode_roster(const struct tn_member *(*at)(const void *ctx, uint32_t i),
                                      const void *ctx, uint8_t **out, size_t *len, struct why *w);
TN_MUST_CHECK int state_write_roster(struct state *s, const uint8_t *data, size_t len, struct why *w);
/* Adds what is on disk to an initialised roster; no file is an empty one. *report may be NULL. */
TN_MUST_CHECK int state_load_roster(struct state *s, struct tn_roster *r,
                                    struct tn_roster_load *report, struct why *w);

/* Removes every file that a member has, in an order in which a power cut leaves either a member or
 * nothing; locks and the control socket stay. */
TN_MUST_CHECK int state_forget(struct state *s, struct why *w);

#endif
