/* STUN, RFC 8489: Binding only.
 *
 * A message is walked once: header (section 5), then attributes of type, length and
 * value padded to 4 (section 14). The walk is strict: what does not fill the message
 * exactly, or is repeated in a way that matters, ends it. A comprehension-required
 * attribute (below 0x8000) that we do not know ends it as well; RFC 8489 section
 * 6.3.1 would have a server answer with an error, but an error is longer than some
 * requests and helps nobody who means well, so the responder stays silent.
 *
 * The responder keeps nothing and never writes more than it was sent: the asker pads
 * (RFC 5780 section 7.6) to the length of the answer that it wants.
 *
 * MESSAGE-INTEGRITY is known and skipped: there is no shared key, and what STUN tells
 * is a hint that nothing is trusted upon. FINGERPRINT, where present, must match. */
#include "stun.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/cursor.h"

#define BINDING_REQUEST 0x0001
#define BINDING_SUCCESS 0x0101
#define MAGIC 0x2112A442u

#define ATTR_MAPPED_ADDRESS 0x0001
#define ATTR_MESSAGE_INTEGRITY 0x0008
#define ATTR_MESSAGE_INTEGRITY_SHA256 0x001C
#define ATTR_XOR_MAPPED_ADDRESS 0x0020
#define ATTR_PADDING 0x0026
#define ATTR_REQUIRED_END 0x8000
#define ATTR_FINGERPRINT 0x8028
#define ATTR_OTHER_ADDRESS 0x802C

#define FAMILY_V4 1
#define FAMILY_V6 2

struct walk {
    uint16_t type;
    uint8_t txid[TN_STUN_TXID_LEN];
    bool has_mapped;
    struct tn_addr mapped;
    struct tn_addr other; /* zero: not told */
};

bool tn_stun_is_message(const uint8_t *data, size_t len)
{
    return len >= TN_STUN_HEADER_LEN && (data[0] & 0xC0) == 0 && tn_get_be32(data + 4) == MAGIC;
}

/* CRC-32 of ITU-T V.42, as FINGERPRINT wants it; messages are short, so bit by bit. */
static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void xor_ip(uint8_t *ip, size_t len, const uint8_t txid[TN_STUN_TXID_LEN])
{
    uint8_t mask[16];

    tn_put_be32(mask, MAGIC);
    memcpy(mask + 4, txid, TN_STUN_TXID_LEN);
    for (size_t i = 0; i < len; i++)
        ip[i] ^= mask[i];
}

static bool read_mapped(struct walk *m, const uint8_t *value, size_t len)
{
    uint8_t ip[16];
    uint16_t port;

    if (m->has_mapped || len < 4)
        return false;
    port = tn_get_be16(value + 2) ^ (uint16_t)(MAGIC >> 16);
    if (value[1] == FAMILY_V4 && len == 8) {
        memcpy(ip, value + 4, 4);
        xor_ip(ip, 4, m->txid);
        m->mapped = tn_addr_v4(ip, port);
    } else if (value[1] == FAMILY_V6 && len == 20) {
        memcpy(ip, value + 4, 16);
        xor_ip(ip, 16, m->txid);
        m->mapped = tn_addr_v6(ip, port);
    } else {
        return false;
    }
    m->has_mapped = true;
    return true;
}

/* In clear, since RFC 5780 says so; a family that we do not know counts for nothing. */
static void read_other(struct walk *m, const uint8_t *value, size_t len)
{
    if (len == 8 && value[1] == FAMILY_V4)
        m->other = tn_addr_v4(value + 4, tn_get_be16(value + 2));
    else if (len == 20 && value[1] == FAMILY_V6)
        m->other = tn_addr_v6(value + 4, tn_get_be16(value + 2));
}

/* One attribute; `at` is its offset in the message. False ends the walk. */
static bool take_attribute(struct walk *m, const uint8_t *data, size_t len, size_t at, uint16_t type,
                           const uint8_t *value, size_t value_len)
{
    switch (type) {
    case ATTR_XOR_MAPPED_ADDRESS:
        return read_mapped(m, value, value_len);
    case ATTR_FINGERPRINT: /* the last one, over all before it */
        return value_len == 4 && at + 8 == len &&
               tn_get_be32(value) == (crc32_of(data, at) ^ 0x5354554Eu);
    case ATTR_MESSAGE_INTEGRITY:
        return value_len == 20;
    case ATTR_MESSAGE_INTEGRITY_SHA256:
        return value_len >= 16 && value_len <= 32 && value_len % 4 == 0;
    case ATTR_MAPPED_ADDRESS: /* for RFC 3489 clients; NATs rewrite it, so it counts for nothing */
    case ATTR_PADDING:
        return true;
    case ATTR_OTHER_ADDRESS:
        read_other(m, value, value_len);
        return true;
    default:
        return type >= ATTR_REQUIRED_END;
    }
}

static bool walk_message(const uint8_t *data, size_t len, struct walk *m)
{
    struct tn_reader r;

    memset(m, 0, sizeof *m);
    if (!tn_stun_is_message(data, len) || len % 4 != 0 ||
        tn_get_be16(data + 2) != len - TN_STUN_HEADER_LEN)
        return false;
    m->type = tn_get_be16(data);
    memcpy(m->txid, data + 8, TN_STUN_TXID_LEN);
    tn_reader_init(&r, data + TN_STUN_HEADER_LEN, len - TN_STUN_HEADER_LEN);
    while (r.left > 0) {
        size_t at = len - r.left;
        uint16_t type = tn_read_u16(&r);
        size_t value_len = tn_read_u16(&r);
        const uint8_t *value = tn_read_view(&r, (value_len + 3) & ~(size_t)3);

        if (!value || !take_attribute(m, data, len, at, type, value, value_len))
            return false;
    }
    return true;
}

static void write_header(struct tn_writer *w, uint16_t type, size_t body_len,
                         const uint8_t txid[TN_STUN_TXID_LEN])
{
    tn_write_u16(w, type);
    tn_write_u16(w, (uint16_t)body_len);
    tn_write_u32(w, MAGIC);
    tn_write_bytes(w, txid, TN_STUN_TXID_LEN);
}

size_t tn_stun_request(bool v6, const uint8_t txid[TN_STUN_TXID_LEN], uint8_t *out, size_t cap)
{
    return tn_stun_request_of(v6 ? TN_STUN_V6_LEN : TN_STUN_V4_LEN, txid, out, cap);
}

size_t tn_stun_request_of(size_t size, const uint8_t txid[TN_STUN_TXID_LEN], uint8_t *out, size_t cap)
{
    size_t body_len = size - TN_STUN_HEADER_LEN;
    struct tn_writer w;

    if (cap < size || size % 4 || size < TN_STUN_V4_LEN || size > 65500)
        return 0;
    tn_writer_init(&w, out, cap);
    write_header(&w, BINDING_REQUEST, body_len, txid);
    tn_write_u16(&w, ATTR_PADDING);
    tn_write_u16(&w, (uint16_t)(body_len - 4));
    tn_write_zeros(&w, body_len - 4);
    return tn_writer_ok(&w) ? w.len : 0;
}

/* An address as an attribute; `key`: what its port is to be exclusive-or'ed with. */
static void write_address(struct tn_writer *w, uint16_t type, const struct tn_addr *a,
                          const uint8_t *ip, uint16_t key)
{
    size_t ip_len = tn_addr_is_v4(a) ? 4 : 16;

    tn_write_u16(w, type);
    tn_write_u16(w, (uint16_t)(4 + ip_len));
    tn_write_u8(w, 0);
    tn_write_u8(w, ip_len == 4 ? FAMILY_V4 : FAMILY_V6);
    tn_write_u16(w, a->port ^ key);
    tn_write_bytes(w, ip, ip_len);
}

size_t tn_stun_answer(const uint8_t *request, size_t len, const struct tn_addr *src,
                      const struct tn_addr *other, uint8_t *out, size_t cap)
{
    bool v4 = tn_addr_is_v4(src);
    size_t answer_len = v4 ? TN_STUN_V4_LEN : TN_STUN_V6_LEN;
    size_t other_len = v4 ? TN_STUN_OTHER_V4_LEN : TN_STUN_OTHER_V6_LEN;
    size_t ip_len = v4 ? 4 : 16;
    uint8_t ip[16];
    struct tn_writer w;
    struct walk m;

    if (other && tn_addr_is_v4(other) == v4 && len >= other_len && cap >= other_len)
        answer_len = other_len;
    else
        other = NULL;

    if (len < answer_len || cap < answer_len || !walk_message(request, len, &m) ||
        m.type != BINDING_REQUEST)
        return 0;
    memcpy(ip, src->ip + 16 - ip_len, ip_len);
    xor_ip(ip, ip_len, m.txid);
    tn_writer_init(&w, out, cap);
    write_header(&w, BINDING_SUCCESS, answer_len - TN_STUN_HEADER_LEN, m.txid);
    write_address(&w, ATTR_XOR_MAPPED_ADDRESS, src, ip, (uint16_t)(MAGIC >> 16));
    if (other)
        write_address(&w, ATTR_OTHER_ADDRESS, other, other->ip + 16 - ip_len, 0);
    return tn_writer_ok(&w) ? w.len : 0;
}

int tn_stun_consume_answer(const uint8_t *data, size_t len, const uint8_t txid[TN_STUN_TXID_LEN],
                           struct tn_addr *mapped)
{
    struct tn_addr other;

    return tn_stun_consume_other(data, len, txid, mapped, &other);
}

int tn_stun_consume_other(const uint8_t *data, size_t len, const uint8_t txid[TN_STUN_TXID_LEN],
                          struct tn_addr *mapped, struct tn_addr *other)
{
    struct walk m;

    if (!walk_message(data, len, &m) || m.type != BINDING_SUCCESS || !m.has_mapped)
        return TN_EINVAL;
    if (memcmp(m.txid, txid, TN_STUN_TXID_LEN) != 0)
        return TN_EAUTH;
    *mapped = m.mapped;
    *other = m.other;
    return TN_OK;
}
