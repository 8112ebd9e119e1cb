/* Clients and a coordinator under one clock, over a network that delays and, when told, loses. Each
 * member is a number of member_fixture.h with a WireGuard key that it really holds. Time moves from
 * deadline to deadline; a step that does not move it a thousand times over ends the program. */
#ifndef TN_SIM_COORDNET_H
#define TN_SIM_COORDNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/coord/client_stream.h"
#include "libtunnel/coord/server.h"
#include "memstore.h"

#define NET_CLIENTS 8
#define NET_FLIGHT 512
#define NET_CHANNELS 32
#define NET_ROWS 24 /* a client's channels */
#define NET_SESSIONS 32
#define NET_BUCKETS 32
#define NET_KINDS (TN_COORD_EV_STREAM + 1)
#define NET_EPOCH_S 1795000000u /* within the fixture's invites */

struct net_client {
    struct tn_coord_client c;
    struct tn_relay_channel channel[NET_ROWS];
    struct tn_addr at[TN_FAMILIES]; /* as the coordinator sees it, by family */
    uint8_t private_key[32], public_key[32], identity[32];
    bool used;
    unsigned seen[NET_KINDS]; /* events by kind */
    struct tn_coord_event last[NET_KINDS];
    uint8_t card[TN_MSG_CARD_MAX]; /* of the last CARD event */
    struct tn_cand_wire cand[TN_CANDLIST_MAX];
    unsigned relayed_in;
    uint8_t relayed[1600];
    size_t relayed_len, sent, sent_bytes;
};

struct net_packet {
    bool used, to_server;
    uint64_t at_us;
    struct tn_addr src, dst;
    uint8_t port;
    size_t len;
    uint8_t data[1600];
};

struct net {
    struct tn_now now;
    struct tn_rng rng;
    uint32_t loss_percent;
    uint64_t delay_us; /* one way */
    bool server_up;
    uint8_t server_private[32], server_public[32];
    struct tn_addr server_at[TN_FAMILIES];
    struct tn_memstore store;
    struct tn_server server;
    struct tn_server_config cfg; /* keys, store and cards are set by net_start_server */
    struct tn_server_session session[NET_SESSIONS];
    struct tn_server_channel channels[NET_CHANNELS];
    uint32_t bucket[3][NET_BUCKETS];
    struct net_client client[NET_CLIENTS];
    struct net_packet flight[NET_FLIGHT];
    /* sees, and may alter or refuse, what is sent */
    bool (*tap)(struct net *n, struct net_packet *p);
    struct net_packet kept; /* for the tap's use */
    unsigned count;
};

struct tn_addr net_v4(uint8_t host, uint16_t port);
struct tn_addr net_v6(uint8_t host, uint16_t port);
/* All state but the store's is new, as after a restart. */
void net_start_server(struct net *n);
struct net *net_new(uint64_t seed);
void net_free(struct net *n);
/* Member `number`'s card under a key that it holds. Returns its length. */
size_t net_card(const struct net *n, unsigned network, unsigned number, uint64_t epoch,
                const uint8_t wireguard_public[32], uint8_t out[TN_MSG_CARD_MAX]);
/* Client i, which is member number i of its network; started, not joined. `families`: 1, 2 or 3. */
struct net_client *net_add(struct net *n, unsigned i, unsigned families);
struct net_packet *net_send(struct net *n, bool to_server, uint8_t port, const struct tn_addr *src,
                            const struct tn_addr *dst, const uint8_t *data, size_t len);
/* Client i has a stream to the coordinator, or has none any more. */
void net_stream(struct net *n, unsigned i, bool up);
/* Pulls a client dry. */
void net_drain(struct net *n, struct net_client *k);
void net_advance(struct net *n, uint64_t to_us);
/* Until `until` says yes (NULL: never) or the time is over; says whether it did. */
bool net_run_until(struct net *n, uint64_t for_us, bool (*until)(struct net *n));
void net_run(struct net *n, uint64_t for_us);
bool net_all_connected(struct net *n);
bool net_all_joined(struct net *n);
/* JOIN of client i as its own number in `network`. */
void net_join(struct net *n, unsigned i, unsigned network);
/* Clients 0..count-1 of one network, all joined. */
struct net *net_of_members(uint64_t seed, unsigned count);
/* A WireGuard data message of len bytes in b, with head room. */
void net_wireguard(struct tn_buf *b, uint8_t *mem, size_t cap, size_t len);
/* Sends a WireGuard data message over a channel; what push_relay said. */
int net_relay(struct net *n, unsigned i, uint16_t channel, size_t len);
/* The same with any message, in memory with head room that is written over. */
int net_relay_buf(struct net *n, unsigned i, uint16_t channel, const struct tn_buf *message);
/* A cookie for `src` and the client_index of the INIT, put into it. */
void net_put_cookie(struct net *n, const struct tn_addr *src, struct net_packet *init);
/* INITs of as many new keys, each from an address of its own; DATA follows when `confirm`. */
void net_crowd(struct net *n, unsigned count, bool confirm);

#endif
