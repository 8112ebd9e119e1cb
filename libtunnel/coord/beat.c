/* BEAT on the wire:
 *
 *   BEAT    98 01 counter[2] index[4] interval_s[2] tag[8]
 *   answer  99 01 counter[2] index[4] observed[6] tag[8]
 *
 * The tag is BLAKE2s-8 under a key of its own, which is a hash of the session's sending key, over
 * all before it and the whole counter. A counter whose low half is on the wire is taken to be the one
 * nearest to the window's end. */
#include "beat.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"

#define TAG_LEN 8
#define HEADER_LEN 8
#define BODY_MAX TN_CTL_OBSERVED_LEN

static const char key_label[] = "tund beat v1";

static void make_tag(uint8_t tag[TAG_LEN], const uint8_t session_key[32], uint64_t counter,
                     const uint8_t *datagram, size_t len)
{
    struct tn_blake2s hash;
    uint8_t key[32], whole[8];

    tn_blake2s(key, sizeof(key), session_key, 32, key_label, sizeof(key_label) - 1);
    tn_put_be64(whole, counter);
    tn_blake2s_init(&hash, TAG_LEN, key, sizeof(key));
    tn_blake2s_update(&hash, datagram, len);
    tn_blake2s_update(&hash, whole, sizeof(whole));
    tn_blake2s_final(&hash, tag);
    tn_wipe(key, sizeof(key));
}

static int create(struct tn_ctl_session *s, uint8_t type, const uint8_t *body, size_t body_len,
                  uint8_t *out)
{
    if (s->send_counter == UINT64_MAX)
        return TN_ENOKEY;
    out[0] = type;
    out[1] = TN_CTL_VERSION;
    tn_put_be16(out + 2, (uint16_t)s->send_counter);
    tn_put_be32(out + 4, s->remote_index);
    memcpy(out + HEADER_LEN, body, body_len);
    make_tag(out + HEADER_LEN + body_len, s->send_key, s->send_counter, out, HEADER_LEN + body_len);
    s->send_counter++;
    return 0;
}

/* The counter with these low 16 bits that is nearest to `next`. */
static uint64_t whole_counter(uint64_t next, uint16_t low)
{
    uint64_t counter = (next & ~(uint64_t)0xffff) | low;

    if (counter < next && next - counter > 0x8000 && counter <= UINT64_MAX - 0x10000)
        return counter + 0x10000;
    if (counter > next && counter - next > 0x8000 && counter >= 0x10000)
        return counter - 0x10000;
    return counter;
}

static int consume(struct tn_ctl_session *s, uint8_t type, const uint8_t *datagram, size_t len,
                   uint8_t *body, size_t body_len)
{
    uint8_t tag[TAG_LEN];
    uint64_t counter;

    if (len != HEADER_LEN + body_len + TAG_LEN || datagram[0] != type ||
        datagram[1] != TN_CTL_VERSION || tn_ctl_beat_index(datagram) != s->local_index)
        return TN_EINVAL;
    counter = whole_counter(s->window.next, tn_get_be16(datagram + 2));
    if (!tn_ctl_window_check(&s->window, counter))
        return TN_EREPLAY;
    make_tag(tag, s->recv_key, counter, datagram, HEADER_LEN + body_len);
    if (!tn_ct_equal(tag, datagram + HEADER_LEN + body_len, TAG_LEN))
        return TN_EAUTH;
    tn_ctl_window_mark(&s->window, counter);
    memcpy(body, datagram + HEADER_LEN, body_len);
    return 0;
}

bool tn_ctl_is_beat(const uint8_t *datagram, size_t len)
{
    return len >= HEADER_LEN && (datagram[0] == TN_CTL_BEAT || datagram[0] == TN_CTL_BEAT_ANSWER) &&
           datagram[1] == TN_CTL_VERSION;
}

uint32_t tn_ctl_beat_index(const uint8_t *datagram)
{
    return tn_get_be32(datagram + 4);
}

int tn_ctl_beat_create(struct tn_ctl_session *s, uint16_t interval_s, uint8_t out[TN_CTL_BEAT_LEN])
{
    uint8_t body[2];

    tn_put_be16(body, interval_s);
    return create(s, TN_CTL_BEAT, body, sizeof(body), out);
}

int tn_ctl_beat_consume(struct tn_ctl_session *s, const uint8_t *datagram, size_t len,
                        uint16_t *interval_s)
{
    uint8_t body[2];
    int err = consume(s, TN_CTL_BEAT, datagram, len, body, sizeof(body));

    if (!err)
        *interval_s = tn_get_be16(body);
    return err;
}

void tn_ctl_observed(const struct tn_addr *a, uint8_t out[TN_CTL_OBSERVED_LEN])
{
    memcpy(out, a->ip + 12, 4);
    tn_put_be16(out + 4, a->port);
}

int tn_ctl_beat_answer_create(struct tn_ctl_session *s, const uint8_t observed[TN_CTL_OBSERVED_LEN],
                              uint8_t out[TN_CTL_BEAT_ANSWER_LEN])
{
    return create(s, TN_CTL_BEAT_ANSWER, observed, TN_CTL_OBSERVED_LEN, out);
}

int tn_ctl_beat_answer_consume(struct tn_ctl_session *s, const uint8_t *datagram, size_t len,
                               uint8_t observed[TN_CTL_OBSERVED_LEN])
{
    return consume(s, TN_CTL_BEAT_ANSWER, datagram, len, observed, TN_CTL_OBSERVED_LEN);
}
