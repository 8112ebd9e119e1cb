/* An overlay node in a sealed namespace: what it sets up, what it says on its control socket, and what it
 * takes back. No coordinator runs here: with one, the stories of netns-tests try it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libtunnel/crypto/crypto.h"
#include "save_roster.h"
#include "sealed.h"
#include "tund/daemon.h"
#include "tund/enroll.h"
#include "tund/log.h"
#include "tund/overlay.h"
#include "tund/overlay_inside.h"
#include "tund/state_record.h"

#define NOW_S 1790000000u

static struct tund t;
static struct overlay *overlay;
static bool is_open;
static char dir[64];
static struct state_node self, other; /* nas, whose state it is, and laptop */

/* ---- a member's state ---- */

static void store(const char *host)
{
    static const uint8_t ip[4] = {10, 77, 0, 0};
    struct tn_url url = {.port = 3478};
    struct prefix prefix = prefix_v4(ip, 20);
    uint8_t network_public[32], key[32] = {1};
    struct tn_roster_result result;
    struct tn_member members[2];
    struct state_owner owner;
    struct tn_roster roster;
    struct tn_invite i;
    struct state s;
    struct why why;

    snprintf(url.host, sizeof(url.host), "%s", host);
    assert_int_equal(tn_x25519_public(url.public_key, key), 0);
    assert_int_equal(enroll_network(&owner, "home", &prefix, &why), 0);
    tn_ed25519_public(network_public, owner.network_seed);
    tn_roster_init(&roster, members, 2, network_public);
    assert_int_equal(enroll_invite(&owner, &roster, "nas", 0, &url, NOW_S, 3600, &i, &why), 0);
    assert_int_equal(enroll_member(&self, &i, NOW_S, &why), 0);
    assert_int_equal(tn_roster_offer(&roster, &self.card, 0, &result), 0);
    assert_int_equal(enroll_invite(&owner, &roster, "laptop", 0, &url, NOW_S, 3600, &i, &why), 0);
    assert_int_equal(enroll_member(&other, &i, NOW_S, &why), 0);
    assert_int_equal(tn_roster_offer(&roster, &other.card, 0, &result), 0);
    strcpy(self.ifname, "tund0");
    self.port = 61999;
    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(state_save_node(&s, &self, &why), 0);
    assert_int_equal(save_roster(&s, &roster, &why), 0);
    state_close(&s);
}

static int start(void)
{
    const struct tund_options opt = {.ifname = "tund0", .state_dir = dir, .peers = 8,
                                     .foreground = true, .log_level = LOG_LEVEL_SILENT};
    int err = tund_init(&t, &opt);

    assert_int_equal(err, 0);
    overlay = overlay_new(&t.hooks);
    assert_non_null(overlay);
    is_open = true;
    return tund_open(&t);
}

static void stop(void)
{
    if (!is_open)
        return;
    tund_free(&t);
    overlay_free(overlay);
    is_open = false;
}

static int set_up(void **state)
{
    log_init("overlay_test", NULL, LOG_LEVEL_SILENT);
    strcpy(dir, "/tmp/tund-overlay-test-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    store("127.0.0.1");
    return 0;
}

static int tear_down(void **state)
{
    char cmd[128];

    stop();
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

/* ---- a client, on the daemon's own thread ---- */

static int dial(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/ctl.sock", dir);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line, as JSON; fails after 10 s. */
static json_t *hear(int fd)
{
    static char line[65536];
    uint64_t deadline = uv_hrtime() + 30000000000ull;
    size_t len = 0;
    json_t *got;

    while (len == 0 || line[len - 1] != '\n') {
        uv_run(&t.loop, UV_RUN_NOWAIT);
        assert_true(uv_hrtime() < deadline);
        assert_true(len < sizeof(line));
        if (recv(fd, line + len, 1, MSG_DONTWAIT) == 1)
            len++;
    }
    got = json_loadb(line, len, 0, NULL);
    assert_non_null(got);
    return got;
}

static json_t *ask(const char *request)
{
    int fd = dial();
    json_t *answer;

    say(fd, request);
    answer = hear(fd);
    close(fd);
    return answer;
}

static void assert_refused(const char *request, const char *part)
{
    json_t *answer = ask(request);
    const char *error = json_string_value(json_object_get(answer, "error"));

    assert_true(json_is_false(json_object_get(answer, "ok")));
    if (!error || !strstr(error, part))
        fail_msg("%s: %s", request, error ? error : "(no error)");
    json_decref(answer);
}

/* ---- what the host has ---- */

struct seen {
    unsigned through, unreachable;
};

static void count_route(void *ctx, const struct nl_route *r)
{
    struct seen *seen = ctx;

    if (r->protocol != NL_PROTOCOL)
        return;
    seen->through += r->type == RTN_UNICAST && strcmp(r->ifname, "tund0") == 0 &&
                     r->bits == (r->v4 ? 20 : 64);
    seen->unreachable += r->type == RTN_UNREACHABLE;
}

static struct seen routes(void)
{
    struct seen seen = {0};
    struct nl nl;

    assert_int_equal(nl_open(&nl), 0);
    assert_int_equal(nl_route_each(&nl, count_route, &seen), 0);
    nl_close(&nl);
    return seen;
}

static bool has_address(const char *ifname, const struct tn_addr *want)
{
    struct ifaddrs *list;
    bool found = false;

    assert_int_equal(getifaddrs(&list), 0);
    for (struct ifaddrs *i = list; i; i = i->ifa_next) {
        const void *sa = i->ifa_addr;

        if (!sa || strcmp(i->ifa_name, ifname) != 0)
            continue;
        if (i->ifa_addr->sa_family == AF_INET && tn_addr_is_v4(want))
            found |= !memcmp(&((const struct sockaddr_in *)sa)->sin_addr, want->ip + 12, 4);
        if (i->ifa_addr->sa_family == AF_INET6)
            found |= !memcmp(&((const struct sockaddr_in6 *)sa)->sin6_addr, want->ip, 16);
    }
    freeifaddrs(list);
    return found;
}

/* ---- tests ---- */

static void a_member_comes_up_with_its_addresses_routes_and_backstops(void **state)
{
    struct tn_addr a4 = tn_card_address4(&self.card), a6 = tn_card_address6(&self.card);
    struct seen seen;

    assert_int_equal(start(), 0);
    assert_true(has_address("tund0", &a4));
    assert_true(has_address("tund0", &a6));
    seen = routes();
    assert_int_equal(seen.through, 2);
    assert_int_equal(seen.unreachable, 2);
    assert_int_equal(t.udp.port, 61999);
    assert_int_equal(t.mtu, 1400);
}

static void all_is_taken_back_at_the_end(void **state)
{
    char path[128];
    struct state s;
    struct why why;

    assert_int_equal(start(), 0);
    stop();
    assert_int_equal(routes().through, 0);
    assert_int_equal(routes().unreachable, 0);
    assert_int_equal(nl_link_index("tund0"), 0);
    snprintf(path, sizeof(path), "%s/ctl.sock", dir);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(state_lock(&s, STATE_LOCK_DAEMON, false, &why), 0);
    state_close(&s);
    assert_int_equal(start(), 0); /* and it can come back */
}

/* A string somewhere inside: "coordinator.state". */
static const char *text_at(const json_t *from, const char *path)
{
    char key[64];
    size_t len;

    for (; from && *path; path += len + (path[len] == '.')) {
        len = strcspn(path, ".");
        assert_true(len < sizeof(key));
        memcpy(key, path, len);
        key[len] = '\0';
        from = json_object_get(from, key);
    }
    assert_true(json_is_string(from));
    return json_string_value(from);
}

static void status_is_one_object_with_all_that_is_promised(void **state)
{
    static const char *const keys[] = {"name", "id", "addresses", "path", "path_mode", "endpoint", "rtt_ms",
                                       "tx_bytes", "rx_bytes", "last_handshake_s", "reachable",
                                       "time_to_direct_ms", "relays"};
    json_t *answer, *status, *addresses, *coordinator, *peer;

    assert_int_equal(start(), 0);
    answer = ask("{\"verb\":\"status\"}\n");
    status = json_object_get(answer, "status");
    assert_string_equal(text_at(status, "self.name"), "nas");
    assert_int_equal(strlen(text_at(status, "self.id")), 16);
    addresses = json_object_get(json_object_get(status, "self"), "addresses");
    assert_int_equal(json_array_size(addresses), 2);
    assert_string_equal(json_string_value(json_array_get(addresses, 0)), "10.77.0.1");
    coordinator = json_object_get(status, "coordinator");
    assert_true(json_is_false(json_object_get(coordinator, "connected")));
    assert_non_null(json_object_get(coordinator, "endpoint"));
    assert_true(json_is_null(json_object_get(coordinator, "rtt_ms")));
    assert_int_equal(json_array_size(json_object_get(status, "peers")), 1);
    peer = json_array_get(json_object_get(status, "peers"), 0);
    assert_string_equal(text_at(peer, "name"), "laptop");
    assert_string_equal(text_at(peer, "path"), "none");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_non_null(json_object_get(peer, keys[i]));
    json_decref(answer);
}

static void assert_found_as(const char *text)
{
    char request[160];
    json_t *answer;

    snprintf(request, sizeof(request), "{\"verb\":\"explain\",\"peer\":\"%s\"}\n", text);
    answer = ask(request);
    assert_string_equal(text_at(answer, "explain.peer.name"), "laptop");
    assert_non_null(strstr(text_at(answer, "explain.reason"), "coordinator is not connected"));
    json_decref(answer);
}

static void a_member_is_found_by_name_id_and_address(void **state)
{
    struct tn_addr a6 = tn_card_address6(&other.card);
    uint8_t id[TN_NODE_ID_LEN];
    char text[ADDR_TEXT_LEN];

    assert_int_equal(start(), 0);
    assert_found_as("laptop");
    assert_found_as("10.77.0.2");
    assert_found_as(addr_ip_text(&a6, text));
    tn_node_id(id, other.card.identity);
    snprintf(text, sizeof(text), "%02x%02x%02x", id[0], id[1], id[2]);
    assert_found_as(text);
}

static void what_cannot_be_done_is_refused_with_a_sentence(void **state)
{
    assert_int_equal(start(), 0);
    assert_refused("{\"verb\":\"dance\"}\n", "does not know the verb dance");
    assert_refused("{}\n", "does not know the verb");
    assert_refused("{\"verb\":7}\n", "does not know the verb");
    assert_refused("{\"verb\":\"explain\"}\n", "which peer");
    assert_refused("{\"verb\":\"explain\",\"peer\":[]}\n", "which peer");
    assert_refused("{\"verb\":\"explain\",\"peer\":\"nobody\"}\n", "no member nobody");
    assert_refused("{\"verb\":\"explain\",\"peer\":\"\"}\n", "node id");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"nas\"}\n", "nas is this machine itself");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"laptop\",\"size\":31}\n", "32 to 1400");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"laptop\",\"size\":1401}\n", "32 to 1400");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"laptop\",\"count\":-1}\n", "in a row");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"laptop\",\"count\":\"1\"}\n", "in a row");
    assert_refused("{\"verb\":\"ping\",\"peer\":\"laptop\",\"interval_ms\":9}\n", "10 ms");
    assert_refused("{\"verb\":\"leave\"}\n", "coordinator is not connected");
}

static void a_ping_without_any_way_says_so_and_ends(void **state)
{
    json_t *m;
    int fd;

    assert_int_equal(start(), 0);
    fd = dial();
    say(fd, "{\"verb\":\"ping\",\"peer\":\"laptop\",\"count\":1,\"interval_ms\":10}\n");
    m = hear(fd);
    assert_string_equal(json_string_value(json_object_get(m, "event")), "begin");
    assert_true(json_is_false(json_object_get(m, "coordinator")));
    json_decref(m);
    m = hear(fd);
    assert_string_equal(json_string_value(json_object_get(m, "event")), "lost");
    json_decref(m);
    m = hear(fd);
    assert_true(json_is_true(json_object_get(m, "ok")));
    assert_int_equal(json_integer_value(json_object_get(m, "sent")), 1);
    assert_int_equal(json_integer_value(json_object_get(m, "received")), 0);
    json_decref(m);
    /* the connection is free for another request */
    say(fd, "{\"verb\":\"version\"}\n");
    json_decref(hear(fd));
    close(fd);
}

static void stopping_ends_pings_and_watches_under_way(void **state)
{
    int ping, watch;
    json_t *m;

    assert_int_equal(start(), 0);
    ping = dial();
    say(ping, "{\"verb\":\"ping\",\"peer\":\"laptop\",\"count\":0}\n");
    json_decref(hear(ping));
    watch = dial();
    say(watch, "{\"verb\":\"watch\"}\n");
    m = hear(watch);
    assert_string_equal(text_at(m, "coordinator.state"), "connecting");
    json_decref(m);
    stop();
    close(ping);
    close(watch);
}

static void down_ends_the_daemon(void **state)
{
    json_t *answer;

    assert_int_equal(start(), 0);
    answer = ask("{\"verb\":\"down\"}\n");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    assert_true(t.stopping);
    assert_int_equal(tund_run(&t), 0);
}

static void a_second_daemon_with_the_same_state_is_refused(void **state)
{
    struct state s;
    struct why why;

    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(state_lock(&s, STATE_LOCK_DAEMON, false, &why), 0);
    assert_int_equal(start(), -EBUSY);
    assert_non_null(strstr(t.failure, "in use by another tund"));
    state_close(&s);
}

static void a_prefix_that_the_host_has_a_route_to_is_refused(void **state)
{
    static const uint8_t ip[4] = {10, 77, 8, 0};
    struct tn_addr prefix = tn_addr_v4(ip, 0);
    struct tun lan;
    struct nl nl;

    assert_int_equal(tun_open(&lan, "lan0", 1400), 0);
    assert_int_equal(nl_open(&nl), 0);
    assert_int_equal(nl_link_up(&nl, "lan0", 0), 0);
    assert_int_equal(nl_route_add(&nl, "lan0", &prefix, 24, NULL, 0, 0), 0);
    assert_int_equal(start(), -EADDRINUSE);
    assert_non_null(strstr(t.failure, "10.77.0.0/20"));
    assert_non_null(strstr(t.failure, "10.77.8.0/24 via lan0"));
    nl_close(&nl);
    tun_close(&lan);
    stop();
    assert_int_equal(routes().unreachable, 0);
}

static void no_stamp_is_ever_below_an_earlier_one(void **state)
{
    uint64_t before, after;
    struct state s;
    struct why why;

    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(start(), 0);
    assert_int_equal(state_load_stamp(&s, &before, &why), 0);
    assert_true(before > tund_now().unix_ns);
    stop();
    assert_int_equal(start(), 0);
    assert_int_equal(state_load_stamp(&s, &after, &why), 0);
    assert_true(after > before);
    stop();
    /* both copies damaged: it starts, well ahead of the clock */
    assert_int_equal(state_write(&s, "stamp", "x", 1, &why), 0);
    assert_int_equal(state_write(&s, "stamp.bak", "x", 1, &why), 0);
    assert_int_equal(start(), 0);
    assert_int_equal(state_load_stamp(&s, &after, &why), 0);
    assert_true(after > tund_now().unix_ns + 3600ull * 1000000000u);
    state_close(&s);
}

static void assert_coordinator_becomes(const char *want)
{
    char got[32] = "";
    int fd;

    assert_int_equal(start(), 0);
    fd = dial();
    say(fd, "{\"verb\":\"watch\"}\n");
    while (strcmp(got, want) != 0) {
        json_t *m = hear(fd); /* fails after a while */

        snprintf(got, sizeof(got), "%s", text_at(m, "coordinator.state"));
        json_decref(m);
    }
    close(fd);
    stop();
}

static void the_coordinators_name_is_looked_up(void **state)
{
    store("localhost");
    assert_coordinator_becomes("connecting");
    store("no-such-host.invalid");
    assert_coordinator_becomes("unresolved");
}

static void a_coordinator_inside_the_overlay_is_not_used(void **state)
{
    store("10.77.0.9");
    assert_coordinator_becomes("unresolved");
}

static void a_state_without_a_member_or_with_a_damaged_one_is_refused(void **state)
{
    struct state s;
    struct why why;

    assert_int_equal(state_open(&s, dir, false, &why), 0);
    assert_int_equal(state_write(&s, "node", "x", 1, &why), 0);
    assert_int_equal(start(), 0); /* there is a copy */
    stop();
    assert_int_equal(state_write(&s, "node.bak", "x", 1, &why), 0);
    assert_int_equal(start(), -EBADMSG);
    assert_non_null(strstr(t.failure, "damaged"));
    stop();
    assert_int_equal(state_forget(&s, &why), 0);
    assert_int_equal(start(), -ENOENT);
    assert_non_null(strstr(t.failure, "tundctl join"));
    state_close(&s);
}

/* ---- what is written while the tunnel runs ---- */

#define RUN_WHILE(condition) \
    for (uint64_t end = uv_hrtime() + 30000000000ull; condition; uv_run(&t.loop, UV_RUN_ONCE)) \
        assert_true(uv_hrtime() < end)
static ino_t roster_file(void)
{
    char path[96], held[96 + 5];
    struct stat st;

    snprintf(path, sizeof(path), "%s/roster", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(!link(path, strcat(strcpy(held, path), ".held")) || errno == EEXIST); /* no other gets its number */
    return st.st_ino;
}

static void a_change_of_the_roster_is_on_disk_soon(void **state)
{
    ino_t before = roster_file();

    assert_int_equal(start(), 0);
    overlay_roster_changed(overlay);
    RUN_WHILE(roster_file() == before);
}

static void what_could_not_be_written_is_written_at_the_end(void **state)
{
    char obstacle[96];
    ino_t before = roster_file();

    snprintf(obstacle, sizeof(obstacle), "%s/roster.tmp", dir);
    assert_int_equal(start(), 0);
    assert_int_equal(mkdir(obstacle, 0700), 0);
    overlay_roster_changed(overlay);
    RUN_WHILE(!overlay->disk.resting);
    assert_int_equal(roster_file(), before);
    assert_int_equal(rmdir(obstacle), 0);
    stop();
    assert_int_not_equal(roster_file(), before);
}

static void a_ceiling_counts_when_it_is_on_disk(void **state)
{
    uint64_t before, stored;
    struct why why;

    assert_int_equal(start(), 0);
    before = overlay->stamp_ceiling_ns;
    overlay_extend_stamp(overlay, before);
    assert_int_equal(overlay->stamp_ceiling_ns, before);
    RUN_WHILE(overlay->stamp_ceiling_ns == before);
    assert_int_equal(overlay->stamp_ceiling_ns, before + OVERLAY_STAMP_AHEAD_NS);
    assert_int_equal(state_load_stamp(&overlay->state, &stored, &why), 0);
    assert_int_equal(stored, overlay->stamp_ceiling_ns);
}
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_member_comes_up_with_its_addresses_routes_and_backstops),
        T(all_is_taken_back_at_the_end),
        T(status_is_one_object_with_all_that_is_promised),
        T(a_member_is_found_by_name_id_and_address),
        T(what_cannot_be_done_is_refused_with_a_sentence),
        T(a_ping_without_any_way_says_so_and_ends),
        T(stopping_ends_pings_and_watches_under_way),
        T(down_ends_the_daemon),
        T(a_second_daemon_with_the_same_state_is_refused),
        T(a_prefix_that_the_host_has_a_route_to_is_refused),
        T(no_stamp_is_ever_below_an_earlier_one),
        T(a_change_of_the_roster_is_on_disk_soon),
        T(what_could_not_be_written_is_written_at_the_end),
        T(a_ceiling_counts_when_it_is_on_disk),
        T(the_coordinators_name_is_looked_up),
        T(a_coordinator_inside_the_overlay_is_not_used),
        T(a_state_without_a_member_or_with_a_damaged_one_is_refused),
    };

    if (!sealed_enter()) {
        print_error("no sealed namespace: run as root, with /dev/net/tun\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
