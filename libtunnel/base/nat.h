/* How a NAT behaves, in the words of RFC 4787: what path/natcheck.c measures, members
 * tell each other (docs/PROTOCOL.md section 4.3), and people are shown. */
#ifndef TN_BASE_NAT_H
#define TN_BASE_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"

/* Values are those of the wire. Which outside port a packet gets: */
enum tn_nat_mapping {
    TN_NAT_UNKNOWN = 0,
    TN_NAT_NONE = 1,        /* the host's own address and port: no NAT */
    TN_NAT_ENDPOINT = 2,    /* one, wherever it goes (endpoint-independent) */
    TN_NAT_ADDRESS = 3,     /* another for each address */
    TN_NAT_PORT = 4,        /* another for each address and port ("symmetric") */
    TN_NAT_BLOCKED = 5,     /* UDP does not get through at all */
};

/* Who may answer: */
enum tn_nat_filtering {
    TN_NAT_FILTER_UNKNOWN = 0,
    TN_NAT_FILTER_NONE = 1,    /* anybody */
    TN_NAT_FILTER_ADDRESS = 2, /* addresses that were sent to */
    TN_NAT_FILTER_PORT = 3,    /* addresses and ports that were sent to */
};

/* How the outside port is chosen: */
enum tn_nat_ports {
    TN_NAT_PORTS_UNKNOWN = 0,
    TN_NAT_PORTS_PRESERVED = 1,  /* the inside one, where it is free */
    TN_NAT_PORTS_SEQUENTIAL = 2, /* the last one and `step` */
    TN_NAT_PORTS_RANDOM = 3,     /* anything, from first_port to last_port where those are known */
};

struct tn_nat {
    uint8_t mapping, filtering, ports;
    bool sure;     /* the mapping was tried with two addresses, not only with two ports */
    bool hairpin;  /* its own outside address can be reached from inside */
    bool open;     /* an outside address of this end was dialled back: anybody may send there */
    bool reserved; /* this end spares bytes, its link being metered: no search for ports, no heartbeats of an idle path */
    int16_t step;
    uint16_t first_port, last_port; /* what the ports are chosen from; both 0: not known, maybe all */
};

#define TN_NAT_WIRE_LEN 12
/* mapping[1] filtering[1] ports[1] flags[1] step[2] first_port[2] last_port[2] 00[2] */
void tn_nat_write(struct tn_writer *w, const struct tn_nat *nat);
/* Fails the reader, *nat untouched, for an unknown value or flag or an impossible range. */
void tn_nat_read(struct tn_reader *r, struct tn_nat *nat);

/* What two NATs let through. */
enum tn_nat_pair {
    TN_PAIR_UNKNOWN,  /* one of them is not known */
    TN_PAIR_PUNCH,    /* direct: each sends to where the other was last seen, or just there */
    TN_PAIR_SEARCH,   /* one draws a new port for each peer, and the other lets in only whom it has sent
                         to: that port has to be found */
    TN_PAIR_RELAY,    /* both draw: there is nothing to be found */
    TN_PAIR_BLOCKED,  /* UDP does not get through at one end */
};
enum tn_nat_pair tn_nat_pair(const struct tn_nat *a, const struct tn_nat *b);
/* Another outside port for another peer? */
bool tn_nat_is_hard(const struct tn_nat *nat);

/* Short lower-case words for people and for JSON; never NULL. */
const char *tn_nat_mapping_name(uint8_t mapping);
const char *tn_nat_filtering_name(uint8_t filtering);
const char *tn_nat_ports_name(uint8_t ports);
const char *tn_nat_pair_name(uint8_t pair);

#endif
