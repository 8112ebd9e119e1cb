#include "coord_store_fixture.h"

#include <jansson.h>

#include "tund/coord_report.h"

static struct coord_net net;
static struct coord_listener listener;
static struct coord_streams streams;
static struct tn_server_counters counters;
static struct coord_store_health health;

static struct coord_report make(void)
{
    memset(&net, 0, sizeof(net));
    memset(&counters, 0, sizeof(counters));
    memset(&health, 0, sizeof(health));
    listener.at = tn_addr_v4((const uint8_t[]){192, 0, 2, 1}, 443);
    streams = (struct coord_streams){
        .listener = {&listener}, .listener_count = 1, .used = 7, .accepted = 9, .refused = 2, .dropped = 8};
    net.udp_count = 1;
    net.udp[0].port = 3478;
    net.udp[0].config.bind = tn_addr_v4((const uint8_t[]){192, 0, 2, 1}, 0);
    return (struct coord_report){
        .url = "tund://192.0.2.1:3478/key",
        .uptime_s = 93784,
        .net = &net,
        .streams = &streams,
        .gauges = {.members = 4, .guests = 3, .tentative = 2, .channels = 1},
        .counters = &counters,
        .counts = {.networks = 5, .members = 6},
        .counts_known = true,
        .store = &health,
    };
}

static json_int_t number(const json_t *o, const char *a, const char *b)
{
    json_t *v = json_object_get(json_object_get(o, a), b);

    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

static void every_counter_of_the_server_is_in_the_report(void **state)
{
    struct coord_report r = make();
    uint64_t value = 1;
    json_t *j;

    (void)state;
#define SET(name) counters.name = value++;
    TN_SERVER_COUNTERS(SET)
#undef SET
    j = coord_report_json(&r);
    assert_non_null(j);
    assert_int_equal(json_object_size(json_object_get(j, "counters")) +
                         json_object_size(json_object_get(j, "drops")),
                     value - 1);
    assert_int_equal(number(j, "drops", "relay_unbound"), counters.drop_relay_unbound);
    assert_int_equal(number(j, "counters", "joins"), counters.joins);
    assert_int_equal(number(j, "relayed", "bytes"), counters.relay_bytes);
    assert_int_equal(number(j, "sessions", "members"), 4);
    assert_int_equal(number(j, "store", "networks"), 5);
    assert_int_equal(number(j, "store", "members"), 6);
    assert_int_equal(number(j, "tls", "connections"), 7);
    assert_int_equal(number(j, "tls", "accepted"), 9);
    assert_int_equal(number(j, "tls", "refused"), 2);
    assert_int_equal(number(j, "tls", "dropped"), 8);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(j, "listening"), 0)), "192.0.2.1:3478");
    json_decref(j);
}

static char *as_text(const json_t *j)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    assert_true(coord_report_print(j, f));
    fclose(f);
    return text;
}

static void people_get_lines_with_the_reasons_that_happened(void **state)
{
    struct coord_report r = make();
    json_t *j = coord_report_json(&r);
    char *text = as_text(j);

    (void)state;
    assert_non_null(strstr(text, "coordinator  tund://192.0.2.1:3478/key\n"));
    assert_non_null(strstr(text, "1d 02:03:04"));
    assert_non_null(strstr(text, "dropped      nothing\n"));
    assert_null(strstr(text, "STORE"));
    free(text);
    json_decref(j);
    counters.drop_garbage = 9;
    counters.drop_relay_rate = 2;
    j = coord_report_json(&r);
    text = as_text(j);
    assert_non_null(strstr(text, "dropped      garbage 9, relay_rate 2\n"));
    free(text);
    json_decref(j);
}

static void a_store_in_trouble_is_told_loudly(void **state)
{
    struct coord_report r = make();
    json_t *j;
    char *text;

    (void)state;
    health.failures = 3;
    health.failed = true;
    r.counts_known = false;
    strcpy(health.last.text, "the disk is on fire");
    j = coord_report_json(&r);
    text = as_text(j);
    assert_non_null(strstr(text, "takes no changes until a restart; last failure: the disk is on "
                                 "fire"));
    assert_null(strstr(text, "known"));
    assert_true(json_is_true(json_object_get(json_object_get(j, "store"), "failed")));
    free(text);
    json_decref(j);
}

static void another_versions_report_is_not_misread(void **state)
{
    json_t *j = json_pack("{s:s}", "version", "9");
    FILE *f = tmpfile();

    (void)state;
    assert_false(coord_report_print(j, f));
    assert_int_equal(ftell(f), 0);
    fclose(f);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_of_the_server_is_in_the_report),
        cmocka_unit_test(people_get_lines_with_the_reasons_that_happened),
        cmocka_unit_test(a_store_in_trouble_is_told_loudly),
        cmocka_unit_test(another_versions_report_is_not_misread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
