#include "Particle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MODEM_MAX 1024

struct mock_state mock;
CellularClass Cellular;
EEPROMClass EEPROM;
SerialClass Serial;
TimeClass Time;
SystemClass System;

static struct sockaddr_in address(const IPAddress &ip, uint16_t port)
{
    struct sockaddr_in a;
    uint8_t bytes[4] = {ip[0], ip[1], ip[2], ip[3]};

    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    memcpy(&a.sin_addr, bytes, 4);
    return a;
}

/* ---- UDP ---- */

UDP::UDP() : fd_(-1), remote_(), remote_port_(0) {}

UDP::~UDP()
{
    if (fd_ >= 0)
        close(fd_);
}

/* The port asked for is the modem's own: on the loopback any will do, as behind a NAT. */
uint8_t UDP::begin(uint16_t)
{
    struct sockaddr_in a = address(IPAddress(127, 0, 0, 1), 0);

    mock.begins++;
    mock.is_unconnected_use |= !mock.is_connected;
    stop();
    mock.stops--;
    if (mock.begin_errors > 0) {
        mock.begin_errors--;
        return 0;
    }
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || bind(fd_, reinterpret_cast<struct sockaddr *>(&a), sizeof a) < 0) {
        perror("mock: socket");
        abort();
    }
    return 1;
}

void UDP::stop()
{
    mock.stops++;
    if (fd_ >= 0)
        close(fd_);
    fd_ = -1;
}

int UDP::sendPacket(const uint8_t *buffer, size_t len, IPAddress to, uint16_t port)
{
    struct sockaddr_in a = address(to, port);

    mock.is_unconnected_use |= !mock.is_connected;
    if (len > mock.longest)
        mock.longest = len;
    if (len < mock.shortest)
        mock.shortest = len;
    if (fd_ < 0 || len < 1 || len > MODEM_MAX)
        return -1;
    if (mock.modem_full)
        return 0;
    mock.sent++;
    mock.sent_bytes += len;
    return static_cast<int>(sendto(fd_, buffer, len, 0, reinterpret_cast<struct sockaddr *>(&a), sizeof a));
}

int UDP::receivePacket(uint8_t *buffer, size_t len, uint32_t)
{
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    uint8_t ip[4];
    ssize_t got;

    mock.is_unconnected_use |= !mock.is_connected;
    if (mock.receive_errors > 0) {
        mock.receive_errors--;
        if (fd_ >= 0)
            close(fd_);
        fd_ = -1;
    }
    if (fd_ < 0)
        return -1;
    got = recvfrom(fd_, buffer, len < MODEM_MAX ? len : MODEM_MAX, 0,
                   reinterpret_cast<struct sockaddr *>(&from), &from_len);
    if (got < 0)
        return errno == EAGAIN || errno == ECONNREFUSED ? 0 : -1;
    memcpy(ip, &from.sin_addr, 4);
    remote_ = IPAddress(ip[0], ip[1], ip[2], ip[3]);
    remote_port_ = ntohs(from.sin_port);
    mock.received++;
    return static_cast<int>(got);
}

/* ---- the rest ---- */

void CellularClass::connect()
{
    mock.is_connected = true;
}

bool CellularClass::ready()
{
    return mock.is_connected;
}

IPAddress CellularClass::resolve(const char *name)
{
    unsigned a, b, c, d;

    if (mock.resolve_errors > 0) {
        mock.resolve_errors--;
        return IPAddress();
    }
    if (sscanf(name, "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
        return IPAddress();
    return IPAddress(static_cast<uint8_t>(a), static_cast<uint8_t>(b), static_cast<uint8_t>(c),
                     static_cast<uint8_t>(d));
}

bool CellularClass::getDataUsage(CellularData &out)
{
    memset(&out, 0, sizeof out);
    out.tx_total = static_cast<int>(mock.sent_bytes);
    out.ok = mock.is_connected;
    return out.ok;
}

uint8_t EEPROMClass::read(int at) const
{
    if (at < 0 || static_cast<size_t>(at) >= mock.eeprom_len)
        abort();
    return mock.eeprom[at];
}

void EEPROMClass::write(int at, uint8_t value)
{
    if (at < 0 || static_cast<size_t>(at) >= mock.eeprom_len)
        abort();
    if (!mock.eeprom_stuck)
        mock.eeprom[at] = value;
}

size_t EEPROMClass::length() const
{
    return mock.eeprom_len;
}

int SerialClass::available()
{
    return static_cast<int>(mock.in.size());
}

int SerialClass::read()
{
    int c = -1;

    if (!mock.in.empty()) {
        c = static_cast<unsigned char>(mock.in[0]);
        mock.in.erase(0, 1);
    }
    return c;
}

void SerialClass::printlnf(const char *format, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    mock.out += text;
    mock.out += '\n';
}

bool TimeClass::isValid()
{
    return mock.time_valid;
}

long TimeClass::now()
{
    return static_cast<long>(time(NULL));
}

uint64_t SystemClass::millis()
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<uint64_t>(ts.tv_sec) * 1000u + static_cast<uint64_t>(ts.tv_nsec) / 1000000u +
           mock.skipped_ms;
}

uint32_t HAL_RNG_GetRandomNumber(void)
{
    uint32_t v;

    if (getrandom(&v, sizeof v, 0) != sizeof v)
        abort();
    return v;
}
