/* LOST on the wire: 97 01 00 00 index[4], and echo[8] where it is an answer. */
#include "lost.h"

#include <string.h>

#include "../base/bytes.h"
#include "msg.h"

size_t tn_ctl_lost_encode(uint32_t index, const uint8_t *echo, uint8_t out[TN_CTL_LOST_LEN])
{
    out[0] = TN_CTL_LOST;
    out[1] = TN_CTL_VERSION;
    out[2] = 0;
    out[3] = 0;
    tn_put_be32(out + 4, index);
    if (!echo)
        return TN_CTL_CALL_LEN;
    memcpy(out + TN_CTL_CALL_LEN, echo, TN_CTL_ECHO_LEN);
    return TN_CTL_LOST_LEN;
}

bool tn_ctl_lost_decode(const uint8_t *datagram, size_t len, uint32_t *index, const uint8_t **echo)
{
    if ((len != TN_CTL_CALL_LEN && len != TN_CTL_LOST_LEN) || datagram[0] != TN_CTL_LOST ||
        datagram[1] != TN_CTL_VERSION || datagram[2] || datagram[3])
        return false;
    *index = tn_get_be32(datagram + 4);
    *echo = len == TN_CTL_LOST_LEN ? datagram + TN_CTL_CALL_LEN : NULL;
    return true;
}
