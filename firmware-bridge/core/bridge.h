/* The device: one member of the overlay on a small machine, with the IP stack that it needs. The
 * only header that a port and an application include.
 *
 * It is libtunnel's node with small arrays, and on top of it the device's two addresses: ICMP echo,
 * UDP datagrams; TCP is another stack's (lwip/stack.h). No clock, socket, heap or thread; nothing
 * of libc but string.h. The port owns the modem:
 *
 *     push   bridge_on_datagram, bridge_tick, bridge_set_coordinator, bridge_udp_send
 *     pull   bridge_poll, until it says no, after *each* push
 *     sleep  until bridge_next_deadline, or until a datagram comes
 *
 * One buffer serves both ways: the port reads a datagram into bridge_buffer, and what bridge_poll
 * hands out lies there too, until the next call. All memory is inside struct bridge
 * (core/inside.h says how much; a port places one statically). Times are microseconds of one
 * clock that never goes back and that goes on while the machine sleeps. It need not be the time of
 * day, and it may begin at 0 with each boot: handshake stamps are numbers from the storage, not
 * times. Errors are those of libtunnel/base/err.h. Not thread safe. */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"
#include "sizes.h"

struct bridge;

/* ---- what the port gives ---- */

/* Bytes that stay when power goes: EEPROM, a page of flash, a file. BRIDGE_STORAGE_LEN of them, read
 * and written at any offset. What was never written may hold anything. A write may be cut short
 * anywhere by a power cut: the bytes before that point are new, those after it old, and those of
 * the smallest unit that the memory writes may be neither; nothing outside the range changes. Both
 * return 0, or anything else when it did not work. */
struct bridge_storage {
    int (*read)(void *ctx, uint32_t at, void *out, size_t len);
    int (*write)(void *ctx, uint32_t at, const void *data, size_t len);
    void *ctx;
};
/* Fits the 2047 bytes of EEPROM that a Particle Electron emulates. */
#define BRIDGE_STORAGE_LEN 2000u

struct bridge_config {
    const struct bridge_storage *storage; /* borrowed for the device's life */
    uint8_t rng_seed[32]; /* from the hardware's generator; the caller wipes its copy */
};

/* ---- life ---- */

size_t bridge_sizeof(void);
/* Reads the storage, and reserves there the handshake stamps of this boot (one write). 0: it is a
 * member, and asks for its coordinator (bridge_coordinator). TN_ENOENT: it is none yet;
 * everything but bridge_join is in vain. TN_ESTATE: the storage could not be read or written;
 * nothing may be sent, try again. TN_EINVAL: the build's sizes cannot be. */
TN_MUST_CHECK int bridge_init(struct bridge *b, const struct bridge_config *cfg, uint64_t now_us);
void bridge_wipe(struct bridge *b); /* every secret; the storage stays */

/* Redeems an invite (`len` characters of text; blanks around it are passed over): makes the keys,
 * signs the card, stores both. unix_s: the time of day, 0 when it is not known. Then the device
 * goes on as after bridge_init. Errors of tn_invite_decode; TN_EEXIST: it is a member already
 * (bridge_forget first); TN_EEXPIRED; TN_ENOSPC: the coordinator's name is longer than
 * BRIDGE_HOST_MAX; TN_ESTATE: the storage refused, nothing has changed. The caller wipes the text. */
TN_MUST_CHECK int bridge_join(struct bridge *b, const char *invite, size_t len, uint64_t unix_s,
                              uint64_t now_us);
/* Erases keys and card; bridge_init comes next. The member stays known to its network. TN_ESTATE:
 * the storage refused. */
TN_MUST_CHECK int bridge_forget(struct bridge *b);

/* ---- the coordinator ---- */

/* Its name or address literal (terminated) and port; NULL before the device is a member. */
const char *bridge_coordinator(const struct bridge *b, uint16_t *port);
/* The port looked the name up: begins, or moves, the session. */
void bridge_set_coordinator(struct bridge *b, const struct tn_addr *a, uint64_t now_us);
/* True once, when the name should be looked up again: there was no answer for long. */
bool bridge_take_resolve(struct bridge *b);
/* Another socket, another address, the modem was reset: what was known of the way is in doubt. */
void bridge_on_network_change(struct bridge *b, uint64_t now_us);

/* ---- datagrams ---- */

/* Where the port reads the next datagram to, and its room: BRIDGE_DATAGRAM_MAX. */
uint8_t *bridge_buffer(struct bridge *b);
/* `len` bytes from `src` lie in bridge_buffer. Whatever it is, poll afterwards. */
void bridge_on_datagram(struct bridge *b, const struct tn_addr *src, size_t len, uint64_t now_us);

struct bridge_out {
    struct tn_addr to;
    const uint8_t *data; /* 1 to BRIDGE_DATAGRAM_MAX bytes, until the next call of anything here */
    size_t len;
};
/* The next datagram to send. One that the modem cannot take is lost; whoever needs it sends again. */
bool bridge_poll(struct bridge *b, struct bridge_out *out, uint64_t now_us);
void bridge_tick(struct bridge *b, uint64_t now_us);
/* When bridge_tick is due; UINT64_MAX: never. */
uint64_t bridge_next_deadline(const struct bridge *b);

/* ---- the probe socket ---- */

/* With a second socket the device learns how long the carrier's NAT remembers it, and speaks just often
 * enough: about ten trials of 400 bytes each, on each carrier once. Without one it assumes 25 s. */
void bridge_use_probe_socket(struct bridge *b, bool is_there);
/* The carrier and the APN, any text ("262-01 internet"): lifetimes are remembered for each. */
void bridge_set_carrier(struct bridge *b, const char *name, size_t len, uint64_t now_us);
/* As bridge_poll, for the probe socket. is_fresh: close it first and open another, so that its local
 * port is a new one. */
bool bridge_poll_probe(struct bridge *b, struct bridge_out *out, bool *is_fresh);
/* A datagram came on the probe socket, in the port's own memory; those that matter have at most 44
 * bytes. Poll afterwards. */
void bridge_on_probe(struct bridge *b, const uint8_t *data, size_t len, uint64_t now_us);

/* ---- the budget ---- */

/* Bytes that may be spent in a day, up and down, all included; 0: as many as may be. It is stored.
 * core/budget.c says what happens when little is left, and when nothing is. */
void bridge_set_budget(struct bridge *b, uint32_t bytes_per_day, uint64_t now_us);
/* What the modem has counted, up and down, since it began to: from the second call on it is believed
 * in place of what was counted here. A count that falls begins anew. */
void bridge_set_data_usage(struct bridge *b, uint64_t modem_bytes, uint64_t now_us);

enum bridge_level { BRIDGE_FINE, BRIDGE_LOW, BRIDGE_SPENT };

/* ---- UDP in the overlay ---- */

struct bridge_datagram {
    struct tn_addr from; /* overlay address and port */
    uint16_t to_port;
    uint8_t *data; /* may be overwritten, see below */
    size_t len;
    size_t room; /* bytes that an answer may have, at `data` */
};
/* A datagram came for a port that was bound. The answer, if there is one, is written over it at
 * d->data; its length is returned (0: no answer). Data that was not answered is gone afterwards. */
typedef size_t bridge_udp_handler(void *ctx, struct bridge_datagram *d);
/* TN_EEXIST: the port is bound; TN_ENOSPC: BRIDGE_UDP_PORTS are. A NULL handler unbinds. */
TN_MUST_CHECK int bridge_udp_bind(struct bridge *b, uint16_t port, bridge_udp_handler *handler,
                                  void *ctx);
/* Largest payload to an address of that family, bytes. */
size_t bridge_udp_max(const struct tn_addr *to);
/* Sends from `port` (bound or not). Copied: it waits in a queue of BRIDGE_QUEUE packets, through a
 * handshake where one is needed, and is dropped when there is no answer for 90 s. TN_ENOSPC: the
 * queue is full, poll first; TN_EINVAL: too long; TN_ESTATE: not a member; TN_ELIMIT: the last eighth of
 * the budget is kept back. May not be called from a handler. */
TN_MUST_CHECK int bridge_udp_send(struct bridge *b, uint16_t port, const struct tn_addr *to,
                                  const void *data, size_t len, uint64_t now_us);

/* ---- another stack ---- */

/* Who takes the packets of TCP, in both families, and gives its own; lwip/stack.c is one. What is called here
 * may call bridge_info, bridge_random and, once it is done with what came, bridge_buffer; nothing else of this header. */
struct bridge_stack {
    /* `len` bytes from the IP header on, to this device and with a good header; may be written over, gone afterwards. */
    void (*input)(void *ctx, uint8_t *ip, size_t len);
    size_t (*poll)(void *ctx, uint8_t *out, size_t cap); /* the next packet, its length; 0: none */
    void (*tick)(void *ctx, uint64_t now_us);
    uint64_t (*deadline)(void *ctx); /* when tick is due; UINT64_MAX: never */
    void *ctx;
};
/* After each bridge_init. Borrowed for the device's life; NULL: none. */
void bridge_set_stack(struct bridge *b, const struct bridge_stack *s);
uint32_t bridge_random(struct bridge *b); /* not for keys */

/* ---- to look at ---- */

enum bridge_state {
    BRIDGE_EMPTY,   /* not a member: give it an invite */
    BRIDGE_OFFLINE, /* no session with the coordinator */
    BRIDGE_ONLINE,  /* there is one, and it knows us as a member */
    BRIDGE_REFUSED, /* the coordinator will not have us: join_status says why */
};
const char *bridge_state_name(enum bridge_state s); /* "empty", "offline", "online", "refused" */

struct bridge_info {
    enum bridge_state state;
    uint8_t join_status; /* enum tn_status of coord/msg.h */
    const char *name, *network; /* the member's and the network's; "" when empty */
    struct tn_addr ipv4, ipv6;  /* in the overlay */
    struct tn_addr observed;    /* ours, as the coordinator sees it; zero: not known */
    uint64_t uptime_us;
    uint64_t tx_bytes, rx_bytes; /* on the air since boot, with 28 bytes of IP and UDP for each datagram */
    uint32_t handshakes;
    uint32_t dropped; /* inner packets that were not for us, or malformed */
    uint32_t storage_failures;
    uint16_t nat_lifetime_s; /* the longest pause that the carrier's NAT has outlived; 0: not known */
    uint16_t keepalive_s;    /* so often the coordinator hears from us */
    uint32_t budget_bytes;   /* a day's; 0: none */
    uint64_t used_bytes;     /* in the present day */
    enum bridge_level level;
    uint8_t peers;    /* members with a live session */
};
void bridge_info(const struct bridge *b, struct bridge_info *out, uint64_t now_us);

#endif
