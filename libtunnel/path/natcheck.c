/* The NAT's behaviour, measured with STUN (RFC 5780 section 4) from sockets of our own.
 *
 *   socket 0       asks the coordinator's first place; the answer names the other one, and
 *                  then it asks the other port, the other address, and both. The outside ports
 *                  that it is told are the mapping.
 *   sockets 1..16  ask the first place, in order: their outside ports tell how ports are
 *                  chosen. They are kept, counted up, or drawn from a range.
 *   socket 1       also asks socket 0's outside address. What comes in at socket 0 is its hairpin.
 *
 * Each question is sent at most four times: 0, 250, 500, 1000 ms. Whoever has an answer to
 * all is done at once; whoever has none after 1.5 s is behind a network that blocks UDP.
 *
 * Mapping by address cannot be told from endpoint-independent with a coordinator that has one
 * address (`sure` is then false): the port is the same at both of its ports either way. */
#include "natcheck.h"

#include <string.h>

#define TRIES 4
#define RETRY_US TN_MS(250)
#define GIVE_UP_US TN_MS(1500) /* after the last thing there was to begin */
#define BLOCK_MAX 8192         /* a wider range is as good as all ports */
#define STEP_MAX 64
#define RANGE_SAMPLES_MIN 8

enum { FIRST, OTHER_PORT, OTHER_ADDRESS, OTHER_BOTH, HAIRPIN, SERIES };
_Static_assert(SERIES + TN_NATCHECK_SOCKETS - 1 <= TN_NATCHECK_PROBES, "a probe for each question");

static void arm(struct tn_natcheck *c, unsigned i, uint8_t socket, const struct tn_addr *to,
                const struct tn_now *now)
{
    c->probe[i].armed = true;
    c->probe[i].socket = socket;
    c->probe[i].to = *to;
    c->probe[i].due_us = now->us;
    c->ended_us = now->us + GIVE_UP_US;
}

void tn_natcheck_init(struct tn_natcheck *c, const struct tn_addr *server,
                      const struct tn_addr local[TN_NATCHECK_SOCKETS], struct tn_rng *rng,
                      const struct tn_now *now)
{
    memset(c, 0, sizeof *c);
    memcpy(c->local, local, sizeof c->local);
    c->began_us = now->us;
    for (unsigned i = 0; i < TN_NATCHECK_PROBES; i++)
        tn_rng_bytes(rng, c->probe[i].txid, TN_STUN_TXID_LEN);
    arm(c, FIRST, 0, server, now);
    for (uint8_t s = 1; s < TN_NATCHECK_SOCKETS; s++)
        arm(c, SERIES + s - 1u, s, server, now);
    c->probe[HAIRPIN].hairpin = true;
}

static bool is_open(const struct tn_natcheck_probe *p)
{
    return p->armed && !p->done;
}

bool tn_natcheck_is_over(const struct tn_natcheck *c)
{
    return c->finished;
}

static void finish(struct tn_natcheck *c, const struct tn_now *now)
{
    c->finished = true;
    c->ended_us = now->us;
}

static void finish_when_done(struct tn_natcheck *c, const struct tn_now *now)
{
    for (unsigned i = 0; i < TN_NATCHECK_PROBES; i++) {
        if (is_open(&c->probe[i]))
            return;
    }
    finish(c, now);
}

uint64_t tn_natcheck_next(const struct tn_natcheck *c)
{
    uint64_t at = c->ended_us;

    if (c->finished)
        return TN_NEVER;
    for (unsigned i = 0; i < TN_NATCHECK_PROBES; i++) {
        const struct tn_natcheck_probe *p = &c->probe[i];

        if (is_open(p) && p->tries < TRIES && p->due_us < at)
            at = p->due_us;
    }
    return at;
}

bool tn_natcheck_poll(struct tn_natcheck *c, const struct tn_now *now, struct tn_natcheck_out *out)
{
    if (c->finished)
        return false;
    for (unsigned i = 0; i < TN_NATCHECK_PROBES; i++) {
        struct tn_natcheck_probe *p = &c->probe[i];
        bool v4 = tn_addr_is_v4(&p->to);

        if (!is_open(p) || p->tries == TRIES || p->due_us > now->us)
            continue;
        p->due_us = now->us + (RETRY_US << p->tries);
        p->tries++;
        out->socket = p->socket;
        out->to = p->to;
        out->len = tn_stun_request_of(v4 ? TN_STUN_OTHER_V4_LEN : TN_STUN_OTHER_V6_LEN, p->txid,
                                      out->data, sizeof out->data);
        return true;
    }
    if (now->us >= c->ended_us)
        finish(c, now);
    return false;
}

/* The other places, as far as the answer names them. An address that the responder itself has behind a
 * NAT of its own is of no use from here. */
static void add_places(struct tn_natcheck *c, const struct tn_addr *other, const struct tn_now *now)
{
    const struct tn_addr *first = &c->probe[FIRST].to;
    struct tn_addr place = *first;

    if (other->port == 0 || other->port == first->port)
        return;
    place.port = other->port;
    arm(c, OTHER_PORT, 0, &place, now);
    if (tn_addr_same_ip(other, first) || !tn_addr_is_probeable(other) ||
        tn_addr_is_private(other) != tn_addr_is_private(first))
        return;
    c->has_other = true;
    arm(c, OTHER_BOTH, 0, other, now);
    place = *other;
    place.port = first->port;
    arm(c, OTHER_ADDRESS, 0, &place, now);
}

/* Is this our own question, turned around by the NAT? */
static bool is_hairpin(struct tn_natcheck *c, uint8_t socket, const uint8_t *data, size_t len)
{
    return socket == 0 && tn_stun_is_message(data, len) && data[0] == 0 && data[1] == 1 &&
           memcmp(data + 8, c->probe[HAIRPIN].txid, TN_STUN_TXID_LEN) == 0;
}

bool tn_natcheck_on_datagram(struct tn_natcheck *c, uint8_t socket, const struct tn_addr *src,
                             const uint8_t *data, size_t len, const struct tn_now *now)
{
    struct tn_addr mapped, other;

    if (is_open(&c->probe[HAIRPIN]) && is_hairpin(c, socket, data, len)) {
        c->probe[HAIRPIN].done = true;
        c->probe[HAIRPIN].mapped = *src;
        finish_when_done(c, now);
        return true;
    }
    for (unsigned i = 0; i < TN_NATCHECK_PROBES; i++) {
        struct tn_natcheck_probe *p = &c->probe[i];

        if (!is_open(p) || p->hairpin || p->socket != socket || !tn_addr_equal(&p->to, src) ||
            tn_stun_consume_other(data, len, p->txid, &mapped, &other))
            continue;
        p->done = true;
        p->mapped = mapped;
        if (i == FIRST) {
            c->first_rtt_us = p->tries == 1 ? now->us - c->began_us : 0;
            add_places(c, &other, now);
            if (!tn_addr_equal(&mapped, &c->local[0]))
                arm(c, HAIRPIN, 1, &mapped, now);
        }
        finish_when_done(c, now);
        return true;
    }
    return false;
}

/* ---- what it means ---- */

static bool is_changed(const struct tn_natcheck *c, unsigned i)
{
    return c->probe[i].done && !tn_addr_equal(&c->probe[i].mapped, &c->probe[FIRST].mapped);
}

static uint8_t mapping_of(const struct tn_natcheck *c)
{
    if (!c->probe[FIRST].done)
        return TN_NAT_BLOCKED;
    if (tn_addr_equal(&c->probe[FIRST].mapped, &c->local[0]))
        return TN_NAT_NONE;
    if (is_changed(c, OTHER_PORT))
        return TN_NAT_PORT;
    if (is_changed(c, OTHER_ADDRESS) || is_changed(c, OTHER_BOTH))
        return TN_NAT_ADDRESS;
    return c->probe[OTHER_PORT].done || c->probe[OTHER_ADDRESS].done ? TN_NAT_ENDPOINT
                                                                      : TN_NAT_UNKNOWN;
}

/* The step that most neighbours are apart by, where it is most of all; 0: none. */
static int16_t find_step(const uint16_t *outside, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int step = (int)outside[i] - outside[i - 1];
        size_t same = 0;

        if (step == 0 || step > STEP_MAX || step < -STEP_MAX)
            continue;
        for (size_t k = 1; k < count; k++)
            same += (int)outside[k] - outside[k - 1] == step;
        if (2 * same > count - 1)
            return (int16_t)step;
    }
    return 0;
}

/* A carrier gives a subscriber a block of ports. Of m ports drawn from it, the ends of the block lie
 * beyond the outermost two by about one gap between neighbours each; one and a half are taken. Most
 * blocks are a power of two on a boundary of its own: where such a one fits, it is taken. */
static void find_range(const uint16_t *outside, size_t count, struct tn_nat *nat)
{
    unsigned min = 65535, max = 0, margin, first, last;

    if (count < RANGE_SAMPLES_MIN)
        return;
    for (size_t i = 0; i < count; i++) {
        min = outside[i] < min ? outside[i] : min;
        max = outside[i] > max ? outside[i] : max;
    }
    margin = (max - min) * 3 / (2 * ((unsigned)count - 1)) + 1;
    first = min > 1024 + margin ? min - margin : 1024;
    last = max + margin < 65535 ? max + margin : 65535;
    for (unsigned size = 64; size <= BLOCK_MAX && size <= 2 * (max - min + 1); size *= 2) {
        if (min / size == max / size && min / size * size >= 1024) {
            first = min / size * size;
            last = first + size - 1;
            break;
        }
    }
    if (last - first >= BLOCK_MAX)
        return;
    nat->first_port = (uint16_t)first;
    nat->last_port = (uint16_t)last;
}

void tn_natcheck_ports(const uint16_t *inside, const uint16_t *outside, size_t count, struct tn_nat *nat)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        kept += inside[i] == outside[i];
    nat->ports = TN_NAT_PORTS_UNKNOWN;
    if (count < 3)
        return;
    if (4 * kept >= 3 * count) {
        nat->ports = TN_NAT_PORTS_PRESERVED;
        return;
    }
    nat->step = find_step(outside, count);
    nat->ports = nat->step ? TN_NAT_PORTS_SEQUENTIAL : TN_NAT_PORTS_RANDOM;
    if (!nat->step)
        find_range(outside, count, nat);
}

void tn_natcheck_result(const struct tn_natcheck *c, struct tn_natcheck_result *out)
{
    uint16_t inside[TN_NATCHECK_SOCKETS], outside[TN_NATCHECK_SOCKETS];
    size_t count = 0;

    memset(out, 0, sizeof *out);
    out->outside = c->probe[FIRST].mapped;
    out->rtt_us = (uint32_t)c->first_rtt_us;
    out->took_us = (uint32_t)(c->ended_us - c->began_us);
    out->nat.mapping = mapping_of(c);
    out->nat.sure = c->probe[OTHER_ADDRESS].done || c->probe[OTHER_BOTH].done ||
                    out->nat.mapping == TN_NAT_NONE || out->nat.mapping == TN_NAT_PORT;
    out->nat.hairpin = c->probe[HAIRPIN].done;
    out->asked = TN_NATCHECK_SOCKETS - 1;
    for (unsigned s = 1; s < TN_NATCHECK_SOCKETS; s++) {
        const struct tn_natcheck_probe *p = &c->probe[SERIES + s - 1];

        if (!p->done)
            continue;
        inside[count] = c->local[s].port;
        outside[count++] = p->mapped.port;
        out->port_min = count == 1 || p->mapped.port < out->port_min ? p->mapped.port : out->port_min;
        out->port_max = p->mapped.port > out->port_max ? p->mapped.port : out->port_max;
    }
    out->answered = (uint8_t)count;
    if (out->nat.mapping != TN_NAT_NONE && out->nat.mapping != TN_NAT_BLOCKED)
        tn_natcheck_ports(inside, outside, count, &out->nat);
}
