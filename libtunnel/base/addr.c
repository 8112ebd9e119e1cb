/* Addresses of both families in one form, and which of them may be probed.
 *
 * tn_addr_is_probeable is the gate of RFC 8445 section 19: a hostile member or
 * coordinator may name any address as a candidate, and whoever believes it
 * becomes a source of packets. So what no peer can own is refused, and so are
 * the ports of services that answer strangers. */
#include "addr.h"

#include <string.h>

#include "bytes.h"

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool tn_addr_is_v4(const struct tn_addr *a)
{
    return memcmp(a->ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool tn_addr_is_zero(const struct tn_addr *a)
{
    static const uint8_t zero[16];

    return a->port == 0 && memcmp(a->ip, zero, sizeof(zero)) == 0;
}

bool tn_addr_same_ip(const struct tn_addr *a, const struct tn_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool tn_addr_equal(const struct tn_addr *a, const struct tn_addr *b)
{
    return a->port == b->port && tn_addr_same_ip(a, b);
}

struct tn_addr tn_addr_v4(const uint8_t ip[4], uint16_t port)
{
    struct tn_addr a = {.port = port};

    memcpy(a.ip, v4_mapped, sizeof(v4_mapped));
    memcpy(a.ip + sizeof(v4_mapped), ip, 4);
    return a;
}

struct tn_addr tn_addr_v6(const uint8_t ip[16], uint16_t port)
{
    struct tn_addr a = {.port = port};

    memcpy(a.ip, ip, sizeof(a.ip));
    return a;
}

/* 0100:0000, the share in the rest of the /64, the id behind it. */
static const uint8_t stream_prefix[4] = {1, 0, 0, 0};

bool tn_addr_is_stream(const struct tn_addr *a)
{
    return memcmp(a->ip, stream_prefix, sizeof(stream_prefix)) == 0;
}

uint8_t tn_addr_family(const struct tn_addr *a)
{
    if (tn_addr_is_v4(a))
        return TN_FAMILY_V4;
    return tn_addr_is_stream(a) ? TN_FAMILY_STREAM : TN_FAMILY_V6;
}

struct tn_addr tn_addr_stream(const uint8_t share[4], uint64_t id)
{
    struct tn_addr a = {.port = 443};

    memcpy(a.ip, stream_prefix, sizeof(stream_prefix));
    memcpy(a.ip + 4, share, 4);
    tn_put_be64(a.ip + 8, id);
    return a;
}

struct tn_addr tn_addr_lan(void)
{
    static const uint8_t group[4] = {239, 255, 116, 117};

    return tn_addr_v4(group, 51717);
}

bool tn_addr_is_lan(const struct tn_addr *a)
{
    struct tn_addr lan = tn_addr_lan();

    return tn_addr_equal(a, &lan);
}

static bool answers_strangers(uint16_t port)
{
    static const uint16_t ports[] = {0, 19, 53, 123, 137, 161, 389, 1900, 5353, 11211};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (port == ports[i])
            return true;
    }
    return false;
}

static bool is_unicast_v4(const uint8_t ip[4])
{
    if (ip[0] == 0 || ip[0] == 127)
        return false; /* this host, loopback */
    if (ip[0] == 169 && ip[1] == 254)
        return false; /* link-local, where cloud metadata services live */
    return ip[0] < 224; /* above: multicast, reserved, broadcast */
}

static bool is_unicast_v6(const uint8_t ip[16])
{
    static const uint8_t zero[12];

    if (memcmp(ip, zero, sizeof(zero)) == 0)
        return false; /* unspecified, loopback, IPv4-compatible */
    if (memcmp(ip, stream_prefix, sizeof(stream_prefix)) == 0)
        return false;
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
        return false; /* link-local */
    return ip[0] != 0xff; /* multicast */
}

bool tn_addr_is_probeable(const struct tn_addr *a)
{
    if (answers_strangers(a->port))
        return false;
    return tn_addr_is_v4(a) ? is_unicast_v4(a->ip + 12) : is_unicast_v6(a->ip);
}

bool tn_addr_is_private(const struct tn_addr *a)
{
    const uint8_t *v4 = a->ip + 12;

    if (!tn_addr_is_v4(a))
        return (a->ip[0] & 0xfe) == 0xfc;
    return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
           (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64);
}

void tn_addr_encode(const struct tn_addr *a, uint8_t out[TN_ADDR_WIRE_LEN])
{
    memcpy(out, a->ip, sizeof(a->ip));
    tn_put_be16(out + sizeof(a->ip), a->port);
}

void tn_addr_decode(const uint8_t in[TN_ADDR_WIRE_LEN], struct tn_addr *out)
{
    memcpy(out->ip, in, sizeof(out->ip));
    out->port = tn_get_be16(in + sizeof(out->ip));
}
