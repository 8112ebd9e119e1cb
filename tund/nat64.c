/* Where the four bytes of an IPv4 address stand, by the length of the prefix (RFC 6052 section 2.2); byte 8 is
 * always left out, and what follows is zero:
 *
 *   /32  4 5 6 7      /48  6 7  9 10      /64  9 10 11 12
 *   /40  5 6 7  9     /56  7  9 10 11     /96  12 13 14 15 */
#include "nat64.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SPARE_BYTE 8u

static const uint8_t lengths[] = {32, 40, 48, 56, 64, 96};
static const uint8_t well_known_v4[2][4] = {{192, 0, 0, 170}, {192, 0, 0, 171}};

static void place(uint8_t ip[16], uint8_t len, const uint8_t v4[4])
{
    unsigned at = len / 8u;

    for (unsigned i = 0; i < 4; i++, at++) {
        if (at == SPARE_BYTE)
            at++;
        ip[at] = v4[i];
    }
}

struct nat64 nat64_well_known(void)
{
    return (struct nat64){.prefix = {0, 0x64, 0xff, 0x9b}, .len = 96};
}

struct tn_addr nat64_make(const struct nat64 *n, const struct tn_addr *v4)
{
    struct tn_addr a = {0};

    if (n->len == 0 || !tn_addr_is_v4(v4))
        return a;
    memcpy(a.ip, n->prefix, sizeof a.ip);
    place(a.ip, n->len, v4->ip + 12);
    a.port = v4->port;
    return a;
}

/* Was it made of one of the two addresses, with a prefix of that length? Then it is the same made again. */
static bool is_made_with(const struct tn_addr *a, uint8_t len, struct nat64 *out)
{
    for (unsigned i = 0; i < 2; i++) {
        struct nat64 n = {.len = len};
        const struct tn_addr v4 = tn_addr_v4(well_known_v4[i], 0);
        struct tn_addr again;

        memcpy(n.prefix, a->ip, len / 8u);
        again = nat64_make(&n, &v4);
        if (n.prefix[SPARE_BYTE] == 0 && tn_addr_same_ip(&again, a)) {
            *out = n;
            return true;
        }
    }
    return false;
}

bool nat64_find(struct nat64 *out, const struct tn_addr *found, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < sizeof lengths && !tn_addr_is_v4(&found[i]); k++) {
            if (is_made_with(&found[i], lengths[k], out))
                return true;
        }
    }
    return false;
}

const char *nat64_text(const struct nat64 *n, char out[NAT64_TEXT_LEN])
{
    char ip[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(AF_INET6, n->prefix, ip, sizeof ip); /* which fails for want of room alone */
    snprintf(out, NAT64_TEXT_LEN, "%s/%u", ip, n->len);
    return out;
}
