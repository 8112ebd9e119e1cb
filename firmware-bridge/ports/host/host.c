/* One device of tund-device. The socket is dual stack: IPv4 addresses are mapped into IPv6 there as
 * in struct tn_addr. A write to the state file is on the disk before it counts, since a handshake
 * stamp must not be given out twice. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RESOLVE_RETRY_US 5000000u
#define RECEIVE_MAX 64 /* datagrams in one go, so that others come in turn */
#define INVITE_MAX 4096

uint64_t host_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t app_clock(void *ctx)
{
    return host_now();
}

/* ---- storage ---- */

static int storage_read(void *ctx, uint32_t at, void *out, size_t len)
{
    struct host_device *d = ctx;

    return pread(d->state_fd, out, len, at) == (ssize_t)len ? 0 : -1;
}

static int storage_write(void *ctx, uint32_t at, const void *data, size_t len)
{
    struct host_device *d = ctx;

    if (pwrite(d->state_fd, data, len, at) != (ssize_t)len)
        return -1;
    return fdatasync(d->state_fd);
}

static int open_state(struct host_device *d)
{
    char path[320];

    snprintf(path, sizeof path, "%s/state", d->dir);
    d->state_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->state_fd < 0 || ftruncate(d->state_fd, BRIDGE_STORAGE_LEN) < 0)
        return -errno;
    d->storage = (struct bridge_storage){storage_read, storage_write, d};
    return 0;
}

/* ---- life ---- */

static int open_socket(int *fd, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int off = 0;

    *fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0 ||
        bind(*fd, (struct sockaddr *)&a, sizeof a) < 0)
        return -errno;
    return 0;
}

static int join(struct host_device *d)
{
    char path[320], text[INVITE_MAX];
    ssize_t len;
    int fd, err;

    snprintf(path, sizeof path, "%s/invite", d->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err = errno;
        fprintf(stderr, "%s: %s (an invite makes the device a member)\n", path, strerror(err));
        return -err;
    }
    len = read(fd, text, sizeof text);
    err = len < 0 ? -errno : 0;
    close(fd);
    if (!err && bridge_join(d->bridge, text, (size_t)len, (uint64_t)time(NULL), host_now()) != 0) {
        fprintf(stderr, "%s: no invite, or one that has expired\n", path);
        err = -EINVAL;
    }
    explicit_bzero(text, sizeof text);
    return err;
}

static int boot(struct host_device *d)
{
    struct bridge_config cfg = {.storage = &d->storage};
    int err;

    if (getrandom(cfg.rng_seed, sizeof cfg.rng_seed, 0) != sizeof cfg.rng_seed)
        return -EIO;
    err = bridge_init(d->bridge, &cfg, host_now());
    explicit_bzero(&cfg, sizeof cfg);
    if (err && err != TN_ENOENT) {
        fprintf(stderr, "%s/state cannot be read or written\n", d->dir);
        return -EIO;
    }
    if (err == TN_ENOENT) {
        err = join(d);
        if (err)
            return err;
    }
    bridge_use_probe_socket(d->bridge, true);
    return app_start(&d->app, d->bridge, app_clock, NULL) ? -ENOSPC : 0;
}

int host_open(struct host_device *d, const char *dir, uint16_t port, bool is_silent)
{
    int err;

    *d = (struct host_device){.fd = -1, .probe_fd = -1, .state_fd = -1, .is_silent = is_silent};
    snprintf(d->dir, sizeof d->dir, "%s", dir);
    d->bridge = malloc(bridge_sizeof());
    if (!d->bridge)
        return -ENOMEM;
    err = open_state(d);
    if (!err)
        err = open_socket(&d->fd, port);
    if (err) {
        fprintf(stderr, "%s: %s\n", dir, strerror(-err));
        free(d->bridge);
        d->bridge = NULL;
        return err;
    }
    d->told = BRIDGE_EMPTY;
    return boot(d);
}

void host_close(struct host_device *d)
{
    if (d->bridge)
        bridge_wipe(d->bridge);
    free(d->bridge);
    d->bridge = NULL;
    if (d->fd >= 0)
        close(d->fd);
    if (d->probe_fd >= 0)
        close(d->probe_fd);
    if (d->state_fd >= 0)
        close(d->state_fd);
    d->fd = d->probe_fd = d->state_fd = -1;
}

/* ---- the coordinator's name ---- */

static void resolve(struct host_device *d, uint64_t now_us)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
    struct tn_addr a;
    uint16_t port;
    const char *host = bridge_coordinator(d->bridge, &port);

    d->resolve_at_us = UINT64_MAX;
    if (!host)
        return;
    if (getaddrinfo(host, NULL, &hints, &list) != 0) {
        d->resolve_at_us = now_us + RESOLVE_RETRY_US;
        return;
    }
    if (list->ai_family == AF_INET)
        a = tn_addr_v4((const uint8_t *)&((struct sockaddr_in *)list->ai_addr)->sin_addr, port);
    else
        a = tn_addr_v6((const uint8_t *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr, port);
    freeaddrinfo(list);
    bridge_set_coordinator(d->bridge, &a, now_us);
}

/* ---- datagrams ---- */

static void tell(struct host_device *d, uint64_t now_us)
{
    struct bridge_info info;

    bridge_info(d->bridge, &info, now_us);
    if (info.state == d->told)
        return;
    d->told = info.state;
    if (d->is_silent)
        return;
    printf("%s %s %.3f\n", info.name, bridge_state_name(info.state), (double)info.uptime_us / 1e6);
    fflush(stdout);
}

static void send_out(int fd, const struct bridge_out *out)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(out->to.port)};

    memcpy(&a.sin6_addr, out->to.ip, 16);
    if (sendto(fd, out->data, out->len, 0, (struct sockaddr *)&a, sizeof a) < 0)
        return; /* lost, as on the air: whoever needs it sends again */
}

static void pump_probe(struct host_device *d)
{
    struct bridge_out out;
    bool is_fresh;

    while (bridge_poll_probe(d->bridge, &out, &is_fresh)) {
        if (is_fresh || d->probe_fd < 0) {
            if (d->probe_fd >= 0)
                close(d->probe_fd);
            if (open_socket(&d->probe_fd, 0) != 0)
                continue; /* the trial comes to nothing, and is made again */
        }
        send_out(d->probe_fd, &out);
    }
}

static void pump(struct host_device *d, uint64_t now_us)
{
    struct bridge_out out;

    if (bridge_take_resolve(d->bridge) || d->resolve_at_us <= now_us)
        resolve(d, now_us);
    pump_probe(d);
    while (bridge_poll(d->bridge, &out, now_us))
        send_out(d->fd, &out);
    tell(d, now_us);
}

static void receive_probe(struct host_device *d, uint64_t now_us)
{
    uint8_t data[64];
    ssize_t len;

    while (d->probe_fd >= 0 && (len = recv(d->probe_fd, data, sizeof data, 0)) >= 0) {
        bridge_on_probe(d->bridge, data, (size_t)len, now_us);
        pump(d, now_us);
    }
}

void host_receive(struct host_device *d, uint64_t now_us)
{
    for (int i = 0; i < RECEIVE_MAX; i++) {
        struct sockaddr_in6 from;
        socklen_t from_len = sizeof from;
        uint8_t *into = bridge_buffer(d->bridge);
        ssize_t len = recvfrom(d->fd, into, BRIDGE_DATAGRAM_MAX, MSG_TRUNC,
                               (struct sockaddr *)&from, &from_len);
        struct tn_addr src;

        if (len < 0)
            break;
        if ((size_t)len > BRIDGE_DATAGRAM_MAX)
            continue; /* the modem would have lost it as well */
        src = tn_addr_v6((const uint8_t *)&from.sin6_addr, ntohs(from.sin6_port));
        bridge_on_datagram(d->bridge, &src, (size_t)len, now_us);
        pump(d, now_us);
    }
    receive_probe(d, now_us);
}

void host_tick(struct host_device *d, uint64_t now_us)
{
    bridge_tick(d->bridge, now_us);
    pump(d, now_us);
}

uint64_t host_next_deadline(const struct host_device *d)
{
    uint64_t at = bridge_next_deadline(d->bridge);

    return d->resolve_at_us < at ? d->resolve_at_us : at;
}
