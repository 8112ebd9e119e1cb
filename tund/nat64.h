/* The prefix by which a network without IPv4 makes IPv6 addresses of IPv4 ones (RFC 6052), and how it is found:
 * a name server of such a network answers for ipv4only.arpa, which has IPv4 addresses alone, with IPv6
 * addresses that hold them (RFC 7050). Pure. */
#ifndef TUND_NAT64_H
#define TUND_NAT64_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#define NAT64_NAME "ipv4only.arpa" /* RFC 7050 section 8.1 */

struct nat64 {
    uint8_t prefix[16]; /* zero behind its length */
    uint8_t len;        /* bits: 32, 40, 48, 56, 64 or 96; 0: none */
};

/* 64:ff9b::/96 (RFC 6052 section 2.1), which is there where nothing is told. */
struct nat64 nat64_well_known(void);
/* The first prefix that one of the addresses of NAT64_NAME shows; false: none does. `out` is then as it was. */
bool nat64_find(struct nat64 *out, const struct tn_addr *found, unsigned count);
/* RFC 6052 section 2.2; zero for what is no IPv4 address, or without a prefix. The port is v4's. */
struct tn_addr nat64_make(const struct nat64 *n, const struct tn_addr *v4);
/* "64:ff9b::/96" */
#define NAT64_TEXT_LEN 50 /* with its NUL */
const char *nat64_text(const struct nat64 *n, char out[NAT64_TEXT_LEN]);

#endif
