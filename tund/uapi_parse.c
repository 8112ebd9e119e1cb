/* How it works: a request is lines of key=value up to an empty line; the first says
 * get=1 or set=1. One table says for each key which operation it is, how its value is
 * read and whether it belongs to the interface or to a peer (after public_key). A
 * request is walked twice by its user: first to see that all of it is well-formed,
 * then to apply it, so that no half of a bad request is applied. */
#include "uapi_parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/text.h"

#include "log.h"

#define VALUE_LEN 128 /* longest value, NUL included: keys have 64 characters */

/* ---- values ---- */

static bool number(const char *v, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    if (!*v || strlen(v) > 10)
        return false;
    for (; *v; v++) {
        if (*v < '0' || *v > '9')
            return false;
        n = n * 10 + (uint64_t)(*v - '0');
    }
    if (n > max)
        return false;
    *out = (uint32_t)n;
    return true;
}

static int read_key(const char *v, struct uapi_op *op)
{
    return tn_text_key_from_hex(op->key, v, strlen(v)) ? -EINVAL : 0;
}

static int read_u16(const char *v, struct uapi_op *op)
{
    return number(v, UINT16_MAX, &op->number) ? 0 : -EINVAL;
}

static int read_u32(const char *v, struct uapi_op *op)
{
    return number(v, UINT32_MAX, &op->number) ? 0 : -EINVAL;
}

static int read_true(const char *v, struct uapi_op *op)
{
    return strcmp(v, "true") ? -EINVAL : 0;
}

static int read_one(const char *v, struct uapi_op *op)
{
    return number(v, UINT32_MAX, &op->number) && op->number == 1 ? 0 : -EINVAL;
}

static int read_endpoint(const char *v, struct uapi_op *op)
{
    return addr_parse(v, &op->addr) && op->addr.port ? 0 : -EINVAL;
}

static int read_allowed_ip(const char *v, struct uapi_op *op)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(v, '/');
    uint32_t bits;
    size_t len;

    op->minus = *v == '-';
    if (*v == '-' || *v == '+')
        v++;
    len = slash ? (size_t)(slash - v) : sizeof ip;
    if (len >= sizeof ip)
        return -EINVAL;
    memcpy(ip, v, len);
    ip[len] = 0;
    op->v4 = strchr(ip, ':') == NULL;
    memset(op->ip, 0, sizeof op->ip);
    if (inet_pton(op->v4 ? AF_INET : AF_INET6, ip, op->ip) != 1 ||
        !number(slash + 1, op->v4 ? 32 : 128, &bits))
        return -EINVAL;
    op->bits = (uint8_t)bits;
    op->addr = op->v4 ? tn_addr_v4(op->ip, 0) : tn_addr_v6(op->ip, 0);
    return 0;
}

/* ---- lines ---- */

static const struct line_kind {
    const char *name;
    enum uapi_kind kind;
    bool of_peer;
    int (*read)(const char *v, struct uapi_op *op);
} kinds[] = {
    {"private_key", UAPI_PRIVATE_KEY, false, read_key},
    {"listen_port", UAPI_LISTEN_PORT, false, read_u16},
    {"fwmark", UAPI_FWMARK, false, read_u32},
    {"replace_peers", UAPI_REPLACE_PEERS, false, read_true},
    {"public_key", UAPI_PUBLIC_KEY, true, read_key},
    {"remove", UAPI_REMOVE, true, read_true},
    {"update_only", UAPI_UPDATE_ONLY, true, read_true},
    {"preshared_key", UAPI_PRESHARED_KEY, true, read_key},
    {"endpoint", UAPI_ENDPOINT, true, read_endpoint},
    {"persistent_keepalive_interval", UAPI_KEEPALIVE, true, read_u16},
    {"replace_allowed_ips", UAPI_REPLACE_ALLOWED_IPS, true, read_true},
    {"allowed_ip", UAPI_ALLOWED_IP, true, read_allowed_ip},
    {"protocol_version", UAPI_PROTOCOL_VERSION, true, read_one},
};

static const struct line_kind *find_kind(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].name) == len && !memcmp(kinds[i].name, name, len))
            return &kinds[i];
    }
    return NULL;
}

static int read_line(struct uapi_parser *p, const char *line, size_t len, struct uapi_op *out)
{
    const char *equals = memchr(line, '=', len);
    const struct line_kind *kind;
    char value[VALUE_LEN];
    struct uapi_op op = {0};
    size_t value_len;
    int err;

    if (!equals)
        return -EPROTO;
    kind = find_kind(line, (size_t)(equals - line));
    value_len = len - (size_t)(equals + 1 - line);
    if (!kind || value_len >= sizeof value || memchr(equals + 1, 0, value_len))
        return -EINVAL;
    if (kind->of_peer && kind->kind != UAPI_PUBLIC_KEY && !p->in_peer)
        return -EINVAL;
    if (!kind->of_peer && p->in_peer)
        return -EINVAL;
    memcpy(value, equals + 1, value_len);
    value[value_len] = 0;
    op.kind = kind->kind;
    err = kind->read(value, &op);
    if (!err) {
        p->in_peer = kind->of_peer;
        *out = op;
    }
    tn_wipe(value, sizeof value);
    tn_wipe(&op, sizeof op);
    return err;
}

/* ---- requests ---- */

size_t uapi_request_len(const char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        const char *newline = memchr(text + i, '\n', len - 1 - i);

        if (!newline)
            return 0;
        i = (size_t)(newline - text);
        if (newline[1] == '\n')
            return i + 2;
    }
    return 0;
}

int uapi_parser_init(struct uapi_parser *p, const char *text, size_t len)
{
    static const char get[] = "get=1\n", set[] = "set=1\n";
    const size_t op_len = sizeof get - 1;

    if (len <= op_len || (memcmp(text, get, op_len) && memcmp(text, set, op_len)))
        return -EINVAL;
    p->is_get = text[0] == 'g';
    p->at = text + op_len;
    p->end = text + len;
    p->in_peer = false;
    return 0;
}

int uapi_parser_next(struct uapi_parser *p, struct uapi_op *op)
{
    const char *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
    int err;

    if (!newline)
        return p->at == p->end ? 0 : -EPROTO;
    if (newline == p->at)
        return 0;
    if (p->is_get)
        return -EINVAL;
    err = read_line(p, p->at, (size_t)(newline - p->at), op);
    if (err)
        return err;
    p->at = newline + 1;
    return 1;
}
