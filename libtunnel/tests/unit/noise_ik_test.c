#include "libtunnel/crypto/noise_ik.h"
#include "scripted_rng.h"
#include "vectors.h"

#define MESSAGES 6

/* One case of the cacophony vectors. */
struct vector {
    char name[64];
    uint8_t prologue[64], psk[32];
    uint8_t init_priv[32], init_ephemeral[32], resp_priv[32], resp_ephemeral[32];
    uint8_t init_pub[32], resp_pub[32], ss[32], hash[32];
    uint8_t payload[MESSAGES][64], sealed[MESSAGES][160];
    size_t prologue_len, payload_len[MESSAGES], sealed_len[MESSAGES];
    bool with_psk;
};

/* The text between the quotes after "key", from *at on. */
static void json_string(const char **at, const char *key, char *out, size_t cap)
{
    const char *p = strstr(*at, key);
    const char *end;

    assert_non_null(p);
    p = strchr(p + strlen(key) + 1, '"') + 1;
    end = strchr(p, '"');
    assert_true((size_t)(end - p) < cap);
    memcpy(out, p, (size_t)(end - p));
    out[end - p] = '\0';
    *at = end;
}

static void json_key(const char *json, const char *key, uint8_t out[32])
{
    char hex[128];

    json_string(&json, key, hex, sizeof(hex));
    unhex_exactly(out, 32, hex);
}

static void load(struct vector *v, const char *file)
{
    size_t len;
    char *json = (char *)read_vectors(file, &len);
    const char *at = json;
    char hex[512];
    uint8_t remote[32];

    memset(v, 0, sizeof(*v));
    json_string(&at, "\"protocol_name\"", v->name, sizeof(v->name));
    json_string(&at, "\"init_prologue\"", hex, sizeof(hex));
    v->prologue_len = unhex(v->prologue, sizeof(v->prologue), hex);
    v->with_psk = strstr(json, "\"init_psks\"") != NULL;
    if (v->with_psk)
        json_key(json, "\"init_psks\"", v->psk);
    json_key(json, "\"init_static\"", v->init_priv);
    json_key(json, "\"init_ephemeral\"", v->init_ephemeral);
    json_key(json, "\"resp_static\"", v->resp_priv);
    json_key(json, "\"resp_ephemeral\"", v->resp_ephemeral);
    json_key(json, "\"handshake_hash\"", v->hash);
    json_key(json, "\"init_remote_static\"", remote);
    for (int i = 0; i < MESSAGES; i++) {
        json_string(&at, "\"payload\"", hex, sizeof(hex));
        v->payload_len[i] = unhex(v->payload[i], sizeof(v->payload[i]), hex);
        json_string(&at, "\"ciphertext\"", hex, sizeof(hex));
        v->sealed_len[i] = unhex(v->sealed[i], sizeof(v->sealed[i]), hex);
    }
    free(json);
    assert_int_equal(tn_x25519_public(v->init_pub, v->init_priv), 0);
    assert_int_equal(tn_x25519_public(v->resp_pub, v->resp_priv), 0);
    assert_memory_equal(v->resp_pub, remote, 32);
    assert_int_equal(tn_x25519(v->ss, v->init_priv, v->resp_pub), 0);
}

/* Plays the whole vector, both ends, and leaves their last states in *a and *b. */
static void play(const struct vector *v, struct tn_ik *a, struct tn_ik *b)
{
    const uint8_t *psk = v->with_psk ? v->psk : NULL;
    struct tn_rng rng;
    uint8_t out[160], got[64], who[32];

    tn_ik_init(a, v->name, v->prologue, v->prologue_len, v->resp_pub);
    tn_ik_init(b, v->name, v->prologue, v->prologue_len, v->resp_pub);

    script_rng(v->init_ephemeral, 32);
    assert_int_equal(tn_ik_write_msg1(a, &rng, v->resp_pub, v->init_pub, v->ss, v->payload[0],
                                      v->payload_len[0], out),
                     0);
    assert_int_equal(v->sealed_len[0], v->payload_len[0] + TN_IK_MSG1_OVERHEAD);
    assert_memory_equal(out, v->sealed[0], v->sealed_len[0]);
    assert_int_equal(tn_ik_read_msg1_static(b, v->resp_priv, out, who), 0);
    assert_memory_equal(who, v->init_pub, 32);
    assert_int_equal(tn_ik_read_msg1_payload(b, v->ss, out, v->payload_len[0], got), 0);
    assert_memory_equal(got, v->payload[0], v->payload_len[0]);

    script_rng(v->resp_ephemeral, 32);
    assert_int_equal(
        tn_ik_write_msg2(b, &rng, v->init_pub, psk, v->payload[1], v->payload_len[1], out), 0);
    assert_int_equal(v->sealed_len[1], v->payload_len[1] + TN_IK_MSG2_OVERHEAD);
    assert_memory_equal(out, v->sealed[1], v->sealed_len[1]);
    assert_int_equal(tn_ik_read_msg2(a, v->init_priv, psk, out, v->payload_len[1], got), 0);
    assert_memory_equal(got, v->payload[1], v->payload_len[1]);
}

static void check_whole_vector(const char *file)
{
    static struct vector v;
    struct tn_ik a, b;
    uint8_t key[2][32], other[2][32], out[160];

    load(&v, file);
    play(&v, &a, &b);
    assert_memory_equal(a.hash, v.hash, 32);
    assert_memory_equal(b.hash, v.hash, 32);
    tn_ik_split(&a, key[0], key[1]);
    tn_ik_split(&b, other[0], other[1]);
    assert_memory_equal(key, other, sizeof(key));
    for (int i = 2; i < MESSAGES; i++) {
        tn_aead_seal(out, v.payload[i], v.payload_len[i], NULL, 0, (uint64_t)(i / 2 - 1),
                     key[i % 2]);
        assert_int_equal(v.sealed_len[i], v.payload_len[i] + 16);
        assert_memory_equal(out, v.sealed[i], v.sealed_len[i]);
    }
}

static void the_cacophony_vector_of_ik_comes_out_byte_for_byte(void **state)
{
    (void)state;
    check_whole_vector("noise_ik.json");
}

static void the_cacophony_vector_of_ikpsk2_comes_out_byte_for_byte(void **state)
{
    (void)state;
    check_whole_vector("noise_ikpsk2.json");
}

static int read_msg1(const struct vector *v, const uint8_t *msg, const uint8_t *prologue)
{
    struct tn_ik b;
    uint8_t who[32], got[64];
    int rc;

    tn_ik_init(&b, v->name, prologue, v->prologue_len, v->resp_pub);
    rc = tn_ik_read_msg1_static(&b, v->resp_priv, msg, who);
    if (rc)
        return rc;
    return tn_ik_read_msg1_payload(&b, v->ss, msg, v->payload_len[0], got);
}

static void each_flipped_bit_of_message_1_is_refused(void **state)
{
    static struct vector v;
    uint8_t msg[160], prologue[64];

    (void)state;
    load(&v, "noise_ik.json");
    memcpy(msg, v.sealed[0], sizeof(msg));
    memcpy(prologue, v.prologue, sizeof(prologue));
    assert_int_equal(read_msg1(&v, msg, prologue), 0);
    for (size_t bit = 0; bit < 8 * v.sealed_len[0]; bit++) {
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(read_msg1(&v, msg, prologue), TN_EAUTH);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    prologue[0] ^= 1;
    assert_int_equal(read_msg1(&v, msg, prologue), TN_EAUTH);
}

static void each_flipped_bit_of_message_2_is_refused(void **state)
{
    static struct vector v;
    struct tn_ik a, copy;
    struct tn_rng rng;
    uint8_t out[160], msg[160], got[64];

    (void)state;
    load(&v, "noise_ikpsk2.json");
    tn_ik_init(&a, v.name, v.prologue, v.prologue_len, v.resp_pub);
    script_rng(v.init_ephemeral, 32);
    assert_int_equal(tn_ik_write_msg1(&a, &rng, v.resp_pub, v.init_pub, v.ss, v.payload[0],
                                      v.payload_len[0], out),
                     0);
    memcpy(msg, v.sealed[1], sizeof(msg));
    for (size_t bit = 0; bit < 8 * v.sealed_len[1]; bit++) {
        copy = a;
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_ik_read_msg2(&copy, v.init_priv, v.psk, msg, v.payload_len[1], got),
                         TN_EAUTH);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    v.psk[31] ^= 1;
    copy = a;
    assert_int_equal(tn_ik_read_msg2(&copy, v.init_priv, v.psk, msg, v.payload_len[1], got),
                     TN_EAUTH);
}

static void the_pattern_decides_whether_there_is_a_psk(void **state)
{
    static struct vector v;
    struct tn_ik s;
    struct tn_rng rng;
    uint8_t out[160];

    (void)state;
    load(&v, "noise_ik.json");
    tn_ik_init(&s, v.name, NULL, 0, v.resp_pub);
    assert_int_equal(tn_ik_write_msg2(&s, &rng, v.init_pub, v.psk, NULL, 0, out), TN_EINVAL);
    assert_int_equal(tn_ik_read_msg2(&s, v.init_priv, v.psk, out, 0, out), TN_EINVAL);
    load(&v, "noise_ikpsk2.json");
    tn_ik_init(&s, v.name, NULL, 0, v.resp_pub);
    assert_int_equal(tn_ik_write_msg2(&s, &rng, v.init_pub, NULL, NULL, 0, out), TN_EINVAL);
    assert_int_equal(tn_ik_read_msg2(&s, v.init_priv, NULL, out, 0, out), TN_EINVAL);
}

static void points_of_low_order_are_refused_wherever_they_come(void **state)
{
    static struct vector v;
    static const uint8_t zero[160];
    struct tn_ik s;
    struct tn_rng rng;
    uint8_t out[160], who[32];

    (void)state;
    load(&v, "noise_ik.json");

    script_rng(v.init_ephemeral, 32);
    tn_ik_init(&s, v.name, NULL, 0, zero);
    assert_int_equal(tn_ik_write_msg1(&s, &rng, zero, v.init_pub, v.ss, NULL, 0, out), TN_EAUTH);
    script_rng(v.init_ephemeral, 32);
    tn_ik_init(&s, v.name, NULL, 0, v.resp_pub);
    assert_int_equal(tn_ik_write_msg1(&s, &rng, v.resp_pub, v.init_pub, zero, NULL, 0, out),
                     TN_EAUTH); /* a static_static that could not be computed */
    tn_ik_init(&s, v.name, NULL, 0, v.resp_pub);
    assert_int_equal(tn_ik_read_msg1_static(&s, v.resp_priv, zero, who), TN_EAUTH);
    tn_ik_init(&s, v.name, NULL, 0, v.resp_pub);
    memcpy(s.ephemeral_priv, v.init_ephemeral, 32);
    assert_int_equal(tn_ik_read_msg2(&s, v.init_priv, NULL, zero, 0, out), TN_EAUTH);
    script_rng(v.resp_ephemeral, 32);
    memcpy(s.remote_ephemeral, v.init_pub, 32);
    assert_int_equal(tn_ik_write_msg2(&s, &rng, zero, NULL, NULL, 0, out), TN_EAUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cacophony_vector_of_ik_comes_out_byte_for_byte),
        cmocka_unit_test(the_cacophony_vector_of_ikpsk2_comes_out_byte_for_byte),
        cmocka_unit_test(each_flipped_bit_of_message_1_is_refused),
        cmocka_unit_test(each_flipped_bit_of_message_2_is_refused),
        cmocka_unit_test(the_pattern_decides_whether_there_is_a_psk),
        cmocka_unit_test(points_of_low_order_are_refused_wherever_they_come),
    };

    return cmocka_run_group_tests_name("noise_ik", tests, NULL, NULL);
}
