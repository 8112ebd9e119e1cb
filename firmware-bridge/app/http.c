/* A connection serves one request and is closed. What is to be sent is made when there is room for it, so that a
 * connection takes 300 bytes besides lwIP's own.
 *
 *   HEAD --request read--> BODY (of an upload) --> SEND: head and page, or bytes --> close */
#include "http.h"

#include <string.h>

#include "http_request.h"
#include "libtunnel/crypto/crypto.h"
#include "lwip/tcp.h"
#include "text.h"

#define CONNECTIONS 2
#define HEAD_MAX 200
#define PAGE_MAX 600
#define CHUNK 128
#define POLL_TICKS 2  /* lwIP's, of half a second */
#define IDLE_POLLS 60 /* a minute without progress: a modem may have been away for so long */

enum state { FREE, HEAD, BODY, SEND };

struct connection {
    uint8_t state; /* enum state */
    uint8_t idle;
    struct http_request request;
    uint32_t left; /* bytes of the body, or to be sent */
    uint32_t sent;
    struct tn_blake2s hash;
};

static struct connection connection[CONNECTIONS];
static struct app *app;

static const char *const head[] = {
    [HTTP_STATUS] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
    [HTTP_BYTES] = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n",
    [HTTP_UPLOAD] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
    [HTTP_NONE] = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n",
    [HTTP_METHOD] = "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, POST\r\nContent-Type: text/plain\r\n",
    [HTTP_BAD] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n",
};

static void release(struct connection *c, struct tcp_pcb *pcb)
{
    c->state = FREE;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
}

/* Memory may be short for the last segment: then it is aborted, which needs none. */
static err_t end(struct connection *c, struct tcp_pcb *pcb)
{
    release(c, pcb);
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* ---- what is sent ---- */

static size_t make_page(struct connection *c, char *page)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[32];

    switch (c->request.what) {
    case HTTP_STATUS:
        return app_status(app, page, PAGE_MAX, true);
    case HTTP_UPLOAD:
        tn_blake2s_final(&c->hash, sum);
        for (size_t i = 0; i < 32; i++) {
            page[2 * i] = digits[sum[i] >> 4];
            page[2 * i + 1] = digits[sum[i] & 15];
        }
        page[64] = '\n';
        return 65;
    default:
        return 0;
    }
}

static err_t send_bytes(struct connection *c, struct tcp_pcb *pcb)
{
    uint8_t chunk[CHUNK];
    size_t n;

    while (c->left && tcp_sndbuf(pcb) && tcp_sndqueuelen(pcb) + 1 < TCP_SND_QUEUELEN) {
        n = c->left < CHUNK ? c->left : CHUNK;
        n = n < tcp_sndbuf(pcb) ? n : tcp_sndbuf(pcb); /* whole segments, or the last one waits for an answer */
        for (size_t i = 0; i < n; i++)
            chunk[i] = (uint8_t)((c->sent + i) ^ (c->sent + i) >> 8);
        if (tcp_write(pcb, chunk, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break; /* with the next acknowledgement, or poll */
        c->sent += (uint32_t)n;
        c->left -= (uint32_t)n;
        c->idle = 0;
    }
    tcp_output(pcb);
    return c->left ? ERR_OK : end(c, pcb);
}

_Static_assert(HEAD_MAX + PAGE_MAX <= BRIDGE_DATAGRAM_MAX, "the device's buffer");

static err_t begin_answer(struct connection *c, struct tcp_pcb *pcb)
{
    char *out = (char *)bridge_buffer(app->bridge); /* what lay there has been read; the stack has no room for it */
    struct text t = {.out = out, .cap = HEAD_MAX};     /* the page lies behind that, and is then moved up */
    size_t page_len = make_page(c, out + HEAD_MAX);

    c->state = SEND;
    c->left = c->request.what == HTTP_BYTES ? c->request.count : 0;
    text_put(&t, head[c->request.what]);
    text_put(&t, "Connection: close\r\nContent-Length: ");
    text_put_number(&t, page_len + c->left);
    text_put(&t, "\r\n\r\n");
    memmove(out + t.len, out + HEAD_MAX, page_len);
    if (tcp_write(pcb, out, (u16_t)(t.len + page_len), TCP_WRITE_FLAG_COPY) != ERR_OK)
        return end(c, pcb);
    return send_bytes(c, pcb);
}

/* ---- what comes ---- */

/* True: the request has been read, its body too. */
static bool take(struct connection *c, const uint8_t *data, size_t len)
{
    while (len && c->state == HEAD) {
        len--;
        if (!http_request_feed(&c->request, *data++))
            continue;
        c->state = BODY;
        c->left = c->request.what == HTTP_UPLOAD ? c->request.length : 0;
        tn_blake2s_init(&c->hash, 32, NULL, 0);
    }
    if (c->state != BODY)
        return false;
    if (len > c->left)
        len = c->left;
    if (len)
        tn_blake2s_update(&c->hash, data, len);
    c->left -= (uint32_t)len;
    return c->left == 0;
}

static err_t on_data(void *ctx, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct connection *c = ctx;
    bool is_whole = false;

    if (!p) /* the other end is done; so are we, unless we send */
        return c->state == SEND ? ERR_OK : end(c, pcb);
    c->idle = 0;
    if (c->state != SEND) {
        for (struct pbuf *q = p; q && !is_whole; q = q->next)
            is_whole = take(c, q->payload, q->len);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return is_whole ? begin_answer(c, pcb) : ERR_OK;
}

static err_t on_sent(void *ctx, struct tcp_pcb *pcb, u16_t len)
{
    struct connection *c = ctx;

    c->idle = 0;
    return c->state == SEND ? send_bytes(c, pcb) : ERR_OK;
}

static err_t on_poll(void *ctx, struct tcp_pcb *pcb)
{
    struct connection *c = ctx;

    if (++c->idle < IDLE_POLLS)
        return c->state == SEND ? send_bytes(c, pcb) : ERR_OK;
    release(c, pcb);
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* The pcb is gone already. */
static void on_error(void *ctx, err_t err)
{
    struct connection *c = ctx;

    c->state = FREE;
}

static err_t on_accept(void *ctx, struct tcp_pcb *pcb, err_t err)
{
    for (size_t i = 0; pcb && i < CONNECTIONS; i++) {
        struct connection *c = &connection[i];

        if (c->state != FREE)
            continue;
        memset(c, 0, sizeof *c);
        c->state = HEAD;
        http_request_init(&c->request);
        tcp_arg(pcb, c);
        tcp_recv(pcb, on_data);
        tcp_sent(pcb, on_sent);
        tcp_poll(pcb, on_poll, POLL_TICKS);
        tcp_err(pcb, on_error);
        return ERR_OK;
    }
    if (pcb)
        tcp_abort(pcb);
    return ERR_ABRT;
}

int app_http_start(struct app *a)
{
    static struct tcp_pcb *listener;
    struct tcp_pcb *pcb;

    app = a;
    if (listener) /* lwIP outlives a device's membership */
        return 0;
    pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, APP_HTTP_PORT) != ERR_OK)
        return TN_ENOSPC;
    listener = tcp_listen_with_backlog(pcb, CONNECTIONS);
    if (!listener)
        return TN_ENOSPC;
    tcp_accept(listener, on_accept);
    return 0;
}
