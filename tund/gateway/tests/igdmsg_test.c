/* The child's answer on its pipe, and which addresses of a router are believed. */
#include "hexed.h"
#include "tund/gateway/igdmsg.h"

/* a whole answer, laid out by the comment on top of igdmsg.c */
static const char probe_answer[] =
    "74696764 02 02 0000 0003 9c41 00001c20 00000000000000000000ffff37020102"
    "0007 01" /* pinhole 7, through which packets came */
    "1f 687474703a2f2f3139322e3136382e312e313a353030302f726f6f742e786d" /* http://192.168.1.1:5000/root.xm */
    "0002"
    "11 9c41 ca6c 00000000000000000000ffffc0a80102 00000e10 04 74756e64"
    "06 1f90 0050 00000000000000000000000000000000 00000000 00";

static bool takes(const uint8_t *data, size_t len)
{
    static struct igd_answer a;

    return igdmsg_decode(&a, data, len) == 0;
}

static void an_answer_is_read_field_by_field_and_written_back(void **state)
{
    const struct tn_addr outside = ip4(55, 2, 1, 2), inside = ip4(192, 168, 1, 2);
    uint8_t msg[256], again[256];
    size_t len = unhex(msg, sizeof msg, probe_answer), again_len;
    struct igd_answer a;

    assert_int_equal(igdmsg_decode(&a, msg, len), 0);
    assert_int_equal(a.status, IGD_OK);
    assert_int_equal(a.version, 2);
    assert_int_equal(a.swept, 3);
    assert_int_equal(a.external_port, 40001);
    assert_int_equal(a.lease_s, 7200);
    assert_true(tn_addr_equal(&a.external, &outside));
    assert_int_equal(a.pinhole, 7);
    assert_int_equal(a.works, IGD_WORKS);
    assert_string_equal(a.location, "http://192.168.1.1:5000/root.xm");
    assert_int_equal(a.entry_count, 2);
    assert_false(a.entry[0].tcp);
    assert_int_equal(a.entry[0].internal_port, 51820);
    assert_true(tn_addr_equal(&a.entry[0].internal, &inside));
    assert_string_equal(a.entry[0].description, "tund");
    assert_true(a.entry[1].tcp);
    assert_true(tn_addr_is_zero(&a.entry[1].internal));
    assert_int_equal(igdmsg_encode(&a, again, sizeof again, &again_len), 0);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, msg, len);
}

static void a_cut_or_lengthened_answer_is_refused(void **state)
{
    uint8_t msg[256] = {0};
    size_t len = unhex(msg, sizeof msg, probe_answer);

    assert_int_equal(cuts_taken(msg, len, takes), 0);
    assert_false(takes(msg, len + 1));
}

static void what_is_taken_after_a_flip_can_be_written_again(void **state)
{
    uint8_t msg[256], again[IGD_ANSWER_MAX];
    size_t len = unhex(msg, sizeof msg, probe_answer), again_len;
    static struct igd_answer a;
    unsigned refused = 0;

    for (size_t bit = 0; bit < len * 8; bit++) {
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (igdmsg_decode(&a, msg, len) == 0) {
            assert_int_equal(igdmsg_encode(&a, again, sizeof again, &again_len), 0);
            assert_int_equal(again_len, len);
            assert_memory_equal(again, msg, len);
        } else {
            refused++;
        }
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(refused > 6 * 8); /* magic, format and version alone */
}

static void fields_that_cannot_be_are_refused_both_ways(void **state)
{
    static struct igd_answer a;
    uint8_t out[IGD_ANSWER_MAX];
    size_t len;

    a.status = IGD_STATUS_COUNT; /* neither ours nor UPnP's */
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), TN_EINVAL);
    a.status = 899;
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), 0);
    assert_true(takes(out, len));
    out[7] = 0x84; /* 900 */
    assert_false(takes(out, len));
    a.status = IGD_OK;
    a.works = IGD_WORKS_COUNT;
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), TN_EINVAL);
    a.works = IGD_WORKS_NOT;
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), 0);
    assert_true(takes(out, len));
    out[36]++;
    assert_false(takes(out, len));
    a.entry_count = IGD_ENTRIES_MAX + 1;
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), TN_EINVAL);
    a.entry_count = IGD_ENTRIES_MAX;
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), 0);
    assert_int_equal(igdmsg_encode(&a, out, len - 1, &len), TN_ENOSPC);
    a.entry_count = 0;
    a.location[0] = '\n';
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), TN_ENOSPC);
}

static void the_longest_answer_fits(void **state)
{
    static struct igd_answer a;
    uint8_t out[IGD_ANSWER_MAX];
    size_t len;

    a.entry_count = IGD_ENTRIES_MAX;
    memset(a.location, 'x', sizeof a.location - 1);
    for (size_t i = 0; i < IGD_ENTRIES_MAX; i++)
        memset(a.entry[i].description, 'y', IGD_DESCRIPTION_SIZE - 1);
    assert_int_equal(igdmsg_encode(&a, out, sizeof out, &len), 0);
    assert_true(takes(out, len));
}

static void only_the_gateway_itself_is_believed(void **state)
{
    static const char *const good[] = {"http://192.168.1.1:5000/rootDesc.xml", "http://192.168.1.1/",
                                       "http://192.168.1.1:80/a?b=http://10.0.0.1/"};
    static const char *const bad[] = {
        "http://192.168.1.10:5000/rootDesc.xml", "http://192.168.1.2/", "https://192.168.1.1/",
        "http://192.168.1.1", "http://192.168.1.1:/", "http://192.168.1.1:0/", "http://192.168.1.1:65536/",
        "http://192.168.1.1:123456/", "http://192.168.1.1@10.0.0.1/", "http://192.168.1.1.evil.example/",
        "http://192.168.1.1\\@10.0.0.1/", "http://192.168.01.1/", "http://0xc0a80101/", "http://3232235777/",
        "http://192.168.257/", "http://gateway/", "http://[::ffff:192.168.1.1]/", "http://127.0.0.1/",
        "http://169.254.169.254/", " http://192.168.1.1/", "HTTP://192.168.1.1/", "", "http://",
        "http://192.168.1.1/\r\nHost: x", "http://192.168.1.256/", "http://192.168.1.1:80x/",
        "http://1921.168.1.1/",
    };
    const struct tn_addr gateway = ip4(192, 168, 1, 1);
    const uint8_t v6[16] = {0xfe, 0x80, [15] = 1};
    struct tn_addr other = tn_addr_v6(v6, 0);
    char text[IGD_LOCATION_SIZE + 16];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(igd_url_is_of(good[i], &gateway));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(igd_url_is_of(bad[i], &gateway));
    assert_false(igd_url_is_of(good[0], &other));
    memset(text, 'x', sizeof text);
    memcpy(text, good[1], strlen(good[1]));
    text[IGD_LOCATION_SIZE] = '\0';
    assert_false(igd_url_is_of(text, &gateway));
    text[IGD_LOCATION_SIZE - 1] = '\0';
    assert_true(igd_url_is_of(text, &gateway));
}

static void an_ipv6_location_is_asked_at_the_gateways_own_address(void **state)
{
    static const struct {
        const char *url, *want; /* NULL: refused */
    } rows[] = {
        {"http://[2a00:2:1:100::1]:5000/rootDesc.xml", "http://[fe80::1]:5000/rootDesc.xml"},
        {"http://[fe80::1%25eth0]:80/", "http://[fe80::1]:80/"},
        {"http://[::1]/x", "http://[fe80::1]/x"},
        {"http://[fe80:0:0:0:0:0:0:1]/a?b=[c]", "http://[fe80::1]/a?b=[c]"},
        {"http://[fe80::1]", NULL}, {"http://[fe80::1]:0/", NULL}, {"http://[fe80::1]x/", NULL},
        {"http://[fe80::1/", NULL}, {"http://fe80::1/", NULL}, {"http://192.168.1.1/", NULL},
        {"http://gateway/", NULL}, {"https://[fe80::1]/", NULL}, {"http://[]/", NULL}, {"", NULL},
        {"http://[fe80::1]@[::2]/", NULL}, {"http://[fe80::1]/\r\nHost: x", NULL},
        {"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]/", NULL},
    };
    const uint8_t ip[16] = {0xfe, 0x80, [15] = 1}, other_ip[16] = {0xfe, 0x80, [15] = 2};
    const struct tn_addr gateway = tn_addr_v6(ip, 0), other = tn_addr_v6(other_ip, 0);
    char out[IGD_LOCATION_SIZE], text[2 * IGD_LOCATION_SIZE];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool good = igd_url_at(out, rows[i].url, &gateway);

        assert_int_equal(good, rows[i].want != NULL);
        if (!good)
            continue;
        assert_string_equal(out, rows[i].want);
        assert_true(igd_url_is_of(out, &gateway));
        assert_false(igd_url_is_of(out, &other));
    }
    assert_false(igd_url_is_of("http://[fe80::1%25eth0]/", &gateway)); /* what is used names no link */
    memset(text, 'x', sizeof text);
    memcpy(text, "http://[::1]/", 13);
    text[IGD_LOCATION_SIZE - 1] = '\0';
    assert_false(igd_url_at(out, text, &gateway)); /* four bytes longer than it was */
    text[IGD_LOCATION_SIZE - 1 - 4] = '\0';
    assert_true(igd_url_at(out, text, &gateway));
    assert_int_equal(strlen(out), IGD_LOCATION_SIZE - 1);
}

static void texts_are_made_harmless(void **state)
{
    char out[8];

    igdmsg_clean(out, sizeof out, "a\x1b[2J\xff");
    assert_string_equal(out, "a?[2J?");
    igdmsg_clean(out, sizeof out, "0123456789");
    assert_string_equal(out, "0123456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_field_by_field_and_written_back),
        cmocka_unit_test(a_cut_or_lengthened_answer_is_refused),
        cmocka_unit_test(what_is_taken_after_a_flip_can_be_written_again),
        cmocka_unit_test(fields_that_cannot_be_are_refused_both_ways),
        cmocka_unit_test(the_longest_answer_fits),
        cmocka_unit_test(only_the_gateway_itself_is_believed),
        cmocka_unit_test(an_ipv6_location_is_asked_at_the_gateways_own_address),
        cmocka_unit_test(texts_are_made_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
