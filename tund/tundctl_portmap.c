/* portmap: what the gateway maps to this machine, and to others. */
#include "tundctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_client.h"
#include "tundctl_show.h"

/* The gateway is asked by up to three protocols, the slowest of which may take twice 6 s. */
#define PORTMAP_MS 20000

/* ---- one line for status and explain ---- */

static const char *by_name(const json_t *mapping)
{
    const char *by = json_string_value(json_object_get(mapping, "by"));

    if (by && strcmp(by, "pcp") == 0)
        return "PCP";
    if (by && strcmp(by, "natpmp") == 0)
        return "NAT-PMP";
    return by && strcmp(by, "upnp") == 0 ? "UPnP" : "-";
}

static const char *verdict_words(const json_t *mapping)
{
    const char *verdict = json_string_value(json_object_get(mapping, "verdict"));

    if (verdict && strcmp(verdict, "answered") == 0)
        return "and the coordinator reaches us there";
    if (verdict && strcmp(verdict, "silent") == 0)
        return "but nothing comes through";
    return "not verified yet";
}

/* The judge of a pinhole is the firewall itself: it is asked whether anything came in. */
static const char *pinhole_words(const json_t *mapping)
{
    const char *verdict = json_string_value(json_object_get(mapping, "verdict"));

    if (verdict && strcmp(verdict, "answered") == 0)
        return "and packets have come in through it";
    return "nothing is known to have come in yet";
}

static void print_mapping_line(const json_t *m, bool is_pinhole)
{
    const char *title = is_pinhole ? "IPv6 pinhole  " : "port mapping  ";
    char external[64], state[32], why[256];

    show_text(m, "why", why, sizeof why);
    show_text(m, "state", state, sizeof state);
    if (strcmp(state, "mapped") == 0)
        printf("%s%s by %s, %s%s%s\n", title, show_text(m, "external", external, sizeof external),
               by_name(m), is_pinhole ? pinhole_words(m) : verdict_words(m), strcmp(why, "-") ? "; " : "",
               strcmp(why, "-") ? why : "");
    else if (!is_pinhole || strcmp(state, "waiting") != 0) /* most hosts have no IPv6 gateway */
        printf("%s%s%s%s\n", title, strcmp(state, "asking") ? "none" : "being asked for",
               strcmp(why, "-") ? ": " : "", strcmp(why, "-") ? why : "");
}

void portmap_print_own(const json_t *portmap)
{
    const json_t *list = json_object_get(portmap, "mappings"), *m;
    const char *family;
    size_t i;

    if (!json_is_true(json_object_get(portmap, "enabled"))) {
        puts("port mapping  off");
        return;
    }
    json_array_foreach(list, i, m) {
        family = json_string_value(json_object_get(m, "family"));
        if (json_is_true(json_object_get(m, "own")) && family)
            print_mapping_line(m, strcmp(family, "ipv6") == 0);
    }
}

/* ---- list ---- */

static void print_services(const json_t *portmap)
{
    const json_t *speaks = json_object_get(portmap, "speaks");
    bool v4 = json_is_string(json_object_get(portmap, "gateway"));
    bool v6 = json_is_string(json_object_get(portmap, "gateway6"));
    char gateway[64], pcp[16], natpmp[16], upnp[16];

    if (!v4 && !v6)
        puts("no default gateway");
    if (v6)
        printf("gateway %s: PCP %s, UPnP %s\n", show_text(portmap, "gateway6", gateway, sizeof gateway),
               show_text(portmap, "pcp6", pcp, sizeof pcp), show_text(portmap, "upnp6", upnp, sizeof upnp));
    if (!v4)
        return;
    printf("gateway %s: PCP %s, NAT-PMP %s, UPnP %s", show_text(portmap, "gateway", gateway, sizeof gateway),
           show_text(speaks, "pcp", pcp, sizeof pcp), show_text(speaks, "natpmp", natpmp, sizeof natpmp),
           show_text(speaks, "upnp", upnp, sizeof upnp));
    if (json_integer_value(json_object_get(portmap, "upnp_version")))
        printf(" (IGD %d)", (int)json_integer_value(json_object_get(portmap, "upnp_version")));
    putchar('\n');
}

static void print_ours(const json_t *list)
{
    const json_t *m;
    size_t i;

    puts("\nPORT         OUTSIDE                STATE    BY       LEASE    VERDICT");
    json_array_foreach(list, i, m) {
        char port[24], external[64], state[32], verdict[32], why[256], protocol[8], lease[SHOW_LEN];

        snprintf(port, sizeof port, "%d/%s", (int)json_integer_value(json_object_get(m, "port")),
                 show_text(m, "protocol", protocol, sizeof protocol));
        printf("%-12s %-22s %-8s %-8s %-8s %s\n", port, show_text(m, "external", external, sizeof external),
               show_text(m, "state", state, sizeof state), by_name(m),
               show_age(json_object_get(m, "lease_s"), lease),
               show_text(m, "verdict", verdict, sizeof verdict));
        if (strcmp(show_text(m, "why", why, sizeof why), "-") != 0)
            printf("             %s\n", why);
    }
}

static void print_table(const json_t *table)
{
    const json_t *e;
    size_t i;

    if (!json_is_array(table))
        return;
    puts("\nthe gateway's UPnP table:");
    json_array_foreach(table, i, e) {
        char protocol[8], host[64], description[64], lease[SHOW_LEN];
        json_int_t left = json_integer_value(json_object_get(e, "lease_s"));

        printf("%5d/%s -> %s:%d  %s, %s\n", (int)json_integer_value(json_object_get(e, "external_port")),
               show_text(e, "protocol", protocol, sizeof protocol), show_text(e, "host", host, sizeof host),
               (int)json_integer_value(json_object_get(e, "port")),
               show_text(e, "description", description, sizeof description),
               left ? show_age(json_object_get(e, "lease_s"), lease) : "for good");
    }
    if (json_array_size(table) == 0)
        puts("(empty)");
}

/* ---- the verb ---- */

static int ask(const struct args *a, json_t *request, json_t **answer)
{
    struct state s;
    struct why why;
    int err = state_open(&s, a->state_dir, false, &why);

    if (err) {
        json_decref(request);
        return say_error(CTL_EXIT_FAILED, "%s", why.text);
    }
    err = ctl_ask(&s, request, PORTMAP_MS, answer, &why);
    state_close(&s);
    return err ? say_error(CTL_EXIT_FAILED, "%s", why.text) : CTL_EXIT_OK;
}

static int list(const struct args *a)
{
    const json_t *portmap;
    json_t *answer;
    int code = ask(a, json_pack("{s:s,s:s}", "verb", "portmap", "op", "list"), &answer);

    if (code != CTL_EXIT_OK)
        return code;
    portmap = json_object_get(answer, "portmap");
    if (a->given & ARG_JSON) {
        code = show_json(portmap);
    } else if (!json_is_true(json_object_get(portmap, "enabled"))) {
        puts("port mapping is off");
    } else {
        print_services(portmap);
        print_ours(json_object_get(portmap, "mappings"));
        print_table(json_object_get(portmap, "table"));
    }
    json_decref(answer);
    return code;
}

/* "8080/tcp", "51820/udp", or "8080", which is udp. */
static bool parse_port(const char *text, uint16_t *port, const char **protocol)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || v < 1 || v > UINT16_MAX)
        return false;
    *port = (uint16_t)v;
    *protocol = strcmp(end, "/tcp") == 0 ? "tcp" : "udp";
    return !*end || strcmp(end, "/tcp") == 0 || strcmp(end, "/udp") == 0;
}

static int change(const struct args *a)
{
    char external[64];
    const json_t *mapping;
    const char *protocol;
    json_t *answer;
    uint16_t port;
    int code;

    if (!a->second || !parse_port(a->second, &port, &protocol))
        return say_error(CTL_EXIT_USAGE, "which port? for example: tundctl portmap %s 8080/tcp", a->word);
    code = ask(a, json_pack("{s:s,s:s,s:s,s:i,s:i,s:s*}", "verb", "portmap", "op", a->word, "protocol",
                            protocol, "port", (int)port, "external", (int)a->external, "by", a->by),
               &answer);
    if (code != CTL_EXIT_OK)
        return code;
    mapping = json_object_get(answer, "mapping");
    if (a->given & ARG_JSON)
        code = show_json(mapping ? mapping : answer);
    else if (mapping)
        printf("%s is mapped to port %d of this machine, by %s, while tund runs\n",
               show_text(mapping, "external", external, sizeof external), port, by_name(mapping));
    else
        printf("%d/%s is not mapped any more\n", port, protocol);
    json_decref(answer);
    return code;
}

int tundctl_portmap(const struct args *a)
{
    bool is_list = !a->word || strcmp(a->word, "list") == 0;

    if (is_list && !a->second && !(a->given & (ARG_EXTERNAL | ARG_BY)))
        return list(a);
    if (is_list)
        return say_error(CTL_EXIT_USAGE, "portmap list takes nothing but --json");
    if (strcmp(a->word, "add") == 0)
        return change(a);
    if (strcmp(a->word, "del") != 0)
        return say_error(CTL_EXIT_USAGE, "portmap knows list, add and del, not \"%.40s\"", a->word);
    if (a->given & (ARG_EXTERNAL | ARG_BY))
        return say_error(CTL_EXIT_USAGE, "--external and --by go with portmap add");
    return change(a);
}
