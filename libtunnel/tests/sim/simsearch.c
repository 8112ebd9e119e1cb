/* A program's sockets of a search for a port, as ports of a simulated host. */
#include "simsearch.h"

/* By a socket of a search: a punch that finds it makes it the way to its sender. True: it is for the node. */
bool sim_take_search(struct simnode *n, const struct tn_addr *src, const struct tn_addr *dst,
                     const uint8_t *data, size_t len)
{
    if (!n->search.count || !tn_addr_equal(src, &n->search.to) || dst->port < SIM_SEARCH_PORT ||
        dst->port >= SIM_SEARCH_PORT + n->search.count)
        return false;
    if (n->search.detour)
        return dst->port == n->search.detour;
    if (len != 4 || data[0] != TN_CTL_PUNCH)
        return false;
    n->search.detour = dst->port;
    tn_node_search_hit(n->node, n->search.peer, src, n->sim->w->now);
    sim_pump(n->sim, (int)(n - n->sim->node));
    return false;
}

/* As the program does; where ports are counted, what STUN would say is read from the router. */
void sim_begin_search(struct simnode *n, const struct tn_event *e)
{
    static const uint8_t punch[4] = {TN_CTL_PUNCH};
    const struct world_nat *nat = &n->sim->w->nat[n->sim->w->host[n->host].nat];
    uint16_t port = nat->step ? nat->next_port : 0;

    n->search.peer = e->peer;
    n->search.to = e->addr;
    n->search.count = e->token;
    n->search.detour = 0;
    for (uint32_t i = 0; i < e->token; i++) {
        world_send(n->sim->w, n->host, (uint16_t)(SIM_SEARCH_PORT + i), &e->addr, 3, punch, sizeof punch);
        world_send(n->sim->w, n->host, (uint16_t)(SIM_SEARCH_PORT + i), &e->addr, 0, punch, sizeof punch);
        n->punches_sent += 2;
    }
    tn_node_search_sent(n->node, e->peer, port, n->sim->w->now);
}
