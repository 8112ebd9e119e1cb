/* How it works: the server's counters are one list (TN_SERVER_COUNTERS), from which
 * both the fields and their names here are made, so none can be forgotten. Those
 * that begin with "drop_" are the reasons of dropped datagrams. The text for people is
 * made from the JSON, by the asking process. */
#include "coord_report.h"

#include <string.h>
#include <unistd.h>

struct named {
    const char *name;
    uint64_t value;
};

static size_t list_counters(const struct tn_server_counters *c, struct named *out)
{
    const struct named list[] = {
#define NAMED(name) {#name, c->name},
        TN_SERVER_COUNTERS(NAMED)
#undef NAMED
    };

    memcpy(out, list, sizeof(list));
    return sizeof(list) / sizeof(list[0]);
}

/* Sets one number; false when there is no memory. */
static bool put(json_t *object, const char *name, uint64_t value)
{
    return json_object_set_new(object, name, json_integer((json_int_t)value)) == 0;
}

static bool put_counters(json_t *counters, json_t *drops, const struct tn_server_counters *c)
{
    struct named list[sizeof(*c) / sizeof(uint64_t)];
    size_t count = list_counters(c, list);
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        bool drop = strncmp(list[i].name, "drop_", 5) == 0;

        ok = put(drop ? drops : counters, list[i].name + (drop ? 5 : 0), list[i].value) && ok;
    }
    return ok;
}

static json_t *listening(const struct coord_net *n)
{
    json_t *list = json_array();
    char text[ADDR_TEXT_LEN];

    for (unsigned i = 0; i < n->udp_count; i++) {
        struct tn_addr a = coord_net_bound(n, i);

        /* json_array_append_new fails for a NULL list or string as well */
        if (json_array_append_new(list, json_string(addr_text(&a, text)))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *tls_json(const struct coord_streams *c)
{
    json_t *list = json_array();
    char text[ADDR_TEXT_LEN];

    for (unsigned i = 0; i < c->listener_count; i++) {
        if (json_array_append_new(list, json_string(addr_text(&c->listener[i]->at, text)))) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "listening", list, "connections",
                     (json_int_t)c->used, "accepted", (json_int_t)c->accepted, "refused",
                     (json_int_t)c->refused, "dropped", (json_int_t)c->dropped);
}

static json_t *store_json(const struct coord_report *r)
{
    json_t *store = json_pack("{s:b, s:I, s:s}", "failed", (int)r->store->failed, "failures",
                              (json_int_t)r->store->failures, "last_failure", r->store->last.text);

    if (store && r->counts_known &&
        (!put(store, "networks", r->counts.networks) || !put(store, "members", r->counts.members))) {
        json_decref(store);
        return NULL;
    }
    return store;
}

json_t *coord_report_json(const struct coord_report *r)
{
    const struct coord_net_counters *n = &r->net->counters;
    json_t *counters = json_object(), *drops = json_object();

    if (!counters || !drops || !put_counters(counters, drops, r->counters)) {
        json_decref(counters);
        json_decref(drops);
        return NULL;
    }
    /* "o" takes the references over, also when packing fails */
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I}, s:{s:I, s:I},"
        " s:{s:I, s:I}, s:o, s:o, s:o}",
        "version", TUND_VERSION, "url", r->url, "pid", (json_int_t)getpid(), "uptime_s",
        (json_int_t)r->uptime_s, "listening", listening(r->net), "sessions", "members",
        (json_int_t)r->gauges.members, "guests", (json_int_t)r->gauges.guests, "tentative",
        (json_int_t)r->gauges.tentative, "channels", (json_int_t)r->gauges.channels, "store",
        store_json(r), "relayed", "packets", (json_int_t)r->counters->relay_packets, "bytes",
        (json_int_t)r->counters->relay_bytes, "stun", "answers", (json_int_t)n->stun_answers,
        "silent", (json_int_t)n->stun_silent, "send", "busy", (json_int_t)n->send_busy, "errors",
        (json_int_t)n->send_errors, "counters", counters, "drops", drops, "tls",
        tls_json(r->streams));
}

/* ---- for people ---- */

static void print_drops(const json_t *drops, FILE *out)
{
    const char *reason;
    json_t *value;
    bool any = false;

    /* jansson's iterator wants a pointer that is not const, and changes nothing */
    json_object_foreach((json_t *)(uintptr_t)drops, reason, value) {
        if (json_integer_value(value) == 0)
            continue;
        fprintf(out, "%s%s %lld", any ? ", " : "dropped      ", reason,
                (long long)json_integer_value(value));
        any = true;
    }
    fprintf(out, "%s\n", any ? "" : "dropped      nothing");
}

static void print_listening(const char *label, const json_t *list, FILE *out)
{
    fputs(label, out);
    for (size_t i = 0; i < json_array_size(list); i++)
        fprintf(out, " %s", json_string_value(json_array_get(list, i)));
    fputc('\n', out);
}

static void print_tls(const json_t *tls, FILE *out)
{
    const json_t *list = json_object_get(tls, "listening");

    if (json_array_size(list) == 0)
        return;
    print_listening("             TLS", list, out);
    fprintf(out, "TLS          %lld connections\n",
            (long long)json_integer_value(json_object_get(tls, "connections")));
}

static void print_store(const json_t *store, FILE *out)
{
    const json_t *networks = json_object_get(store, "networks");

    if (networks)
        fprintf(out, "known        %lld networks, %lld members\n",
                (long long)json_integer_value(networks),
                (long long)json_integer_value(json_object_get(store, "members")));
    if (json_integer_value(json_object_get(store, "failures")))
        fprintf(out, "STORE        %s; last failure: %s\n",
                json_is_true(json_object_get(store, "failed"))
                    ? "takes no changes until a restart"
                    : "had failures",
                json_string_value(json_object_get(store, "last_failure")));
}

bool coord_report_print(const json_t *report, FILE *out)
{
    const char *version, *url;
    json_t *list, *store, *drops, *tls;
    json_int_t pid, uptime, members, guests, tentative, channels, packets, bytes, answers;

    if (json_unpack((json_t *)(uintptr_t)report,
                    "{s:s, s:s, s:I, s:I, s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I},"
                    " s:{s:I}, s:o, s:o}",
                    "version", &version, "url", &url, "pid", &pid, "uptime_s", &uptime, "listening",
                    &list, "sessions", "members", &members, "guests", &guests, "tentative",
                    &tentative, "channels", &channels, "store", &store, "relayed", "packets",
                    &packets, "bytes", &bytes, "stun", "answers", &answers, "drops", &drops,
                    "tls", &tls))
        return false;
    fprintf(out, "coordinator  %s\n", url);
    fprintf(out, "running      %lldd %02lld:%02lld:%02lld, process %lld, version %s\n",
            (long long)uptime / 86400, (long long)uptime / 3600 % 24, (long long)uptime / 60 % 60,
            (long long)uptime % 60, (long long)pid, version);
    print_listening("listening    UDP", list, out);
    print_tls(tls, out);
    print_store(store, out);
    fprintf(out, "connected    %lld members, %lld guests, %lld handshakes, %lld channels\n",
            (long long)members, (long long)guests, (long long)tentative, (long long)channels);
    fprintf(out, "relayed      %lld packets, %lld bytes\n", (long long)packets, (long long)bytes);
    fprintf(out, "STUN         %lld answers\n", (long long)answers);
    print_drops(drops, out);
    return true;
}
