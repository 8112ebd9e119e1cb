/* status, peers, version: what the daemon tells, as tables or as JSON. */
#include "tundctl_show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl_client.h"
#include "tundctl.h"

/* ---- pieces ---- */

const char *show_text(const json_t *object, const char *key, char *out, size_t len)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t i = 0;

    if (!text || !*text)
        text = "-";
    for (; text[i] && i + 1 < len; i++)
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    out[i] = '\0';
    return out;
}

const char *show_ms(const json_t *value, char out[SHOW_LEN])
{
    if (!json_is_number(value))
        return "-";
    snprintf(out, SHOW_LEN, "%.1f ms", json_number_value(value));
    return out;
}

const char *show_bytes(const json_t *value, char out[SHOW_LEN])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = json_number_value(value);
    size_t u = 0;

    while (v >= 1024 && u < sizeof(unit) / sizeof(unit[0]) - 1) {
        v /= 1024;
        u++;
    }
    snprintf(out, SHOW_LEN, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
    return out;
}

const char *show_age(const json_t *value, char out[SHOW_LEN])
{
    double s = json_number_value(value);

    if (!json_is_number(value))
        return "-";
    if (s < 120)
        snprintf(out, SHOW_LEN, "%.0f s", s);
    else if (s < 7200)
        snprintf(out, SHOW_LEN, "%.0f min", s / 60);
    else
        snprintf(out, SHOW_LEN, "%.0f h", s / 3600);
    return out;
}

const char *show_way(const json_t *peer, char *out, size_t len)
{
    char name[80];

    if (!json_is_string(json_object_get(peer, "through")))
        return show_text(peer, "endpoint", out, len);
    snprintf(out, len, "through %s", show_text(peer, "through", name, sizeof(name)));
    return out;
}

int show_ask(const struct args *a, json_t *request, const char *key, json_t **answer)
{
    return show_ask_slow(a, request, key, CTL_ANSWER_MS, answer);
}

int show_ask_slow(const struct args *a, json_t *request, const char *key, int timeout_ms, json_t **answer)
{
    json_t *got = NULL;
    struct state s;
    struct why why;
    int err = state_open(&s, a->state_dir, false, &why);

    if (err) {
        json_decref(request);
        return say_error(CTL_EXIT_FAILED, "%s", why.text);
    }
    err = ctl_ask(&s, request, timeout_ms, &got, &why);
    state_close(&s);
    if (err)
        return say_error(CTL_EXIT_FAILED, "%s", why.text);
    *answer = json_incref(json_object_get(got, key));
    json_decref(got);
    if (!*answer)
        return say_error(CTL_EXIT_FAILED, "tund's answer cannot be read: is it of another version?");
    return CTL_EXIT_OK;
}

int show_json(const json_t *value)
{
    if (json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) != 0 ||
        putchar('\n') == EOF || fflush(stdout) != 0)
        return say_error(CTL_EXIT_FAILED, "cannot write: %s", strerror(errno));
    return CTL_EXIT_OK;
}

/* ---- tables ---- */

#define COLUMNS 9
#define CELL_LEN 64

const char *show_path(const json_t *peer, char *out, size_t len)
{
    char transport[16];

    show_text(peer, "path", out, len);
    if (strcmp(show_text(peer, "transport", transport, sizeof(transport)), "tcp") == 0)
        snprintf(out, len, "direct over TCP");
    return out;
}

static void fill_row(const json_t *peer, char cell[COLUMNS][CELL_LEN])
{
    const json_t *addresses = json_object_get(peer, "addresses");
    const char *v4 = json_string_value(json_array_get(addresses, 0));
    char text[SHOW_LEN];

    show_text(peer, "name", cell[0], CELL_LEN);
    snprintf(cell[1], CELL_LEN, "%s", v4 ? v4 : "-");
    show_path(peer, cell[2], CELL_LEN);
    show_way(peer, cell[3], CELL_LEN);
    snprintf(cell[4], CELL_LEN, "%s", show_ms(json_object_get(peer, "rtt_ms"), text));
    snprintf(cell[5], CELL_LEN, "%d", (int)json_integer_value(json_object_get(peer, "mtu")));
    snprintf(cell[6], CELL_LEN, "%s", show_bytes(json_object_get(peer, "tx_bytes"), text));
    snprintf(cell[7], CELL_LEN, "%s", show_bytes(json_object_get(peer, "rx_bytes"), text));
    snprintf(cell[8], CELL_LEN, "%s", show_age(json_object_get(peer, "last_handshake_s"), text));
}

static void widen(size_t width[COLUMNS], char cell[COLUMNS][CELL_LEN])
{
    for (size_t c = 0; c < COLUMNS; c++) {
        if (strlen(cell[c]) > width[c])
            width[c] = strlen(cell[c]);
    }
}

static void print_row(const size_t width[COLUMNS], char cell[COLUMNS][CELL_LEN])
{
    for (size_t c = 0; c + 1 < COLUMNS; c++)
        printf("%-*s  ", (int)width[c], cell[c]);
    printf("%s\n", cell[COLUMNS - 1]);
}

static void print_peers(const json_t *peers)
{
    char head[COLUMNS][CELL_LEN] = {"PEER", "ADDRESS", "PATH", "ENDPOINT", "RTT", "MTU", "SENT",
                                    "RECEIVED", "HANDSHAKE"};
    char cell[COLUMNS][CELL_LEN];
    size_t width[COLUMNS] = {0}, i;
    const json_t *peer;

    if (json_array_size(peers) == 0) {
        puts("no other members yet: tundctl invite --name NODE");
        return;
    }
    widen(width, head);
    json_array_foreach(peers, i, peer) {
        fill_row(peer, cell);
        widen(width, cell);
    }
    print_row(width, head);
    json_array_foreach(peers, i, peer) {
        fill_row(peer, cell);
        print_row(width, cell);
    }
}

/* What devices have told of themselves. */
static void print_devices(const json_t *peers)
{
    char name[80], used[SHOW_LEN], budget[SHOW_LEN], age[SHOW_LEN];
    const json_t *peer, *told, *lifetime;
    size_t i;

    json_array_foreach(peers, i, peer) {
        told = json_object_get(peer, "told");
        if (!json_is_object(told))
            continue;
        printf("%s  %s today", show_text(peer, "name", name, sizeof(name)),
               show_bytes(json_object_get(told, "used_bytes"), used));
        if (json_is_integer(json_object_get(told, "budget_bytes")))
            printf(" of %s%s", show_bytes(json_object_get(told, "budget_bytes"), budget),
                   json_is_true(json_object_get(told, "low")) ? ", which is nearly all" : "");
        lifetime = json_object_get(told, "nat_lifetime_s");
        if (json_is_integer(lifetime))
            printf("; the NAT there remembers it for %lld s", (long long)json_integer_value(lifetime));
        printf("; it speaks each %lld s; told %s ago\n",
               (long long)json_integer_value(json_object_get(told, "keepalive_s")),
               show_age(json_object_get(told, "told_s"), age));
    }
}

static void print_self(const json_t *self)
{
    const json_t *addresses = json_object_get(self, "addresses"), *address;
    char name[80], network[80], ifname[32], id[32], offloads[80], metered[32];
    size_t i;

    printf("%s of network %s, interface %s, UDP port %d\n", show_text(self, "name", name, sizeof(name)),
           show_text(self, "network", network, sizeof(network)),
           show_text(self, "ifname", ifname, sizeof(ifname)),
           (int)json_integer_value(json_object_get(self, "port")));
    printf("  addresses ");
    json_array_foreach(addresses, i, address)
        printf(" %s", json_string_value(address));
    printf("\n  node id    %s\n", show_text(self, "id", id, sizeof(id)));
    printf("  offloads   %s\n", show_text(self, "offloads", offloads, sizeof(offloads)));
    if (json_is_string(json_object_get(self, "metered")))
        printf("  metered    %s: bytes are spared\n", show_text(self, "metered", metered, sizeof(metered)));
}

/* What comes in unasked by each outside address, in words. */
static void print_reach(const json_t *self)
{
    static const struct {
        const char *verdict, *words;
    } rows[] = {
        {"open", "anybody can reach it"},
        {"restricted", "only addresses that we have sent to can reach it"},
        {"closed", "only who we have sent to can reach it"},
        {"elsewhere", "not where the coordinator sees us, so it cannot be checked"},
    };
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(self, "reach"), i, row) {
        char address[64], origin[32], verdict[32];

        show_text(row, "address", address, sizeof(address));
        show_text(row, "origin", origin, sizeof(origin));
        show_text(row, "unsolicited", verdict, sizeof(verdict));
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            if (strcmp(verdict, rows[k].verdict) == 0)
                printf("  %s (%s): %s\n", address, origin, rows[k].words);
        }
    }
}

static void print_relay(const json_t *r)
{
    if (json_is_true(json_object_get(r, "on")))
        printf("  relays for other members, %g Mbit/s at most: %lld datagrams passed on\n",
               (double)json_integer_value(json_object_get(r, "rate_bits")) / 1e6,
               (long long)json_integer_value(json_object_get(r, "forwarded")));
}

static void print_coordinator(const json_t *c, const json_t *self)
{
    const json_t *observed = json_object_get(self, "observed"), *address;
    const char *transport = json_string_value(json_object_get(c, "transport"));
    char state[32], endpoint[320], error[256], rtt[SHOW_LEN];
    bool by_tls = transport && strcmp(transport, "tls") == 0;
    size_t i;

    printf("coordinator  %s, %s%s, %s\n", show_text(c, "state", state, sizeof(state)),
           by_tls ? "TLS to " : "", show_text(c, "endpoint", endpoint, sizeof(endpoint)),
           show_ms(json_object_get(c, "rtt_ms"), rtt));
    if (json_object_get(c, "error"))
        printf("  %s\n", show_text(c, "error", error, sizeof(error)));
    if (json_array_size(observed) == 0)
        return;
    printf("  it sees us as");
    json_array_foreach(observed, i, address)
        printf(" %s", json_string_value(address));
    putchar('\n');
}

/* ---- verbs ---- */

int tundctl_status(const struct args *a)
{
    json_t *status, *self;
    int code = show_ask(a, json_pack("{s:s}", "verb", "status"), "status", &status);

    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON) {
        code = show_json(status);
    } else {
        self = json_object_get(status, "self");
        print_self(self);
        print_coordinator(json_object_get(status, "coordinator"), self);
        portmap_print_own(json_object_get(status, "portmap"));
        print_reach(self);
        print_relay(json_object_get(status, "relay"));
        putchar('\n');
        print_peers(json_object_get(status, "peers"));
        print_devices(json_object_get(status, "peers"));
    }
    json_decref(status);
    return code;
}

int tundctl_peers(const struct args *a)
{
    json_t *peers;
    int code = show_ask(a, json_pack("{s:s}", "verb", "peers"), "peers", &peers);

    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON)
        code = show_json(peers);
    else
        print_peers(peers);
    json_decref(peers);
    return code;
}

/* The daemon is asked where one runs; that none does is no error here. */
int tundctl_version(const struct args *a)
{
    json_t *answer = NULL, *out;
    const char *daemon = NULL;
    struct state s;
    struct why why;
    int code = CTL_EXIT_OK;

    if (state_open(&s, a->state_dir, false, &why) == 0) {
        if (ctl_ask(&s, json_pack("{s:s}", "verb", "version"), CTL_ANSWER_MS, &answer, &why) == 0)
            daemon = json_string_value(json_object_get(answer, "version"));
        state_close(&s);
    }
    if (a->given & ARG_JSON) {
        out = json_pack("{s:s,s:s?}", "tundctl", TUND_VERSION, "tund", daemon);
        code = show_json(out);
        json_decref(out);
    } else {
        printf("tundctl %s\n", TUND_VERSION);
        if (daemon)
            printf("tund    %s, running\n", daemon);
    }
    json_decref(answer);
    return code;
}
