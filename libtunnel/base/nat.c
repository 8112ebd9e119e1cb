/* A NAT's behaviour on the wire and in words. Two layers speak of it, so it lives on
 * the ground floor. */
#include "nat.h"

#define FLAG_SURE 1
#define FLAG_HAIRPIN 2
#define FLAG_OPEN 4
#define FLAG_RESERVED 8
#define FLAGS_ALL 15

static const char *const mapping_names[] = {
    [TN_NAT_UNKNOWN] = "unknown",
    [TN_NAT_NONE] = "none",
    [TN_NAT_ENDPOINT] = "endpoint-independent",
    [TN_NAT_ADDRESS] = "address-dependent",
    [TN_NAT_PORT] = "address-and-port-dependent",
    [TN_NAT_BLOCKED] = "udp-blocked",
};

static const char *const filtering_names[] = {
    [TN_NAT_FILTER_UNKNOWN] = "unknown",
    [TN_NAT_FILTER_NONE] = "endpoint-independent",
    [TN_NAT_FILTER_ADDRESS] = "address-dependent",
    [TN_NAT_FILTER_PORT] = "address-and-port-dependent",
};

static const char *const ports_names[] = {
    [TN_NAT_PORTS_UNKNOWN] = "unknown",
    [TN_NAT_PORTS_PRESERVED] = "preserved",
    [TN_NAT_PORTS_SEQUENTIAL] = "sequential",
    [TN_NAT_PORTS_RANDOM] = "random",
};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *tn_nat_mapping_name(uint8_t mapping)
{
    return mapping < COUNT(mapping_names) ? mapping_names[mapping] : "unknown";
}

const char *tn_nat_filtering_name(uint8_t filtering)
{
    return filtering < COUNT(filtering_names) ? filtering_names[filtering] : "unknown";
}

const char *tn_nat_ports_name(uint8_t ports)
{
    return ports < COUNT(ports_names) ? ports_names[ports] : "unknown";
}

const char *tn_nat_pair_name(uint8_t pair)
{
    static const char *const names[] = {
        [TN_PAIR_UNKNOWN] = "unknown", [TN_PAIR_PUNCH] = "punch",     [TN_PAIR_SEARCH] = "port-search",
        [TN_PAIR_RELAY] = "relay",     [TN_PAIR_BLOCKED] = "udp-blocked",
    };

    return pair < COUNT(names) ? names[pair] : "unknown";
}

bool tn_nat_is_hard(const struct tn_nat *nat)
{
    return nat->mapping == TN_NAT_ADDRESS || nat->mapping == TN_NAT_PORT;
}

/* Does it let in an address that it has sent to, whatever the port? */
static bool lets_address_in(const struct tn_nat *nat)
{
    return nat->open || nat->filtering == TN_NAT_FILTER_NONE || nat->filtering == TN_NAT_FILTER_ADDRESS;
}

enum tn_nat_pair tn_nat_pair(const struct tn_nat *a, const struct tn_nat *b)
{
    if (a->mapping == TN_NAT_BLOCKED || b->mapping == TN_NAT_BLOCKED)
        return TN_PAIR_BLOCKED;
    if (a->open || b->open)
        return TN_PAIR_PUNCH;
    if (a->mapping == TN_NAT_UNKNOWN || b->mapping == TN_NAT_UNKNOWN)
        return TN_PAIR_UNKNOWN;
    if (tn_nat_is_hard(a) && tn_nat_is_hard(b))
        return TN_PAIR_RELAY;
    if (!tn_nat_is_hard(a) && !tn_nat_is_hard(b))
        return TN_PAIR_PUNCH;
    return lets_address_in(tn_nat_is_hard(a) ? b : a) ? TN_PAIR_PUNCH : TN_PAIR_SEARCH;
}

void tn_nat_write(struct tn_writer *w, const struct tn_nat *nat)
{
    tn_write_u8(w, nat->mapping);
    tn_write_u8(w, nat->filtering);
    tn_write_u8(w, nat->ports);
    tn_write_u8(w, (uint8_t)((nat->sure ? FLAG_SURE : 0) | (nat->hairpin ? FLAG_HAIRPIN : 0) |
                             (nat->open ? FLAG_OPEN : 0) | (nat->reserved ? FLAG_RESERVED : 0)));
    tn_write_u16(w, (uint16_t)nat->step);
    tn_write_u16(w, nat->first_port);
    tn_write_u16(w, nat->last_port);
    tn_write_u16(w, 0);
}

void tn_nat_read(struct tn_reader *r, struct tn_nat *nat)
{
    struct tn_nat n = {0};
    uint16_t step, zero;
    uint8_t flags;

    n.mapping = tn_read_u8(r);
    n.filtering = tn_read_u8(r);
    n.ports = tn_read_u8(r);
    flags = tn_read_u8(r);
    step = tn_read_u16(r);
    n.first_port = tn_read_u16(r);
    n.last_port = tn_read_u16(r);
    zero = tn_read_u16(r);
    if (n.mapping >= COUNT(mapping_names) || n.filtering >= COUNT(filtering_names) ||
        n.ports >= COUNT(ports_names) || flags > FLAGS_ALL || n.first_port > n.last_port || zero)
        tn_reader_fail(r);
    if (r->failed)
        return;
    n.step = (int16_t)step;
    n.sure = flags & FLAG_SURE;
    n.hairpin = flags & FLAG_HAIRPIN;
    n.open = flags & FLAG_OPEN;
    n.reserved = flags & FLAG_RESERVED;
    *nat = n;
}
