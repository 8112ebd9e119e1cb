/* Certificates: field rules, the one encoding, signature (docs/PROTOCOL.md section 3.1).
 *
 * A certificate is written and read through a cursor, since it stands in front of other fields in
 * a card and in an invite. Every encoding that the reader takes is the one that the writer makes: lengths are
 * those of the names, unused flag bits are 0, and there is no optional field. So "same certificate"
 * is "same bytes", and what the network key signs has one form.
 *
 * What is signed begins with a sentence of its own ("tund invite v1"), none of which is the
 * beginning of another, so that a signature of one kind never passes for one of another kind. */
#include "cert.h"

#include <string.h>

#include "../base/bytes.h"
#include "../crypto/crypto.h"

#define CERT_VERSION 1
#define CERT_LABEL "tund invite v1"
#define NETWORK_LABEL "tund network v1"
/* Label and everything before the signature. */
#define CERT_SIGNED_MAX_LEN (sizeof(CERT_LABEL) - 1 + TN_CERT_MAX_LEN - TN_SIG_LEN)

static const uint8_t zero_id[8];

bool tn_name_is_valid(const char *name, size_t len)
{
    if (len < 1 || len > TN_NAME_MAX_LEN || name[0] == '-' || name[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

/* Length up to the NUL; TN_NAME_SIZE, which is no valid length, where there is none. */
static size_t name_len(const char name[TN_NAME_SIZE])
{
    size_t len = 0;

    while (len < TN_NAME_SIZE && name[len] != '\0')
        len++;
    return len;
}

void tn_network_id(uint8_t id[TN_NETWORK_ID_LEN], const uint8_t network_public[32])
{
    struct tn_blake2s h;

    tn_blake2s_init(&h, TN_NETWORK_ID_LEN, NULL, 0);
    tn_blake2s_update(&h, NETWORK_LABEL, sizeof(NETWORK_LABEL) - 1);
    tn_blake2s_update(&h, network_public, 32);
    tn_blake2s_final(&h, id);
}

void tn_network_prefix6(uint8_t prefix[8], const uint8_t network_public[32])
{
    uint8_t id[TN_NETWORK_ID_LEN];

    tn_network_id(id, network_public);
    prefix[0] = 0xfd;
    memcpy(prefix + 1, id, 5);
    prefix[6] = 0;
    prefix[7] = 0;
}

void tn_network_address6(uint8_t ipv6[16], const uint8_t network_public[32],
                         const uint8_t interface_id[8])
{
    tn_network_prefix6(ipv6, network_public);
    memcpy(ipv6 + 8, interface_id, 8);
}

static bool ipv4_is_valid(const uint8_t ipv4[4], uint8_t bits)
{
    uint32_t address = tn_get_be32(ipv4);
    uint32_t host_mask;

    if (bits < TN_CERT_IPV4_BITS_MIN || bits > TN_CERT_IPV4_BITS_MAX)
        return false;
    host_mask = UINT32_MAX >> bits;
    if ((address & host_mask) == 0 || (address & host_mask) == host_mask)
        return false;
    if (ipv4[0] == 0 || ipv4[0] == 127 || ipv4[0] >= 224)
        return false;
    return !(ipv4[0] == 169 && ipv4[1] == 254);
}

static bool ipv6_is_valid(const uint8_t ipv6[16], const uint8_t network_public[32])
{
    uint8_t prefix[8];

    tn_network_prefix6(prefix, network_public);
    /* An interface part of zero is the subnet routers' anycast address (RFC 4291 section 2.6.1). */
    return memcmp(ipv6, prefix, 8) == 0 && memcmp(ipv6 + 8, zero_id, 8) != 0;
}

int tn_cert_check(const struct tn_cert *c)
{
    if (c->flags & ~TN_CERT_DEVICE)
        return TN_EINVAL;
    if (!tn_name_is_valid(c->name, name_len(c->name)) ||
        !tn_name_is_valid(c->network, name_len(c->network)))
        return TN_EINVAL;
    if (!ipv4_is_valid(c->ipv4, c->ipv4_bits) || !ipv6_is_valid(c->ipv6, c->network_public))
        return TN_EINVAL;
    return 0;
}

/* Everything before the signature. */
static void write_fields(struct tn_writer *w, const struct tn_cert *c)
{
    size_t name = name_len(c->name);
    size_t network = name_len(c->network);

    tn_write_u8(w, CERT_VERSION);
    tn_write_u8(w, c->flags);
    tn_write_bytes(w, c->network_public, 32);
    tn_write_bytes(w, c->invite_id, TN_INVITE_ID_LEN);
    tn_write_bytes(w, c->invite_public, 32);
    tn_write_u64(w, c->not_after_s);
    tn_write_bytes(w, c->ipv4, 4);
    tn_write_u8(w, c->ipv4_bits);
    tn_write_bytes(w, c->ipv6, 16);
    tn_write_u8(w, (uint8_t)name);
    tn_write_bytes(w, c->name, name);
    tn_write_u8(w, (uint8_t)network);
    tn_write_bytes(w, c->network, network);
}

/* What the network key signs; its length. The fields have been checked, so it fits. */
static size_t signed_bytes(uint8_t out[CERT_SIGNED_MAX_LEN], const struct tn_cert *c)
{
    struct tn_writer w;

    tn_writer_init(&w, out, CERT_SIGNED_MAX_LEN);
    tn_write_bytes(&w, CERT_LABEL, sizeof(CERT_LABEL) - 1);
    write_fields(&w, c);
    return w.len;
}

int tn_cert_sign(struct tn_cert *c, const uint8_t network_seed[32])
{
    struct tn_cert next = *c;
    uint8_t msg[CERT_SIGNED_MAX_LEN];
    size_t len;

    tn_ed25519_public(next.network_public, network_seed);
    if (tn_cert_check(&next))
        return TN_EINVAL;
    len = signed_bytes(msg, &next);
    tn_ed25519_sign(next.signature, msg, len, network_seed);
    *c = next;
    return 0;
}

int tn_cert_verify(const struct tn_cert *c, const uint8_t *network_public)
{
    uint8_t msg[CERT_SIGNED_MAX_LEN];
    size_t len;

    if (tn_cert_check(c))
        return TN_EINVAL;
    if (network_public && memcmp(network_public, c->network_public, 32) != 0)
        return TN_EDENIED;
    len = signed_bytes(msg, c);
    return tn_ed25519_verify(c->signature, msg, len, c->network_public) ? TN_EAUTH : 0;
}

bool tn_cert_is_expired(const struct tn_cert *c, uint64_t unix_s)
{
    return unix_s > c->not_after_s;
}

/* Field by field: the bytes behind a name's NUL do not count. */
bool tn_cert_equal(const struct tn_cert *a, const struct tn_cert *b)
{
    size_t name = name_len(a->name);
    size_t network = name_len(a->network);

    return a->flags == b->flags && memcmp(a->network_public, b->network_public, 32) == 0 &&
           memcmp(a->invite_id, b->invite_id, TN_INVITE_ID_LEN) == 0 &&
           memcmp(a->invite_public, b->invite_public, 32) == 0 &&
           a->not_after_s == b->not_after_s && memcmp(a->ipv4, b->ipv4, 4) == 0 &&
           a->ipv4_bits == b->ipv4_bits && memcmp(a->ipv6, b->ipv6, 16) == 0 &&
           name == name_len(b->name) && memcmp(a->name, b->name, name) == 0 &&
           network == name_len(b->network) && memcmp(a->network, b->network, network) == 0 &&
           memcmp(a->signature, b->signature, TN_SIG_LEN) == 0;
}

void tn_cert_write(struct tn_writer *w, const struct tn_cert *c)
{
    if (tn_cert_check(c)) {
        w->failed = true;
        return;
    }
    write_fields(w, c);
    tn_write_bytes(w, c->signature, TN_SIG_LEN);
}

/* A name and its length byte; leaves zeros behind the name. */
static void read_name(struct tn_reader *r, char name[TN_NAME_SIZE])
{
    uint8_t len = tn_read_u8(r);

    memset(name, 0, TN_NAME_SIZE);
    if (len > TN_NAME_MAX_LEN) {
        tn_reader_fail(r);
        return;
    }
    tn_read_bytes(r, name, len);
    /* A NUL inside would make the text shorter than its length says: a second encoding. */
    if (!tn_name_is_valid(name, len))
        tn_reader_fail(r);
}

void tn_cert_read(struct tn_reader *r, struct tn_cert *c)
{
    struct tn_cert in;

    memset(&in, 0, sizeof(in));
    if (tn_read_u8(r) != CERT_VERSION)
        tn_reader_fail(r);
    in.flags = tn_read_u8(r);
    tn_read_bytes(r, in.network_public, 32);
    tn_read_bytes(r, in.invite_id, TN_INVITE_ID_LEN);
    tn_read_bytes(r, in.invite_public, 32);
    in.not_after_s = tn_read_u64(r);
    tn_read_bytes(r, in.ipv4, 4);
    in.ipv4_bits = tn_read_u8(r);
    tn_read_bytes(r, in.ipv6, 16);
    read_name(r, in.name);
    read_name(r, in.network);
    tn_read_bytes(r, in.signature, TN_SIG_LEN);
    if (!tn_reader_ok(r))
        return;
    if (tn_cert_check(&in)) {
        tn_reader_fail(r);
        return;
    }
    *c = in;
}

int tn_cert_encode(const struct tn_cert *c, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t whole[TN_CERT_MAX_LEN];
    struct tn_writer w;

    tn_writer_init(&w, whole, sizeof(whole));
    tn_cert_write(&w, c);
    if (!tn_writer_ok(&w))
        return TN_EINVAL;
    if (w.len > cap)
        return TN_ENOSPC;
    memcpy(out, whole, w.len);
    *len = w.len;
    return 0;
}

int tn_cert_decode(struct tn_cert *c, const uint8_t *data, size_t len)
{
    struct tn_cert in;
    struct tn_reader r;

    tn_reader_init(&r, data, len);
    tn_cert_read(&r, &in);
    if (!tn_reader_done(&r))
        return TN_EINVAL;
    *c = in;
    return 0;
}

struct tn_addr tn_cert_address4(const struct tn_cert *c)
{
    return tn_addr_v4(c->ipv4, 0);
}

struct tn_addr tn_cert_address6(const struct tn_cert *c)
{
    return tn_addr_v6(c->ipv6, 0);
}
