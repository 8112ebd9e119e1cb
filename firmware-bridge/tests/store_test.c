/* Records that outlive a power cut: cut at every byte of every write. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "inside.h"

static uint8_t memory[BRIDGE_STORAGE_LEN];
static long budget; /* bytes until the power is cut; -1: never */
static uint8_t torn; /* what the byte becomes at which the power goes */
static bool reads_fail;

static int mem_read(void *ctx, uint32_t at, void *out, size_t len)
{
    assert_true(at + len <= sizeof memory);
    memcpy(out, memory + at, len);
    return reads_fail ? -1 : 0;
}

static int mem_write(void *ctx, uint32_t at, const void *data, size_t len)
{
    const uint8_t *from = data;

    assert_true(at + len <= sizeof memory);
    for (size_t i = 0; i < len; i++) {
        if (budget == 0) {
            memory[at + i] = torn;
            return -1;
        }
        budget -= budget > 0;
        memory[at + i] = from[i];
    }
    return 0;
}

static const struct bridge_storage storage = {mem_read, mem_write, NULL};

static int begin(void **state)
{
    memset(memory, 0xff, sizeof memory);
    budget = -1;
    reads_fail = false;
    return 0;
}

static void save(enum bridge_region r, uint8_t value, size_t len)
{
    uint8_t data[700];

    memset(data, value, sizeof data);
    assert_int_equal(bridge_store_save(&storage, r, data, len), 0);
}

/* The record's bytes are all alike: which, or -1 when there is none. */
static int load(enum bridge_region r, size_t *len)
{
    uint8_t data[700];
    int err = bridge_store_load(&storage, r, data, sizeof data, len);

    if (err == TN_ENOENT)
        return -1;
    assert_int_equal(err, 0);
    for (size_t i = 1; i < *len; i++)
        assert_int_equal(data[i], data[0]);
    return data[0];
}

static void what_was_never_written_holds_no_record(void **state)
{
    size_t len;

    for (int fill = 0; fill < 256; fill++) {
        memset(memory, fill, sizeof memory);
        for (int r = 0; r < BRIDGE_REGIONS; r++)
            assert_int_equal(load((enum bridge_region)r, &len), -1);
    }
}

static void the_last_of_many_saves_is_loaded_and_regions_do_not_touch(void **state)
{
    size_t len;

    for (unsigned i = 1; i < 60; i++) {
        for (int r = 0; r < BRIDGE_REGIONS; r++)
            save((enum bridge_region)r, (uint8_t)(i + 60 * (unsigned)r), bridge_store_max((enum bridge_region)r) - i % 4);
        for (int r = 0; r < BRIDGE_REGIONS; r++) {
            assert_int_equal(load((enum bridge_region)r, &len), (uint8_t)(i + 60 * (unsigned)r));
            assert_int_equal(len, bridge_store_max((enum bridge_region)r) - i % 4);
        }
    }
}

static void a_cut_at_any_byte_of_a_save_leaves_the_old_record_or_the_new(void **state)
{
    static const uint8_t torn_bytes[] = {0x00, 0xff, 0x5a};
    uint8_t before[sizeof memory];
    size_t len;

    for (int r = 0; r < BRIDGE_REGIONS; r++) {
        size_t max = bridge_store_max((enum bridge_region)r);
        uint8_t data[700];

        memset(data, 200, sizeof data);
        for (uint8_t i = 1; i <= 9; i++) { /* round the ring, so every slot is written over */
            save((enum bridge_region)r, i, max);
            memcpy(before, memory, sizeof memory);
            for (size_t t = 0; t < sizeof torn_bytes; t++) {
                for (long cut = 0; cut <= (long)(max + BRIDGE_SLOT_OVERHEAD); cut++) {
                    int found, err;

                    memcpy(memory, before, sizeof memory);
                    torn = torn_bytes[t];
                    budget = cut;
                    err = bridge_store_save(&storage, (enum bridge_region)r, data, max);
                    budget = -1;
                    found = load((enum bridge_region)r, &len);
                    if (err)
                        assert_true(found == i || found == 200);
                    else
                        assert_int_equal(found, 200);
                    if (cut < (long)(max + BRIDGE_SLOT_OVERHEAD - 1))
                        assert_int_equal(found, i);
                    /* and the next save works */
                    save((enum bridge_region)r, 77, max);
                    assert_int_equal(load((enum bridge_region)r, &len), 77);
                }
            }
            memcpy(memory, before, sizeof memory);
        }
    }
}

static void a_cut_at_any_byte_of_an_erasure_never_brings_an_older_record_back(void **state)
{
    size_t max = bridge_store_max(BRIDGE_REGION_IDENTITY), len;
    uint8_t before[sizeof memory];

    save(BRIDGE_REGION_IDENTITY, 1, max);
    save(BRIDGE_REGION_IDENTITY, 2, max);
    memcpy(before, memory, sizeof memory);
    for (long cut = 0; cut < (long)(max + 2 * BRIDGE_SLOT_OVERHEAD); cut++) {
        int found;

        memcpy(memory, before, sizeof memory);
        budget = cut;
        assert_int_equal(bridge_store_erase(&storage, BRIDGE_REGION_IDENTITY), TN_ESTATE);
        budget = -1;
        found = load(BRIDGE_REGION_IDENTITY, &len);
        assert_true(found == 2 || found == -1);
    }
    memcpy(memory, before, sizeof memory);
    assert_int_equal(bridge_store_erase(&storage, BRIDGE_REGION_IDENTITY), 0);
    assert_int_equal(load(BRIDGE_REGION_IDENTITY, &len), -1);
    for (size_t i = 0; i < sizeof memory; i++) /* nothing of the keys is left, but for a checked stub */
        assert_true(memory[i] != 2 || i % 684 < BRIDGE_SLOT_OVERHEAD);
}

static void a_flipped_bit_is_seen(void **state)
{
    size_t max = bridge_store_max(BRIDGE_REGION_STAMP), len;

    save(BRIDGE_REGION_STAMP, 9, max);
    for (size_t at = 0; at < sizeof memory; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memory[at] ^= (uint8_t)(1 << bit);
            if (at >= 2 * 684u && at < 2 * 684u + max + BRIDGE_SLOT_OVERHEAD)
                assert_int_equal(load(BRIDGE_REGION_STAMP, &len), -1);
            else
                assert_int_equal(load(BRIDGE_REGION_STAMP, &len), 9);
            memory[at] ^= (uint8_t)(1 << bit);
        }
    }
}

static void what_does_not_fit_and_what_cannot_be_read_is_refused(void **state)
{
    uint8_t data[700] = {0};
    size_t len = 5;

    assert_int_equal(bridge_store_save(&storage, BRIDGE_REGION_STAMP, data,
                                       bridge_store_max(BRIDGE_REGION_STAMP) + 1), TN_EINVAL);
    save(BRIDGE_REGION_SETTINGS, 1, 20);
    assert_int_equal(bridge_store_load(&storage, BRIDGE_REGION_SETTINGS, data, 19, &len), TN_ENOSPC);
    assert_int_equal(len, 5);
    reads_fail = true;
    assert_int_equal(bridge_store_load(&storage, BRIDGE_REGION_SETTINGS, data, 20, &len), TN_ESTATE);
    assert_int_equal(bridge_store_save(&storage, BRIDGE_REGION_SETTINGS, data, 20), TN_ESTATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_never_written_holds_no_record, begin),
        cmocka_unit_test_setup(the_last_of_many_saves_is_loaded_and_regions_do_not_touch, begin),
        cmocka_unit_test_setup(a_cut_at_any_byte_of_a_save_leaves_the_old_record_or_the_new, begin),
        cmocka_unit_test_setup(a_cut_at_any_byte_of_an_erasure_never_brings_an_older_record_back, begin),
        cmocka_unit_test_setup(a_flipped_bit_is_seen, begin),
        cmocka_unit_test_setup(what_does_not_fit_and_what_cannot_be_read_is_refused, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
