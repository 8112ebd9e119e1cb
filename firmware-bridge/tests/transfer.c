/* The protocol: `number[2] data` to the receiver, `next[2]` back: all below `next` have come. The sender has at
 * most 32 unacknowledged; the receiver takes them in order, and says where it is after each 16, after
 * the last, and once when it sees a gap. A sender that hears nothing for 3 s goes back to the first
 * unacknowledged one.
 *
 * Time: a datagram of n bytes keeps the UART for n + 96 bytes, in either direction one behind another (the
 * AT dialogue takes turns). */
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ip.h"

#define WINDOW 32
#define ACK_EACH 16
#define TIMEOUT_US TN_S(3)
#define HEADER_LEN 2
#define IP_UDP_LEN 28
#define HOUR_US TN_S(3600)

struct end {
    uint32_t next;     /* receiver: the number that it waits for */
    uint32_t said;     /* the last that it has acknowledged */
    bool gap;          /* it has complained already */
    bool owes;         /* an ACK is to be sent */
};

struct transfer_net {
    struct sim *s;
    struct simdevices *all;
    int laptop, device;
    bool from_device;
    size_t len, piece;
    uint32_t count, sent, acked, highest;
    uint64_t progress_us, uart_free_us, begun_us;
    struct end receiver;
    struct transfer_count c;
    bool damaged;
    uint64_t control_us; /* the last control datagram */
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static void uart(struct transfer_net *t, size_t len)
{
    uint64_t now = t->s->w->now.us, from = t->uart_free_us > now ? t->uart_free_us : now;

    t->uart_free_us = from + (len + TRANSFER_AT_BYTES) * 1000000u / TRANSFER_UART_BYTES_PER_S;
}

/* ---- what goes over the modem ---- */

static void on_modem(void *ctx, bool out, const uint8_t *data, size_t len)
{
    struct transfer_net *t = ctx;

    if (data[0] == TN_CTL_DATA)
        t->control_us = t->s->w->now.us;
    if (out) {
        t->c.out++;
        t->c.out_bytes += len;
        uart(t, len);
    } else {
        t->c.in++;
        t->c.in_bytes += len;
        if (t->from_device) /* else the sender keeps to the UART's pace, see send_piece */
            uart(t, len);
    }
}

/* ---- the two ends' sockets ---- */

static void device_send(struct transfer_net *t, const uint8_t *data, size_t len)
{
    struct tn_addr to = sim_inner_address(t->s, t->laptop);

    to.port = TRANSFER_MEMBER_PORT;
    if (bridge_udp_send(t->all->d[t->device].bridge, TRANSFER_DEVICE_PORT, &to, data, len,
                        simdevice_now(t->all, t->device)))
        return; /* it is lost, as on a full link */
    t->c.sealed += len + IP_UDP_LEN + 16;
    simdevice_pump(t->all, t->device);
}

static void member_send(struct transfer_net *t, const uint8_t *data, size_t len)
{
    struct bridge_info info = simdevice_info(t->all, t->device);
    struct tn_addr from = sim_inner_address(t->s, t->laptop);
    uint8_t ip[SIM_PACKET_LEN] = {0x45};
    size_t total = IP_UDP_LEN + len;
    uint16_t sum;

    tn_put_be16(ip + 2, (uint16_t)total);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, from.ip + 12, 4);
    memcpy(ip + 16, info.ipv4.ip + 12, 4);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    tn_put_be16(ip + 20, TRANSFER_MEMBER_PORT);
    tn_put_be16(ip + 22, TRANSFER_DEVICE_PORT);
    tn_put_be16(ip + 24, (uint16_t)(8 + len));
    memcpy(ip + IP_UDP_LEN, data, len);
    sum = tn_ip_checksum(tn_ip_sum(tn_ip_sum(17 + 8 + (uint32_t)len, ip + 12, 8), ip + 20, 8 + len));
    tn_put_be16(ip + 26, sum ? sum : 0xffff);
    sim_send_packet(t->s, t->laptop, ip, total);
}

static void say(struct transfer_net *t, bool from_device, const uint8_t *data, size_t len)
{
    if (from_device)
        device_send(t, data, len);
    else
        member_send(t, data, len);
}

/* ---- the protocol ---- */

static size_t piece_len(const struct transfer_net *t, uint32_t number)
{
    size_t at = number * t->piece;

    return t->len - at < t->piece ? t->len - at : t->piece;
}

static void send_piece(struct transfer_net *t, uint32_t number)
{
    uint8_t datagram[SIM_PACKET_LEN];
    size_t len = piece_len(t, number);

    tn_put_be16(datagram, (uint16_t)number);
    for (size_t i = 0; i < len; i++)
        datagram[HEADER_LEN + i] = byte_at(number * t->piece + i);
    t->c.repeats += number < t->highest;
    if (number >= t->highest)
        t->highest = number + 1;
    say(t, t->from_device, datagram, HEADER_LEN + len);
    if (!t->from_device)
        uart(t, len);
}

static void on_piece(struct transfer_net *t, const uint8_t *data, size_t len)
{
    struct end *r = &t->receiver;
    uint32_t number = tn_get_be16(data);

    if (number != (uint16_t)r->next) {
        r->owes = r->owes || (uint16_t)(number + 1) == (uint16_t)r->next; /* the ACK for it was lost */
        r->owes = r->owes || !r->gap; /* once for each gap; what comes twice shows that an ACK was lost */
        r->gap = true;
        return;
    }
    if (r->next >= t->count || len != HEADER_LEN + piece_len(t, r->next)) {
        t->damaged = true;
        return;
    }
    for (size_t i = 0; i < len - HEADER_LEN; i++)
        t->damaged = t->damaged || data[HEADER_LEN + i] != byte_at(r->next * t->piece + i);
    r->gap = false;
    r->next++;
    r->owes = r->owes || r->next - r->said >= ACK_EACH || r->next == t->count;
}

static void on_ack(struct transfer_net *t, const uint8_t *data)
{
    uint16_t ahead = (uint16_t)(tn_get_be16(data) - (uint16_t)t->acked);

    if (ahead > WINDOW)
        return;
    if (!ahead && t->sent > t->acked && tn_get_be16(data) != (uint16_t)t->sent)
        t->sent = t->acked; /* a gap */
    if (ahead) {
        t->acked += ahead;
        t->progress_us = t->s->w->now.us;
        if (t->sent < t->acked)
            t->sent = t->acked;
    }
}

static void on_member_packet(void *ctx, const uint8_t *ip, size_t len)
{
    struct transfer_net *t = ctx;

    if (len < IP_UDP_LEN + HEADER_LEN || ip[9] != 17 || tn_get_be16(ip + 22) != TRANSFER_MEMBER_PORT)
        return;
    if (t->from_device)
        on_piece(t, ip + IP_UDP_LEN, len - IP_UDP_LEN);
    else
        on_ack(t, ip + IP_UDP_LEN);
}

static size_t on_device_datagram(void *ctx, struct bridge_datagram *d)
{
    struct transfer_net *t = ctx;

    t->c.opened += d->len + IP_UDP_LEN + 16;
    if (d->len < HEADER_LEN)
        return 0;
    if (t->from_device)
        on_ack(t, d->data);
    else
        on_piece(t, d->data, d->len);
    return 0;
}

static bool step(void *ctx)
{
    struct transfer_net *t = ctx;
    struct end *r = &t->receiver;
    uint64_t now = t->s->w->now.us;
    uint8_t ack[HEADER_LEN];

    if (r->owes) {
        r->owes = false;
        r->said = r->next;
        tn_put_be16(ack, (uint16_t)r->next);
        say(t, !t->from_device, ack, sizeof ack);
    }
    if (t->acked == t->count)
        return true;
    if (now - t->progress_us > TIMEOUT_US) {
        t->sent = t->acked;
        t->progress_us = now;
    }
    if (t->sent < t->count && t->sent - t->acked < WINDOW && now >= t->uart_free_us)
        send_piece(t, t->sent++);
    return false;
}

/* The world sleeps until something happens; the transfer wants to be asked when the UART is free. */
static bool run(struct transfer_net *t, uint64_t max_us)
{
    uint64_t end = t->s->w->now.us + max_us;

    while (t->s->w->now.us < end) {
        if (sim_run_until(t->s, step, t, TN_MS(1)))
            return true;
    }
    return false;
}

bool transfer_run(struct transfer_net *t, bool from_device, size_t len, struct transfer_count *out)
{
    struct tn_addr to = sim_inner_address(t->s, t->laptop);
    bool done;

    t->from_device = from_device;
    t->len = len;
    t->piece = (from_device ? bridge_udp_max(&to) : TN_DEVICE_MTU - IP_UDP_LEN) - HEADER_LEN;
    t->count = (uint32_t)((len + t->piece - 1) / t->piece);
    t->sent = t->acked = t->highest = 0;
    t->receiver = (struct end){0};
    t->c = (struct transfer_count){0};
    t->damaged = false;
    t->begun_us = t->progress_us = t->uart_free_us = t->s->w->now.us;
    done = run(t, HOUR_US);
    t->c.us = t->s->w->now.us - t->begun_us;
    *out = t->c;
    return done && !t->damaged && t->receiver.next == t->count;
}

static bool is_settled(void *ctx)
{
    struct transfer_net *t = ctx;

    return t->control_us > t->begun_us && t->s->w->now.us - t->control_us >= TN_S(1);
}

void transfer_settle(struct transfer_net *t)
{
    t->begun_us = t->s->w->now.us;
    for (int i = 0; i < 160 && !is_settled(t); i++)
        sim_run(t->s, TN_MS(100));
}

/* ---- the world ---- */

static bool is_online(void *ctx)
{
    struct transfer_net *t = ctx;

    return simdevice_info(t->all, t->device).state == BRIDGE_ONLINE;
}

static bool is_known(void *ctx)
{
    struct transfer_net *t = ctx;

    return tn_node_member(t->s->node[t->laptop].node, 1) != NULL;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "transfer: %s\n", what);
    abort();
}

struct transfer_net *transfer_new(uint64_t seed)
{
    struct transfer_net *t = calloc(1, sizeof *t);
    struct transfer_count warm;
    int nat;

    must(t != NULL, "no memory");
    t->s = sim_new(seed);
    sim_add_coordinator(t->s, "55.1.0.10", 10000);
    t->all = simdevices_new(t->s);
    nat = world_add_nat(t->s->w, "55.9.0.1", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    t->laptop = sim_add_member(t->s, "laptop", "55.2.1.10", -1, 10000);
    t->device = simdevice_add(t->all, "electron-1", "10.41.0.2", nat, 60000);
    sim_run(t->s, TN_S(5));
    must(!simdevice_boot(t->all, t->device), "the device does not start");
    must(sim_run_until(t->s, is_online, t, TN_S(10)), "the device does not come online");
    must(sim_run_until(t->s, is_known, t, TN_S(60)), "the laptop does not learn of the device");
    t->s->node[t->laptop].on_packet = on_member_packet;
    t->s->node[t->laptop].packet_ctx = t;
    must(!bridge_udp_bind(t->all->d[t->device].bridge, TRANSFER_DEVICE_PORT, on_device_datagram, t),
         "the device's port cannot be bound");
    t->all->d[t->device].on_modem = on_modem;
    t->all->d[t->device].modem_ctx = t;
    must(transfer_run(t, true, 5000, &warm) && transfer_run(t, false, 5000, &warm),
         "the session does not become warm");
    sim_run(t->s, TN_S(15)); /* WireGuard's keepalive after the last data, too */
    return t;
}

void transfer_free(struct transfer_net *t)
{
    simdevices_free(t->all);
    sim_free(t->s);
    free(t);
}

void transfer_set_loss(struct transfer_net *t, uint32_t loss_ppm)
{
    t->s->w->host[t->all->d[t->device].host].loss_ppm = loss_ppm;
}
