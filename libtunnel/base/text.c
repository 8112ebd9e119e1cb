/* Text forms of bytes, without a secret-dependent branch or address.
 *
 * A base64 character and its value differ by an offset that is constant within each of five
 * ranges: A-Z, a-z, 0-9 and the two singles in which the alphabets differ. The offset is the sum
 * of five candidates, each masked by "is in the range", and the mask comes from the borrow of two
 * subtractions. A character outside all ranges is noted in a sticky word that is asked once,
 * at the end, so that time does not tell where a secret was mistyped either. The loop is over
 * whole text, and only its length is public. RFC 4648 sections 3.5 (stray bits), 4, 5 and 8. */
#include "text.h"

/* All ones when lo <= c <= hi, else 0. All three are far below 2^31. */
static uint32_t in_range(uint32_t c, uint32_t lo, uint32_t hi)
{
    uint32_t both = (lo - 1 - c) & (c - hi - 1);

    return 0u - (both >> 31);
}

static uint32_t char62(enum tn_text_base64 kind)
{
    return kind == TN_TEXT_BASE64URL ? '-' : '+';
}

static uint32_t char63(enum tn_text_base64 kind)
{
    return kind == TN_TEXT_BASE64URL ? '_' : '/';
}

static char base64_char(uint32_t v, enum tn_text_base64 kind)
{
    uint32_t c = in_range(v, 0, 25) & (v + 'A');

    c |= in_range(v, 26, 51) & (v - 26 + 'a');
    c |= in_range(v, 52, 61) & (v - 52 + '0');
    c |= in_range(v, 62, 62) & char62(kind);
    c |= in_range(v, 63, 63) & char63(kind);
    return (char)c;
}

/* The character's value; sets bits in *bad when it has none. */
static uint32_t base64_value(uint8_t c, enum tn_text_base64 kind, uint32_t *bad)
{
    uint32_t upper = in_range(c, 'A', 'Z');
    uint32_t lower = in_range(c, 'a', 'z');
    uint32_t digit = in_range(c, '0', '9');
    uint32_t is62 = in_range(c, char62(kind), char62(kind));
    uint32_t is63 = in_range(c, char63(kind), char63(kind));

    *bad |= ~(upper | lower | digit | is62 | is63);
    return (upper & (c - 'A')) | (lower & (c - 'a' + 26u)) | (digit & (c - '0' + 52u)) |
           (is62 & 62) | (is63 & 63);
}

/* Writes `need` characters, padding included, and a NUL. */
static void base64_put(char *out, size_t need, const uint8_t *in, size_t len,
                       enum tn_text_base64 kind)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16;
        size_t chars = 2;

        if (len - i > 1) {
            group |= (uint32_t)in[i + 1] << 8;
            chars++;
        }
        if (len - i > 2) {
            group |= in[i + 2];
            chars++;
        }
        for (size_t k = 0; k < chars; k++)
            out[at++] = base64_char((group >> (18 - 6 * k)) & 63, kind);
    }
    while (at < need)
        out[at++] = '=';
    out[at] = '\0';
}

int tn_text_base64_encode(char *out, size_t cap, const void *data, size_t len,
                          enum tn_text_base64 kind)
{
    size_t need;

    if (len > SIZE_MAX / 16)
        return TN_ENOSPC;
    need = kind == TN_TEXT_BASE64URL ? TN_TEXT_BASE64URL_LEN(len) : TN_TEXT_BASE64_LEN(len);
    if (cap <= need)
        return TN_ENOSPC;
    base64_put(out, need, data, len, kind);
    return 0;
}

/* How many characters stand before the padding, or SIZE_MAX where length and padding cannot be.
 * That padding is there is no secret: it follows from the length of the bytes. */
static size_t base64_body_len(const char *text, size_t text_len, enum tn_text_base64 kind)
{
    size_t body = text_len;

    if (kind == TN_TEXT_BASE64) {
        if (text_len % 4 != 0)
            return SIZE_MAX;
        if (body > 0 && text[body - 1] == '=')
            body--;
        if (body > 0 && body < text_len && text[body - 1] == '=')
            body--;
    }
    return body % 4 == 1 ? SIZE_MAX : body;
}

/* Reads one group of 2 to 4 characters into 1 to 3 bytes at `out`, which may be NULL to only look. */
static void base64_group(uint8_t *out, const char *text, size_t chars, enum tn_text_base64 kind,
                         uint32_t *bad)
{
    uint32_t group = 0;

    for (size_t k = 0; k < chars; k++)
        group |= base64_value((uint8_t)text[k], kind, bad) << (18 - 6 * k);
    if (chars == 2)
        *bad |= group & 0xffff;
    if (chars == 3)
        *bad |= group & 0xff;
    for (size_t k = 0; out && k + 1 < chars; k++)
        out[k] = (uint8_t)(group >> (16 - 8 * k));
}

/* Two passes: first look, then write; so a mistake leaves `out` alone without memory for a copy. */
int tn_text_base64_decode(uint8_t *out, size_t cap, size_t *out_len, const char *text,
                          size_t text_len, enum tn_text_base64 kind)
{
    size_t body = base64_body_len(text, text_len, kind);
    size_t len;
    uint32_t bad = 0;

    if (body == SIZE_MAX)
        return TN_EINVAL;
    len = body / 4 * 3 + (body % 4 ? body % 4 - 1 : 0);
    for (size_t i = 0; i < body; i += 4)
        base64_group(NULL, text + i, body - i < 4 ? body - i : 4, kind, &bad);
    if (bad)
        return TN_EINVAL;
    if (len > cap)
        return TN_ENOSPC;
    for (size_t i = 0; i < body; i += 4)
        base64_group(out + i / 4 * 3, text + i, body - i < 4 ? body - i : 4, kind, &bad);
    *out_len = len;
    return 0;
}

static char hex_char(uint32_t v)
{
    return (char)(v + '0' + (in_range(v, 10, 15) & ('a' - '0' - 10)));
}

static uint32_t hex_value(uint8_t c, uint32_t *bad)
{
    uint32_t digit = in_range(c, '0', '9');
    uint32_t lower = in_range(c, 'a', 'f');
    uint32_t upper = in_range(c, 'A', 'F');

    *bad |= ~(digit | lower | upper);
    return (digit & (c - '0')) | (lower & (c - 'a' + 10u)) | (upper & (c - 'A' + 10u));
}

static void hex_put(char *out, const uint8_t *in, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex_char(in[i] >> 4);
        out[2 * i + 1] = hex_char(in[i] & 15);
    }
    out[2 * len] = '\0';
}

int tn_text_hex_encode(char *out, size_t cap, const void *data, size_t len)
{
    if (len > SIZE_MAX / 4 || cap <= TN_TEXT_HEX_LEN(len))
        return TN_ENOSPC;
    hex_put(out, data, len);
    return 0;
}

int tn_text_hex_decode(uint8_t *out, size_t cap, size_t *out_len, const char *text,
                       size_t text_len)
{
    uint32_t bad = 0;

    if (text_len % 2 != 0)
        return TN_EINVAL;
    for (size_t i = 0; i < text_len; i++)
        (void)hex_value((uint8_t)text[i], &bad);
    if (bad)
        return TN_EINVAL;
    if (text_len / 2 > cap)
        return TN_ENOSPC;
    for (size_t i = 0; i < text_len / 2; i++)
        out[i] = (uint8_t)(hex_value((uint8_t)text[2 * i], &bad) * 16 +
                           hex_value((uint8_t)text[2 * i + 1], &bad));
    *out_len = text_len / 2;
    return 0;
}

void tn_text_key_to_base64(char out[TN_TEXT_KEY_BASE64_SIZE], const uint8_t key[32])
{
    base64_put(out, TN_TEXT_BASE64_LEN(32), key, 32, TN_TEXT_BASE64);
}

void tn_text_key_to_hex(char out[TN_TEXT_KEY_HEX_SIZE], const uint8_t key[32])
{
    hex_put(out, key, 32);
}

int tn_text_key_from_base64(uint8_t key[32], const char *text, size_t text_len)
{
    size_t len = TN_TEXT_BASE64_LEN(32);

    /* One sign of padding means 32 bytes; none would be 33, and two 31. */
    if (text_len != len || text[len - 1] != '=' || text[len - 2] == '=')
        return TN_EINVAL;
    return tn_text_base64_decode(key, 32, &len, text, text_len, TN_TEXT_BASE64);
}

int tn_text_key_from_hex(uint8_t key[32], const char *text, size_t text_len)
{
    size_t len;

    if (text_len != TN_TEXT_HEX_LEN(32))
        return TN_EINVAL;
    return tn_text_hex_decode(key, 32, &len, text, text_len);
}
