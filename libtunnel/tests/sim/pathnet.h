/* Two ends with nothing but their paths, under one clock: no sealing, no coordinator
 * messages, but NATs, delays, loss, a relay and a go-between that times the punch.
 * Small enough to run thousands of times; replays from its seed. */
#ifndef TN_SIM_PATHNET_H
#define TN_SIM_PATHNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths.h"

#define PATHNET_QUEUE 1024
#define PATHNET_FLOWS 64
#define PATHNET_EVENTS 256
#define PATHNET_MTU 1400

enum pathnet_nat {
    PATHNET_OPEN,       /* full cone: one port, everybody may come in */
    PATHNET_RESTRICTED, /* one port, only who was sent to may come in (address and port) */
    PATHNET_SYMMETRIC,  /* another port for each destination, filtered as above */
};

enum pathnet_kind { PATHNET_PUNCH, PATHNET_PING, PATHNET_PONG, PATHNET_DATA, PATHNET_CONNECT };

struct pathnet_flow { /* one line of a NAT's table */
    struct tn_addr remote;
    uint16_t port; /* outside */
    uint64_t used_us;
};

struct pathnet_end {
    struct tn_paths paths;
    struct tn_rng rng;
    struct tn_addr host; /* on its LAN */
    struct tn_addr nat;  /* outside address, and the port of a cone */
    enum pathnet_nat kind;
    bool spoils; /* bare Linux: unsolicited inbound makes the later flow use another port */
    struct pathnet_flow flow[PATHNET_FLOWS];
    struct tn_addr spoiled[PATHNET_FLOWS];
    size_t flows, spoiled_count;
    uint16_t next_port;
    bool coordinator_up;

    uint64_t data_every_us; /* 0: sends no data */
    uint64_t data_at_us;
    size_t data_len; /* what is longer than the way's MTU is sent as long as that: as TCP does, once told */
    uint64_t sent, got, got_direct, got_relay, dropped_no_route;
    uint64_t last_got_us, longest_gap_us;
    uint64_t probes, probe_bytes, relay_full, unproven_full, connects;
    struct tn_path_event event[PATHNET_EVENTS];
    size_t events;
};

struct pathnet_packet {
    uint64_t at_us, order;
    uint8_t kind;
    uint8_t to; /* end 0 or 1 */
    bool relay;
    struct tn_addr src, dst;
    struct tn_link_msg link;
    size_t len;
    uint64_t delay_us; /* CONNECT: the punch's */
};

struct pathnet {
    struct tn_now now;
    struct tn_rng rng;
    struct pathnet_end end[2];
    struct pathnet_packet queue[PATHNET_QUEUE];
    size_t queued;
    uint64_t order;

    /* Index 0: from end 0 to end 1. */
    uint64_t direct_us[2]; /* one way */
    uint32_t direct_loss_ppm[2], relay_loss_ppm[2];
    bool direct_cut[2], relay_cut[2];
    size_t direct_max_len, relay_max_len; /* larger inner packets vanish; 0: none do */
    uint64_t relay_us;     /* one way, end to end */
    uint64_t jitter_us;
    uint64_t connect_skew_us; /* end 1 hears of a CONNECT that much later than end 0 */
    uint64_t nat_lifetime_us; /* 0: for ever */
    uint64_t lan_us;          /* one way between host addresses; 0: not on one LAN */
    bool session;
};

/* Both ends: restricted cone, 20 ms direct each way, 30 ms through the relay, a session, relay up. */
void pathnet_init(struct pathnet *n, uint64_t seed);
/* Sets up what the conditions name (call after changing end[].kind and so on, once). */
void pathnet_start(struct pathnet *n);
void pathnet_set_session(struct pathnet *n, bool up);
/* Runs the clock for that long. */
void pathnet_run(struct pathnet *n, uint64_t us);
/* Runs until both ends are in state `via`, at most so long; returns whether they are. */
bool pathnet_run_until(struct pathnet *n, uint8_t via, uint64_t us);
/* The NAT of an end forgets all its flows, and its cone gets another port. */
void pathnet_rebind(struct pathnet *n, int end);
/* Starts to measure the longest gap between data packets at both ends. */
void pathnet_measure(struct pathnet *n);
/* The candidates that the go-between hands out for an end: host, and the outside address. */
size_t pathnet_candidates(const struct pathnet *n, int end, struct tn_cand_wire *out);
/* Counts the events of an end that say `via`. */
size_t pathnet_count_events(const struct pathnet *n, int end, uint8_t via);

#endif
