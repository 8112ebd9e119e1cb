/* A sum, since its parts are all waiting: the round trip itself; what is lost, which TCP sends again after a pause
 * of some hundred milliseconds; and what the owner would rather wait than pay for. The last are prices, in one table
 * (score.h), so that nowhere else does one kind of way come before another. */
#include "score.h"

uint32_t tn_score_cost_us(const struct tn_addr *addr)
{
    if (tn_addr_is_stream(addr)) /* a TCP connection with the member */
        return TN_COST_TCP;
    return tn_addr_is_private(addr) ? TN_COST_LAN : TN_COST_PUBLIC;
}

uint32_t tn_score_clean_us(const struct tn_cand *c)
{
    return c->rtt_us ? c->rtt_us + c->cost_us : UINT32_MAX;
}

uint32_t tn_score_us(const struct tn_cand *c)
{
    uint64_t loss_us = c->loss_samples >= TN_SCORE_SAMPLES ? (uint64_t)c->loss_64k * TN_SCORE_LOSS_US / 65536 : 0;
    uint32_t clean_us = tn_score_clean_us(c);

    return clean_us == UINT32_MAX ? UINT32_MAX : clean_us + (uint32_t)loss_us;
}

bool tn_score_beats(uint32_t score_us, uint32_t than_us)
{
    uint32_t gain_us = than_us / 10 > 2000 ? than_us / 10 : 2000;

    return (uint64_t)score_us + gain_us <= than_us;
}
