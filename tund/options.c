/* How it works: getopt_long over one table; every number is checked against its
 * range; a sentence in `why` says what was wrong. Nothing secret can be given
 * here: keys come through the userspace API or the state directory. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coord_options.h"
#include "metered.h"

#define PEERS_DEFAULT 256
#define PEERS_MAX 65536
#define THREADS_MAX 7
#define TLS_PORT_DEFAULT 443
#define SEARCH_BUDGET_DEFAULT 20000
#define SEARCH_BUDGET_MAX 1000000
#define RELAY_RATE_MIN 1000000u /* less would not carry a burst of a stream */
#define MTU_MIN 576
#define MTU_MAX 65400 /* what still fits a UDP datagram, sealed and relayed */

const char options_help[] =
    "Usage: tund [OPTION]... IFNAME\n"
    "Makes the tunnel interface IFNAME. Alone it is a WireGuard interface, to be set up\n"
    "with wg or wg-quick; with --state it is a node of the overlay in that directory.\n"
    "\n"
    "  -f, --foreground     stay in the foreground and log to standard error\n"
    "      --state DIR      be the overlay node whose state is in DIR (see tundctl)\n"
    "      --port UDPPORT   UDP port to listen on (0, the default: any that is free)\n"
    "      --mtu N          MTU of the interface (default 1420; 1400 with --state)\n"
    "      --peers N        room for N peers (default 256)\n"
    "      --metered[=IF,IF..]  links that are paid for by the byte: all, or those named; none: no\n"
    "                       link (default: cellular modems)\n"
    "      --search-budget BYTES  for the port of a peer behind a symmetric NAT (default: 20000;\n"
    "                       0 on a metered link)\n"
    "      --relay-rate RATE  what is passed on for others after tundctl relay on, bits a second\n"
    "                       (default 20M)\n"
    "      --threads N      threads that seal and open beside the main one (default: what helps)\n"
    "      --tls-port N     the coordinator's TCP port, used where UDP is blocked (default 443;\n"
    "                       0: never)\n"
    "      --proxy URL      HTTP proxy for that, http://HOST:PORT; none: not even $https_proxy\n"
    "      --proxy-auth FILE  its USER:PASSWORD, in a file that nobody else may read\n"
    "      --portmap on|off ask the gateway to map the port, with --state (default: what\n"
    "                       tundctl create or join was told, which is on by default)\n"
    "      --no-lan         never look for members by multicast, nor listen for them\n"
    "      --log-level L    silent, error, warn, info, debug or trace (default info)\n"
    "      --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "Examples:\n"
    "  tund wg0                                  then: wg setconf wg0 FILE; ip link set wg0 up\n"
    "  WG_QUICK_USERSPACE_IMPLEMENTATION=tund wg-quick up wg0\n"
    "  tund -f --log-level debug wg0             see what it does\n"
    "  tund tund0 --state /var/lib/tund/home     an overlay node (tundctl create or join first)\n"
    "\n"
    "Environment: LOG_LEVEL as --log-level; WG_PROCESS_FOREGROUND=1 as -f; https_proxy as --proxy.\n"
    "Exit codes: 0 well; 1 failed; 2 wrong usage; 3 not permitted, or no /dev/net/tun;\n"
    "  4 interface, port or state in use; 5 the clock is before 2024.\n";

enum {
    OPT_STATE = 256, OPT_PORT, OPT_MTU, OPT_PEERS, OPT_THREADS, OPT_TLS_PORT, OPT_PROXY, OPT_PROXY_AUTH,
    OPT_NO_LAN, OPT_METERED, OPT_SEARCH, OPT_RELAY_RATE, OPT_LOG_LEVEL, OPT_PORTMAP, OPT_VERSION
};

static const struct option long_options[] = {
    {"foreground", no_argument, NULL, 'f'},
    {"state", required_argument, NULL, OPT_STATE},
    {"port", required_argument, NULL, OPT_PORT},
    {"mtu", required_argument, NULL, OPT_MTU},
    {"peers", required_argument, NULL, OPT_PEERS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"tls-port", required_argument, NULL, OPT_TLS_PORT},
    {"proxy", required_argument, NULL, OPT_PROXY},
    {"proxy-auth", required_argument, NULL, OPT_PROXY_AUTH},
    {"portmap", required_argument, NULL, OPT_PORTMAP},
    {"no-lan", no_argument, NULL, OPT_NO_LAN},
    {"metered", optional_argument, NULL, OPT_METERED},
    {"search-budget", required_argument, NULL, OPT_SEARCH},
    {"relay-rate", required_argument, NULL, OPT_RELAY_RATE},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct parse {
    struct tund_options *out;
    char *why;
    size_t why_len;
};

static enum options_result bad(struct parse *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static enum options_result bad(struct parse *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->why, p->why_len, fmt, ap);
    va_end(ap);
    return OPTIONS_BAD;
}

static bool number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (!*text || strlen(text) > 9)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    if (v < min || v > max)
        return false;
    *out = (uint32_t)v;
    return true;
}

static enum options_result take_portmap(struct parse *p, const char *arg)
{
    if (strcmp(arg, "on") && strcmp(arg, "off"))
        return bad(p, "--portmap wants on or off");
    p->out->portmap = !strcmp(arg, "on");
    p->out->portmap_given = true;
    return OPTIONS_RUN;
}

static enum options_result take_proxy(struct parse *p, int opt, const char *arg)
{
    if (opt == OPT_PROXY_AUTH) {
        p->out->proxy_auth = arg;
        return OPTIONS_RUN;
    }
    p->out->proxy = strcmp(arg, "none") ? arg : NULL;
    p->out->proxy_is_environments = false;
    return OPTIONS_RUN;
}

static enum options_result take_budget(struct parse *p, int opt, const char *arg)
{
    uint32_t v;

    if (opt == OPT_METERED) {
        if (arg && !metered_is_value(arg))
            return bad(p, "--metered= wants names of interfaces with commas between, or none");
        p->out->metered = arg ? arg : "";
        return OPTIONS_RUN;
    }
    if (opt == OPT_RELAY_RATE) {
        if (!coord_parse_rate(arg, &p->out->relay_rate_bits) || p->out->relay_rate_bits < RELAY_RATE_MIN)
            return bad(p, "--relay-rate wants bits per second, at least 1M, as in 20M or 1G");
        return OPTIONS_RUN;
    }
    if (!number(arg, 0, SEARCH_BUDGET_MAX, &v))
        return bad(p, "--search-budget wants a number of bytes from 0 to %d", SEARCH_BUDGET_MAX);
    p->out->search_budget = v;
    p->out->budget_given = true;
    return OPTIONS_RUN;
}

static enum options_result take_port(struct parse *p, int opt, const char *arg)
{
    bool tls = opt == OPT_TLS_PORT;
    uint32_t v;

    if (!number(arg, 0, UINT16_MAX, &v))
        return bad(p, "--%s wants a number from 0 to 65535", tls ? "tls-port" : "port");
    *(tls ? &p->out->tls_port : &p->out->port) = (uint16_t)v;
    p->out->port_given = p->out->port_given || !tls;
    return OPTIONS_RUN;
}

static enum options_result take(struct parse *p, int opt, const char *arg)
{
    uint32_t v;

    switch (opt) {
    case 'f':
        p->out->foreground = true;
        return OPTIONS_RUN;
    case OPT_STATE:
        if (!*arg)
            return bad(p, "--state needs a directory");
        p->out->state_dir = arg;
        return OPTIONS_RUN;
    case OPT_PORT:
    case OPT_TLS_PORT:
        return take_port(p, opt, arg);
    case OPT_MTU:
        if (!number(arg, MTU_MIN, MTU_MAX, &v))
            return bad(p, "--mtu wants a number from %d to %d", MTU_MIN, MTU_MAX);
        p->out->mtu = (uint16_t)v;
        return OPTIONS_RUN;
    case OPT_PEERS:
        if (!number(arg, 1, PEERS_MAX, &v))
            return bad(p, "--peers wants a number from 1 to %d", PEERS_MAX);
        p->out->peers = v;
        return OPTIONS_RUN;
    case OPT_THREADS:
        if (!number(arg, 0, THREADS_MAX, &v))
            return bad(p, "--threads wants a number from 0 to %d", THREADS_MAX);
        p->out->threads = (int)v;
        return OPTIONS_RUN;
    case OPT_PROXY:
    case OPT_PROXY_AUTH:
        return take_proxy(p, opt, arg);
    case OPT_METERED:
    case OPT_SEARCH:
    case OPT_RELAY_RATE:
        return take_budget(p, opt, arg);
    case OPT_NO_LAN:
        p->out->lan = false;
        return OPTIONS_RUN;
    case OPT_LOG_LEVEL:
        if (!log_level_parse(arg, &p->out->log_level))
            return bad(p, "--log-level wants silent, error, warn, info, debug or trace");
        return OPTIONS_RUN;
    case OPT_PORTMAP:
        return take_portmap(p, arg);
    case OPT_VERSION:
        return OPTIONS_VERSION;
    case 'h':
        return OPTIONS_HELP;
    default:
        return bad(p, "unknown option, or one without its value; see tund --help");
    }
}

/* What Linux takes as the name of an interface (dev_valid_name), and `wg` as part of a path. */
static enum options_result take_ifname(struct parse *p, const char *name)
{
    size_t len = strlen(name);

    if (!len || len >= sizeof p->out->ifname)
        return bad(p, "an interface name has 1 to %zu characters", sizeof p->out->ifname - 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        if (c <= ' ' || c >= 127 || c == '/' || c == ':' || c == '%')
            return bad(p, "an interface name is made of letters, digits and -_.=+");
    }
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return bad(p, "\"%s\" cannot be an interface name", name);
    memcpy(p->out->ifname, name, len + 1);
    return OPTIONS_RUN;
}

static void take_environment(struct tund_options *out)
{
    const char *level = getenv("LOG_LEVEL");
    const char *foreground = getenv("WG_PROCESS_FOREGROUND");

    if (level && !log_level_parse(level, &out->log_level))
        out->log_level = LOG_LEVEL_INFO; /* as wireguard-go: what it does not know is the default */
    out->proxy = getenv("https_proxy");
    if (!out->proxy)
        out->proxy = getenv("HTTPS_PROXY");
    if (out->proxy && !*out->proxy)
        out->proxy = NULL;
    out->proxy_is_environments = out->proxy != NULL;
    if (foreground && !strcmp(foreground, "1"))
        out->foreground = true;
}

enum options_result options_parse(int argc, char **argv, struct tund_options *out, char *why,
                                  size_t why_len)
{
    struct parse p = {.out = out, .why = why, .why_len = why_len};
    int opt;

    memset(out, 0, sizeof *out);
    out->peers = PEERS_DEFAULT;
    out->threads = -1;
    out->tls_port = TLS_PORT_DEFAULT;
    out->lan = true;
    out->log_level = LOG_LEVEL_INFO;
    take_environment(out);
    optind = 0; /* glibc: begin anew, also after an earlier call */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "fh", long_options, NULL)) != -1) {
        enum options_result r = take(&p, opt, optarg);

        if (r != OPTIONS_RUN)
            return r;
    }
    if (out->portmap_given && !out->state_dir)
        return bad(&p, "--portmap is for overlay nodes: it goes with --state");
    if (!out->budget_given)
        out->search_budget = SEARCH_BUDGET_DEFAULT;
    if (optind == argc)
        return bad(&p, "which interface? for example: tund wg0 (see tund --help)");
    if (optind + 1 < argc)
        return bad(&p, "one interface name is enough, but \"%.40s\" follows", argv[optind + 1]);
    return take_ifname(&p, argv[optind]);
}
