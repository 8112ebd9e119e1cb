/* The overlay's inside, shared by overlay*.c and by nobody else.
 *
 *   overlay.c         the daemon's hooks: start, events, stop
 *   overlay_lan.c     members on the LAN, while the coordinator is away
 *   overlay_store.c   what has to be on disk before it counts: stamps, the roster, "joined"
 *   overlay_disk.c    writes that packets do not wait for
 *   overlay_net.c     own addresses and routes, and the host's addresses as candidates
 *   overlay_coord.c   the coordinator's name becomes addresses
 *   overlay_stream.c  the coordinator by TLS, where UDP is blocked
 *   overlay_portmap.c ports mapped at the gateway: ours, and those of `tundctl portmap`
 *   overlay_verbs.c   requests from the control socket
 *   overlay_report.c  status and peers as JSON
 *   overlay_explain.c explain as JSON
 *   overlay_ping.c    pings for tundctl
 *   overlay_path.c    which ways the user allows to a member
 *   overlay_relay.c   whether this machine relays for others, and who does for it
 *   overlay_nat.c     what the NAT in front of us does
 *   overlay_life.c    how long it keeps a mapping
 *   overlay_metered.c what is left out where bytes are paid for
 *   overlay_search.c  the sockets of a search for a port
 *   overlay_tcp*.c    members by TCP, where UDP is blocked
 */
#ifndef TUND_OVERLAY_INSIDE_H
#define TUND_OVERLAY_INSIDE_H

#include <jansson.h>

#include "ctl.h"
#include "daemon.h"
#include "gateway/driver.h"
#include "nat64.h"
#include "netcheck.h"
#include "overlay.h"
#include "overlay_disk.h"
#include "overlay_life.h"
#include "overlay_metered.h"
#include "overlay_net.h"
#include "overlay_path.h"
#include "overlay_ping.h"
#include "overlay_relay.h"
#include "prefix.h"
#include "resolve.h"
#include "state.h"
#include "state_paths.h"
#include "state_record.h"

/* How far the coordinator's session is, as `watch` tells it. */
enum overlay_coord_state {
    COORD_RESOLVING,  /* looking its name up */
    COORD_UNRESOLVED, /* that failed; it is tried again */
    COORD_CONNECTING, /* no session (yet, or any more) */
    COORD_CONNECTED,  /* a session, and JOIN is under way */
    COORD_JOINED,
    COORD_REFUSED, /* it said no to our card */
};

struct overlay_ping;
struct overlay_stream;
struct overlay_tcp; /* overlay_tcp.h */

struct overlay_nat {
    struct netcheck *check;        /* under way, or NULL */
    struct netcheck_result result; /* of the last one; all zero before the first */
    struct tn_nat own;             /* what members are told */
    struct ctl_conn *waiting[CTL_CONN_MAX];
};

struct overlay_search; /* overlay_search.c */
#define OVERLAY_SEARCHES 2

/* What a connection of `tundctl portmap` waits for. */
enum overlay_portmap_verb {
    OVERLAY_PORTMAP_ADD,
    OVERLAY_PORTMAP_DEL,   /* a mapping of ours */
    OVERLAY_PORTMAP_LIST,
    OVERLAY_PORTMAP_UNMAP, /* an entry of the gateway's table */
};
#define OVERLAY_PORTMAP_WAITS 4
struct overlay_portmap_wait {
    struct ctl_conn *conn; /* NULL: a free row */
    enum overlay_portmap_verb verb;
    uint32_t id; /* ADD and DEL: the mapping */
};
struct overlay_portmap {
    struct portmap *p; /* NULL: switched off */
    uint32_t own[GATEWAY_FAMILIES]; /* numbers of the mappings of our own UDP port */
    struct overlay_portmap_wait wait[OVERLAY_PORTMAP_WAITS];
    uint8_t said_state[GATEWAY_FAMILIES], said_why[GATEWAY_FAMILIES]; /* as last logged */
    struct tn_addr said_external[GATEWAY_FAMILIES];
    uint8_t told_remade;    /* the last that the node knows */
    struct tn_addr offered; /* the candidate that the node has; all zero: none */
};

struct overlay {
    struct tund *t; /* NULL before configure and after stop */
    struct state state;
    struct state_node self; /* secret */
    uint8_t id[TN_NODE_ID_LEN];
    struct prefix prefix4, prefix6;
    bool net_up; /* addresses and routes are set */
    bool no_ipv6; /* this host has none */

    struct state_paths paths; /* as the user has set them */
    struct overlay_disk disk;
    uint64_t stamp_ceiling_ns; /* as stored */
    uv_timer_t save_timer;
    bool roster_dirty;

    uv_timer_t resolve_timer;
    bool timers_open;
    struct resolve *lookup;        /* under way, or NULL */
    struct resolve *nat64_lookup;  /* of NAT64_NAME; under way, or NULL */
    struct nat64 nat64;            /* as it told; len 0: it has told nothing */
    unsigned resolve_failures;     /* in a row */
    unsigned resolve_count;        /* turns among several addresses */
    struct tn_coordinator coordinator;
    bool resolved;
    enum overlay_coord_state coord_state;
    uint8_t refused_status;
    char resolve_error[160];

    struct overlay_nat nat;
    struct overlay_life life;
    struct overlay_metered metered;
    struct overlay_stream *stream; /* NULL: never TLS */
    struct overlay_tcp *tcp;       /* NULL: no TCP with members */
    struct overlay_lan_socket *lan[2]; /* IPv4, IPv6; NULL: not heard */
    struct overlay_portmap portmap;
    struct overlay_search *search[OVERLAY_SEARCHES]; /* under way; NULL: free */

    struct ctl *ctl;
    struct overlay_ping *pings;
    uint32_t next_token;
    struct ctl_conn *watchers[CTL_CONN_MAX];
    struct ctl_conn *leaving; /* waits for the answer to "left"; NULL when it has gone */
    bool leave_sent;          /* that card is on its way */
    bool left;                /* the coordinator has it: the state is removed at the end */
};

/* ---- overlay_store.c: log what fails; the node goes on with what it has ---- */

/* Stores a ceiling OVERLAY_STAMP_AHEAD_NS above `above_ns`: the first at once, others by and by; then the node has them. */
#define OVERLAY_STAMP_AHEAD_NS (600ull * 1000000000u)
TN_MUST_CHECK int overlay_store_stamp(struct overlay *o, uint64_t above_ns, struct why *w);
void overlay_extend_stamp(struct overlay *o, uint64_t above_ns);
TN_MUST_CHECK int overlay_load_roster(struct overlay *o, struct why *w);
void overlay_roster_changed(struct overlay *o); /* is written soon */
void overlay_store_roster_now(struct overlay *o); /* if a change waits: with overlay_disk_finish */
void overlay_store_joined(struct overlay *o);

/* ---- overlay_coord.c ---- */

void overlay_coord_begin(struct overlay *o);
void overlay_resolve(struct overlay *o); /* does nothing while one is under way */
/* The coordinator does not answer; `another`: not for long, so the next of its addresses is taken. */
void overlay_resolve_again(struct overlay *o, bool another);
void overlay_resolve_stop(struct overlay *o);
void overlay_coord_changed(struct overlay *o, enum overlay_coord_state s); /* and tells who watches */
const char *overlay_coord_state_name(enum overlay_coord_state s);

/* ---- overlay_stream.c ---- */

/* Reads the proxy's password, if there is one. */
TN_MUST_CHECK int overlay_stream_start(struct overlay *o, struct why *w);
void overlay_stream_stop(struct overlay *o);
void overlay_stream_on_event(struct overlay *o);  /* TN_EV_COORD_STREAM */
void overlay_stream_on_change(struct overlay *o); /* the host's network, or the coordinator's address */
void overlay_stream_send(struct overlay *o, const uint8_t *data, size_t len);
void overlay_stream_flush(struct overlay *o);
/* Where the TLS connection in use leads, for people; NULL: there is none. */
const char *overlay_stream_endpoint(const struct overlay *o);

/* ---- overlay_portmap.c ---- */

void overlay_portmap_start(struct overlay *o); /* unless it is switched off; logs what fails */
void overlay_portmap_stop(struct overlay *o);  /* mappings are deleted while the loop runs out */
void overlay_portmap_network_changed(struct overlay *o);
/* Our outside address and port at the gateway; false: none is held. */
bool overlay_portmap_candidate(const struct overlay *o, struct tn_addr *out);
void overlay_portmap_on_reach(struct overlay *o, const struct tn_event *ev);
void overlay_portmap_observed(struct overlay *o, const struct tn_addr *observed);
json_t *overlay_portmap_json(const struct overlay *o);
void overlay_portmap_verb(struct overlay *o, struct ctl_conn *c, json_t *request);
bool overlay_portmap_on_close(struct overlay *o, const struct ctl_conn *c); /* true: it was one of ours */

/* ---- overlay_verbs.c ---- */

TN_MUST_CHECK int overlay_ctl_open(struct overlay *o, struct why *w);
void overlay_ctl_close(struct overlay *o);
void overlay_tell_watchers(struct overlay *o);
void overlay_on_updated(struct overlay *o, uint8_t status);
/* A member by name, by the first characters of its node id, or by overlay address. NULL with *w. */
const struct tn_member *overlay_find_member(const struct overlay *o, const char *text, struct why *w);
/* The member that a request names, and its slot; false: the connection was answered. */
bool overlay_find_peer(struct overlay *o, struct ctl_conn *c, const json_t *request,
                       const struct tn_member **m, uint32_t *peer);

/* ---- overlay_report.c ---- */

json_t *overlay_ms_json(uint64_t us);                        /* null for 0 */
json_t *overlay_age_json(uint64_t at_us, uint64_t now_us);   /* seconds since; null for never */
json_t *overlay_endpoint_json(const struct tn_addr *a);      /* null for zero */
json_t *overlay_peer_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                          struct tn_now now);

json_t *overlay_coord_json(const struct overlay *o);
json_t *overlay_status_json(const struct overlay *o);
json_t *overlay_peers_json(const struct overlay *o);

/* ---- overlay_explain.c ---- */

json_t *overlay_explain_json(const struct overlay *o, const struct tn_member *m, uint32_t peer,
                             struct tn_now now);

/* ---- overlay_nat.c ---- */

void overlay_nat_begin(struct overlay *o); /* a check, from the beginning; nothing before the name is resolved */
void overlay_nat_verb(struct overlay *o, struct ctl_conn *c);
void overlay_nat_on_close(struct overlay *o, const struct ctl_conn *c);
void overlay_nat_tell(struct overlay *o); /* the node, after a check or a dial-back */
void overlay_nat_stop(struct overlay *o); /* overlay_life_stop as well */

#endif
