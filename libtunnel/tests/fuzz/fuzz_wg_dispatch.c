/* Everything that a datagram of a stranger can reach in wg/: classification, MACs, initiation,
 * response, cookie reply, data. The first byte chooses what is built around the input:
 *
 *   0  the input is the datagram
 *   1  the input, its mac1 made right (anyone can)
 *   2  a genuine message of the peer, changed by the input: taken only when the change hits
 *      nothing that is authenticated
 *
 * Only a genuine message may be taken, and a refused one must leave the state as it was. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/wg/cookie.h"
#include "libtunnel/wg/keys.h"
#include "libtunnel/wg/noise.h"

#define INDEX 0x01020304u
#define NOW TN_S(1000)

static struct tn_wg_local us, peer;
static struct tn_wg_handshake ours, theirs; /* both have begun a handshake */
static struct tn_cookie_checker checker;
static struct tn_cookie_maker to_us, to_peer;
static struct tn_keys keys;
static struct tn_session their_session;
static uint8_t genuine[4][160];
static const size_t genuine_len[4] = {148, 92, 64, 48};
static struct tn_addr from = {.port = 5};
static bool ready;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void make_response(struct tn_rng *rng)
{
    struct tn_wg_handshake hs;
    struct tn_noise_initiation in;
    struct tn_session s;
    uint8_t init[148], stamp[12] = {0x40};

    must(tn_noise_create_initiation(&us, &ours, rng, stamp, INDEX, init) == 0);
    tn_cookie_add_macs(&to_peer, init, 148, NOW);
    tn_noise_init(&hs, &peer, us.pub, NULL);
    must(tn_noise_consume_initiation(&peer, init, &in) == 0);
    must(tn_noise_accept_initiation(&hs, &in, NOW) == 0);
    must(tn_noise_create_response(&hs, &in, rng, 9, NOW, genuine[1], &s) == 0);
    tn_cookie_add_macs(&to_us, genuine[1], 92, NOW);
    tn_session_wipe(&s);
}

static void make_cookie_reply(struct tn_rng *rng)
{
    struct tn_cookie_checker at_peer;
    uint8_t msg[148] = {1};

    tn_cookie_checker_init(&at_peer, peer.pub);
    tn_put_le32(msg + 4, INDEX);
    tn_cookie_add_macs(&to_peer, msg, 148, NOW);
    tn_cookie_create_reply(&at_peer, rng, msg, 148, &from, NOW, genuine[2]);
}

static void set_up(void)
{
    uint8_t key[32] = {1}, stamp[12] = {0x40, 0, 0, 0, 1};
    struct tn_session s = {.local_index = INDEX, .birth_us = NOW};
    struct tn_rng rng;

    tn_rng_init(&rng, key);
    must(tn_wg_local_set(&us, key) == 0);
    key[0] = 2;
    must(tn_wg_local_set(&peer, key) == 0);
    tn_noise_init(&ours, &us, peer.pub, NULL);
    tn_noise_init(&theirs, &peer, us.pub, NULL);
    tn_cookie_checker_init(&checker, us.pub);
    tn_cookie_maker_init(&to_us, us.pub);
    tn_cookie_maker_init(&to_peer, peer.pub);
    must(tn_noise_create_initiation(&peer, &theirs, &rng, stamp, 8, genuine[0]) == 0);
    tn_cookie_add_macs(&to_us, genuine[0], 148, NOW);
    make_response(&rng);
    make_cookie_reply(&rng);
    tn_keys_init(&keys);
    memset(s.recv_key, 3, 32);
    tn_keys_install(&keys, &s);
    memset(their_session.send_key, 3, 32);
    their_session.remote_index = INDEX;
    tn_session_seal(&their_session, 77, genuine[3], 16);
    ready = true;
}

/* Each returns whether the message was taken. The state is the caller's copy. */
static bool take_initiation(struct tn_wg_handshake *hs, const uint8_t *msg)
{
    struct tn_noise_initiation in;

    if (tn_noise_consume_initiation(&us, msg, &in) != 0)
        return false;
    if (memcmp(in.remote_static, hs->remote_static, 32) != 0) {
        tn_noise_initiation_wipe(&in);
        return false;
    }
    return tn_noise_accept_initiation(hs, &in, NOW) == 0;
}

static bool take_data(struct tn_keys *k, uint8_t *msg, size_t len)
{
    struct tn_keypair *kp = tn_keys_find(k, tn_wg_receiver(msg));
    unsigned news;

    if (!kp || tn_keys_check_received(kp, NOW, tn_session_counter(msg)) != 0 ||
        tn_session_open(&kp->session, msg, len) != 0)
        return false;
    return tn_keys_commit_received(k, kp, NOW, tn_session_counter(msg), &news) == 0;
}

static bool take(uint8_t *msg, size_t len)
{
    enum tn_wg_type type = tn_wg_classify(msg, len);
    struct tn_wg_handshake hs = ours;
    struct tn_cookie_maker maker = to_peer;
    struct tn_keys k = keys;
    struct tn_session s;
    bool taken = false;

    if (type == TN_WG_NONE)
        return false;
    if ((type == TN_WG_INITIATION || type == TN_WG_RESPONSE) &&
        tn_cookie_check(&checker, msg, len, &from, NOW) == TN_MAC_INVALID)
        return false;
    if (type == TN_WG_INITIATION)
        taken = take_initiation(&hs, msg);
    else if (type == TN_WG_RESPONSE)
        taken = tn_noise_consume_response(&us, &hs, msg, NOW, &s) == 0;
    else if (type == TN_WG_COOKIE_REPLY)
        taken = tn_wg_receiver(msg) == INDEX && tn_cookie_consume_reply(&maker, msg, NOW) == 0;
    else
        taken = take_data(&k, msg, len);
    if (!taken) {
        must(memcmp(&hs, &ours, sizeof(hs)) == 0);
        must(memcmp(&maker, &to_peer, sizeof(maker)) == 0);
        must(memcmp(&k, &keys, sizeof(k)) == 0);
    }
    return taken;
}

/* What counts of a genuine message: mac2 is free while there is no load. The sender's index
 * of a handshake message is covered by mac1 alone (section 5.4 of the paper: no hash takes
 * it), so it is free as well where the mac1 was made right for the input. */
static bool is_genuine(const uint8_t *msg, size_t len, bool mac1_made)
{
    for (unsigned i = 0; i < 4; i++) {
        size_t begin = i < 2 && mac1_made ? 8 : 4;
        size_t macs = i < 2 ? (mac1_made ? 2 : 1) * TN_WG_MAC_LEN : 0;

        if (len == genuine_len[i] && memcmp(msg, genuine[i], 4) == 0 &&
            memcmp(msg + begin, genuine[i] + begin, len - macs - begin) == 0)
            return true;
    }
    return false;
}

static void change_genuine(const uint8_t *data, size_t size)
{
    unsigned which = data[0] % 4;
    size_t len = genuine_len[which];
    uint8_t msg[160];
    bool same;

    memcpy(msg, genuine[which], len);
    for (size_t i = 1; i < size && i <= len; i++)
        msg[i - 1] ^= data[i];
    same = is_genuine(msg, len, false);
    must(take(msg, len) == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t msg[2048];
    unsigned how;
    bool same, mac1_made;

    if (!ready)
        set_up();
    if (size < 2 || size - 1 > sizeof(msg))
        return 0;
    how = data[0] % 3;
    data++;
    size--;
    if (how == 2) {
        change_genuine(data, size);
        return 0;
    }
    memcpy(msg, data, size);
    mac1_made = how == 1 && (size == TN_WG_INITIATION_LEN || size == TN_WG_RESPONSE_LEN);
    if (mac1_made) {
        struct tn_cookie_maker m = to_us;

        tn_cookie_add_macs(&m, msg, size, NOW);
    }
    /* libFuzzer finds genuine ones in the memory that we compare with */
    same = is_genuine(msg, size, mac1_made);
    must(take(msg, size) == same);
    return 0;
}
