/* Squeezed UDP (docs/PROTOCOL.md section 5.2): the headers of an ordinary UDP datagram between two members'
 * own IPv4 addresses are left out, inside the sealed packet, but for the ports. Static rules as of
 * RFC 8724: no state, so nothing to lose or to get out of step. */
#ifndef TN_PATH_SQUEEZE_H
#define TN_PATH_SQUEEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/err.h"

/* First bytes, and what follows before the payload. */
enum tn_squeezed {
    TN_SQUEEZED_PORTS = 0x08,      /* source[2] destination[2] */
    TN_SQUEEZED_NEAR = 0x09,       /* ports[1]: both from 61616 on (RFC 6282), four bits each */
    TN_SQUEEZED_TO_COAP = 0x0a,    /* source[2]; the destination is 5683 */
    TN_SQUEEZED_FROM_COAP = 0x0b,  /* destination[2]; the source is 5683 */
};

static inline bool tn_is_squeezed(const uint8_t *inner, size_t len)
{
    return len && inner[0] >= TN_SQUEEZED_PORTS && inner[0] <= TN_SQUEEZED_FROM_COAP;
}

/* Leaves the headers of the IPv4 packet in b out, in place. False, and b untouched: it is not such a
 * datagram of `src` to `dst`, and goes as it is. */
bool tn_squeeze(struct tn_buf *b, const uint8_t src[4], const uint8_t dst[4]);
/* Puts them back, in place: what was squeezed comes out as it was, but that the identification is 0, which
 * in a packet with "don't fragment" means nothing (RFC 6864). TN_EINVAL: malformed; TN_ENOSPC:
 * no room for 26 more bytes before and behind together. b is untouched by an error. */
TN_MUST_CHECK int tn_unsqueeze(struct tn_buf *b, const uint8_t src[4], const uint8_t dst[4]);

#endif
