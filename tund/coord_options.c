/* How it works: getopt_long over one table; a row tells which subcommands take
 * the option, and every value is checked against its range at once, so that a
 * mistake is named before anything is opened. Nothing secret can be given here:
 * the key is made in the state directory. */
#include "coord_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define NETWORKS_DEFAULT 16
#define NETWORKS_MAX 1000000
#define MEMBERS_DEFAULT 256
#define MEMBERS_MAX 1000000
#define SESSIONS_DEFAULT 4096
#define TLS_DEFAULT 512
#define TLS_MAX 65535 /* rows that a stream address can name */
#define SESSIONS_MAX 1048576 /* tn_server's own limit */
#define RATE_DEFAULT 100000000u
#define RATE_MIN 64000u /* below this not even a handshake gets through in good time */
#define RATE_MAX 100000000000ull

enum {
    OPT_STATE = 256,
    OPT_LISTEN,
    OPT_ALT_PORT,
    OPT_TLS_PORT,
    OPT_TLS_MAX,
    OPT_ADVERTISE,
    OPT_MAX_NETWORKS,
    OPT_MAX_MEMBERS,
    OPT_MAX_SESSIONS,
    OPT_RELAY_RATE,
    OPT_LOG_LEVEL,
    OPT_USER,
    OPT_JSON,
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, OPT_STATE},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"alt-port", required_argument, NULL, OPT_ALT_PORT},
    {"tls-port", required_argument, NULL, OPT_TLS_PORT},
    {"tls-max", required_argument, NULL, OPT_TLS_MAX},
    {"advertise", required_argument, NULL, OPT_ADVERTISE},
    {"max-networks", required_argument, NULL, OPT_MAX_NETWORKS},
    {"max-members", required_argument, NULL, OPT_MAX_MEMBERS},
    {"max-sessions", required_argument, NULL, OPT_MAX_SESSIONS},
    {"relay-rate", required_argument, NULL, OPT_RELAY_RATE},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"user", required_argument, NULL, OPT_USER},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Which subcommands take an option. */
static bool is_taken(int opt, enum coord_command command)
{
    switch (opt) {
    case 'h':
    case OPT_STATE:
        return true;
    case OPT_JSON:
        return command == COORD_STATUS;
    default:
        return command == COORD_RUN;
    }
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (!*text || strlen(text) > 15)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

static bool parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v;

    if (!parse_number(text, max, &v) || v < min)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool coord_parse_rate(const char *text, uint64_t *bits)
{
    static const struct {
        char letter;
        uint64_t factor;
    } unit[] = {{'k', 1000}, {'K', 1000}, {'M', 1000000}, {'G', 1000000000}};
    char digits[16];
    size_t len = strlen(text);
    uint64_t factor = 1, v;

    if (!len || len >= sizeof(digits))
        return false;
    memcpy(digits, text, len + 1);
    for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
        if (digits[len - 1] == unit[i].letter) {
            factor = unit[i].factor;
            digits[len - 1] = '\0';
            break;
        }
    }
    if (!parse_number(digits, RATE_MAX / factor, &v))
        return false;
    *bits = v * factor;
    return true;
}

/* Splits "HOST", "HOST:PORT", "[HOST]" and "[HOST]:PORT"; *port is NULL where there is none. */
static bool split_host(const char *text, char host[TN_HOST_SIZE], const char **port,
                       bool *bracketed)
{
    const char *end, *after;

    *bracketed = text[0] == '[';
    if (*bracketed) {
        text++;
        end = strchr(text, ']');
        if (!end)
            return false;
        after = end + 1;
    } else {
        end = strchr(text, ':');
        if (!end)
            end = text + strlen(text);
        after = end;
    }
    if (end == text || (size_t)(end - text) > TN_HOST_MAX_LEN)
        return false;
    if (*after != '\0' && *after != ':')
        return false;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    *port = *after ? after + 1 : NULL;
    return true;
}

bool coord_parse_listen(const char *text, uint16_t port, struct tn_addr *out)
{
    char host[TN_HOST_SIZE];
    const char *port_text;
    uint32_t v = port;
    uint8_t ip[16];
    bool v6;

    if (!split_host(text, host, &port_text, &v6))
        return false;
    if (port_text && !parse_u32(port_text, 0, UINT16_MAX, &v))
        return false;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, ip) != 1)
        return false;
    *out = v6 ? tn_addr_v6(ip, (uint16_t)v) : tn_addr_v4(ip, (uint16_t)v);
    return !(v6 && tn_addr_is_v4(out));
}

bool coord_parse_host(const char *text, char host[TN_HOST_SIZE], uint16_t *port)
{
    char name[TN_HOST_SIZE];
    const char *port_text;
    uint8_t ip[16];
    uint32_t v = 0;
    bool v6;

    if (!split_host(text, name, &port_text, &v6))
        return false;
    if (port_text && !parse_u32(port_text, 1, UINT16_MAX, &v))
        return false;
    if (v6 ? inet_pton(AF_INET6, name, ip) != 1 : !tn_host_is_valid(name, strlen(name)))
        return false;
    memcpy(host, name, TN_HOST_SIZE);
    *port = (uint16_t)v;
    return true;
}

static bool take_listen(struct coord_options *o, const char *arg, struct why *w)
{
    struct tn_addr a;

    if (o->listen_count == COORD_LISTEN_MAX) {
        (void)why_set(w, -EINVAL, "--listen can be given at most %d times", COORD_LISTEN_MAX);
        return false;
    }
    if (!coord_parse_listen(arg, COORD_PORT_DEFAULT, &a)) {
        (void)why_set(w, -EINVAL, "--listen wants an address of this machine, as in 192.0.2.1, "
                      "0.0.0.0:3478 or [2001:db8::1]:3478 (IPv6 in brackets)");
        return false;
    }
    if (a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80) {
        (void)why_set(w, -EINVAL, "--listen %s: a link-local address is of no use to members "
                      "elsewhere", arg);
        return false;
    }
    o->listen[o->listen_count++] = a;
    return true;
}

static bool take_number(const char *name, const char *arg, uint32_t max, uint32_t *out,
                        struct why *w)
{
    if (parse_u32(arg, 1, max, out))
        return true;
    (void)why_set(w, -EINVAL, "--%s wants a number from 1 to %u", name, max);
    return false;
}

static bool take_rate(struct coord_options *o, const char *arg, struct why *w)
{
    if (coord_parse_rate(arg, &o->relay_rate_bits) && o->relay_rate_bits >= RATE_MIN)
        return true;
    (void)why_set(w, -EINVAL, "--relay-rate wants bits per second, at least 64k, as in 20M or 1G");
    return false;
}

static bool take_tls_port(struct coord_options *o, const char *arg, struct why *w)
{
    uint32_t v;

    if (!parse_u32(arg, 0, UINT16_MAX, &v)) {
        (void)why_set(w, -EINVAL, "--tls-port wants a number from 0 (no TLS) to 65535");
        return false;
    }
    o->tls_port = (uint16_t)v;
    o->tls_port_given = true;
    return true;
}

/* `name` is the option's, for the sentence. */
static bool take(struct coord_options *o, int opt, const char *name, const char *arg, struct why *w)
{
    uint32_t v;

    switch (opt) {
    case OPT_STATE:
        o->state_dir = arg;
        break;
    case OPT_LISTEN:
        return take_listen(o, arg, w);
    case OPT_ALT_PORT:
        if (!take_number(name, arg, UINT16_MAX, &v, w))
            return false;
        o->alt_port = (uint16_t)v;
        break;
    case OPT_TLS_PORT:
        return take_tls_port(o, arg, w);
    case OPT_TLS_MAX:
        return take_number(name, arg, TLS_MAX, &o->tls_max, w);
    case OPT_ADVERTISE:
        if (coord_parse_host(arg, o->advertise_host, &o->advertise_port))
            break;
        (void)why_set(w, -EINVAL, "--advertise wants the name or address by which members reach "
                      "this machine, as in coord.example.org or [2001:db8::1]:3478");
        return false;
    case OPT_MAX_NETWORKS:
        return take_number(name, arg, NETWORKS_MAX, &o->max_networks, w);
    case OPT_MAX_MEMBERS:
        return take_number(name, arg, MEMBERS_MAX, &o->max_members, w);
    case OPT_MAX_SESSIONS:
        return take_number(name, arg, SESSIONS_MAX, &o->max_sessions, w);
    case OPT_RELAY_RATE:
        return take_rate(o, arg, w);
    case OPT_LOG_LEVEL:
        if (log_level_parse(arg, &o->log_level))
            break;
        (void)why_set(w, -EINVAL, "--log-level wants silent, error, warn, info, debug or trace");
        return false;
    case OPT_USER:
        o->user = arg;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    }
    if (arg && !*arg) {
        (void)why_set(w, -EINVAL, "--%s needs a value", name);
        return false;
    }
    return true;
}

/* What can only be said when all options are known. */
static bool check_run(const struct coord_options *o, struct why *w)
{
    if (o->listen_count == 0) {
        (void)why_set(w, -EINVAL, "--listen is missing: the address to listen on, as in "
                      "--listen 0.0.0.0 (all of IPv4) or --listen [::] (all of both families)");
        return false;
    }
    for (unsigned i = 0; i < o->listen_count; i++) {
        uint16_t port = o->listen[i].port;

        if (!o->alt_port && port == UINT16_MAX) {
            (void)why_set(w, -EINVAL, "there is no port above 65535 for the second socket: give "
                          "another --listen port, or --alt-port");
            return false;
        }
        if (o->alt_port && o->alt_port == port) {
            (void)why_set(w, -EINVAL, "--alt-port must be another port than that of --listen");
            return false;
        }
    }
    return true;
}

enum coord_parse coord_options_parse(enum coord_command command, int argc, char **argv,
                                     struct coord_options *out, struct why *w)
{
    struct coord_options o = {
        .state_dir = COORD_STATE_DIR_DEFAULT,
        .max_networks = NETWORKS_DEFAULT,
        .max_members = MEMBERS_DEFAULT,
        .max_sessions = SESSIONS_DEFAULT,
        .tls_port = COORD_TLS_PORT_DEFAULT,
        .tls_max = TLS_DEFAULT,
        .relay_rate_bits = RATE_DEFAULT,
        .log_level = LOG_LEVEL_INFO,
    };
    int opt, row = 0;

    optind = 0; /* glibc: begin anew, whatever was parsed before */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":h", long_options, &row)) != -1) {
        if (opt == ':' || opt == '?') {
            (void)why_set(w, -EINVAL, opt == ':' ? "%s needs a value" : "%s is no option here",
                          argv[optind - 1]);
            return COORD_PARSE_BAD;
        }
        if (opt == 'h')
            return COORD_PARSE_HELP;
        if (!is_taken(opt, command)) {
            (void)why_set(w, -EINVAL, "--%s is no option of this command", long_options[row].name);
            return COORD_PARSE_BAD;
        }
        if (!take(&o, opt, long_options[row].name, optarg, w))
            return COORD_PARSE_BAD;
    }
    if (optind < argc) {
        (void)why_set(w, -EINVAL, "\"%s\" is one argument too many", argv[optind]);
        return COORD_PARSE_BAD;
    }
    if (command == COORD_RUN && !check_run(&o, w))
        return COORD_PARSE_BAD;
    *out = o;
    return COORD_PARSE_RUN;
}
