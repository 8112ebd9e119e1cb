/* Each address has a state of its own:
 *
 *   WAITS --due--> CONNECTING --> CONNECTED
 *     ^                |   `----> OVER      (too many, or the time is up)
 *     `---- failed ----'
 *
 * The first pauses are short: two ends begin within half a round trip of each other, and a NAT that answers an early
 * SYN with a reset does so until its own host has sent one. */
#include "tcptry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_MIN_US 100000u
#define PAUSE_MAX_US 800000u

static struct tcptry_target *at(struct tcptry *t, unsigned i)
{
    return i < t->count ? &t->target[i] : NULL;
}

int tcptry_find(const struct tcptry *t, const struct tn_addr *addr)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (tn_addr_equal(&t->target[i].addr, addr))
            return (int)i;
    }
    return -1;
}

void tcptry_begin(struct tcptry *t, const struct tn_addr *list, size_t count, uint64_t now_us)
{
    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < count && t->count < TCPTRY_TARGETS; i++) {
        if (tcptry_find(t, &list[i]) < 0)
            t->target[t->count++] = (struct tcptry_target){.addr = list[i], .due_us = now_us};
    }
    t->on = true;
    t->end_us = now_us + TCPTRY_TIME_US;
}

int tcptry_next(struct tcptry *t, uint64_t now_us)
{
    for (unsigned i = 0; t->on && now_us < t->end_us && i < t->count; i++) {
        struct tcptry_target *x = &t->target[i];

        if (x->state != TCPTRY_WAITS || x->due_us > now_us)
            continue;
        x->state = TCPTRY_CONNECTING;
        x->tries++;
        return (int)i;
    }
    return -1;
}

void tcptry_failed(struct tcptry *t, unsigned i, int error, uint64_t now_us)
{
    struct tcptry_target *x = at(t, i);
    uint64_t pause_us = PAUSE_MIN_US;

    if (!x || x->state != TCPTRY_CONNECTING)
        return;
    x->error = error;
    for (uint8_t n = 2; n < x->tries && pause_us < PAUSE_MAX_US; n++)
        pause_us *= 2;
    x->state = x->tries < TCPTRY_MAX ? TCPTRY_WAITS : TCPTRY_OVER;
    x->due_us = now_us + pause_us;
}

void tcptry_connected(struct tcptry *t, unsigned i)
{
    struct tcptry_target *x = at(t, i);

    if (!x)
        return;
    x->state = TCPTRY_CONNECTED;
    x->error = 0;
}

void tcptry_unproven(struct tcptry *t, unsigned i)
{
    struct tcptry_target *x = at(t, i);

    if (!x || x->state != TCPTRY_CONNECTED)
        return;
    x->state = TCPTRY_OVER;
    x->error = TCPTRY_HEARD_NOTHING;
}

void tcptry_stop(struct tcptry *t)
{
    t->on = false;
    for (unsigned i = 0; i < t->count; i++) {
        struct tcptry_target *x = &t->target[i];

        if (x->state == TCPTRY_CONNECTING)
            x->error = TCPTRY_NO_ANSWER;
        if (x->state != TCPTRY_CONNECTED)
            x->state = TCPTRY_OVER;
    }
}

bool tcptry_ends(struct tcptry *t, uint64_t now_us)
{
    bool left = false;

    for (unsigned i = 0; i < t->count; i++)
        left = left || t->target[i].state != TCPTRY_OVER;
    if (!t->on || (left && now_us < t->end_us))
        return false;
    for (unsigned i = 0; i < t->count; i++)
        tcptry_unproven(t, i);
    tcptry_stop(t);
    return true;
}

const char *tcptry_words(const struct tcptry_target *t, char out[TCPTRY_WORDS_LEN])
{
    const char *what = t->error == TCPTRY_HEARD_NOTHING ? "connected, but it was not the member who answered"
                       : t->error == ECONNREFUSED       ? "refused"
                       : t->error > 0                   ? strerror(t->error)
                                                        : "no answer";

    if (t->state == TCPTRY_CONNECTED)
        snprintf(out, TCPTRY_WORDS_LEN, "connected at attempt %u", (unsigned)t->tries);
    else if (!t->tries)
        snprintf(out, TCPTRY_WORDS_LEN, "not tried");
    else if (t->state == TCPTRY_CONNECTING && !t->error)
        snprintf(out, TCPTRY_WORDS_LEN, "no answer yet");
    else
        snprintf(out, TCPTRY_WORDS_LEN, "%s, %u attempt%s", what, (unsigned)t->tries, t->tries == 1 ? "" : "s");
    return out;
}
