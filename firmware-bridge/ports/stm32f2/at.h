/* A driver for the u-blox SARA modem of an Electron, as a pure machine: it takes the bytes that came
 * from the UART and the time, and gives the bytes that are to go there. No heap, no waiting; where the
 * port calls it from is its own business. It brings the modem up, opens one UDP socket, sends and reads
 * datagrams, looks names up, and begins again as far below as needed when something breaks.
 *
 *     push   at_on_byte, at_tick;  at_send, at_resolve
 *     pull   at_take (bytes for the UART), at_received, at_resolved, at_take_up
 *     sleep  until at_next_deadline, or until a byte comes
 *
 * Commands after the u-blox AT manual for TOBY-L2, SARA-U2 and LISA-U2 (UBX-13002752). */
#ifndef AT_H
#define AT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_DATAGRAM_MAX 1024u /* the most that the modem takes or gives in one piece, bytes */
#define AT_LINE_MAX 96u       /* of an answer; what is longer is cut, and then matches nothing */
#define AT_NAME_MAX 63u       /* of a host to look up, characters */
#define AT_APN_MAX 40u

enum at_state {
    AT_DOWN,    /* waits before it tries again */
    AT_BRINGUP, /* step by step */
    AT_RESYNC,  /* an answer was late or made no sense: finds out where the modem is */
    AT_UP,      /* the socket is open */
};

struct at_address {
    uint8_t ip[4];
    uint16_t port;
};

struct at_counters {
    uint32_t sent, received;      /* datagrams */
    uint32_t refused;             /* that the modem did not take */
    uint32_t resyncs, restarts;   /* restarts: how often anything was opened again */
    uint32_t cell_tx, cell_rx;    /* the modem's own count of bytes on the air (UGCNTRD) */
    uint8_t signal;               /* of CSQ, 0..31; 99: not known */
};

struct at {
    /* the parser: it holds over calls and time-outs, since half a line may come at any time */
    char line[AT_LINE_MAX + 1];
    uint8_t line_len, quotes;
    uint16_t raw_left; /* bytes of a datagram that are still to come */
    bool skips;        /* they are of no use: nobody asked, or they came too late */
    /* the command in flight */
    uint8_t command; /* enum command of at.c */
    bool answered;   /* its own answer came, OK has not */
    bool bad;        /* what came made no sense */
    uint64_t deadline_us;
    /* what goes to the UART */
    char out[160];
    uint8_t out_len, out_at;
    bool feeding; /* the modem asked for the datagram */
    uint16_t fed;
    /* the one buffer: a datagram on its way out, or one that has come */
    uint8_t data[AT_DATAGRAM_MAX];
    uint16_t data_len;
    bool is_outgoing, is_incoming;
    struct at_address address; /* its destination, or its source */
    /* where we are */
    uint8_t state, before_resync;       /* enum at_state */
    uint8_t step, rung, wanted_rung;    /* see at.c */
    uint8_t tries, resync_tries, failures;
    bool attached, activated, came_up, should_poll;
    uint8_t handle;    /* of the socket */
    uint32_t error;    /* USOER's */
    uint16_t waiting;  /* bytes that the modem has for us */
    uint64_t retry_us, poll_us, status_us;
    uint32_t random;
    /* names */
    char name[AT_NAME_MAX + 1];
    bool is_asking, has_resolved, resolve_failed;
    uint8_t resolved[4];
    char apn[AT_APN_MAX + 1];
    char imsi[16]; /* "" until it is known; its first digits name the carrier */
    struct at_counters count;
};

/* apn: "" for the one that the SIM card brings. seed: anything; spreads the pauses of many devices. */
void at_init(struct at *a, const char *apn, uint32_t seed, uint64_t now_us);

void at_on_byte(struct at *a, uint8_t byte, uint64_t now_us);
void at_tick(struct at *a, uint64_t now_us);
/* UINT64_MAX: never. */
uint64_t at_next_deadline(const struct at *a);
/* Bytes that are to go to the modem now; 0: none. */
size_t at_take(struct at *a, uint8_t *out, size_t cap, uint64_t now_us);

/* May at_send be called? */
bool at_can_send(const struct at *a);
/* Takes a copy of 1 to AT_DATAGRAM_MAX bytes. False: cannot now, or the length is wrong. */
bool at_send(struct at *a, const struct at_address *to, const void *data, size_t len);
/* A datagram that has come, in `*data` until at_release; its length, 0: none. Nothing is sent or read
 * before it is released. */
size_t at_received(struct at *a, struct at_address *from, const uint8_t **data);
void at_release(struct at *a);

/* Looks a name of at most AT_NAME_MAX characters up; a literal address is its own answer, at once. */
void at_resolve(struct at *a, const char *name);
/* 1 once, with the address, when it is there; -1 once when there is none; 0: not yet, or none asked. */
int at_resolved(struct at *a, uint8_t ip[4]);

/* True once after the socket was opened, or opened again: where we are seen may have changed. */
bool at_take_up(struct at *a);

#endif
