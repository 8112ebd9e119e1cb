/* The socket commands: +USOCR +USOST +USORF +USOCL +USOER +USOCTL, and +UDNSRN. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem_inside.h"

/* A number up to `most` at *text, and what must stand behind it; -1: something else. */
static long number(const char **text, long most, const char *behind)
{
    char *end;
    long n = strtol(*text, &end, 10);

    if (end == *text || n < 0 || n > most || strncmp(end, behind, strlen(behind)) != 0)
        return -1;
    *text = end + strlen(behind);
    return n;
}

static struct modem_socket *open_socket(struct modem *m, long handle)
{
    if (handle < 0 || handle >= MODEM_SOCKETS || !m->sockets[handle].is_open) {
        m->error = EBADF;
        return NULL;
    }
    return &m->sockets[handle];
}

static void create(struct modem *m, const char *text, uint64_t now_us)
{
    long protocol, port = 0;
    const char *p = text;
    int h = 0;

    protocol = strchr(text, ',') ? number(&p, 255, ",") : number(&p, 255, "");
    if (strchr(text, ','))
        port = number(&p, 65535, "");
    if (protocol != 17 || port < 0 || *p) {
        modem_fail(m, CME_NOT_SUPPORTED); /* TCP is not needed here */
        return;
    }
    while (h < MODEM_SOCKETS && m->sockets[h].is_open)
        h++;
    m->error = h == MODEM_SOCKETS ? EMFILE : !m->activated ? ENETDOWN : m->net.open(m->net.ctx, h, (uint16_t)port);
    if (m->error) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    m->sockets[h] = (struct modem_socket){.is_open = true};
    modem_say(m, "+USOCR: %d", h);
    modem_ok(m, now_us);
}

/* h,"1.2.3.4",port,len: asks for the bytes. */
static void send_to(struct modem *m, const char *text)
{
    unsigned h, ip[4], port, len;
    int used = 0;

    if (sscanf(text, "%u,\"%u.%u.%u.%u\",%u,%u%n", &h, &ip[0], &ip[1], &ip[2], &ip[3], &port, &len, &used) != 7 ||
        text[used] || (ip[0] | ip[1] | ip[2] | ip[3]) > 255 || port > 65535 || !len || len > MODEM_DATAGRAM_MAX) {
        m->error = EINVAL;
        modem_fail(m, CME_BAD_PARAMETER);
        return;
    }
    if (!open_socket(m, h)) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    m->to_handle = (int)h;
    m->outgoing.len = 0;
    m->outgoing.port = (uint16_t)port;
    for (int i = 0; i < 4; i++)
        m->outgoing.ip[i] = (uint8_t)ip[i];
    m->wanted = len;
    modem_put(m, "\r\n@", 3);
}

void modem_socket_send(struct modem *m, uint64_t now_us)
{
    struct modem_datagram *d = &m->outgoing;
    struct modem_socket *s = open_socket(m, m->to_handle);

    if (s && m->faults.full) {
        m->faults.full--;
        m->error = EWOULDBLOCK;
    } else if (s) {
        m->error = m->net.send(m->net.ctx, m->to_handle, d->ip, d->port, d->data, d->len);
    }
    if (!s || m->error) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    m->count.udp_tx += d->len;
    m->count.datagrams_tx++;
    modem_say(m, "+USOST: %d,%u", m->to_handle, d->len);
    modem_ok(m, now_us);
}

static void read_from(struct modem *m, const char *text, uint64_t now_us)
{
    const char *p = text;
    long h = number(&p, 255, ","), most = h < 0 ? -1 : number(&p, 65535, "");
    struct modem_socket *s = open_socket(m, h);
    struct modem_datagram *d;
    unsigned bytes = 0;
    char head[64];
    int len;

    if (most < 0 || *p || !s) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    if (m->faults.garbled) {
        m->faults.garbled--;
        modem_say(m, "+USORF: %ld,\"10.0.", h);
        modem_ok(m, now_us);
        return;
    }
    for (unsigned i = 0; i < s->count; i++)
        bytes += s->queue[(s->first + i) % MODEM_QUEUE].len;
    d = &s->queue[s->first];
    if (most == 0 || !s->count) {
        modem_say(m, "+USORF: %ld,%u", h, bytes);
    } else {
        len = snprintf(head, sizeof head, "\r\n+USORF: %ld,\"%u.%u.%u.%u\",%u,%u,\"", h, d->ip[0], d->ip[1],
                       d->ip[2], d->ip[3], d->port, d->len < most ? d->len : (unsigned)most);
        modem_put(m, head, (size_t)len);
        modem_put(m, d->data, d->len < most ? d->len : (size_t)most); /* the rest is lost */
        modem_put(m, "\"\r\n\r\n", m->faults.extra_crlf ? 5 : 3);
        s->first = (s->first + 1) % MODEM_QUEUE;
        s->announce = --s->count > 0;
    }
    modem_ok(m, now_us);
}

static void close_socket(struct modem *m, const char *text, uint64_t now_us)
{
    const char *p = text;
    long h = number(&p, 255, "");

    if (*p || !open_socket(m, h)) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    m->net.close(m->net.ctx, (int)h);
    m->sockets[h].is_open = false;
    modem_ok(m, now_us);
}

static void control(struct modem *m, const char *text, uint64_t now_us)
{
    const char *p = text;
    long h = number(&p, 255, ",0");

    if (*p || !open_socket(m, h)) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    modem_say(m, "+USOCTL: %ld,0,17", h);
    modem_ok(m, now_us);
}

/* 0,"name": 0 means name to address. */
static void resolve(struct modem *m, const char *text, uint64_t now_us)
{
    char name[256];
    uint8_t ip[4];
    int used = 0;

    if (sscanf(text, "0,\"%255[^\"]\"%n", name, &used) != 1 || !used || text[used]) {
        modem_fail(m, CME_BAD_PARAMETER);
        return;
    }
    if (!m->activated || m->net.resolve(m->net.ctx, name, ip) != 0) {
        modem_fail(m, CME_NOT_ALLOWED);
        return;
    }
    modem_say(m, "+UDNSRN: \"%u.%u.%u.%u\"", ip[0], ip[1], ip[2], ip[3]);
    modem_ok(m, now_us);
}

bool modem_socket_command(struct modem *m, const char *text, uint64_t now_us)
{
    if (!strncmp(text, "+USOCR=", 7))
        create(m, text + 7, now_us);
    else if (!strncmp(text, "+USOST=", 7))
        send_to(m, text + 7);
    else if (!strncmp(text, "+USORF=", 7))
        read_from(m, text + 7, now_us);
    else if (!strncmp(text, "+USOCL=", 7))
        close_socket(m, text + 7, now_us);
    else if (!strncmp(text, "+USOCTL=", 8))
        control(m, text + 8, now_us);
    else if (!strncmp(text, "+UDNSRN=", 8))
        resolve(m, text + 8, now_us);
    else if (!strcmp(text, "+USOER")) {
        modem_say(m, "+USOER: %d", m->error);
        m->error = 0;
        modem_ok(m, now_us);
    } else
        return false;
    return true;
}

void modem_on_datagram(struct modem *m, int handle, const uint8_t ip[4], uint16_t port, const void *data,
                       size_t len, uint64_t now_us)
{
    struct modem_socket *s = &m->sockets[handle];
    struct modem_datagram *d = &s->queue[(s->first + s->count) % MODEM_QUEUE];

    if (!s->is_open || !len)
        return;
    m->count.udp_rx += len;
    m->count.datagrams_rx++;
    if (len > MODEM_DATAGRAM_MAX || s->count == MODEM_QUEUE) {
        m->count.overflows++;
        return;
    }
    memcpy(d->ip, ip, 4);
    d->port = port;
    d->len = (uint16_t)len;
    memcpy(d->data, data, len);
    s->announce = s->announce || s->count == 0;
    s->count++;
    modem_tick(m, now_us);
}

void modem_socket_close_all(struct modem *m)
{
    for (int h = 0; h < MODEM_SOCKETS; h++) {
        if (m->sockets[h].is_open)
            m->net.close(m->net.ctx, h);
        m->sockets[h] = (struct modem_socket){.is_open = false};
    }
}
