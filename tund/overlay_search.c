/* The sockets of a search for a port (libtunnel/node_search.c says what for):
 *
 *     ASKING    ports are counted: STUN tells the one that the NAT made last
 *     SENDING   each socket sends a punch that dies behind our own NAT, 50 ms later one in full
 *     WAITING   a punch of the peer's that comes in by one of them makes it the way to the peer:
 *               the socket becomes a detour of udp.h, the others are closed
 *
 * After some seconds without one all are closed. At most two searches are on at a time. */
#include "overlay_search.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/coord/msg.h"
#include "libtunnel/path/portsearch.h"
#include "libtunnel/path/stun.h"

#include "log.h"
#include "overlay_inside.h"
#include "secure.h"
#include "udp_msg.h"

#define ASK_MS 300u
#define ASKS_MAX 3
#define SECOND_MS 50u
#define WAIT_MS 8000u
#define LOW_TTL 3

enum phase { ASKING, SENDING, WAITING };

struct search_socket {
    uv_poll_t poll;
    struct overlay_search *owner;
    int fd; /* -1: given away */
};

struct overlay_search { /* heap; the last of its handles to close frees it */
    struct overlay *overlay; /* NULL: it is over */
    uint32_t peer;
    struct tn_addr to;
    uint16_t wanted, count, handles;
    uint8_t phase, asks;
    uint8_t txid[TN_STUN_TXID_LEN];
    uv_timer_t timer;
    struct search_socket socket[TN_SEARCH_SOCKETS_MAX];
};

/* ---- the end ---- */

static void closed(struct overlay_search *s)
{
    if (--s->handles == 0)
        free(s);
}

static void on_timer_closed(uv_handle_t *h)
{
    closed(h->data);
}

static void on_poll_closed(uv_handle_t *h)
{
    struct search_socket *k = h->data;

    if (k->fd >= 0)
        close(k->fd);
    closed(k->owner);
}

static void end(struct overlay_search *s)
{
    struct overlay *o = s->overlay;

    for (size_t i = 0; i < OVERLAY_SEARCHES; i++) {
        if (o->search[i] == s)
            o->search[i] = NULL;
    }
    s->overlay = NULL;
    for (uint16_t i = 0; i < s->count; i++)
        uv_close((uv_handle_t *)&s->socket[i].poll, on_poll_closed);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* ---- found ---- */

/* The socket goes over to udp.h under another number, since this poll handle closes its own. */
static void take(struct search_socket *k)
{
    struct overlay_search *s = k->owner;
    struct overlay *o = s->overlay;
    char text[ADDR_TEXT_LEN];
    int fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);
    int err = fd < 0 ? -errno : udp_add_detour(&o->t->udp, &s->to, fd);

    if (err) {
        log_warn("the port that was found cannot be used: %s", strerror(-err));
        end(s);
        return;
    }
    log_info("found a port for %s among %u sockets", addr_text(&s->to, text), s->count);
    tn_node_search_hit(o->t->node, s->peer, &s->to, tund_now());
    end(s);
    tund_pump(o->t);
}

static void begin_sending(struct overlay_search *s, uint16_t port);

static void on_datagram(struct search_socket *k, const struct tn_addr *src, const uint8_t *data, size_t len)
{
    struct overlay_search *s = k->owner;
    struct tn_addr mapped;

    if (s->phase == ASKING && tn_addr_equal(src, &s->overlay->coordinator.v4) &&
        tn_stun_consume_answer(data, len, s->txid, &mapped) == 0)
        begin_sending(s, mapped.port);
    else if (s->phase != ASKING && tn_addr_equal(src, &s->to) && len == 4 && data[0] == TN_CTL_PUNCH)
        take(k);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct search_socket *k = poll->data;
    union udp_sockaddr from;
    socklen_t from_len = sizeof from;
    struct tn_addr src;
    uint8_t data[256];
    ssize_t len = recvfrom(k->fd, data, sizeof data, MSG_DONTWAIT, &from.sa, &from_len);

    if (len < 0 || !k->owner->overlay)
        return;
    src = udp_from_sockaddr(&from);
    on_datagram(k, &src, data, (size_t)len);
}

/* ---- sockets ---- */

static int open_socket(struct overlay_search *s)
{
    struct search_socket *k = &s->socket[s->count];
    int err;

    k->owner = s;
    k->fd = udp_spare(&s->overlay->t->udp);
    if (k->fd < 0)
        return k->fd;
    err = uv_poll_init(&s->overlay->t->loop, &k->poll, k->fd);
    if (err) {
        close(k->fd);
        return err;
    }
    k->poll.data = k;
    s->handles++;
    s->count++;
    return uv_poll_start(&k->poll, UV_READABLE, on_readable);
}

/* What cannot be sent is lost, as on any network. The TTL is this datagram's alone: what is found later is
 * to be used with the system's. */
static void send_one(const struct search_socket *k, const struct tn_addr *to, uint8_t ttl, const uint8_t *data,
                     size_t len)
{
    union udp_sockaddr sa;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr m = {.msg_name = &sa, .msg_namelen = udp_to_sockaddr(to, true, &sa), .msg_iov = &iov,
                       .msg_iovlen = 1, .msg_control = control};

    udp_add_way(&m, sizeof control, true, ttl, NULL);
    if (!m.msg_controllen)
        m.msg_control = NULL;
    (void)!sendmsg(k->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void punch_all(struct overlay_search *s, uint8_t ttl)
{
    static const uint8_t punch[4] = {TN_CTL_PUNCH};

    for (uint16_t i = 0; i < s->count; i++)
        send_one(&s->socket[i], &s->to, ttl, punch, sizeof punch);
}

/* ---- phases ---- */

static void on_timer(uv_timer_t *t);

static void next(struct overlay_search *s, enum phase phase, uint64_t ms)
{
    s->phase = phase;
    if (uv_timer_start(&s->timer, on_timer, ms, 0) != 0)
        end(s);
}

static void begin_sending(struct overlay_search *s, uint16_t port)
{
    struct overlay *o = s->overlay;
    int err = 0;

    while (s->count < s->wanted && !err)
        err = open_socket(s);
    if (err)
        log_debug("%u sockets of %u for a search: %s", s->count, s->wanted, strerror(-err));
    punch_all(s, LOW_TTL);
    next(s, SENDING, SECOND_MS);
    tn_node_search_sent(o->t->node, s->peer, port, tund_now());
    tund_pump(o->t);
}

static void ask(struct overlay_search *s)
{
    uint8_t request[TN_STUN_V4_LEN];
    size_t len = tn_stun_request(false, s->txid, request, sizeof request);

    s->asks++;
    send_one(&s->socket[0], &s->overlay->coordinator.v4, 0, request, len);
    next(s, ASKING, ASK_MS);
}

static void on_timer(uv_timer_t *t)
{
    struct overlay_search *s = t->data;

    switch ((enum phase)s->phase) {
    case ASKING:
        if (s->asks < ASKS_MAX)
            ask(s);
        else
            end(s);
        break;
    case SENDING:
        punch_all(s, 0);
        next(s, WAITING, WAIT_MS);
        break;
    case WAITING:
        log_debug("no port was found");
        end(s);
        break;
    }
}

void overlay_search_begin(struct overlay *o, const struct tn_event *ev)
{
    bool counted = o->nat.own.ports == TN_NAT_PORTS_SEQUENTIAL;
    struct overlay_search **place = NULL, *s;

    for (size_t i = 0; i < OVERLAY_SEARCHES && !place; i++)
        place = o->search[i] ? NULL : &o->search[i];
    s = place && ev->token <= TN_SEARCH_SOCKETS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return; /* the node asks again */
    s->overlay = o;
    s->peer = ev->peer;
    s->to = ev->addr;
    s->wanted = (uint16_t)ev->token;
    if (uv_timer_init(&o->t->loop, &s->timer) != 0 || secure_random(s->txid, sizeof s->txid) != 0) {
        free(s);
        return;
    }
    s->timer.data = s;
    s->handles = 1;
    *place = s;
    if (!counted)
        begin_sending(s, 0);
    else if (open_socket(s) == 0)
        ask(s);
    else
        end(s);
}

void overlay_search_stop(struct overlay *o)
{
    for (size_t i = 0; i < OVERLAY_SEARCHES; i++) {
        if (o->search[i])
            end(o->search[i]);
    }
}
