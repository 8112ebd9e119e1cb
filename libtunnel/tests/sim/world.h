/* A network in one process, for tests: one clock, hosts, routers that translate
 * addresses as RFC 4787 names it, delay, jitter and loss from one seed. What
 * happened with a seed happens again with it. */
#ifndef TN_SIM_WORLD_H
#define TN_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/now.h"
#include "libtunnel/crypto/crypto.h"

#define WORLD_PACKETS 4096
#define WORLD_HOSTS 64
#define WORLD_NATS 64
#define WORLD_MAPPINGS 256
#define WORLD_DATAGRAM 2048
#define WORLD_SENT_TO 256
#define WORLD_CORE_HOPS 2 /* routers between any two sites */

/* endpoint-independent; address- and port-dependent; address-dependent */
enum world_mapping { WORLD_MAP_EIM, WORLD_MAP_APDM, WORLD_MAP_ADM };
enum world_filter { WORLD_FILTER_EIF, WORLD_FILTER_ADF, WORLD_FILTER_APDF };

struct world;
typedef void world_receive_fn(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                              uint8_t *data, size_t len);

struct world_host {
    struct tn_addr ip; /* port 0 */
    int nat;           /* behind which, -1: public */
    uint32_t delay_us; /* one way, to the core */
    uint32_t jitter_us;
    uint32_t loss_ppm; /* of what it sends and of what it gets */
    bool down;
    world_receive_fn *receive;
    void *ctx;
};

struct world_mapping_row {
    bool used;
    struct tn_addr inside;
    struct tn_addr remote; /* APDM, ADM: the one it is for */
    uint16_t port;         /* outside */
    uint64_t used_us;
    struct tn_addr sent_to[WORLD_SENT_TO]; /* for filtering */
    uint32_t sent_count;
};

/* A port that a gateway was asked to map: whoever sends there reaches the inside, and what the inside
 * answers leaves by it (RFC 4787 does not say so; every gateway does). */
struct world_forward {
    uint16_t port; /* 0: none */
    struct tn_addr inside;
};

struct world_nat {
    struct tn_addr ip;
    int parent; /* a carrier's, -1: none */
    enum world_mapping mapping;
    enum world_filter filter;
    uint64_t lifetime_us;
    bool hairpin;
    struct world_forward forward;
    int step; /* not 0: outside ports count up (or down) by it, from next_port */
    uint16_t next_port;
    uint16_t first_port, last_port; /* not 0: they are drawn from here */
    bool spoils; /* unsolicited inbound takes the port away, as bare Linux masquerade does */
    bool blocks_direct; /* passes only what goes to or comes from `exempt` */
    struct tn_addr exempt;
    struct world_mapping_row row[WORLD_MAPPINGS];
};

struct world_packet {
    bool used;
    uint64_t at_us, order;
    int host;
    struct tn_addr src, dst;
    size_t len;
    uint8_t data[WORLD_DATAGRAM];
};

struct world {
    struct tn_now now;
    struct tn_rng rng;
    uint32_t max_len; /* larger datagrams vanish between sites; 0: none do */
    struct world_host host[WORLD_HOSTS];
    int hosts;
    struct world_nat nat[WORLD_NATS];
    int nats;
    struct world_packet packet[WORLD_PACKETS];
    uint64_t order, sent, lost, delivered;
};

/* A seed for this run: SIM_SEED of the environment, or `fallback`; printed. */
uint64_t world_seed(uint64_t fallback);
/* Heap; exits the test when there is none. */
struct world *world_new(uint64_t seed);
void world_free(struct world *w);
struct tn_addr world_ip(const char *dotted); /* IPv4, port 0 */
int world_add_nat(struct world *w, const char *ip, int parent, enum world_mapping m,
                  enum world_filter f);
int world_add_host(struct world *w, const char *ip, int nat, uint32_t delay_us,
                   world_receive_fn *receive, void *ctx);
/* ttl 0: enough for any way. */
void world_send(struct world *w, int host, uint16_t sport, const struct tn_addr *dst, uint8_t ttl,
                const uint8_t *data, size_t len);
uint64_t world_next(const struct world *w); /* arrival of the next datagram, or TN_NEVER */
/* Moves the clock to `us` (not before the next arrival) and hands over what arrives then. */
void world_advance(struct world *w, uint64_t us);
void world_forget_mappings(struct world *w, int nat);

#endif
