/* BEATs in place of PINGs, for a member who pays for each byte (PROTOCOL.md section 4.3).
 *
 *   row KEEPALIVE --> BEAT --> answer: the session lives; was our address another, the NAT had
 *                      |       forgotten us before the next one came: TN_COORD_EV_MAPPING_LOST
 *                      +--> three without an answer: a new handshake
 *
 * The home family alone is beaten on. How often is for the node to say (set_keepalive). */
#include <string.h>

#include "../base/bytes.h"
#include "client_priv.h"

#define BEAT_TRIES 3
#define BEAT_RESEND_MIN_US TN_MS(700) /* a radio may have to wake up */
#define US_PER_S 1000000u

void tn_coord_client_set_keepalive(struct tn_coord_client *c, uint64_t us, struct tn_now now)
{
    c->cfg.keepalive_us = c->keepalive_us = us;
    if (c->session_ok && c->row[TN_COORD_AT_KEEPALIVE] != TN_NEVER)
        c->row[TN_COORD_AT_KEEPALIVE] = now.us; /* the coordinator has to know */
}

void tn_coord_begin_beat(struct tn_coord_client *c, struct tn_now now)
{
    if (c->beat.due_us != TN_NEVER)
        return;
    c->beat.tries = 0;
    c->beat.due_us = now.us;
}

bool tn_coord_beat_is_lost(const struct tn_coord_client *c, struct tn_now now)
{
    return c->beat.due_us <= now.us && c->beat.tries >= BEAT_TRIES;
}

size_t tn_coord_write_beat(struct tn_coord_client *c, struct tn_now now, uint8_t *out,
                           struct tn_addr *dst)
{
    uint64_t wait, interval_s = (c->keepalive_us + US_PER_S - 1) / US_PER_S;

    if (c->beat.due_us > now.us || c->beat.tries >= BEAT_TRIES ||
        tn_ctl_beat_create(&c->session, interval_s < UINT16_MAX ? (uint16_t)interval_s : UINT16_MAX,
                           out))
        return 0;
    memcpy(c->lost.echo, out + TN_CTL_BEAT_LEN - TN_CTL_ECHO_LEN, TN_CTL_ECHO_LEN);
    c->beat.tries++;
    c->beat.sent_us = now.us;
    wait = tn_coord_resend_us(c, c->beat.tries);
    if (wait < BEAT_RESEND_MIN_US << (c->beat.tries - 1))
        wait = BEAT_RESEND_MIN_US << (c->beat.tries - 1);
    c->beat.due_us = now.us + wait;
    c->spoken_us = now.us;
    *dst = c->server[c->home];
    return TN_CTL_BEAT_LEN;
}

int tn_coord_on_beat_answer(struct tn_coord_client *c, const uint8_t *data, size_t len,
                            struct tn_now now)
{
    uint8_t observed[TN_CTL_OBSERVED_LEN];
    bool was_asked = c->beat.due_us != TN_NEVER && c->beat.tries > 0;
    int err;

    if (!c->session_ok)
        return TN_ENOKEY;
    err = tn_ctl_beat_answer_consume(&c->session, data, len, observed);
    if (err)
        return err;
    c->heard_us = now.us;
    c->suspicious = false;
    if (was_asked) {
        c->beat.due_us = TN_NEVER;
        if (c->beat.tries == 1) /* of more than one nobody knows which was answered */
            tn_coord_saw_rtt(c, now.us - c->beat.sent_us);
    }
    if (c->beat.seen && memcmp(observed, c->beat.observed, sizeof(observed)) != 0)
        tn_coord_event(c, TN_COORD_EV_MAPPING_LOST);
    memcpy(c->beat.observed, observed, sizeof(observed));
    c->beat.seen = true;
    return 0;
}
