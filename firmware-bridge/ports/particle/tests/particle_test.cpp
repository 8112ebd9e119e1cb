/* The port on the mock of the Wiring API: joins, is pinged, loses its socket in every way, and comes back. TAP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab.h"
#include "segment.h"
#include "tund.h"

static unsigned tests, failures;
static struct lab *lab;
static Tund *device; /* NULL: the example's */
static uint16_t seq;

static void check(bool good, const char *what)
{
    printf("%s %u - %s\n", good ? "ok" : "not ok", ++tests, what);
    failures += !good;
}

static void turn(void)
{
    const struct timespec ms = {0, 1000000};

    if (device)
        device->loop();
    else
        loop();
    lab_step(lab);
    nanosleep(&ms, NULL);
}

static void turns(int count)
{
    while (count--)
        turn();
}

typedef bool condition(void);

static bool until(condition *is_so, int ms)
{
    for (; ms > 0 && !is_so(); ms--)
        turn();
    return is_so();
}

static struct bridge_info info(const struct bridge *b)
{
    struct bridge_info i;

    bridge_info(b, &i, Tund::nowUs());
    return i;
}

static bool is_online(void)
{
    return info(device->device()).state == BRIDGE_ONLINE;
}

static bool is_known(void)
{
    return lab_knows_device(lab);
}

/* Asks again each 300 ms, since the first may be lost for want of a session. */
static bool pings(size_t size, int ms)
{
    for (; ms > 0; ms -= 300) {
        lab_ping(lab, size, ++seq);
        for (int i = 0; i < 300; i++) {
            turn();
            if (lab_ponged(lab, size, seq))
                return true;
        }
    }
    return false;
}

static void reset_mock(void)
{
    mock = mock_state();
    mock.eeprom_len = 2047;
    memset(mock.eeprom, 0xff, sizeof mock.eeprom);
    mock.shortest = SIZE_MAX;
    mock.time_valid = true;
}

static void the_eeprom_is_looked_at_first(void)
{
    Tund t;

    mock.eeprom_len = 1999;
    check(t.begin(lab_invite(lab, "electron-1")) == TN_ENOSPC, "an EEPROM that is too small is refused");
    mock.eeprom_len = 2047;
    check(t.begin(lab_invite(lab, "electron-1"), 100) == TN_ENOSPC, "as is an offset that leaves too little");
    mock.eeprom_stuck = true;
    check(t.begin(lab_invite(lab, "electron-1")) == TN_ESTATE, "an EEPROM that keeps nothing is noticed");
    check(mock.begins == 0, "and nothing is sent meanwhile");
    mock.eeprom_stuck = false;
    check(t.begin(NULL) == TN_ENOENT, "without an invite it is no member");
    check(t.join("tund-invite-1.nonsense") == TN_EINVAL, "and what is no invite makes it none");
}

static void it_joins_and_is_pinged(Tund *t)
{
    int err = t->begin(lab_invite(lab, "electron-1"));

    check(err == 0, "an invite makes the device a member");
    check(t->serve() == 0, "its services are there");
    turns(20);
    check(mock.begins == 0, "no socket is opened before the cellular connection is there");
    mock.is_connected = true;
    mock.resolve_errors = 1;
    turns(5);
    check(mock.begins == 1 && t->isOpen(), "then there is one");
    mock.skipped_ms += 6000;
    check(until(is_online, 5000), "it comes online, though its name server failed at first");
    check(until(is_known, 5000), "and the laptop learns of it");
    check(pings(84, 5000), "the laptop pings it");
    check(pings(984, 5000), "with the longest packet, too");
    check(mock.longest <= 1024 && mock.shortest >= 1, "each datagram has 1 to 1024 bytes");
}

static void it_opens_its_socket_again(Tund *t)
{
    unsigned begins = mock.begins;

    mock.receive_errors = 1;
    turn();
    check(!t->isOpen(), "a receive error closes the socket");
    check(pings(84, 5000), "and it is reached again, by another port");
    check(mock.begins == begins + 1, "after opening it once");

    begins = mock.begins;
    mock.receive_errors = 1;
    mock.begin_errors = 3;
    check(pings(84, 20000), "it is reached although opening fails three times");
    check(mock.begins == begins + 4, "which was tried four times, not in a rush");

    mock.modem_full = true;
    lab_ping(lab, 84, ++seq);
    turns(50);
    mock.modem_full = false;
    check(t->lost() > 0, "what a full modem does not take is counted");
    check(pings(84, 5000), "and comes with the next try");
}

static void it_follows_the_connection(Tund *t)
{
    uint32_t sent = 0, received = 0;
    unsigned begins = mock.begins;
    uint64_t used;

    mock.is_connected = false;
    turns(20);
    check(!t->isOpen() && mock.begins == begins, "without the connection there is no socket");
    check(!t->dataUsage(sent, received), "and no data count");
    mock.is_connected = true;
    check(pings(84, 10000), "it is reached when the connection is back");
    check(t->dataUsage(sent, received) && sent == mock.sent_bytes, "the modem's own data count is told");
    check(t->setBudget(1000000) == 0, "a budget is taken");
    mock.skipped_ms += 60000;
    turns(5); /* from here on the modem's count is what counts */
    used = info(t->device()).used_bytes;
    mock.sent_bytes += 100000; /* of another program */
    mock.skipped_ms += 60000;
    turns(5);
    check(info(t->device()).used_bytes >= used + 90000, "in it is what the modem has counted");
    check(info(t->device()).budget_bytes == 1000000, "and both are told");
    check(!mock.is_unconnected_use, "the socket was never used without the connection");
}

static void it_is_a_member_after_a_reset(void)
{
    Tund t;

    device = &t;
    check(t.begin(NULL) == 0, "after a reset it is a member by its EEPROM");
    check(t.serve() == 0 && pings(84, 10000), "and is reached again");
    check(t.leave() == 0 && info(t.device()).state == BRIDGE_EMPTY, "it can forget all");
    check(t.begin(NULL) == TN_ENOENT, "for good");
}

static bool has_said(const char *what)
{
    return mock.out.find(what) != std::string::npos;
}

static bool example_is_online(void)
{
    return has_said("tund: electron-2 is online");
}

/* A browser on the laptop, as little as goes: one request, one answer, nothing is lost. */
static struct segment mine;
static std::string page;
static bool is_closed;

static void tell(uint8_t flags, const char *text)
{
    uint8_t packet[200];

    mine.flags = flags;
    mine.data = reinterpret_cast<const uint8_t *>(text);
    mine.data_len = strlen(text);
    lab_send(lab, packet, segment_write(packet, &mine));
    mine.seq += static_cast<uint32_t>(mine.data_len) + ((flags & (SEGMENT_SYN | SEGMENT_FIN)) != 0);
}

static void on_packet(struct lab *, const uint8_t *packet, size_t len)
{
    struct segment got;

    if (!segment_read(packet, len, &got) || got.dst.port != mine.src.port)
        return;
    if (got.flags & SEGMENT_SYN) {
        mine.ack = got.seq + 1;
        tell(SEGMENT_ACK, "GET / HTTP/1.0\r\n\r\n");
    } else if (got.seq == mine.ack && (got.data_len || (got.flags & SEGMENT_FIN))) {
        page.append(reinterpret_cast<const char *>(got.data), got.data_len);
        mine.ack += static_cast<uint32_t>(got.data_len) + (got.flags & SEGMENT_FIN);
        is_closed = is_closed || (got.flags & SEGMENT_FIN);
        tell(static_cast<uint8_t>(SEGMENT_ACK | (got.flags & SEGMENT_FIN)), "");
    }
}

static bool has_page(void)
{
    return is_closed;
}

static bool opens_page(uint16_t port)
{
    memset(&mine, 0, sizeof mine);
    mine.src = lab_laptop_address(lab);
    mine.dst = lab_device_address(lab);
    mine.src.port = port;
    mine.dst.port = 80;
    page.clear();
    is_closed = false;
    lab_watch(lab, on_packet);
    tell(SEGMENT_SYN, "");
    (void)until(has_page, 5000);
    lab_watch(lab, NULL);
    return is_closed && page.find("HTTP/1.1 200 OK\r\n") == 0;
}

static void the_example_takes_an_invite_at_the_prompt(void)
{
    device = NULL;
    reset_mock();
    setup();
    turns(20);
    mock.in = "what is this?\r\n";
    turns(5);
    check(has_said("no invite, or one that cannot be used"), "the example's prompt says what it cannot use");
    mock.in = std::string(lab_invite(lab, "electron-2")) + "\r\n";
    check(until(example_is_online, 10000), "and an invite that is pasted there brings the device online");
    check(until(is_known, 5000) && pings(84, 5000), "where the laptop pings it");
    check(!has_said("tund-invite"), "the invite is never shown");
#ifdef HAS_TCP
    check(opens_page(50000), "the laptop opens the page that the example serves");
    check(page.find("<th>name<td>electron-2") != std::string::npos, "which tells the device's name");
    check(opens_page(50001), "and opens it once more");
#else
    (void)opens_page;
#endif
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    reset_mock();
    lab = lab_new();
    the_eeprom_is_looked_at_first();
    {
        Tund t;

        reset_mock();
        device = &t;
        it_joins_and_is_pinged(&t);
        it_opens_its_socket_again(&t);
        it_follows_the_connection(&t);
    }
    it_is_a_member_after_a_reset();
    the_example_takes_an_invite_at_the_prompt();
    lab_free(lab);
    printf("1..%u\n", tests);
    return failures ? 1 : 0;
}
