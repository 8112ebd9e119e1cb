/* A Particle Electron as a member of a tund overlay, on the Wiring API of Device OS 2.3.1.
 *
 *     Tund tund;
 *     void setup() { Cellular.on(); Cellular.connect(); tund.begin(TUND_INVITE); }
 *     void loop() { tund.loop(); }
 *
 * One Tund a program. Not from interrupts, and from one thread only. Errors are those of
 * libtunnel/base/err.h. */
#ifndef TUND_H
#define TUND_H

#include "Particle.h"

extern "C" {
#include "app/app.h"
#include "app/tcp.h"
#include "core/bridge.h"
}

class Tund {
public:
    Tund();
    ~Tund();

    /* Reads the device's keys from the EEPROM, BRIDGE_STORAGE_LEN bytes from `eeprom_offset`; where there are
     * none, redeems the invite (NULL: none; join comes later). 0: it is a member. TN_ENOENT: it is none
     * yet, and loop does nothing. TN_ENOSPC: the EEPROM is too small. Else as of bridge_init, bridge_join. */
    int begin(const char *invite, int eeprom_offset = 0);
    /* Redeems an invite of any time after begin: what was pasted at a prompt. Blanks around it do not matter. */
    int join(const char *invite);
    /* Forgets keys and card, for another invite. TN_ESTATE: the EEPROM refused. */
    int leave();
    /* Opens the socket when the cellular connection is there, again when the modem has lost it, and moves datagrams.
     * To be called always and often; returns soon, but for a look-up of the coordinator's name. */
    void loop();
    /* Ping, UDP echo (port 7) and CoAP (port 5683) with the device's state. Errors of bridge_udp_bind. */
    int serve();
    /* After serve: a web server (port 80), whose page tells the device's state. It brings lwIP: 18 KB of flash, 5 KB of RAM.
     * Errors of app_tcp_start. */
    int serveWeb();

    /* After begin: bytes of the data plan that may be spent in a day (bridge_set_budget); 0: as many as may be. The modem is
     * asked once a minute what it has counted. TN_ESTATE before begin. */
    int setBudget(uint32_t bytes_per_day);

    /* For bridge_udp_bind, bridge_udp_send and bridge_info; NULL before begin. */
    struct bridge *device() { return bridge_; }
    static uint64_t nowUs(); /* of bridge_*: since boot, does not wrap */
    bool isOpen() const { return open_; } /* the socket */
    uint32_t lost() const { return lost_; } /* datagrams that the modem did not take */
    uint32_t opened() const { return opened_; } /* how often the socket was opened */
    /* Bytes that the modem has sent and received since its counters were reset. False: it did not say. */
    bool dataUsage(uint32_t &sent, uint32_t &received);

private:
    Tund(const Tund &);
    Tund &operator=(const Tund &);

    int boot();
    void openSocket(uint64_t now);
    void closeSocket(uint64_t now);
    bool receive(uint64_t now);
    void resolve(uint64_t now);
    void send(uint64_t now);
    void count(uint64_t now);

    static int readStorage(void *ctx, uint32_t at, void *out, size_t len);
    static int writeStorage(void *ctx, uint32_t at, const void *data, size_t len);
    static uint64_t appClock(void *);

    struct bridge *bridge_;
    struct bridge_storage storage_;
    struct app app_;
    UDP udp_;
    int offset_;
    bool open_, member_, serves_, serves_web_;
    uint32_t lost_, opened_, failures_;
    uint64_t open_at_, resolve_at_, count_at_;
};

#endif
