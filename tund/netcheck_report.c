/* A check's result as JSON: docs/JSON.md says what each key means. Nothing here asks
 * anything or changes anything. */
#include <string.h>

#include "log.h"
#include "netcheck.h"

static json_t *address_json(const struct tn_addr *a)
{
    char text[ADDR_TEXT_LEN];

    return tn_addr_is_zero(a) ? json_null() : json_string(addr_text(a, text));
}

static json_t *ip_json(const struct tn_addr *a)
{
    char text[ADDR_TEXT_LEN];

    return tn_addr_is_zero(a) ? json_null() : json_string(addr_ip_text(a, text));
}

static json_t *range_json(const struct tn_nat *nat)
{
    return nat->last_port ? json_pack("[i,i]", (int)nat->first_port, (int)nat->last_port) : json_null();
}

static json_t *number_or_null(uint32_t n)
{
    return n ? json_integer(n) : json_null();
}

static json_t *family_json(const struct netcheck_family *f, uint8_t filtering)
{
    const struct tn_natcheck_result *c = &f->check;
    const struct tn_nat *nat = &c->nat;
    bool udp = nat->mapping != TN_NAT_BLOCKED;

    if (!f->tried)
        return json_null();
    return json_pack("{s:b,s:o,s:o,s:o,s:s,s:b,s:s,s:s,s:o,s:o,s:o,s:i,s:i,s:o}",
                     "udp", udp,
                     "local", ip_json(&f->local),
                     "outside", address_json(&c->outside),
                     "rtt_ms", c->rtt_us ? json_real((double)c->rtt_us / 1000.0) : json_null(),
                     "mapping", tn_nat_mapping_name(nat->mapping),
                     "mapping_sure", nat->sure,
                     "filtering", tn_nat_filtering_name(udp ? filtering : TN_NAT_FILTER_UNKNOWN),
                     "ports", tn_nat_ports_name(nat->ports),
                     "port_step", nat->step ? json_integer(nat->step) : json_null(),
                     "port_range", range_json(nat),
                     "hairpin", nat->mapping == TN_NAT_NONE || !udp ? json_null() : json_boolean(nat->hairpin),
                     "sockets_asked", (int)c->asked,
                     "sockets_answered", (int)c->answered,
                     "mtu", number_or_null(f->mtu));
}

static const char *tcp_name(enum netcheck_tcp t)
{
    static const char *const names[] = {
        [NETCHECK_TCP_SILENT] = "silent", [NETCHECK_TCP_OPEN] = "open",
        [NETCHECK_TCP_REFUSED] = "refused", [NETCHECK_TCP_UNREACHABLE] = "unreachable",
    };

    return names[t];
}

static bool has_udp(const struct netcheck_family *f)
{
    return f->tried && f->check.nat.mapping != TN_NAT_BLOCKED;
}

/* Without UDP and with a redirect to a stranger it looks like one; with UDP nobody is in the way. */
static const char *portal_name(const struct netcheck_result *r)
{
    if (has_udp(&r->family[0]) || has_udp(&r->family[1]))
        return "no";
    return r->portal ? "suspected" : "not-seen";
}

json_t *netcheck_json(const struct netcheck_result *r, const uint8_t filtering[2])
{
    char prefix[NAT64_TEXT_LEN];

    return json_pack("{s:i,s:{s:o,s:o},s:o,s:o,s:s,s:{s:s,s:o},s:o,s:i}",
                     "version", 1,
                     "coordinator",
                     "v4", address_json(&r->server[0]),
                     "v6", address_json(&r->server[1]),
                     "v4", family_json(&r->family[0], filtering[0]),
                     "v6", family_json(&r->family[1], filtering[1]),
                     "tcp443", tcp_name(r->tcp443),
                     "captive_portal",
                     "state", portal_name(r),
                     "sends_to", r->portal ? json_string(r->portal_to) : json_null(),
                     "nat64", r->nat64.len ? json_string(nat64_text(&r->nat64, prefix)) : json_null(),
                     "took_ms", (int)r->took_ms);
}
