/* Whole nodes and a whole coordinator in the simulated world: what the unit
 * tests of node_*.c and the simulations are written with. Every datagram goes
 * through tn_from_net and tn_poll_out, as in a program. */
#ifndef TN_SIM_SIMNODE_H
#define TN_SIM_SIMNODE_H

#include "libtunnel/coord/server.h"
#include "libtunnel/node.h"
#include "libtunnel/tunnel.h"
#include "memstore.h"
#include "world.h"

#define SIM_NODES 8
#define SIM_PEERS 16
#define SIM_STAGED 8
#define SIM_FRAGMENTS 8
#define SIM_PORT 41641
#define SIM_SEARCH_PORT 50000
#define SIM_PACKET_LEN 1500

struct sim;

struct simnode {
    struct sim *sim;
    bool used;
    int host;
    uint32_t slot_of_member; /* of the last sim_send */
    struct tn_node *node;
    struct tn_node_memory mem;
    uint8_t wg_priv[32], wg_pub[32], identity_seed[32];
    struct tn_card card;
    uint64_t stamp_ceiling_ns; /* what this machine has on its disk */
    struct {
        bool used;
        uint32_t peer;
        size_t len;
        uint8_t data[SIM_PACKET_LEN];
    } staged[SIM_STAGED];
    /* datagrams, whoever sent them */
    size_t longest_in, longest_out;
    /* what came; each packet is shown besides, when somebody wants to see it */
    void (*on_packet)(void *ctx, const uint8_t *ip, size_t len);
    void *packet_ctx;
    uint64_t delivered, delivered_bytes;
    void (*on_lan)(struct simnode *n, const struct tn_buf *b); /* multicasts; for who lets it look there */
    unsigned lan_sent;
    void (*on_stream)(struct simnode *n, const struct tn_addr *to, const struct tn_buf *b); /* TCP, for who has it */
    uint8_t last[SIM_PACKET_LEN];
    size_t last_len;
    uint64_t answered; /* packets that the node itself answered: too big */
    uint64_t last_delivered_us, longest_gap_us;
    uint64_t events[TN_EV_TCP + 1]; /* count by kind */
    struct tn_event last_event[TN_EV_TCP + 1];
    uint64_t direct_at_us, relay_at_us;
    /* the sockets of a search for a port: their ports are SIM_SEARCH_PORT and up */
    struct {
        uint32_t peer;
        struct tn_addr to;
        uint32_t count;    /* 0: no search is on */
        uint16_t detour;   /* what goes to `to` leaves by this port; 0: by SIM_PORT */
    } search;
    uint64_t punches_sent;
    uint64_t forwarded; /* datagrams passed on for other members */
};

struct simcoord {
    struct sim *sim;
    int host, other_host; /* of its second address; -1: it has none */
    bool up;
    uint8_t private_key[32], public_key[32];
    struct tn_server *server;
    struct tn_server_memory mem;
    struct tn_memstore store;
    uint64_t relayed;
    bool loses_news; /* of a changed roster: members have to ask */
    /* a hostile coordinator may rewrite what it is about to answer; false: drop it */
    bool (*tamper)(void *ctx, struct sim *s, struct tn_server_out *out);
    void *tamper_ctx;
    const uint8_t *canary; /* never to be seen in a datagram that is relayed */
    size_t canary_len;
    uint64_t canary_seen;
};

struct sim {
    struct world *w;
    struct simnode node[SIM_NODES];
    struct simcoord coord;
    uint8_t network_seed[32], network_public[32];
    uint8_t next_host; /* of the IPv4 prefix 10.77.0.0/24 */
    /* something else that lives under this clock; both or neither */
    uint64_t (*guest_next)(void *guest);
    void (*guest_tick)(void *guest);
    void *guest;
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s);
#define sim_seed world_seed

void sim_add_coordinator(struct sim *s, const char *ip, uint32_t delay_us);
/* Gives it a second address, before any member is there. */
void sim_add_coordinator_address(struct sim *s, const char *ip, uint32_t delay_us);
void sim_coordinator_stop(struct sim *s);  /* forgets all but its store */
void sim_coordinator_start(struct sim *s);
/* Its deadlines, and the news that it then has. */
void sim_coordinator_tick(struct sim *s);

/* A plain WireGuard node with a key, no peer. */
int sim_add_plain(struct sim *s, const char *ip, int nat, uint32_t delay_us);
/* Both ways, whole address space of the other's 10.66.0.N/32; endpoint of b is known to a. */
void sim_peer_plain(struct sim *s, int a, int b, const uint8_t psk[32]);
void sim_make_cert(struct sim *s, const char *name, const uint8_t invite_seed[32],
                   struct tn_cert *cert);
/* A member that redeems an invite of the network; starts at once. */
int sim_add_member(struct sim *s, const char *name, const char *ip, int nat, uint32_t delay_us);
/* The same with the flag of a device in its certificate. */
int sim_add_device(struct sim *s, const char *name, const char *ip, int nat, uint32_t delay_us);
/* The machine restarts: everything but keys, card and stamp ceiling is lost. */
void sim_restart(struct sim *s, int i);

/* An IPv4 packet of len bytes (at least 28) with `tag` in its payload. */
void sim_send(struct sim *s, int from, int to, size_t len, uint32_t tag);
/* Any IP packet, as if it came from the TUN. */
void sim_send_packet(struct sim *s, int from, const uint8_t *packet, size_t len);
bool sim_last_tag_is(const struct simnode *n, uint32_t tag);
struct tn_addr sim_inner_address(const struct sim *s, int i);
/* The slot of `to` in `from`, or TN_NO_PEER. */
uint32_t sim_peer_slot(const struct sim *s, int from, int to);
enum tn_path_kind sim_path(const struct sim *s, int from, int to);

void sim_run(struct sim *s, uint64_t for_us);
/* Until done(ctx) holds; false when it does not within max_us. */
bool sim_run_until(struct sim *s, bool (*done)(void *ctx), void *ctx, uint64_t max_us);
void sim_pump(struct sim *s, int i);

#endif
