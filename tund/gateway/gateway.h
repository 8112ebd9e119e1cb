/* The port mappings that we hold at the default gateway: which protocol it speaks, what was asked, what
 * it gave, when it has to be renewed. A calculator like libtunnel: no socket, clock, heap or thread.
 *
 *     push      gateway_set_router, _add, _remove, _on_datagram, _on_igd, _on_verdict ...
 *     pull      gateway_poll_out (datagrams), gateway_poll_job (for tund-igd), gateway_take_changed
 *     sleep     until gateway_next_deadline, then gateway_tick
 *
 * Times are microseconds of CLOCK_BOOTTIME (tn_now.us). driver.h owns the system calls. */
#ifndef TUND_GATEWAY_GATEWAY_H
#define TUND_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epoch.h"
#include "igdmsg.h"
#include "pcp.h"

#define GATEWAY_LEASE_S 7200u
#define GATEWAY_MAPPINGS 16u /* our own port, the IPv6 pinhole, and what a user adds */
#define GATEWAY_OUT_MAX PCP_MAP_LEN /* bytes of a datagram of gateway_poll_out */

enum gateway_family { GATEWAY_V4, GATEWAY_V6, GATEWAY_FAMILIES };
enum gateway_protocol { GATEWAY_NONE, GATEWAY_PCP, GATEWAY_NATPMP, GATEWAY_UPNP };

/* What we know of a protocol at this gateway. */
enum gateway_service { GATEWAY_UNKNOWN, GATEWAY_ASKED, GATEWAY_THERE, GATEWAY_ABSENT };

/*   WAITING --> ASKING --> MAPPED --(renewals)--> MAPPED
 *      ^          |  ^       |
 *      |          v  |       v
 *   (router)    FAILED     ENDING --> free, or ASKING again
 */
enum gateway_state {
    GATEWAY_WAITING, /* there is no gateway that could be asked */
    GATEWAY_ASKING,
    GATEWAY_MAPPED,
    GATEWAY_FAILED,  /* `why` tells; asked again at `due_us` */
    GATEWAY_ENDING,  /* being deleted at the gateway */
};

/* Did anything from outside arrive through the mapping? */
enum gateway_verdict { GATEWAY_UNVERIFIED, GATEWAY_ANSWERED, GATEWAY_SILENT };

enum gateway_why {
    GATEWAY_WELL,
    GATEWAY_NO_ROUTER,        /* no default gateway of that family */
    GATEWAY_NOT_NEEDED,       /* our own address is public */
    GATEWAY_NO_SERVICE,       /* it speaks none of the protocols */
    GATEWAY_REFUSED,          /* it speaks one, and is configured not to */
    GATEWAY_NO_OUTSIDE,       /* it has no outside address, or says that it is not connected */
    GATEWAY_FULL,             /* its table, or our quota, is */
    GATEWAY_MISMATCH,         /* it sees us under another address: a NAT lies between */
    GATEWAY_CONFLICT,         /* others hold every outside port that was tried */
    GATEWAY_BAD_ANSWER,       /* it said yes, and gave nothing that could be used */
    GATEWAY_PRIVATE,          /* mapped, but the outside address is private: a second NAT lies behind */
    GATEWAY_LIES,             /* mapped twice, and nothing came through */
    GATEWAY_UNREACHED,        /* it did not answer (any more) */
    GATEWAY_FOREIGN_HOST,     /* its UPnP answer points to another host */
    GATEWAY_OPEN,             /* its IPv6 firewall is off: nothing has to be opened */
    GATEWAY_WHY_COUNT,
};

struct gateway_want {
    bool tcp;
    enum gateway_family family;
    enum gateway_protocol only; /* GATEWAY_NONE: whichever works */
    uint16_t internal_port;
    uint16_t external_port; /* the one we would like; 0: the internal one */
};

struct gateway_mapping {
    bool used;
    uint32_t serial; /* no two have had the same */
    struct gateway_want want;
    uint8_t nonce[PCP_NONCE_LEN];
    uint8_t state;           /* enum gateway_state */
    uint8_t verdict;         /* enum gateway_verdict */
    uint8_t why;             /* enum gateway_why */
    uint16_t code;           /* the protocol's own number of the last refusal; 0: none */
    uint8_t protocol;        /* that holds it or is being asked, enum gateway_protocol */
    struct tn_addr external; /* what the gateway gave; all zero: nothing (yet) */
    uint32_t lease_s;        /* as granted; 0 with MAPPED: for good */
    uint64_t granted_us, expires_us; /* TN_NEVER for one without end */
    uint64_t due_us;         /* the next step: renewal, repetition, new try */
    bool renewing;           /* MAPPED, and asked again */
    bool rewritten;          /* the outside port is not the one that was asked for */
    bool permanent;          /* the gateway knows no leases (UPnP error 725) */
    bool removed;            /* it goes when it is ended */
    bool in_doubt;           /* MAPPED, by a gateway that has begun anew since */
    uint8_t remade;          /* so often was one in doubt granted again; wraps */
    bool send_wish, job_wish;
    uint8_t tries, port_tries, silent_count;
    uint16_t ask_port;       /* the outside port that is asked for */
    int32_t pinhole;         /* the gateway's number of it in its IPv6 firewall (UPnP); IGD_NO_PINHOLE: none */
    uint16_t pending_port;   /* NAT-PMP: mapped, and its outside address is not known yet; 0: no */
    uint32_t pending_lease_s;
    uint32_t retry_s;        /* the soonest that one of the protocols asked for */
};

struct gateway_router {
    struct tn_addr address; /* port 0; link-local for IPv6 */
    struct tn_addr own;     /* our address towards it, port 0 */
    uint32_t scope;         /* IPv6: index of its interface, which a link-local address needs; IPv4: 0 */
};

struct gateway_server {
    bool present;
    struct gateway_router router;
    uint8_t pcp, natpmp; /* enum gateway_service */
    struct gateway_epoch pcp_epoch, natpmp_epoch;
    struct tn_addr outside; /* as NAT-PMP told; all zero: unknown */
    struct tn_addr observed; /* as others see us; all zero: unknown */
    bool want_outside;      /* ask NAT-PMP for it with the next datagram */
    uint64_t renewed_us;    /* when a lost epoch last made us renew everything */
    uint64_t moved_us;      /* from then on a new outside address makes us renew at once again */
};

/* What UPnP is at a family's gateway: a table of port mappings (IPv4), or an IPv6 firewall. */
struct gateway_igd {
    uint8_t service; /* enum gateway_service */
    uint8_t version; /* of WANIPConnection */
    uint16_t status; /* of the last job */
    char location[IGD_LOCATION_SIZE];
    struct tn_addr outside;
    bool probe_wish, swept;
    uint16_t swept_count;
};

/* What the child does: one thing at a time. */
struct gateway_job {
    bool running;
    bool stale; /* what runs was asked of another router: its answer counts no more */
    enum gateway_family family;
    enum igd_op op;
    uint32_t id;     /* of the mapping, or GATEWAY_NO_MAPPING */
    uint32_t serial; /* its serial: that place may be another's when the answer comes */
};
#define GATEWAY_NO_MAPPING UINT32_MAX

struct gateway_config {
    uint8_t nonce_key[32]; /* secret of this node: makes the same nonces after a restart */
    uint64_t seed;         /* of the small random delays */
    char description[IGD_DESCRIPTION_SIZE]; /* of our entries in a UPnP table: this node's alone */
    bool upnp;             /* tund-igd can be run */
};

/* One question of a user to the UPnP table at a time. */
struct gateway_order {
    bool wanted;
    enum igd_op op; /* IGD_LIST or IGD_UNMAP */
    bool tcp;
    uint16_t external_port;
};

struct gateway {
    struct gateway_config config;
    struct gateway_server server[GATEWAY_FAMILIES];
    struct gateway_igd igd[GATEWAY_FAMILIES];
    struct gateway_job job;
    struct gateway_order order;
    struct gateway_mapping mapping[GATEWAY_MAPPINGS];
    uint64_t random;
    uint32_t serial; /* the last that was given */
    bool changed, stopping;
};

void gateway_init(struct gateway *g, const struct gateway_config *config);

/* The default gateway of a family; NULL: there is none. The same one again means that the network
 * may have changed: everything is asked for again. Another one: what the old one gave is forgotten. */
void gateway_set_router(struct gateway *g, enum gateway_family family,
                        const struct gateway_router *router, uint64_t now_us);
/* A mapping that is wanted from now on. Its number, or TN_ENOSPC; TN_EEXIST: there is one for this
 * port; TN_EINVAL: no port, or IPv6 by NAT-PMP. TN_ESTATE: stopping. */
TN_MUST_CHECK int gateway_add(struct gateway *g, const struct gateway_want *want, uint64_t now_us);
/* Deletes it at the gateway, and then here. */
void gateway_remove(struct gateway *g, uint32_t id, uint64_t now_us);
/* All of them; nothing is asked for any more. gateway_is_idle: nothing is left to be waited for. */
void gateway_stop(struct gateway *g, uint64_t now_us);
bool gateway_is_idle(const struct gateway *g);

/* From port 5351 of that family's gateway. */
void gateway_on_datagram(struct gateway *g, enum gateway_family family, const uint8_t *data, size_t len,
                         uint64_t now_us);
/* From the gateway to the group of announcements. */
void gateway_on_announcement(struct gateway *g, enum gateway_family family, const uint8_t *data,
                             size_t len, uint64_t now_us);
/* The gateway's host says that nothing listens on 5351 (ICMP). */
void gateway_on_refused(struct gateway *g, enum gateway_family family, uint64_t now_us);
/* The child ended with this answer; NULL: without one that could be read. */
void gateway_on_igd(struct gateway *g, const struct igd_answer *answer, uint64_t now_us);
/* Somebody outside was asked to send to the mapping's outside address. One that stays silent is
 * deleted and asked for again; the second time it is left, and reported. */
void gateway_on_verdict(struct gateway *g, uint32_t id, bool answered, uint64_t now_us);
/* Our outside address, as others see it, is this one now: mappings that say otherwise are renewed. */
void gateway_on_observed(struct gateway *g, const struct tn_addr *observed, uint64_t now_us);

void gateway_tick(struct gateway *g, uint64_t now_us);
uint64_t gateway_next_deadline(const struct gateway *g); /* TN_NEVER: none */
/* The next datagram to port 5351 of that family's gateway; false: none. */
bool gateway_poll_out(struct gateway *g, enum gateway_family *family, uint8_t out[GATEWAY_OUT_MAX],
                      size_t *len, uint64_t now_us);
/* The next job for tund-igd; false: none, or one is running (gateway_on_igd ends it). */
bool gateway_poll_job(struct gateway *g, struct igd_job *job);
/* TN_ESTATE: one is under way, or no UPnP is there. gateway_on_igd's answer is the order's when
 * gateway_order_is_running said so before. */
TN_MUST_CHECK int gateway_give_order(struct gateway *g, const struct gateway_order *order);
bool gateway_order_is_running(const struct gateway *g);

/* True once after anything that a user or a peer would want to know. */
bool gateway_take_changed(struct gateway *g);
const struct gateway_mapping *gateway_at(const struct gateway *g, uint32_t id); /* NULL: not used */
uint32_t gateway_find(const struct gateway *g, enum gateway_family family, bool tcp,
                      uint16_t internal_port); /* GATEWAY_NO_MAPPING */

#endif
