/* The paths of a node that has only the relay: all of paths.h for a build with
 * TN_PATHS_PER_FAMILY 0. A device on a metered link behind a carrier's NAT, which
 * lets nothing in from an address that it has not just spoken to, cannot be
 * punched; asking would only be paid for. What a peer asks is still answered. */
#include "paths.h"

#include <string.h>

void tn_paths_init(struct tn_paths *p, const struct tn_paths_config *cfg, const struct tn_now *now)
{
    memset(p, 0, sizeof *p);
    p->mtu = cfg->mtu;
}

void tn_paths_set_relay(struct tn_paths *p, bool available, const struct tn_now *now)
{
    p->relay_up = available;
}

void tn_paths_set_mode(struct tn_paths *p, uint8_t mode, const struct tn_now *now)
{
}

void tn_paths_set_session(struct tn_paths *p, bool up, const struct tn_now *now)
{
}

size_t tn_paths_offer(struct tn_paths *p, const struct tn_cand_wire *list, size_t count,
                      const struct tn_cand_wire *own, size_t own_count, const struct tn_now *now)
{
    return 0;
}

void tn_paths_punch(struct tn_paths *p, uint64_t delay_us, const struct tn_now *now)
{
}

void tn_paths_on_network_change(struct tn_paths *p, const struct tn_now *now)
{
}

void tn_paths_on_moved(struct tn_paths *p, bool v4, const struct tn_now *now)
{
}

void tn_paths_on_data_sent(struct tn_paths *p, size_t len, const struct tn_now *now)
{
}

void tn_paths_on_other_sent(struct tn_paths *p, const struct tn_way *to, size_t len,
                            const struct tn_now *now)
{
}

void tn_paths_on_authentic(struct tn_paths *p, const struct tn_way *from, size_t len,
                           const struct tn_now *now)
{
}

bool tn_paths_on_pong(struct tn_paths *p, const struct tn_way *from, uint64_t txid, uint16_t size,
                      const struct tn_addr *observed, const struct tn_now *now)
{
    return false; /* nothing was asked */
}

void tn_paths_found(struct tn_paths *p, const struct tn_addr *addr, const struct tn_now *now)
{
}

void tn_paths_on_send_error(struct tn_paths *p, const struct tn_addr *to, const struct tn_now *now)
{
}

void tn_paths_tick(struct tn_paths *p, const struct tn_now *now)
{
}

bool tn_paths_poll(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now,
                   struct tn_path_wish *out)
{
    return false;
}

uint64_t tn_paths_next(const struct tn_paths *p)
{
    return TN_NEVER;
}

void tn_paths_route(const struct tn_paths *p, const struct tn_now *now, struct tn_way *out)
{
    *out = (struct tn_way){.via = tn_paths_via(p), .mtu = p->mtu};
}

bool tn_paths_take_connect(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now)
{
    return false;
}

bool tn_paths_take_event(struct tn_paths *p, struct tn_path_event *out)
{
    if (p->told_up == p->relay_up)
        return false;
    p->told_up = p->relay_up;
    *out = (struct tn_path_event){.via = tn_paths_via(p), .mtu = p->mtu, .moved = true};
    return true;
}

uint8_t tn_paths_via(const struct tn_paths *p)
{
    return p->relay_up ? TN_VIA_RELAY : TN_VIA_NONE;
}

const struct tn_cand *tn_paths_direct(const struct tn_paths *p)
{
    return NULL;
}

const struct tn_cand *tn_paths_in_use(const struct tn_paths *p)
{
    return NULL;
}

const struct tn_cand *tn_paths_cand(const struct tn_paths *p, size_t i)
{
    return NULL;
}

const struct tn_cand *tn_paths_relay(const struct tn_paths *p)
{
    return NULL;
}

bool tn_paths_in_distress(const struct tn_paths *p)
{
    return false;
}

bool tn_paths_relay_suspect(const struct tn_paths *p)
{
    return false;
}
