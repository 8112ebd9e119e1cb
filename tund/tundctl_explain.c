/* explain: every way to a member that was tried, one block each. */
#include "tundctl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tundctl_show.h"

static void print_candidate(const json_t *c)
{
    const json_t *next = json_object_get(c, "next_try_s");
    char address[64], origin[32], verdict[32], why[128], observed[64];
    char rtt[SHOW_LEN], last_out[SHOW_LEN], last_in[SHOW_LEN], next_text[SHOW_LEN];

    printf("%s %s  (%s)\n", json_is_true(json_object_get(c, "in_use")) ? "*" : " ",
           show_text(c, "address", address, sizeof(address)),
           show_text(c, "origin", origin, sizeof(origin)));
    printf("    %s: %s\n", show_text(c, "verdict", verdict, sizeof(verdict)),
           show_text(c, "why", why, sizeof(why)));
    printf("    out %lld (last %s ago)  in %lld (last %s ago)  rtt %s\n",
           (long long)json_integer_value(json_object_get(c, "out_packets")),
           show_age(json_object_get(c, "last_out_s"), last_out),
           (long long)json_integer_value(json_object_get(c, "in_packets")),
           show_age(json_object_get(c, "last_in_s"), last_in),
           show_ms(json_object_get(c, "rtt_ms"), rtt));
    if (json_is_string(json_object_get(c, "observed")))
        printf("    it sees us as %s\n", show_text(c, "observed", observed, sizeof(observed)));
    if (json_is_number(next))
        printf("    next try in %s\n", show_age(next, next_text));
    else
        printf("    next try with the next punch (while traffic flows)\n");
}

static void print_explain(const json_t *e)
{
    const json_t *peer = json_object_get(e, "peer"), *c;
    const json_t *list = json_object_get(e, "candidates");
    char name[80], path[32], endpoint[64], reason[512], rtt[SHOW_LEN], direct[SHOW_LEN];
    size_t i;

    printf("%s: %s, %s, rtt %s", show_text(peer, "name", name, sizeof(name)),
           show_text(peer, "path", path, sizeof(path)),
           show_text(peer, "endpoint", endpoint, sizeof(endpoint)),
           show_ms(json_object_get(peer, "rtt_ms"), rtt));
    if (json_is_number(json_object_get(peer, "time_to_direct_ms")))
        printf(", direct after %s", show_ms(json_object_get(peer, "time_to_direct_ms"), direct));
    printf("\n%s\n\n", show_text(e, "reason", reason, sizeof(reason)));
    json_array_foreach(list, i, c)
        print_candidate(c);
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
