/* The store by the letter of libtunnel/coord/store.h: every status of JOIN and UPDATE, in the
 * order in which they are asked, and every way to look a member up. */
#include "coord_store_fixture.h"

#include "libtunnel/base/err.h"

struct world {
    struct temp_dir dir;
    struct coord_store *store;
    struct tn_store t;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    temp_make(&w->dir);
    w->store = store_open(&w->dir, 2, 3);
    w->t = coord_store_interface(w->store);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    coord_store_close(w->store);
    temp_remove(&w->dir);
    free(w);
    return 0;
}

static void reopen(struct world *w)
{
    coord_store_close(w->store);
    w->store = store_open(&w->dir, 2, 3);
    w->t = coord_store_interface(w->store);
}

static void assert_holds(struct world *w, uint64_t network, const struct sample *s, uint64_t seq)
{
    struct tn_store_member m;

    assert_int_equal(w->t.ops->member_by_identity(w->t.ctx, network, s->facts.identity, &m), 0);
    assert_int_equal(m.network, network);
    assert_int_equal(m.seq, seq);
    assert_int_equal(m.left, s->facts.left);
    assert_int_equal(m.card_len, sizeof(s->card));
    assert_memory_equal(m.card, s->card, sizeof(s->card));
    assert_memory_equal(m.identity, s->facts.identity, 32);
    assert_memory_equal(m.wireguard_public, s->facts.wireguard_public, 32);
}

static void leave(struct sample *s)
{
    s->facts.left = true;
    s->facts.epoch = UINT64_MAX;
    memset(s->facts.wireguard_public, 0, 32);
    seal(s);
}

static void the_first_card_makes_its_network(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1);
    struct tn_store_counts c;
    struct tn_store_place p;
    uint64_t seq;

    assert_int_equal(w->t.ops->counts(w->t.ctx, &c), 0);
    assert_int_equal(c.networks, 0);
    assert_int_equal(join(w->t, &s, &p), TN_STATUS_OK);
    assert_int_not_equal(p.network, 0);
    assert_int_equal(p.roster_seq, 1);
    assert_holds(w, p.network, &s, 1);
    assert_int_equal(w->t.ops->roster_seq(w->t.ctx, p.network, &seq), 0);
    assert_int_equal(seq, 1);
    assert_int_equal(w->t.ops->counts(w->t.ctx, &c), 0);
    assert_int_equal(c.networks, 1);
    assert_int_equal(c.members, 1);
}

static void the_same_card_again_changes_nothing(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);
    struct tn_store_place p;

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_OK);
    a.facts.not_after_s = NOW_S - 1; /* it may be late: it is in */
    assert_int_equal(join(w->t, &a, &p), TN_STATUS_OK);
    assert_int_equal(p.roster_seq, 2);
    assert_holds(w, p.network, &a, 1);
    assert_int_equal(update(w->t, &a, &p), TN_STATUS_OK);
    assert_int_equal(p.roster_seq, 2);
}

static void an_invite_makes_one_member_for_good(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), thief = sample(1, 2);

    memcpy(thief.facts.invite_id, a.facts.invite_id, 16);
    seal(&thief);
    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &thief, NULL), TN_STATUS_INVITE_USED);
    leave(&a);
    assert_int_equal(update(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &thief, NULL), TN_STATUS_INVITE_USED);
    reopen(w);
    assert_int_equal(join(w->t, &thief, NULL), TN_STATUS_INVITE_USED);
}

static void the_same_invite_id_in_another_network_is_another_invite(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(2, 1);
    struct tn_store_place pa, pb;

    assert_int_equal(join(w->t, &a, &pa), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, &pb), TN_STATUS_OK);
    assert_int_not_equal(pa.network, pb.network);
    assert_int_equal(pb.roster_seq, 1);
}

static void an_expired_invite_is_refused_and_not_used_up(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1);
    struct tn_store_counts c;

    s.facts.not_after_s = NOW_S - 1;
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_INVITE_EXPIRED);
    assert_int_equal(w->t.ops->counts(w->t.ctx, &c), 0);
    assert_int_equal(c.networks, 0);
    s.facts.not_after_s = NOW_S; /* its last second */
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
}

static void a_card_from_an_impossible_time_is_refused_and_its_invite_is_not_spent(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1);
    struct tn_store_counts c;

    s.facts.not_after_s = NOW_S + 2 * 86400;
    s.facts.joined_at_s = NOW_S + 86401;
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_CLOCK);
    s.facts.not_after_s = NOW_S + 10;
    s.facts.joined_at_s = NOW_S + 11;
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_CLOCK);
    assert_int_equal(w->t.ops->counts(w->t.ctx, &c), 0);
    assert_int_equal(c.networks, 0);
    s.facts.not_after_s = NOW_S + 86400;
    s.facts.joined_at_s = NOW_S + 86400; /* a day ahead is forgiven */
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
}

static void an_identity_has_one_invite(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    memcpy(b.facts.identity, a.facts.identity, 32);
    seal(&b);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_TAKEN);
    assert_int_equal(update(w->t, &b, NULL), TN_STATUS_TAKEN);
}

static void what_is_another_members_is_taken(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1);

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    for (int i = 0; i < 4; i++) {
        struct sample b = sample(1, 2);

        if (i == 0)
            strcpy(b.facts.name, a.facts.name);
        if (i == 1)
            memcpy(b.facts.ipv4, a.facts.ipv4, 4);
        if (i == 2)
            memcpy(b.facts.ipv6, a.facts.ipv6, 16);
        if (i == 3)
            memcpy(b.facts.wireguard_public, a.facts.wireguard_public, 32);
        seal(&b);
        assert_int_equal(join(w->t, &b, NULL), TN_STATUS_TAKEN);
    }
}

static void names_and_addresses_are_each_networks_own_but_a_key_is_everywhere(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(2, 1);

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    memcpy(b.facts.wireguard_public, a.facts.wireguard_public, 32);
    seal(&b);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_TAKEN);
    b = sample(2, 1);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_OK);
}

static void a_higher_epoch_replaces_the_card(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1), old;
    struct tn_store_member m;
    struct tn_store_place p;

    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
    old = s;
    s.facts.epoch = 7;
    fill(s.facts.wireguard_public, 32, 0x77, 7);
    seal(&s);
    assert_int_equal(update(w->t, &s, &p), TN_STATUS_OK);
    assert_int_equal(p.roster_seq, 2);
    assert_holds(w, p.network, &s, 2);
    assert_int_equal(
        w->t.ops->member_by_wireguard(w->t.ctx, old.facts.wireguard_public, &m), TN_ENOENT);
    assert_int_equal(w->t.ops->member_by_wireguard(w->t.ctx, s.facts.wireguard_public, &m), 0);
    assert_int_equal(update(w->t, &old, NULL), TN_STATUS_OLD_EPOCH);
    s.facts.epoch = 8;
    seal(&s);
    assert_int_equal(join(w->t, &s, &p), TN_STATUS_OK); /* JOIN of a known one is an UPDATE */
    assert_int_equal(p.roster_seq, 3);
}

static void the_same_epoch_with_another_key_is_not_newer(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1);

    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
    fill(s.facts.wireguard_public, 32, 0x77, 7);
    seal(&s);
    assert_int_equal(update(w->t, &s, NULL), TN_STATUS_OLD_EPOCH);
}

static void epochs_above_two_to_the_63_are_compared_without_a_sign(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1);

    s.facts.epoch = INT64_MAX;
    seal(&s);
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
    s.facts.epoch = (uint64_t)INT64_MAX + 1;
    s.card[100] ^= 1;
    assert_int_equal(update(w->t, &s, NULL), TN_STATUS_OK);
    s.facts.epoch = 2;
    s.card[100] ^= 3;
    assert_int_equal(update(w->t, &s, NULL), TN_STATUS_OLD_EPOCH);
}

static void an_update_cannot_move_a_member_or_take_anothers_key(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_OK);
    for (int i = 0; i < 5; i++) {
        struct sample s = a;

        s.facts.epoch = 2;
        if (i == 0)
            strcpy(s.facts.name, "other");
        if (i == 1)
            s.facts.ipv4[3] ^= 0x80;
        if (i == 2)
            s.facts.ipv6[15] ^= 0x80;
        if (i == 3)
            s.facts.invite_id[0] ^= 1;
        if (i == 4)
            memcpy(s.facts.wireguard_public, b.facts.wireguard_public, 32);
        seal(&s);
        assert_int_equal(update(w->t, &s, NULL), TN_STATUS_TAKEN);
    }
}

static void an_update_of_a_stranger_is_refused(void **state)
{
    struct world *w = *state;
    struct sample s = sample(1, 1), t = sample(1, 2);

    assert_int_equal(update(w->t, &s, NULL), TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
    assert_int_equal(update(w->t, &t, NULL), TN_STATUS_NO_SUCH_MEMBER);
    leave(&t);
    assert_int_equal(join(w->t, &t, NULL), TN_STATUS_NO_SUCH_MEMBER);
}

static void who_has_left_frees_the_name_but_not_the_identity(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), heir = sample(1, 2), back = sample(1, 1);
    struct tn_store_member m;
    struct tn_store_counts c;
    struct tn_store_place p;

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    leave(&a);
    assert_int_equal(update(w->t, &a, &p), TN_STATUS_OK);
    assert_holds(w, p.network, &a, 2);
    assert_int_equal(w->t.ops->member_by_name(w->t.ctx, p.network, "node-1", 6, &m), TN_ENOENT);
    assert_int_equal(w->t.ops->counts(w->t.ctx, &c), 0);
    assert_int_equal(c.members, 0);

    strcpy(heir.facts.name, a.facts.name);
    memcpy(heir.facts.ipv4, a.facts.ipv4, 4);
    memcpy(heir.facts.ipv6, a.facts.ipv6, 16);
    memcpy(heir.facts.wireguard_public, back.facts.wireguard_public, 32);
    seal(&heir);
    assert_int_equal(join(w->t, &heir, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &back, NULL), TN_STATUS_OLD_EPOCH);
}

static void members_who_left_have_no_key_to_be_found_by(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);
    uint8_t zero[32] = {0};
    struct tn_store_member m;

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, NULL), TN_STATUS_OK);
    leave(&a);
    leave(&b);
    assert_int_equal(update(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(update(w->t, &b, NULL), TN_STATUS_OK); /* both zero: no clash */
    assert_int_equal(w->t.ops->member_by_wireguard(w->t.ctx, zero, &m), TN_ENOENT);
}

static void networks_and_members_are_limited(void **state)
{
    struct world *w = *state;

    for (uint32_t net = 1; net <= 3; net++) {
        struct sample s = sample(net, 1);

        assert_int_equal(join(w->t, &s, NULL), net <= 2 ? TN_STATUS_OK : TN_STATUS_LIMIT);
    }
    for (uint32_t n = 2; n <= 4; n++) {
        struct sample s = sample(1, n);

        assert_int_equal(join(w->t, &s, NULL), n <= 3 ? TN_STATUS_OK : TN_STATUS_LIMIT);
    }
}

static void departed_members_cannot_fill_the_disk(void **state)
{
    struct world *w = *state;
    uint32_t n;

    for (n = 1; n <= 3 * COORD_STORE_ROWS_PER_MEMBER; n++) {
        struct sample s = sample(1, n);

        assert_int_equal(join(w->t, &s, NULL), TN_STATUS_OK);
        leave(&s);
        assert_int_equal(update(w->t, &s, NULL), TN_STATUS_OK);
    }
    struct sample s = sample(1, n);

    assert_int_equal(join(w->t, &s, NULL), TN_STATUS_LIMIT);
}

static void a_member_is_found_by_each_of_its_keys(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);
    struct tn_store_place p;
    struct tn_store_member m;
    uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, &p), TN_STATUS_OK);
    memcpy(mapped + 12, b.facts.ipv4, 4);
    assert_int_equal(w->t.ops->member_by_address(w->t.ctx, p.network, mapped, &m), 0);
    assert_memory_equal(m.identity, b.facts.identity, 32);
    assert_int_equal(w->t.ops->member_by_address(w->t.ctx, p.network, a.facts.ipv6, &m), 0);
    assert_memory_equal(m.identity, a.facts.identity, 32);
    assert_int_equal(w->t.ops->member_by_name(w->t.ctx, p.network, "node-2xyz", 6, &m), 0);
    assert_memory_equal(m.identity, b.facts.identity, 32);
    assert_int_equal(w->t.ops->member_by_wireguard(w->t.ctx, a.facts.wireguard_public, &m), 0);
    assert_memory_equal(m.identity, a.facts.identity, 32);
    assert_int_equal(w->t.ops->member_by_identity(w->t.ctx, p.network + 1, a.facts.identity, &m),
                     TN_ENOENT);
}

static void a_hostile_name_finds_nobody_and_breaks_nothing(void **state)
{
    static const char *const names[] = {"' OR 1=1 --", "\"; DROP TABLE member; --", "%s%n", "node-1\0x",
                                        "\xff\xfe", "\x1b[2J", "NODE-1"};
    static const size_t lens[] = {11, 24, 4, 8, 2, 4, 6};
    struct world *w = *state;
    struct sample s = sample(1, 1);
    struct tn_store_place p;
    struct tn_store_member m;

    assert_int_equal(join(w->t, &s, &p), TN_STATUS_OK);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        assert_int_equal(w->t.ops->member_by_name(w->t.ctx, p.network, names[i], lens[i], &m),
                         TN_ENOENT);
    assert_holds(w, p.network, &s, 1);
    assert_int_equal(coord_store_health(w->store)->failures, 0);
}

static void sync_walks_all_changes_in_order_and_ends(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(1, 2);
    struct tn_store_place p;
    struct tn_store_member m;

    assert_int_equal(join(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, &p), TN_STATUS_OK);
    leave(&a);
    assert_int_equal(update(w->t, &a, NULL), TN_STATUS_OK);
    assert_int_equal(w->t.ops->member_next_after(w->t.ctx, p.network, 0, &m), 0);
    assert_int_equal(m.seq, 2);
    assert_memory_equal(m.identity, b.facts.identity, 32);
    assert_int_equal(w->t.ops->member_next_after(w->t.ctx, p.network, 2, &m), 0);
    assert_int_equal(m.seq, 3);
    assert_true(m.left);
    assert_int_equal(w->t.ops->member_next_after(w->t.ctx, p.network, 3, &m), TN_ENOENT);
    assert_int_equal(w->t.ops->member_next_after(w->t.ctx, p.network, UINT64_MAX, &m), TN_ENOENT);
}

static void everything_is_there_after_a_restart(void **state)
{
    struct world *w = *state;
    struct sample a = sample(1, 1), b = sample(2, 2);
    struct tn_store_place pa, pb;

    assert_int_equal(join(w->t, &a, &pa), TN_STATUS_OK);
    assert_int_equal(join(w->t, &b, &pb), TN_STATUS_OK);
    a.facts.epoch = 2;
    seal(&a);
    assert_int_equal(update(w->t, &a, NULL), TN_STATUS_OK);
    reopen(w);
    assert_holds(w, pa.network, &a, 2);
    assert_holds(w, pb.network, &b, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_card_makes_its_network),
        T(the_same_card_again_changes_nothing),
        T(an_invite_makes_one_member_for_good),
        T(the_same_invite_id_in_another_network_is_another_invite),
        T(an_expired_invite_is_refused_and_not_used_up),
        T(a_card_from_an_impossible_time_is_refused_and_its_invite_is_not_spent),
        T(an_identity_has_one_invite),
        T(what_is_another_members_is_taken),
        T(names_and_addresses_are_each_networks_own_but_a_key_is_everywhere),
        T(a_higher_epoch_replaces_the_card),
        T(the_same_epoch_with_another_key_is_not_newer),
        T(epochs_above_two_to_the_63_are_compared_without_a_sign),
        T(an_update_cannot_move_a_member_or_take_anothers_key),
        T(an_update_of_a_stranger_is_refused),
        T(who_has_left_frees_the_name_but_not_the_identity),
        T(members_who_left_have_no_key_to_be_found_by),
        T(networks_and_members_are_limited),
        T(departed_members_cannot_fill_the_disk),
        T(a_member_is_found_by_each_of_its_keys),
        T(a_hostile_name_finds_nobody_and_breaks_nothing),
        T(sync_walks_all_changes_in_order_and_ends),
        T(everything_is_there_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
