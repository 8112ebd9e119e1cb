/* Any bytes on the modem's line, with datagrams and time in between; the first byte of each piece says
 * what it is. The modem answers a plain command afterwards. */
#include <stdlib.h>
#include <string.h>

#include "../modem.h"

static struct modem m;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int net_open(void *ctx, int handle, uint16_t port)
{
    return 0;
}

static int net_send(void *ctx, int handle, const uint8_t ip[4], uint16_t port, const void *data, size_t len)
{
    return len > MODEM_DATAGRAM_MAX || handle < 0 || handle >= MODEM_SOCKETS ? abort(), 1 : 0;
}

static void net_close(void *ctx, int handle)
{
}

static int net_resolve(void *ctx, const char *name, uint8_t ip[4])
{
    memset(ip, 1, 4);
    return strlen(name) > 3;
}

static void drain(void)
{
    uint8_t out[512];

    while (modem_take(&m, out, sizeof out))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct modem_net net = {net_open, net_send, net_close, net_resolve, NULL};
    static const uint8_t blanks[MODEM_DATAGRAM_MAX];
    uint64_t now_us = 0;

    modem_init(&m, &net);
    for (size_t at = 0; at < size;) {
        size_t left = size - at - 1, len = data[at] & 0x3f;
        char word[64] = {0};

        len = len < left ? len : left;
        if (data[at] >> 6 == 0)
            modem_on_datagram(&m, data[at] % MODEM_SOCKETS, blanks, 7, data + at + 1, len, now_us);
        else if (data[at] >> 6 == 1)
            modem_control(&m, memcpy(word, data + at + 1, len));
        else
            modem_on_bytes(&m, data + at + 1, len, now_us);
        now_us += 1000;
        drain();
        at += len + 1;
    }
    modem_control(&m, "mute=off");
    m.faults.late = 0;
    modem_tick(&m, UINT64_MAX);
    modem_on_bytes(&m, blanks, m.wanted, UINT64_MAX);
    modem_on_bytes(&m, "\rAT\r", 4, UINT64_MAX);
    if (!m.out_len)
        abort();
    return 0;
}
