/* The TCP part: does a connection to port 443 of the coordinator's address come up (it
 * need not listen there: a refusal passes the network just as well), and does somebody
 * answer HTTP on port 80 with a redirect to elsewhere?
 *
 * That last one is all that can be said about a captive portal without asking a third
 * party. A coordinator that runs a web server may redirect as well, but to itself; and where
 * UDP passes there is no portal that would matter to us. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "netcheck_inside.h"
#include "udp_msg.h"

enum { HTTPS, HTTP };

static const char request[] = "GET / HTTP/1.0\r\nUser-Agent: tund\r\n\r\n";

/* ---- what it means ---- */

/* The host within a URL; its length. */
static size_t url_host(const char *url, size_t len, const char **host)
{
    const char *end = url + len, *p = url;

    for (; p + 3 <= end && memcmp(p, "://", 3) != 0; p++)
        ;
    *host = p + 3 <= end ? p + 3 : end;
    for (p = *host; p < end && *p != '/' && *p != ':' && *p != '?' && *p > ' '; p++)
        ;
    return (size_t)(p - *host);
}

bool netcheck_is_redirect(const char *answer, size_t len, const char *own_host, char *to, size_t cap)
{
    const char *end = answer + len, *line, *host;
    size_t host_len, n = 0;

    if (len < 12 || memcmp(answer, "HTTP/1.", 7) != 0 || answer[9] != '3')
        return false;
    for (line = answer; line && line < end; line = memchr(line, '\n', (size_t)(end - line)),
        line = line ? line + 1 : NULL) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));

        if (!line_end || line_end - line < 10 || strncasecmp(line, "location:", 9) != 0)
            continue;
        host_len = url_host(line + 9, (size_t)(line_end - line - 9), &host);
        if (!host_len || (host_len == strlen(own_host) && memcmp(host, own_host, host_len) == 0))
            return false;
        for (; n < host_len && n + 1 < cap; n++)
            to[n] = host[n] > ' ' && host[n] <= '~' ? host[n] : '?';
        to[n] = '\0';
        return true;
    }
    return false;
}

/* ---- connections ---- */

static void on_closed(uv_handle_t *h)
{
    struct netcheck_tcp_try *t = h->data;

    netcheck_closed(t->owner);
}

static void end(struct netcheck_tcp_try *t)
{
    if (t->over)
        return;
    t->over = true;
    if (t->open)
        uv_close((uv_handle_t *)&t->handle, on_closed);
    t->open = false;
    netcheck_step(t->owner);
}

static void judge_http(struct netcheck_tcp_try *t)
{
    struct netcheck_result *r = &t->owner->result;
    const struct tn_addr *server = tn_addr_is_zero(&r->server[0]) ? &r->server[1] : &r->server[0];
    char own[ADDR_TEXT_LEN];

    (void)addr_ip_text(server, own);
    r->portal = netcheck_is_redirect(t->text, t->len, own, r->portal_to, sizeof r->portal_to);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct netcheck_tcp_try *t = h->data;

    *buf = uv_buf_init(t->text + t->len, (unsigned)(sizeof t->text - t->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct netcheck_tcp_try *t = stream->data;

    if (got > 0)
        t->len += (size_t)got;
    if (got == 0 || (got > 0 && t->len < sizeof t->text))
        return;
    judge_http(t);
    end(t);
}

static void on_written(uv_write_t *w, int status)
{
    if (status)
        end(w->data);
}

static void ask_http(struct netcheck_tcp_try *t)
{
    uv_buf_t buf = uv_buf_init((char *)request, sizeof request - 1);
    int err = uv_read_start((uv_stream_t *)&t->handle, on_alloc, on_read);

    t->write.data = t;
    if (!err)
        err = uv_write(&t->write, (uv_stream_t *)&t->handle, &buf, 1, on_written);
    if (err)
        end(t);
}

static enum netcheck_tcp meaning(int status)
{
    switch (status) {
    case 0:
        return NETCHECK_TCP_OPEN;
    case UV_ECONNREFUSED:
    case UV_ECONNRESET:
        return NETCHECK_TCP_REFUSED;
    case UV_ETIMEDOUT:
    case UV_ECANCELED:
        return NETCHECK_TCP_SILENT;
    default:
        return NETCHECK_TCP_UNREACHABLE;
    }
}

static void on_connected(uv_connect_t *c, int status)
{
    struct netcheck_tcp_try *t = c->data;

    if (t->over)
        return;
    if (t == &t->owner->tcp[HTTPS])
        t->owner->result.tcp443 = meaning(status);
    else if (status == 0) {
        ask_http(t);
        return;
    }
    end(t);
}

static void open_one(struct netcheck *n, unsigned which, const struct tn_addr *server)
{
    struct netcheck_tcp_try *t = &n->tcp[which];
    struct tn_addr there = *server;
    union udp_sockaddr at;

    t->owner = n;
    t->over = uv_tcp_init(n->loop, &t->handle) != 0;
    if (t->over)
        return;
    n->handles++;
    t->open = true;
    t->handle.data = t->connect.data = t;
    there.port = which == HTTPS ? 443 : 80;
    udp_to_sockaddr(&there, tn_addr_is_v4(&there), &at);
    if (uv_tcp_connect(&t->connect, &t->handle, &at.sa, on_connected))
        end(t);
}

void netcheck_tcp_open(struct netcheck *n, const struct tn_addr *server)
{
    open_one(n, HTTPS, server);
    open_one(n, HTTP, server);
}

void netcheck_tcp_close(struct netcheck *n)
{
    for (unsigned i = 0; i < 2; i++) {
        struct netcheck_tcp_try *t = &n->tcp[i];

        t->over = true;
        if (t->open)
            uv_close((uv_handle_t *)&t->handle, on_closed);
        t->open = false;
    }
}

bool netcheck_tcp_is_over(const struct netcheck *n)
{
    return (n->tcp[HTTPS].over || !n->tcp[HTTPS].open) && (n->tcp[HTTP].over || !n->tcp[HTTP].open);
}
