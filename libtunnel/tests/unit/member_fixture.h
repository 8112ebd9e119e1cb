/* A small world for the tests of member/: networks, invites and members that are numbers. Member 0 of
 * network 1 is the one in vectors/member.txt. */
#ifndef TN_TESTS_MEMBER_FIXTURE_H
#define TN_TESTS_MEMBER_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/base/text.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/member/card.h"
#include "libtunnel/member/invite.h"

#define FIX_NETWORK 1
#define FIX_NOT_AFTER_S 1800000000u
#define FIX_JOINED_AT_S 1790000000u

enum fix_seed_kind { FIX_SEED_INVITE = 2, FIX_SEED_IDENTITY = 3, FIX_SEED_WIREGUARD = 4 };

/* 32 bytes that only this kind and number have. */
static inline void fix_seed(uint8_t seed[32], unsigned kind, unsigned number)
{
    memset(seed, (int)kind, 32);
    seed[0] = (uint8_t)(kind + number);
    seed[1] = (uint8_t)(kind + number / 256);
}

static inline void fix_network_seed(uint8_t seed[32], unsigned network)
{
    memset(seed, (int)network, 32);
}

static inline void fix_network_public(uint8_t pub[32], unsigned network)
{
    uint8_t seed[32];

    fix_network_seed(seed, network);
    tn_ed25519_public(pub, seed);
}

/* Everything but the signature. Number 0 is a device called laptop. */
static inline void fix_cert_fields(struct tn_cert *c, unsigned network, unsigned number)
{
    uint8_t seed[32];
    uint8_t interface_id[8] = {0};

    memset(c, 0, sizeof(*c));
    c->flags = number == 0 ? TN_CERT_DEVICE : 0;
    fix_network_public(c->network_public, network);
    for (size_t i = 0; i < TN_INVITE_ID_LEN; i++)
        c->invite_id[i] = (uint8_t)(0x60 + i);
    c->invite_id[0] = (uint8_t)(0x60 + number);
    c->invite_id[1] = (uint8_t)(0x61 + number / 256);
    fix_seed(seed, FIX_SEED_INVITE, number);
    tn_ed25519_public(c->invite_public, seed);
    c->not_after_s = FIX_NOT_AFTER_S;
    memcpy(c->ipv4, (uint8_t[]){10, 77, (uint8_t)(number / 200), (uint8_t)(1 + number % 200)}, 4);
    c->ipv4_bits = number < 200 ? 24 : 16;
    interface_id[6] = (uint8_t)((number + 1) / 256);
    interface_id[7] = (uint8_t)(number + 1);
    tn_network_address6(c->ipv6, c->network_public, interface_id);
    if (number == 0)
        memcpy(c->name, "laptop", 7);
    else
        snprintf(c->name, sizeof(c->name), "node-%u", number);
    memcpy(c->network, "home", 5);
}

/* Signs again after a test has changed a field; the field may be a forbidden one, for
 * which tn_cert_sign would not sign. */
static inline void fix_cert_resign(struct tn_cert *c, unsigned network)
{
    uint8_t seed[32];
    uint8_t msg[512];
    struct tn_writer w;
    size_t name = strnlen(c->name, sizeof(c->name));
    size_t net = strnlen(c->network, sizeof(c->network));

    tn_writer_init(&w, msg, sizeof(msg));
    tn_write_bytes(&w, "tund invite v1", 14);
    tn_write_u8(&w, 1);
    tn_write_u8(&w, c->flags);
    tn_write_bytes(&w, c->network_public, 32);
    tn_write_bytes(&w, c->invite_id, 16);
    tn_write_bytes(&w, c->invite_public, 32);
    tn_write_u64(&w, c->not_after_s);
    tn_write_bytes(&w, c->ipv4, 4);
    tn_write_u8(&w, c->ipv4_bits);
    tn_write_bytes(&w, c->ipv6, 16);
    tn_write_u8(&w, (uint8_t)name);
    tn_write_bytes(&w, c->name, name);
    tn_write_u8(&w, (uint8_t)net);
    tn_write_bytes(&w, c->network, net);
    fix_network_seed(seed, network);
    tn_ed25519_sign(c->signature, msg, w.len, seed);
}

static inline void fix_cert(struct tn_cert *c, unsigned network, unsigned number)
{
    fix_cert_fields(c, network, number);
    fix_cert_resign(c, network);
}

/* The member's own two signatures, by the keys of `number`, over what the card says now. */
static inline int fix_card_sign(struct tn_card *c, unsigned number, uint64_t epoch)
{
    uint8_t invite[32];
    uint8_t identity[32];
    uint8_t wireguard[32];
    int err;

    fix_seed(invite, FIX_SEED_INVITE, number);
    fix_seed(identity, FIX_SEED_IDENTITY, number);
    fix_seed(wireguard, FIX_SEED_WIREGUARD, number);
    wireguard[2] = (uint8_t)(wireguard[2] + epoch - 1);
    tn_ed25519_public(c->identity, identity);
    err = tn_card_sign_membership(c, invite);
    if (err)
        return err;
    if (epoch == TN_EPOCH_LEFT)
        return tn_card_sign_left(c, identity);
    return tn_card_sign_key(c, identity, epoch, wireguard);
}

/* Member `number` of a network, with the WireGuard key of that epoch. */
static inline int fix_card(struct tn_card *c, unsigned network, unsigned number, uint64_t epoch)
{
    memset(c, 0, sizeof(*c));
    fix_cert(&c->cert, network, number);
    c->joined_at_s = FIX_JOINED_AT_S;
    return fix_card_sign(c, number, epoch);
}

static inline void fix_invite(struct tn_invite *i, unsigned network, unsigned number)
{
    memset(i, 0, sizeof(*i));
    memset(i->coordinator.public_key, 5, 32);
    memcpy(i->coordinator.host, "coordinator.example.net", 24);
    i->coordinator.port = 7717;
    fix_cert(&i->cert, network, number);
    fix_seed(i->invite_seed, FIX_SEED_INVITE, number);
}

#ifdef VECTORS_DIR
/* A value out of vectors/member.txt (make_member.py there), as text; 0 characters when it is missing. */
static inline size_t fix_vector(const char *name, char *out, size_t cap)
{
    FILE *f = fopen(VECTORS_DIR "/member.txt", "r");
    char key[32];
    char line[2048];
    size_t len = 0;

    if (!f)
        return 0;
    while (!len && fscanf(f, "%31s %2047s", key, line) == 2) {
        if (strcmp(key, name) == 0 && strlen(line) < cap) {
            len = strlen(line);
            memcpy(out, line, len + 1);
        }
    }
    fclose(f);
    return len;
}

/* The same for a value in hex: how many bytes, 0 when it is missing. */
static inline size_t fix_vector_bytes(const char *name, uint8_t *out, size_t cap)
{
    char text[2048];
    size_t len = fix_vector(name, text, sizeof(text));

    if (len == 0 || tn_text_hex_decode(out, cap, &len, text, len))
        return 0;
    return len;
}
#endif

#endif
