/* path: which ways data may take to a member, shown or set. */
#include "tundctl.h"

#include <jansson.h>
#include <stdio.h>

#include "tundctl_show.h"

static void print_peer(const json_t *peer)
{
    char name[80], mode[16], path[16];

    printf("%s: %s, now %s\n", show_text(peer, "name", name, sizeof(name)),
           show_text(peer, "path_mode", mode, sizeof(mode)), show_text(peer, "path", path, sizeof(path)));
}

static int list(const struct args *a)
{
    json_t *peers, *peer;
    size_t i;
    int code = show_ask(a, json_pack("{s:s}", "verb", "peers"), "peers", &peers);

    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON) {
        code = show_json(peers);
    } else {
        json_array_foreach(peers, i, peer)
            print_peer(peer);
    }
    json_decref(peers);
    return code;
}

int tundctl_path(const struct args *a)
{
    json_t *peer;
    int code;

    if (!a->word)
        return list(a);
    code = show_ask(a, json_pack("{s:s,s:s,s:s*}", "verb", "path", "peer", a->word, "mode", a->second), "peer", &peer);
    if (code != CTL_EXIT_OK)
        return code;
    if (a->given & ARG_JSON)
        code = show_json(peer);
    else
        print_peer(peer);
    json_decref(peer);
    return code;
}
