/* See coord_e2e.h. */
#include "coord_e2e.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"

#include "coord_child.h"

struct tn_now e2e_now(void)
{
    struct timespec mono, real;

    clock_gettime(CLOCK_BOOTTIME, &mono);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct tn_now){
        .us = (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
        .unix_ns = (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec,
    };
}

/* ---- the program ---- */

static const char *program(void)
{
    const char *path = getenv("TUND_COORD");

    if (!path)
        fail_msg("TUND_COORD must name the program");
    return path;
}

void e2e_prepare(struct coordinator *c)
{
    memset(c, 0, sizeof(*c));
    (void)program(); /* fails before anything is made */
    strcpy(c->dir, "/tmp/tund-e2e.XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    snprintf(c->log, sizeof(c->log), "%s.log", c->dir);
}

void e2e_remove(struct coordinator *c)
{
    static const char *const names[] = {"coord.db", "coord.db-wal", "coord.db-shm", "key",
                                        "url", "daemon.lock", "status.sock", "places"};
    char path[128];

    assert_int_equal(c->pid, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", c->dir, names[i]);
        unlink(path);
    }
    unlink(c->log);
    assert_int_equal(rmdir(c->dir), 0);
}

/* What it said instead of its line; fails the test and leaves nothing behind. */
static void fail_start(struct coordinator *c, const char *line)
{
    char log[512] = "";
    FILE *f = fopen(c->log, "r");

    if (f) {
        log[fread(log, 1, sizeof(log) - 1, f)] = '\0';
        fclose(f);
    }
    (void)e2e_stop(c, SIGKILL);
    e2e_remove(c);
    fail_msg("tund-coord said \"%s\", and in its log: %s", line, log);
}

/* Splits at blanks; argv points into `text`. */
static int split(char *text, char **argv, int max)
{
    char *save = NULL;
    int argc = 0;

    for (char *word = strtok_r(text, " ", &save); word && argc < max - 1;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    return argc;
}

static void become(char *arguments, int out, int err)
{
    char *argv[32];

    argv[0] = (char *)(uintptr_t)program();
    split(arguments, argv + 1, 31);
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0); /* should the test be killed */
    CHECK(dup2(out, STDOUT_FILENO) >= 0);
    CHECK(dup2(err, STDERR_FILENO) >= 0);
    execv(argv[0], argv);
    _exit(127);
}

/* One line of a pipe, with a deadline. */
static void read_line(int fd, char *line, size_t cap)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;

    while (len + 1 < cap) {
        if (poll(&p, 1, E2E_DEADLINE_MS) <= 0 || read(fd, line + len, 1) != 1)
            break;
        if (line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
}

static void find_alt_port(struct coordinator *c)
{
    json_t *s = e2e_status(c);
    const char *text =
        json_string_value(json_array_get(json_object_get(s, "listening"), 1));

    assert_non_null(text);
    c->alt_port = (uint16_t)atoi(strrchr(text, ':') + 1);
    json_decref(s);
}

void e2e_start(struct coordinator *c, const char *listen, const char *extra, unsigned small_disk_kib)
{
    static const char opening[] = "coordinator ";
    char arguments[512], line[TN_URL_SIZE + 32];
    int fd[2], log;

    snprintf(arguments, sizeof(arguments), "run --state %s --listen %s --tls-port 0 --log-level info %s", c->dir,
             listen, extra ? extra : "");
    log = open(c->log, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(log >= 0);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        char options[64];

        if (small_disk_kib) {
            child_private_mounts();
            snprintf(options, sizeof(options), "mode=700,size=%uk", small_disk_kib);
            CHECK(mount("none", c->dir, "tmpfs", 0, options) == 0);
        }
        become(arguments, fd[1], log);
    }
    close(fd[1]);
    close(log);
    read_line(fd[0], line, sizeof(line));
    close(fd[0]);
    if (strncmp(line, opening, strlen(opening)))
        fail_start(c, line);
    assert_int_equal(
        tn_url_decode(&c->url, line + strlen(opening), strlen(line) - strlen(opening)), 0);
    if (!small_disk_kib)
        find_alt_port(c);
}

int e2e_stop(struct coordinator *c, int signal)
{
    int status = 0;

    assert_true(c->pid > 0);
    assert_int_equal(kill(c->pid, signal), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int e2e_run(const char *arguments, char *out, size_t cap)
{
    char copy[512];
    size_t len = 0;
    ssize_t n;
    int fd[2], status;
    pid_t pid;

    snprintf(copy, sizeof(copy), "%s", arguments);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        become(copy, fd[1], fd[1]);
    close(fd[1]);
    while (len + 1 < cap && (n = read(fd[0], out + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

json_t *e2e_status(const struct coordinator *c)
{
    char arguments[128];
    static char out[16384];
    json_t *j;

    snprintf(arguments, sizeof(arguments), "status --state %s --json", c->dir);
    assert_int_equal(e2e_run(arguments, out, sizeof(out)), 0);
    j = json_loads(out, 0, NULL);
    assert_non_null(j);
    return j;
}

long e2e_number(const struct coordinator *c, const char *group, const char *name)
{
    json_t *s = e2e_status(c), *v = json_object_get(json_object_get(s, group), name);
    long n;

    assert_true(json_is_integer(v));
    n = (long)json_integer_value(v);
    json_decref(s);
    return n;
}

long e2e_rss_kib(const struct coordinator *c)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "VmRSS:", 6))
            kib = atol(line + 6);
    }
    fclose(f);
    assert_true(kib > 0);
    return kib;
}

/* ---- members ---- */

static void seed_of(uint8_t seed[32], uint8_t kind, unsigned network, unsigned number)
{
    memset(seed, kind, 32);
    seed[1] = (uint8_t)network;
    seed[2] = (uint8_t)(number >> 8);
    seed[3] = (uint8_t)number;
}

static void fill_certificate(struct tn_cert *cert, unsigned network, unsigned number)
{
    uint8_t seed[32], host[8] = {0};

    memset(cert, 0, sizeof(*cert));
    seed_of(seed, 'n', network, 0);
    tn_ed25519_public(cert->network_public, seed);
    seed_of(seed, 'v', network, number);
    memcpy(cert->invite_id, seed, sizeof(cert->invite_id));
    tn_ed25519_public(cert->invite_public, seed);
    cert->not_after_s = e2e_now().unix_ns / 1000000000 + 3600;
    memcpy(cert->ipv4, (uint8_t[]){10, 9, (uint8_t)((number + 1) >> 8), (uint8_t)(number + 1)}, 4);
    cert->ipv4_bits = 16;
    host[6] = (uint8_t)((number + 1) >> 8);
    host[7] = (uint8_t)(number + 1);
    tn_network_address6(cert->ipv6, cert->network_public, host);
    snprintf(cert->name, sizeof(cert->name), "m%u", number);
    strcpy(cert->network, "home");
    seed_of(seed, 'n', network, 0);
    assert_int_equal(tn_cert_sign(cert, seed), 0);
}

void member_sign(struct member *m, unsigned network, unsigned number, uint64_t epoch)
{
    uint8_t seed[32], pub[32];

    seed_of(seed, 'n', network, 0);
    assert_int_equal(tn_cert_sign(&m->card.cert, seed), 0);
    seed_of(seed, 'v', network, number);
    assert_int_equal(tn_card_sign_membership(&m->card, seed), 0);
    seed_of(seed, 'i', network, number);
    assert_int_equal(tn_x25519_public(pub, m->private_key), 0);
    if (epoch)
        assert_int_equal(tn_card_sign_key(&m->card, seed, epoch, pub), 0);
    else
        assert_int_equal(tn_card_sign_left(&m->card, seed), 0);
    assert_int_equal(tn_card_encode(&m->card, m->wire, sizeof(m->wire), &m->wire_len), 0);
}

static void open_socket(struct member *m, const struct tn_addr *local)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);

    memcpy(&at.sin_addr, local->ip + 12, 4);

    m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(m->fd >= 0);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(m->fd, (struct sockaddr *)&at, &len), 0);
    m->port = ntohs(at.sin_port);
}

void member_open(struct member *m, const struct coordinator *c, uint16_t port, unsigned network,
                 unsigned number)
{
    struct tn_addr local = tn_addr_v4((const uint8_t[]){127, 0, 0, 1}, 0), server = local;

    server.port = port;
    member_open_at(m, c->url.public_key, &local, &server, network, number);
}

void member_open_at(struct member *m, const uint8_t server_public[32], const struct tn_addr *local,
                    const struct tn_addr *server, unsigned network, unsigned number)
{
    struct tn_coord_client_config cfg = {.channel = m->channel,
                                         .channel_count = sizeof(m->channel) /
                                                          sizeof(m->channel[0])};
    struct tn_addr none = {.port = 0};
    uint8_t seed[32];

    memset(m, 0, sizeof(*m));
    m->join_status = m->update_status = m->lookup_status = m->connect_status = m->bind_status = -1;
    open_socket(m, local);
    seed_of(m->private_key, 'w', network, number);
    tn_x25519_clamp(m->private_key);
    fill_certificate(&m->card.cert, network, number);
    seed_of(seed, 'i', network, number);
    tn_ed25519_public(m->card.identity, seed);
    m->card.joined_at_s = e2e_now().unix_ns / 1000000000;
    member_sign(m, network, number, 1);
    seed_of(seed, 'r', network, number);
    tn_put_be16(seed + 8, m->port); /* another generator for each client */
    assert_int_equal(
        tn_coord_client_init(&m->client, &cfg, m->private_key, server_public, seed), 0);
    tn_coord_client_set_server(&m->client, server, &none, e2e_now());
    tn_coord_client_start(&m->client, e2e_now());
}

void member_close(struct member *m)
{
    tn_coord_client_wipe(&m->client);
    close(m->fd);
}

void member_join(struct member *m)
{
    assert_int_equal(tn_coord_client_join(&m->client, m->wire, m->wire_len, e2e_now()), 0);
}

static void take_event(struct member *m, const struct tn_coord_event *e)
{
    struct tn_card card;

    switch (e->kind) {
    case TN_COORD_EV_CONNECTED:
        m->connected = true;
        m->observed = e->addr;
        break;
    case TN_COORD_EV_DISCONNECTED:
        m->connected = false;
        break;
    case TN_COORD_EV_JOIN_RESULT:
        m->join_status = e->status;
        break;
    case TN_COORD_EV_UPDATE_RESULT:
        m->update_status = e->status;
        break;
    case TN_COORD_EV_CARD:
        m->cards++;
        if (e->of_lookup) {
            assert_int_equal(tn_card_decode(&card, e->card, e->card_len), 0);
            memcpy(m->found, card.identity, 32);
            m->lookup_status = TN_STATUS_OK;
        }
        break;
    case TN_COORD_EV_LOOKUP_FAILED:
        m->lookup_status = e->status;
        break;
    case TN_COORD_EV_SYNC_DONE:
        m->synced_seq = e->seq;
        break;
    case TN_COORD_EV_CONNECT_RESULT:
        m->connect_status = e->status;
        break;
    case TN_COORD_EV_PUNCH:
        m->punches++;
        break;
    case TN_COORD_EV_BIND_RESULT:
        m->bind_status = e->status;
        break;
    default:
        break;
    }
}

static void send_datagram(struct member *m, const uint8_t *data, size_t len,
                          const struct tn_addr *to)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(to->port)};

    memcpy(&at.sin_addr, to->ip + 12, 4);
    /* ECONNREFUSED while it is restarted, and the like: loss, which the client is made for */
    (void)sendto(m->fd, data, len, 0, (struct sockaddr *)&at, sizeof(at));
}

static void pull(struct member *m)
{
    struct tn_coord_event e;
    uint8_t out[TN_CTL_MAX_LEN];
    struct tn_addr to;
    size_t len;

    while (tn_coord_client_take_event(&m->client, &e))
        take_event(m, &e);
    while ((len = tn_coord_client_poll_out(&m->client, e2e_now(), out, sizeof(out), &to)) > 0)
        send_datagram(m, out, len, &to);
}

static void push_datagram(struct member *m, uint8_t *data, size_t len, const struct tn_addr *src)
{
    struct tn_buf b = {.mem = data, .cap = 2048, .off = 0, .len = len};

    if (len && data[0] == TN_CTL_RELAY) {
        if (tn_coord_client_open_relay(&m->client, src, &b))
            return;
        memcpy(m->frame, tn_buf_data(&b), b.len);
        m->frame_len = b.len;
        m->frames++;
        return;
    }
    if (tn_coord_client_on_datagram(&m->client, src, data, len, e2e_now()))
        return; /* not for us, or late: the client counts it */
    pull(m);
}

static void read_all_datagrams(struct member *m)
{
    uint8_t data[2048];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t n;

    while ((n = recvfrom(m->fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len)) >= 0) {
        struct tn_addr src =
            tn_addr_v4((const uint8_t *)&from.sin_addr, ntohs(from.sin_port));

        push_datagram(m, data, (size_t)n, &src);
    }
}

static int poll_timeout_ms(struct member *const *m, size_t count)
{
    uint64_t now = e2e_now().us, next = now + 100000;

    for (size_t i = 0; i < count; i++) {
        uint64_t at = tn_coord_client_next_deadline(&m[i]->client, NULL);

        if (at < next)
            next = at;
    }
    return next > now ? (int)((next - now) / 1000 + 1) : 0;
}

void members_run_until(struct member *const *m, size_t count, bool (*done)(void *), void *ctx)
{
    uint64_t give_up = e2e_now().us + E2E_DEADLINE_MS * 1000ull;
    struct pollfd p[8];

    assert_true(count <= 8);
    for (;;) {
        for (size_t i = 0; i < count; i++) {
            read_all_datagrams(m[i]);
            if (tn_coord_client_next_deadline(&m[i]->client, NULL) <= e2e_now().us)
                tn_coord_client_tick(&m[i]->client, e2e_now());
            pull(m[i]);
            p[i] = (struct pollfd){.fd = m[i]->fd, .events = POLLIN};
        }
        if (done(ctx))
            return;
        if (e2e_now().us > give_up)
            fail_msg("what was waited for did not come within %d ms", E2E_DEADLINE_MS);
        (void)poll(p, count, poll_timeout_ms(m, count)); /* an interruption is as good as a wake */
    }
}

bool member_relay(struct member *m, uint16_t channel, uint8_t fill, size_t len)
{
    uint8_t data[2048];
    struct tn_buf b = {.mem = data, .cap = sizeof(data), .off = TN_BUF_HEADROOM, .len = len};
    struct tn_addr to;

    memset(tn_buf_data(&b), fill, len);
    memcpy(tn_buf_data(&b), (uint8_t[]){4, 0, 0, 0}, 4);
    if (tn_coord_client_push_relay(&m->client, channel, &b, &to, e2e_now()))
        return false;
    send_datagram(m, tn_buf_data(&b), b.len, &to);
    return true;
}
