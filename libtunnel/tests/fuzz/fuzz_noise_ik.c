/* Reading Noise IK messages: arbitrary bytes as message 1 and as message 2, and messages that we
 * wrote ourselves with arbitrary bytes changed. Only an unchanged message may be accepted. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/crypto/noise_ik.h"

#define PAYLOAD_MAX 64

static uint8_t init_priv[32], init_pub[32], resp_priv[32], resp_pub[32], shared[32];
static const uint8_t psk[32] = {7};

static void must(int ok)
{
    if (!ok)
        abort();
}

static void make_keys(void)
{
    memset(init_priv, 1, sizeof(init_priv));
    memset(resp_priv, 2, sizeof(resp_priv));
    must(tn_x25519_public(init_pub, init_priv) == 0);
    must(tn_x25519_public(resp_pub, resp_priv) == 0);
    must(tn_x25519(shared, init_priv, resp_pub) == 0);
}

static int read_msg1(struct tn_ik *s, const char *name, const uint8_t *msg, size_t payload_len)
{
    uint8_t who[32], payload[PAYLOAD_MAX];

    tn_ik_init(s, name, "fuzz", 4, resp_pub);
    if (tn_ik_read_msg1_static(s, resp_priv, msg, who) != 0)
        return 0;
    return tn_ik_read_msg1_payload(s, shared, msg, payload_len, payload) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Noise_IK_25519_ChaChaPoly_BLAKE2s",
                                        "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"};
    uint8_t msg[TN_IK_MSG1_OVERHEAD + PAYLOAD_MAX] = {0}, payload[PAYLOAD_MAX] = {0};
    uint8_t changed[sizeof(msg)];
    struct tn_ik a, b;
    struct tn_rng rng;
    const uint8_t *key;
    const char *name;
    size_t payload_len, len;

    if (size < 2)
        return 0;
    if (!init_pub[0])
        make_keys();
    name = names[data[0] & 1];
    key = data[0] & 1 ? psk : NULL;
    payload_len = data[1] % (PAYLOAD_MAX + 1);
    data += 2;
    size -= 2;
    tn_rng_init(&rng, shared);

    tn_ik_init(&a, name, "fuzz", 4, resp_pub);
    must(tn_ik_write_msg1(&a, &rng, resp_pub, init_pub, shared, payload, payload_len, msg) == 0);
    len = TN_IK_MSG1_OVERHEAD + payload_len;

    /* the input as message 1 */
    memset(changed, 0, sizeof(changed));
    memcpy(changed, data, size < len ? size : len);
    must(read_msg1(&b, name, changed, payload_len) == (memcmp(changed, msg, len) == 0));

    /* our own message 1, changed by the input */
    memcpy(changed, msg, len);
    for (size_t i = 0; i < size && i < len; i++)
        changed[i] ^= data[i];
    must(read_msg1(&b, name, changed, payload_len) == (memcmp(changed, msg, len) == 0));

    /* and message 2 */
    must(read_msg1(&b, name, msg, payload_len));
    must(tn_ik_write_msg2(&b, &rng, init_pub, key, payload, payload_len, msg) == 0);
    len = TN_IK_MSG2_OVERHEAD + payload_len;
    memcpy(changed, msg, len);
    for (size_t i = 0; i < size && i < len; i++)
        changed[i] ^= data[i];
    must((tn_ik_read_msg2(&a, init_priv, key, changed, payload_len, payload) == 0) ==
         (memcmp(changed, msg, len) == 0));
    return 0;
}
