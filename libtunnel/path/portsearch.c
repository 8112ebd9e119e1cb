/* The birthday paradox, and how to pay less for it. With S sockets of one end mapped to S of B
 * ports, each probe of the other end hits with S/B, so k different probes all miss with about
 * exp(-S k / B). Over all 64512 ports that takes 256 sockets and 1400 probes, 60 KB. But most
 * carriers give a subscriber a block of ports, which the NAT check sees (natcheck.c), and then
 *
 *     block   sockets  probes     bytes     all miss, computed
 *       512        64      80     6,656     2e-5
 *      1008        64     142     8,640     1e-4
 *      2016       128     142    12,736     1e-4
 *      4096       128     272    16,896     2e-4
 *
 * where the block was inferred exactly; twice as many probes as the rule asks for make up for
 * a range that was taken too wide. A NAT that counts is easier: the next ports are known.
 *
 * Ports are probed in an order that jumps about, each once: first + (at + i * stride) mod size. */
#include "portsearch.h"

#include <string.h>

#define SEQUENTIAL_SOCKETS 4
#define SEQUENTIAL_PROBES 32
#define ALL_PORTS_FIRST 1024
#define GAP_US TN_MS(5)

static uint32_t range_of(const struct tn_nat *hard)
{
    return hard->last_port ? (uint32_t)(hard->last_port - hard->first_port) + 1
                           : 65536u - ALL_PORTS_FIRST;
}

bool tn_search_plan(const struct tn_nat *hard, struct tn_search_plan *out)
{
    uint32_t range = range_of(hard), probes;

    if (!tn_nat_is_hard(hard))
        return false;
    if (hard->ports == TN_NAT_PORTS_SEQUENTIAL) {
        out->sockets = SEQUENTIAL_SOCKETS;
        out->probes = SEQUENTIAL_PROBES;
    } else if (hard->ports == TN_NAT_PORTS_RANDOM) {
        out->sockets = !hard->last_port ? TN_SEARCH_SOCKETS_MAX : range <= 1024 ? 64 : 128;
        probes = (hard->last_port ? 8 : 6) * range / out->sockets + 16;
        out->probes = (uint16_t)(probes < range ? probes : range);
    } else {
        return false;
    }
    out->bytes = (2u * out->sockets + out->probes) * TN_SEARCH_PUNCH_BYTES;
    return true;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Around the last port, mostly beyond it in the direction in which the NAT counts. */
static void aim_sequential(struct tn_portsearch *s, const struct tn_nat *hard, uint16_t port)
{
    int32_t first = hard->step > 0 ? port + 1 : port - SEQUENTIAL_PROBES;

    first = first < ALL_PORTS_FIRST ? ALL_PORTS_FIRST : first;
    s->first = (uint16_t)(first > 65535 - SEQUENTIAL_PROBES ? 65535 - SEQUENTIAL_PROBES : first);
    s->size = SEQUENTIAL_PROBES;
    s->at = hard->step > 0 ? 0 : SEQUENTIAL_PROBES - 1; /* the nearest first */
    s->stride = hard->step > 0 ? 1 : SEQUENTIAL_PROBES - 1;
}

static void aim_random(struct tn_portsearch *s, const struct tn_nat *hard, struct tn_rng *rng)
{
    uint32_t size = range_of(hard), stride;

    s->first = hard->last_port ? hard->first_port : ALL_PORTS_FIRST;
    s->size = (uint16_t)size;
    s->at = (uint16_t)tn_rng_below(rng, size);
    do
        stride = 1 + tn_rng_below(rng, size);
    while (common_divisor(stride, size) != 1);
    s->stride = (uint16_t)stride;
}

bool tn_portsearch_begin(struct tn_portsearch *s, const struct tn_nat *hard, const struct tn_addr *ip,
                         uint16_t port, uint32_t budget, struct tn_rng *rng, const struct tn_now *now)
{
    struct tn_search_plan plan;

    if (!tn_search_plan(hard, &plan) || plan.bytes > budget ||
        (hard->ports == TN_NAT_PORTS_SEQUENTIAL && !port))
        return false;
    memset(s, 0, sizeof *s);
    s->ip = *ip;
    if (hard->ports == TN_NAT_PORTS_SEQUENTIAL)
        aim_sequential(s, hard, port);
    else
        aim_random(s, hard, rng);
    s->left = plan.probes;
    s->next_us = now->us;
    return true;
}

void tn_portsearch_stop(struct tn_portsearch *s)
{
    s->left = 0;
    s->next_us = TN_NEVER;
}

bool tn_portsearch_is_on(const struct tn_portsearch *s)
{
    return s->left != 0;
}

bool tn_portsearch_poll(struct tn_portsearch *s, const struct tn_now *now, struct tn_addr *to)
{
    while (s->left && s->next_us <= now->us) {
        *to = s->ip;
        to->port = (uint16_t)(s->first + s->at);
        s->at = (uint16_t)(((uint32_t)s->at + s->stride) % s->size);
        s->left--;
        s->next_us = s->left ? now->us + GAP_US : TN_NEVER;
        if (tn_addr_is_probeable(to)) /* ports of other services are left out */
            return true;
        s->next_us = s->left ? now->us : TN_NEVER;
    }
    return false;
}
