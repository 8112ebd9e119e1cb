/* A CoAP server (RFC 7252) of two resources: /.well-known/core (RFC 6690) and /status. A request is
 * read to its end before a byte of the answer is written over it. Requests are idempotent, so
 * repetitions are simply answered again, and nothing is kept of any. */
#include <string.h>

#include "app.h"
#include "libtunnel/base/cursor.h"

#define VERSION 1
#define TOKEN_MAX 8

enum type { CON, NON, ACK, RST };

#define CODE(class, detail) ((class) << 5 | (detail))
#define GET CODE(0, 1)
#define CONTENT CODE(2, 5)
#define BAD_OPTION CODE(4, 2)
#define NOT_FOUND CODE(4, 4)
#define BAD_METHOD CODE(4, 5)
#define NOT_ACCEPTABLE CODE(4, 6)

enum option { URI_HOST = 3, URI_PORT = 7, URI_PATH = 11, CONTENT_FORMAT = 12, URI_QUERY = 15, ACCEPT = 17 };
#define TEXT_PLAIN 0u
#define LINK_FORMAT 40u

struct request {
    uint8_t type, code, token_len;
    uint16_t message_id;
    uint8_t token[TOKEN_MAX];
    uint8_t refuse; /* 0, or the code to answer with */
    uint32_t accept; /* UINT32_MAX: anything */
    char path[32]; /* segments with / between; the option's bytes */
    size_t path_len;
};

/* 4 bits say the number, or how many bytes of it follow. 15 is an error here. */
static uint32_t read_extended(struct tn_reader *r, unsigned nibble)
{
    if (nibble == 13)
        return 13u + tn_read_u8(r);
    if (nibble == 14)
        return 269u + tn_read_u16(r);
    if (nibble == 15)
        tn_reader_fail(r);
    return nibble;
}

static void add_segment(struct request *q, const uint8_t *segment, size_t len)
{
    size_t at = q->path_len + (q->path_len ? 1 : 0);

    if (len > sizeof q->path || at + len > sizeof q->path) {
        q->refuse = NOT_FOUND;
        return;
    }
    if (at)
        q->path[at - 1] = '/';
    memcpy(q->path + at, segment, len);
    q->path_len = at + len;
}

static void on_option(struct request *q, uint32_t number, const uint8_t *value, size_t len)
{
    switch (number) {
    case URI_PATH:
        add_segment(q, value, len);
        break;
    case URI_HOST:
    case URI_PORT:
    case URI_QUERY:
        break; /* there is one host here, and no question is asked of it */
    case ACCEPT:
        q->accept = 0;
        for (size_t i = 0; i < len; i++)
            q->accept = q->accept << 8 | value[i];
        if (len > 2)
            q->refuse = BAD_OPTION;
        break;
    default:
        if (number & 1) /* critical, and not understood */
            q->refuse = BAD_OPTION;
        break;
    }
}

/* False: a message format error. */
static bool parse(struct request *q, const uint8_t *data, size_t len)
{
    struct tn_reader r;
    uint32_t number = 0;
    uint8_t first;

    memset(q, 0, sizeof *q);
    q->accept = UINT32_MAX;
    tn_reader_init(&r, data, len);
    first = tn_read_u8(&r);
    q->type = first >> 4 & 3;
    q->token_len = first & 15;
    q->code = tn_read_u8(&r);
    q->message_id = tn_read_u16(&r);
    if (first >> 6 != VERSION || q->token_len > TOKEN_MAX || (!q->code && len != 4))
        return false;
    tn_read_bytes(&r, q->token, q->token_len);
    while (tn_reader_ok(&r) && r.left) {
        uint8_t head = tn_read_u8(&r);
        uint32_t value_len;
        const uint8_t *value;

        if (head == 0xff)
            return r.left != 0; /* a payload, which GET has no use for */
        number += read_extended(&r, head >> 4);
        value_len = read_extended(&r, head & 15);
        value = tn_read_view(&r, value_len);
        if (!value || number > UINT16_MAX)
            return false;
        on_option(q, number, value, value_len);
    }
    return tn_reader_ok(&r);
}

static bool path_is(const struct request *q, const char *path)
{
    return q->path_len == strlen(path) && !memcmp(q->path, path, q->path_len);
}

/* Code and content; *format counts for CONTENT. */
static uint8_t serve(struct app *a, const struct request *q, struct tn_writer *w, uint32_t *format)
{
    static const char links[] = "</status>;rt=\"tund.status\";ct=0";
    bool is_core = path_is(q, ".well-known/core");

    *format = is_core ? LINK_FORMAT : TEXT_PLAIN;
    if (q->refuse)
        return q->refuse;
    if (!is_core && !path_is(q, "status"))
        return NOT_FOUND;
    if (q->code != GET)
        return BAD_METHOD;
    if (q->accept != UINT32_MAX && q->accept != *format)
        return NOT_ACCEPTABLE;
    if (is_core)
        tn_write_bytes(w, links, sizeof links - 1);
    else
        w->len += app_status(a, (char *)w->base + w->len, w->cap - w->len, false);
    return CONTENT;
}

static size_t answer(struct app *a, const struct request *q, uint8_t *out, size_t cap)
{
    bool is_confirmable = q->type == CON;
    uint16_t id = is_confirmable ? q->message_id : a->next_message_id++;
    struct tn_writer w;
    size_t code_at, content_at;
    uint32_t format;

    tn_writer_init(&w, out, cap);
    tn_write_u8(&w, (uint8_t)(VERSION << 6 | (is_confirmable ? ACK : NON) << 4 | q->token_len));
    code_at = w.len;
    tn_write_u8(&w, 0);
    tn_write_u16(&w, id);
    tn_write_bytes(&w, q->token, q->token_len);
    content_at = w.len;
    tn_write_zeros(&w, 3); /* Content-Format and the marker */
    if (!tn_writer_ok(&w))
        return 0;
    out[code_at] = serve(a, q, &w, &format);
    if (out[code_at] != CONTENT)
        return content_at;
    out[content_at] = CONTENT_FORMAT << 4 | 1;
    out[content_at + 1] = (uint8_t)format;
    out[content_at + 2] = 0xff;
    return w.len;
}

/* "I do not know what you are talking about" (section 4.2). */
static size_t reset(const struct request *q, uint8_t *out)
{
    out[0] = VERSION << 6 | RST << 4;
    out[1] = 0;
    out[2] = (uint8_t)(q->message_id >> 8);
    out[3] = (uint8_t)q->message_id;
    return 4;
}

size_t app_coap(struct app *a, uint8_t *data, size_t len, size_t room)
{
    struct request q;
    bool ok = parse(&q, data, len);

    if (len < 4 || data[0] >> 6 != VERSION || room < 4 || q.type == ACK || q.type == RST)
        return 0;
    if (!ok || q.code == 0 || q.code >> 5)
        return q.type == CON ? reset(&q, data) : 0; /* a ping is met so as well */
    return answer(a, &q, data, room);
}
