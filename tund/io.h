/* How packets come and go, between the pump and the TUN and UDP descriptors. Two files
 * give these functions and meson takes one: io_plain.c, packet by packet, or
 * fast/io_fast.c, in trains (-Dfast). What one may see differs in time only: io_write and
 * io_send may keep what they are given until io_flush, which the pump calls after each batch. */
#ifndef TUND_IO_H
#define TUND_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/buf.h"
#include "libtunnel/base/err.h"
#include "libtunnel/job.h"
#include "tun.h"
#include "udp.h"

struct io; /* heap */

/* Sends one datagram now, and deals with what goes wrong. ctx is the pump's. */
typedef void io_send_now(void *ctx, const uint8_t *data, size_t len, const struct tn_addr *to,
                         uint8_t ttl, const struct tn_addr *local);

#define IO_THREADS_AUTO (-1)
/* NULL: no memory. tun and udp are borrowed until io_free, and opened later; `send_now` gets ctx.
 * threads: that seal and open beside the caller's; IO_THREADS_AUTO: as many as help. */
struct io *io_new(struct tun *tun, struct udp *udp, int threads, io_send_now *send_now, void *ctx);
void io_free(struct io *io); /* NULL is fine; wipes */

/* As tun_open. */
TN_MUST_CHECK int io_open_tun(struct io *io, const char *ifname, uint16_t mtu);
/* What to give udp_open, so that `inner` gets its datagrams: they lie still until io_flush, and
 * no head or tail room is promised. Copies `inner`. */
void io_udp_handler(struct io *io, const struct udp_handler *inner, struct udp_handler *out);

/* The next packet from the TUN, with TN_BUF_HEADROOM and TN_BUF_TAILROOM, in memory that is lent
 * until the next call; bytes, or an error as of tun_read. */
TN_MUST_CHECK int io_read(struct io *io, struct tn_buf *b);
bool io_has_more(const struct io *io); /* packets that were read already: no event will tell of them */
/* To the TUN. The error may be that of an earlier packet. The packet may be rewritten. */
TN_MUST_CHECK int io_write(struct io *io, const struct tn_buf *b);
/* A datagram, in the buffer of the last io_read or in any other; local may be NULL. job: what is still
 * to be run on it, or NULL; done by io_flush at the latest. */
void io_send(struct io *io, const struct tn_buf *b, const struct tn_addr *to, uint8_t ttl,
             const struct tn_addr *local, struct tn_job *job);
/* Is it worth while to gather jobs for io_run? The same answer for all of a batch of datagrams, which
 * then lie still, with their sources, until its end. */
bool io_gathers(const struct io *io);
void io_run(struct io *io, struct tn_job *job, uint32_t count);
void io_flush(struct io *io);
/* Addresses or routes changed: what a destination could not do, it may be able to do now. */
void io_on_network_change(struct io *io);

#define IO_DESCRIBE_LEN 64
/* Which offloads are on, for people: "TUN checksum TSO4 TSO6 USO, UDP GSO GRO", or "none". */
void io_describe(const struct io *io, char *text, size_t cap);

#endif
