#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ip.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/path/squeeze.h"
#include "vectors.h"

static const uint8_t here[4] = {10, 77, 0, 1}, there[4] = {10, 77, 0, 2};

struct packet {
    uint8_t mem[1600];
    struct tn_buf b;
};

/* A datagram as a host sends it. */
static void make(struct packet *p, uint16_t from, uint16_t to, size_t payload)
{
    size_t len = 28 + payload;
    uint8_t *ip;
    uint16_t sum;

    p->b = (struct tn_buf){.mem = p->mem, .cap = sizeof(p->mem), .off = 64, .len = len};
    ip = tn_buf_data(&p->b);
    for (size_t i = 0; i < len; i++)
        ip[i] = (uint8_t)(i * 5);
    unhex_exactly(ip, 28, "4500 0000 0000 4000 4011 0000 0a4d0001 0a4d0002 0000 0000 0000 0000");
    tn_put_be16(ip + 2, (uint16_t)len);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    tn_put_be16(ip + 20, from);
    tn_put_be16(ip + 22, to);
    tn_put_be16(ip + 24, (uint16_t)(len - 20));
    sum = tn_ip_checksum(tn_ip_sum(tn_ip_sum(17 + (uint32_t)(len - 20), ip + 12, 8), ip + 20, len - 20));
    tn_put_be16(ip + 26, sum ? sum : 0xffff);
}

static void goes_and_comes(uint16_t from, uint16_t to, size_t payload, size_t header)
{
    struct packet p, was;

    make(&p, from, to, payload);
    was = p;
    assert_true(tn_squeeze(&p.b, here, there));
    assert_int_equal(p.b.len, header + payload);
    assert_true(tn_is_squeezed(tn_buf_data(&p.b), p.b.len));
    assert_int_equal(tn_unsqueeze(&p.b, here, there), TN_OK);
    assert_int_equal(p.b.len, 28 + payload);
    assert_memory_equal(tn_buf_data(&p.b), was.mem + 64, 28 + payload);
}

static void squeezed_datagrams_have_these_bytes(void **state)
{
    static const struct {
        uint16_t from, to;
        const char *hex;
    } want[] = {
        {0x1234, 0x5678, "08 1234 5678 8c"},
        {0xf0b3, 0xf0bf, "09 3f 8c"},
        {0x1234, 5683, "0a 1234 8c"},
        {5683, 0x1234, "0b 1234 8c"},
        {5683, 5683, "0a 1633 8c"},
        {0xf0b3, 0xf0c0, "08 f0b3 f0c0 8c"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        struct packet p;
        uint8_t bytes[16];
        size_t len = unhex(bytes, sizeof(bytes), want[i].hex);

        make(&p, want[i].from, want[i].to, 1);
        assert_true(tn_squeeze(&p.b, here, there));
        assert_int_equal(p.b.len, len);
        assert_memory_equal(tn_buf_data(&p.b), bytes, len);
    }
}

static void every_length_and_kind_of_port_comes_back_as_it_was(void **state)
{
    (void)state;
    for (size_t payload = 0; payload <= 1400; payload += payload < 70 ? 1 : 37) {
        goes_and_comes(1000, 40000, payload, 5);
        goes_and_comes(61616, 61631, payload, 2);
        goes_and_comes(61615, 61616, payload, 5);
        goes_and_comes(5683, 1, payload, 3);
        goes_and_comes(0, 5683, payload, 3);
    }
}

static void a_sum_that_comes_out_zero_is_said_as_ffff(void **state)
{
    struct packet p;
    uint32_t found = 0;

    (void)state;
    for (uint32_t fill = 0; fill < 65536; fill++) {
        uint8_t *ip;
        uint32_t sum;

        make(&p, 1, 2, 2);
        ip = tn_buf_data(&p.b);
        tn_put_be16(ip + 28, (uint16_t)fill);
        tn_put_be16(ip + 26, 0);
        sum = tn_ip_checksum(tn_ip_sum(tn_ip_sum(17 + 10, ip + 12, 8), ip + 20, 10));
        if (sum)
            continue;
        found++;
        assert_false(tn_squeeze(&p.b, here, there)); /* no sum at all is not ordinary */
        tn_put_be16(ip + 26, 0xffff);
        assert_true(tn_squeeze(&p.b, here, there));
        assert_int_equal(tn_unsqueeze(&p.b, here, there), TN_OK);
        assert_int_equal(tn_get_be16(tn_buf_data(&p.b) + 26), 0xffff);
    }
    assert_in_range(found, 1, 2);
}

/* Each bit of the headers that is turned makes the datagram an extraordinary one, but for the
 * ports and the identification. Of two changes that leave the sums right, the second is the test's. */
static void what_is_not_ordinary_goes_as_it_is(void **state)
{
    struct packet p, was;

    (void)state;
    for (size_t bit = 0; bit < 28 * 8; bit++) {
        make(&p, 1000, 2000, 40);
        tn_buf_data(&p.b)[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        was = p;
        assert_false(tn_squeeze(&p.b, here, there));
        assert_memory_equal(p.mem, was.mem, sizeof(p.mem));
        assert_int_equal(p.b.len, was.b.len);
    }
    for (size_t at = 0; at < 20; at++) { /* now with the right sum of the header */
        uint8_t *ip;

        make(&p, 1000, 2000, 40);
        ip = tn_buf_data(&p.b);
        ip[at] ^= 1;
        tn_put_be16(ip + 10, 0);
        tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
        if (at == 4 || at == 5 || at == 10 || at == 11)
            assert_true(tn_squeeze(&p.b, here, there));
        else
            assert_false(tn_squeeze(&p.b, here, there));
    }
    make(&p, 1000, 2000, 40);
    for (p.b.len = 0; p.b.len < 68; p.b.len++)
        assert_false(tn_squeeze(&p.b, here, there));
    make(&p, 1000, 2000, 40);
    assert_false(tn_squeeze(&p.b, there, here));
}

static void the_identification_becomes_zero(void **state)
{
    struct packet p;
    uint8_t *ip;

    (void)state;
    make(&p, 1000, 2000, 40);
    ip = tn_buf_data(&p.b);
    tn_put_be16(ip + 4, 0x1234);
    tn_put_be16(ip + 10, 0);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    assert_true(tn_squeeze(&p.b, here, there));
    assert_int_equal(tn_unsqueeze(&p.b, here, there), TN_OK);
    make(&p, 1000, 2000, 40);
    assert_int_equal(tn_get_be16(tn_buf_data(&p.b) + 4), 0);
}

static void a_header_that_is_cut_is_refused(void **state)
{
    static const uint8_t header[4] = {5, 2, 3, 3};

    (void)state;
    for (uint8_t kind = 0; kind < 4; kind++) {
        for (size_t len = 0; len <= header[kind]; len++) {
            uint8_t mem[200] = {0};
            struct tn_buf b = {.mem = mem, .cap = sizeof(mem), .off = 100, .len = len};

            mem[100] = (uint8_t)(TN_SQUEEZED_PORTS + kind);
            assert_int_equal(tn_unsqueeze(&b, here, there), len < header[kind] ? TN_EINVAL : TN_OK);
        }
    }
}

static void room_is_taken_before_or_behind_and_never_beyond(void **state)
{
    struct packet want;

    (void)state;
    make(&want, 0xf0b1, 0xf0b2, 50);
    for (size_t front = 0; front <= 30; front++) {
        for (size_t back = 0; back <= 30; back++) {
            uint8_t *mem = malloc(front + 52 + back);
            struct tn_buf b = {.mem = mem, .cap = front + 52 + back, .off = front, .len = 52};

            assert_non_null(mem);
            mem[front] = TN_SQUEEZED_NEAR;
            mem[front + 1] = 0x12;
            memcpy(mem + front + 2, want.mem + 64 + 28, 50);
            if (front + back < 26) {
                assert_int_equal(tn_unsqueeze(&b, here, there), TN_ENOSPC);
                assert_int_equal(b.len, 52);
            } else {
                assert_int_equal(tn_unsqueeze(&b, here, there), TN_OK);
                assert_int_equal(b.len, 78);
                assert_memory_equal(tn_buf_data(&b), want.mem + 64, 78);
            }
            free(mem);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squeezed_datagrams_have_these_bytes),
        cmocka_unit_test(every_length_and_kind_of_port_comes_back_as_it_was),
        cmocka_unit_test(a_sum_that_comes_out_zero_is_said_as_ffff),
        cmocka_unit_test(what_is_not_ordinary_goes_as_it_is),
        cmocka_unit_test(the_identification_becomes_zero),
        cmocka_unit_test(a_header_that_is_cut_is_refused),
        cmocka_unit_test(room_is_taken_before_or_behind_and_never_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
