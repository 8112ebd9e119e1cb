/* A u-blox SARA-U2 as seen from its UART: a pure machine that takes bytes and time, and gives bytes. The
 * program sara-u2 joins it to a chip's serial line and to real UDP sockets; tests join it to nothing.
 *
 * Answers, unsolicited lines and limits after the u-blox AT manual UBX-13002752: 7 sockets, datagrams of
 * 1 to 1024 bytes, one announcement (+UUSORF) when a socket's buffer is no longer empty or a read
 * leaves something. What real ones do wrong is in struct modem_faults. */
#ifndef MODEM_H
#define MODEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEM_SOCKETS 7
#define MODEM_DATAGRAM_MAX 1024
#define MODEM_QUEUE 8 /* datagrams that a socket holds until they are read; more are lost */
#define MODEM_LINE_MAX 600

/* The network below; every function returns 0 or an errno that +USOER then tells. */
struct modem_net {
    int (*open)(void *ctx, int handle, uint16_t port); /* 0: any port */
    int (*send)(void *ctx, int handle, const uint8_t ip[4], uint16_t port, const void *data, size_t len);
    void (*close)(void *ctx, int handle);
    int (*resolve)(void *ctx, const char *name, uint8_t ip[4]);
    void *ctx;
};

struct modem_faults {
    bool loses_urc;       /* announcements that come while it waits for a datagram's bytes are lost */
    bool extra_crlf;      /* G350: an empty line behind what +USORF reads */
    bool double_crlf;     /* R410: each line has two line ends */
    bool is_mute;         /* answers nothing at all */
    bool no_network;      /* not registered; contexts cannot be activated */
    unsigned late;        /* so many final results come late_ms late */
    uint32_t late_ms;
    unsigned full;        /* so many +USOST find the buffers full */
    unsigned garbled;     /* so many answers to +USORF are nonsense */
};

struct modem_counters {
    uint64_t udp_tx, udp_rx; /* payload bytes */
    uint32_t datagrams_tx, datagrams_rx;
    uint32_t overflows; /* datagrams lost since a socket's buffer was full, or longer than 1024 */
    uint32_t lost_urcs, commands, errors, reboots;
};

struct modem_datagram {
    uint8_t ip[4];
    uint16_t port, len;
    uint8_t data[MODEM_DATAGRAM_MAX];
};

struct modem_socket {
    bool is_open, announce;
    int error;
    unsigned first, count; /* in queue */
    struct modem_datagram queue[MODEM_QUEUE];
};

struct modem {
    struct modem_net net;
    struct modem_faults faults;
    struct modem_counters count;
    bool echo, attached, activated, lost_context; /* the last: to be told */
    uint8_t cmee;
    int error; /* of the last socket command: +USOER */
    struct modem_socket sockets[MODEM_SOCKETS];
    /* what came, and is not worked off since a result is late */
    uint8_t in[4096];
    size_t in_len;
    char line[MODEM_LINE_MAX + 1];
    size_t line_len;
    /* a datagram that the modem has asked for */
    size_t wanted; /* bytes still to come; 0: none asked for */
    int to_handle;
    struct modem_datagram outgoing;
    /* what goes out */
    uint8_t out[16384];
    size_t out_len;
    char late_result[64];
    uint64_t busy_until_us; /* late_result is due then; 0: not busy */
};

void modem_init(struct modem *m, const struct modem_net *net);

/* Bytes from the chip; those that do not fit because a result is late are lost, as without handshake
 * lines. */
void modem_on_bytes(struct modem *m, const void *data, size_t len, uint64_t now_us);
void modem_on_datagram(struct modem *m, int handle, const uint8_t ip[4], uint16_t port, const void *data,
                       size_t len, uint64_t now_us);
void modem_tick(struct modem *m, uint64_t now_us);
uint64_t modem_next_deadline(const struct modem *m); /* UINT64_MAX: none */
/* Bytes for the chip; returns how many. */
size_t modem_take(struct modem *m, void *out, size_t cap);

/* The carrier takes the context away: every socket is dead, +UUPSDD: 0 says so. */
void modem_drop_context(struct modem *m);
/* As after a power cycle: all sockets closed, echo on. Counters and faults stay. */
void modem_reboot(struct modem *m);
/* One word of the control socket, e.g. "late=3,500" or "pdp-drop"; false: no such word. */
bool modem_control(struct modem *m, const char *word);

#endif
