/* relay: does this machine pass on datagrams between other members? */
#include "tundctl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tundctl_show.h"

static void print_relay(const json_t *r)
{
    bool on = json_is_true(json_object_get(r, "on"));
    double rate = (double)json_integer_value(json_object_get(r, "rate_bits")) / 1e6;

    if (on)
        printf("on: this machine relays for other members, %g Mbit/s at most\n", rate);
    else
        puts("off: this machine relays for nobody");
    printf("%lld datagrams passed on, %lld refused\n",
           (long long)json_integer_value(json_object_get(r, "forwarded")),
           (long long)json_integer_value(json_object_get(r, "refused")));
}

int tundctl_relay(const struct args *a)
{
    json_t *request = json_pack("{s:s}", "verb", "relay"), *relay;
    int code;

    if (a->second || (a->word && strcmp(a->word, "on") != 0 && strcmp(a->word, "off") != 0)) {
        json_decref(request);
        return say_error(CTL_EXIT_USAGE, "on or off, not \"%.40s\" (see tundctl relay --help)",
                         a->second ? a->second : a->word);
    }
    if (a->word)
        json_object_set_new(request, "on", json_boolean(strcmp(a->word, "on") == 0));
    code = show_ask(a, request, "relay", &relay);
    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON)
        code = show_json(relay);
    else
        print_relay(relay);
    json_decref(relay);
    return code;
}
