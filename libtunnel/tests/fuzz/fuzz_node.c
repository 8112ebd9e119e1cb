/* Datagrams from a stranger into a node with a live session: nothing is ever
 * delivered, no answer is longer than what came, no peer moves.
 *
 * The input is a list of datagrams: length[2], bytes. The first byte of each
 * chooses, by its top bit, whether the receiver index is made a real one. */
#include <stdlib.h>
#include <string.h>

#include "simnode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sim *sim;
static uint32_t live_index;

static void begin(void)
{
    sim = sim_new(1);
    sim_add_plain(sim, "55.2.1.2", -1, 5000);
    sim_add_plain(sim, "55.2.2.2", -1, 5000);
    sim_peer_plain(sim, 0, 1, NULL);
    sim_send(sim, 0, 1, 64, 1);
    sim_run(sim, TN_S(1));
    if (!sim->node[1].delivered)
        abort();
    live_index = sim->node[1].mem.peers[0].keys.pair[sim->node[1].mem.peers[0].keys.current].session.local_index;
}

static void give(const uint8_t *datagram, size_t len, bool aimed)
{
    uint8_t mem[2048 + 64], out[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};
    struct tn_buf answer = {.mem = out, .cap = sizeof out};
    struct tn_addr src = world_ip("55.8.8.8");
    struct tn_route route;
    size_t answered = 0;
    uint32_t peer;

    src.port = 999;
    memcpy(tn_buf_data(&b), datagram, len);
    if (aimed && len >= 8)
        tn_put_le32(tn_buf_data(&b) + 4, live_index);
    if (tn_from_net(sim->node[1].node, &b, &src, sim->w->now, &peer) == TN_DELIVER)
        abort();
    while (tn_poll_out(sim->node[1].node, &answer, sim->w->now, &route))
        answered += answer.len;
    if (answered > len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tn_peer_info info;
    struct tn_addr home = world_ip("55.2.1.2");

    if (!sim)
        begin();
    while (size >= 3) {
        size_t len = ((size_t)data[0] << 8 | data[1]) & 0x7ff;
        bool aimed = data[0] & 0x80;

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        give(data, len, aimed);
        data += len;
        size -= len;
    }
    if (!tn_node_peer_info(sim->node[1].node, 0, &info) || !tn_addr_same_ip(&info.endpoint, &home))
        abort();
    return 0;
}
