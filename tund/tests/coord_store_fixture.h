/* Made-up members for tests of the coordinator's store. The store does not look into cards, so
 * a card is any bytes here. */
#ifndef TUND_COORD_STORE_FIXTURE_H
#define TUND_COORD_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"

#include "tund/coord_store_sqlite.h"

#define NOW_S 1800000000u
#define CARD_LEN 300

struct sample {
    struct tn_card_facts facts;
    uint8_t card[CARD_LEN];
};

/* Fills `len` bytes that depend on `tag` and `n` only. */
static inline void fill(uint8_t *out, size_t len, uint8_t tag, uint32_t n)
{
    memset(out, tag, len);
    tn_put_be32(out, n);
}

/* The card says what the facts say, as far as the store can tell. */
static inline void seal(struct sample *s)
{
    fill(s->card, sizeof(s->card), 0xca, (uint32_t)s->facts.epoch);
    memcpy(s->card + 8, s->facts.identity, 32);
    memcpy(s->card + 40, s->facts.invite_id, 16);
    memcpy(s->card + 56, s->facts.wireguard_public, 32);
}

/* Member n of network `net`; all that must differ between members does. */
static inline struct sample sample(uint32_t net, uint32_t n)
{
    struct sample s;
    struct tn_card_facts *f = &s.facts;

    memset(&s, 0, sizeof(s));
    fill(f->network_public, 32, 0x0e, net);
    fill(f->network_id, 16, 0x1d, net);
    fill(f->invite_id, 16, 0x11, n);
    fill(f->identity, 32, 0x1e, n);
    fill(f->wireguard_public, 32, 0x3f, net * 1000000 + n);
    f->epoch = 1;
    f->not_after_s = NOW_S + 3600;
    tn_put_be32(f->ipv4, 0x0a000000u + n);
    fill(f->ipv6, 16, 0xfd, net);
    tn_put_be32(f->ipv6 + 12, n);
    snprintf(f->name, sizeof(f->name), "node-%u", n);
    seal(&s);
    return s;
}

static inline uint8_t join(struct tn_store t, const struct sample *s, struct tn_store_place *p)
{
    struct tn_store_place own;

    return t.ops->member_join(t.ctx, &s->facts, s->card, sizeof(s->card), NOW_S, p ? p : &own);
}

static inline uint8_t update(struct tn_store t, const struct sample *s, struct tn_store_place *p)
{
    struct tn_store_place own;

    return t.ops->member_update(t.ctx, &s->facts, s->card, sizeof(s->card), p ? p : &own);
}

/* A temporary directory that is gone after the test. */
struct temp_dir {
    char path[64];
};

static inline void temp_make(struct temp_dir *d)
{
    strcpy(d->path, "/tmp/tund-test.XXXXXX");
    assert_non_null(mkdtemp(d->path));
}

static inline void temp_file(const struct temp_dir *d, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", d->path, name);
}

static inline void temp_remove(const struct temp_dir *d)
{
    static const char *const name[] = {"coord.db", "coord.db-wal", "coord.db-shm",
                                       "coord.db-journal", "key", "url", "daemon.lock",
                                       "status.sock", "key.tmp", "url.tmp", "places"};
    char path[128];

    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        temp_file(d, name[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(d->path), 0);
}

static inline struct coord_store *store_open(const struct temp_dir *d, uint32_t networks,
                                             uint32_t members)
{
    struct coord_store_limits limits = {.networks = networks, .members = members};
    struct coord_store *s = NULL;
    struct why w = {""};
    char path[128];
    int err;

    temp_file(d, COORD_STORE_FILE, path);
    err = coord_store_open(path, &limits, &s, &w);
    if (err)
        print_error("store: %s\n", w.text);
    assert_int_equal(err, 0);
    return s;
}

#endif
