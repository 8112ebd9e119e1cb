/* As much of the Wiring API of Device OS 2.3.1 as the port and its example use, on a PC: UDP over POSIX sockets of
 * the loopback, EEPROM and serial port in memory, the cellular connection a switch. Written from the
 * API's documentation; `mock` is the test's side of it. */
#ifndef MOCK_PARTICLE_H
#define MOCK_PARTICLE_H

#include <stddef.h>
#include <stdint.h>

#include <string>

class IPAddress {
public:
    IPAddress() : ip_() {}
    IPAddress(uint8_t a, uint8_t b, uint8_t c, uint8_t d) : ip_{a, b, c, d} {}
    uint8_t operator[](int i) const { return ip_[i]; }
    uint8_t &operator[](int i) { return ip_[i]; }

private:
    uint8_t ip_[4];
};

/* begin: non-zero when there is a socket. receivePacket: bytes, 0 for none, negative when the socket is lost.
 * sendPacket: bytes, 0 when the modem's buffers are full, -1 for an error or a size that it does not take. */
class UDP {
public:
    UDP();
    ~UDP();
    uint8_t begin(uint16_t port);
    void stop();
    int sendPacket(const uint8_t *buffer, size_t len, IPAddress to, uint16_t port);
    int receivePacket(uint8_t *buffer, size_t len, uint32_t timeout = 0);
    IPAddress remoteIP() const { return remote_; }
    uint16_t remotePort() const { return remote_port_; }

private:
    UDP(const UDP &);
    UDP &operator=(const UDP &);
    int fd_;
    IPAddress remote_;
    uint16_t remote_port_;
};

struct CellularData {
    int cid;
    int tx_session, rx_session, tx_total, rx_total;
    bool ok;
};

class CellularClass {
public:
    void on() {}
    void connect();
    bool ready();
    IPAddress resolve(const char *name);
    bool getDataUsage(CellularData &out);
};
extern CellularClass Cellular;

class EEPROMClass {
public:
    uint8_t read(int at) const;
    void write(int at, uint8_t value);
    size_t length() const;
};
extern EEPROMClass EEPROM;

class SerialClass {
public:
    void begin(int baud) { (void)baud; }
    int available();
    int read();
    void printlnf(const char *format, ...) __attribute__((format(printf, 2, 3)));
};
extern SerialClass Serial;

class TimeClass {
public:
    bool isValid();
    long now();
};
extern TimeClass Time;

class SystemClass {
public:
    uint64_t millis();
};
extern SystemClass System;

extern "C" uint32_t HAL_RNG_GetRandomNumber(void);

#define SYSTEM_MODE(mode) extern int mock_system_mode
#define SYSTEM_THREAD(state) extern int mock_system_thread

/* ---- the test's side ---- */

struct mock_state {
    bool is_connected;   /* Cellular.ready() */
    bool is_unconnected_use; /* the socket was used while it was not */
    bool modem_full;     /* sendPacket says 0 */
    int receive_errors;  /* so many receivePacket calls fail, and the socket is lost */
    int begin_errors;    /* so many begin calls fail */
    int resolve_errors;
    unsigned begins, stops, sent, received;
    uint64_t sent_bytes;
    size_t longest, shortest;
    bool eeprom_stuck;   /* writes do nothing */
    size_t eeprom_len;
    uint8_t eeprom[4096];
    uint64_t skipped_ms; /* the clock is so far ahead */
    bool time_valid;
    std::string in, out; /* of the serial port */
};
extern struct mock_state mock;

void setup();
void loop();

#endif
