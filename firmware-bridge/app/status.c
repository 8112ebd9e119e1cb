/* How the device is: one field a line, or one row of a table. Names come from a certificate, whose
 * letters need no escape in HTML. */
#include "app.h"
#include "text.h"

struct page {
    struct text t;
    bool html;
};

static void begin_row(struct page *p, const char *name)
{
    text_put(&p->t, p->html ? "<tr><th>" : "");
    text_put(&p->t, name);
    text_put(&p->t, p->html ? "<td>" : " ");
}

static void row_number(struct page *p, const char *name, uint64_t n)
{
    begin_row(p, name);
    text_put_number(&p->t, n);
    text_put(&p->t, "\n");
}

static void row_text(struct page *p, const char *name, const char *text)
{
    begin_row(p, name);
    text_put(&p->t, text);
    text_put(&p->t, "\n");
}

static void row_ip(struct page *p, const char *name, const struct tn_addr *a)
{
    begin_row(p, name);
    text_put_ip(&p->t, a);
    text_put(&p->t, "\n");
}

size_t app_status(const struct app *a, char *out, size_t cap, bool html)
{
    struct page p = {.t = {.out = out, .cap = cap}, .html = html};
    struct bridge_info info;

    bridge_info(a->bridge, &info, a->clock_us(a->clock_ctx));
    if (html) {
        text_put(&p.t, "<!DOCTYPE html><meta charset=utf-8><title>");
        text_put(&p.t, info.name);
        text_put(&p.t, "</title><table>\n");
    }
    row_text(&p, "name", info.name);
    row_text(&p, "network", info.network);
    row_ip(&p, "ipv4", &info.ipv4);
    row_ip(&p, "ipv6", &info.ipv6);
    row_text(&p, "state", bridge_state_name(info.state));
    row_text(&p, "path", "relay");
    row_number(&p, "uptime_s", info.uptime_us / 1000000u);
    row_number(&p, "sent_bytes", info.tx_bytes);
    row_number(&p, "received_bytes", info.rx_bytes);
    row_number(&p, "nat_lifetime_s", info.nat_lifetime_s);
    row_number(&p, "keepalive_s", info.keepalive_s);
    row_number(&p, "used_today_bytes", info.used_bytes);
    row_number(&p, "budget_bytes", info.budget_bytes);
    row_number(&p, "handshakes", info.handshakes);
    if (html)
        text_put(&p.t, "</table>\n");
    return p.t.len;
}
