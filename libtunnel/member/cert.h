/* The certificate of an invite (docs/PROTOCOL.md section 3.1): with it the network's owner says,
 * once and for all, which address and name the holder of a one-time key may have. */
#ifndef TN_MEMBER_CERT_H
#define TN_MEMBER_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/cursor.h"
#include "../base/err.h"

#define TN_NETWORK_ID_LEN 16
#define TN_INVITE_ID_LEN 16
#define TN_NAME_MAX_LEN 63
#define TN_NAME_SIZE (TN_NAME_MAX_LEN + 1) /* with its NUL */

/* A small machine: little memory, datagrams of at most 1024 bytes. The other flag bits are 0. */
#define TN_CERT_DEVICE 0x01
/* The longest datagram that its modem takes, and the longest inner packet that fits into one, sealed
 * and behind the relay's header. */
#define TN_DEVICE_DATAGRAM 1024
#define TN_DEVICE_MTU 984

/* The IPv4 prefix of a network is at least this long, and leaves at least two hosts. */
#define TN_CERT_IPV4_BITS_MIN 8
#define TN_CERT_IPV4_BITS_MAX 30

/* Encoded: 177 bytes of fixed fields, name lengths and signature, and 1 to 63 of each name. */
#define TN_CERT_MIN_LEN (1 + 1 + 32 + 16 + 32 + 8 + 4 + 1 + 16 + 2 + 2 + 64)
#define TN_CERT_MAX_LEN (1 + 1 + 32 + 16 + 32 + 8 + 4 + 1 + 16 + 64 + 64 + 64)

struct tn_cert {
    uint8_t flags;
    uint8_t network_public[32]; /* Ed25519 */
    uint8_t invite_id[TN_INVITE_ID_LEN];
    uint8_t invite_public[32]; /* Ed25519 */
    uint64_t not_after_s;      /* seconds since 1970 */
    uint8_t ipv4[4];           /* network order */
    uint8_t ipv4_bits;         /* length of the network's prefix */
    uint8_t ipv6[16];
    char name[TN_NAME_SIZE];    /* the member's, NUL-terminated */
    char network[TN_NAME_SIZE]; /* the network's, NUL-terminated */
    uint8_t signature[64];      /* by the network key */
};

/* 1 to 63 of a-z 0-9 -, not beginning or ending with -. `len` is without a NUL. */
bool tn_name_is_valid(const char *name, size_t len);

void tn_network_id(uint8_t id[TN_NETWORK_ID_LEN], const uint8_t network_public[32]);
/* The first 8 bytes of every IPv6 address of the network. */
void tn_network_prefix6(uint8_t prefix[8], const uint8_t network_public[32]);
/* The network's address with the given interface part, which may not be all zero. */
void tn_network_address6(uint8_t ipv6[16], const uint8_t network_public[32],
                         const uint8_t interface_id[8]);

/* Whether the fields obey section 3.1, all but the signature: flags, names, an IPv4 host address
 * (unicast, neither loopback nor link-local, neither the network's own nor its broadcast address)
 * and an IPv6 address in the network's /64. TN_EINVAL otherwise. */
TN_MUST_CHECK int tn_cert_check(const struct tn_cert *c);

/* Sets network_public from the seed, and the signature; every other field is the caller's to
 * fill. TN_EINVAL when tn_cert_check would refuse it. */
TN_MUST_CHECK int tn_cert_sign(struct tn_cert *c, const uint8_t network_seed[32]);

/* Checks fields and signature. `network_public` is the network that it must be of (TN_EDENIED
 * when it is another's), or NULL to take the one inside. TN_EINVAL for the fields, TN_EAUTH for
 * the signature. */
TN_MUST_CHECK int tn_cert_verify(const struct tn_cert *c, const uint8_t *network_public);

/* Whether the invite is past its last second. This bounds when it may be *redeemed*, so it is for
 * the coordinator to ask, at JOIN, by its own clock; a certificate inside a member's card does
 * not expire. */
bool tn_cert_is_expired(const struct tn_cert *c, uint64_t unix_s);

/* Same bytes, signature included. */
bool tn_cert_equal(const struct tn_cert *a, const struct tn_cert *b);

/* Appends the one encoding there is; what does not fit, or breaks tn_cert_check, fails the
 * writer. Its tn_writer_ok tells. */
void tn_cert_write(struct tn_writer *w, const struct tn_cert *c);
/* Reads one certificate off the front; fails the reader, and leaves *c alone, where that is
 * malformed or not canonical (tn_cert_check). Checks no signature. */
void tn_cert_read(struct tn_reader *r, struct tn_cert *c);

/* The same for a certificate on its own: all `len` bytes. TN_EINVAL; encoding also TN_ENOSPC. */
TN_MUST_CHECK int tn_cert_encode(const struct tn_cert *c, uint8_t *out, size_t cap, size_t *len);
TN_MUST_CHECK int tn_cert_decode(struct tn_cert *c, const uint8_t *data, size_t len);

/* The member's overlay addresses, port 0. */
struct tn_addr tn_cert_address4(const struct tn_cert *c);
struct tn_addr tn_cert_address6(const struct tn_cert *c);

#endif
