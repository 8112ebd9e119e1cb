/* explain: why the path in use is in use, what the NATs are, what would make it better, and every way to
 * the member that was tried, one block each. */
#include "tundctl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tundctl_show.h"

static void print_candidate(const json_t *c)
{
    const json_t *next = json_object_get(c, "next_try_s");
    char address[64], origin[32], verdict[32], text[256], observed[64], next_text[SHOW_LEN];

    printf("%s %s  (%s)\n", json_is_true(json_object_get(c, "in_use")) ? "*" : " ",
           json_is_string(json_object_get(c, "through")) ? show_text(c, "through", address, sizeof(address))
                                                         : show_text(c, "address", address, sizeof(address)),
           show_text(c, "origin", origin, sizeof(origin)));
    printf("    %s: %s\n", show_text(c, "verdict", verdict, sizeof(verdict)),
           show_text(c, "why", text, sizeof(text)));
    printf("    tried:     %s\n", show_text(c, "tried", text, sizeof(text)));
    printf("    came back: %s\n", show_text(c, "came_back", text, sizeof(text)));
    if (json_is_string(json_object_get(c, "observed")))
        printf("    it sees us as %s\n", show_text(c, "observed", observed, sizeof(observed)));
    if (json_is_number(next))
        printf("    next try in %s\n", show_age(next, next_text));
    else
        printf("    next try with the next punch (while traffic flows)\n");
}

static void print_nat(const json_t *nats, const char *key, const char *name)
{
    const json_t *nat = json_object_get(nats, key), *range = json_object_get(nat, "port_range");
    char mapping[48], filtering[48], ports[32];

    if (!json_is_object(nat)) {
        printf("  %s: not known\n", name);
        return;
    }
    printf("  %s: mapping %s, filtering %s, ports %s", name,
           show_text(nat, "mapping", mapping, sizeof(mapping)),
           show_text(nat, "filtering", filtering, sizeof(filtering)),
           show_text(nat, "ports", ports, sizeof(ports)));
    if (json_is_integer(json_object_get(nat, "port_step")))
        printf(" (step %+d)", (int)json_integer_value(json_object_get(nat, "port_step")));
    if (json_array_size(range) == 2)
        printf(" of about %d to %d", (int)json_integer_value(json_array_get(range, 0)),
               (int)json_integer_value(json_array_get(range, 1)));
    puts(json_is_true(json_object_get(nat, "open")) ? "; anybody can reach it" : "");
}

/* TCP with the member, where one of the two has no UDP. */
static void print_tcp(const json_t *tcp)
{
    char words[256], address[64], outside[64], back[128];
    const json_t *item;
    size_t i;

    if (!json_is_object(tcp))
        return;
    printf("\nTCP: %s\n", show_text(tcp, "words", words, sizeof(words)));
    json_array_foreach(json_object_get(tcp, "own"), i, item)
        printf("  from port %d, which is %s from outside\n", (int)json_integer_value(json_object_get(item, "port")),
               show_text(item, "outside", outside, sizeof(outside)));
    json_array_foreach(json_object_get(tcp, "attempts"), i, item)
        printf("  %s: %s\n", show_text(item, "address", address, sizeof(address)),
               show_text(item, "came_back", back, sizeof(back)));
}

static void print_explain(const json_t *e)
{
    const json_t *peer = json_object_get(e, "peer"), *nats = json_object_get(e, "nats"), *item;
    const json_t *list = json_object_get(e, "candidates"), *advice = json_object_get(e, "advice");
    char name[80], path[32], endpoint[64], text[512], rtt[SHOW_LEN], direct[SHOW_LEN];
    size_t i;

    printf("%s: %s, %s, rtt %s", show_text(peer, "name", name, sizeof(name)),
           show_path(peer, path, sizeof(path)), show_way(peer, endpoint, sizeof(endpoint)),
           show_ms(json_object_get(peer, "rtt_ms"), rtt));
    if (json_is_number(json_object_get(peer, "time_to_direct_ms")))
        printf(", direct after %s", show_ms(json_object_get(peer, "time_to_direct_ms"), direct));
    printf(", MTU %d", (int)json_integer_value(json_object_get(peer, "mtu")));
    printf("\n%s\n\n", show_text(e, "reason", text, sizeof(text)));
    printf("NATs: %s\n", show_text(nats, "words", text, sizeof(text)));
    print_nat(nats, "own", "here");
    print_nat(nats, "peer", name);
    portmap_print_own(json_object_get(e, "portmap"));
    print_tcp(json_object_get(e, "tcp"));
    if (json_array_size(advice))
        puts("\nTo make it better:");
    json_array_foreach(advice, i, item)
        printf("  - %s\n", json_string_value(item));
    puts("\nCandidates:");
    json_array_foreach(list, i, item)
        print_candidate(item);
}

int tundctl_explain(const struct args *a)
{
    json_t *explain;
    int code = show_ask(a, json_pack("{s:s,s:s}", "verb", "explain", "peer", a->word), "explain",
                        &explain);

    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON)
        code = show_json(explain);
    else
        print_explain(explain);
    json_decref(explain);
    return code;
}
