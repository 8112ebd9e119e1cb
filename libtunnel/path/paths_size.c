/* How long a packet may be on a way, found without a word from any router.
 *
 * A way is taken to carry the inner MTU until a full-size PING was sent and not answered while small ones
 * were. Then a *search* follows: PINGs of several sizes at once, a *fan*, and after the time of an answer a
 * narrower fan between the longest that was answered and the next. Two fans tell the length to 16 bytes,
 * which is what WireGuard pads to. Short ones go first, since on a slow link the fan itself takes time; an
 * answer that is late still counts. The whole size goes along with each fan, lest plain loss makes a way look narrow: it
 * would have to be lost three times in a row.
 *
 * When it is asked:
 *   - at the first check of a direct path (paths_punch.c);
 *   - when a long packet of data goes out, each 2 s at most, and after half a second already when
 *     nothing comes back meanwhile: TCP that has run into a hole is silent, and its next retransmission must
 *     find the length known. So an idle way, and one that carries small packets only, costs nothing;
 *   - a narrow way in use is tried with more after 5, 10, 20, 40 s, then each minute; at once
 *     when the peer sends more on it than we would.
 *
 * A fan of which nothing is answered is sent twice more, since a busy machine may just be late. Nothing is
 * searched below TN_SIZE_FLOOR: a direct path that does not carry that carries no data. */
#include "linkmsg.h"
#include "paths_priv.h"
#include "viamsg.h"

#define PARTS 8u /* of the range that is left, in a fan */
#define TRIES_MAX 2 /* more, of a fan of which nothing was answered; each waits twice as long */
#define STEP 16u /* WireGuard's padding */
#define WIDER 64 /* a datagram so much longer than our limit holds more than the limit */
#define ASK_US TN_S(2)
#define ASK_HUSHED_US TN_MS(500)
#define ALIVE_WAIT_US TN_S(2)
#define WAIT_MIN_US TN_MS(60)
#define WAIT_MAX_US TN_MS(500)
#define WAIT_UNKNOWN_US TN_MS(200)
#define RAISE_US TN_S(5)
#define RAISE_MAX_US TN_S(60)

_Static_assert(PARTS + 2 <= TN_SIZE_FAN, "a fan has room for its parts, the floor and the whole");
_Static_assert(TN_SIZE_FLOOR % STEP == 0, "what is asked is not padded");

/* The most that may be: through a member everything is sealed twice, and what carries it is no longer than
 * other packets are. */
static uint16_t most(const struct tn_paths *p, const struct tn_probe *pr)
{
    uint32_t mtu = p->cfg.mtu;

    if (!tn_probe_is_member(pr))
        return p->cfg.mtu;
    mtu = mtu > TN_VIAMSG_OVERHEAD ? (mtu - TN_VIAMSG_OVERHEAD) & ~(STEP - 1) : 0;
    return mtu > TN_LINK_MIN_LEN ? (uint16_t)mtu : TN_LINK_MIN_LEN;
}

uint16_t tn_size_limit(const struct tn_paths *p, const struct tn_probe *pr)
{
    return pr->c.mtu ? pr->c.mtu : most(p, pr);
}

static uint64_t wait_us(const struct tn_probe *pr)
{
    uint64_t us = 3 * (uint64_t)pr->c.rtt_us / 2 + TN_MS(20);

    if (!pr->c.rtt_us)
        return WAIT_UNKNOWN_US;
    if (us < WAIT_MIN_US)
        return WAIT_MIN_US;
    return us > WAIT_MAX_US ? WAIT_MAX_US : us;
}

static void add(struct tn_probe *pr, uint32_t size)
{
    if (!pr->size.count || size > pr->size.fan[pr->size.count - 1])
        pr->size.fan[pr->size.count++] = (uint16_t)size;
}

/* The sizes to be asked together, from the shortest to the longest. */
static void begin_fan(struct tn_probe *pr)
{
    uint32_t low = pr->size.low, width = pr->size.top - low;

    pr->size.count = 0;
    if (!pr->size.proven)
        add(pr, low);
    for (uint32_t i = 1; i < PARTS; i++) {
        uint32_t size = (low + width * i / PARTS) & ~(STEP - 1);

        if (size > low && size < pr->size.top)
            add(pr, size);
    }
    add(pr, pr->size.top);
    add(pr, pr->size.whole);
    pr->size.sent = 0;
    pr->row[TN_ROW_SIZE] = TN_NEVER; /* armed as they go out */
}

static void search(struct tn_probe *pr, uint16_t low, uint16_t top, bool proven)
{
    pr->size.low = low < top ? low : top;
    pr->size.top = top;
    pr->size.whole = top;
    pr->size.proven = proven;
    pr->size.tries = 0;
    begin_fan(pr);
}

bool tn_size_is_due(const struct tn_probe *pr)
{
    return pr->full_due || pr->size.sent < pr->size.count;
}

uint16_t tn_size_take(const struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    uint16_t size;

    if (pr->full_due) {
        pr->full_due = false;
        pr->full_us = now->us;
        pr->full_count++;
        if (!pr->size.asked_us)
            pr->size.asked_us = now->us;
        size = tn_size_limit(p, pr);
    } else {
        size = pr->size.fan[pr->size.sent++];
    }
    if (pr->row[TN_ROW_SIZE] == TN_NEVER)
        pr->row[TN_ROW_SIZE] = now->us + (wait_us(pr) << pr->size.tries);
    return size;
}

static void settle(struct tn_probe *pr, uint16_t mtu, const struct tn_now *now)
{
    pr->c.mtu = mtu;
    pr->c.full_ok_us = now->us;
    pr->full_count = 0;
    pr->size.asked_us = 0;
    pr->size.ask_us = now->us + ASK_US;
}

static void end_search(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    pr->size.top = 0;
    pr->size.count = pr->size.sent = pr->size.tries = 0;
    pr->row[TN_ROW_SIZE] = TN_NEVER;
    pr->size.raised_us = now->us;
    if (pr->size.raises < UINT8_MAX)
        pr->size.raises++;
    if (pr->size.proven) {
        if (pr->size.low < tn_size_limit(p, pr))
            pr->size.raises = 0;
        settle(pr, pr->size.low, now);
        tn_probe_judge(p, pr, now);
        return;
    }
    pr->size.asked_us = 0;
    pr->size.ask_us = now->us + RAISE_US;
    tn_probe_too_narrow(p, pr, now);
}

void tn_size_answered(struct tn_paths *p, struct tn_probe *pr, uint16_t size, const struct tn_now *now)
{
    bool is_on = pr->size.top != 0;

    if (is_on && size >= pr->size.low) {
        pr->size.low = size;
        pr->size.proven = true;
    }
    if (size >= tn_size_limit(p, pr))
        settle(pr, size, now);
    if (is_on && size >= pr->size.whole)
        end_search(p, pr, now);
    else if (!is_on && size >= pr->c.mtu)
        pr->row[TN_ROW_SIZE] = TN_NEVER;
}

/* The fan's time is over: a narrower one, if there is anything left between. */
static void next_fan(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    uint16_t next = 0;

    for (unsigned i = 0; i < pr->size.count && !next; i++) { /* the top is in it */
        if (pr->size.fan[i] > pr->size.low)
            next = pr->size.fan[i];
    }
    if (!pr->size.proven && pr->size.tries < TRIES_MAX) { /* all lost, or all late */
        pr->size.tries++;
        begin_fan(pr);
        return;
    }
    /* what lies above the top was asked before, and the whole was asked again only lest it was lost */
    if (!pr->size.proven || pr->size.low >= pr->size.top || next <= pr->size.low + STEP) {
        end_search(p, pr, now);
        return;
    }
    pr->size.top = (uint16_t)((next - 1) & ~(STEP - 1));
    begin_fan(pr);
}

void tn_size_tick(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (!tn_deadline_take(&pr->row[TN_ROW_SIZE], now->us) || tn_size_is_due(pr))
        return;
    if (pr->size.top) {
        next_fan(p, pr, now);
    } else if (!pr->size.asked_us) {
        return;
    } else if (p->cfg.fixed_mtu) {
        pr->size.asked_us = 0;
    } else if (pr->c.last_pong_us >= pr->size.asked_us) { /* it lives, and full size does not pass */
        search(pr, TN_SIZE_FLOOR, tn_size_limit(p, pr), false);
    } else if (now->us - pr->size.asked_us < ALIVE_WAIT_US) {
        pr->small_due = pr->small_due || pr->ping_us <= pr->size.asked_us;
        pr->row[TN_ROW_SIZE] = now->us + wait_us(pr);
    } else {
        pr->size.asked_us = 0; /* lost, or about to be */
    }
}

static bool is_raise_due(const struct tn_paths *p, const struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t pause_us = pr->size.raises < 4 ? RAISE_US << pr->size.raises : RAISE_MAX_US;

    return pr->c.mtu && pr->c.mtu < most(p, pr) && now->us - pr->size.raised_us >= pause_us;
}

void tn_size_on_data(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (now->us < pr->size.ask_us &&
        !(now->us - pr->full_us >= ASK_HUSHED_US && tn_probe_is_hushed(pr, now)))
        return;
    if (!p->session_up || p->cfg.fixed_mtu || pr->size.top || pr->size.asked_us || pr->full_due)
        return;
    pr->size.ask_us = now->us + ASK_US;
    if (is_raise_due(p, pr, now)) {
        search(pr, pr->c.mtu, most(p, pr), true);
        pr->size.fan[0] = pr->size.whole; /* alone at first: a burst may be lost in a queue that data fills */
        pr->size.count = 1;
    } else {
        pr->full_due = true;
    }
    tn_paths_renew_next(p);
}

void tn_size_on_arrival(struct tn_probe *pr, size_t len)
{
    if (pr->c.mtu && len > (size_t)pr->c.mtu + WIDER)
        pr->size.raises = 0;
}

void tn_size_reset(struct tn_probe *pr)
{
    pr->size.top = 0;
    pr->size.count = pr->size.sent = pr->size.tries = 0;
    pr->size.asked_us = 0;
    pr->size.ask_us = 0;
    pr->size.raises = 0;
    pr->size.raised_us = 0;
    pr->row[TN_ROW_SIZE] = TN_NEVER;
}
