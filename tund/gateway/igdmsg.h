/* What is asked of tund-igd, the child that speaks UPnP, and what it answers: one message on a pipe,
 * read to its end. The child holds what a stranger's router sent, so its answer is read as
 * a stranger's: fixed fields, counted texts, nothing before, between or behind. */
#ifndef TUND_GATEWAY_IGDMSG_H
#define TUND_GATEWAY_IGDMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#define IGD_LOCATION_SIZE 256   /* with its NUL: the address of the router's description */
#define IGD_DESCRIPTION_SIZE 48 /* with its NUL: what a mapping is called in the router's table */
#define IGD_ENTRIES_MAX 128     /* of the router's table; the rest is not read */
#define IGD_ANSWER_MAX 16384    /* bytes of an answer */

enum igd_op {
    IGD_PROBE, /* look for the router; remove entries of our description where `sweep` is set */
    IGD_MAP,   /* make or renew a mapping; at an IPv6 gateway: a pinhole in its firewall */
    IGD_UNMAP, /* remove one */
    IGD_LIST,  /* read the table; of IPv4 alone */
    IGD_OP_COUNT,
};

struct igd_job {
    enum igd_op op;
    struct tn_addr gateway, own;    /* the default gateway, and our address towards it; of one family */
    uint32_t scope;                 /* IPv6: index of the interface towards it; 0 for IPv4 */
    char location[IGD_LOCATION_SIZE]; /* known from a probe, or "": to be looked for */
    char description[IGD_DESCRIPTION_SIZE]; /* letters, digits, - and space */
    bool sweep;
    bool tcp;
    uint16_t external_port, internal_port;
    uint32_t lease_s; /* 0: for good; a pinhole has one */
    int32_t pinhole;  /* IPv6: the one to renew or remove; IGD_NO_PINHOLE: none */
};
#define IGD_NO_PINHOLE (-1)

/* 0: done. 400 to 899: the router's own refusal, as UPnP numbers it. Below: */
enum igd_status {
    IGD_OK = 0,
    IGD_NO_ANSWER = 1,      /* no UPnP router answered */
    IGD_FOREIGN = 2,        /* the answer pointed to a host that is not the default gateway */
    IGD_BAD_DESCRIPTION = 3, /* its description could not be read, or is of no router */
    IGD_NOT_CONNECTED = 4,  /* the router says that its outside is not connected */
    IGD_TRANSPORT = 5,      /* a command was not answered */
    IGD_REWRITTEN = 6,      /* the router took the mapping, but for another inside port or host */
    IGD_FIREWALL_OFF = 7,   /* IPv6: the router says that its firewall lets everything in */
    IGD_BAD_PINHOLE = 8,    /* IPv6: the router opened it, and gave no number that could be one */
    IGD_STATUS_COUNT,
    /* UPnP's */
    IGD_NOT_AUTHORIZED = 606,
    IGD_PINHOLES_FULL = 701,     /* of WANIPv6FirewallControl:1, section 2.5 */
    IGD_FIREWALL_DISABLED = 702,
    IGD_NO_PINHOLES = 703,       /* the firewall is on, and may not be opened */
    IGD_NO_SUCH_PINHOLE = 704,
    IGD_NO_SUCH_ENTRY = 714,
    IGD_CONFLICT = 718,
    IGD_SAME_PORTS_ONLY = 724,
    IGD_ONLY_PERMANENT = 725,
};

/* Has the router seen anything come in through the pinhole? */
enum igd_works { IGD_WORKS_UNKNOWN, IGD_WORKS, IGD_WORKS_NOT, IGD_WORKS_COUNT };

struct igd_entry {
    bool tcp;
    uint16_t external_port, internal_port;
    struct tn_addr internal; /* port 0; all zero where the router wrote a name */
    uint32_t lease_s;        /* left; 0: for good */
    char description[IGD_DESCRIPTION_SIZE]; /* printable ASCII, cut short */
};

struct igd_answer {
    uint16_t status;  /* enum igd_status, or the router's own */
    uint8_t version;  /* of the router's WANIPConnection: 1 or 2; 0 not known */
    uint16_t swept;   /* stale entries of ours that were removed */
    uint16_t external_port; /* IGD_MAP */
    uint32_t lease_s;       /* IGD_MAP: 0 for good */
    struct tn_addr external; /* the router's outside address, port 0; all zero: it did not say */
    uint16_t pinhole; /* IGD_MAP of IPv6 that was done: the router's number of it */
    uint8_t works;    /* IGD_MAP of IPv6 that renewed: enum igd_works */
    char location[IGD_LOCATION_SIZE];
    uint16_t entry_count;
    struct igd_entry entry[IGD_ENTRIES_MAX];
};

/* TN_EINVAL: a field that cannot be. TN_ENOSPC. */
TN_MUST_CHECK int igdmsg_encode(const struct igd_answer *a, uint8_t *out, size_t cap, size_t *len);
/* TN_EINVAL for anything that igdmsg_encode would not have written. `out` is then undefined. */
TN_MUST_CHECK int igdmsg_decode(struct igd_answer *out, const uint8_t *data, size_t len);
/* Bytes that may stand in a location or a description; others are replaced by '?'. */
void igdmsg_clean(char *out, size_t size, const char *text);

/* http://GATEWAY[:PORT]/..., the address being a literal that is equal to the gateway's. */
bool igd_url_is_of(const char *url, const struct tn_addr *gateway);
/* A router has many IPv6 addresses, and names any of them: out is the same URL at the gateway's own. False: it
 * is no http:// URL with an IPv6 literal, or too long. `out` is then undefined. */
bool igd_url_at(char out[IGD_LOCATION_SIZE], const char *url, const struct tn_addr *gateway);

#endif
