/* What tund-coord's command line says. */
#ifndef TUND_COORD_OPTIONS_H
#define TUND_COORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"
#include "libtunnel/member/url.h"

#include "log.h"
#include "why.h"

#define COORD_STATE_DIR_DEFAULT "/var/lib/tund-coord"
#define COORD_PORT_DEFAULT 3478 /* STUN's, RFC 8489 */
#define COORD_TLS_PORT_DEFAULT 443
#define COORD_LISTEN_MAX 8      /* addresses; each has two sockets */

/* Exit codes of tund-coord; the same numbers mean the same in tund. */
enum coord_exit {
    COORD_EXIT_OK = 0,
    COORD_EXIT_FAILED = 1, /* something went wrong that has no code of its own */
    COORD_EXIT_USAGE = 2,  /* the command line */
    COORD_EXIT_DENIED = 3, /* state directory, key or port: not permitted */
    COORD_EXIT_BUSY = 4,   /* port or state is in use */
    COORD_EXIT_CLOCK = 5,  /* the clock is before 2024 */
};

/* The subcommands that take options; a bit each. */
enum coord_command { COORD_RUN = 1, COORD_STATUS = 2, COORD_URL = 4 };

struct coord_options {
    const char *state_dir;
    const char *user; /* NULL: stay who we are */
    struct tn_addr listen[COORD_LISTEN_MAX]; /* port 0: one that is free */
    unsigned listen_count;
    uint16_t alt_port;       /* 0: the one above each listening port */
    uint16_t tls_port;       /* TCP; 0: none */
    bool tls_port_given;     /* failing to listen there is then an error */
    uint32_t tls_max;        /* connections there */
    char advertise_host[TN_HOST_SIZE]; /* empty: the first listening address */
    uint16_t advertise_port; /* 0: the first listening port */
    uint32_t max_networks;
    uint32_t max_members;  /* of one network */
    uint32_t max_sessions; /* at one time, of all networks */
    uint64_t relay_rate_bits; /* per second and member */
    enum log_level log_level;
    bool json;
};

enum coord_parse { COORD_PARSE_RUN, COORD_PARSE_HELP, COORD_PARSE_BAD };

/* argv[0] is the subcommand's name. On COORD_PARSE_BAD *w has a sentence. Strings in `out` point
 * into argv. */
enum coord_parse coord_options_parse(enum coord_command command, int argc, char **argv,
                                     struct coord_options *out, struct why *w);

/* "192.0.2.1", "192.0.2.1:3478", "[2001:db8::1]", "[2001:db8::1]:3478"; without a port `port`. */
bool coord_parse_listen(const char *text, uint16_t port, struct tn_addr *out);
/* "name", "name:port", or as above; without a port 0. */
bool coord_parse_host(const char *text, char host[TN_HOST_SIZE], uint16_t *port);
/* "20000000", "20000k", "20M", "1G": bits per second, decimal. */
bool coord_parse_rate(const char *text, uint64_t *bits);

#endif
