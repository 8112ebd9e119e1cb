/* The coordinator's address for people: tund://HOST:PORT/KEY, KEY being its X25519 public key in
 * base64url (docs/PROTOCOL.md section 3.3). An IPv6 literal stands in brackets. */
#ifndef TN_MEMBER_URL_H
#define TN_MEMBER_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"

#define TN_HOST_MAX_LEN 253
#define TN_HOST_SIZE (TN_HOST_MAX_LEN + 1) /* with its NUL */
/* "tund://" "[" host "]" ":" port "/" key NUL */
#define TN_URL_SIZE (7 + 2 + TN_HOST_MAX_LEN + 1 + 5 + 1 + 43 + 1)

struct tn_url {
    uint8_t public_key[32];  /* X25519, pinned */
    char host[TN_HOST_SIZE]; /* name or address literal without brackets, NUL-terminated */
    uint16_t port;           /* host order, not 0 */
};

/* A DNS name of at most 253 characters (labels of letters, digits and -, 1 to 63 long, no - at
 * either end), an IPv4 literal, or an IPv6 literal without brackets and zone (only its characters are
 * looked at: resolving it is for the program). `len` is without a NUL. */
bool tn_host_is_valid(const char *host, size_t len);

/* Whether host, port and key can be those of a coordinator. TN_EINVAL otherwise. */
TN_MUST_CHECK int tn_url_check(const struct tn_url *u);

/* Writes the text and a NUL; *len (may be NULL) is without the NUL. TN_EINVAL as above; TN_ENOSPC
 * when `cap` is too small; TN_URL_SIZE is always enough. */
TN_MUST_CHECK int tn_url_encode(const struct tn_url *u, char *out, size_t cap, size_t *len);
/* Reads all `len` characters. TN_ENOENT when it does not begin with tund://, TN_EINVAL for any
 * other mistake. The port may not be left out. */
TN_MUST_CHECK int tn_url_decode(struct tn_url *u, const char *text, size_t len);

#endif
