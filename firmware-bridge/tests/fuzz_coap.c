/* The example application's CoAP server, fed anything. */
#include <stdlib.h>
#include <string.h>

#include "../app/app.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

void bridge_info(const struct bridge *b, struct bridge_info *out, uint64_t now_us)
{
    *out = (struct bridge_info){.name = "electron-1", .network = "home"};
}

const char *bridge_state_name(enum bridge_state s)
{
    return "online";
}

int bridge_udp_bind(struct bridge *b, uint16_t port, bridge_udp_handler *handler, void *ctx)
{
    return 0;
}

static uint64_t clock_us(void *ctx)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct app app;
    uint8_t *mem;
    size_t room, n;

    if (len < 2 || app_start(&app, NULL, clock_us, NULL))
        return 0;
    room = (size_t)data[0] << 1 | (data[1] & 1);
    data += 2;
    len -= 2;
    room = room > len ? room : len; /* the answer is written over the request */
    mem = malloc(room ? room : 1);
    if (!mem)
        abort();
    memcpy(mem, data, len);
    n = app_coap(&app, mem, len, room);
    if (n > room || (n && n < 4))
        abort();
    free(mem);
    return 0;
}
