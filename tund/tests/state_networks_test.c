/* What was learned about networks, on disk and in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tund/state_networks.h"

static struct state_networks filled(uint32_t count)
{
    struct state_networks n = {.count = 0};

    for (uint32_t i = 0; i < count; i++) {
        struct tn_natlife life = {.alive_s = 10 + i, .dead_s = i % 2 ? 0 : 20 + i};

        state_networks_put(&n, 1000 + i, &life);
    }
    return n;
}

static void what_was_put_is_found_and_the_oldest_goes(void **state)
{
    struct state_networks n = filled(STATE_NETWORKS_MAX + 3);
    struct tn_natlife life = {.alive_s = 7};

    (void)state;
    assert_int_equal(n.count, STATE_NETWORKS_MAX);
    assert_int_equal(state_networks_find(&n, 1000).alive_s, 0);
    assert_int_equal(state_networks_find(&n, 1003).alive_s, 13);
    state_networks_put(&n, 1003, &life);
    assert_int_equal(n.count, STATE_NETWORKS_MAX);
    assert_int_equal(n.row[0].key, 1003);
    assert_int_equal(state_networks_find(&n, 1003).alive_s, 7);
    assert_int_equal(state_networks_find(&n, 1004).alive_s, 14);
}

static void what_is_encoded_is_decoded(void **state)
{
    uint8_t buf[STATE_NETWORKS_FILE_MAX];
    struct state_networks n, got;
    size_t len;

    (void)state;
    for (uint32_t count = 0; count <= STATE_NETWORKS_MAX; count++) {
        n = filled(count);
        assert_int_equal(state_networks_encode(&n, buf, sizeof buf, &len), 0);
        memset(&got, 0x5a, sizeof got);
        assert_int_equal(state_networks_decode(&got, buf, len), 0);
        assert_int_equal(got.count, count);
        assert_memory_equal(got.row, n.row, count * sizeof *n.row);
    }
    for (size_t cap = 0; cap < len; cap++)
        assert_int_equal(state_networks_encode(&n, buf, cap, &len), TN_ENOSPC);
}

static void a_cut_or_a_flipped_bit_is_noticed(void **state)
{
    uint8_t buf[STATE_NETWORKS_FILE_MAX];
    struct state_networks n = filled(3), got, before;
    size_t len;

    (void)state;
    memset(&before, 0x5a, sizeof before);
    got = before;
    assert_int_equal(state_networks_encode(&n, buf, sizeof buf, &len), 0);
    for (size_t to = 0; to < len; to++)
        assert_int_equal(state_networks_decode(&got, buf, to), TN_EINVAL);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(state_networks_decode(&got, buf, len), TN_EINVAL);
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    n.row[1].life = (struct tn_natlife){.alive_s = 9, .dead_s = 9}; /* which cannot be */
    assert_int_equal(state_networks_encode(&n, buf, sizeof buf, &len), 0);
    assert_int_equal(state_networks_decode(&got, buf, len), TN_EINVAL);
    assert_memory_equal(&got, &before, sizeof got);
}

static void networks_are_told_apart_by_outside_address_and_lan(void **state)
{
    struct tn_addr outside = tn_addr_v4((uint8_t[]){192, 0, 2, 1}, 1), other = outside;
    struct tn_addr local = tn_addr_v4((uint8_t[]){192, 168, 1, 10}, 0);
    struct tn_addr host = tn_addr_v4((uint8_t[]){192, 168, 1, 99}, 0);
    struct tn_addr lan = tn_addr_v4((uint8_t[]){192, 168, 2, 10}, 0);

    (void)state;
    other.ip[15] = 2;
    assert_true(state_network_key(&outside, &local) == state_network_key(&outside, &host));
    assert_true(state_network_key(&outside, &local) != state_network_key(&other, &local));
    assert_true(state_network_key(&outside, &local) != state_network_key(&outside, &lan));
    other = outside;
    other.port = 9; /* ports change with every mapping */
    assert_true(state_network_key(&outside, &local) == state_network_key(&other, &local));
}

static void the_file_is_written_and_a_damaged_one_is_told(void **state)
{
    char dir[] = "/tmp/tund-networks-XXXXXX", path[64];
    struct state_networks n = filled(2), got = filled(5);
    struct state s;
    struct why why;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(state_load_networks(&s, &got, &why), 0);
    assert_int_equal(got.count, 0);
    assert_int_equal(state_save_networks(&s, &n, &why), 0);
    assert_int_equal(state_load_networks(&s, &got, &why), 0);
    assert_int_equal(got.count, 2);
    assert_int_equal(state_write(&s, "networks", "rubbish", 7, &why), 0);
    assert_int_equal(state_load_networks(&s, &got, &why), -EBADMSG);
    state_close(&s);
    snprintf(path, sizeof path, "%s/networks", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_the_oldest_goes),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(a_cut_or_a_flipped_bit_is_noticed),
        cmocka_unit_test(networks_are_told_apart_by_outside_address_and_lan),
        cmocka_unit_test(the_file_is_written_and_a_damaged_one_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
