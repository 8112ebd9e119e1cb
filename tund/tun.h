/* The TUN device: IFF_TUN | IFF_NO_PI, plain reads and writes. */
#ifndef TUND_TUN_H
#define TUND_TUN_H

#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/err.h"

#define TUN_BATCH 64          /* packets taken per wake */
#define TUN_PACKET_MAX 65535u /* bytes */
/* Packets that wait for us. The kernel's 500 are 2.5 ms at 200,000 packets a second, less than one turn of
 * another process on our processor; these are 10 ms. */
#define TUN_QUEUE_LEN 2000

struct tun {
    int fd; /* non-blocking */
    char ifname[16];
};

/* Makes the interface (NAME, or NAME%d) in the current network namespace; it goes when the
 * descriptor closes. Negative errno: -ENOENT or -ENODEV no /dev/net/tun, -EPERM or -EACCES not
 * allowed, -EBUSY the name is taken, -EEXIST it is another kind of interface. */
TN_MUST_CHECK int tun_open(struct tun *t, const char *ifname, uint16_t mtu);
/* The same with more of the flags of TUNSETIFF, which change what a read and a write carry. */
TN_MUST_CHECK int tun_open_as(struct tun *t, const char *ifname, uint16_t mtu, short flags);
void tun_close(struct tun *t);
/* Bytes of one packet, -EAGAIN, -EIO (interface down), or -EBADFD (deleted). */
TN_MUST_CHECK int tun_read(struct tun *t, void *buf, size_t cap);
TN_MUST_CHECK int tun_write(struct tun *t, const void *buf, size_t len);

#endif
