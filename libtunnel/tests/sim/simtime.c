/* How a simulation's time goes on: to the earliest of the next arrival and everybody's deadlines. */
#include "simnode.h"

#include <stdlib.h>

static uint64_t next_moment(struct sim *s)
{
    uint64_t at = world_next(s->w);

    for (int i = 0; i < SIM_NODES; i++) {
        uint64_t node_at = s->node[i].used ? tn_next_deadline(s->node[i].node, NULL) : TN_NEVER;

        if (node_at < at)
            at = node_at;
    }
    if (s->coord.up && tn_server_next_deadline(s->coord.server) < at)
        at = tn_server_next_deadline(s->coord.server);
    if (s->guest && s->guest_next(s->guest) < at)
        at = s->guest_next(s->guest);
    return at > s->w->now.us ? at : s->w->now.us + 1;
}

static void step(struct sim *s, uint64_t at)
{
    world_advance(s->w, at);
    if (s->coord.up)
        sim_coordinator_tick(s);
    for (int i = 0; i < SIM_NODES; i++) {
        struct simnode *n = &s->node[i];

        if (!n->used || tn_next_deadline(n->node, NULL) > s->w->now.us)
            continue;
        tn_tick(n->node, s->w->now);
        sim_pump(s, i);
    }
    if (s->guest && s->guest_next(s->guest) <= s->w->now.us)
        s->guest_tick(s->guest);
}

bool sim_run_until(struct sim *s, bool (*done)(void *ctx), void *ctx, uint64_t max_us)
{
    uint64_t end = s->w->now.us + max_us;

    for (;;) {
        uint64_t at;

        if (done && done(ctx))
            return true;
        at = next_moment(s);
        if (at > end) {
            world_advance(s->w, end);
            return false;
        }
        step(s, at);
    }
}

void sim_run(struct sim *s, uint64_t for_us)
{
    if (sim_run_until(s, NULL, NULL, for_us))
        abort();
}
