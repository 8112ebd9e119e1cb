/* Real captures as known answers. Every key of both ends is published with them; which one belongs
 * to which message is found by trying. Each message is read as its receiver reads it, then made
 * again as its sender made it, and must come out byte for byte. */
#include "libtunnel/base/bytes.h"
#include "scripted_rng.h"
#include "vectors.h"
#include "libtunnel/wg/cookie.h"
#include "libtunnel/wg/keys.h"
#include "libtunnel/wg/noise.h"

#define KEYS 16
#define LIVE 4
#define FRAME_HEAD (14 + 20 + 8) /* Ethernet, IPv4 without options, UDP */

static struct {
    uint8_t fixed[KEYS][32], ephemeral[KEYS][32], psk[KEYS][32];
    size_t fixed_count, ephemeral_count, psk_count;
} known;

/* A handshake of the capture: both its ends, and what came of it. */
struct exchange {
    struct tn_wg_local initiator, responder;
    struct tn_wg_handshake hs;     /* the initiator's */
    struct tn_wg_handshake peer;   /* the responder's */
    struct tn_noise_initiation in; /* accepted by the responder */
    struct tn_keys at_initiator, at_responder;
    bool done;
};

static struct exchange live[LIVE];
static size_t live_count;
static unsigned data_opened, inner_packets, psk_used;

static int load_keys(void **state)
{
    FILE *f = open_vectors("wireguard_keys.txt");
    char line[128];
    char *field[2] = {NULL, NULL};

    (void)state;
    while (fgets(line, sizeof(line), f)) {
        assert_int_equal(split_fields(line, field, 2), 2);
        if (strcmp(field[0], "static") == 0)
            unhex_exactly(known.fixed[known.fixed_count++], 32, field[1]);
        else if (strcmp(field[0], "ephemeral") == 0)
            unhex_exactly(known.ephemeral[known.ephemeral_count++], 32, field[1]);
        else if (strcmp(field[0], "psk") == 0)
            unhex_exactly(known.psk[known.psk_count++], 32, field[1]);
    }
    fclose(f);
    return known.fixed_count == 2 && known.ephemeral_count == 8 && known.psk_count == 3 ? 0 : -1;
}

static const uint8_t *private_of(const uint8_t pub[32], uint8_t (*list)[32], size_t count)
{
    uint8_t candidate[32];

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tn_x25519_public(candidate, list[i]), 0);
        if (memcmp(candidate, pub, 32) == 0)
            return list[i];
    }
    fail_msg("a public key of the capture has no published private key");
    return NULL;
}

static void check_initiation(const uint8_t *msg)
{
    struct exchange *x = &live[live_count++];
    struct tn_cookie_checker checker;
    struct tn_cookie_maker maker;
    struct tn_addr nobody = {.port = 0};
    struct tn_rng rng;
    uint8_t again[148];
    size_t i;

    assert_true(live_count <= LIVE);
    memset(x, 0, sizeof(*x));
    for (i = 0; i < known.fixed_count; i++) { /* mac1 tells for whom it is */
        assert_int_equal(tn_wg_local_set(&x->responder, known.fixed[i]), 0);
        tn_cookie_checker_init(&checker, x->responder.pub);
        if (tn_cookie_check(&checker, msg, 148, &nobody, 0) == TN_MAC_VALID)
            break;
    }
    assert_true(i < known.fixed_count);
    assert_int_equal(tn_noise_consume_initiation(&x->responder, msg, &x->in), 0);
    assert_int_equal(tn_wg_local_set(&x->initiator, private_of(x->in.remote_static, known.fixed,
                                                               known.fixed_count)),
                     0);
    tn_noise_init(&x->peer, &x->responder, x->initiator.pub, NULL);
    assert_int_equal(tn_noise_accept_initiation(&x->peer, &x->in, 1), 0);
    assert_int_equal(x->peer.last_stamp[0], 0x40); /* TAI64N */

    tn_noise_init(&x->hs, &x->initiator, x->responder.pub, NULL);
    script_rng(private_of(msg + 8, known.ephemeral, known.ephemeral_count), 32);
    assert_int_equal(tn_noise_create_initiation(&x->initiator, &x->hs, &rng, x->peer.last_stamp,
                                                tn_wg_sender(msg), again),
                     0);
    tn_cookie_maker_init(&maker, x->responder.pub);
    tn_cookie_add_macs(&maker, again, 148, 0);
    assert_memory_equal(again, msg, 148);
    tn_keys_init(&x->at_initiator);
    tn_keys_init(&x->at_responder);
}

static void check_response(const uint8_t *msg)
{
    struct exchange *x = NULL;
    struct tn_session s, t;
    struct tn_cookie_maker maker;
    struct tn_rng rng;
    uint8_t again[92];
    size_t i;

    for (i = 0; i < live_count && !x; i++) {
        if (tn_noise_is_waiting(&live[i].hs, tn_wg_receiver(msg)))
            x = &live[i];
    }
    assert_non_null(x);
    for (i = 0; i < known.psk_count; i++) {
        tn_noise_set_psk(&x->hs, known.psk[i]);
        if (tn_noise_consume_response(&x->initiator, &x->hs, msg, 1, &s) == 0)
            break;
    }
    assert_true(i < known.psk_count);
    psk_used |= 1u << i;
    tn_keys_install(&x->at_initiator, &s);

    tn_noise_set_psk(&x->peer, known.psk[i]);
    script_rng(private_of(msg + 12, known.ephemeral, known.ephemeral_count), 32);
    assert_int_equal(tn_noise_create_response(&x->peer, &x->in, &rng, tn_wg_sender(msg), 1, again,
                                              &t),
                     0);
    tn_cookie_maker_init(&maker, x->initiator.pub);
    tn_cookie_add_macs(&maker, again, 92, 1);
    assert_memory_equal(again, msg, 92);
    assert_memory_equal(s.send_key, t.recv_key, 32);
    assert_memory_equal(s.recv_key, t.send_key, 32);
    tn_keys_install(&x->at_responder, &t);
    x->done = true;
}

/* The receiver is the end whose session has the message's index; the sender is the other. */
static void find_ends(const uint8_t *msg, struct tn_keys **to, struct tn_keypair **receiver,
                      struct tn_keypair **sender)
{
    for (size_t i = 0; i < live_count; i++) {
        struct tn_keys *end[2] = {&live[i].at_initiator, &live[i].at_responder};

        for (int j = 0; j < 2; j++) {
            *receiver = tn_keys_find(end[j], tn_wg_receiver(msg));
            if (live[i].done && *receiver) {
                *to = end[j];
                *sender = tn_keys_find(end[1 - j], (*receiver)->session.remote_index);
                assert_non_null(*sender);
                return;
            }
        }
    }
    fail_msg("a data message of the capture has no session");
}

static void check_data(const uint8_t *msg, size_t len)
{
    struct tn_keypair *receiver = NULL, *sender = NULL;
    struct tn_keys *to = NULL;
    uint8_t buf[2048];
    uint64_t counter = tn_session_counter(msg);
    unsigned news;

    assert_true(len <= sizeof(buf));
    find_ends(msg, &to, &receiver, &sender);
    memcpy(buf, msg, len);
    assert_int_equal(tn_keys_check_received(receiver, 1, counter), 0);
    assert_int_equal(tn_session_open(&receiver->session, buf, len), 0);
    assert_int_equal(tn_keys_commit_received(to, receiver, 1, counter, &news), 0);
    assert_int_equal(tn_keys_commit_received(to, receiver, 1, counter, &news), TN_EREPLAY);
    data_opened++;
    if (len > TN_WG_KEEPALIVE_LEN) {
        size_t inner = tn_get_be16(buf + 16 + 2);

        assert_int_equal(buf[16] >> 4, 4); /* IPv4 inside, whole, with the padding that we make */
        assert_int_equal(inner + tn_wg_padding(inner, 1420), len - TN_WG_DATA_OVERHEAD);
        inner_packets++;
    }
    tn_session_seal(&sender->session, counter, buf, len - TN_WG_DATA_OVERHEAD);
    assert_memory_equal(buf, msg, len);
}

/* Each frame of a pcap file (little endian, Ethernet): its UDP payload is checked by its type. */
static unsigned check_capture(const char *file, unsigned seen[5])
{
    size_t size, at = 24;
    uint8_t *pcap = read_vectors(file, &size);
    unsigned frames = 0;

    live_count = 0;
    data_opened = inner_packets = psk_used = 0;
    memset(seen, 0, 5 * sizeof(*seen));
    assert_int_equal(tn_get_le32(pcap), 0xa1b2c3d4);
    assert_int_equal(tn_get_le32(pcap + 20), 1);
    while (at + 16 <= size) {
        const uint8_t *frame = pcap + at + 16;
        size_t len = tn_get_le32(pcap + at + 8);
        const uint8_t *msg = frame + FRAME_HEAD;
        enum tn_wg_type type;

        assert_true(at + 16 + len <= size && len > FRAME_HEAD);
        assert_int_equal(frame[14], 0x45);
        assert_int_equal(frame[14 + 9], 17);
        len -= FRAME_HEAD;
        type = tn_wg_classify(msg, len);
        seen[type]++;
        if (type == TN_WG_INITIATION)
            check_initiation(msg);
        else if (type == TN_WG_RESPONSE)
            check_response(msg);
        else if (type == TN_WG_DATA)
            check_data(msg, len);
        at += 16 + FRAME_HEAD + len;
        frames++;
    }
    assert_int_equal(at, size);
    free(pcap);
    return frames;
}

static void the_ping_and_tcp_capture_is_reproduced_byte_for_byte(void **state)
{
    unsigned seen[5];

    (void)state;
    assert_int_equal(check_capture("wireguard-ping-tcp.pcap", seen), 22);
    assert_int_equal(seen[TN_WG_INITIATION], 2);
    assert_int_equal(seen[TN_WG_RESPONSE], 2);
    assert_int_equal(seen[TN_WG_DATA], 18);
    assert_int_equal(data_opened, 18);
    assert_int_equal(inner_packets, 16);
    assert_int_equal(psk_used, 1); /* the first key is all zero: none */
}

static void the_capture_with_preshared_keys_is_reproduced_byte_for_byte(void **state)
{
    unsigned seen[5];

    (void)state;
    assert_int_equal(check_capture("wireguard-psk.pcap", seen), 4);
    assert_int_equal(seen[TN_WG_INITIATION], 2);
    assert_int_equal(seen[TN_WG_RESPONSE], 2);
    assert_int_equal(psk_used, 6); /* the second key in one handshake, the third in the other */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ping_and_tcp_capture_is_reproduced_byte_for_byte),
        cmocka_unit_test(the_capture_with_preshared_keys_is_reproduced_byte_for_byte),
    };

    return cmocka_run_group_tests_name("wg_capture", tests, load_keys, NULL);
}
