/* Records of the state directory.
 *
 *   "tundstat" version[1] = 1 kind[1] body_len[2] body   check[32]
 *
 * check is BLAKE2s over all before. It guards against a disk that forgets, not
 * against people: who can write here owns the node anyway. The kind is in it, so
 * that a file under another's name is refused. Integers are big endian.
 *
 * The copy NAME.bak is written after NAME, so it is never the newer one; it is
 * read only when NAME is damaged, not when NAME is missing: to remove a member
 * means to remove NAME first. */
#include "state_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/cursor.h"
#include "libtunnel/crypto/crypto.h"

#define RECORD_MAGIC "tundstat"
#define RECORD_HEAD_LEN 12
#define RECORD_CHECK_LEN 32
#define ROSTER_FILE_MAX (64u << 20)

/* The first byte of a node's body. */
#define FLAG_JOINED 1u
#define FLAG_PORTMAP_OFF 2u

enum record_kind { RECORD_NODE = 1, RECORD_OWNER, RECORD_STAMP };

static const char *const record_file[] = {
    [RECORD_NODE] = "node",
    [RECORD_OWNER] = "owner",
    [RECORD_STAMP] = "stamp",
};
#define ROSTER_FILE "roster"

/* ---- head and check ---- */

static void begin(struct tn_writer *w, enum record_kind kind, uint8_t *out, size_t cap)
{
    tn_writer_init(w, out, cap);
    tn_write_bytes(w, RECORD_MAGIC, 8);
    tn_write_u8(w, 1);
    tn_write_u8(w, (uint8_t)kind);
    tn_write_u16(w, 0);
}

static int finish(struct tn_writer *w, size_t *len)
{
    uint8_t check[RECORD_CHECK_LEN];
    size_t body;

    if (!tn_writer_ok(w) || w->len - RECORD_HEAD_LEN > UINT16_MAX)
        return TN_EINVAL;
    body = w->len - RECORD_HEAD_LEN;
    w->base[10] = (uint8_t)(body >> 8);
    w->base[11] = (uint8_t)body;
    tn_blake2s(check, sizeof(check), NULL, 0, w->base, w->len);
    tn_write_bytes(w, check, sizeof(check));
    if (!tn_writer_ok(w))
        return TN_EINVAL;
    *len = w->len;
    return 0;
}

/* Leaves `r` on the body. */
static int unseal(struct tn_reader *r, enum record_kind kind, const uint8_t *data, size_t len)
{
    uint8_t check[RECORD_CHECK_LEN];
    size_t body;

    if (len < RECORD_HEAD_LEN + RECORD_CHECK_LEN)
        return TN_EINVAL;
    body = len - RECORD_HEAD_LEN - RECORD_CHECK_LEN;
    if (memcmp(data, RECORD_MAGIC, 8) != 0 || data[8] != 1 || data[9] != (uint8_t)kind ||
        ((size_t)data[10] << 8 | data[11]) != body)
        return TN_EINVAL;
    tn_blake2s(check, sizeof(check), NULL, 0, data, RECORD_HEAD_LEN + body);
    if (!tn_ct_equal(check, data + RECORD_HEAD_LEN + body, sizeof(check)))
        return TN_EINVAL;
    tn_reader_init(r, data + RECORD_HEAD_LEN, body);
    return 0;
}

static void write_text(struct tn_writer *w, const char *text)
{
    size_t len = strlen(text);

    tn_write_u8(w, (uint8_t)len);
    tn_write_bytes(w, text, len);
}

static void read_text(struct tn_reader *r, char *out, size_t size)
{
    size_t len = tn_read_u8(r);

    if (len >= size) {
        tn_reader_fail(r);
        return;
    }
    memset(out, 0, size);
    tn_read_bytes(r, out, len);
    if (strlen(out) != len)
        tn_reader_fail(r);
}

/* ---- node ---- */

int state_node_encode(const struct state_node *n, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t card[TN_CARD_MAX_LEN];
    struct tn_writer w;
    size_t card_len;
    int err = tn_card_encode(&n->card, card, sizeof(card), &card_len);

    if (err)
        return err;
    if (tn_url_check(&n->coordinator) != 0 || strnlen(n->ifname, sizeof(n->ifname)) >= sizeof(n->ifname))
        return TN_EINVAL;
    begin(&w, RECORD_NODE, out, cap);
    tn_write_u8(&w, (uint8_t)((n->joined ? FLAG_JOINED : 0) | (n->portmap_off ? FLAG_PORTMAP_OFF : 0)));
    tn_write_bytes(&w, n->identity_seed, 32);
    tn_write_bytes(&w, n->wireguard_private, 32);
    tn_write_u16(&w, n->port);
    write_text(&w, n->ifname);
    tn_write_bytes(&w, n->coordinator.public_key, 32);
    tn_write_u16(&w, n->coordinator.port);
    write_text(&w, n->coordinator.host);
    tn_write_u16(&w, (uint16_t)card_len);
    tn_write_bytes(&w, card, card_len);
    return finish(&w, len);
}

int state_node_decode(struct state_node *n, const uint8_t *data, size_t len)
{
    struct state_node got;
    struct tn_reader r;
    const uint8_t *card;
    size_t card_len;
    uint8_t flags;
    int err = unseal(&r, RECORD_NODE, data, len);

    if (err)
        return err;
    memset(&got, 0, sizeof(got));
    flags = tn_read_u8(&r);
    got.joined = flags & FLAG_JOINED;
    got.portmap_off = flags & FLAG_PORTMAP_OFF;
    tn_read_bytes(&r, got.identity_seed, 32);
    tn_read_bytes(&r, got.wireguard_private, 32);
    got.port = tn_read_u16(&r);
    read_text(&r, got.ifname, sizeof(got.ifname));
    tn_read_bytes(&r, got.coordinator.public_key, 32);
    got.coordinator.port = tn_read_u16(&r);
    read_text(&r, got.coordinator.host, sizeof(got.coordinator.host));
    card_len = tn_read_u16(&r);
    card = tn_read_view(&r, card_len);
    err = TN_EINVAL;
    if ((flags & ~(FLAG_JOINED | FLAG_PORTMAP_OFF)) || !tn_reader_done(&r) || tn_url_check(&got.coordinator) != 0)
        goto out;
    err = tn_card_decode(&got.card, card, card_len);
    if (err)
        goto out;
    *n = got;
out:
    state_node_wipe(&got);
    return err;
}

void state_node_wipe(struct state_node *n)
{
    tn_wipe(n, sizeof(*n));
}

/* ---- owner ---- */

int state_owner_encode(const struct state_owner *o, uint8_t *out, size_t cap, size_t *len)
{
    struct tn_writer w;

    if (!tn_name_is_valid(o->network, strnlen(o->network, sizeof(o->network))) ||
        o->bits < TN_CERT_IPV4_BITS_MIN || o->bits > TN_CERT_IPV4_BITS_MAX)
        return TN_EINVAL;
    begin(&w, RECORD_OWNER, out, cap);
    tn_write_bytes(&w, o->network_seed, 32);
    write_text(&w, o->network);
    tn_write_bytes(&w, o->prefix, 4);
    tn_write_u8(&w, o->bits);
    tn_write_u32(&w, o->next_host);
    return finish(&w, len);
}

int state_owner_decode(struct state_owner *o, const uint8_t *data, size_t len)
{
    struct state_owner got;
    struct tn_reader r;
    int err = unseal(&r, RECORD_OWNER, data, len);

    if (err)
        return err;
    memset(&got, 0, sizeof(got));
    tn_read_bytes(&r, got.network_seed, 32);
    read_text(&r, got.network, sizeof(got.network));
    tn_read_bytes(&r, got.prefix, 4);
    got.bits = tn_read_u8(&r);
    got.next_host = tn_read_u32(&r);
    if (!tn_reader_done(&r) || !tn_name_is_valid(got.network, strlen(got.network)) ||
        got.bits < TN_CERT_IPV4_BITS_MIN || got.bits > TN_CERT_IPV4_BITS_MAX)
        err = TN_EINVAL;
    else
        *o = got;
    state_owner_wipe(&got);
    return err;
}

void state_owner_wipe(struct state_owner *o)
{
    tn_wipe(o, sizeof(*o));
}

/* ---- two copies ---- */

static int save_twice(struct state *s, enum record_kind kind, const uint8_t *data, size_t len,
                      struct why *w)
{
    char copy[32];
    int err = state_write(s, record_file[kind], data, len, w);

    if (err)
        return err;
    snprintf(copy, sizeof(copy), "%s.bak", record_file[kind]);
    return state_write(s, copy, data, len, w);
}

static int decode_as(enum record_kind kind, void *out, const uint8_t *data, size_t len)
{
    struct tn_reader r;
    uint64_t stamp;
    int err;

    switch (kind) {
    case RECORD_NODE:
        return state_node_decode(out, data, len);
    case RECORD_OWNER:
        return state_owner_decode(out, data, len);
    case RECORD_STAMP:
        err = unseal(&r, kind, data, len);
        if (err)
            return err;
        stamp = tn_read_u64(&r);
        if (!tn_reader_done(&r))
            return TN_EINVAL;
        *(uint64_t *)out = stamp;
        return 0;
    }
    return TN_EINVAL;
}

/* -EBADMSG: the file is there and damaged. */
static int load_copy(struct state *s, enum record_kind kind, const char *name, void *out,
                     struct why *w)
{
    uint8_t buf[STATE_RECORD_MAX];
    size_t len;
    int err = state_read(s, name, buf, sizeof(buf), &len, w);

    if (err == -EFBIG)
        err = -EBADMSG;
    if (!err && decode_as(kind, out, buf, len) != 0)
        err = why_set(w, -EBADMSG, "%s/%s is damaged, and so is its copy: restore the directory "
                      "from a backup, or remove it and join again with a new invite", s->dir, name);
    tn_wipe(buf, sizeof(buf));
    return err;
}

static int load_twice(struct state *s, enum record_kind kind, void *out, struct why *w)
{
    struct why ignored;
    char copy[32];
    int err = load_copy(s, kind, record_file[kind], out, w);

    if (err != -EBADMSG)
        return err;
    snprintf(copy, sizeof(copy), "%s.bak", record_file[kind]);
    return load_copy(s, kind, copy, out, &ignored) == 0 ? 0 : err;
}

int state_save_node(struct state *s, const struct state_node *n, struct why *w)
{
    uint8_t buf[STATE_RECORD_MAX];
    size_t len;
    int err;

    if (state_node_encode(n, buf, sizeof(buf), &len) != 0)
        err = why_set(w, -EINVAL, "the node's settings cannot be stored: a field is impossible");
    else
        err = save_twice(s, RECORD_NODE, buf, len, w);
    tn_wipe(buf, sizeof(buf));
    return err;
}

int state_load_node(struct state *s, struct state_node *n, struct why *w)
{
    int err = load_twice(s, RECORD_NODE, n, w);

    if (err == -ENOENT)
        return why_set(w, err, "%s holds no member of a network yet: `tundctl create` or "
                       "`tundctl join` makes one", s->dir);
    return err;
}

int state_save_owner(struct state *s, const struct state_owner *o, struct why *w)
{
    uint8_t buf[STATE_RECORD_MAX];
    size_t len;
    int err;

    if (state_owner_encode(o, buf, sizeof(buf), &len) != 0)
        err = why_set(w, -EINVAL, "the network's settings cannot be stored: a field is impossible");
    else
        err = save_twice(s, RECORD_OWNER, buf, len, w);
    tn_wipe(buf, sizeof(buf));
    return err;
}

int state_load_owner(struct state *s, struct state_owner *o, struct why *w)
{
    int err = load_twice(s, RECORD_OWNER, o, w);

    if (err == -ENOENT)
        return why_set(w, err, "this machine does not hold the network's key: only the one where "
                       "`tundctl create` ran can invite");
    return err;
}

/* ---- stamp ---- */

int state_save_stamp(struct state *s, uint64_t ceiling_ns, struct why *w)
{
    uint8_t buf[64];
    struct tn_writer wr;
    size_t len;

    begin(&wr, RECORD_STAMP, buf, sizeof(buf));
    tn_write_u64(&wr, ceiling_ns);
    if (finish(&wr, &len) != 0)
        return why_set(w, -EINVAL, "the stamp cannot be stored");
    return save_twice(s, RECORD_STAMP, buf, len, w);
}

int state_load_stamp(struct state *s, uint64_t *ceiling_ns, struct why *w)
{
    struct why other;
    uint64_t first = 0, second = 0;
    int err1 = load_copy(s, RECORD_STAMP, "stamp", &first, w);
    int err2 = load_copy(s, RECORD_STAMP, "stamp.bak", &second, &other);

    if (err1 && err2 && !(err1 == -ENOENT && err2 == -ENOENT)) {
        if (err1 == -ENOENT)
            why_set(w, err2, "%s", other.text);
        return err1 == -ENOENT ? err2 : err1;
    }
    first = err1 ? 0 : first;
    second = err2 ? 0 : second;
    *ceiling_ns = first > second ? first : second;
    return 0;
}

/* ---- roster ---- */

int state_encode_roster(const struct tn_member *(*at)(const void *ctx, uint32_t i), const void *ctx,
                        uint8_t **out, size_t *len, struct why *w)
{
    uint32_t count = 0;
    uint8_t *buf;

    while (at(ctx, count))
        count++;
    buf = malloc(TN_ROSTER_FILE_LEN(count));
    if (!buf)
        return why_set(w, -ENOMEM, "no memory to write the roster");
    tn_roster_encode_head(buf);
    for (uint32_t i = 0; i < count; i++) {
        if (tn_roster_encode_member(at(ctx, i), buf + TN_ROSTER_FILE_LEN(i)) != 0) {
            free(buf);
            return why_set(w, -EINVAL, "member %u of the roster cannot be stored", i);
        }
    }
    *out = buf;
    *len = TN_ROSTER_FILE_LEN(count);
    return 0;
}

int state_write_roster(struct state *s, const uint8_t *data, size_t len, struct why *w)
{
    return state_write(s, ROSTER_FILE, data, len, w);
}

int state_load_roster(struct state *s, struct tn_roster *r, struct tn_roster_load *report,
                      struct why *w)
{
    struct tn_roster_load ignored;
    size_t cap = TN_ROSTER_FILE_LEN(r->max), len;
    uint8_t *buf;
    int err;

    if (report)
        memset(report, 0, sizeof(*report));
    if (cap > ROSTER_FILE_MAX)
        cap = ROSTER_FILE_MAX;
    buf = malloc(cap);
    if (!buf)
        return why_set(w, -ENOMEM, "no memory to read the roster");
    err = state_read(s, ROSTER_FILE, buf, cap, &len, w);
    if (err == -ENOENT)
        err = 0;
    else if (!err && tn_roster_decode(r, buf, len, report ? report : &ignored) != 0)
        err = why_set(w, -EBADMSG, "%s/" ROSTER_FILE " is damaged: move it away; the members come "
                      "again from the coordinator", s->dir);
    free(buf);
    return err;
}

int state_forget(struct state *s, struct why *w)
{
    static const char *const files[] = {
        "node", "node.bak", "owner", "owner.bak", "stamp", "stamp.bak", ROSTER_FILE, "networks",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int err = state_remove(s, files[i], w);

        if (err)
            return err;
    }
    return 0;
}
