/* Invites as one line of text (docs/PROTOCOL.md section 3.3).
 *
 * Reading goes in the order in which a person can be helped: is it an invite at all, is every
 * letter there (base64url and a check of 4 bytes), do the fields make sense, does the network's signature
 * verify and does the seed belong to the certified key. The bytes in between hold the seed, so they
 * are wiped at the single exit of each function; nothing that depends on them is branched on but
 * the outcome. */
#include "invite.h"

#include <string.h>

#include "../base/ct.h"
#include "../base/cursor.h"
#include "../crypto/crypto.h"

#define PREFIX_LEN (sizeof(TN_INVITE_PREFIX) - 1)
#define CHECK_LEN 4

static void check_of(uint8_t check[CHECK_LEN], const uint8_t *data, size_t len)
{
    uint8_t hash[TN_HASH_LEN];

    tn_blake2s(hash, sizeof(hash), NULL, 0, data, len);
    memcpy(check, hash, CHECK_LEN);
    tn_wipe(hash, sizeof(hash));
}

/* What TN_EAUTH stands for: the owner's signature, and a seed that is the certified key's. */
static int verify(const struct tn_invite *i)
{
    uint8_t own[32];

    if (tn_cert_verify(&i->cert, NULL))
        return TN_EAUTH;
    tn_ed25519_public(own, i->invite_seed);
    return tn_ct_equal(own, i->cert.invite_public, sizeof(own)) ? 0 : TN_EAUTH;
}

static void write_invite(struct tn_writer *w, const struct tn_invite *i)
{
    const char *end = memchr(i->coordinator.host, '\0', TN_HOST_SIZE);
    size_t host_len = (size_t)(end - i->coordinator.host);
    uint8_t check[CHECK_LEN];

    tn_write_bytes(w, i->coordinator.public_key, 32);
    tn_write_u16(w, i->coordinator.port);
    tn_write_u8(w, (uint8_t)host_len);
    tn_write_bytes(w, i->coordinator.host, host_len);
    tn_cert_write(w, &i->cert);
    tn_write_bytes(w, i->invite_seed, 32);
    check_of(check, w->base, w->len);
    tn_write_bytes(w, check, sizeof(check));
}

int tn_invite_encode(const struct tn_invite *i, char *out, size_t cap, size_t *len)
{
    uint8_t bytes[TN_INVITE_MAX_LEN];
    struct tn_writer w;
    int err;

    if (tn_url_check(&i->coordinator) || tn_cert_check(&i->cert))
        return TN_EINVAL;
    err = verify(i);
    if (err)
        return err;
    tn_writer_init(&w, bytes, sizeof(bytes));
    write_invite(&w, i);
    if (!tn_writer_ok(&w)) {
        err = TN_EINVAL;
        goto out;
    }
    if (cap <= PREFIX_LEN + TN_TEXT_BASE64URL_LEN(w.len)) {
        err = TN_ENOSPC;
        goto out;
    }
    err = tn_text_base64_encode(out + PREFIX_LEN, cap - PREFIX_LEN, bytes, w.len,
                                TN_TEXT_BASE64URL);
    if (err)
        goto out;
    memcpy(out, TN_INVITE_PREFIX, PREFIX_LEN);
    if (len)
        *len = PREFIX_LEN + TN_TEXT_BASE64URL_LEN(w.len);
out:
    tn_wipe(bytes, sizeof(bytes));
    return err;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *len)
{
    while (*len && is_blank(**text)) {
        ++*text;
        --*len;
    }
    while (*len && is_blank((*text)[*len - 1]))
        --*len;
}

/* The fields of a text whose check matched. */
static int read_invite(struct tn_invite *i, const uint8_t *bytes, size_t len)
{
    struct tn_reader r;
    uint8_t host_len;

    memset(i, 0, sizeof(*i));
    tn_reader_init(&r, bytes, len);
    tn_read_bytes(&r, i->coordinator.public_key, 32);
    i->coordinator.port = tn_read_u16(&r);
    host_len = tn_read_u8(&r);
    if (host_len > TN_HOST_MAX_LEN)
        return TN_EDENIED;
    tn_read_bytes(&r, i->coordinator.host, host_len);
    tn_cert_read(&r, &i->cert);
    tn_read_bytes(&r, i->invite_seed, 32);
    if (!tn_reader_done(&r) || !tn_host_is_valid(i->coordinator.host, host_len))
        return TN_EDENIED;
    return tn_url_check(&i->coordinator) ? TN_EDENIED : 0;
}

/* Not inlined: what it has on the stack is gone when the signatures are checked, which takes a device's all. */
__attribute__((noinline)) static int parse(struct tn_invite *i, const char *text, size_t len)
{
    uint8_t bytes[TN_INVITE_MAX_LEN];
    uint8_t check[CHECK_LEN];
    size_t count;
    int err = TN_EINVAL;

    if (tn_text_base64_decode(bytes, sizeof(bytes), &count, text, len, TN_TEXT_BASE64URL) || count < CHECK_LEN)
        goto out;
    count -= CHECK_LEN;
    check_of(check, bytes, count);
    if (tn_ct_equal(check, bytes + count, CHECK_LEN))
        err = read_invite(i, bytes, count);
out:
    tn_wipe(bytes, sizeof(bytes));
    return err;
}

int tn_invite_decode(struct tn_invite *i, const char *text, size_t len)
{
    int err;

    trim(&text, &len);
    if (len < PREFIX_LEN || memcmp(text, TN_INVITE_PREFIX, PREFIX_LEN) != 0)
        return TN_ENOENT;
    err = parse(i, text + PREFIX_LEN, len - PREFIX_LEN);
    if (!err)
        err = verify(i);
    if (err)
        tn_invite_wipe(i);
    return err;
}

void tn_invite_wipe(struct tn_invite *i)
{
    tn_wipe(i, sizeof(*i));
}
