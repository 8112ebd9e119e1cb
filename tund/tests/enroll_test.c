/* How a network, an invite and a member come into being. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "libtunnel/crypto/crypto.h"
#include "tund/enroll.h"

#define NOW_S 1790000000u

struct world {
    struct state_owner owner;
    struct tn_member members[8];
    struct tn_roster roster;
    struct tn_url url;
    struct why why;
};

static void make_world(struct world *w, uint8_t bits)
{
    static const uint8_t ip[4] = {10, 77, 0, 0};
    struct prefix prefix = prefix_v4(ip, bits);
    uint8_t network_public[32], private_key[32] = {1};

    w->url = (struct tn_url){.host = "coord.example.net", .port = 3478};
    assert_int_equal(tn_x25519_public(w->url.public_key, private_key), 0);
    assert_int_equal(enroll_network(&w->owner, "home", &prefix, &w->why), 0);
    tn_ed25519_public(network_public, w->owner.network_seed);
    tn_roster_init(&w->roster, w->members, 8, network_public);
}

static int invite(struct world *w, const char *name, struct tn_invite *out)
{
    return enroll_invite(&w->owner, &w->roster, name, 0, &w->url, NOW_S, 3600, out, &w->why);
}

static void join(struct world *w, const char *name, struct state_node *node)
{
    struct tn_roster_result result;
    struct tn_invite i;

    assert_int_equal(invite(w, name, &i), 0);
    assert_int_equal(enroll_member(node, &i, NOW_S + 1, &w->why), 0);
    assert_int_equal(tn_roster_offer(&w->roster, &node->card, NOW_S + 2, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_ADDED);
}

static void a_member_made_from_an_invite_is_accepted_by_the_roster(void **state)
{
    struct state_node a, b;
    struct world w;
    uint8_t pub[32];

    make_world(&w, 20);
    join(&w, "nas", &a);
    join(&w, "laptop", &b);
    assert_memory_not_equal(a.identity_seed, b.identity_seed, 32);
    assert_memory_not_equal(a.wireguard_private, b.wireguard_private, 32);
    assert_int_equal(tn_x25519_public(pub, a.wireguard_private), 0);
    assert_memory_equal(pub, a.card.wireguard_public, 32);
    assert_int_equal(a.card.epoch, 1);
    assert_int_equal(a.card.cert.ipv4[3], 1);
    assert_int_equal(b.card.cert.ipv4[3], 2);
    assert_int_equal(b.card.cert.ipv6[15], 2);
    assert_int_equal(b.card.cert.ipv6[0], 0xfd);
    assert_string_equal(b.coordinator.host, "coord.example.net");
}

static void an_invite_survives_its_text(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    struct tn_invite made, back;
    struct world w;
    size_t len;

    make_world(&w, 20);
    assert_int_equal(invite(&w, "laptop", &made), 0);
    assert_int_equal(tn_invite_encode(&made, text, sizeof(text), &len), 0);
    assert_int_equal(tn_invite_decode(&back, text, len), 0);
    assert_memory_equal(back.invite_seed, made.invite_seed, 32);
    assert_int_equal(back.cert.not_after_s, NOW_S + 3600);
    assert_string_equal(back.cert.network, "home");
}

static void two_networks_share_no_key_and_no_ipv6_prefix(void **state)
{
    struct tn_invite a, b;
    struct world w, v;

    make_world(&w, 20);
    make_world(&v, 20);
    assert_memory_not_equal(w.owner.network_seed, v.owner.network_seed, 32);
    assert_int_equal(invite(&w, "nas", &a), 0);
    assert_int_equal(invite(&v, "nas", &b), 0);
    assert_memory_not_equal(a.cert.ipv6, b.cert.ipv6, 8);
    assert_memory_not_equal(a.cert.invite_id, b.cert.invite_id, TN_INVITE_ID_LEN);
}

static void a_name_that_is_a_members_is_not_given_out_again(void **state)
{
    struct state_node node;
    struct tn_invite i;
    struct world w;

    make_world(&w, 20);
    join(&w, "nas", &node);
    assert_int_equal(invite(&w, "nas", &i), -EEXIST);
    assert_non_null(strstr(w.why.text, "nas is a member already"));
    /* one that was only invited may be invited again, with another address */
    assert_int_equal(invite(&w, "laptop", &i), 0);
    assert_int_equal(i.cert.ipv4[3], 2);
    assert_int_equal(invite(&w, "laptop", &i), 0);
    assert_int_equal(i.cert.ipv4[3], 3);
}

static void impossible_names_are_refused(void **state)
{
    static const char *const bad[] = {"", "Home", "a b", "-a", "a-", "a_b", "h\xc3\xb6me", "a.b",
                                      "a\x1b[31m", "%n",
                                      "0123456789012345678901234567890123456789012345678901234567890123"};
    struct state_owner owner;
    struct tn_invite i;
    struct prefix prefix;
    struct world w;

    make_world(&w, 20);
    prefix = prefix_v4(w.owner.prefix, 20);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        assert_int_equal(invite(&w, bad[k], &i), -EINVAL);
        assert_int_equal(enroll_network(&owner, bad[k], &prefix, &w.why), -EINVAL);
    }
    assert_int_equal(w.owner.next_host, 1);
}

static void an_address_that_is_a_members_is_passed_over_after_an_old_backup(void **state)
{
    struct state_node a, b, c;
    struct state_owner backup;
    struct tn_invite i;
    struct world w;

    make_world(&w, 20);
    join(&w, "a", &a);
    backup = w.owner;
    join(&w, "b", &b);
    join(&w, "c", &c);
    w.owner = backup;
    assert_int_equal(invite(&w, "d", &i), 0);
    assert_int_equal(i.cert.ipv4[3], 4);
}

static void a_full_prefix_gives_out_no_more(void **state)
{
    struct state_node node;
    struct tn_invite i;
    struct world w;

    make_world(&w, 30);
    join(&w, "a", &node);
    join(&w, "b", &node);
    assert_int_equal(invite(&w, "c", &i), -ENOSPC);
    assert_non_null(strstr(w.why.text, "10.77.0.0/30"));
}

static void an_expired_invite_makes_no_member(void **state)
{
    struct state_node node, before;
    struct tn_invite i;
    struct world w;

    make_world(&w, 20);
    assert_int_equal(invite(&w, "laptop", &i), 0);
    memset(&node, 0x55, sizeof(node));
    before = node;
    assert_int_equal(enroll_member(&node, &i, NOW_S + 3601, &w.why), -ETIME);
    assert_non_null(strstr(w.why.text, "expired"));
    assert_memory_equal(&node, &before, sizeof(node));
    assert_int_equal(enroll_member(&node, &i, NOW_S + 3599, &w.why), 0);
}

static void an_invite_with_anothers_seed_makes_no_member(void **state)
{
    struct state_node node;
    struct tn_invite i, other;
    struct world w;

    make_world(&w, 20);
    assert_int_equal(invite(&w, "laptop", &i), 0);
    assert_int_equal(invite(&w, "phone", &other), 0);
    memcpy(i.invite_seed, other.invite_seed, 32);
    assert_int_equal(enroll_member(&node, &i, NOW_S, &w.why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_made_from_an_invite_is_accepted_by_the_roster),
        cmocka_unit_test(an_invite_survives_its_text),
        cmocka_unit_test(two_networks_share_no_key_and_no_ipv6_prefix),
        cmocka_unit_test(a_name_that_is_a_members_is_not_given_out_again),
        cmocka_unit_test(impossible_names_are_refused),
        cmocka_unit_test(an_address_that_is_a_members_is_passed_over_after_an_old_backup),
        cmocka_unit_test(a_full_prefix_gives_out_no_more),
        cmocka_unit_test(an_expired_invite_makes_no_member),
        cmocka_unit_test(an_invite_with_anothers_seed_makes_no_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
