#include "simdevice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UDP_SOURCE 40000

static void check(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "device in the simulation: %s: %d\n", what, err);
        abort();
    }
}

/* ---- storage ---- */

static int read_eeprom(void *ctx, uint32_t at, void *out, size_t len)
{
    struct simdevice *d = ctx;

    if (at + len > sizeof d->eeprom)
        abort();
    memcpy(out, d->eeprom + at, len);
    return 0;
}

/* Byte by byte; where the budget ends, so does the power. */
static int write_eeprom(void *ctx, uint32_t at, const void *data, size_t len)
{
    struct simdevice *d = ctx;
    const uint8_t *from = data;

    if (at + len > sizeof d->eeprom)
        abort();
    d->write_calls++;
    for (size_t i = 0; i < len; i++) {
        if (d->write_budget == 0)
            return -1;
        if (d->write_budget > 0)
            d->write_budget--;
        d->eeprom[at + i] = from[i];
        d->writes++;
    }
    return 0;
}

/* ---- life ---- */

uint64_t simdevice_now(const struct simdevices *all, int i)
{
    return all->s->w->now.us - all->d[i].boot_us;
}

static void pump_probe(struct simdevices *all, struct simdevice *d)
{
    struct bridge_out out;
    bool is_fresh;

    while (d->has_probe && bridge_poll_probe(d->bridge, &out, &is_fresh)) {
        d->probe_port = (uint16_t)(is_fresh ? d->probe_port + 1 : d->probe_port);
        d->sent++;
        d->sent_bytes += out.len + 28;
        world_send(all->s->w, d->host, d->probe_port, &out.to, 0, out.data, out.len);
    }
}

void simdevice_pump(struct simdevices *all, int i)
{
    struct simdevice *d = &all->d[i];
    struct bridge_out out;
    int budget = 10000;

    if (d->bridge)
        pump_probe(all, d);

    while (d->bridge && bridge_poll(d->bridge, &out, simdevice_now(all, i))) {
        d->sent++;
        d->sent_bytes += out.len + 28;
        if (d->on_modem)
            d->on_modem(d->modem_ctx, true, out.data, out.len);
        world_send(all->s->w, d->host, SIMDEVICE_PORT, &out.to, 0, out.data, out.len);
        if (!--budget) {
            fprintf(stderr, "simulation: device %d never runs dry\n", i);
            abort();
        }
    }
}

static void receive(void *ctx, const struct tn_addr *src, const struct tn_addr *dst, uint8_t *data,
                    size_t len)
{
    struct simdevice *d = ctx;
    int i = (int)(d - d->all->d);

    if (!d->bridge || len > BRIDGE_DATAGRAM_MAX)
        return;
    if (d->has_probe && dst->port == d->probe_port) {
        bridge_on_probe(d->bridge, data, len, simdevice_now(d->all, i));
        simdevice_pump(d->all, i);
        return;
    }
    if (dst->port != SIMDEVICE_PORT)
        return;
    if (d->on_modem)
        d->on_modem(d->modem_ctx, false, data, len);
    memcpy(bridge_buffer(d->bridge), data, len);
    bridge_on_datagram(d->bridge, src, len, simdevice_now(d->all, i));
    simdevice_pump(d->all, i);
}

static uint64_t guest_next(void *ctx)
{
    struct simdevices *all = ctx;
    uint64_t at = TN_NEVER;

    for (int i = 0; i < all->count; i++) {
        uint64_t due = all->d[i].bridge ? bridge_next_deadline(all->d[i].bridge) : TN_NEVER;

        if (due != TN_NEVER && due + all->d[i].boot_us < at)
            at = due + all->d[i].boot_us;
    }
    return at;
}

static void guest_tick(void *ctx)
{
    struct simdevices *all = ctx;

    for (int i = 0; i < all->count; i++) {
        uint64_t now = simdevice_now(all, i);

        if (!all->d[i].bridge || bridge_next_deadline(all->d[i].bridge) > now)
            continue;
        bridge_tick(all->d[i].bridge, now);
        simdevice_pump(all, i);
    }
}

struct simdevices *simdevices_new(struct sim *s)
{
    struct simdevices *all = calloc(1, sizeof *all);

    if (!all)
        abort();
    all->s = s;
    s->guest = all;
    s->guest_next = guest_next;
    s->guest_tick = guest_tick;
    return all;
}

void simdevices_free(struct simdevices *all)
{
    for (int i = 0; i < all->count; i++)
        simdevice_cut(all, i);
    all->s->guest = NULL;
    free(all);
}

int simdevice_add(struct simdevices *all, const char *name, const char *ip, int nat, uint32_t delay_us)
{
    int i = all->count++;
    struct simdevice *d = &all->d[i];
    struct tn_addr at = all->s->w->host[all->s->coord.host].ip;
    struct tn_invite invite = {.coordinator.port = 3478};

    if (i == SIMDEVICES)
        abort();
    *d = (struct simdevice){.all = all, .used = true, .write_budget = -1, .probe_port = 50000};
    d->storage = (struct bridge_storage){.read = read_eeprom, .write = write_eeprom, .ctx = d};
    memset(d->eeprom, 0xff, sizeof d->eeprom);
    d->host = world_add_host(all->s->w, ip, nat, delay_us, receive, d);
    tn_rng_bytes(&all->s->w->rng, invite.invite_seed, 32);
    sim_make_cert(all->s, name, invite.invite_seed, &invite.cert);
    invite.cert.flags = TN_CERT_DEVICE;
    check(tn_cert_sign(&invite.cert, all->s->network_seed), "certificate");
    memcpy(invite.coordinator.public_key, all->s->coord.public_key, 32);
    snprintf(invite.coordinator.host, sizeof invite.coordinator.host, "%u.%u.%u.%u", at.ip[12],
             at.ip[13], at.ip[14], at.ip[15]);
    check(tn_invite_encode(&invite, d->invite, sizeof d->invite, NULL), "invite");
    return i;
}

static void resolve(struct simdevices *all, int i)
{
    struct tn_addr at = all->s->w->host[all->s->coord.host].ip;
    uint16_t port;

    if (!bridge_take_resolve(all->d[i].bridge) || !bridge_coordinator(all->d[i].bridge, &port))
        return;
    at.port = port;
    bridge_set_coordinator(all->d[i].bridge, &at, simdevice_now(all, i));
}

int simdevice_boot(struct simdevices *all, int i)
{
    struct simdevice *d = &all->d[i];
    struct bridge_config cfg = {.storage = &d->storage};
    int err;

    simdevice_cut(all, i);
    d->bridge = calloc(1, bridge_sizeof());
    if (!d->bridge)
        abort();
    d->boot_us = all->s->w->now.us;
    tn_rng_bytes(&all->s->w->rng, cfg.rng_seed, 32);
    err = bridge_init(d->bridge, &cfg, 0);
    if (err == TN_ENOENT)
        err = bridge_join(d->bridge, d->invite, strlen(d->invite), 0, 0);
    d->boot_status = err;
    if (err) {
        simdevice_cut(all, i);
        return err;
    }
    bridge_use_probe_socket(d->bridge, d->has_probe);
    resolve(all, i);
    simdevice_pump(all, i);
    return 0;
}

void simdevice_cut(struct simdevices *all, int i)
{
    free(all->d[i].bridge);
    all->d[i].bridge = NULL;
}

struct bridge_info simdevice_info(const struct simdevices *all, int i)
{
    struct bridge_info info = {0};

    if (all->d[i].bridge)
        bridge_info(all->d[i].bridge, &info, simdevice_now(all, i));
    return info;
}

/* ---- packets of a member ---- */

static uint16_t sum(uint32_t s, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static size_t put_header(const struct simdevices *all, int from, int i, int family, size_t len,
                         uint8_t protocol, uint8_t *out)
{
    struct bridge_info info = simdevice_info(all, i);
    const struct tn_card *card = &all->s->node[from].card;

    memset(out, 0, 40);
    if (family == 4) {
        out[0] = 0x45;
        tn_put_be16(out + 2, (uint16_t)len);
        out[8] = 64;
        out[9] = protocol;
        memcpy(out + 12, card->cert.ipv4, 4);
        memcpy(out + 16, info.ipv4.ip + 12, 4);
        tn_put_be16(out + 10, sum(0, out, 20));
        return 20;
    }
    out[0] = 0x60;
    tn_put_be16(out + 4, (uint16_t)(len - 40));
    out[6] = protocol;
    out[7] = 64;
    memcpy(out + 8, card->cert.ipv6, 16);
    memcpy(out + 24, info.ipv6.ip, 16);
    return 40;
}

/* The pseudo header's part of a sum. */
static uint32_t pseudo(const uint8_t *ip, int family, size_t body, uint8_t protocol)
{
    const uint8_t *at = family == 4 ? ip + 12 : ip + 8;
    uint32_t s = (uint32_t)body + protocol;

    for (size_t k = 0; k < (family == 4 ? 8u : 32u); k += 2)
        s += tn_get_be16(at + k);
    return s;
}

void simdevice_ping(struct simdevices *all, int from, int i, int family, size_t size, uint16_t seq)
{
    uint8_t packet[SIM_PACKET_LEN];
    uint8_t protocol = family == 4 ? 1 : 58;
    size_t head = put_header(all, from, i, family, size, protocol, packet);
    uint8_t *icmp = packet + head;

    memset(icmp, 0x5a, size - head);
    icmp[0] = family == 4 ? 8 : 128;
    icmp[1] = 0;
    tn_put_be16(icmp + 2, 0);
    tn_put_be16(icmp + 4, 77);
    tn_put_be16(icmp + 6, seq);
    tn_put_be16(icmp + 2, sum(family == 4 ? 0 : pseudo(packet, 6, size - head, 58), icmp, size - head));
    sim_send_packet(all->s, from, packet, size);
}

bool simdevice_ponged(const struct simdevices *all, int from, int family, size_t size, uint16_t seq)
{
    const struct simnode *n = &all->s->node[from];
    size_t head = family == 4 ? 20 : 40;
    const uint8_t *icmp = n->last + head;

    if (n->last_len != size || n->last[0] >> 4 != family ||
        icmp[0] != (family == 4 ? 0 : 129) || tn_get_be16(icmp + 6) != seq)
        return false;
    for (size_t k = head + 8; k < size; k++) {
        if (n->last[k] != 0x5a)
            return false;
    }
    return (family == 6 || sum(0, n->last, 20) == 0) &&
           sum(family == 4 ? 0 : pseudo(n->last, 6, size - head, 58), icmp, size - head) == 0;
}

void simdevice_udp(struct simdevices *all, int from, int i, uint16_t port, const void *data, size_t len)
{
    uint8_t packet[SIM_PACKET_LEN];
    size_t head = put_header(all, from, i, 4, 28 + len, 17, packet);
    uint8_t *udp = packet + head;

    tn_put_be16(udp, UDP_SOURCE);
    tn_put_be16(udp + 2, port);
    tn_put_be16(udp + 4, (uint16_t)(8 + len));
    tn_put_be16(udp + 6, 0);
    memcpy(udp + 8, data, len);
    tn_put_be16(udp + 6, sum(pseudo(packet, 4, 8 + len, 17), udp, 8 + len));
    sim_send_packet(all->s, from, packet, head + 8 + len);
}
