/* How it works: each packet and datagram by a call of its own, at once. Nothing is kept, so there
 * is nothing to flush. */
#include "io.h"

#include <stdio.h>
#include <stdlib.h>

#include "secure.h"

#define PACKET_MEM_LEN (TN_BUF_HEADROOM + TUN_PACKET_MAX + TN_BUF_TAILROOM)

struct io {
    struct tun *tun;
    io_send_now *send_now;
    void *ctx;
    uint8_t *mem; /* one packet */
};

struct io *io_new(struct tun *tun, struct udp *udp, int threads, io_send_now *send_now, void *ctx)
{
    struct io *io = calloc(1, sizeof *io);

    if (!io)
        return NULL;
    io->tun = tun;
    io->send_now = send_now;
    io->ctx = ctx;
    io->mem = secure_alloc(PACKET_MEM_LEN, NULL);
    if (io->mem)
        return io;
    free(io);
    return NULL;
}

void io_free(struct io *io)
{
    if (!io)
        return;
    secure_free(io->mem, PACKET_MEM_LEN);
    free(io);
}

int io_open_tun(struct io *io, const char *ifname, uint16_t mtu)
{
    return tun_open(io->tun, ifname, mtu);
}

void io_udp_handler(struct io *io, const struct udp_handler *inner, struct udp_handler *out)
{
    *out = *inner;
}

int io_read(struct io *io, struct tn_buf *b)
{
    int n = tun_read(io->tun, io->mem + TN_BUF_HEADROOM, TUN_PACKET_MAX);

    if (n < 0)
        return n;
    *b = (struct tn_buf){
        .mem = io->mem, .cap = PACKET_MEM_LEN, .off = TN_BUF_HEADROOM, .len = (size_t)n};
    return n;
}

bool io_has_more(const struct io *io)
{
    return false;
}

int io_write(struct io *io, const struct tn_buf *b)
{
    return tun_write(io->tun, tn_buf_data(b), b->len);
}

void io_send(struct io *io, const struct tn_buf *b, const struct tn_addr *to, uint8_t ttl,
             const struct tn_addr *local, struct tn_job *job)
{
    if (job)
        tn_job_run(job);
    io->send_now(io->ctx, tn_buf_data(b), b->len, to, ttl, local);
}

bool io_gathers(const struct io *io)
{
    return false;
}

void io_run(struct io *io, struct tn_job *job, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tn_job_run(&job[i]);
}

void io_flush(struct io *io)
{
}

void io_on_network_change(struct io *io)
{
}

void io_describe(const struct io *io, char *text, size_t cap)
{
    snprintf(text, cap, "none");
}
