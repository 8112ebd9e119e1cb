/* The real tund-coord as a child process, and members made of libtunnel's coordinator client on
 * real sockets of 127.0.0.1. Nothing here sleeps: every wait has a condition and a deadline. */
#ifndef TUND_COORD_E2E_H
#define TUND_COORD_E2E_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "libtunnel/coord/client.h"
#include "libtunnel/member/card.h"
#include "libtunnel/member/url.h"

#define E2E_DEADLINE_MS 10000

/* ---- the program ---- */

struct coordinator {
    pid_t pid;        /* 0: does not run */
    struct tn_url url; /* as it was printed */
    uint16_t alt_port;
    char dir[64];
    char log[80]; /* its standard error */
};

/* A directory for its state; e2e_remove takes it away with all that may be in it. */
void e2e_prepare(struct coordinator *c);
void e2e_remove(struct coordinator *c);
/* Starts it and waits for its line. `listen` is ADDR:PORT, port 0 the first time; `extra` is more
 * options, separated by blanks, or NULL. `small_disk_kib`: its state lies on a file system of that size
 * that only it sees; 0: none. */
void e2e_start(struct coordinator *c, const char *listen, const char *extra, unsigned small_disk_kib);
/* Ends it by a signal, and gives its exit code; -1 where a signal ended it. */
int e2e_stop(struct coordinator *c, int signal);
/* Runs tund-coord to its end; its output (both streams) in out. */
int e2e_run(const char *arguments, char *out, size_t cap);
/* `tund-coord status --json`; the caller drops the reference. */
json_t *e2e_status(const struct coordinator *c);
long e2e_number(const struct coordinator *c, const char *group, const char *name);
/* A line of /proc/PID/status in KiB. */
long e2e_rss_kib(const struct coordinator *c);

/* ---- members ---- */

struct member {
    int fd;
    uint16_t port; /* our own */
    struct tn_coord_client client;
    struct tn_relay_channel channel[4];
    uint8_t private_key[32];
    struct tn_card card;
    uint8_t wire[TN_CARD_MAX_LEN];
    size_t wire_len;
    /* what has come */
    bool connected;
    struct tn_addr observed;
    int join_status;     /* -1: none yet */
    int update_status;
    int lookup_status;   /* -1; TN_STATUS_OK with found */
    uint8_t found[32];   /* identity of the card that a lookup brought */
    int connect_status;
    int bind_status;
    int punches;
    uint64_t synced_seq; /* of SYNC_DONE */
    int cards;
    uint8_t frame[2048]; /* the last relayed datagram, header removed */
    size_t frame_len;
    int frames;
};

/* Member `number` of network `network`, with a valid card; talks to the given port. */
void member_open(struct member *m, const struct coordinator *c, uint16_t port, unsigned network,
                 unsigned number);
/* The same with IPv4 addresses of one's own choice; `server_public` is the coordinator's key. */
void member_open_at(struct member *m, const uint8_t server_public[32], const struct tn_addr *local,
                    const struct tn_addr *server, unsigned network, unsigned number);
void member_close(struct member *m);
/* Signs the card anew after a change of what it says; `epoch` 0: says "left". */
void member_sign(struct member *m, unsigned network, unsigned number, uint64_t epoch);
void member_join(struct member *m);

struct tn_now e2e_now(void);
/* Moves all members until the condition holds; fails the test after the deadline. */
void members_run_until(struct member *const *m, size_t count, bool (*done)(void *), void *ctx);
/* A datagram of WireGuard's shape through the relay; false: the client has no channel for it yet. */
bool member_relay(struct member *m, uint16_t channel, uint8_t fill, size_t len);

#endif
