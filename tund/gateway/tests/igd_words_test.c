/* The command line of tund-igd. */
#include "hexed.h"
#include "tund/gateway/igd_words.h"

static struct igd_job a_job(void)
{
    return (struct igd_job){.op = IGD_MAP,
                            .gateway = ip4(192, 168, 1, 1),
                            .own = ip4(192, 168, 1, 2),
                            .location = "http://192.168.1.1:5000/rootDesc.xml",
                            .description = "tund 00112233",
                            .sweep = true,
                            .tcp = true,
                            .external_port = 80,
                            .internal_port = 8080,
                            .lease_s = 7200,
                            .pinhole = IGD_NO_PINHOLE};
}

static struct igd_job a_job6(int32_t pinhole)
{
    const uint8_t gateway[16] = {0xfe, 0x80, [15] = 1}, own[16] = {0x2a, [15] = 2};
    struct igd_job job = a_job();

    job.gateway = tn_addr_v6(gateway, 0);
    job.own = tn_addr_v6(own, 0);
    strcpy(job.location, "http://[fe80::1]:5000/rootDesc.xml");
    job.scope = 3;
    job.pinhole = pinhole;
    return job;
}

static int read_words(struct igd_words *w, struct igd_job *out)
{
    char *argv[IGD_WORDS];

    for (int i = 0; i < IGD_WORDS; i++)
        argv[i] = w->text[i];
    return igd_words_read(out, IGD_WORDS, argv);
}

static void a_job_is_read_back_as_it_was(void **state)
{
    for (int op = 0; op < IGD_OP_COUNT; op++) {
        struct igd_job job = a_job(), got;
        struct igd_words w;

        job.op = (enum igd_op)op;
        igd_words_write(&job, &w);
        memset(&got, 0x5a, sizeof got);
        assert_int_equal(read_words(&w, &got), 0);
        assert_int_equal(got.op, op);
        assert_true(tn_addr_equal(&got.gateway, &job.gateway) && tn_addr_equal(&got.own, &job.own));
        assert_string_equal(got.location, job.location);
        assert_string_equal(got.description, job.description);
        assert_true(got.sweep && got.tcp);
        assert_int_equal(got.external_port, 80);
        assert_int_equal(got.internal_port, 8080);
        assert_int_equal(got.lease_s, 7200);
        job.location[0] = '\0';
        igd_words_write(&job, &w);
        assert_string_equal(w.text[3], "-");
        assert_int_equal(read_words(&w, &got), 0);
        assert_string_equal(got.location, "");
    }
}

static void a_job_for_an_ipv6_firewall_is_read_back_as_it_was(void **state)
{
    static const int32_t pinholes[] = {IGD_NO_PINHOLE, 0, 65535};

    for (size_t i = 0; i < sizeof pinholes / sizeof pinholes[0]; i++) {
        struct igd_job job = a_job6(pinholes[i]), got;
        struct igd_words w;

        igd_words_write(&job, &w);
        memset(&got, 0x5a, sizeof got);
        assert_int_equal(read_words(&w, &got), 0);
        assert_true(tn_addr_equal(&got.gateway, &job.gateway) && tn_addr_equal(&got.own, &job.own));
        assert_string_equal(got.location, job.location);
        assert_int_equal(got.scope, 3);
        assert_int_equal(got.pinhole, pinholes[i]);
    }
}

static void a_word_that_cannot_be_of_that_family_is_refused(void **state)
{
    static const struct {
        bool v6;
        int at;
        const char *word;
    } bad[] = {
        {false, 10, "3"}, {false, 10, ""}, {false, 11, "7"}, {false, 11, ""}, {false, 2, "2a00::2"},
        {true, 10, "0"}, {true, 10, "-3"}, {true, 10, "2147483648"}, {true, 11, "65536"}, {true, 11, "-1"},
        {true, 2, "192.168.1.2"}, {true, 1, "192.168.1.1"}, {true, 3, "http://[fe80::2]:5000/"},
        {true, 3, "http://192.168.1.1:5000/"}, {true, 1, "fe80::1%eth0"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct igd_job job = bad[i].v6 ? a_job6(7) : a_job(), got;
        struct igd_words w;

        igd_words_write(&job, &w);
        strcpy(w.text[bad[i].at], bad[i].word);
        assert_int_equal(read_words(&w, &got), TN_EINVAL);
    }
}

static void a_word_that_cannot_be_is_refused(void **state)
{
    static const struct {
        int at;
        const char *word;
    } bad[] = {
        {0, ""}, {0, "mapp"}, {1, "gateway"}, {1, "fe80::1"}, {1, ""}, {2, "192.168.1"}, {3, ""},
        {3, "http://192.168.1.2/"}, {3, "http://127.0.0.1:5000/"}, {4, ""}, {4, "a<b"}, {4, "a\nb"},
        {4, "0123456789012345678901234567890123456789012345678"}, {5, "2"}, {5, ""}, {6, "sctp"},
        {7, "65536"}, {7, "-1"}, {7, ""}, {8, "1x"}, {9, "4294967296"}, {9, " 1"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct igd_job job = a_job(), got;
        struct igd_words w;

        igd_words_write(&job, &w);
        strcpy(w.text[bad[i].at], bad[i].word);
        assert_int_equal(read_words(&w, &got), TN_EINVAL);
    }
}

static void too_few_words_are_refused(void **state)
{
    struct igd_job got;

    assert_int_equal(igd_words_read(&got, 0, NULL), TN_EINVAL);
    assert_int_equal(igd_words_read(&got, IGD_WORDS + 1, NULL), TN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_read_back_as_it_was),
        cmocka_unit_test(a_job_for_an_ipv6_firewall_is_read_back_as_it_was),
        cmocka_unit_test(a_word_that_cannot_be_of_that_family_is_refused),
        cmocka_unit_test(a_word_that_cannot_be_is_refused),
        cmocka_unit_test(too_few_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
