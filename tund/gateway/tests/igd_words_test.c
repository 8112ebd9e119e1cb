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
                            .lease_s = 7200};
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
        cmocka_unit_test(a_word_that_cannot_be_is_refused),
        cmocka_unit_test(too_few_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
