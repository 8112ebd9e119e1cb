/* netcheck: what the network here lets through. Asked of the daemon where one runs, for it
 * also knows what dial-backs found and how long mappings live; else, or with --coordinator,
 * checked from here. */
#include "tundctl.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ctl_client.h"
#include "libtunnel/base/ct.h"
#include "netcheck.h"
#include "state.h"
#include "state_record.h"
#include "tundctl_daemon.h"
#include "tundctl_show.h"
#include "udp_msg.h"

/* ---- from here ---- */

struct local {
    json_t *report;
};

static void on_checked(void *ctx, const struct netcheck_result *r)
{
    static const uint8_t unknown[2];
    struct local *l = ctx;

    l->report = netcheck_json(r, unknown);
}

/* The first address of each family. */
static int look_up(const struct tn_url *url, struct tn_addr found[2])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list;
    char port[8];
    int err;

    snprintf(port, sizeof port, "%u", url->port);
    err = getaddrinfo(url->host, port, &hints, &list);
    if (err)
        return say_error(CTL_EXIT_FAILED, "cannot look up the coordinator %s: %s", url->host,
                         gai_strerror(err));
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        int family = a->ai_family == AF_INET ? 0 : 1;

        if (tn_addr_is_zero(&found[family]) && (a->ai_family == AF_INET || a->ai_family == AF_INET6))
            found[family] = udp_from_sockaddr((const union udp_sockaddr *)a->ai_addr);
    }
    freeaddrinfo(list);
    return CTL_EXIT_OK;
}

static int check_from_here(const struct tn_url *url, json_t **report)
{
    struct tn_addr server[2] = {{.port = 0}};
    struct local l = {NULL};
    struct netcheck *n;
    uv_loop_t loop;
    int code = look_up(url, server), err;

    if (code != CTL_EXIT_OK)
        return code;
    err = uv_loop_init(&loop);
    if (err)
        return say_error(CTL_EXIT_FAILED, "no event loop: %s", uv_strerror(err));
    err = netcheck_start(&n, &loop, &server[0], &server[1], on_checked, &l);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends with the check's last handle */
    uv_loop_close(&loop);
    if (err || !l.report)
        return say_error(CTL_EXIT_FAILED, "the network cannot be checked: %s", strerror(-err));
    *report = l.report;
    return CTL_EXIT_OK;
}

static int coordinator_of_state(const struct args *a, struct tn_url *url)
{
    struct state_node node;
    struct state s;
    struct why why;
    int err = state_open(&s, a->state_dir, false, &why);

    if (err)
        return say_error(CTL_EXIT_FAILED, "%s (or name a coordinator with --coordinator URL)", why.text);
    err = state_load_node(&s, &node, &why);
    state_close(&s);
    if (err)
        return say_error(CTL_EXIT_FAILED, "%s (or name a coordinator with --coordinator URL)", why.text);
    *url = node.coordinator;
    state_node_wipe(&node);
    return CTL_EXIT_OK;
}

static bool has_daemon(const struct args *a)
{
    struct state s;
    struct why why;
    bool runs;

    if (state_open(&s, a->state_dir, false, &why))
        return false;
    runs = daemon_runs(&s);
    state_close(&s);
    return runs;
}

static int get_report(const struct args *a, json_t **report)
{
    struct tn_url url;
    int code;

    if (!(a->given & ARG_COORDINATOR) && has_daemon(a))
        return show_ask_slow(a, json_pack("{s:s}", "verb", "netcheck"), "netcheck",
                             NETCHECK_MAX_MS + 1000, report);
    if (!(a->given & ARG_COORDINATOR)) {
        code = coordinator_of_state(a, &url);
        return code == CTL_EXIT_OK ? check_from_here(&url, report) : code;
    }
    if (tn_url_decode(&url, a->coordinator, strlen(a->coordinator)) != 0)
        return say_error(CTL_EXIT_USAGE, "%.80s is no coordinator's address: tund://HOST:PORT/KEY",
                         a->coordinator);
    return check_from_here(&url, report);
}

/* ---- in words ---- */

struct words {
    const char *key, *text;
};

static const struct words mapping_words[] = {
    {"none", "there is no NAT: this is our own address"},
    {"endpoint-independent", "one outside port, wherever packets go: peers can be reached by punching"},
    {"address-dependent", "another outside port for each address"},
    {"address-and-port-dependent",
     "another outside port for each peer (symmetric): direct only with peers that let strangers in, or "
     "whose port can be found"},
    {"unknown", "could not be found out"},
};

static const struct words filtering_words[] = {
    {"endpoint-independent", "anybody's packets come in"},
    {"address-dependent", "packets of addresses that we have sent to come in"},
    {"address-and-port-dependent", "only packets of who we have sent to come in"},
    {"unknown", "not known (the daemon learns it, from a coordinator with two addresses)"},
};

static const struct words tcp_words[] = {
    {"open", "connects"},
    {"refused", "passes (the coordinator does not listen there)"},
    {"silent", "no answer: the network drops it, or the coordinator's firewall does"},
    {"unreachable", "the network refuses it"},
};

static const struct words portal_words[] = {
    {"no", "no: the coordinator itself answers"},
    {"not-seen", "none was seen; without another server to ask, more cannot be said"},
    {"suspected", "likely: something else answers in the coordinator's place; open a browser and log in"},
};

static const char *word(const struct words *list, size_t count, const json_t *object, const char *key)
{
    const char *is = json_string_value(json_object_get(object, key));

    for (size_t i = 0; is && i < count; i++) {
        if (strcmp(is, list[i].key) == 0)
            return list[i].text;
    }
    return "-";
}
#define WORD(list, object, key) word(list, sizeof(list) / sizeof((list)[0]), object, key)

static void print_ports(const json_t *f)
{
    const json_t *range = json_object_get(f, "port_range");
    char ports[32];

    printf("  ports      %s", show_text(f, "ports", ports, sizeof ports));
    if (json_is_integer(json_object_get(f, "port_step")))
        printf(", each %+d from the last", (int)json_integer_value(json_object_get(f, "port_step")));
    if (json_array_size(range) == 2)
        printf(", from a block of about %d to %d", (int)json_integer_value(json_array_get(range, 0)),
               (int)json_integer_value(json_array_get(range, 1)));
    putchar('\n');
}

static void print_family(const json_t *report, const char *key, const char *name)
{
    const json_t *f = json_object_get(report, key);
    const json_t *server = json_object_get(json_object_get(report, "coordinator"), key);
    char local[64], outside[64], mapping[48], filtering[48], rtt[SHOW_LEN];

    if (!json_is_object(f)) {
        printf("%s  %s\n", name, json_is_null(server) ? "not tried: the coordinator has no such address"
                                                       : "this machine has no way there");
        return;
    }
    if (!json_is_true(json_object_get(f, "udp"))) {
        printf("%s  UDP is blocked: no answer from %s\n", name, json_string_value(server));
        return;
    }
    printf("%s  UDP passes: %s is seen as %s, round trip %s\n", name,
           show_text(f, "local", local, sizeof local), show_text(f, "outside", outside, sizeof outside),
           show_ms(json_object_get(f, "rtt_ms"), rtt));
    printf("  mapping    %s%s: %s\n", show_text(f, "mapping", mapping, sizeof mapping),
           json_is_true(json_object_get(f, "mapping_sure")) ? "" : " (as far as one address can tell)",
           WORD(mapping_words, f, "mapping"));
    printf("  filtering  %s: %s\n", show_text(f, "filtering", filtering, sizeof filtering),
           WORD(filtering_words, f, "filtering"));
    if (json_is_boolean(json_object_get(f, "hairpin"))) {
        print_ports(f);
        printf("  hairpin    %s\n", json_is_true(json_object_get(f, "hairpin")) ? "yes" : "no");
    }
    if (json_is_integer(json_object_get(f, "mtu")))
        printf("  packets    of %d bytes reach the coordinator whole\n",
               (int)json_integer_value(json_object_get(f, "mtu")));
    else
        puts("  packets    none of 576 bytes or more reached the coordinator whole");
}

static void print_lifetime(const json_t *l)
{
    const json_t *alive = json_object_get(l, "outlived_s"), *dead = json_object_get(l, "not_outlived_s");
    char state[32];

    if (!json_is_object(l))
        return;
    printf("mapping's life  %s", show_text(l, "state", state, sizeof state));
    if (json_is_integer(alive))
        printf(", longer than %d s", (int)json_integer_value(alive));
    if (json_is_integer(dead))
        printf(", not longer than %d s", (int)json_integer_value(dead));
    putchar('\n');
}

static void print_report(const json_t *report)
{
    const json_t *portal = json_object_get(report, "captive_portal");
    char host[140];

    print_family(report, "v4", "IPv4");
    print_family(report, "v6", "IPv6");
    printf("TCP 443  %s\n", WORD(tcp_words, report, "tcp443"));
    printf("captive portal  %s", WORD(portal_words, portal, "state"));
    if (json_is_string(json_object_get(portal, "sends_to")))
        printf(" (it sends us to %s)", show_text(portal, "sends_to", host, sizeof host));
    putchar('\n');
    if (json_is_string(json_object_get(report, "nat64")))
        printf("NAT64  %s\n", show_text(report, "nat64", host, sizeof host));
    print_lifetime(json_object_get(report, "lifetime"));
    if (json_is_object(json_object_get(report, "gateway")))
        portmap_print_own(json_object_get(report, "gateway"));
}

static bool udp_passes(const json_t *report)
{
    return json_is_true(json_object_get(json_object_get(report, "v4"), "udp")) ||
           json_is_true(json_object_get(json_object_get(report, "v6"), "udp"));
}

int tundctl_netcheck(const struct args *a)
{
    json_t *report = NULL;
    int code = get_report(a, &report);

    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON)
        code = show_json(report);
    else
        print_report(report);
    if (code == CTL_EXIT_OK && !udp_passes(report))
        code = CTL_EXIT_NO_UDP;
    json_decref(report);
    return code;
}
