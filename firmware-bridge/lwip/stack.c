/* lwIP on top of the device (bridge_set_stack).
 *
 *   in    a TCP packet, where it lies -> tcp_input -> the application's callbacks
 *   out   the network interface's output -> a reference in a ring of four -> poll, one packet a call
 *   time  tcp_tmr each 250 ms, while there are connections; an idle device sleeps
 *
 * What finds the ring full, or no session, is lost; TCP sends it again. */
#include "stack.h"

#include <string.h>

#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"

#define RING 4
#define START 0 /* the timer is wanted, and the time not known */
#define NEVER UINT64_MAX

static struct netif netif;
static struct pbuf *ring[RING];
static unsigned first, count;
static uint64_t due_us = NEVER;
static struct bridge *device;

/* ---- what lwIP calls ---- */

uint32_t bridge_lwip_random(void)
{
    return bridge_random(device);
}

void bridge_lwip_failed(void)
{
    __builtin_trap();
}

void tcp_timer_needed(void)
{
    if (due_us == NEVER)
        due_us = START;
}

static err_t send(struct pbuf *p)
{
    if (count == RING)
        return ERR_MEM;
    pbuf_ref(p);
    ring[(first + count++) % RING] = p;
    return ERR_OK;
}

static err_t send4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
    return send(p);
}

static err_t send6(struct netif *n, struct pbuf *p, const ip6_addr_t *to)
{
    return send(p);
}

static err_t open_netif(struct netif *n)
{
    n->output = send4;
    n->output_ip6 = send6;
    n->mtu = BRIDGE_MTU;
    n->name[0] = 't';
    n->name[1] = 'n';
    return ERR_OK;
}

/* ---- what the device calls ---- */

/* core/ip.c has read the header, and the packet is for us: the rest of lwIP's own way in would read it once more.
 * The network interface takes the address that it came to; connections of another one end by this. */
static size_t read_v4(const struct ip_hdr *h)
{
    ip_data.current_ip4_header = h;
    ip_addr_copy_from_ip4(ip_data.current_iphdr_src, h->src);
    ip_addr_copy_from_ip4(ip_data.current_iphdr_dest, h->dest);
    if (!ip4_addr_cmp(ip4_current_dest_addr(), netif_ip4_addr(&netif)))
        netif_set_ipaddr(&netif, ip4_current_dest_addr());
    return IPH_HL_BYTES(h);
}

static size_t read_v6(struct ip6_hdr *h)
{
    ip_data.current_ip6_header = h;
    ip_addr_copy_from_ip6_packed(ip_data.current_iphdr_src, h->src);
    ip_addr_copy_from_ip6_packed(ip_data.current_iphdr_dest, h->dest);
    if (!ip6_addr_cmp(ip6_current_dest_addr(), netif_ip6_addr(&netif, 0))) {
        netif_ip6_addr_set(&netif, 0, ip6_current_dest_addr());
        netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    }
    return IP6_HLEN;
}

static void input(void *ctx, uint8_t *ip, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_REF);
    size_t head;

    if (!p)
        return;
    p->payload = ip;
    head = ip[0] >> 4 == 4 ? read_v4((struct ip_hdr *)ip) : read_v6((struct ip6_hdr *)ip);
    ip_data.current_netif = ip_data.current_input_netif = &netif;
    ip_data.current_ip_header_tot_len = (u16_t)head;
    pbuf_remove_header(p, head);
    tcp_input(p, &netif); /* frees it */
    memset(&ip_data, 0, sizeof ip_data);
}

static size_t poll(void *ctx, uint8_t *out, size_t cap)
{
    size_t len = 0;

    while (count && !len) {
        struct pbuf *p = ring[first];

        first = (first + 1) % RING;
        count--;
        if (p->tot_len <= cap)
            len = pbuf_copy_partial(p, out, p->tot_len, 0);
        pbuf_free(p);
    }
    return len;
}

static void tick(void *ctx, uint64_t now_us)
{
    if (due_us > now_us)
        return;
    if (due_us != START)
        tcp_tmr();
    due_us = tcp_active_pcbs || tcp_tw_pcbs ? now_us + TCP_TMR_INTERVAL * 1000u : NEVER;
}

static uint64_t deadline(void *ctx)
{
    return due_us;
}

int bridge_lwip_start(struct bridge *b)
{
    static const struct bridge_stack stack = {input, poll, tick, deadline, NULL};

    if (device && device != b)
        return TN_EEXIST;
    if (!device) {
        device = b;
        lwip_init();
        netif_add(&netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, NULL, open_netif, ip4_input);
        netif_set_default(&netif);
        netif_set_up(&netif);
        netif_set_link_up(&netif);
    }
    bridge_set_stack(b, &stack);
    return 0;
}
