/* The budget of bytes per day. A device knows no time of day: its day is 24 hours of running, which go on
 * after a reboot from where they were last stored (at each eighth of the budget, and every six hours).
 *
 * All bytes count, up and down, with 28 of IP and UDP for each datagram. Where the port can ask the modem
 * (bridge_set_data_usage), what that has counted replaces what was counted here since it was last asked, so
 * retransmissions, name look-ups and other programs' bytes are in it.
 *
 *   level   from       what is left out
 *   FINE    0
 *   LOW     7/8        trials of the NAT's lifetime; datagrams of the application (TN_ELIMIT)
 *   SPENT   all        relayed packets are not even opened; one BEAT an hour, so whoever speaks to
 *                      the device mostly gets no answer until its day is over
 *
 * The last eighth is for what keeps the device reachable: at a NAT of 23 minutes that is 6.7 KB a day. */
#include "inside.h"

#include <string.h>

#define DAY_US TN_S(86400)
#define SAVE_US TN_S(6 * 3600)
#define SPENT_KEEPALIVE_S 3600u
#define PART 8 /* of the budget: what is kept back, and how often `used` is stored */

static enum bridge_level level_of(const struct bridge_budget *k)
{
    if (!k->per_day || k->used < k->per_day - k->per_day / PART)
        return BRIDGE_FINE;
    return k->used < k->per_day ? BRIDGE_LOW : BRIDGE_SPENT;
}

static uint32_t in_32_bits(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void save(struct bridge *b, uint64_t now_us)
{
    b->budget.saved = b->budget.used;
    b->budget.save_at_us = now_us + SAVE_US;
    bridge_settings_save(b);
}

static void report(struct bridge *b, uint64_t now_us)
{
    const struct tn_report r = {
        .used = in_32_bits(b->budget.used),
        .budget = b->budget.per_day,
        .lifetime_s = (uint16_t)b->life.carrier[0].life.alive_s,
        .keepalive_s = (uint16_t)bridge_life_keepalive_s(b),
        .is_low = b->budget.level != BRIDGE_FINE,
    };

    if (b->is_member)
        tn_node_set_report(&b->node, &r, bridge_now(now_us));
}

static void settle(struct bridge *b, uint64_t now_us)
{
    struct bridge_budget *k = &b->budget;
    enum bridge_level before = k->level;

    k->level = level_of(k);
    b->life.was_silent |= k->level == BRIDGE_SPENT;
    report(b, now_us);
    if (b->is_member && (before == BRIDGE_SPENT) != (k->level == BRIDGE_SPENT))
        tn_node_set_keepalive(&b->node, TN_S(bridge_life_keepalive_s(b)), bridge_now(now_us));
}

void bridge_budget_count(struct bridge *b, uint64_t now_us)
{
    struct bridge_budget *k = &b->budget;
    uint64_t all = b->tx_bytes + b->rx_bytes, more = all - k->counted;

    k->counted = all;
    k->used += more;
    k->unproven += more;
    k->day_us += now_us - k->at_us;
    k->at_us = now_us;
    if (k->day_us >= DAY_US) {
        k->day_us %= DAY_US;
        k->used = 0;
        save(b, now_us);
    }
    settle(b, now_us);
    if (k->per_day && (k->used - k->saved >= k->per_day / PART || now_us >= k->save_at_us))
        save(b, now_us);
}

uint64_t bridge_budget_deadline(const struct bridge *b)
{
    const struct bridge_budget *k = &b->budget;
    uint64_t day = k->at_us + DAY_US - k->day_us;

    return k->per_day && k->save_at_us < day ? k->save_at_us : day;
}

uint32_t bridge_budget_keepalive_s(const struct bridge *b, uint32_t wanted_s)
{
    return b->budget.level == BRIDGE_SPENT && wanted_s < SPENT_KEEPALIVE_S ? SPENT_KEEPALIVE_S
                                                                           : wanted_s;
}

void bridge_set_budget(struct bridge *b, uint32_t bytes_per_day, uint64_t now_us)
{
    if (bytes_per_day == b->budget.per_day)
        return;
    b->budget.per_day = bytes_per_day;
    bridge_budget_count(b, now_us);
    save(b, now_us);
}

void bridge_set_data_usage(struct bridge *b, uint64_t modem_bytes, uint64_t now_us)
{
    struct bridge_budget *k = &b->budget;

    bridge_budget_count(b, now_us);
    if (k->has_modem) {
        uint64_t more = modem_bytes >= k->modem ? modem_bytes - k->modem : modem_bytes; /* it was reset */

        k->used = k->used > k->unproven ? k->used - k->unproven + more : more;
    }
    k->has_modem = true;
    k->modem = modem_bytes;
    k->unproven = 0;
    settle(b, now_us);
}

/* ---- in the settings ---- */

void bridge_budget_write(const struct bridge *b, struct tn_writer *w)
{
    tn_write_u32(w, b->budget.per_day);
    tn_write_u32(w, in_32_bits(b->budget.used));
    tn_write_u32(w, (uint32_t)(b->budget.day_us / TN_S(1)));
}

bool bridge_budget_read(struct bridge_budget *k, struct tn_reader *r)
{
    k->per_day = tn_read_u32(r);
    k->used = k->saved = tn_read_u32(r);
    k->day_us = TN_S(tn_read_u32(r));
    k->save_at_us = k->at_us + SAVE_US;
    return k->day_us < DAY_US;
}
