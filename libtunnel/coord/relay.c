/* The relay's 8-byte header (PROTOCOL.md section 6) and the member's table of
 * channels.
 *
 * A frame is 94 01, the channel and an index, then a WireGuard datagram. On its
 * way to the coordinator the index is that of the sender's session and the
 * channel names a member; on its way out the index is the receiver's own and
 * the channel is 0. The header is pushed and pulled in place, so a packet is
 * never copied.
 *
 * Called by client.c (member) and server_relay.c (coordinator). */
#include "relay.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/now.h"
#include "msg.h"

void tn_relay_encode(uint8_t out[TN_RELAY_HEADER_LEN], uint16_t channel, uint32_t index)
{
    out[0] = TN_CTL_RELAY;
    out[1] = TN_CTL_VERSION;
    tn_put_be16(out + 2, channel);
    tn_put_be32(out + 4, index);
}

int tn_relay_decode(const uint8_t *frame, size_t len, uint16_t *channel, uint32_t *index)
{
    if (len < TN_RELAY_HEADER_LEN || frame[0] != TN_CTL_RELAY || frame[1] != TN_CTL_VERSION)
        return TN_EINVAL;
    *channel = tn_get_be16(frame + 2);
    *index = tn_get_be32(frame + 4);
    return 0;
}

int tn_relay_push_header(struct tn_buf *b, uint16_t channel, uint32_t index)
{
    uint8_t *at = tn_buf_push(b, TN_RELAY_HEADER_LEN);

    if (!at)
        return TN_ENOSPC;
    tn_relay_encode(at, channel, index);
    return 0;
}

bool tn_relay_is_wireguard(const uint8_t *inner, size_t len)
{
    /* WireGuard's paper, section 5.4: initiation, response, cookie reply, data. */
    enum { INITIATION_LEN = 148, RESPONSE_LEN = 92, COOKIE_LEN = 64, DATA_MIN_LEN = 32 };

    if (len < 4 || inner[1] || inner[2] || inner[3])
        return false;
    switch (inner[0]) {
    case 1:
        return len == INITIATION_LEN;
    case 2:
        return len == RESPONSE_LEN;
    case 3:
        return len == COOKIE_LEN;
    case 4:
        return len >= DATA_MIN_LEN;
    default:
        return false;
    }
}

uint16_t tn_relay_find(const struct tn_relay_channel *row, size_t count,
                       const uint8_t identity[32])
{
    for (size_t i = 0; i < count; i++) {
        if (row[i].state != TN_RELAY_FREE && memcmp(row[i].identity, identity, 32) == 0)
            return (uint16_t)(i + 1);
    }
    return 0;
}

uint16_t tn_relay_take(struct tn_relay_channel *row, size_t count, const uint8_t identity[32])
{
    uint16_t found = tn_relay_find(row, count, identity);

    for (size_t i = 0; !found && i < count; i++) {
        if (row[i].state != TN_RELAY_FREE)
            continue;
        memset(&row[i], 0, sizeof(row[i]));
        memcpy(row[i].identity, identity, 32);
        row[i].state = TN_RELAY_WANTED;
        row[i].due_us = TN_NEVER;
        found = (uint16_t)(i + 1);
    }
    return found;
}
