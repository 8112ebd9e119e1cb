/* What tests of the gateway's codecs share: hex, and the two ways to damage a message. */
#ifndef TUND_GATEWAY_TESTS_HEXED_H
#define TUND_GATEWAY_TESTS_HEXED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/base/addr.h"

/* Decodes hex; spaces are skipped. Returns the count of bytes. */
static inline size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
    size_t n = 0;

    for (; *hex; hex++) {
        char pair[3] = {hex[0], hex[1], '\0'};

        if (*hex == ' ')
            continue;
        assert_true(n < cap);
        out[n++] = (uint8_t)strtoul(pair, NULL, 16);
        hex++;
    }
    return n;
}

static inline struct tn_addr ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t ip[4] = {a, b, c, d};

    return tn_addr_v4(ip, 0);
}

/* Calls `takes` with each beginning of the message, in memory of exactly that length, and returns how
 * many of them it takes. */
static inline unsigned cuts_taken(const uint8_t *msg, size_t len,
                                  bool (*takes)(const uint8_t *data, size_t len))
{
    unsigned taken = 0;

    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1); /* for the address sanitizer */

        assert_non_null(exact);
        memcpy(exact, msg, cut);
        taken += takes(exact, cut);
        free(exact);
    }
    return taken;
}

/* Counts the bits of the message whose flip makes it a message that is not taken. */
static inline unsigned flips_refused(const uint8_t *msg, size_t len,
                                     bool (*takes)(const uint8_t *data, size_t len))
{
    uint8_t *copy = malloc(len);
    unsigned refused = 0;

    assert_non_null(copy);
    memcpy(copy, msg, len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        refused += !takes(copy, len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(copy);
    return refused;
}

#endif
