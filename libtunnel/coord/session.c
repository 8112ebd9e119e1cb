/* The control session: Noise IK from both ends, then sealed DATA (PROTOCOL.md
 * section 4; Noise revision 34, pattern IK).
 *
 *   member                                   coordinator
 *     INIT (no cookie)         ------>
 *                              <------       COOKIE        client.c / server_shake.c
 *     INIT (cookie)            ------>       tn_ctl_consume_init
 *                              <------       RESP          tn_ctl_create_resp
 *     tn_ctl_consume_resp
 *     DATA                     <----->       DATA          tn_ctl_seal, tn_ctl_open
 *
 * The cookie and both indices lie outside the Noise messages: a wrong index only
 * makes datagrams that the other end cannot place. The replay window is a ring
 * of 256 bits (as RFC 6479, without its spare words): bit n mod 256 stands for
 * counter n, and the bits between the old and the new highest are cleared when
 * the window moves. */
#include "session.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"

static const char protocol_name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
static const char prologue[] = "tund control v1";

enum {
    INIT_AT_INDEX = 4,
    INIT_AT_COOKIE = 8,
    INIT_AT_NOISE = 24,
    RESP_AT_CLIENT = 4,
    RESP_AT_SERVER = 8,
    RESP_AT_NOISE = 12,
    DATA_AT_INDEX = 4,
    DATA_AT_COUNTER = 8,
};

_Static_assert(INIT_AT_NOISE + TN_IK_MSG1_OVERHEAD + TN_CTL_TAI64N_LEN == TN_CTL_INIT_LEN,
               "INIT as in PROTOCOL.md");
_Static_assert(RESP_AT_NOISE + TN_IK_MSG2_OVERHEAD + TN_CTL_RESP_PAYLOAD_LEN == TN_CTL_RESP_LEN,
               "RESP as in PROTOCOL.md");
_Static_assert(TN_CTL_RESP_PAYLOAD_LEN == TN_ADDR_WIRE_LEN + 8, "address and seconds");

bool tn_ctl_window_check(const struct tn_ctl_window *w, uint64_t counter)
{
    if (counter == UINT64_MAX) /* next could not be one above it */
        return false;
    if (counter >= w->next)
        return true;
    if (w->next - counter > TN_CTL_WINDOW_BITS)
        return false;
    return !(w->seen[counter / 64 % 4] >> (counter % 64) & 1);
}

void tn_ctl_window_mark(struct tn_ctl_window *w, uint64_t counter)
{
    if (counter >= w->next) {
        if (counter - w->next >= TN_CTL_WINDOW_BITS) {
            memset(w->seen, 0, sizeof(w->seen));
        } else {
            for (uint64_t n = w->next; n < counter; n++)
                w->seen[n / 64 % 4] &= ~((uint64_t)1 << (n % 64));
        }
        w->next = counter + 1;
    }
    w->seen[counter / 64 % 4] |= (uint64_t)1 << (counter % 64);
}

uint32_t tn_ctl_index_make(uint32_t slot, unsigned slot_bits, uint32_t random)
{
    uint32_t mask = ((uint32_t)1 << slot_bits) - 1;

    return (random & ~mask) | (slot & mask);
}

uint32_t tn_ctl_index_slot(uint32_t index, unsigned slot_bits)
{
    return index & (((uint32_t)1 << slot_bits) - 1);
}

void tn_ctl_tai64n(uint8_t out[TN_CTL_TAI64N_LEN], uint64_t unix_ns)
{
    /* 2^62 is TAI64's origin, 37 s what TAI is ahead of UTC; only order counts here. */
    tn_put_be64(out, ((uint64_t)1 << 62) + 37 + unix_ns / 1000000000u);
    tn_put_be32(out + 8, (uint32_t)(unix_ns % 1000000000u));
}

int tn_ctl_local_init(struct tn_ctl_local *l, const uint8_t private_key[32],
                      const uint8_t server_public[32])
{
    struct tn_ctl_local made;
    int err;

    memcpy(made.private_key, private_key, 32);
    memcpy(made.server_public, server_public, 32);
    err = tn_x25519_public(made.public_key, private_key);
    if (!err)
        err = tn_x25519(made.static_static, private_key, server_public);
    if (!err)
        *l = made;
    tn_wipe(&made, sizeof(made));
    return err;
}

int tn_ctl_create_init(struct tn_ik *ik, const struct tn_ctl_local *l, struct tn_rng *rng,
                       uint32_t client_index, const uint8_t *cookie,
                       const uint8_t tai64n[TN_CTL_TAI64N_LEN], uint8_t out[TN_CTL_INIT_LEN])
{
    static const uint8_t no_cookie[TN_CTL_COOKIE_VALUE_LEN];
    uint8_t made[TN_CTL_INIT_LEN] = {TN_CTL_INIT, TN_CTL_VERSION, 0, 0};
    struct tn_ik state;
    int err;

    tn_put_be32(made + INIT_AT_INDEX, client_index);
    memcpy(made + INIT_AT_COOKIE, cookie ? cookie : no_cookie, TN_CTL_COOKIE_VALUE_LEN);
    tn_ik_init(&state, protocol_name, prologue, sizeof(prologue) - 1, l->server_public);
    err = tn_ik_write_msg1(&state, rng, l->server_public, l->public_key, l->static_static, tai64n,
                           TN_CTL_TAI64N_LEN, made + INIT_AT_NOISE);
    if (!err) {
        memcpy(out, made, sizeof(made));
        *ik = state;
    }
    tn_wipe(&state, sizeof(state));
    return err;
}

int tn_ctl_consume_resp(const struct tn_ik *ik, const struct tn_ctl_local *l,
                        uint32_t client_index, const uint8_t resp[TN_CTL_RESP_LEN],
                        struct tn_ctl_session *s, struct tn_addr *observed, uint64_t *unix_s)
{
    uint8_t payload[TN_CTL_RESP_PAYLOAD_LEN];
    struct tn_ik state;
    int err;

    if (resp[0] != TN_CTL_RESP || resp[1] != TN_CTL_VERSION || resp[2] || resp[3] ||
        tn_get_be32(resp + RESP_AT_CLIENT) != client_index)
        return TN_EINVAL;
    state = *ik;
    err = tn_ik_read_msg2(&state, l->private_key, NULL, resp + RESP_AT_NOISE,
                          TN_CTL_RESP_PAYLOAD_LEN, payload);
    if (!err) {
        memset(s, 0, sizeof(*s));
        tn_ik_split(&state, s->send_key, s->recv_key);
        s->local_index = client_index;
        s->remote_index = tn_get_be32(resp + RESP_AT_SERVER);
        tn_addr_decode(payload, observed);
        *unix_s = tn_get_be64(payload + TN_ADDR_WIRE_LEN);
    }
    tn_wipe(&state, sizeof(state));
    return err;
}

int tn_ctl_consume_init(struct tn_ik *ik, const uint8_t server_private[32],
                        const uint8_t server_public[32], const uint8_t init[TN_CTL_INIT_LEN],
                        uint8_t client_public[32], uint8_t tai64n[TN_CTL_TAI64N_LEN])
{
    uint8_t static_static[32], remote[32], stamp[TN_CTL_TAI64N_LEN];
    struct tn_ik state;
    int err;

    tn_ik_init(&state, protocol_name, prologue, sizeof(prologue) - 1, server_public);
    err = tn_ik_read_msg1_static(&state, server_private, init + INIT_AT_NOISE, remote);
    if (!err)
        err = tn_x25519(static_static, server_private, remote);
    if (!err)
        err = tn_ik_read_msg1_payload(&state, static_static, init + INIT_AT_NOISE,
                                      TN_CTL_TAI64N_LEN, stamp);
    if (!err) {
        *ik = state;
        memcpy(client_public, remote, 32);
        memcpy(tai64n, stamp, TN_CTL_TAI64N_LEN);
    }
    tn_wipe(&state, sizeof(state));
    tn_wipe(static_static, sizeof(static_static));
    return err;
}

int tn_ctl_create_resp(struct tn_ik *ik, struct tn_rng *rng, const uint8_t client_public[32],
                       uint32_t client_index, uint32_t server_index,
                       const struct tn_addr *observed, uint64_t unix_s, struct tn_ctl_session *s,
                       uint8_t out[TN_CTL_RESP_LEN])
{
    uint8_t payload[TN_CTL_RESP_PAYLOAD_LEN];
    uint8_t made[TN_CTL_RESP_LEN] = {TN_CTL_RESP, TN_CTL_VERSION, 0, 0};
    int err;

    tn_put_be32(made + RESP_AT_CLIENT, client_index);
    tn_put_be32(made + RESP_AT_SERVER, server_index);
    tn_addr_encode(observed, payload);
    tn_put_be64(payload + TN_ADDR_WIRE_LEN, unix_s);
    err = tn_ik_write_msg2(ik, rng, client_public, NULL, payload, sizeof(payload),
                           made + RESP_AT_NOISE);
    if (!err) {
        memset(s, 0, sizeof(*s));
        tn_ik_split(ik, s->recv_key, s->send_key);
        s->local_index = server_index;
        s->remote_index = client_index;
        memcpy(out, made, sizeof(made));
    }
    tn_wipe(ik, sizeof(*ik));
    return err;
}

uint32_t tn_ctl_data_index(const uint8_t *datagram)
{
    return tn_get_be32(datagram + DATA_AT_INDEX);
}

uint64_t tn_ctl_data_counter(const uint8_t *datagram)
{
    return tn_get_be64(datagram + DATA_AT_COUNTER);
}

int tn_ctl_seal(struct tn_ctl_session *s, uint8_t *datagram, size_t len)
{
    uint8_t *body = datagram + TN_CTL_DATA_HEADER_LEN;

    if (s->send_counter == UINT64_MAX)
        return TN_ENOKEY;
    datagram[0] = TN_CTL_DATA;
    datagram[1] = TN_CTL_VERSION;
    datagram[2] = 0;
    datagram[3] = 0;
    tn_put_be32(datagram + DATA_AT_INDEX, s->remote_index);
    tn_put_be64(datagram + DATA_AT_COUNTER, s->send_counter);
    tn_aead_seal(body, body, len, datagram, TN_CTL_DATA_HEADER_LEN, s->send_counter, s->send_key);
    s->send_counter++;
    return 0;
}

int tn_ctl_open(struct tn_ctl_session *s, uint8_t *datagram, size_t len)
{
    uint8_t *body = datagram + TN_CTL_DATA_HEADER_LEN;
    uint64_t counter;

    if (len < TN_CTL_DATA_OVERHEAD || datagram[0] != TN_CTL_DATA ||
        datagram[1] != TN_CTL_VERSION || datagram[2] || datagram[3] ||
        tn_get_be32(datagram + DATA_AT_INDEX) != s->local_index)
        return TN_EINVAL;
    counter = tn_get_be64(datagram + DATA_AT_COUNTER);
    if (!tn_ctl_window_check(&s->window, counter))
        return TN_EREPLAY;
    if (tn_aead_open(body, body, len - TN_CTL_DATA_HEADER_LEN, datagram, TN_CTL_DATA_HEADER_LEN,
                     counter, s->recv_key))
        return TN_EAUTH;
    tn_ctl_window_mark(&s->window, counter);
    return 0;
}
