/* The command line, the commands that are not about sockets, and what may go wrong.
 *
 * Bytes gather to a line until CR, and the line is a command; between '@' and the last byte of a
 * datagram they are that datagram's. A result that is late holds back everything behind it: the
 * bytes that come meanwhile wait, as they do in a real modem. */
#include "modem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem_inside.h"

/* ---- answers ---- */

void modem_put(struct modem *m, const void *data, size_t len)
{
    if (m->faults.is_mute || len > sizeof m->out - m->out_len)
        return;
    memcpy(m->out + m->out_len, data, len);
    m->out_len += len;
}

void modem_say(struct modem *m, const char *format, ...)
{
    char text[256];
    const char *ends = m->faults.double_crlf ? "\r\r\n\r\r\n" : "\r\n";
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    modem_put(m, ends, strlen(ends));
    modem_put(m, text, strlen(text));
    modem_put(m, ends, strlen(ends));
}

void modem_ok(struct modem *m, uint64_t now_us)
{
    if (!m->faults.late) {
        modem_say(m, "OK");
        return;
    }
    m->faults.late--;
    snprintf(m->late_result, sizeof m->late_result, "OK");
    m->busy_until_us = now_us + (uint64_t)m->faults.late_ms * 1000;
}

void modem_fail(struct modem *m, enum modem_cme error)
{
    m->count.errors++;
    if (m->cmee == 0)
        modem_say(m, "ERROR");
    else if (m->cmee == 1)
        modem_say(m, "+CME ERROR: %d", (int)error);
    else
        modem_say(m, "+CME ERROR: %s", error == CME_NOT_ALLOWED     ? "operation not allowed"
                                       : error == CME_NOT_SUPPORTED ? "operation not supported"
                                       : error == CME_NO_NETWORK    ? "no network service"
                                                                    : "Incorrect parameters");
}

void modem_announce(struct modem *m)
{
    bool in_data = m->wanted > 0;

    if (m->busy_until_us || (in_data && !m->faults.loses_urc))
        return; /* after the command */
    for (int h = 0; h < MODEM_SOCKETS; h++) {
        struct modem_socket *s = &m->sockets[h];
        unsigned bytes = 0;

        if (!s->announce)
            continue;
        s->announce = false;
        for (unsigned i = 0; i < s->count; i++)
            bytes += s->queue[(s->first + i) % MODEM_QUEUE].len;
        if (in_data)
            m->count.lost_urcs++;
        else if (bytes)
            modem_say(m, "+UUSORF: %d,%u", h, bytes);
    }
    if (m->lost_context && !in_data) {
        m->lost_context = false;
        modem_say(m, "+UUPSDD: 0");
    }
}

/* ---- commands ---- */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void query(struct modem *m, const char *text, uint64_t now_us)
{
    int registered = m->faults.no_network ? 2 : 1;

    if (!strcmp(text, "+CMEE?"))
        modem_say(m, "+CMEE: %d", m->cmee);
    else if (!strcmp(text, "+CPIN?"))
        modem_say(m, "+CPIN: READY");
    else if (!strcmp(text, "+CREG?"))
        modem_say(m, "+CREG: 0,%d", registered);
    else if (!strcmp(text, "+CGREG?"))
        modem_say(m, "+CGREG: 0,%d", registered);
    else if (!strcmp(text, "+CGATT?"))
        modem_say(m, "+CGATT: %d", !m->faults.no_network);
    else if (!strcmp(text, "+COPS?"))
        modem_say(m, "+COPS: 0,2,\"21407\",2");
    else if (!strcmp(text, "+IPR?"))
        modem_say(m, "+IPR: 115200");
    else {
        modem_fail(m, CME_NOT_SUPPORTED);
        return;
    }
    modem_ok(m, now_us);
}

/* +UPSD, +UPSDA, +UPSND: packet data contexts. */
static void context_command(struct modem *m, const char *text, uint64_t now_us)
{
    int profile = 0, what = 0;

    if (sscanf(text, "+UPSDA=%d,%d", &profile, &what) == 2) {
        if (what == 3 && m->faults.no_network) {
            modem_fail(m, CME_NO_NETWORK);
            return;
        }
        if (what == 4)
            modem_socket_close_all(m);
        m->activated = what == 3;
    } else if (sscanf(text, "+UPSND=%d,%d", &profile, &what) == 2) {
        if (what == 8)
            modem_say(m, "+UPSND: %d,8,%d", profile, m->activated);
        else
            modem_say(m, "+UPSND: %d,%d,\"%s\"", profile, what, m->activated ? "10.41.110.59" : "");
    } else if (!starts(text, "+UPSD=")) {
        modem_fail(m, CME_BAD_PARAMETER);
        return;
    }
    modem_ok(m, now_us);
}

static void usage(struct modem *m)
{
    const struct modem_counters *c = &m->count;
    unsigned long long tx = c->udp_tx + 28ull * c->datagrams_tx; /* with IP and UDP */
    unsigned long long rx = c->udp_rx + 28ull * c->datagrams_rx;

    modem_say(m, "+UGCNTRD: 1,%llu,%llu,%llu,%llu", tx, rx, tx, rx);
}

/* Settings without which all goes on the same. */
static bool is_setting(const char *text)
{
    static const char *const known[] = {"+CMER=", "+IPR=", "+COPS=", "+UPSV=", "+CREG=", "+CGREG=",
                                        "+CGDCONT=", "+CGATT=", "+CMGF=", "+CNMI="};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (starts(text, known[i]))
            return true;
    return false;
}

static void command(struct modem *m, const char *line, uint64_t now_us)
{
    const char *text = line + 2;

    m->count.commands++;
    if (!starts(line, "AT")) {
        modem_fail(m, CME_NOT_SUPPORTED);
        return;
    }
    if (modem_socket_command(m, text, now_us))
        return;
    if (!strcmp(text, "E0") || !strcmp(text, "E1"))
        m->echo = text[1] == '1';
    else if (starts(text, "+CMEE=") && text[6] >= '0' && text[6] <= '2' && !text[7])
        m->cmee = (uint8_t)(text[6] - '0');
    else if (!strcmp(text, "+CIMI"))
        modem_say(m, "214070123456789");
    else if (!strcmp(text, "+CGSN"))
        modem_say(m, "356823035123456");
    else if (!strcmp(text, "+CCID"))
        modem_say(m, "+CCID: 8934071100123456789");
    else if (!strcmp(text, "+CSQ"))
        modem_say(m, "+CSQ: %d,0", m->faults.no_network ? 99 : 17);
    else if (!strcmp(text, "+UGCNTRD"))
        usage(m);
    else if (!strcmp(text, "+CFUN=16"))
        modem_reboot(m);
    else if (starts(text, "+UPS") && !starts(text, "+UPSV")) {
        context_command(m, text, now_us);
        return;
    } else if (strlen(text) > 1 && text[strlen(text) - 1] == '?') {
        query(m, text, now_us);
        return;
    } else if (*text && !is_setting(text)) {
        modem_fail(m, CME_NOT_SUPPORTED);
        return;
    }
    modem_ok(m, now_us);
}

/* ---- bytes ---- */

static void on_byte(struct modem *m, uint8_t byte, uint64_t now_us)
{
    if (m->wanted) {
        m->outgoing.data[m->outgoing.len++] = byte;
        if (--m->wanted == 0)
            modem_socket_send(m, now_us);
        return;
    }
    if (m->echo)
        modem_put(m, &byte, 1);
    if (byte == '\r') {
        m->line[m->line_len] = '\0';
        if (m->line_len)
            command(m, m->line, now_us);
        m->line_len = 0;
    } else if (byte != '\n' && m->line_len < MODEM_LINE_MAX) {
        m->line[m->line_len++] = (char)byte;
    }
}

static void work(struct modem *m, uint64_t now_us)
{
    size_t i = 0;

    if (m->busy_until_us && now_us >= m->busy_until_us) {
        m->busy_until_us = 0;
        modem_say(m, "%s", m->late_result);
    }
    while (i < m->in_len && !m->busy_until_us) {
        on_byte(m, m->in[i++], now_us);
        modem_announce(m);
    }
    if (i > m->in_len)
        i = m->in_len; /* a reset by command: what waited is gone */
    memmove(m->in, m->in + i, m->in_len - i);
    m->in_len -= i;
    modem_announce(m);
}

void modem_on_bytes(struct modem *m, const void *data, size_t len, uint64_t now_us)
{
    size_t fits = len < sizeof m->in - m->in_len ? len : sizeof m->in - m->in_len;

    memcpy(m->in + m->in_len, data, fits);
    m->in_len += fits;
    work(m, now_us);
}

void modem_tick(struct modem *m, uint64_t now_us)
{
    work(m, now_us);
}

uint64_t modem_next_deadline(const struct modem *m)
{
    return m->busy_until_us ? m->busy_until_us : UINT64_MAX;
}

size_t modem_take(struct modem *m, void *out, size_t cap)
{
    size_t n = m->out_len < cap ? m->out_len : cap;

    memcpy(out, m->out, n);
    memmove(m->out, m->out + n, m->out_len - n);
    m->out_len -= n;
    return n;
}

/* ---- life, and what goes wrong ---- */

void modem_init(struct modem *m, const struct modem_net *net)
{
    memset(m, 0, sizeof *m);
    m->net = *net;
    m->echo = true;
}

void modem_drop_context(struct modem *m)
{
    if (!m->activated)
        return;
    modem_socket_close_all(m);
    m->activated = false;
    m->lost_context = true;
    modem_announce(m);
}

void modem_reboot(struct modem *m)
{
    modem_socket_close_all(m);
    m->activated = m->lost_context = false;
    m->echo = true;
    m->cmee = 0;
    m->error = 0;
    m->line_len = m->in_len = m->out_len = m->wanted = 0;
    m->busy_until_us = 0;
    m->count.reboots++;
}

static bool set_flag(const char *value, bool *flag)
{
    *flag = !strcmp(value, "on");
    return *flag || !strcmp(value, "off");
}

static bool set_count(const char *value, unsigned *count)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    *count = (unsigned)n;
    return end != value && !*end && n <= 1000000;
}

bool modem_control(struct modem *m, const char *word)
{
    struct modem_faults f = m->faults;
    const char *value = strchr(word, '=');
    bool network, done = false;
    int used = 0;

    if (!strcmp(word, "pdp-drop") || !strcmp(word, "reboot")) {
        (*word == 'p' ? modem_drop_context : modem_reboot)(m);
        return true;
    }
    value = value ? value + 1 : "";
    if (starts(word, "urc-lost="))
        done = set_flag(value, &f.loses_urc);
    else if (starts(word, "extra-crlf="))
        done = set_flag(value, &f.extra_crlf);
    else if (starts(word, "double-crlf="))
        done = set_flag(value, &f.double_crlf);
    else if (starts(word, "mute="))
        done = set_flag(value, &f.is_mute);
    else if (starts(word, "network=") && set_flag(value, &network)) {
        f.no_network = !network;
        done = true;
    } else if (starts(word, "late="))
        done = sscanf(value, "%u,%u%n", &f.late, &f.late_ms, &used) == 2 && !value[used];
    else if (starts(word, "full="))
        done = set_count(value, &f.full);
    else if (starts(word, "garbled="))
        done = set_count(value, &f.garbled);
    if (done)
        m->faults = f;
    return done;
}
