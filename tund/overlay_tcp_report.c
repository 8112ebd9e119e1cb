/* TCP with a member, for people: what was tried, what came back. */
#include "overlay_tcp_inside.h"

#include "log.h"

enum explain_tcp overlay_tcp_state(const struct overlay *o, uint32_t peer)
{
    const struct tcp_set *s = o->tcp ? tcp_set_for(o->tcp, peer) : NULL;

    if (!s)
        return !o->tcp || o->metered.ifname[0] ? EXPLAIN_TCP_OFF : EXPLAIN_TCP_UNTRIED;
    if (tcp_conns_have_proven(o->tcp, peer))
        return EXPLAIN_TCP_CONNECTED;
    if (s->phase != TCP_DONE)
        return EXPLAIN_TCP_TRYING;
    return s->result == EXPLAIN_TCP_CONNECTED ? EXPLAIN_TCP_LOST : (enum explain_tcp)s->result;
}

static json_t *outside_json(const struct tcp_set *s)
{
    json_t *list = json_array();

    for (int i = 0; i < 2; i++) {
        if (!tn_addr_is_zero(&s->outside[i]))
            json_array_append_new(list, json_pack("{s:i,s:o}", "port", (int)s->port[i], "outside",
                                                  overlay_endpoint_json(&s->outside[i])));
    }
    return list;
}

static json_t *attempts_json(const struct tcp_set *s)
{
    json_t *list = json_array();
    char words[TCPTRY_WORDS_LEN];

    for (unsigned i = 0; i < s->attempts.count; i++) {
        const struct tcptry_target *t = &s->attempts.target[i];

        json_array_append_new(list, json_pack("{s:o,s:i,s:s}", "address", overlay_endpoint_json(&t->addr),
                                              "tries", (int)t->tries, "came_back", tcptry_words(t, words)));
    }
    return list;
}

json_t *overlay_tcp_json(const struct overlay *o, uint32_t peer)
{
    const struct tcp_set *s = o->tcp ? tcp_set_for(o->tcp, peer) : NULL;
    enum explain_tcp state = overlay_tcp_state(o, peer);

    if (!s)
        return json_null();
    return json_pack("{s:s,s:s,s:i,s:o,s:o,s:o}",
                     "state", explain_tcp_name(state),
                     "words", explain_tcp_words(state),
                     "begun", (int)s->begun,
                     "begun_s", overlay_age_json(s->begun_us, tund_now().us),
                     "own", outside_json(s),
                     "attempts", attempts_json(s));
}
