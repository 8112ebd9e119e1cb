/* Devices in the simulated world of libtunnel's tests, beside nodes and a coordinator that have a
 * daemon's sizes. Only bridge.h is used: what is inside a device has other sizes here. */
#ifndef BRIDGE_SIMDEVICE_H
#define BRIDGE_SIMDEVICE_H

#include "bridge.h"
#include "simnode.h"

#define SIMDEVICE_PORT 41641
#define SIMDEVICES 48

struct simdevice {
    struct simdevices *all;
    int host;
    bool used, is_down;
    struct bridge *bridge; /* NULL: it has no power */
    uint64_t boot_us;      /* its clock began here */
    uint8_t eeprom[BRIDGE_STORAGE_LEN];
    struct bridge_storage storage;
    long write_budget; /* bytes that can still be written before the power is cut; -1: no cut */
    uint64_t writes, write_calls; /* bytes, and calls */
    char invite[TN_INVITE_TEXT_SIZE];
    uint64_t sent, sent_bytes; /* datagrams, and with 28 bytes for each */
    /* sees each datagram that goes out by the modem, or comes in */
    void (*on_modem)(void *ctx, bool out, const uint8_t *data, size_t len);
    void *modem_ctx;
    bool has_probe;            /* a second socket, at the next boot */
    uint16_t probe_port;
    int boot_status;
};

struct simdevices {
    struct sim *s;
    struct simdevice d[SIMDEVICES];
    int count;
};

/* Becomes the guest of `s`. */
struct simdevices *simdevices_new(struct sim *s);
void simdevices_free(struct simdevices *all);
/* A device with an empty storage and an invite in its box; not yet switched on. */
int simdevice_add(struct simdevices *all, const char *name, const char *ip, int nat, uint32_t delay_us);
/* Power on: bridge_init; redeems the invite where it is no member yet; asks for the coordinator. What
 * bridge_init or bridge_join said. */
int simdevice_boot(struct simdevices *all, int i);
void simdevice_cut(struct simdevices *all, int i);
void simdevice_pump(struct simdevices *all, int i);
uint64_t simdevice_now(const struct simdevices *all, int i);
struct bridge_info simdevice_info(const struct simdevices *all, int i);
/* An ICMP echo request of `size` bytes from member `from` (4: IPv4, 6: IPv6). */
void simdevice_ping(struct simdevices *all, int from, int i, int family, size_t size, uint16_t seq);
/* The last packet that `from` got answers that very request. */
bool simdevice_ponged(const struct simdevices *all, int from, int family, size_t size, uint16_t seq);
/* A UDP packet from member `from`. */
void simdevice_udp(struct simdevices *all, int from, int i, uint16_t port, const void *data, size_t len);

#endif
