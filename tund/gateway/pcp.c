/* PCP's datagrams, RFC 6887 sections 7.1, 7.2, 11.1 and 14.1:
 *
 *   request  version[1] = 2  opcode[1]        reserved[2]            lifetime[4]  client[16]
 *   answer   version[1] = 2  128 + opcode[1]  reserved[1] result[1]  lifetime[4]  epoch[4] reserved[12]
 *   MAP      nonce[12] protocol[1] reserved[3] internal[2] external[2] external_address[16]
 *   option   code[1] reserved[1] length[2] data, filled up to 4 bytes */
#include "pcp.h"

#include <string.h>

#include "libtunnel/base/cursor.h"

#define ANSWER_BIT 128

static void write_head(struct tn_writer *w, enum pcp_opcode opcode, uint32_t lifetime_s,
                       const struct tn_addr *client)
{
    tn_write_u8(w, PCP_VERSION);
    tn_write_u8(w, (uint8_t)opcode);
    tn_write_u16(w, 0);
    tn_write_u32(w, lifetime_s);
    tn_write_bytes(w, client->ip, 16);
}

void pcp_ask_announce(uint8_t out[PCP_HEAD_LEN], const struct tn_addr *client)
{
    struct tn_writer w;

    tn_writer_init(&w, out, PCP_HEAD_LEN);
    write_head(&w, PCP_ANNOUNCE, 0, client);
}

void pcp_ask_map(uint8_t out[PCP_MAP_LEN], const struct tn_addr *client, const struct pcp_map *map,
                 uint32_t lifetime_s)
{
    struct tn_writer w;

    tn_writer_init(&w, out, PCP_MAP_LEN);
    write_head(&w, PCP_MAP, lifetime_s, client);
    tn_write_bytes(&w, map->nonce, PCP_NONCE_LEN);
    tn_write_u8(&w, map->protocol);
    tn_write_zeros(&w, 3);
    tn_write_u16(&w, map->internal_port);
    tn_write_u16(&w, map->external.port);
    tn_write_bytes(&w, map->external.ip, 16);
}

static void read_map(struct tn_reader *r, struct pcp_map *map)
{
    tn_read_bytes(r, map->nonce, PCP_NONCE_LEN);
    map->protocol = tn_read_u8(r);
    (void)tn_read_view(r, 3);
    map->internal_port = tn_read_u16(r);
    map->external.port = tn_read_u16(r);
    tn_read_bytes(r, map->external.ip, 16);
}

/* Section 7.3: what is behind the operation must be whole options. */
static void pass_options(struct tn_reader *r)
{
    while (tn_reader_ok(r) && r->left) {
        size_t len;

        (void)tn_read_u16(r);
        len = tn_read_u16(r);
        (void)tn_read_view(r, (len + 3) & ~(size_t)3);
    }
}

int pcp_decode(struct pcp_answer *out, const uint8_t *data, size_t len)
{
    struct pcp_answer got = {0};
    struct tn_reader r;
    uint8_t opcode;

    if (len < 4 || len > PCP_MESSAGE_MAX || len % 4)
        return TN_EINVAL;
    tn_reader_init(&r, data, len);
    got.version = tn_read_u8(&r);
    opcode = tn_read_u8(&r);
    (void)tn_read_u8(&r);
    got.result = tn_read_u8(&r);
    if (opcode < ANSWER_BIT || opcode > ANSWER_BIT + PCP_MAP)
        return TN_EINVAL;
    got.opcode = opcode - ANSWER_BIT;
    if (got.version != PCP_VERSION) { /* section 9; version 0 is NAT-PMP, and not for us */
        if (got.version == 0 || got.result != PCP_UNSUPP_VERSION)
            return TN_EINVAL;
        *out = got;
        return 0;
    }
    got.lifetime_s = tn_read_u32(&r);
    got.epoch_s = tn_read_u32(&r);
    (void)tn_read_view(&r, 12);
    got.has_map = got.opcode == PCP_MAP && (got.result == PCP_SUCCESS || r.left);
    if (got.has_map)
        read_map(&r, &got.map);
    pass_options(&r);
    if (!tn_reader_done(&r))
        return TN_EINVAL;
    *out = got;
    return 0;
}

bool pcp_is_answer_to(const struct pcp_answer *a, const struct pcp_map *asked)
{
    return a->opcode == PCP_MAP && a->has_map && a->map.protocol == asked->protocol &&
           a->map.internal_port == asked->internal_port &&
           memcmp(a->map.nonce, asked->nonce, PCP_NONCE_LEN) == 0;
}
