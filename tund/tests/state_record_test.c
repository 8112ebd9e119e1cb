/* What is in the state's files: read back whole, refused when damaged, and the
 * second copy read when the first is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtunnel/crypto/crypto.h"
#include "save_roster.h"
#include "tund/enroll.h"
#include "tund/state_record.h"

struct fixture {
    char dir[64];
    struct state s;
    struct why why;
    struct state_owner owner;
    struct state_node node;
};

static void make(struct state_owner *owner, struct state_node *node)
{
    struct tn_url url = {.host = "coord.example.net", .port = 3478};
    static const uint8_t ip[4] = {10, 77, 0, 0};
    struct prefix prefix = prefix_v4(ip, 20);
    struct tn_member members[1];
    struct tn_invite invite;
    struct tn_roster roster;
    struct why why;
    uint8_t network_public[32], private_key[32] = {1};

    assert_int_equal(tn_x25519_public(url.public_key, private_key), 0);
    assert_int_equal(enroll_network(owner, "home", &prefix, &why), 0);
    tn_ed25519_public(network_public, owner->network_seed);
    tn_roster_init(&roster, members, 1, network_public);
    assert_int_equal(enroll_invite(owner, &roster, "nas", 0, &url, 1790000000, 3600, &invite, &why), 0);
    assert_int_equal(enroll_member(node, &invite, 1790000001, &why), 0);
    strcpy(node->ifname, "tund0");
    node->port = 61234;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/tund-record-test-XXXXXX");
    if (!mkdtemp(f->dir) || state_open(&f->s, f->dir, false, &f->why) != 0)
        return -1;
    make(&f->owner, &f->node);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    state_close(&f->s);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
    if (system(cmd) != 0)
        return -1;
    free(f);
    return 0;
}

/* ---- pure ---- */

static void a_node_is_read_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX];
    struct state_node back;
    size_t len;

    f->node.joined = true;
    assert_int_equal(state_node_encode(&f->node, buf, sizeof(buf), &len), 0);
    assert_int_equal(state_node_decode(&back, buf, len), 0);
    assert_memory_equal(back.identity_seed, f->node.identity_seed, 32);
    assert_memory_equal(back.wireguard_private, f->node.wireguard_private, 32);
    assert_memory_equal(back.coordinator.public_key, f->node.coordinator.public_key, 32);
    assert_string_equal(back.coordinator.host, "coord.example.net");
    assert_int_equal(back.coordinator.port, 3478);
    assert_string_equal(back.ifname, "tund0");
    assert_int_equal(back.port, 61234);
    assert_true(back.joined);
    assert_false(back.portmap_off); /* also for what was written before there was such a thing */
    f->node.portmap_off = true;
    assert_int_equal(state_node_encode(&f->node, buf, sizeof(buf), &len), 0);
    assert_int_equal(state_node_decode(&back, buf, len), 0);
    assert_true(back.joined && back.portmap_off);
    assert_true(tn_card_equal(&back.card, &f->node.card));
}

static void an_owner_is_read_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX];
    struct state_owner back;
    size_t len;

    assert_int_equal(state_owner_encode(&f->owner, buf, sizeof(buf), &len), 0);
    assert_int_equal(state_owner_decode(&back, buf, len), 0);
    assert_memory_equal(back.network_seed, f->owner.network_seed, 32);
    assert_string_equal(back.network, "home");
    assert_memory_equal(back.prefix, f->owner.prefix, 4);
    assert_int_equal(back.bits, 20);
    assert_int_equal(back.next_host, 2);
}

static void a_record_with_any_bit_flipped_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX];
    struct state_owner owner, owner_before;
    struct state_node node, node_before;
    size_t len;

    memset(&node, 0x55, sizeof(node));
    node_before = node;
    assert_int_equal(state_node_encode(&f->node, buf, sizeof(buf), &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(state_node_decode(&node, buf, len), TN_EINVAL);
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_memory_equal(&node, &node_before, sizeof(node));
    memset(&owner, 0x55, sizeof(owner));
    owner_before = owner;
    assert_int_equal(state_owner_encode(&f->owner, buf, sizeof(buf), &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(state_owner_decode(&owner, buf, len), TN_EINVAL);
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_memory_equal(&owner, &owner_before, sizeof(owner));
}

static void a_record_cut_anywhere_or_longer_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX + 1] = {0};
    struct state_owner owner;
    struct state_node node;
    size_t len;

    assert_int_equal(state_node_encode(&f->node, buf, sizeof(buf), &len), 0);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(state_node_decode(&node, buf, n), TN_EINVAL);
    assert_int_equal(state_node_decode(&node, buf, len + 1), TN_EINVAL);
    assert_int_equal(state_owner_encode(&f->owner, buf, sizeof(buf), &len), 0);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(state_owner_decode(&owner, buf, n), TN_EINVAL);
    assert_int_equal(state_owner_decode(&owner, buf, len + 1), TN_EINVAL);
}

static void a_record_of_another_kind_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX];
    struct state_owner owner;
    struct state_node node;
    size_t len;

    assert_int_equal(state_node_encode(&f->node, buf, sizeof(buf), &len), 0);
    assert_int_equal(state_owner_decode(&owner, buf, len), TN_EINVAL);
    assert_int_equal(state_owner_encode(&f->owner, buf, sizeof(buf), &len), 0);
    assert_int_equal(state_node_decode(&node, buf, len), TN_EINVAL);
}

static void fields_that_cannot_be_are_not_stored(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[STATE_RECORD_MAX];
    struct state_owner owner = f->owner;
    struct state_node node = f->node;
    size_t len;

    node.coordinator.port = 0;
    assert_int_equal(state_node_encode(&node, buf, sizeof(buf), &len), TN_EINVAL);
    node = f->node;
    memset(node.ifname, 'x', sizeof(node.ifname));
    assert_int_equal(state_node_encode(&node, buf, sizeof(buf), &len), TN_EINVAL);
    owner.bits = 31;
    assert_int_equal(state_owner_encode(&owner, buf, sizeof(buf), &len), TN_EINVAL);
    owner = f->owner;
    strcpy(owner.network, "Home!");
    assert_int_equal(state_owner_encode(&owner, buf, sizeof(buf), &len), TN_EINVAL);
    assert_int_equal(state_node_encode(&f->node, buf, 100, &len), TN_EINVAL);
}

/* ---- files ---- */

static void damage(struct fixture *f, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, 20), 2);
    close(fd);
}

static void empty(struct fixture *f, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(truncate(path, 0), 0);
}

static void one_damaged_copy_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct state_node back;

    assert_int_equal(state_save_node(&f->s, &f->node, &f->why), 0);
    damage(f, "node");
    assert_int_equal(state_load_node(&f->s, &back, &f->why), 0);
    assert_true(tn_card_equal(&back.card, &f->node.card));
    assert_int_equal(state_save_node(&f->s, &f->node, &f->why), 0);
    damage(f, "node.bak");
    assert_int_equal(state_load_node(&f->s, &back, &f->why), 0);
    empty(f, "node.bak");
    assert_int_equal(state_load_node(&f->s, &back, &f->why), 0);
    empty(f, "node");
    assert_int_equal(state_load_node(&f->s, &back, &f->why), -EBADMSG);
    assert_non_null(strstr(f->why.text, "damaged"));
}

static void a_missing_member_is_said_to_be_missing_though_a_copy_is_left(void **state)
{
    struct fixture *f = *state;
    struct state_owner owner;
    struct state_node back;

    assert_int_equal(state_load_node(&f->s, &back, &f->why), -ENOENT);
    assert_non_null(strstr(f->why.text, "tundctl join"));
    assert_int_equal(state_load_owner(&f->s, &owner, &f->why), -ENOENT);
    assert_non_null(strstr(f->why.text, "tundctl create"));
    assert_int_equal(state_save_node(&f->s, &f->node, &f->why), 0);
    assert_int_equal(state_remove(&f->s, "node", &f->why), 0);
    assert_int_equal(state_load_node(&f->s, &back, &f->why), -ENOENT);
}

static void the_higher_of_two_stamps_counts(void **state)
{
    struct fixture *f = *state;
    uint8_t old[64];
    uint64_t stamp = 1;
    size_t len;

    assert_int_equal(state_load_stamp(&f->s, &stamp, &f->why), 0);
    assert_int_equal(stamp, 0);
    assert_int_equal(state_save_stamp(&f->s, 1000, &f->why), 0);
    assert_int_equal(state_read(&f->s, "stamp", old, sizeof(old), &len, &f->why), 0);
    assert_int_equal(state_save_stamp(&f->s, 2000, &f->why), 0);
    assert_int_equal(state_load_stamp(&f->s, &stamp, &f->why), 0);
    assert_int_equal(stamp, 2000);
    assert_int_equal(state_write(&f->s, "stamp", old, len, &f->why), 0);
    assert_int_equal(state_load_stamp(&f->s, &stamp, &f->why), 0);
    assert_int_equal(stamp, 2000);
    damage(f, "stamp.bak");
    assert_int_equal(state_load_stamp(&f->s, &stamp, &f->why), 0);
    assert_int_equal(stamp, 1000);
    damage(f, "stamp");
    assert_int_equal(state_load_stamp(&f->s, &stamp, &f->why), -EBADMSG);
}

static void a_roster_is_read_back_and_one_bad_card_hides_no_other(void **state)
{
    struct fixture *f = *state;
    const uint8_t *network = f->node.card.cert.network_public;
    struct tn_member members[4], again[4];
    struct tn_roster_result result;
    struct tn_roster_load report;
    struct tn_roster r, back;
    struct state_node other;
    struct tn_invite invite;

    tn_roster_init(&r, members, 4, network);
    assert_int_equal(tn_roster_offer(&r, &f->node.card, 0, &result), 0);
    assert_int_equal(enroll_invite(&f->owner, &r, "laptop", 0, &f->node.coordinator, 1790000000, 3600,
                                   &invite, &f->why), 0);
    assert_int_equal(enroll_member(&other, &invite, 1790000001, &f->why), 0);
    assert_int_equal(tn_roster_offer(&r, &other.card, 0, &result), 0);
    assert_int_equal(save_roster(&f->s, &r, &f->why), 0);
    tn_roster_init(&back, again, 4, network);
    assert_int_equal(state_load_roster(&f->s, &back, &report, &f->why), 0);
    assert_int_equal(report.loaded, 2);
    damage(f, "roster"); /* within the first card */
    tn_roster_init(&back, again, 4, network);
    assert_int_equal(state_load_roster(&f->s, &back, &report, &f->why), 0);
    assert_int_equal(report.loaded, 1);
    assert_int_equal(report.damaged, 1);
    assert_non_null(tn_roster_find_name(&back, "laptop", 6));
    empty(f, "roster");
    assert_int_equal(state_load_roster(&f->s, &back, &report, &f->why), -EBADMSG);
}

static void forgetting_leaves_no_key_behind(void **state)
{
    struct fixture *f = *state;
    struct tn_roster r;
    struct tn_member members[1];
    static const char *const names[] = {"node", "node.bak", "owner", "owner.bak", "stamp",
                                        "stamp.bak", "roster"};

    tn_roster_init(&r, members, 1, f->node.card.cert.network_public);
    assert_int_equal(state_save_node(&f->s, &f->node, &f->why), 0);
    assert_int_equal(state_save_owner(&f->s, &f->owner, &f->why), 0);
    assert_int_equal(state_save_stamp(&f->s, 5, &f->why), 0);
    assert_int_equal(save_roster(&f->s, &r, &f->why), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(state_has(&f->s, names[i]));
    assert_int_equal(state_forget(&f->s, &f->why), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(state_has(&f->s, names[i]));
    assert_int_equal(state_forget(&f->s, &f->why), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_is_read_back_as_it_was),
        T(an_owner_is_read_back_as_it_was),
        T(a_record_with_any_bit_flipped_is_refused),
        T(a_record_cut_anywhere_or_longer_is_refused),
        T(a_record_of_another_kind_is_refused),
        T(fields_that_cannot_be_are_not_stored),
        T(one_damaged_copy_costs_nothing),
        T(a_missing_member_is_said_to_be_missing_though_a_copy_is_left),
        T(the_higher_of_two_stamps_counts),
        T(a_roster_is_read_back_and_one_bad_card_hides_no_other),
        T(forgetting_leaves_no_key_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
