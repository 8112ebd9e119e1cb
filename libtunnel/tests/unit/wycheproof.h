/* Reads the Wycheproof vectors of the two AEADs: tests/vectors/README.md tells their lines. */
#ifndef TN_TEST_WYCHEPROOF_H
#define TN_TEST_WYCHEPROOF_H

#include "vectors.h"

struct wycheproof_case {
    uint8_t key[32], nonce[64], ad[1024], msg[1024], sealed[1024 + 16];
    size_t nonce_len, ad_len, len;
    int valid;
};

/* A nonce of another length than nonce_len comes without a tag. */
static inline int next_case(FILE *f, struct wycheproof_case *c, size_t nonce_len)
{
    static char line[8192];
    char *field[8];
    size_t ct_len;

    if (!fgets(line, sizeof(line), f))
        return 0;
    assert_int_equal(split_fields(line, field, 8), 8);
    c->valid = strcmp(field[1], "valid") == 0;
    unhex_exactly(c->key, 32, field[2]);
    c->nonce_len = unhex(c->nonce, sizeof(c->nonce), field[3]);
    c->ad_len = unhex(c->ad, sizeof(c->ad), field[4]);
    c->len = unhex(c->msg, sizeof(c->msg), field[5]);
    ct_len = unhex(c->sealed, sizeof(c->sealed) - 16, field[6]);
    if (c->nonce_len == nonce_len) {
        assert_int_equal(ct_len, c->len);
        unhex_exactly(c->sealed + ct_len, 16, field[7]);
    }
    return 1;
}

#endif
