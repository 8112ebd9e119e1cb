/* The search. The library's own waits for the last straggler and takes every host's answer; ours goes to
 * the group and, as some routers hear only one of them, to the gateway directly, three times, and counts
 * an answer only if it came from the gateway and points back to it. */
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

#define SSDP_PORT 1900
#define REPEAT_MS 700    /* a datagram may get lost */
#define STRAGGLERS_MS 50 /* a router may have several descriptions */
#define DATAGRAM_MAX 2048

static const char *const targets[] = {
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
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

int ssdp_open(const struct tn_addr *own)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    unsigned char ttl = 2;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    memcpy(&sa.sin_addr, own->ip + 12, 4);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &sa.sin_addr, sizeof sa.sin_addr) == 0 &&
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

static int send_search(int fd, const char *target, const char *host, const struct sockaddr_in *to)
{
    char text[256];
    int len = snprintf(text, sizeof text,
                       "M-SEARCH * HTTP/1.1\r\nHOST: %s:1900\r\nMAN: \"ssdp:discover\"\r\n"
                       "MX: 1\r\nST: %s\r\n\r\n", host, target);

    return sendto(fd, text, (size_t)len, 0, (const struct sockaddr *)to, sizeof *to) < 0 ? -errno : 0;
}

/* What cannot be sent now is sent again, or the other way gets through. */
static void send_all(int fd, const struct tn_addr *gateway)
{
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_port = htons(SSDP_PORT)};
    struct sockaddr_in one = group;
    char name[INET_ADDRSTRLEN];

    group.sin_addr.s_addr = htonl(0xeffffffau); /* 239.255.255.250 */
    memcpy(&one.sin_addr, gateway->ip + 12, 4);
    if (!inet_ntop(AF_INET, &one.sin_addr, name, sizeof name))
        return;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        (void)send_search(fd, targets[i], "239.255.255.250", &group);
        (void)send_search(fd, targets[i], name, &one);
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
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &from_len);

    if (n > 0 && from_len == sizeof from && memcmp(&from.sin_addr, gateway->ip + 12, 4) == 0)
        ssdp_take(text, (size_t)n, gateway, out);
}

void ssdp_search(int fd, const struct tn_addr *gateway, struct ssdp_found *out)
{
    int64_t now = clock_ms(), end = now + SSDP_WAIT_MS, again = now;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool had = false;

    memset(out, 0, sizeof *out);
    for (; now < end; now = clock_ms()) {
        if (now >= again && !out->count) {
            send_all(fd, gateway);
            again = now + REPEAT_MS;
        }
        if (poll(&p, 1, (int)((out->count || end < again ? end : again) - now)) > 0)
            receive(fd, gateway, out);
        if (out->count && !had) {
            had = true;
            end = clock_ms() + STRAGGLERS_MS;
        }
    }
}
