/* The child's answer:
 *
 *   "tigd" format[1] = 2  version[1] status[2] swept[2] external_port[2] lease[4] external_ip[16]
 *   pinhole[2] works[1] location_len[1] location
 *   count[2] { protocol[1] external_port[2] internal_port[2] internal_ip[16] lease[4] text_len[1] text }
 *
 * Integers are big endian; a protocol is 6 or 17; texts are printable ASCII without a NUL. */
#include "igdmsg.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/base/cursor.h"

#define FORMAT 2
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

static const char magic[4] = {'t', 'i', 'g', 'd'};

static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    return true;
}

void igdmsg_clean(char *out, size_t size, const char *text)
{
    size_t i = 0;

    for (; text[i] && i + 1 < size; i++)
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    out[i] = '\0';
}

static bool is_status(uint16_t status)
{
    return status < IGD_STATUS_COUNT || (status >= 400 && status <= 899);
}

static void write_text(struct tn_writer *w, const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    if (len == size || !is_clean(text, len)) {
        w->failed = true;
        return;
    }
    tn_write_u8(w, (uint8_t)len);
    tn_write_bytes(w, text, len);
}

static void read_text(struct tn_reader *r, char *out, size_t size)
{
    size_t len = tn_read_u8(r);

    if (len >= size) {
        tn_reader_fail(r);
        return;
    }
    tn_read_bytes(r, out, len);
    if (!tn_reader_ok(r))
        return;
    out[len] = '\0';
    if (!is_clean(out, len))
        tn_reader_fail(r);
}

int igdmsg_encode(const struct igd_answer *a, uint8_t *out, size_t cap, size_t *len)
{
    struct tn_writer w;

    if (!is_status(a->status) || a->version > 2 || a->works >= IGD_WORKS_COUNT ||
        a->entry_count > IGD_ENTRIES_MAX)
        return TN_EINVAL;
    tn_writer_init(&w, out, cap);
    tn_write_bytes(&w, magic, sizeof magic);
    tn_write_u8(&w, FORMAT);
    tn_write_u8(&w, a->version);
    tn_write_u16(&w, a->status);
    tn_write_u16(&w, a->swept);
    tn_write_u16(&w, a->external_port);
    tn_write_u32(&w, a->lease_s);
    tn_write_bytes(&w, a->external.ip, 16);
    tn_write_u16(&w, a->pinhole);
    tn_write_u8(&w, a->works);
    write_text(&w, a->location, sizeof a->location);
    tn_write_u16(&w, a->entry_count);
    for (size_t i = 0; i < a->entry_count; i++) {
        const struct igd_entry *e = &a->entry[i];

        tn_write_u8(&w, e->tcp ? PROTOCOL_TCP : PROTOCOL_UDP);
        tn_write_u16(&w, e->external_port);
        tn_write_u16(&w, e->internal_port);
        tn_write_bytes(&w, e->internal.ip, 16);
        tn_write_u32(&w, e->lease_s);
        write_text(&w, e->description, sizeof e->description);
    }
    if (!tn_writer_ok(&w))
        return TN_ENOSPC;
    *len = w.len;
    return 0;
}

static void read_entry(struct tn_reader *r, struct igd_entry *e)
{
    uint8_t protocol = tn_read_u8(r);

    e->tcp = protocol == PROTOCOL_TCP;
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        tn_reader_fail(r);
    e->external_port = tn_read_u16(r);
    e->internal_port = tn_read_u16(r);
    tn_read_bytes(r, e->internal.ip, 16);
    e->internal.port = 0;
    e->lease_s = tn_read_u32(r);
    read_text(r, e->description, sizeof e->description);
}

int igdmsg_decode(struct igd_answer *out, const uint8_t *data, size_t len)
{
    struct tn_reader r;
    const uint8_t *head;

    if (len > IGD_ANSWER_MAX)
        return TN_EINVAL;
    tn_reader_init(&r, data, len);
    head = tn_read_view(&r, sizeof magic);
    if (!head || memcmp(head, magic, sizeof magic) != 0 || tn_read_u8(&r) != FORMAT)
        return TN_EINVAL;
    out->version = tn_read_u8(&r);
    out->status = tn_read_u16(&r);
    out->swept = tn_read_u16(&r);
    out->external_port = tn_read_u16(&r);
    out->lease_s = tn_read_u32(&r);
    tn_read_bytes(&r, out->external.ip, 16);
    out->external.port = 0;
    out->pinhole = tn_read_u16(&r);
    out->works = tn_read_u8(&r);
    read_text(&r, out->location, sizeof out->location);
    out->entry_count = tn_read_u16(&r);
    if (!tn_reader_ok(&r) || out->entry_count > IGD_ENTRIES_MAX)
        return TN_EINVAL;
    for (size_t i = 0; i < out->entry_count && tn_reader_ok(&r); i++)
        read_entry(&r, &out->entry[i]);
    if (!tn_reader_done(&r) || !is_status(out->status) || out->version > 2 || out->works >= IGD_WORKS_COUNT)
        return TN_EINVAL;
    return 0;
}

/* ---- whose address is that? ---- */

/* One byte of a dotted quad: 1 to 3 digits, no leading zero, at most 255; moves on. */
static bool take_byte(const char **at, uint8_t *out)
{
    const char *digit = *at;
    unsigned v = 0;

    while (*digit >= '0' && *digit <= '9' && digit - *at < 3)
        v = v * 10 + (unsigned)(*digit++ - '0');
    if (digit == *at || v > 255 || (digit - *at > 1 && **at == '0'))
        return false;
    *at = digit;
    *out = (uint8_t)v;
    return true;
}

static bool take_port(const char **at)
{
    const char *digit = *at;
    unsigned v = 0;

    while (*digit >= '0' && *digit <= '9' && digit - *at < 5)
        v = v * 10 + (unsigned)(*digit++ - '0');
    if (digit == *at || v == 0 || v > 65535)
        return false;
    *at = digit;
    return true;
}

static const char scheme[] = "http://";

/* [PORT]/... */
static bool is_rest(const char *rest)
{
    if (*rest == ':' && (rest++, !take_port(&rest)))
        return false;
    return *rest == '/';
}

/* The literal between the brackets of http://[...]; what follows it. NULL: it is none. */
static const char *take_v6(const char *url, uint8_t ip[16])
{
    char text[INET6_ADDRSTRLEN];
    size_t len = strnlen(url, IGD_LOCATION_SIZE), n;

    if (len == IGD_LOCATION_SIZE || !is_clean(url, len) || strncmp(url, scheme, sizeof scheme - 1) != 0)
        return NULL;
    url += sizeof scheme - 1;
    if (*url++ != '[')
        return NULL;
    n = strcspn(url, "]%"); /* a scope is the router's own, and says nothing here */
    if (n >= sizeof text)
        return NULL;
    memcpy(text, url, n);
    text[n] = '\0';
    url = strchr(url, ']');
    return url && inet_pton(AF_INET6, text, ip) == 1 ? url + 1 : NULL;
}

static bool is_of_v6(const char *url, const struct tn_addr *gateway)
{
    uint8_t ip[16];
    const char *rest = take_v6(url, ip);

    return rest && !memchr(url, '%', (size_t)(rest - url)) && is_rest(rest) &&
           memcmp(ip, gateway->ip, sizeof ip) == 0;
}

bool igd_url_is_of(const char *url, const struct tn_addr *gateway)
{
    size_t len = strnlen(url, IGD_LOCATION_SIZE);
    uint8_t ip[4];

    if (!tn_addr_is_v4(gateway))
        return is_of_v6(url, gateway);
    if (len == IGD_LOCATION_SIZE || !is_clean(url, len) ||
        strncmp(url, scheme, sizeof scheme - 1) != 0)
        return false;
    url += sizeof scheme - 1;
    for (int i = 0; i < 4; i++) {
        if (!take_byte(&url, &ip[i]) || (i < 3 && *url++ != '.'))
            return false;
    }
    return is_rest(url) && memcmp(ip, gateway->ip + 12, 4) == 0;
}

bool igd_url_at(char out[IGD_LOCATION_SIZE], const char *url, const struct tn_addr *gateway)
{
    uint8_t ip[16];
    const char *rest = take_v6(url, ip);
    char own[INET6_ADDRSTRLEN];
    int n;

    if (!rest || !is_rest(rest) || !inet_ntop(AF_INET6, gateway->ip, own, sizeof own))
        return false;
    n = snprintf(out, IGD_LOCATION_SIZE, "http://[%s]%s", own, rest);
    return n > 0 && n < IGD_LOCATION_SIZE;
}
