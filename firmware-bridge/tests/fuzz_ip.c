/* The device's IP, fed anything that a peer could send: an answer stays within the MTU and goes back. */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t echo(void *ctx, struct bridge_datagram *d)
{
    if (d->len > d->room)
        abort();
    memset(d->data + d->len, 0x5a, d->room - d->len); /* the promised room is there */
    return d->len && d->data[0] & 1 ? d->room : d->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct bridge b;
    static const uint8_t ip4[4] = {10, 77, 0, 2}, ip6[16] = {0xfd, 1, 2, 3, 4, 5, [15] = 2};

    /* the node delivers what has a whole header and is no longer than the MTU */
    if (len > BRIDGE_MTU || len < 20 || (data[0] >> 4 != 4 && (data[0] >> 4 != 6 || len < 40)))
        return 0;
    memset(&b, 0, sizeof b);
    b.buf = (struct tn_buf){.mem = b.mem, .cap = sizeof b.mem, .off = TN_BUF_HEADROOM, .len = len};
    b.ipv4 = tn_addr_v4(ip4, 0);
    b.ipv6 = tn_addr_v6(ip6, 0);
    memcpy(tn_buf_data(&b.buf), data, len);
    if (bridge_udp_bind(&b, 7, echo, NULL))
        abort();
    if (bridge_ip_input(&b) && (b.buf.len > BRIDGE_MTU || b.buf.off != TN_BUF_HEADROOM))
        abort();
    return 0;
}
