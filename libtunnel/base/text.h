/* Keys and other bytes as text: base64 (RFC 4648), both alphabets, and hex. The text may be a
 * secret: no function here looks a character up in a table or branches on one, so time and cache
 * tell only the length. Wiping the text is the caller's part. */
#ifndef TN_BASE_TEXT_H
#define TN_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum tn_text_base64 {
    TN_TEXT_BASE64,    /* RFC 4648 section 4, padded: WireGuard's keys */
    TN_TEXT_BASE64URL, /* section 5, without padding: invites and tund:// addresses */
};

/* Characters that n bytes take, without the terminating NUL. */
#define TN_TEXT_BASE64_LEN(n) (((n) + 2) / 3 * 4)
#define TN_TEXT_BASE64URL_LEN(n) (((n) * 8 + 5) / 6)
#define TN_TEXT_HEX_LEN(n) ((n) * 2)

/* Sizes of a 32-byte key as text, NUL included. */
#define TN_TEXT_KEY_BASE64_SIZE (TN_TEXT_BASE64_LEN(32) + 1)
#define TN_TEXT_KEY_HEX_SIZE (TN_TEXT_HEX_LEN(32) + 1)

/* Writes `len` bytes as text and a NUL. `cap` counts the NUL: TN_ENOSPC when it is too small. */
TN_MUST_CHECK int tn_text_base64_encode(char *out, size_t cap, const void *data, size_t len,
                                        enum tn_text_base64 kind);
TN_MUST_CHECK int tn_text_hex_encode(char *out, size_t cap, const void *data, size_t len);

/* Reads all text_len characters (there need be no NUL). Only the one canonical text of some bytes
 * is taken: no blanks, padding exactly as `kind` says, no stray bits in the last character; hex may be in either
 * case. TN_EINVAL otherwise, TN_ENOSPC when the bytes are more than `cap`; *out_len is how
 * many there are. On failure `out` and *out_len are untouched. */
TN_MUST_CHECK int tn_text_base64_decode(uint8_t *out, size_t cap, size_t *out_len,
                                        const char *text, size_t text_len,
                                        enum tn_text_base64 kind);
TN_MUST_CHECK int tn_text_hex_decode(uint8_t *out, size_t cap, size_t *out_len, const char *text,
                                     size_t text_len);

/* A 32-byte key as WireGuard's tools write it (44 characters of base64), and as its
 * userspace API does (64 of lower-case hex). Decoding: TN_EINVAL for anything else. */
void tn_text_key_to_base64(char out[TN_TEXT_KEY_BASE64_SIZE], const uint8_t key[32]);
void tn_text_key_to_hex(char out[TN_TEXT_KEY_HEX_SIZE], const uint8_t key[32]);
TN_MUST_CHECK int tn_text_key_from_base64(uint8_t key[32], const char *text, size_t text_len);
TN_MUST_CHECK int tn_text_key_from_hex(uint8_t key[32], const char *text, size_t text_len);

#endif
