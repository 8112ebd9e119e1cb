/* rtnetlink in a sealed namespace: a veth pair is the host's network, a TUN is ours.
 *
 *        tn0 (TUN)      host0 ---- host1
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sealed.h"
#include "tund/netlink.h"
#include "tund/netlink_msg.h"
#include "tund/tun.h"

static struct nl nl;
static struct tun tun;

static struct tn_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t ip[4] = {a, b, c, d};

    return tn_addr_v4(ip, 0);
}

static struct tn_addr v6(uint8_t first, uint8_t second, uint8_t last)
{
    const uint8_t ip[16] = {[0] = first, [1] = second, [15] = last};

    return tn_addr_v6(ip, 0);
}

static int make_veth(const char *name, const char *peer)
{
    struct ifinfomsg body = {0};
    struct nl_msg m;
    size_t info, data, other;

    nl_msg_init(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    nl_msg_attr(&m, IFLA_IFNAME, name, strlen(name) + 1);
    info = nl_msg_begin(&m, IFLA_LINKINFO);
    nl_msg_attr(&m, IFLA_INFO_KIND, "veth", 4);
    data = nl_msg_begin(&m, IFLA_INFO_DATA);
    other = nl_msg_begin(&m, VETH_INFO_PEER);
    memcpy(m.bytes + NLMSG_ALIGN(m.h.nlmsg_len), &body, sizeof body);
    m.h.nlmsg_len += (uint32_t)NLMSG_ALIGN(sizeof body);
    nl_msg_attr(&m, IFLA_IFNAME, peer, strlen(peer) + 1);
    nl_msg_end(&m, other);
    nl_msg_end(&m, data);
    nl_msg_end(&m, info);
    return nl_call(&nl, &m);
}

static int set_up(const char *ifname, bool up)
{
    struct ifinfomsg body = {.ifi_index = (int)nl_link_index(ifname),
                             .ifi_flags = up ? IFF_UP : 0,
                             .ifi_change = IFF_UP};
    struct nl_msg m;

    nl_msg_init(&m, RTM_NEWLINK, 0, &body, sizeof body);
    return nl_call(&nl, &m);
}

static int setup(void **state)
{
    tun.fd = -1;
    return nl_open(&nl) || make_veth("host0", "host1") || nl_link_up(&nl, "host0", 0) ||
           nl_link_up(&nl, "host1", 0) || nl_link_up(&nl, "lo", 0) || tun_open(&tun, "tn0", 1400) ||
           nl_link_no_link_local(&nl, "tn0") || nl_link_up(&nl, "tn0", 1380);
}

static int teardown(void **state)
{
    struct ifinfomsg body = {.ifi_index = (int)nl_link_index("host0")};
    struct nl_msg m;
    int err;

    nl_msg_init(&m, RTM_DELLINK, 0, &body, sizeof body);
    err = nl_call(&nl, &m);
    tun_close(&tun);
    nl_close(&nl);
    return err;
}

/* ---- addresses ---- */

static uint32_t list(struct nl_addr *out, uint32_t cap)
{
    uint32_t count = 0;

    assert_int_equal(nl_addr_list(&nl, "tn0", out, cap, &count), 0);
    return count;
}

static bool listed(struct tn_addr a)
{
    struct nl_addr out[16];
    uint32_t count = list(out, 16);

    for (uint32_t i = 0; i < count; i++) {
        if (tn_addr_same_ip(&out[i].addr, &a))
            return true;
    }
    return false;
}

static void an_address_can_be_added_twice_and_is_listed_once(void **state)
{
    struct tn_addr a4 = v4(192, 0, 2, 1), a6 = v6(0x20, 0x01, 1);
    struct nl_addr out[16];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(nl_addr_add(&nl, "host0", &a4, 24), 0);
        assert_int_equal(nl_addr_add(&nl, "host0", &a6, 64), 0);
    }
    assert_int_equal(list(out, 16), 2);
    assert_true(listed(a4) && listed(a6));
    assert_string_equal(out[0].ifname, "host0");
    assert_int_equal(list(out, 1), 1);
    assert_int_equal(nl_addr_del(&nl, "host0", &a4, 24), 0);
    assert_false(listed(a4));
    assert_true(listed(a6));
}

static void what_no_peer_can_reach_is_not_listed(void **state)
{
    struct tn_addr ours = v4(10, 1, 0, 1), ours6 = v6(0xfd, 0x01, 1), local = v4(169, 254, 1, 1);
    struct nl_addr out[16];

    assert_int_equal(nl_addr_add(&nl, "tn0", &ours, 24), 0);
    assert_int_equal(nl_addr_add(&nl, "tn0", &ours6, 64), 0);
    assert_int_equal(nl_addr_add(&nl, "host0", &local, 16), 0);
    assert_int_equal(list(out, 16), 0);
}

static void a_tun_of_others_is_not_listed_either(void **state)
{
    struct tn_addr theirs = v4(10, 8, 0, 2);
    struct nl_addr out[16];
    struct tun other;

    assert_int_equal(tun_open(&other, "vpn0", 1400), 0);
    assert_int_equal(nl_link_up(&nl, "vpn0", 0), 0);
    assert_int_equal(nl_addr_add(&nl, "vpn0", &theirs, 24), 0);
    assert_int_equal(list(out, 16), 0);
    tun_close(&other);
}

static void the_link_with_the_default_route_comes_first(void **state)
{
    struct tn_addr first = v4(192, 0, 2, 1), second = v4(198, 51, 100, 1), any = v4(0, 0, 0, 0);
    struct nl_addr out[16];

    assert_int_equal(nl_addr_add(&nl, "host0", &first, 24), 0);
    assert_int_equal(nl_addr_add(&nl, "host1", &second, 24), 0);
    assert_int_equal(nl_route_add(&nl, "host1", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(list(out, 16), 2);
    assert_true(tn_addr_same_ip(&out[0].addr, &second));
    assert_int_equal(nl_route_del(&nl, "host1", &any, 0), 0);
    assert_int_equal(nl_route_add(&nl, "host0", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(list(out, 16), 2);
    assert_true(tn_addr_same_ip(&out[0].addr, &first));
}

static void a_missing_link_is_told(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 1);

    assert_int_equal(nl_link_index("none0"), 0);
    assert_int_equal(nl_link_up(&nl, "none0", 0), -ENODEV);
    assert_int_equal(nl_addr_add(&nl, "none0", &a, 24), -ENODEV);
    assert_int_equal(nl_route_add(&nl, "none0", &a, 32, NULL, 0, 0), -ENODEV);
}

static void a_tun_has_its_mtu_and_no_link_local_address(void **state)
{
    char line[256];
    FILE *f = fopen("/proc/net/if_inet6", "r");
    bool found = false;

    while (f && fgets(line, sizeof line, f))
        found = found || strstr(line, "tn0");
    fclose(f);
    assert_false(found);
}

/* ---- routes ---- */

struct search {
    struct tn_addr prefix;
    uint8_t bits;
    int through_tun, unreachable;
};

static void on_route(void *ctx, const struct nl_route *r)
{
    struct search *s = ctx;

    if (!tn_addr_same_ip(&r->prefix, &s->prefix) || r->bits != s->bits)
        return;
    if (r->type == RTN_UNREACHABLE)
        s->unreachable += r->protocol == NL_PROTOCOL;
    else
        s->through_tun += !strcmp(r->ifname, "tn0") && r->protocol == NL_PROTOCOL;
}

static void expect_routes(struct tn_addr prefix, uint8_t bits, int through_tun, int unreachable)
{
    struct search s = {.prefix = prefix, .bits = bits};

    assert_int_equal(nl_route_each(&nl, on_route, &s), 0);
    assert_int_equal(s.through_tun, through_tun);
    assert_int_equal(s.unreachable, unreachable);
}

static void check_routes(struct tn_addr prefix, uint8_t bits)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nl_backstop_add(&nl, &prefix, bits), 0);
        assert_int_equal(nl_route_add(&nl, "tn0", &prefix, bits, NULL, 1300, 0), 0);
    }
    expect_routes(prefix, bits, 1, 1);
    assert_int_equal(nl_route_del(&nl, "tn0", &prefix, bits), 0);
    expect_routes(prefix, bits, 0, 1);
    assert_int_equal(nl_backstop_del(&nl, &prefix, bits), 0);
    expect_routes(prefix, bits, 0, 0);
    assert_true(nl_route_del(&nl, "tn0", &prefix, bits) < 0);
}

static void routes_and_backstops_come_and_go_in_both_families(void **state)
{
    check_routes(v4(10, 77, 0, 0), 16);
    check_routes(v6(0xfd, 0x77, 0), 64);
}

/* connect() of a datagram socket asks the routes and sends nothing. */
static int ask_route(struct tn_addr to)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), err;

    memcpy(&sa.sin_addr, to.ip + 12, 4);
    err = connect(fd, (struct sockaddr *)&sa, sizeof sa) ? errno : 0;
    close(fd);
    return err;
}

static void without_the_tun_the_backstop_decides_and_not_the_default_route(void **state)
{
    struct tn_addr prefix = v4(10, 77, 0, 0), any = v4(0, 0, 0, 0), host = v4(192, 0, 2, 1);

    assert_int_equal(nl_addr_add(&nl, "host0", &host, 24), 0);
    assert_int_equal(nl_route_add(&nl, "host0", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(ask_route(v4(10, 77, 1, 1)), 0);
    assert_int_equal(nl_backstop_add(&nl, &prefix, 16), 0);
    assert_int_equal(ask_route(v4(10, 77, 1, 1)), EHOSTUNREACH);
    assert_int_equal(nl_route_add(&nl, "tn0", &prefix, 16, NULL, 0, 0), 0);
    assert_int_equal(ask_route(v4(10, 77, 1, 1)), 0);
    tun_close(&tun);
    assert_int_equal(ask_route(v4(10, 77, 1, 1)), EHOSTUNREACH);
    assert_int_equal(ask_route(v4(10, 78, 1, 1)), 0);
    assert_int_equal(nl_backstop_del(&nl, &prefix, 16), 0);
}

static void on_link(const char *ifname, struct tn_addr own)
{
    struct tn_addr prefix = own;

    assert_int_equal(nl_addr_add(&nl, ifname, &own, 24), 0);
    prefix.ip[15] = 0;
    assert_int_equal(nl_route_add(&nl, ifname, &prefix, 24, NULL, 0, 0), 0);
}

/* Two links with a default route each: the source does not decide by which of them a packet leaves. */
static void how_a_datagram_would_leave_is_told(void **state)
{
    uint32_t host0 = nl_link_index("host0"), host1 = nl_link_index("host1"), ifindex = 0;
    struct tn_addr any = v4(0, 0, 0, 0), own0 = v4(192, 0, 2, 1), own1 = v4(198, 51, 100, 1);
    struct tn_addr far = v4(203, 0, 113, 9), far6 = v6(0x20, 1, 9), own6 = v6(0xfd, 2, 1), source;

    assert_int_equal(nl_route_get(&nl, &far, NULL, 0, &ifindex, &source), -ENETUNREACH);
    on_link("host0", own0);
    on_link("host1", own1);
    assert_int_equal(nl_route_add(&nl, "host0", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(nl_route_get(&nl, &far, NULL, 0, &ifindex, &source), 0);
    assert_int_equal(ifindex, host0);
    assert_true(tn_addr_equal(&source, &own0));
    assert_int_equal(nl_route_get(&nl, &far, &own1, 0, &ifindex, &source), 0);
    assert_int_equal(ifindex, host0);
    assert_int_equal(nl_route_add(&nl, "host1", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(nl_route_get(&nl, &far, NULL, 0, &ifindex, &source), 0);
    assert_int_equal(ifindex, host1);
    assert_int_equal(nl_route_get(&nl, &far, &far6, 0, &ifindex, &source), -EINVAL);
    any = v6(0, 0, 0);
    assert_int_equal(nl_addr_add(&nl, "host0", &own6, 64), 0);
    assert_int_equal(nl_route_add(&nl, "host0", &any, 0, NULL, 0, 0), 0);
    assert_int_equal(nl_route_get(&nl, &far6, NULL, 0, &ifindex, &source), 0);
    assert_int_equal(ifindex, host0);
    assert_true(tn_addr_equal(&source, &own6));
    assert_int_equal(nl_route_get(&nl, &far6, &own6, 7, &ifindex, &source), 0);
    assert_int_equal(ifindex, host0);
}

struct gateway_route {
    uint32_t metric;
    struct tn_addr gateway;
    uint32_t ifindex;
    uint8_t table;
};

static int add_default_via(const struct gateway_route *g)
{
    struct rtmsg body = {.rtm_family = AF_INET,
                         .rtm_table = g->table,
                         .rtm_protocol = RTPROT_STATIC,
                         .rtm_type = RTN_UNICAST};
    struct nl_msg m;

    nl_msg_init(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    nl_msg_attr_u32(&m, RTA_OIF, g->ifindex);
    nl_msg_attr_u32(&m, RTA_PRIORITY, g->metric);
    if (g->gateway.ip[15])
        nl_msg_attr(&m, RTA_GATEWAY, g->gateway.ip + 12, 4);
    return nl_call(&nl, &m);
}

static void the_default_gateway_is_that_of_the_best_default_route(void **state)
{
    uint32_t host0 = nl_link_index("host0"), tn0 = nl_link_index("tn0"), ifindex = 0;
    const struct gateway_route routes[] = {
        {200, v4(192, 168, 1, 254), host0, RT_TABLE_MAIN},
        {100, v4(192, 168, 1, 1), host0, RT_TABLE_MAIN},
        {50, v4(192, 168, 1, 99), host0, 100}, /* of another table */
        {20, v4(0, 0, 0, 0), host0, RT_TABLE_MAIN}, /* without a gateway */
        {10, v4(10, 0, 0, 1), tn0, RT_TABLE_MAIN}, /* through our own tunnel */
    };
    struct tn_addr got;

    assert_int_equal(nl_gateway(&nl, true, "tn0", &got, &ifindex), -ENOENT);
    assert_int_equal(nl_link_up(&nl, "tn0", 0), 0);
    on_link("host0", v4(192, 168, 1, 2));
    on_link("tn0", v4(10, 0, 0, 2));
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        assert_int_equal(add_default_via(&routes[i]), 0);
    assert_int_equal(nl_gateway(&nl, true, "tn0", &got, &ifindex), 0);
    assert_true(tn_addr_equal(&got, &routes[1].gateway));
    assert_int_equal(ifindex, host0);
    assert_int_equal(nl_gateway(&nl, true, NULL, &got, &ifindex), 0);
    assert_int_equal(ifindex, tn0);
    assert_int_equal(nl_gateway(&nl, false, "tn0", &got, &ifindex), -ENOENT);
}

static void too_long_a_prefix_is_refused(void **state)
{
    struct tn_addr prefix = v4(10, 77, 0, 0);

    assert_int_equal(nl_backstop_add(&nl, &prefix, 33), -EINVAL);
}

/* ---- news ---- */

static uv_loop_t loop;
static int news;

static void on_change(void *ctx)
{
    news++;
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_for(uint64_t ms)
{
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* Waits, at most 5 s, until there were that many news, and then sees that no more follow. */
static void expect_news(int wanted)
{
    for (int i = 0; i < 100 && news < wanted; i++)
        run_for(50);
    run_for(2 * NL_DEBOUNCE_MS);
    assert_int_equal(news, wanted);
    news = 0;
}

static void a_burst_of_changes_is_told_once_and_no_change_never(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2), any = v4(0, 0, 0, 0),
                   ours = v4(10, 1, 0, 1);
    struct nl_monitor *m;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(nl_monitor_start(&m, &loop, "tn0", on_change, NULL), 0);
    expect_news(0);
    assert_int_equal(nl_addr_add(&nl, "host0", &a, 24), 0);
    assert_int_equal(nl_addr_add(&nl, "host0", &b, 24), 0);
    assert_int_equal(nl_route_add(&nl, "host0", &any, 0, NULL, 0, 0), 0);
    expect_news(1);
    /* The same again, a change of our own interface, one that came and went. */
    assert_int_equal(nl_addr_add(&nl, "host0", &a, 24), 0);
    assert_int_equal(nl_addr_add(&nl, "tn0", &ours, 24), 0);
    assert_int_equal(nl_addr_del(&nl, "host0", &b, 24), 0);
    assert_int_equal(nl_addr_add(&nl, "host0", &b, 24), 0);
    expect_news(0);
    assert_int_equal(nl_addr_del(&nl, "host0", &b, 24), 0);
    expect_news(1);
    nl_monitor_stop(m);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* The far end of the cable goes down and comes back: our addresses stay, but where are we now? */
static void a_carrier_that_came_back_is_news(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 1);
    struct nl_monitor *m;

    assert_int_equal(nl_addr_add(&nl, "host0", &a, 24), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(nl_monitor_start(&m, &loop, "tn0", on_change, NULL), 0);
    assert_int_equal(set_up("host1", false), 0);
    run_for(2 * NL_DEBOUNCE_MS);
    news = 0;
    assert_int_equal(set_up("host1", true), 0);
    expect_news(1);
    nl_monitor_stop(m);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
#define WITH_LINKS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_LINKS(an_address_can_be_added_twice_and_is_listed_once),
        WITH_LINKS(what_no_peer_can_reach_is_not_listed),
        WITH_LINKS(a_tun_of_others_is_not_listed_either),
        WITH_LINKS(the_link_with_the_default_route_comes_first),
        WITH_LINKS(a_missing_link_is_told),
        WITH_LINKS(a_tun_has_its_mtu_and_no_link_local_address),
        WITH_LINKS(routes_and_backstops_come_and_go_in_both_families),
        WITH_LINKS(without_the_tun_the_backstop_decides_and_not_the_default_route),
        WITH_LINKS(how_a_datagram_would_leave_is_told),
        WITH_LINKS(the_default_gateway_is_that_of_the_best_default_route),
        WITH_LINKS(too_long_a_prefix_is_refused),
        WITH_LINKS(a_burst_of_changes_is_told_once_and_no_change_never),
        WITH_LINKS(a_carrier_that_came_back_is_news),
    };

    if (!sealed_enter()) {
        perror("this test needs root or user namespaces");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
