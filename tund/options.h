/* What the command line and the environment say. */
#ifndef TUND_OPTIONS_H
#define TUND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"

/* Exit codes of tund. */
enum tund_exit {
    TUND_EXIT_OK = 0,
    TUND_EXIT_FAILED = 1,   /* something went wrong that has no code of its own */
    TUND_EXIT_USAGE = 2,    /* the command line */
    TUND_EXIT_DENIED = 3,   /* not root, or no /dev/net/tun */
    TUND_EXIT_BUSY = 4,     /* interface, port or state is in use */
    TUND_EXIT_CLOCK = 5,    /* the clock is before 2024 */
};

struct tund_options {
    char ifname[16];
    const char *state_dir; /* NULL: a plain WireGuard interface */
    uint16_t port;         /* 0: one that is free */
    bool port_given;
    uint16_t mtu;          /* 0: the default (1420, overlay 1400) */
    uint32_t peers;        /* most peers */
    int threads;           /* beside the main one; -1: as many as help */
    uint16_t tls_port;     /* of the coordinator, where UDP is blocked; 0: never */
    const char *proxy;     /* HTTP proxy, as given; NULL: none */
    const char *proxy_auth; /* file with its USER:PASSWORD, or NULL */
    bool proxy_is_environments; /* the user may not even know of it */
    bool lan;              /* look for members on the LAN while the coordinator is away */
    const char *metered;   /* which links are paid for by the byte, as metered_link takes it */
    bool budget_given;
    uint64_t relay_rate_bits; /* of what is passed on for other members; 0: the default */
    uint32_t search_budget; /* bytes of one search for a port; 0: none is made */
    enum log_level log_level;
    bool foreground;
    bool portmap, portmap_given; /* overlay only; what the state says is the default */
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

/* Reads argv and the variables LOG_LEVEL, WG_PROCESS_FOREGROUND and https_proxy. On OPTIONS_BAD `why` has a
 * sentence. Strings in `out` point into argv and the
 * environment. */
enum options_result options_parse(int argc, char **argv, struct tund_options *out, char *why,
                                  size_t why_len);
extern const char options_help[];

#endif
