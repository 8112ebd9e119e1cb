/* What is done on a link that is paid for by the byte: no port of a peer's NAT is searched for, nor may a peer search for
 * ours; members are not connected to by TCP; no member is looked for that might relay; idle direct paths get no heartbeat, from either end, and begin anew by the relay when there is data again; and the
 * coordinator is asked as seldom as the NAT here allows, by the lifetime that was measured.
 *
 * The link is the one by which a datagram to the coordinator would leave. */
#include "overlay_inside.h"

#include <string.h>

#include "log.h"
#include "metered.h"
#include "overlay_tcp.h"

#define KEEPALIVE_S 15u
#define KEEPALIVE_MAX_S 55u /* the coordinator forgets a member after 75 s: an answer may be lost */

/* The name of that link in `ifname`; false: there is none. */
static bool find_link(struct overlay *o, const struct tn_addr *to, char ifname[IF_NAMESIZE])
{
    struct tn_addr source;
    uint32_t ifindex = 0;

    return !tn_addr_is_zero(to) && nl_route_get(&o->t->nl, to, NULL, 0, &ifindex, &source) == 0 &&
           if_indextoname(ifindex, ifname);
}

static void tell_keepalive(struct overlay *o)
{
    uint32_t s = KEEPALIVE_S;

    if (o->metered.ifname[0]) {
        s = o->life.life.alive_s / 4 * 3;
        s = s < KEEPALIVE_S ? KEEPALIVE_S : s > KEEPALIVE_MAX_S ? KEEPALIVE_MAX_S : s;
    }
    if (s == o->metered.keepalive_s)
        return;
    o->metered.keepalive_s = s;
    tn_node_set_keepalive(o->t->node, (uint64_t)s * 1000000u, tund_now());
}

static void tell(struct overlay *o)
{
    bool metered = o->metered.ifname[0];

    o->metered.budget = metered && !o->t->opt.budget_given ? 0 : o->t->opt.search_budget;
    tn_node_set_search(o->t->node, o->metered.budget);
    overlay_tcp_allow(o);
    tell_keepalive(o);
    overlay_nat_tell(o);
}

void overlay_metered_check(struct overlay *o)
{
    char ifname[IF_NAMESIZE] = "";
    bool found = find_link(o, &o->coordinator.v4, ifname) || find_link(o, &o->coordinator.v6, ifname);

    if (!found && o->t->opt.metered && !*o->t->opt.metered)
        strcpy(ifname, "any"); /* no link is there to ask about, and all are */
    else if (!found || !metered_link(o->t->opt.metered, ifname, METERED_SYSFS))
        ifname[0] = '\0';
    if (o->metered.known && !strcmp(ifname, o->metered.ifname))
        return;
    if (ifname[0])
        log_info("%s is metered: no searches for ports, no heartbeats on idle paths", ifname);
    else if (o->metered.ifname[0])
        log_info("the link to the coordinator is not metered any more");
    o->metered.known = true;
    memcpy(o->metered.ifname, ifname, sizeof ifname);
    tell(o);
}

void overlay_metered_on_life(struct overlay *o)
{
    if (o->metered.known)
        tell_keepalive(o);
}
