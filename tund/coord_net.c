/* How it works: STUN is answered here, statelessly, through the very socket and
 * address it came to; everything else goes to the handler. A way is named by one
 * byte, as the server keeps it for each member: a small table, in which each socket
 * has a row with no address, and each (socket, own address) pair gets a row
 * when the first control datagram comes to it. Only addresses of this host can come
 * up there, so strangers cannot fill it; should a host ever have more
 * than the table holds, the system chooses the source for the rest. */
#include "coord_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/coord/msg.h"
#include "libtunnel/path/stun.h"

#include "coord_batch.h"

/* ---- ways ---- */

uint8_t coord_net_way(struct coord_net *n, unsigned socket, const struct tn_addr *local)
{
    static const struct tn_addr none;

    if (tn_addr_same_ip(local, &none))
        return (uint8_t)socket;
    for (unsigned i = n->udp_count; i < n->way_count; i++) {
        if (n->way[i].socket == socket && tn_addr_same_ip(&n->way[i].local, local))
            return (uint8_t)i;
    }
    if (n->way_count == COORD_WAYS_MAX)
        return (uint8_t)socket;
    n->way[n->way_count].socket = (uint8_t)socket;
    n->way[n->way_count].local = *local;
    return (uint8_t)n->way_count++;
}

/* ---- in and out ---- */

static void count_sent(struct coord_net *n, int err)
{
    if (err == -EAGAIN || err == -ENOBUFS)
        n->counters.send_busy++;
    else if (err)
        n->counters.send_errors++;
}

static int other_address(const struct coord_net *n, unsigned socket, bool v4);

/* What else we answer on: another address and port, or the other port of this address. */
static struct tn_addr other_of(const struct coord_net *n, unsigned socket, const struct udp_source *from)
{
    int other = other_address(n, socket, tn_addr_is_v4(&from->remote));
    struct tn_addr a = from->local;

    if (other >= 0)
        a = n->udp[other].config.bind;
    a.port = n->udp[other >= 0 ? (unsigned)other : socket ^ 1].port;
    return a;
}

static void answer_stun(struct coord_net *n, struct udp *u, struct tn_buf *b,
                        const struct udp_source *from)
{
    uint8_t answer[TN_STUN_MAX_LEN];
    struct tn_addr other = other_of(n, (unsigned)(u - n->udp), from);
    size_t len = tn_stun_answer(tn_buf_data(b), b->len, &from->remote, &other, answer,
                                sizeof(answer));

    if (!len) {
        n->counters.stun_silent++;
        return;
    }
    n->counters.stun_answers++;
    count_sent(n, udp_send(u, answer, len, &from->remote, 0, &from->local));
}

static void on_datagram(void *ctx, struct udp *u, struct tn_buf *b, const struct udp_source *from)
{
    struct coord_net *n = ctx;
    unsigned socket = (unsigned)(u - n->udp);
    uint8_t way;

    if (tn_addr_is_stream(&from->remote))
        return; /* no host has such an address: it is forged */
    if (tn_stun_is_message(tn_buf_data(b), b->len)) {
        answer_stun(n, u, b, from);
        return;
    }
    way = tn_ctl_is_control(tn_buf_data(b), b->len) ? coord_net_way(n, socket, &from->local)
                                                    : (uint8_t)socket;
    n->handler.on_datagram(n->handler.ctx, way, &from->remote, tn_buf_data(b), b->len);
}

static void on_batch_end(void *ctx, struct udp *u)
{
    struct coord_net *n = ctx;

    n->handler.on_batch_end(n->handler.ctx);
}

void coord_net_send(struct coord_net *n, uint8_t way, const struct tn_addr *to, const void *data,
                    size_t len)
{
    count_sent(n, udp_send(&n->udp[n->way[way].socket], data, len, to, 0, &n->way[way].local));
}

/* ---- dial-backs ---- */

static bool has_family(const struct coord_net *n, unsigned socket, bool v4)
{
    const struct tn_addr *bind = &n->udp[socket].config.bind;

    return tn_addr_is_zero(bind) || tn_addr_is_v4(bind) == v4;
}

/* A socket of another address, whose port is the other one as well; -1: there is none. */
static int other_address(const struct coord_net *n, unsigned socket, bool v4)
{
    const struct tn_addr *own = &n->udp[socket].config.bind;

    for (unsigned i = 0; i < n->udp_count && !tn_addr_is_zero(own); i++) {
        const struct tn_addr *bind = &n->udp[i].config.bind;

        if (i % 2 != socket % 2 && !tn_addr_is_zero(bind) && tn_addr_is_v4(bind) == v4 &&
            !tn_addr_same_ip(bind, own))
            return (int)i;
    }
    return -1;
}

void coord_net_dial(struct coord_net *n, uint8_t way, uint8_t turn, const struct tn_addr *to,
                    const void *data, size_t len)
{
    unsigned socket = n->way[way].socket;
    struct tn_addr local = n->way[way].local;
    int other = other_address(n, socket, tn_addr_is_v4(to));

    if (turn == TN_DIAL_PORT) {
        count_sent(n, udp_send(&n->udp[socket ^ 1], data, len, to, 0, &local));
        return;
    }
    if (other < 0)
        return;
    local = n->udp[other].config.bind;
    count_sent(n, udp_send(&n->udp[other], data, len, to, 0, &local));
}

uint8_t coord_net_can_dial(const struct coord_net *n, bool v4)
{
    uint8_t can = 0;

    for (unsigned i = 0; i < n->udp_count; i++) {
        if (has_family(n, i, v4))
            can |= TN_DIAL_PORT | (other_address(n, i, v4) >= 0 ? TN_DIAL_ADDRESS : 0);
    }
    return can;
}

/* ---- life ---- */

static int open_one(struct coord_net *n, uv_loop_t *loop, const struct tn_addr *at, struct why *w)
{
    struct udp_config c = {.port = at->port, .bind = *at};
    const struct udp_handler inner = {
        .ctx = n, .on_datagram = on_datagram, .on_batch_end = on_batch_end};
    struct udp_handler h;
    char text[ADDR_TEXT_LEN];
    int err;

    c.bind.port = 0; /* [::] is then zero: both families */
    coord_batch_udp_handler(n->batch, &inner, &h);
    err = udp_open(&n->udp[n->udp_count], loop, &c, &h);
    (void)addr_text(at, text);
    switch (err) {
    case 0:
        n->way[n->udp_count].socket = (uint8_t)n->udp_count;
        n->udp_count++;
        n->way_count = n->udp_count;
        return 0;
    case -EADDRINUSE:
        return why_set(w, err, "UDP port %s is in use: `ss -ulpn sport = :%u` shows by which "
                       "program; end that, or choose another with --listen and --alt-port", text,
                       at->port);
    case -EADDRNOTAVAIL:
        return why_set(w, err, "%s is no address of this machine: `ip address` shows those it has",
                       addr_ip_text(at, text));
    case -EACCES:
        return why_set(w, err, "UDP port %s: ports below 1024 are root's; choose another, or use "
                       "sudo", text);
    case -EAFNOSUPPORT:
        return why_set(w, err, "%s: this machine has no such address family", text);
    default:
        return why_set(w, err, "cannot open UDP port %s: %s", text, strerror(-err));
    }
}

int coord_net_open(struct coord_net *n, uv_loop_t *loop, const struct coord_options *o,
                   const struct coord_net_handler *handler, struct why *w)
{
    int err = 0;

    memset(n, 0, sizeof(*n));
    n->handler = *handler;
    n->batch = coord_batch_new(n);
    if (!n->batch)
        return why_set(w, -ENOMEM, "out of memory");
    for (unsigned i = 0; i < o->listen_count && !err; i++) {
        struct tn_addr at = o->listen[i];

        err = open_one(n, loop, &at, w);
        if (err)
            break;
        if (o->alt_port)
            at.port = o->alt_port;
        else if (at.port)
            at.port++;
        err = open_one(n, loop, &at, w);
    }
    if (err)
        coord_net_close(n);
    return err;
}

void coord_net_close(struct coord_net *n)
{
    for (unsigned i = 0; i < n->udp_count; i++)
        udp_close(&n->udp[i]);
    n->udp_count = n->way_count = 0;
    coord_batch_free(n->batch);
    n->batch = NULL;
}

struct tn_addr coord_net_bound(const struct coord_net *n, unsigned i)
{
    struct tn_addr a = n->udp[i].config.bind;

    a.port = n->udp[i].port;
    return a;
}

struct tn_addr coord_net_own_address(bool v4)
{
    /* Documentation prefixes (RFC 5737, RFC 3849): connecting a UDP socket only asks the routes. */
    struct sockaddr_in far4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 far6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    struct tn_addr own = {.port = 0};
    socklen_t len = v4 ? sizeof(far4) : sizeof(far6);
    struct sockaddr *far = v4 ? (struct sockaddr *)&far4 : (struct sockaddr *)&far6;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return own;
    inet_pton(AF_INET, "192.0.2.1", &far4.sin_addr);
    inet_pton(AF_INET6, "2001:db8::1", &far6.sin6_addr);
    if (connect(fd, far, len) == 0 && getsockname(fd, far, &len) == 0)
        own = v4 ? tn_addr_v4((const uint8_t *)&far4.sin_addr, 0)
                 : tn_addr_v6((const uint8_t *)&far6.sin6_addr, 0);
    close(fd);
    return own;
}
