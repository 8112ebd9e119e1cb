/* A file over UDP between a member and a device, as an application of the device would do it: datagrams
 * with a number, acknowledged cumulatively, one ACK for 16. In the simulated world, with the modem's
 * UART as the narrow place, and everything that the modem sends and gets counted. */
#ifndef BRIDGE_TESTS_TRANSFER_H
#define BRIDGE_TESTS_TRANSFER_H

#include "simdevice.h"

#define TRANSFER_UART_BYTES_PER_S 11520u /* 115200 baud, 8N1 */
/* What the AT dialogue adds to each datagram on the UART: USOST, its prompt and its answer, or UUSORF, USORF
 * and its answer, with addresses and numbers of usual length. */
#define TRANSFER_AT_BYTES 96u

/* Two ports of 61616 and up: in a squeezed datagram they are one byte. */
#define TRANSFER_DEVICE_PORT 61616u
#define TRANSFER_MEMBER_PORT 61617u

struct transfer_count {
    uint64_t out, in;             /* datagrams on the modem's UDP */
    uint64_t out_bytes, in_bytes; /* their UDP payload */
    uint64_t sealed, opened;      /* inner bytes that the device's cipher had to do with, tags included */
    uint64_t us;                  /* from the first datagram to the last acknowledgement */
    uint64_t repeats;             /* datagrams sent more than once */
};

/* A laptop, a coordinator, and a device behind a carrier's NAT, all connected; their session is warm: some
 * datagrams have gone both ways. loss_ppm: of what the device sends and of what it gets. */
struct transfer_net;
struct transfer_net *transfer_new(uint64_t seed);
void transfer_free(struct transfer_net *t);
void transfer_set_loss(struct transfer_net *t, uint32_t loss_ppm);

/* Lets time pass until a second after a message of the control session, or for 16 s where there is none: a small
 * transfer that follows lies between two keepalives. */
void transfer_settle(struct transfer_net *t);
/* Sends len bytes, from the device or to it, until all are acknowledged. The receiver has compared every
 * byte. False: not within an hour. */
bool transfer_run(struct transfer_net *t, bool from_device, size_t len, struct transfer_count *out);

#endif
