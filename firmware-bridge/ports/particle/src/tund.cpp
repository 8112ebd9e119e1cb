/* How it works. The Wiring UDP class stands on a socket of the modem, which is lost when the data connection
 * drops: receivePacket then says so with a negative number, and only begin() makes a new one. After
 * a failure the next attempt waits 250 ms, doubling to 30 s, a little at random. sendPacket and receivePacket are
 * used because they go past the class's own 512-byte buffer. The modem takes 1 to 1024 bytes. */
#include "tund.h"

#include <string.h>

#include "tund_memory.h"

#define LOCAL_PORT 41641
#define RETRY_MIN_US 250000u
#define RETRY_MAX_US 30000000u
#define RESOLVE_RETRY_US 5000000u
#define RECEIVE_MAX 8 /* datagrams in one loop(), so that the program comes in turn */
#define COUNT_US 60000000u
#define NEVER UINT64_MAX

Tund::Tund()
    : bridge_(NULL), offset_(0), open_(false), member_(false), serves_(false), serves_web_(false), lost_(0), opened_(0),
      failures_(0), open_at_(0), resolve_at_(NEVER), count_at_(0)
{
    memset(&storage_, 0, sizeof storage_);
    memset(&app_, 0, sizeof app_);
}

Tund::~Tund()
{
    if (bridge_)
        bridge_wipe(bridge_);
    if (open_)
        udp_.stop();
}

uint64_t Tund::nowUs()
{
    return System.millis() * 1000u;
}

uint64_t Tund::appClock(void *)
{
    return nowUs();
}

/* ---- storage ---- */

int Tund::readStorage(void *ctx, uint32_t at, void *out, size_t len)
{
    const Tund *t = static_cast<Tund *>(ctx);
    uint8_t *to = static_cast<uint8_t *>(out);

    for (size_t i = 0; i < len; i++)
        to[i] = EEPROM.read(t->offset_ + static_cast<int>(at + i));
    return 0;
}

/* The EEPROM is emulated in flash and does not say when it has failed: it is read back. */
int Tund::writeStorage(void *ctx, uint32_t at, const void *data, size_t len)
{
    const Tund *t = static_cast<Tund *>(ctx);
    const uint8_t *from = static_cast<const uint8_t *>(data);

    for (size_t i = 0; i < len; i++) {
        int where = t->offset_ + static_cast<int>(at + i);

        if (EEPROM.read(where) != from[i])
            EEPROM.write(where, from[i]);
        if (EEPROM.read(where) != from[i])
            return -1;
    }
    return 0;
}

/* ---- life ---- */

int Tund::boot()
{
    struct bridge_config cfg;
    int err;

    memset(&cfg, 0, sizeof cfg);
    cfg.storage = &storage_;
    for (size_t i = 0; i < sizeof cfg.rng_seed; i += 4) {
        uint32_t random = HAL_RNG_GetRandomNumber();

        memcpy(cfg.rng_seed + i, &random, 4);
    }
    err = bridge_init(bridge_, &cfg, nowUs());
    for (volatile uint8_t *p = cfg.rng_seed; p < cfg.rng_seed + sizeof cfg.rng_seed; p++)
        *p = 0;
    member_ = err == 0;
    return err;
}

int Tund::begin(const char *invite, int eeprom_offset)
{
    int err;

    if (eeprom_offset < 0 || EEPROM.length() < static_cast<size_t>(eeprom_offset) + BRIDGE_STORAGE_LEN)
        return TN_ENOSPC;
    bridge_ = tund_memory();
    offset_ = eeprom_offset;
    storage_.read = readStorage;
    storage_.write = writeStorage;
    storage_.ctx = this;
    err = boot();
    if (err == TN_ENOENT && invite && *invite)
        err = join(invite);
    return err;
}

int Tund::join(const char *invite)
{
    int err;

    if (!bridge_)
        return TN_ESTATE;
    err = bridge_join(bridge_, invite, strlen(invite),
                      Time.isValid() ? static_cast<uint64_t>(Time.now()) : 0, nowUs());
    member_ = member_ || err == 0;
    return err;
}

int Tund::leave()
{
    int err = bridge_ ? bridge_forget(bridge_) : TN_ESTATE;

    if (err)
        return err;
    err = boot();
    if (err == TN_ENOENT)
        err = 0;
    if (!err && serves_)
        err = serve();
    if (!err && serves_web_)
        err = serveWeb();
    return err;
}

int Tund::serve()
{
    if (!bridge_)
        return TN_ESTATE;
    serves_ = true;
    return app_start(&app_, bridge_, appClock, NULL);
}

int Tund::serveWeb()
{
    if (!serves_)
        return TN_ESTATE;
    serves_web_ = true;
    return app_tcp_start(&app_);
}

int Tund::setBudget(uint32_t bytes_per_day)
{
    if (!bridge_)
        return TN_ESTATE;
    bridge_set_budget(bridge_, bytes_per_day, nowUs());
    return 0;
}

bool Tund::dataUsage(uint32_t &sent, uint32_t &received)
{
    CellularData data;

    if (!Cellular.getDataUsage(data))
        return false;
    sent = static_cast<uint32_t>(data.tx_total);
    received = static_cast<uint32_t>(data.rx_total);
    return true;
}

/* ---- the socket ---- */

void Tund::closeSocket(uint64_t now)
{
    uint64_t wait = RETRY_MIN_US;

    udp_.stop();
    open_ = false;
    for (uint32_t n = 0; n < failures_ && wait < RETRY_MAX_US; n++)
        wait *= 2;
    if (wait > RETRY_MAX_US)
        wait = RETRY_MAX_US;
    failures_++;
    open_at_ = now + wait / 2 + HAL_RNG_GetRandomNumber() % (wait / 2 + 1);
}

void Tund::openSocket(uint64_t now)
{
    if (now < open_at_)
        return;
    if (!udp_.begin(LOCAL_PORT)) {
        closeSocket(now);
        return;
    }
    open_ = true;
    if (opened_++) /* another socket, another mapping: what was known of the way is in doubt */
        bridge_on_network_change(bridge_, now);
}

/* False: the socket is lost. */
bool Tund::receive(uint64_t now)
{
    for (int i = 0; i < RECEIVE_MAX; i++) {
        int len = udp_.receivePacket(bridge_buffer(bridge_), BRIDGE_DATAGRAM_MAX);
        struct tn_addr src;
        uint8_t ip[4];
        IPAddress from;

        if (len <= 0)
            return len == 0;
        failures_ = 0;
        from = udp_.remoteIP();
        for (int k = 0; k < 4; k++)
            ip[k] = from[k];
        src = tn_addr_v4(ip, udp_.remotePort());
        bridge_on_datagram(bridge_, &src, static_cast<size_t>(len), now);
        send(now);
        if (!open_)
            return true; /* sending has found it out, and closed it */
    }
    return true;
}

void Tund::send(uint64_t now)
{
    struct bridge_out out;

    while (open_ && bridge_poll(bridge_, &out, now)) {
        const uint8_t *ip = out.to.ip + 12;
        int sent;

        if (!tn_addr_is_v4(&out.to) || out.len < 1 || out.len > BRIDGE_DATAGRAM_MAX) {
            lost_++; /* the modem speaks IPv4 */
            continue;
        }
        sent = udp_.sendPacket(out.data, out.len, IPAddress(ip[0], ip[1], ip[2], ip[3]), out.to.port);
        if (sent != static_cast<int>(out.len))
            lost_++; /* whoever needs it sends it again */
        if (sent < 0)
            closeSocket(now);
    }
}

/* ---- the coordinator's name ---- */

void Tund::resolve(uint64_t now)
{
    uint16_t port = 0;
    const char *host = bridge_coordinator(bridge_, &port);
    IPAddress found;
    struct tn_addr a;
    uint8_t ip[4];

    resolve_at_ = NEVER;
    if (!host)
        return;
    found = Cellular.resolve(host);
    for (int k = 0; k < 4; k++)
        ip[k] = found[k];
    if (!ip[0]) {
        resolve_at_ = now + RESOLVE_RETRY_US;
        return;
    }
    a = tn_addr_v4(ip, port);
    bridge_set_coordinator(bridge_, &a, now);
}

/* ---- what the modem has counted ---- */

void Tund::count(uint64_t now)
{
    uint32_t sent, received;

    count_at_ = now + COUNT_US;
    if (dataUsage(sent, received))
        bridge_set_data_usage(bridge_, static_cast<uint64_t>(sent) + received, now);
}

/* ---- all of it ---- */

void Tund::loop()
{
    uint64_t now = nowUs();

    if (!bridge_ || !member_)
        return;
    if (!Cellular.ready()) {
        if (open_)
            closeSocket(now);
        return;
    }
    if (!open_)
        openSocket(now);
    if (!open_)
        return;
    if (bridge_take_resolve(bridge_) || resolve_at_ <= now)
        resolve(now);
    if (count_at_ <= now)
        count(now);
    if (!receive(now))
        closeSocket(now);
    if (bridge_next_deadline(bridge_) <= now)
        bridge_tick(bridge_, now);
    send(now);
}
