/* What the modem says, byte by byte.
 *
 * Text comes in lines between CR and LF, with as many of these as a modem likes. Two things are no
 * lines: '@', which asks for a datagram's bytes, and the bytes of one behind
 *     +USORF: 0,"192.0.2.1",7,5,"hello"
 * which are told by their count alone, since CR, LF and quotes may be among them. They are passed
 * over where nobody waits for them, so that an OK in a late datagram is not taken for one. */
#include <string.h>

#include "at_inside.h"
#include "at_scan.h"

#define RAW_US 2000000u /* a whole datagram takes 0.1 s at 115200 baud */

void at_drop_raw(struct at *a)
{
    a->raw_left = 0;
    a->line_len = a->quotes = 0;
}

/* The line is a datagram's header, up to the quote before its bytes. */
static void on_header(struct at *a, uint64_t now_us)
{
    const char *p = a->line;
    struct at_address from;
    uint32_t handle, port, len;
    bool is_whole;

    a->line[a->line_len] = '\0';
    is_whole = at_scan_word(&p, "+USORF: ") && at_scan_number(&p, UINT8_MAX, &handle) &&
               at_scan_word(&p, ",") && at_scan_ip(&p, from.ip) && at_scan_word(&p, ",") &&
               at_scan_number(&p, UINT16_MAX, &port) && at_scan_word(&p, ",") &&
               at_scan_number(&p, AT_DATAGRAM_MAX, &len) && at_scan_word(&p, ",\"");
    at_drop_raw(a);
    if (!is_whole) {
        a->bad = true;
        return;
    }
    a->skips = a->command != COMMAND_READ || a->answered || handle != a->handle;
    a->raw_left = (uint16_t)len;
    if (a->skips)
        return;
    from.port = (uint16_t)port;
    a->address = from;
    a->data_len = 0;
    a->answered = len == 0;
    a->deadline_us = now_us + RAW_US;
}

static void on_raw(struct at *a, uint8_t byte)
{
    a->raw_left--;
    if (a->skips)
        return;
    a->data[a->data_len++] = byte;
    a->answered = a->raw_left == 0;
}

/* An answer to the command in flight, or nothing that we know. */
static void on_answer(struct at *a, const char *p)
{
    uint32_t n, m;

    switch (a->command) {
    case COMMAND_STEP:
        if (at_scan_word(&p, "+CGREG: ") && at_scan_number(&p, 9, &n) && at_scan_word(&p, ",") &&
            at_scan_number(&p, 99, &m))
            a->attached = m == 1 || m == 5; /* at home, roaming */
        else if (at_scan_word(&p, "+UPSND: 0,8,") && at_scan_number(&p, 1, &n))
            a->activated = n;
        else if (at_scan_word(&p, "+USOCR: ") && at_scan_number(&p, 6, &n) && !*p) {
            a->handle = (uint8_t)n;
            a->answered = true;
        } else if (*p >= '0' && *p <= '9' && strlen(p) < sizeof a->imsi)
            strcpy(a->imsi, p);
        break;
    case COMMAND_RESYNC:
        a->answered = a->answered || at_scan_word(&p, "+CMEE: ");
        break;
    case COMMAND_POLL:
    case COMMAND_READ: /* "+USORF: 0,0": nothing there */
        if (!at_scan_word(&p, "+USORF: "))
            break;
        if (at_scan_number(&p, UINT8_MAX, &n) && n == a->handle && at_scan_word(&p, ",") &&
            at_scan_number(&p, UINT16_MAX, &m) && !*p && !(a->command == COMMAND_READ && m)) {
            a->waiting = (uint16_t)m;
            a->answered = true;
        } else {
            a->bad = true;
        }
        break;
    case COMMAND_SEND:
        if (at_scan_word(&p, "+USOST: "))
            a->answered = at_scan_number(&p, UINT8_MAX, &n) && n == a->handle && at_scan_word(&p, ",") &&
                          at_scan_number(&p, UINT16_MAX, &m) && m == a->data_len;
        break;
    case COMMAND_ERROR:
        if (at_scan_word(&p, "+USOER: "))
            a->answered = at_scan_number(&p, UINT16_MAX, &a->error);
        break;
    case COMMAND_NAME:
        if (at_scan_word(&p, "+UDNSRN: "))
            a->answered = at_scan_ip(&p, a->resolved);
        break;
    default:
        break;
    }
}

static void on_figures(struct at *a, const char *p)
{
    uint32_t n, tx, rx;

    if (at_scan_word(&p, "+UGCNTRD: ") && at_scan_number(&p, 9, &n) && at_scan_word(&p, ",") &&
        at_scan_number(&p, UINT32_MAX, &tx) && at_scan_word(&p, ",") &&
        at_scan_number(&p, UINT32_MAX, &rx)) {
        a->count.cell_tx = tx;
        a->count.cell_rx = rx;
    } else if (at_scan_word(&p, "+CSQ: ") && at_scan_number(&p, 99, &n)) {
        a->count.signal = (uint8_t)n;
    }
}

/* What comes by itself; false: it is something else. */
static bool on_news(struct at *a, const char *p, uint64_t now_us)
{
    uint32_t n, len;

    if (at_scan_word(&p, "+UUSORF: ") || at_scan_word(&p, "+UUSORD: ")) {
        if (at_scan_number(&p, 6, &n) && n == a->handle && at_scan_word(&p, ",") &&
            at_scan_number(&p, UINT16_MAX, &len))
            a->waiting = (uint16_t)len;
        return true;
    }
    if (at_scan_word(&p, "+UUSOCL: ")) {
        if (at_scan_number(&p, 6, &n) && n == a->handle)
            at_lose(a, RUNG_SOCKET, now_us);
        return true;
    }
    if (at_scan_word(&p, "+UUPSDD: ")) {
        at_lose(a, RUNG_PDP, now_us);
        return true;
    }
    return false;
}

static void on_line(struct at *a, uint64_t now_us)
{
    const char *p = a->line;

    a->line[a->line_len] = '\0';
    a->line_len = a->quotes = 0;
    if (strcmp(p, "OK") == 0)
        at_finish(a, true, now_us);
    else if (strcmp(p, "ERROR") == 0 || at_scan_word(&p, "+CME ERROR: "))
        at_finish(a, false, now_us);
    else if (at_scan_word(&p, "AT"))
        at_lose(a, RUNG_MODEM, now_us); /* it echoes, which we switched off: it was reset */
    else if (!on_news(a, p, now_us)) {
        on_answer(a, p);
        on_figures(a, p);
    }
}

static bool asks_for_data(const struct at *a, uint8_t byte)
{
    return byte == '@' && a->line_len == 0 && a->is_outgoing && a->fed == 0 && !a->feeding &&
           (a->command == COMMAND_SEND || a->command == COMMAND_RESYNC);
}

void at_on_byte(struct at *a, uint8_t byte, uint64_t now_us)
{
    const char *line = a->line;

    if (a->raw_left) {
        on_raw(a, byte);
    } else if (byte == '\r' || byte == '\n') {
        if (a->line_len)
            on_line(a, now_us);
    } else if (asks_for_data(a, byte)) {
        a->feeding = true;
    } else if (a->line_len < AT_LINE_MAX) {
        a->line[a->line_len++] = (char)byte;
        a->quotes += byte == '"';
        if (byte == '"' && a->quotes == 3 && at_scan_word(&line, "+USORF: "))
            on_header(a, now_us);
    }
}
