/* What can be said about a datagram before any key is touched: its type, and
 * the two indices that messages carry. */
#include "msg.h"

#include "../base/bytes.h"

enum tn_wg_type tn_wg_classify(const uint8_t *data, size_t len)
{
    if (len < TN_WG_DATA_OVERHEAD)
        return TN_WG_NONE;
    switch (tn_get_le32(data)) { /* the three reserved bytes are compared with it */
    case TN_WG_INITIATION:
        return len == TN_WG_INITIATION_LEN ? TN_WG_INITIATION : TN_WG_NONE;
    case TN_WG_RESPONSE:
        return len == TN_WG_RESPONSE_LEN ? TN_WG_RESPONSE : TN_WG_NONE;
    case TN_WG_COOKIE_REPLY:
        return len == TN_WG_COOKIE_REPLY_LEN ? TN_WG_COOKIE_REPLY : TN_WG_NONE;
    case TN_WG_DATA:
        return TN_WG_DATA;
    default:
        return TN_WG_NONE;
    }
}

uint32_t tn_wg_receiver(const uint8_t *data)
{
    if (data[0] == TN_WG_RESPONSE)
        return tn_get_le32(data + offsetof(struct tn_wg_response, receiver));
    return tn_get_le32(data + offsetof(struct tn_wg_data_header, receiver));
}

uint32_t tn_wg_sender(const uint8_t *data)
{
    return tn_get_le32(data + offsetof(struct tn_wg_initiation, sender));
}

size_t tn_wg_padding(size_t len, size_t mtu)
{
    size_t last = len;
    size_t padded;

    /* A packet above the MTU is a merged one: only its last segment is filled up. */
    if (mtu > 0 && len > mtu)
        last = len % mtu;
    padded = (last + TN_WG_PADDING - 1) / TN_WG_PADDING * TN_WG_PADDING;
    if (mtu > 0 && padded > mtu)
        padded = mtu;
    return padded - last;
}
