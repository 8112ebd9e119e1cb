/* How it works: the interface first, then each peer, in the order of wireguard-go. */
#include "uapi_answer.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "libtunnel/base/ct.h"

#include "log.h"

static void add_allowed(void *ctx, const uint8_t ip[16], bool v4, uint8_t bits)
{
    char text[INET6_ADDRSTRLEN];

    if (inet_ntop(v4 ? AF_INET : AF_INET6, ip, text, sizeof text))
        uapi_text_add(ctx, "allowed_ip=%s/%u\n", text, (unsigned)bits);
}

static void add_peer(const struct tund *t, uint32_t peer, struct uapi_text *out)
{
    struct tn_peer_info info;
    char endpoint[ADDR_TEXT_LEN];

    if (!tn_node_peer_info(t->node, peer, &info))
        return;
    uapi_text_add_key(out, "public_key", info.public_key);
    uapi_text_add_key(out, "preshared_key", info.psk);
    uapi_text_add(out, "protocol_version=1\n");
    if (info.has_endpoint && !tn_addr_is_stream(&info.endpoint)) /* of UDP only: `wg` knows no other */
        uapi_text_add(out, "endpoint=%s\n", addr_text(&info.endpoint, endpoint));
    uapi_text_add(out, "last_handshake_time_sec=%" PRIu64 "\n",
                  info.last_handshake_unix_ns / 1000000000u);
    uapi_text_add(out, "last_handshake_time_nsec=%" PRIu64 "\n",
                  info.last_handshake_unix_ns % 1000000000u);
    uapi_text_add(out, "tx_bytes=%" PRIu64 "\n", info.tx_bytes);
    uapi_text_add(out, "rx_bytes=%" PRIu64 "\n", info.rx_bytes);
    uapi_text_add(out, "persistent_keepalive_interval=%u\n", (unsigned)info.keepalive_s);
    tn_node_allowed_each(t->node, peer, add_allowed, out);
    tn_wipe(&info, sizeof info);
}

void uapi_answer_get(const struct tund *t, struct uapi_text *out)
{
    uint8_t key[32];

    if (tn_node_private_key(t->node, key))
        uapi_text_add_key(out, "private_key", key);
    tn_wipe(key, sizeof key);
    uapi_text_add(out, "listen_port=%u\n", (unsigned)t->udp.port);
    if (t->udp.config.fwmark)
        uapi_text_add(out, "fwmark=%" PRIu32 "\n", t->udp.config.fwmark);
    for (uint32_t i = 0; i < tn_node_peer_cap(t->node); i++)
        add_peer(t, i, out);
}
