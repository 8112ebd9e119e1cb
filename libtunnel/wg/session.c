/* Data messages: header, then ChaCha20-Poly1305 over the padded packet with the
 * counter as nonce and no additional data (paper, 5.4.6). The header is not
 * authenticated as such: a changed counter or index finds another nonce or key
 * and the tag does not fit. */
#include "session.h"

#include "../base/bytes.h"
#include "../base/ct.h"
#include "../crypto/cipher.h"

void tn_session_wipe(struct tn_session *s)
{
    tn_wipe(s, sizeof(*s));
}

void tn_session_encode_header(uint8_t out[TN_WG_HEADER_LEN], uint32_t remote_index,
                              uint64_t counter)
{
    tn_put_le32(out, TN_WG_DATA);
    tn_put_le32(out + offsetof(struct tn_wg_data_header, receiver), remote_index);
    tn_put_le64(out + offsetof(struct tn_wg_data_header, counter), counter);
}

uint64_t tn_session_counter(const uint8_t *msg)
{
    return tn_get_le64(msg + offsetof(struct tn_wg_data_header, counter));
}

void tn_session_seal(const struct tn_session *s, uint64_t counter, uint8_t *msg, size_t len)
{
    uint8_t *packet = msg + TN_WG_HEADER_LEN;

    tn_session_encode_header(msg, s->remote_index, counter);
    tn_cipher_seal(packet, len, counter, s->send_key);
}

int tn_session_open(const struct tn_session *s, uint8_t *msg, size_t len)
{
    uint8_t *packet = msg + TN_WG_HEADER_LEN;

    if (len < TN_WG_DATA_OVERHEAD)
        return TN_EINVAL;
    return tn_cipher_open(packet, len - TN_WG_HEADER_LEN, tn_session_counter(msg), s->recv_key);
}
