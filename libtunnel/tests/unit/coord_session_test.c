/* Control sessions from both ends: the handshake, its sealed messages, and the replay window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/coord/session.h"

#define CLIENT_INDEX 0x01020304u
#define SERVER_INDEX 0xa0b0c0d0u

struct pair {
    struct tn_rng rng;
    uint8_t client_private[32], server_private[32], server_public[32];
    struct tn_ctl_local local;
    uint8_t stamp[TN_CTL_TAI64N_LEN], cookie[TN_CTL_COOKIE_VALUE_LEN];
    struct tn_ik initiator, responder;
    struct tn_addr observed;
    uint8_t init[TN_CTL_INIT_LEN], resp[TN_CTL_RESP_LEN];
    struct tn_ctl_session client, server;
};

static void make_keys(struct pair *p)
{
    uint8_t seed[32] = {7};

    memset(p, 0, sizeof(*p));
    tn_rng_init(&p->rng, seed);
    tn_rng_bytes(&p->rng, p->client_private, 32);
    tn_rng_bytes(&p->rng, p->server_private, 32);
    tn_rng_bytes(&p->rng, p->cookie, sizeof(p->cookie));
    assert_int_equal(tn_x25519_public(p->server_public, p->server_private), 0);
    assert_int_equal(tn_ctl_local_init(&p->local, p->client_private, p->server_public), 0);
    tn_ctl_tai64n(p->stamp, 1795000000123456789u);
    p->observed = tn_addr_v4((uint8_t[]){198, 51, 100, 7}, 40000);
}

static void make_init(struct pair *p)
{
    assert_int_equal(tn_ctl_create_init(&p->initiator, &p->local, &p->rng, CLIENT_INDEX, p->cookie,
                                        p->stamp, p->init),
                     0);
}

static void make_resp(struct pair *p)
{
    uint8_t who[32], stamp[TN_CTL_TAI64N_LEN];

    assert_int_equal(tn_ctl_consume_init(&p->responder, p->server_private, p->server_public,
                                         p->init, who, stamp),
                     0);
    assert_memory_equal(who, p->local.public_key, 32);
    assert_memory_equal(stamp, p->stamp, sizeof(stamp));
    assert_int_equal(tn_ctl_create_resp(&p->responder, &p->rng, who, CLIENT_INDEX, SERVER_INDEX,
                                        &p->observed, 1795000001u, &p->server, p->resp),
                     0);
}

static void make_pair(struct pair *p)
{
    struct tn_addr seen;
    uint64_t unix_s;

    make_keys(p);
    make_init(p);
    make_resp(p);
    assert_int_equal(tn_ctl_consume_resp(&p->initiator, &p->local, CLIENT_INDEX, p->resp,
                                         &p->client, &seen, &unix_s),
                     0);
    assert_true(tn_addr_equal(&seen, &p->observed));
    assert_int_equal(unix_s, 1795000001u);
}

static void both_ends_come_to_the_same_keys(void **state)
{
    struct pair p;

    (void)state;
    make_pair(&p);
    assert_memory_equal(p.client.send_key, p.server.recv_key, 32);
    assert_memory_equal(p.client.recv_key, p.server.send_key, 32);
    assert_memory_not_equal(p.client.send_key, p.client.recv_key, 32);
    assert_int_equal(p.client.local_index, CLIENT_INDEX);
    assert_int_equal(p.client.remote_index, SERVER_INDEX);
    assert_int_equal(p.server.local_index, SERVER_INDEX);
    assert_int_equal(p.server.remote_index, CLIENT_INDEX);
}

static void the_headers_have_the_bytes_of_the_specification(void **state)
{
    static const uint8_t init[] = {0x90, 1, 0, 0, 1, 2, 3, 4};
    static const uint8_t resp[] = {0x92, 1, 0, 0, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0};
    static const uint8_t data[] = {0x93, 1, 0, 0, 0xa0, 0xb0, 0xc0, 0xd0, 0, 0, 0, 0, 0, 0, 0, 1};
    uint8_t out[TN_CTL_MAX_LEN] = {0};
    struct pair p;

    (void)state;
    make_pair(&p);
    assert_memory_equal(p.init, init, sizeof(init));
    assert_memory_equal(p.init + 8, p.cookie, sizeof(p.cookie));
    assert_memory_equal(p.resp, resp, sizeof(resp));
    assert_int_equal(tn_ctl_seal(&p.client, out, 4), 0);
    assert_int_equal(tn_ctl_seal(&p.client, out, 4), 0);
    assert_memory_equal(out, data, sizeof(data));
    assert_int_equal(tn_ctl_data_index(out), SERVER_INDEX);
}

static void an_init_with_any_bit_of_its_noise_part_flipped_is_refused(void **state)
{
    uint8_t who[32], stamp[TN_CTL_TAI64N_LEN], before[32];
    struct tn_ik ik;
    struct pair p;

    (void)state;
    make_keys(&p);
    make_init(&p);
    memset(who, 0x5a, sizeof(who));
    memcpy(before, who, sizeof(who));
    for (size_t bit = 24 * 8; bit < TN_CTL_INIT_LEN * 8; bit++) {
        if (bit == 24 * 8 + 255)
            continue; /* the highest bit of an X25519 key is ignored in the curve... */
        p.init[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(tn_ctl_consume_init(&ik, p.server_private, p.server_public, p.init,
                                                 who, stamp),
                             0);
        assert_memory_equal(who, before, sizeof(who));
        p.init[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    p.init[24 + 31] ^= 0x80; /* ...but not in the hash */
    assert_int_equal(tn_ctl_consume_init(&ik, p.server_private, p.server_public, p.init, who,
                                         stamp),
                     TN_EAUTH);
}

static void an_init_for_another_coordinator_is_refused(void **state)
{
    uint8_t who[32], stamp[TN_CTL_TAI64N_LEN], other[32], other_public[32];
    struct tn_ik ik;
    struct pair p;

    (void)state;
    make_keys(&p);
    make_init(&p);
    tn_rng_bytes(&p.rng, other, 32);
    assert_int_equal(tn_x25519_public(other_public, other), 0);
    assert_int_equal(tn_ctl_consume_init(&ik, other, other_public, p.init, who, stamp), TN_EAUTH);
}

static void a_response_with_any_bit_flipped_is_refused_and_the_true_one_still_counts(void **state)
{
    struct tn_ctl_session s, before;
    struct tn_addr seen;
    uint64_t unix_s;
    struct pair p;

    (void)state;
    make_keys(&p);
    make_init(&p);
    make_resp(&p);
    memset(&s, 0x5a, sizeof(s));
    before = s;
    for (size_t bit = 0; bit < TN_CTL_RESP_LEN * 8; bit++) {
        if (bit / 8 >= 8 && bit / 8 < 12)
            continue; /* the coordinator's index is outside of Noise, see session.c */
        p.resp[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(tn_ctl_consume_resp(&p.initiator, &p.local, CLIENT_INDEX, p.resp, &s,
                                                 &seen, &unix_s),
                             0);
        assert_memory_equal(&s, &before, sizeof(s));
        p.resp[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(tn_ctl_consume_resp(&p.initiator, &p.local, CLIENT_INDEX, p.resp, &s, &seen,
                                         &unix_s),
                     0);
}

static void a_response_to_another_init_is_refused(void **state)
{
    struct tn_ctl_session s;
    struct tn_addr seen;
    uint64_t unix_s;
    struct pair p;

    (void)state;
    make_keys(&p);
    make_init(&p);
    make_resp(&p);
    make_init(&p); /* another ephemeral key */
    assert_int_equal(tn_ctl_consume_resp(&p.initiator, &p.local, CLIENT_INDEX, p.resp, &s, &seen,
                                         &unix_s),
                     TN_EAUTH);
    assert_int_equal(tn_ctl_consume_resp(&p.initiator, &p.local, CLIENT_INDEX + 1, p.resp, &s,
                                         &seen, &unix_s),
                     TN_EINVAL);
}

static void low_order_keys_are_refused(void **state)
{
    uint8_t zero[32] = {0}, one[32] = {1};
    struct tn_ctl_local l;
    struct pair p;

    (void)state;
    make_keys(&p);
    assert_int_equal(tn_ctl_local_init(&l, p.client_private, zero), TN_EAUTH);
    assert_int_equal(tn_ctl_local_init(&l, p.client_private, one), TN_EAUTH);
}

static void what_one_end_seals_the_other_opens(void **state)
{
    uint8_t d[TN_CTL_MAX_LEN];
    struct pair p;

    (void)state;
    make_pair(&p);
    for (size_t len = 0; len <= TN_MSG_MAX_LEN; len += 41) {
        for (size_t i = 0; i < len; i++)
            d[TN_CTL_DATA_HEADER_LEN + i] = (uint8_t)(i * 3);
        assert_int_equal(tn_ctl_seal(&p.server, d, len), 0);
        assert_int_equal(tn_ctl_open(&p.client, d, len + TN_CTL_DATA_OVERHEAD), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(d[TN_CTL_DATA_HEADER_LEN + i], (uint8_t)(i * 3));
    }
}

static void data_with_any_bit_flipped_is_refused_and_moves_no_window(void **state)
{
    uint8_t d[64] = {0}, forged[64];
    struct tn_ctl_session before;
    struct pair p;

    (void)state;
    make_pair(&p);
    assert_int_equal(tn_ctl_seal(&p.client, d, 32), 0);
    before = p.server;
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        memcpy(forged, d, sizeof(d));
        forged[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(tn_ctl_open(&p.server, forged, sizeof(forged)), 0);
        assert_memory_equal(&p.server, &before, sizeof(before));
    }
    assert_int_equal(tn_ctl_open(&p.server, d, sizeof(d)), 0);
}

static void data_that_is_cut_anywhere_is_refused(void **state)
{
    uint8_t d[64] = {0};
    struct pair p;

    (void)state;
    make_pair(&p);
    assert_int_equal(tn_ctl_seal(&p.client, d, 32), 0);
    for (size_t len = 0; len < sizeof(d); len++) {
        uint8_t *cut = test_malloc(len + 1);

        memcpy(cut, d, len);
        assert_int_not_equal(tn_ctl_open(&p.server, cut, len), 0);
        test_free(cut);
    }
}

static void a_message_is_opened_once_and_not_by_its_sender(void **state)
{
    uint8_t d[48] = {0}, again[48];
    struct pair p;

    (void)state;
    make_pair(&p);
    assert_int_equal(tn_ctl_seal(&p.client, d, 16), 0);
    memcpy(again, d, sizeof(d));
    assert_int_not_equal(tn_ctl_open(&p.client, again, sizeof(again)), 0);
    memcpy(again, d, sizeof(d));
    assert_int_equal(tn_ctl_open(&p.server, d, sizeof(d)), 0);
    assert_int_equal(tn_ctl_open(&p.server, again, sizeof(again)), TN_EREPLAY);
}

static void counters_that_are_used_up_end_the_session(void **state)
{
    uint8_t d[48] = {0};
    struct pair p;

    (void)state;
    make_pair(&p);
    p.client.send_counter = UINT64_MAX - 1;
    assert_int_equal(tn_ctl_seal(&p.client, d, 16), 0);
    assert_int_equal(tn_ctl_seal(&p.client, d, 16), TN_ENOKEY);
    assert_int_equal(tn_ctl_open(&p.server, d, 48), 0);
}

/* One case a line: the counter, and whether it is new. */
static void the_window_follows_a_table(void **state)
{
    static const struct {
        uint64_t counter;
        bool fresh;
    } table[] = {
        {0, true},    {0, false},    {1, true},     {1, false},   {9, true},     {8, true},
        {7, true},    {7, false},    {256, true},   {0, false},   {1, false},    {2, true},
        {2, false},   {257, true},   {2, false},    {3, true},    {512, true},   {256, false},
        {257, false}, {258, true},   {1024, true},  {768, false}, {769, true},   {1023, true},
        {1023, false}, {UINT64_MAX - 1, true}, {UINT64_MAX - 1, false}, {UINT64_MAX, false},
        {UINT64_MAX - 256, true}, {UINT64_MAX - 257, false},
    };
    struct tn_ctl_window w;

    (void)state;
    memset(&w, 0, sizeof(w));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (tn_ctl_window_check(&w, table[i].counter) != table[i].fresh)
            fail_msg("case %zu, counter %llu", i, (unsigned long long)table[i].counter);
        if (table[i].fresh)
            tn_ctl_window_mark(&w, table[i].counter);
    }
}

static void the_window_agrees_with_a_plain_list(void **state)
{
    static bool seen[1 << 16];
    struct tn_ctl_window w;
    struct tn_rng rng;
    uint8_t seed[32] = {3};
    uint64_t top = 0;

    (void)state;
    memset(&w, 0, sizeof(w));
    memset(seen, 0, sizeof(seen));
    tn_rng_init(&rng, seed);
    for (int i = 0; i < 100000; i++) {
        uint64_t around = top > 300 ? top - 300 : 0;
        uint64_t counter = around + tn_rng_below(&rng, tn_rng_below(&rng, 50) ? 303 : 900);
        bool fresh;

        if (counter >= 1 << 16)
            break;
        fresh = !seen[counter] && counter + TN_CTL_WINDOW_BITS > top;
        assert_int_equal(tn_ctl_window_check(&w, counter), fresh);
        if (!fresh)
            continue;
        tn_ctl_window_mark(&w, counter);
        seen[counter] = true;
        top = counter > top ? counter : top;
    }
    assert_true(top > 30000);
}

static void an_index_names_its_slot(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 20; bits++) {
        for (uint32_t slot = 0; slot < (1u << bits); slot += 1 + (1u << bits) / 37) {
            uint32_t index = tn_ctl_index_make(slot, bits, 0xdeadbeef);

            assert_int_equal(tn_ctl_index_slot(index, bits), slot);
            assert_int_equal(index >> bits, 0xdeadbeefu >> bits);
        }
    }
}

static void stamps_grow_with_time(void **state)
{
    /* 2001-09-09 01:46:40 UTC is 1000000000; TAI64 adds 2^62 and 37 s here. */
    static const uint8_t want[] = {0x40, 0, 0, 0, 0x3b, 0x9a, 0xca, 0x25, 0, 0, 0, 5};
    uint8_t a[TN_CTL_TAI64N_LEN], b[TN_CTL_TAI64N_LEN];

    (void)state;
    tn_ctl_tai64n(a, 1000000000000000005u);
    assert_memory_equal(a, want, sizeof(want));
    tn_ctl_tai64n(a, 1795000000999999999u);
    tn_ctl_tai64n(b, 1795000001000000000u);
    assert_true(memcmp(a, b, sizeof(a)) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_come_to_the_same_keys),
        cmocka_unit_test(the_headers_have_the_bytes_of_the_specification),
        cmocka_unit_test(an_init_with_any_bit_of_its_noise_part_flipped_is_refused),
        cmocka_unit_test(an_init_for_another_coordinator_is_refused),
        cmocka_unit_test(a_response_with_any_bit_flipped_is_refused_and_the_true_one_still_counts),
        cmocka_unit_test(a_response_to_another_init_is_refused),
        cmocka_unit_test(low_order_keys_are_refused),
        cmocka_unit_test(what_one_end_seals_the_other_opens),
        cmocka_unit_test(data_with_any_bit_flipped_is_refused_and_moves_no_window),
        cmocka_unit_test(data_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(a_message_is_opened_once_and_not_by_its_sender),
        cmocka_unit_test(counters_that_are_used_up_end_the_session),
        cmocka_unit_test(the_window_follows_a_table),
        cmocka_unit_test(the_window_agrees_with_a_plain_list),
        cmocka_unit_test(an_index_names_its_slot),
        cmocka_unit_test(stamps_grow_with_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
