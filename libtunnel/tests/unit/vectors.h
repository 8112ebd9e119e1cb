/* Helpers that tests of vectors share: hex, and files in the vectors folder. */
#ifndef TN_TESTS_VECTORS_H
#define TN_TESTS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes hex and returns the count of bytes; spaces are skipped, "-" is nothing. A test fails on
 * anything else, and on more than cap bytes. */
static inline size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
    size_t n = 0;

    if (strcmp(hex, "-") == 0)
        return 0;
    while (*hex) {
        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        assert_true(hex_digit(hex[0]) >= 0 && hex_digit(hex[1]) >= 0);
        assert_true(n < cap);
        out[n++] = (uint8_t)(hex_digit(hex[0]) * 16 + hex_digit(hex[1]));
        hex += 2;
    }
    return n;
}

/* The same, of exactly len bytes. */
static inline void unhex_exactly(uint8_t *out, size_t len, const char *hex)
{
    assert_int_equal(unhex(out, len, hex), len);
}

static inline FILE *open_vectors(const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", VECTORS_DIR, name);
    f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    return f;
}

/* Splits a line at spaces into at most max fields, in place. */
static inline size_t split_fields(char *line, char **field, size_t max)
{
    size_t n = 0;
    char *save = NULL;

    for (char *p = strtok_r(line, " \n", &save); p && n < max; p = strtok_r(NULL, " \n", &save))
        field[n++] = p;
    return n;
}

/* Reads a whole file; the caller frees. */
static inline uint8_t *read_vectors(const char *name, size_t *len)
{
    FILE *f = open_vectors(name);
    uint8_t *data;
    long size;

    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size > 0);
    rewind(f);
    data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, f), (size_t)size);
    data[size] = 0;
    fclose(f);
    *len = (size_t)size;
    return data;
}

#endif
