/* The inside of netcheck*.c, and of nobody else.
 *
 *   netcheck.c         life: start, deadline, end
 *   netcheck_udp.c     sockets of the NAT check and of the packet sizes
 *   netcheck_tcp.c     TCP to port 443, HTTP to port 80
 *   netcheck_report.c  the result as JSON
 */
#ifndef TUND_NETCHECK_INSIDE_H
#define TUND_NETCHECK_INSIDE_H

#include "libtunnel/crypto/crypto.h"
#include "libtunnel/path/stun.h"

#include "netcheck.h"
#include "resolve.h"

#define NETCHECK_SIZES 10
#define NETCHECK_SIZE_SOCKET TN_NATCHECK_SOCKETS /* the number of the socket that sends by size */
#define NETCHECK_SOCKETS (TN_NATCHECK_SOCKETS + 1)

struct netcheck;

struct netcheck_socket {
    uv_poll_t poll;
    struct netcheck *owner;
    int fd; /* -1: not open */
    uint8_t family, number;
};

struct netcheck_udp {
    struct netcheck_socket socket[NETCHECK_SOCKETS];
    struct tn_natcheck check;
    uint8_t size_txid[NETCHECK_SIZES][TN_STUN_TXID_LEN];
    unsigned size_rounds;
    uint64_t size_due_us; /* TN_NEVER: no more */
    bool on;
};

struct netcheck_tcp_try {
    uv_tcp_t handle;
    uv_connect_t connect;
    uv_write_t write;
    struct netcheck *owner;
    bool open, over;
    char text[512]; /* what HTTP was answered, as far as it matters */
    size_t len;
};

struct netcheck {
    uv_loop_t *loop;
    uv_timer_t timer, deadline;
    struct tn_rng rng;
    struct netcheck_udp udp[2];
    struct netcheck_tcp_try tcp[2]; /* 443, 80 */
    struct resolve *nat64; /* under way, or NULL */
    struct netcheck_result result;
    unsigned handles; /* open ones: the last to close frees */
    uint64_t began_us;
    bool over;
    void (*cb)(void *ctx, const struct netcheck_result *r);
    void *ctx;
};

struct tn_now netcheck_now(void);
void netcheck_closed(struct netcheck *n); /* from every handle's close callback */
/* Something came, or was missed: sends what is due, arms the timer, ends when all is known. */
void netcheck_step(struct netcheck *n);

TN_MUST_CHECK int netcheck_udp_open(struct netcheck *n, uint8_t family);
void netcheck_udp_close(struct netcheck *n, uint8_t family);
void netcheck_udp_send(struct netcheck *n, uint8_t family);
uint64_t netcheck_udp_next(const struct netcheck *n, uint8_t family);
bool netcheck_udp_is_over(const struct netcheck *n, uint8_t family);

void netcheck_tcp_open(struct netcheck *n, const struct tn_addr *server);
void netcheck_tcp_close(struct netcheck *n);
bool netcheck_tcp_is_over(const struct netcheck *n);

/* True: an HTTP answer that sends us to another host; it is put into `to`, cleaned. Pure. */
bool netcheck_is_redirect(const char *answer, size_t len, const char *own_host, char *to, size_t cap);

#endif
