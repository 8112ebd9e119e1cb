/* The two tests of an epoch, in the integers of their RFCs. */
#include "epoch.h"

#include "libtunnel/base/now.h"

static void remember(struct gateway_epoch *e, uint64_t now_us, uint32_t server_s)
{
    *e = (struct gateway_epoch){.known = true, .at_us = now_us, .server_s = server_s};
}

static uint64_t passed_s(const struct gateway_epoch *e, uint64_t now_us)
{
    return now_us > e->at_us ? (now_us - e->at_us) / TN_S(1) : 0;
}

bool gateway_epoch_pcp(struct gateway_epoch *e, uint64_t now_us, uint32_t server_s)
{
    uint64_t client = passed_s(e, now_us), server;
    bool good = true;

    if (e->known && (uint64_t)server_s + 1 < e->server_s) {
        good = false;
    } else if (e->known) {
        server = server_s > e->server_s ? server_s - e->server_s : 0;
        good = client + 2 >= server - server / 16 && server + 2 >= client - client / 16;
    }
    remember(e, now_us, server_s);
    return good;
}

bool gateway_epoch_natpmp(struct gateway_epoch *e, uint64_t now_us, uint32_t server_s)
{
    uint64_t client = passed_s(e, now_us);
    bool good = !e->known || (uint64_t)server_s + 2 >= e->server_s + client * 7 / 8;

    remember(e, now_us, server_s);
    return good;
}
