/* How it works: push, pull until dry, sleep. The TUN and each UDP socket push a bounded
 * batch per wake, so none starves the others. A data packet is pushed and gone; what
 * the node wants to send besides (handshakes, keepalives, answers) is pulled
 * after the batch, or at once when a datagram was meant for the node itself, so that the
 * answer can leave from the address that was asked.
 *
 * Packets without a session are staged, and pushed once more when the session is there.
 *
 * The timer is a timerfd on CLOCK_BOOTTIME, which goes on while the machine sleeps: a deadline
 * that passed meanwhile fires on waking. That boottime has run ahead of monotonic
 * time is how the machine's sleep is noticed, and a deadline that passed long ago how our own is (SIGSTOP, a
 * frozen virtual machine), before the first packet that waited is touched: it would leave by a way that was good
 * when we fell asleep. */
#include "daemon_pump.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define PACKET_MEM_LEN (TN_BUF_HEADROOM + TUN_PACKET_MAX + TN_BUF_TAILROOM)
#define SLEEP_MIN_US TN_S(1)

/* ---- time ---- */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct tn_now tund_now(void)
{
    return (struct tn_now){.us = clock_ns(CLOCK_BOOTTIME) / 1000,
                           .unix_ns = clock_ns(CLOCK_REALTIME)};
}

static uint64_t slept_us(void)
{
    return (clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC)) / 1000;
}

/* The clock is read once for packets that came at once: twice a packet is a tenth of a packet's time. */
static struct tn_now batch_now(struct tund *t)
{
    if (!t->has_batch_now)
        t->batch_now = tund_now();
    t->has_batch_now = true;
    return t->batch_now;
}

/* A deadline that moved away is not told to the kernel, since almost every packet moves one: the timer
 * then fires too early, once, and is set to the next. */
static void arm_timer(struct tund *t)
{
    const char *name = NULL;
    uint64_t due = tn_next_deadline(t->node, &name);
    struct itimerspec its = {0};

    if (due >= t->timer_us)
        return;
    its.it_value.tv_sec = (time_t)(due / 1000000);
    its.it_value.tv_nsec = due ? (long)(due % 1000000) * 1000 : 1; /* all zero would disarm it */
    if (timerfd_settime(t->timer_fd, TFD_TIMER_ABSTIME, &its, NULL)) {
        log_error("the timer cannot be set: %s", strerror(errno));
        return;
    }
    t->timer_us = due;
    log_trace("next: %s", name ? name : "nothing");
}

/* ---- out ---- */

/* The source address was right when we learned it and is not now. */
static bool is_source_trouble(int err)
{
    return err == -EINVAL || err == -EADDRNOTAVAIL || err == -ENETUNREACH || err == -EHOSTUNREACH;
}

void tund_pump_send_now(void *ctx, const uint8_t *data, size_t len, const struct tn_addr *to,
                        uint8_t ttl, const struct tn_addr *local)
{
    struct tund *t = ctx;
    char text[ADDR_TEXT_LEN];
    int err = udp_send(&t->udp, data, len, to, ttl, local);

    if (local && is_source_trouble(err)) {
        sources_forget(&t->sources, to);
        err = udp_send(&t->udp, data, len, to, ttl, NULL);
    }
    if (!err || err == -EAGAIN || err == -ENOBUFS)
        return; /* a full buffer loses a datagram, as a full link would; udp counts it */
    log_trace("to %s: %s", addr_text(to, text), strerror(-err));
    tn_on_send_error(t->node, to, tund_now());
}

static void send_datagram(struct tund *t, const struct tn_buf *b, const struct tn_route *route,
                          struct tn_job *job)
{
    const struct tn_addr *local;

    if (tn_addr_is_stream(&route->to)) {
        if (job)
            tn_job_run(job);
        t->hooks.send_stream(t->hooks.ctx, &route->to, tn_buf_data(b), b->len);
        return;
    }
    if (tn_addr_is_lan(&route->to)) {
        t->hooks.send_lan(t->hooks.ctx, tn_buf_data(b), b->len);
        return;
    }
    if (!sources_find(&t->sources, &route->to, &local) && t->answering &&
        tn_addr_equal(&t->answering->remote, &route->to))
        local = &t->answering->local;
    io_send(t->io, b, &route->to, route->ttl, local, job);
}

static bool drain_out(struct tund *t, struct tn_now now)
{
    struct tn_buf b = {.mem = t->out_mem, .cap = PACKET_MEM_LEN};
    struct tn_route route;
    bool any = false;

    while (tn_poll_out(t->node, &b, now, &route)) {
        send_datagram(t, &b, &route, NULL);
        any = true;
    }
    return any;
}

/* To the TUN. `lent`: the memory is needed again before the next flush. */
static void deliver(struct tund *t, const struct tn_buf *b, bool lent)
{
    int err = io_write(t->io, b);

    /* EIO: the interface is down. The packet is lost, as it would be on a link that is down. */
    if (err)
        log_trace("to %s: %s", t->ifname, strerror(-err));
    if (lent)
        io_flush(t->io);
}

/* An inner packet on its way, in one datagram or two, or the answer that it is too big. False: it
 * was staged. */
static bool push_packet(struct tund *t, struct tn_buf *b, struct tn_now now)
{
    struct tn_route route;
    struct tn_job job;
    uint32_t peer;

    switch (tn_plan_tun(t->node, b, now, &route, &peer, &job)) {
    case TN_SEND:
        send_datagram(t, b, &route, &job);
        if (tn_has_rest(t->node))
            drain_out(t, now);
        return true;
    case TN_DELIVER:
        deliver(t, b, true);
        return true;
    case TN_STAGE:
        stage_push(&t->stage, peer, tn_buf_data(b), b->len);
        return false;
    default:
        return true;
    }
}

static void flush_staged(struct tund *t, uint32_t peer, struct tn_now now)
{
    /* A packet that is staged again goes to the end: no more than were there at first. */
    for (uint32_t left = stage_count(&t->stage, peer); left; left--) {
        struct tn_buf b = {.mem = t->tun_mem, .cap = PACKET_MEM_LEN, .off = TN_BUF_HEADROOM};

        b.len = stage_pop(&t->stage, peer, tn_buf_data(&b), TUN_PACKET_MAX);
        if (!b.len || !push_packet(t, &b, now))
            return;
    }
}

/* ---- events ---- */

static void on_event(struct tund *t, const struct tn_event *ev, struct tn_now now)
{
    if (ev->kind == TN_EV_SESSION)
        flush_staged(t, ev->peer, now);
    else if (ev->kind == TN_EV_GAVE_UP)
        stage_drop(&t->stage, ev->peer);
    if (t->hooks.on_event)
        t->hooks.on_event(t->hooks.ctx, ev);
}

static bool drain_events(struct tund *t, struct tn_now now)
{
    struct tn_event ev;
    bool any = false;

    while (tn_poll_event(t->node, &ev)) {
        on_event(t, &ev, now);
        any = true;
    }
    return any;
}

/* Datagrams and events until there are none. Somebody who is told of an event may push, and pump. */
static void pull(struct tund *t, struct tn_now now)
{
    bool any;

    t->pumping = true;
    do {
        t->pump_again = false;
        any = drain_events(t, now);
        any = drain_out(t, now) || any;
    } while (any || t->pump_again);
    t->pumping = false;
}

static bool has_just_woken(const struct tund *t, uint64_t now_us)
{
    return now_us - t->woke_us <= SLEEP_MIN_US;
}

/* The deadline is met when the timer's turn comes, which may be after the packets'. */
static bool has_overslept(const struct tund *t, uint64_t now_us)
{
    return t->timer_us != TN_NEVER && now_us > t->timer_us && now_us - t->timer_us > SLEEP_MIN_US &&
           !has_just_woken(t, now_us);
}

/* Whatever happens first after a sleep shows it: a packet, news of a link, a deadline that has passed. */
static void notice_sleep(struct tund *t)
{
    uint64_t slept = slept_us(), now_us = tund_now().us;
    bool has_slept = slept > t->slept_us + SLEEP_MIN_US || has_overslept(t, now_us);

    t->slept_us = slept;
    if (!has_slept)
        return;
    t->woke_us = now_us;
    tund_pump_network_changed(t);
}

void tund_pump_continued(struct tund *t)
{
    if (!has_just_woken(t, tund_now().us))
        tund_pump_network_changed(t);
}

void tund_pump(struct tund *t)
{
    if (t->pumping) {
        t->pump_again = true;
        return;
    }
    notice_sleep(t);
    io_flush(t->io);
    pull(t, tund_now());
    t->has_batch_now = false;
    arm_timer(t);
}

/* ---- in: UDP ---- */

static bool must_be_named(void *ctx, const struct udp_source *from)
{
    struct tund *t = ctx;
    uint32_t mark = t->udp.config.fwmark, ifindex;
    struct tn_addr chosen;

    if (!nl_route_get(&t->nl, &from->remote, NULL, mark, &ifindex, &chosen) &&
        tn_addr_same_ip(&chosen, &from->local))
        return false;
    return !nl_route_get(&t->nl, &from->remote, &from->local, mark, &ifindex, &chosen) &&
           ifindex == from->ifindex;
}

static void finish_datagram(struct tund *t, enum tn_verdict verdict, const struct tn_buf *b,
                            bool lent, uint32_t peer, const struct udp_source *from)
{
    /* A peer is named only when the datagram proved to be his. */
    if (peer != TN_NO_PEER && verdict != TN_DROP && !tn_addr_is_stream(&from->remote))
        sources_learn(&t->sources, from, batch_now(t).us, must_be_named, t);
    if (verdict == TN_DELIVER)
        deliver(t, b, lent);
    else if (verdict == TN_FORWARD)
        send_datagram(t, b, &(struct tn_route){.to = tn_forward_to(t->node)}, NULL);
    else if (verdict == TN_CONSUMED)
        pull(t, batch_now(t));
}

/* Opens what was gathered, in any order, and goes on with it in the order in which it came. */
static void finish_gathered(struct tund *t)
{
    uint32_t count = t->gathered_count;

    io_run(t->io, t->gathered_job, count);
    t->gathered_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct tund_gathered *g = &t->gathered[i];
        const uint8_t *mem = g->b.mem;
        uint32_t peer = TN_NO_PEER;
        enum tn_verdict verdict;

        t->answering = g->from;
        verdict = tn_commit_net(t->node, &g->b, &g->from->remote, batch_now(t), &peer,
                                &t->gathered_job[i]);
        finish_datagram(t, verdict, &g->b, g->b.mem != mem, peer, g->from);
    }
    t->answering = NULL;
}

/* Opened later, with others. False: it had to be dealt with at once, and was. */
static bool gather(struct tund *t, struct tn_buf *b, const struct udp_source *from)
{
    struct tn_job *job = &t->gathered_job[t->gathered_count];
    enum tn_verdict verdict;

    t->answering = from;
    verdict = tn_plan_net(t->node, b, &from->remote, batch_now(t), job);
    if (verdict != TN_WORK) {
        finish_datagram(t, verdict, b, false, TN_NO_PEER, from);
        return false;
    }
    t->gathered[t->gathered_count++] = (struct tund_gathered){.b = *b, .from = from};
    return true;
}

static uint32_t take_at_once(struct tund *t, struct tn_buf *b, const struct udp_source *from)
{
    uint32_t peer = TN_NO_PEER;
    const uint8_t *mem = b->mem;
    enum tn_verdict verdict;

    finish_gathered(t);
    t->answering = from;
    verdict = tn_from_net(t->node, b, &from->remote, batch_now(t), &peer);
    finish_datagram(t, verdict, b, b->mem != mem, peer, from);
    t->answering = NULL;
    return verdict == TN_DROP ? TN_NO_PEER : peer;
}

static void on_datagram(void *ctx, struct udp *u, struct tn_buf *b, const struct udp_source *from)
{
    struct tund *t = ctx;

    if (tn_addr_is_stream(&from->remote))
        return; /* no host has such an address: it is forged */
    if (!t->has_batch_now)
        notice_sleep(t);
    if (!io_gathers(t->io) || !tn_may_plan_net(b))
        (void)take_at_once(t, b, from);
    else if (gather(t, b, from) && t->gathered_count == TUND_GATHERED_MAX)
        finish_gathered(t);
}

uint32_t tund_push_datagram(struct tund *t, uint8_t *data, size_t len, const struct tn_addr *from)
{
    struct tn_buf b = {.mem = data, .cap = len, .len = len};
    const struct udp_source source = {.remote = *from};

    return take_at_once(t, &b, &source);
}

static void on_batch_end(void *ctx, struct udp *u)
{
    finish_gathered(ctx);
    tund_pump(ctx);
}

void tund_pump_udp_handler(struct tund *t, struct udp_handler *out)
{
    const struct udp_handler inner = {
        .ctx = t, .on_datagram = on_datagram, .on_batch_end = on_batch_end};

    io_udp_handler(t->io, &inner, out);
}

/* ---- in: TUN ---- */

/* False: there is nothing more to read for now. */
static bool read_packet(struct tund *t)
{
    struct tn_buf b;
    int len;

    if (!io_has_more(t->io))
        t->has_batch_now = false;
    len = io_read(t->io, &b);
    if (len > 0)
        push_packet(t, &b, batch_now(t));
    if (len != -EBADFD)
        return len > 0;
    log_info("interface %s was deleted: stopping", t->ifname);
    tund_stop(t, TUND_EXIT_OK);
    return false;
}

static void on_tun(uv_poll_t *poll, int status, int events)
{
    struct tund *t = poll->data;

    notice_sleep(t);
    for (int i = 0; (i < TUN_BATCH || io_has_more(t->io)) && read_packet(t); i++)
        ;
    if (t->stopping)
        return;
    /* libuv stops a handle on POLLERR; if the interface is there after all, go on. */
    if (status < 0)
        uv_poll_start(poll, UV_READABLE, on_tun);
    tund_pump(t);
}

/* ---- in: time and place ---- */

void tund_pump_network_changed(void *ctx)
{
    struct tund *t = ctx;

    if (t->stopping)
        return;
    log_debug("the host's addresses or routes changed, or it slept");
    sources_clear(&t->sources);
    io_on_network_change(t->io);
    tn_on_network_change(t->node, tund_now());
    if (t->hooks.on_network_change)
        t->hooks.on_network_change(t->hooks.ctx);
    tund_pump(t);
}

static void on_timer(uv_poll_t *poll, int status, int events)
{
    struct tund *t = poll->data;
    uint64_t fired;

    if (read(t->timer_fd, &fired, sizeof fired) < 0 && errno != EAGAIN)
        log_error("the timer cannot be read: %s", strerror(errno));
    notice_sleep(t);
    t->timer_us = TN_NEVER; /* it fires once */
    tn_tick(t->node, tund_now());
    tund_pump(t);
}

int tund_pump_start(struct tund *t)
{
    int err;

    t->slept_us = slept_us();
    t->timer_poll.data = t->tun_poll.data = t;
    err = uv_poll_start(&t->timer_poll, UV_READABLE, on_timer);
    return err ? err : uv_poll_start(&t->tun_poll, UV_READABLE, on_tun);
}
