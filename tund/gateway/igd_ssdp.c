/* The search. The library's own waits for the last straggler and takes every host's answer; ours goes to
 * the group and, as some routers hear only one of them, to the gateway directly, three times, and counts
 * an answer only if it came from the gateway and points back to it. A router names any of its IPv6 addresses:
 * of such a location the port and the path are taken, and the address is always the gateway's. */
#include "igd_ssdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway_addr.h"

#define SSDP_PORT 1900
#define REPEAT_MS 700    /* a datagram may get lost */
#define STRAGGLERS_MS 50 /* a router may have several descriptions */
#define DATAGRAM_MAX 2048

static const char *const targets[] = {
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    NULL,
};
/* The firewall control is of IGD 2 alone. */
static const char *const targets6[] = {
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
    NULL,
};

/* ---- an answer ---- */

/* The value of the header at the beginning of a line, trimmed; false: another header. */
static bool header_value(const char *line, size_t len, const char *name, const char **value,
                         size_t *value_len)
{
    size_t n = strlen(name);

    if (len < n || strncasecmp(line, name, n) != 0)
        return false;
    line += n;
    len -= n;
    while (len && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    *value = line;
    *value_len = len;
    return true;
}

static void add_location(const char *value, size_t len, const struct tn_addr *gateway,
                         struct ssdp_found *out)
{
    char url[IGD_LOCATION_SIZE];

    if (len >= sizeof url || memchr(value, '\0', len)) {
        out->foreign = true;
        return;
    }
    memcpy(url, value, len);
    url[len] = '\0';
    if (!tn_addr_is_v4(gateway)) {
        char at_gateway[IGD_LOCATION_SIZE];

        if (igd_url_at(at_gateway, url, gateway))
            memcpy(url, at_gateway, sizeof url);
    }
    len = strlen(url);
    if (!igd_url_is_of(url, gateway)) {
        out->foreign = true;
        return;
    }
    for (unsigned i = 0; i < out->count; i++) {
        if (strcmp(out->location[i], url) == 0)
            return;
    }
    if (out->count < SSDP_LOCATIONS_MAX)
        memcpy(out->location[out->count++], url, len + 1);
}

void ssdp_take(const char *text, size_t len, const struct tn_addr *gateway, struct ssdp_found *out)
{
    static const char ok[] = "HTTP/1.1 200";
    const char *end = text + len, *value, *line_end;
    size_t value_len;

    if (len < sizeof ok - 1 || strncmp(text, ok, sizeof ok - 1) != 0)
        return;
    for (; text < end; text = line_end + 1) {
        line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            return; /* a line that is cut is none */
        if (header_value(text, (size_t)(line_end - text), "LOCATION:", &value, &value_len)) {
            add_location(value, value_len, gateway, out);
            return;
        }
    }
}

/* ---- the socket ---- */

/* The address that answers is to be the gateway's that we know: a link-local one answers another of the kind. */
static struct tn_addr bind_address(const struct igd_job *job)
{
    static const uint8_t any[16];

    if (!tn_addr_is_v4(&job->gateway) && job->gateway.ip[0] == 0xfe && (job->gateway.ip[1] & 0xc0) == 0x80)
        return tn_addr_v6(any, 0);
    return job->own;
}

static int set_group(int fd, const struct igd_job *job, const union gateway_sockaddr *own)
{
    unsigned char ttl = 2;
    int hops = 1, ifindex = (int)job->scope;
    int err;

    if (tn_addr_is_v4(&job->gateway))
        err = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &own->in.sin_addr, sizeof own->in.sin_addr) ||
              setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);
    else
        err = setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof ifindex) ||
              setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    return err ? -errno : 0;
}

int ssdp_open(const struct igd_job *job)
{
    const struct tn_addr from = bind_address(job);
    int fd = socket(tn_addr_is_v4(&job->gateway) ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    union gateway_sockaddr sa;
    socklen_t len = gateway_to_sockaddr(&from, 0, 0, &sa);
    int err;

    if (fd < 0)
        return -errno;
    err = bind(fd, &sa.sa, len) == 0 ? set_group(fd, job, &sa) : -errno;
    if (!err)
        return fd;
    close(fd);
    return err;
}

static int send_search(int fd, const char *target, const struct tn_addr *host, uint32_t scope)
{
    char text[256], name[INET6_ADDRSTRLEN];
    bool v4 = tn_addr_is_v4(host);
    union gateway_sockaddr to;
    socklen_t to_len = gateway_to_sockaddr(host, SSDP_PORT, scope, &to);
    int len;

    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? host->ip + 12 : host->ip, name, sizeof name))
        return -errno;
    len = snprintf(text, sizeof text, "M-SEARCH * HTTP/1.1\r\nHOST: %s%s%s:1900\r\n"
                   "MAN: \"ssdp:discover\"\r\nMX: 1\r\nST: %s\r\n\r\n",
                   v4 ? "" : "[", name, v4 ? "" : "]", target);
    return sendto(fd, text, (size_t)len, 0, &to.sa, to_len) < 0 ? -errno : 0;
}

/* What cannot be sent now is sent again, or the other way gets through. */
static void send_all(int fd, const struct igd_job *job)
{
    static const uint8_t group4[4] = {239, 255, 255, 250};
    static const uint8_t group6[16] = {0xff, 0x02, [15] = 0x0c};
    bool v4 = tn_addr_is_v4(&job->gateway);
    struct tn_addr group = v4 ? tn_addr_v4(group4, 0) : tn_addr_v6(group6, 0);
    const char *const *target = v4 ? targets : targets6;

    for (size_t i = 0; target[i]; i++) {
        (void)send_search(fd, target[i], &group, job->scope);
        (void)send_search(fd, target[i], &job->gateway, job->scope);
    }
}

static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void receive(int fd, const struct tn_addr *gateway, struct ssdp_found *out)
{
    char text[DATAGRAM_MAX];
    union gateway_sockaddr from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, text, sizeof text, 0, &from.sa, &from_len);
    struct tn_addr sender;

    if (n <= 0)
        return;
    sender = gateway_from_sockaddr(&from);
    if (tn_addr_same_ip(&sender, gateway))
        ssdp_take(text, (size_t)n, gateway, out);
}

void ssdp_search(int fd, const struct igd_job *job, struct ssdp_found *out)
{
    int64_t now = clock_ms(), end = now + SSDP_WAIT_MS, again = now;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool had = false;

    memset(out, 0, sizeof *out);
    for (; now < end; now = clock_ms()) {
        if (now >= again && !out->count) {
            send_all(fd, job);
            again = now + REPEAT_MS;
        }
        if (poll(&p, 1, (int)((out->count || end < again ? end : again) - now)) > 0)
            receive(fd, &job->gateway, out);
        if (out->count && !had) {
            had = true;
            end = clock_ms() + STRAGGLERS_MS;
        }
    }
}
