/* tund://HOST:PORT/KEY. Nothing here is a secret, so it is read from left to right and the first
 * mistake ends it; the key goes through base/text.h all the same. One text for one address: the
 * port has no leading zero and brackets stand around an IPv6 literal only. */
#include "url.h"

#include <string.h>

#include "../base/text.h"

#define SCHEME "tund://"
#define SCHEME_LEN (sizeof(SCHEME) - 1)
#define KEY_TEXT_LEN TN_TEXT_BASE64URL_LEN(32)
#define IPV6_TEXT_MAX_LEN 45

static const uint8_t zero_key[32];

static size_t find_char(const char *text, size_t len, char c)
{
    const char *at = len ? memchr(text, c, len) : NULL;

    return at ? (size_t)(at - text) : len;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ipv6_chars_are_valid(const char *host, size_t len)
{
    size_t colons = 0;

    if (len > IPV6_TEXT_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = host[i];

        if (c == ':')
            colons++;
        else if (!is_digit(c) && c != '.' && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
            return false;
    }
    return colons >= 2 && colons <= 8;
}

static bool label_is_valid(const char *label, size_t len)
{
    if (len < 1 || len > 63 || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = label[i];

        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return true;
}

bool tn_host_is_valid(const char *host, size_t len)
{
    size_t at = 0;

    if (len < 1 || len > TN_HOST_MAX_LEN)
        return false;
    if (find_char(host, len, ':') < len)
        return ipv6_chars_are_valid(host, len);
    /* One turn more than there are dots, so that a dot at the end leaves an empty, invalid label. */
    while (at <= len) {
        size_t label = find_char(host + at, len - at, '.');

        if (!label_is_valid(host + at, label))
            return false;
        at += label + 1;
    }
    return true;
}

int tn_url_check(const struct tn_url *u)
{
    size_t len = find_char(u->host, TN_HOST_SIZE, '\0');

    if (u->port == 0 || memcmp(u->public_key, zero_key, 32) == 0)
        return TN_EINVAL;
    return tn_host_is_valid(u->host, len) ? 0 : TN_EINVAL;
}

static size_t put(char *out, size_t at, const char *text, size_t len)
{
    memcpy(out + at, text, len);
    return at + len;
}

static size_t put_port(char *out, size_t at, uint16_t port)
{
    char digits[5];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + port % 10);
        port /= 10;
    } while (port);
    while (n)
        out[at++] = digits[--n];
    return at;
}

int tn_url_encode(const struct tn_url *u, char *out, size_t cap, size_t *len)
{
    char text[TN_URL_SIZE];
    size_t host_len = find_char(u->host, TN_HOST_SIZE, '\0');
    bool brackets;
    size_t at;
    int err = tn_url_check(u);

    if (err)
        return err;
    brackets = find_char(u->host, host_len, ':') < host_len;
    at = put(text, 0, SCHEME, SCHEME_LEN);
    at = put(text, at, "[", brackets);
    at = put(text, at, u->host, host_len);
    at = put(text, at, "]", brackets);
    at = put(text, at, ":", 1);
    at = put_port(text, at, u->port);
    at = put(text, at, "/", 1);
    err = tn_text_base64_encode(text + at, sizeof(text) - at, u->public_key, 32,
                                TN_TEXT_BASE64URL);
    if (err)
        return err;
    at += KEY_TEXT_LEN;
    if (cap <= at)
        return TN_ENOSPC;
    memcpy(out, text, at + 1);
    if (len)
        *len = at;
    return 0;
}

/* 1 to 65535 without a leading zero; 0 for anything else. */
static uint16_t port_of(const char *text, size_t len)
{
    uint32_t port = 0;

    if (len < 1 || len > 5 || text[0] == '0')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return 0;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* Finds HOST or [HOST] at the front and checks it. Returns how many characters it takes, brackets
 * included, or 0. */
static size_t host_of(const char *text, size_t len, const char **host, size_t *host_len)
{
    bool brackets = len > 0 && text[0] == '[';

    *host = text + brackets;
    *host_len = find_char(*host, len - brackets, brackets ? ']' : ':');
    if (*host_len + brackets >= len || !tn_host_is_valid(*host, *host_len))
        return 0;
    if (brackets != (find_char(*host, *host_len, ':') < *host_len))
        return 0;
    return *host_len + 2 * (size_t)brackets;
}

int tn_url_decode(struct tn_url *u, const char *text, size_t len)
{
    struct tn_url in;
    const char *host;
    size_t host_len;
    size_t port_len;
    size_t key_len;
    size_t at;

    if (len < SCHEME_LEN || memcmp(text, SCHEME, SCHEME_LEN) != 0)
        return TN_ENOENT;
    text += SCHEME_LEN;
    len -= SCHEME_LEN;
    at = host_of(text, len, &host, &host_len);
    if (at == 0 || at >= len || text[at] != ':')
        return TN_EINVAL;
    at++;
    port_len = find_char(text + at, len - at, '/');
    if (at + port_len >= len || len - at - port_len - 1 != KEY_TEXT_LEN)
        return TN_EINVAL;
    memset(&in, 0, sizeof(in));
    memcpy(in.host, host, host_len);
    in.port = port_of(text + at, port_len);
    if (tn_text_base64_decode(in.public_key, 32, &key_len, text + at + port_len + 1,
                              KEY_TEXT_LEN, TN_TEXT_BASE64URL))
        return TN_EINVAL;
    if (tn_url_check(&in))
        return TN_EINVAL;
    *u = in;
    return 0;
}
