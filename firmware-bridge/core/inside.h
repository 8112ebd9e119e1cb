/* A device's inside: the memory of one, for a port that places it, and what bridge*.c share. A port
 * or an application touches no field. Holds secrets: bridge_wipe. */
#ifndef BRIDGE_INSIDE_H
#define BRIDGE_INSIDE_H

#include "bridge.h"
#include "budget.h"
#include "libtunnel/base/cursor.h"
#include "libtunnel/member/invite.h"
#include "libtunnel/node.h"
#include "life.h"
#include "store.h"

#define BRIDGE_IP_UDP_LEN 28u  /* on the air, below each datagram; 48 for IPv6 */
#define BRIDGE_TABLE_LEN (2 * BRIDGE_PEERS)

_Static_assert((BRIDGE_PEERS & (BRIDGE_PEERS - 1)) == 0, "a power of two");

struct bridge_packet {
    uint16_t len; /* 0: free */
    bool waits;   /* for a session with `peer`, or (TN_NO_PEER) for the card of whoever has that address */
    uint32_t peer;
    uint64_t until_us; /* for a card it waits so long */
    uint8_t data[BRIDGE_MTU];
};

struct bridge_port {
    uint16_t port; /* 0: free */
    bridge_udp_handler *handler;
    void *ctx;
};

/* What is stored of a member (join.c). */
struct bridge_identity {
    uint8_t wireguard_private[32];
    uint8_t identity_seed[32];
    uint8_t coordinator_public[32];
    uint16_t coordinator_port;
    char coordinator_host[BRIDGE_HOST_MAX + 1];
};

struct bridge {
    const struct bridge_storage *storage;
    uint64_t boot_us;
    uint64_t ceiling_ns; /* of handshake stamps, as stored */
    bool is_member, refused, resolve;
    struct bridge_identity id;
    /* the one buffer */
    uint8_t mem[TN_BUF_HEADROOM + TN_FRAG_PACKET_MAX + TN_BUF_TAILROOM];
    struct tn_buf buf;
    bool ready; /* an answer lies in buf, for `route` */
    struct tn_route route;
    /* IP */
    struct tn_addr ipv4, ipv6;
    uint16_t next_ident;
    union {
        struct bridge_packet queue[BRIDGE_QUEUE];
        struct tn_card card; /* while it joins (join.c): a stack has no room for it beside a signature */
    };
    struct bridge_port port[BRIDGE_UDP_PORTS];
    const struct bridge_stack *stack; /* NULL: none */
    struct bridge_life life;
    struct bridge_budget budget;
    /* counters */
    uint64_t tx_bytes, rx_bytes;
    uint32_t dropped, storage_failures;
    /* the node and its arrays */
    struct tn_node node;
    struct tn_peer peers[BRIDGE_PEERS];
    struct tn_paths paths[BRIDGE_PEERS];
    uint32_t heap[BRIDGE_PEERS], table[BRIDGE_TABLE_LEN], allowed_head[BRIDGE_PEERS];
    struct tn_allowed_node allowed[4 * BRIDGE_PEERS];
    struct tn_member members[BRIDGE_PEERS + 1];
    struct tn_relay_channel channels[BRIDGE_PEERS];
    union {
        struct tn_frag_row fragments[BRIDGE_FRAGMENTS];
        struct tn_invite invite; /* the same */
    };
};

static inline struct tn_now bridge_now(uint64_t now_us)
{
    return (struct tn_now){.us = now_us};
}

/* join.c: the identity in the storage, with the card. TN_ENOENT: there is none; TN_ESTATE. */
TN_MUST_CHECK int bridge_identity_load(struct bridge *b, struct tn_card *card);

/* bridge.c: keys and card into the node, which then is a member. */
TN_MUST_CHECK int bridge_start(struct bridge *b, const struct tn_card *card, uint64_t now_us);

/* settings.c: TN_ESTATE when the storage cannot be read; nothing stored is no error. */
TN_MUST_CHECK int bridge_settings_load(struct bridge *b);
void bridge_settings_save(struct bridge *b); /* a failure is counted */

/* budget.c: what has passed since the last call counts */
void bridge_budget_count(struct bridge *b, uint64_t now_us);
uint64_t bridge_budget_deadline(const struct bridge *b);
uint32_t bridge_budget_keepalive_s(const struct bridge *b, uint32_t wanted_s);
void bridge_budget_write(const struct bridge *b, struct tn_writer *w);
bool bridge_budget_read(struct bridge_budget *k, struct tn_reader *r); /* false: it cannot be */

/* life.c */
uint32_t bridge_life_keepalive_s(const struct bridge *b);
void bridge_life_on_lost(struct bridge *b, uint64_t now_us); /* the NAT forgot us before a BEAT */
void bridge_life_on_dialled(struct bridge *b, uint64_t nonce, uint8_t status, uint64_t now_us);
void bridge_life_tick(struct bridge *b, uint64_t now_us);
uint64_t bridge_life_deadline(const struct bridge *b);

/* ip.c: the packet in b->buf is for us: what to answer is written over it. False: nothing. */
bool bridge_ip_input(struct bridge *b);
/* Writes a UDP packet of `len` payload bytes to `to`; returns its length, at most BRIDGE_MTU. */
size_t bridge_ip_udp(struct bridge *b, uint8_t *packet, uint16_t from_port, const struct tn_addr *to,
                     const void *data, size_t len);

#endif
