/* Packets of every kind for tunmill, from a seed. */
#ifndef TUNMILL_H
#define TUNMILL_H

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MILL_MTU 1420u
#define MILL_FLOWS 12u
#define MILL_PACKET_MAX 65535u

struct mill_flow {
    bool v4, tcp;
    uint16_t sport, dport, id;
    uint32_t seq, ack;
    uint8_t options_len; /* of TCP */
};

struct mill {
    uint64_t state; /* of the generator */
    uint8_t src4[4], dst4[4], src6[16], dst6[16];
    struct mill_flow flow[MILL_FLOWS];
    unsigned last; /* flow of the last packet: packets of one flow come in runs */
};

/* A packet for the interface, with a virtio header as of packet(7): where that says so, it is one that
 * the kernel may split. */
struct mill_packet {
    struct virtio_net_hdr h;
    uint8_t data[MILL_PACKET_MAX];
    size_t len;
    unsigned segments; /* how many come of it */
};

void mill_init(struct mill *m, uint64_t seed);
uint32_t mill_below(struct mill *m, uint32_t bound); /* 0..bound-1 */
void mill_next(struct mill *m, struct mill_packet *p);
/* A UDP packet, IPv4, from port 9 to port 9, that holds `number`: behind which nothing is still held. */
void mill_marker(struct mill *m, uint32_t number, struct mill_packet *p);
/* The number of a marker, or -1 for any other packet. */
int64_t mill_marker_number(const uint8_t *packet, size_t len);

#endif
