/* "tundnets" version[1] = 1 count[1] { key[8] alive_s[2] dead_s[2] } check[32]
 *
 * check is BLAKE2s over all before. Kept once: nothing is lost with it but time. */
#include "state_networks.h"

#include <errno.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/base/cursor.h"
#include "libtunnel/crypto/crypto.h"

#define FILE_NAME "networks"
#define MAGIC "tundnets"
#define CHECK_LEN 32

uint64_t state_network_key(const struct tn_addr *outside, const struct tn_addr *local)
{
    uint8_t in[32], out[8];

    memcpy(in, outside->ip, 16);
    memcpy(in + 16, local->ip, 16);
    if (tn_addr_is_v4(local))
        in[31] = 0;
    else
        memset(in + 24, 0, 8);
    tn_blake2s(out, sizeof out, NULL, 0, in, sizeof in);
    return tn_get_be64(out);
}

struct tn_natlife state_networks_find(const struct state_networks *n, uint64_t key)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->row[i].key == key)
            return n->row[i].life;
    }
    return (struct tn_natlife){0};
}

void state_networks_put(struct state_networks *n, uint64_t key, const struct tn_natlife *life)
{
    uint32_t at = 0;

    while (at < n->count && n->row[at].key != key)
        at++;
    if (at == STATE_NETWORKS_MAX)
        at--;
    else if (at == n->count)
        n->count++;
    memmove(n->row + 1, n->row, at * sizeof *n->row);
    n->row[0].key = key;
    n->row[0].life = *life;
}

int state_networks_encode(const struct state_networks *n, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t check[CHECK_LEN];
    struct tn_writer w;

    if (n->count > STATE_NETWORKS_MAX)
        return TN_EINVAL;
    tn_writer_init(&w, out, cap);
    tn_write_bytes(&w, MAGIC, 8);
    tn_write_u8(&w, 1);
    tn_write_u8(&w, (uint8_t)n->count);
    for (uint32_t i = 0; i < n->count; i++) {
        tn_write_u64(&w, n->row[i].key);
        tn_write_u16(&w, (uint16_t)n->row[i].life.alive_s);
        tn_write_u16(&w, (uint16_t)n->row[i].life.dead_s);
    }
    if (!tn_writer_ok(&w))
        return TN_ENOSPC;
    tn_blake2s(check, sizeof check, NULL, 0, out, w.len);
    tn_write_bytes(&w, check, sizeof check);
    if (!tn_writer_ok(&w))
        return TN_ENOSPC;
    *len = w.len;
    return 0;
}

int state_networks_decode(struct state_networks *n, const uint8_t *data, size_t len)
{
    struct state_networks got = {0};
    uint8_t check[CHECK_LEN], magic[8] = {0};
    struct tn_reader r;

    if (len < CHECK_LEN)
        return TN_EINVAL;
    tn_blake2s(check, sizeof check, NULL, 0, data, len - CHECK_LEN);
    if (!tn_ct_equal(check, data + len - CHECK_LEN, CHECK_LEN))
        return TN_EINVAL;
    tn_reader_init(&r, data, len - CHECK_LEN);
    tn_read_bytes(&r, magic, sizeof magic);
    if (memcmp(magic, MAGIC, sizeof magic) != 0 || tn_read_u8(&r) != 1)
        return TN_EINVAL;
    got.count = tn_read_u8(&r);
    if (got.count > STATE_NETWORKS_MAX)
        return TN_EINVAL;
    for (uint32_t i = 0; i < got.count; i++) {
        got.row[i].key = tn_read_u64(&r);
        got.row[i].life.alive_s = tn_read_u16(&r);
        got.row[i].life.dead_s = tn_read_u16(&r);
        if (got.row[i].life.dead_s && got.row[i].life.dead_s <= got.row[i].life.alive_s)
            return TN_EINVAL;
    }
    if (!tn_reader_done(&r))
        return TN_EINVAL;
    *n = got;
    return 0;
}

int state_save_networks(struct state *s, const struct state_networks *n, struct why *w)
{
    uint8_t buf[STATE_NETWORKS_FILE_MAX];
    size_t len;

    if (state_networks_encode(n, buf, sizeof buf, &len) != 0)
        return why_set(w, -EINVAL, "what was learned about networks cannot be stored");
    return state_write(s, FILE_NAME, buf, len, w);
}

int state_load_networks(struct state *s, struct state_networks *n, struct why *w)
{
    uint8_t buf[STATE_NETWORKS_FILE_MAX];
    size_t len;
    int err = state_read(s, FILE_NAME, buf, sizeof buf, &len, w);

    if (err == -ENOENT) {
        n->count = 0;
        return 0;
    }
    if (err)
        return err;
    if (state_networks_decode(n, buf, len) != 0)
        return why_set(w, -EBADMSG, "%s/%s is damaged", s->dir, FILE_NAME);
    return 0;
}
