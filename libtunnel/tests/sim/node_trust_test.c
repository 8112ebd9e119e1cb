/* A coordinator that lies. It owns its store and may hand out whatever it likes;
 * it gets nothing but silence: no member added, no key swapped, no byte read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simnode.h"

struct net {
    struct sim *s;
    int a, b;
};

static bool both_know_each_other(void *ctx)
{
    struct net *n = ctx;

    return sim_peer_slot(n->s, n->a, n->b) != TN_NO_PEER &&
           sim_peer_slot(n->s, n->b, n->a) != TN_NO_PEER;
}

static void open_net(struct net *n, uint64_t seed)
{
    *n = (struct net){.s = sim_new(sim_seed(seed))};
    sim_add_coordinator(n->s, "55.1.0.10", 10000);
    n->a = sim_add_member(n->s, "nas", "55.2.1.10", -1, 10000);
    n->b = sim_add_member(n->s, "laptop", "55.2.2.10", -1, 10000);
    assert_true(sim_run_until(n->s, both_know_each_other, n, TN_S(40)));
}

/* Writes a card into the coordinator's store without asking anybody; it will be handed out. */
static void plant(struct sim *s, const struct tn_card *card)
{
    struct tn_memstore *m = &s->coord.store;
    struct tn_memstore_member *row = NULL;
    size_t len;

    for (uint32_t i = 0; i < m->member_count; i++) {
        if (!memcmp(m->member[i].facts.identity, card->identity, 32))
            row = &m->member[i];
    }
    if (!row)
        row = &m->member[m->member_count++];
    assert_int_equal(tn_card_encode(card, row->card, sizeof row->card, &len), 0);
    row->card_len = (uint16_t)len;
    row->network = 1;
    row->seq = ++m->network[0].seq;
    memcpy(row->facts.identity, card->identity, 32);
    memcpy(row->facts.wireguard_public, card->wireguard_public, 32);
    memcpy(row->facts.ipv4, card->cert.ipv4, 4);
    memcpy(row->facts.name, card->cert.name, sizeof row->facts.name);
}

struct liar {
    uint8_t identity_seed[32], wg_priv[32], wg_pub[32], invite_seed[32];
};

static void make_liar(struct sim *s, struct liar *l)
{
    tn_rng_bytes(&s->w->rng, l, sizeof *l);
    tn_x25519_clamp(l->wg_priv);
    assert_int_equal(tn_x25519_public(l->wg_pub, l->wg_priv), 0);
}

static void sign_all(struct tn_card *c, const struct liar *l)
{
    tn_ed25519_public(c->identity, l->identity_seed);
    assert_int_equal(tn_card_sign_membership(c, l->invite_seed), 0);
    assert_int_equal(tn_card_sign_key(c, l->identity_seed, 1, l->wg_pub), 0);
}

/* After the keepalives have told of the new roster: a knows its own card and b's, as before. */
static void nothing_was_believed(struct net *n, const uint8_t wg_pub[32])
{
    uint64_t before = n->s->node[n->a].events[TN_EV_MEMBER];
    uint64_t refused = tn_node_counters(n->s->node[n->a].node)->drop_auth;

    sim_run(n->s, TN_S(40));
    assert_true(tn_node_counters(n->s->node[n->a].node)->drop_auth > refused); /* it was offered */
    assert_int_equal(n->s->node[n->a].events[TN_EV_MEMBER], before);
    assert_int_equal(tn_node_roster(n->s->node[n->a].node)->count, 2);
    assert_int_equal(tn_node_peer_find(n->s->node[n->a].node, wg_pub), TN_NO_PEER);
    assert_int_not_equal(sim_peer_slot(n->s, n->a, n->b), TN_NO_PEER);
}

static void a_member_of_the_coordinators_own_network_key_is_not_believed(void **state)
{
    struct net n;
    struct liar l;
    struct tn_card card = {0};
    uint8_t own_key[32], real_key[32];

    (void)state;
    open_net(&n, 1);
    make_liar(n.s, &l);
    tn_rng_bytes(&n.s->w->rng, own_key, 32);
    memcpy(real_key, n.s->network_seed, 32);
    memcpy(n.s->network_seed, own_key, 32);
    tn_ed25519_public(n.s->network_public, own_key);
    sim_make_cert(n.s, "mallory", l.invite_seed, &card.cert);
    memcpy(n.s->network_seed, real_key, 32);
    tn_ed25519_public(n.s->network_public, real_key);
    sign_all(&card, &l);
    plant(n.s, &card);
    nothing_was_believed(&n, l.wg_pub);
    sim_free(n.s);
}

static void a_seen_certificate_does_not_make_another_identity_a_member(void **state)
{
    struct net n;
    struct liar l;
    struct tn_card card;

    (void)state;
    open_net(&n, 2);
    make_liar(n.s, &l);
    card = n.s->node[n.b].card; /* the certificate is no secret; its invite's key is */
    tn_ed25519_public(card.identity, l.identity_seed);
    assert_int_equal(tn_card_sign_key(&card, l.identity_seed, 1, l.wg_pub), 0);
    plant(n.s, &card);
    nothing_was_believed(&n, l.wg_pub);
    sim_free(n.s);
}

static void a_swapped_wireguard_key_is_not_believed(void **state)
{
    struct net n;
    struct liar l;
    struct tn_card card;

    (void)state;
    open_net(&n, 3);
    make_liar(n.s, &l);
    card = n.s->node[n.b].card;
    card.epoch++;
    memcpy(card.wireguard_public, l.wg_pub, 32);
    plant(n.s, &card);
    nothing_was_believed(&n, l.wg_pub);
    sim_free(n.s);
}

static void an_invite_that_was_stolen_after_its_use_adds_nobody(void **state)
{
    struct net n;
    struct liar l, thief;
    struct tn_card card = {0};
    struct tn_card second;

    (void)state;
    open_net(&n, 4);
    make_liar(n.s, &l);
    make_liar(n.s, &thief);
    sim_make_cert(n.s, "phone", l.invite_seed, &card.cert);
    sign_all(&card, &l);
    plant(n.s, &card); /* the honest redemption */
    sim_run(n.s, TN_S(40));
    assert_int_equal(tn_node_roster(n.s->node[n.a].node)->count, 3);
    second = card;
    memcpy(thief.invite_seed, l.invite_seed, 32);
    sign_all(&second, &thief);
    plant(n.s, &second);
    sim_run(n.s, TN_S(40));
    assert_int_equal(tn_node_roster(n.s->node[n.a].node)->count, 3);
    assert_int_equal(tn_node_peer_find(n.s->node[n.a].node, thief.wg_pub), TN_NO_PEER);
    sim_free(n.s);
}

static void an_old_card_does_not_bring_an_old_key_or_a_lost_member_back(void **state)
{
    struct net n;
    struct liar l;
    struct tn_card old, renewed, left;

    (void)state;
    open_net(&n, 5);
    make_liar(n.s, &l);
    old = renewed = n.s->node[n.b].card;
    assert_int_equal(tn_card_sign_key(&renewed, n.s->node[n.b].identity_seed, 2, l.wg_pub), 0);
    plant(n.s, &renewed);
    sim_run(n.s, TN_S(40));
    assert_int_not_equal(tn_node_peer_find(n.s->node[n.a].node, l.wg_pub), TN_NO_PEER);
    plant(n.s, &old);
    sim_run(n.s, TN_S(40));
    assert_int_not_equal(tn_node_peer_find(n.s->node[n.a].node, l.wg_pub), TN_NO_PEER);
    assert_int_equal(tn_node_peer_find(n.s->node[n.a].node, old.wireguard_public), TN_NO_PEER);
    left = renewed;
    assert_int_equal(tn_card_sign_left(&left, n.s->node[n.b].identity_seed), 0);
    plant(n.s, &left);
    sim_run(n.s, TN_S(40));
    assert_int_equal(tn_node_peer_find(n.s->node[n.a].node, l.wg_pub), TN_NO_PEER);
    plant(n.s, &renewed);
    sim_run(n.s, TN_S(40));
    assert_int_equal(tn_node_peer_find(n.s->node[n.a].node, l.wg_pub), TN_NO_PEER);
    sim_free(n.s);
}

static void a_moved_address_or_name_is_not_believed(void **state)
{
    struct net n;
    struct liar l;
    struct tn_card card = {0};

    (void)state;
    open_net(&n, 6);
    make_liar(n.s, &l);
    n.s->next_host = n.s->node[n.b].card.cert.ipv4[3]; /* even the owner cannot give it out twice */
    sim_make_cert(n.s, "mallory", l.invite_seed, &card.cert);
    sign_all(&card, &l);
    plant(n.s, &card);
    nothing_was_believed(&n, l.wg_pub);
    sim_free(n.s);
}

static void the_relay_sees_no_inner_byte(void **state)
{
    static const uint8_t canary[16] = {0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a,
                                       0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};
    struct sim *s = sim_new(sim_seed(7));
    struct net n = {.s = s};
    int nat_a, nat_b;

    (void)state;
    sim_add_coordinator(s, "55.1.0.10", 10000);
    s->coord.canary = canary;
    s->coord.canary_len = sizeof canary;
    nat_a = world_add_nat(s->w, "55.2.1.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    nat_b = world_add_nat(s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.a = sim_add_member(s, "nas", "192.168.1.10", nat_a, 10000);
    n.b = sim_add_member(s, "laptop", "192.168.2.10", nat_b, 10000);
    assert_true(sim_run_until(s, both_know_each_other, &n, TN_S(40)));
    for (int i = 0; i < 50; i++) {
        sim_send(s, n.a, n.b, 1000, 1);
        sim_run(s, TN_MS(50));
    }
    assert_true(s->node[n.b].delivered >= 50);
    assert_true(s->coord.relayed >= 50);
    assert_int_equal(s->coord.canary_seen, 0);
    sim_free(s);
}

static bool flip_relayed(void *ctx, struct sim *s, struct tn_server_out *out)
{
    (void)ctx;
    if (out->data[0] == TN_CTL_RELAY && out->len > 60 && tn_rng_below(&s->w->rng, 3) == 0)
        out->data[8 + tn_rng_below(&s->w->rng, (uint32_t)out->len - 8)] ^= 1;
    return true;
}

static void a_relay_that_alters_packets_costs_throughput_and_no_more(void **state)
{
    struct net n;
    uint64_t sent = 0;

    (void)state;
    open_net(&n, 8);
    n.s->w->host[n.s->node[n.a].host].nat = world_add_nat(n.s->w, "55.2.1.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.s->w->host[n.s->node[n.b].host].nat = world_add_nat(n.s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    sim_run(n.s, TN_S(40));
    for (int i = 0; i < 100; i++) { /* a session by the relay, and no rekey due */
        sim_send(n.s, n.a, n.b, 400, 0xabcd);
        sim_run(n.s, TN_MS(100));
    }
    n.s->node[n.b].delivered = 0;
    n.s->coord.tamper = flip_relayed;
    for (uint32_t i = 0; i < 600; i++) {
        sim_send(n.s, n.a, n.b, 400, 0xabcd);
        sim_run(n.s, TN_MS(50));
        sent++;
        if (n.s->node[n.b].last_len)
            for (size_t k = 24; k < n.s->node[n.b].last_len; k++)
                assert_int_equal(n.s->node[n.b].last[k], 0x5a);
    }
    assert_in_range(n.s->node[n.b].delivered, sent / 2, sent * 4 / 5);
    sim_free(n.s);
}

static void an_altered_card_is_an_answer_that_the_node_never_takes(void **state)
{
    struct net n;
    struct tn_card card;

    (void)state;
    open_net(&n, 9);
    for (int bit = 0; bit < 64; bit++) {
        struct liar l;

        make_liar(n.s, &l);
        card = n.s->node[n.b].card;
        card.epoch = 5;
        card.identity[bit / 8] ^= (uint8_t)(1u << bit % 8);
        plant(n.s, &card);
    }
    nothing_was_believed(&n, n.s->coord.public_key);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_of_the_coordinators_own_network_key_is_not_believed),
        cmocka_unit_test(a_seen_certificate_does_not_make_another_identity_a_member),
        cmocka_unit_test(a_swapped_wireguard_key_is_not_believed),
        cmocka_unit_test(an_invite_that_was_stolen_after_its_use_adds_nobody),
        cmocka_unit_test(an_old_card_does_not_bring_an_old_key_or_a_lost_member_back),
        cmocka_unit_test(a_moved_address_or_name_is_not_believed),
        cmocka_unit_test(the_relay_sees_no_inner_byte),
        cmocka_unit_test(a_relay_that_alters_packets_costs_throughput_and_no_more),
        cmocka_unit_test(an_altered_card_is_an_answer_that_the_node_never_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
