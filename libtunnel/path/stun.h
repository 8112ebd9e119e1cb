/* STUN Binding requests and answers (RFC 8489), no more of it than tund uses:
 * one request, padded (RFC 5780 section 7.6) to the length of its answer, and one
 * answer with XOR-MAPPED-ADDRESS. */
#ifndef TN_PATH_STUN_H
#define TN_PATH_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"

#define TN_STUN_HEADER_LEN 20
#define TN_STUN_TXID_LEN 12
#define TN_STUN_V4_LEN 32  /* a request, and its answer, for IPv4 */
#define TN_STUN_V6_LEN 44  /* the same for IPv6 */
/* The same where the answer shall name the responder's other address and port as well. */
#define TN_STUN_OTHER_V4_LEN 44
#define TN_STUN_OTHER_V6_LEN 68
#define TN_STUN_MAX_LEN 68 /* the longest answer */

/* Does the datagram look like a STUN message (first two bits, magic cookie)? */
bool tn_stun_is_message(const uint8_t *data, size_t len);

/* Writes a Binding request that is as long as its answer will be. Returns its length (TN_STUN_V4_LEN or
 * TN_STUN_V6_LEN), or 0 where `cap` is smaller. `txid` must come from a random generator. */
size_t tn_stun_request(bool v6, const uint8_t txid[TN_STUN_TXID_LEN], uint8_t *out, size_t cap);

/* The same, `size` bytes long: a multiple of 4, at least TN_STUN_V4_LEN, at most 65500. 0 otherwise. */
size_t tn_stun_request_of(size_t size, const uint8_t txid[TN_STUN_TXID_LEN], uint8_t *out, size_t cap);

/* The responder: the answer to `request`, which came from `src`. Returns its length, which is never above
 * `len`, or 0 for silence: not a Binding request, malformed anywhere, an unknown comprehension-required
 * attribute, shorter than the answer would be, or no room in `out`. Keeps no state. `other` (NULL: none) is
 * told as OTHER-ADDRESS (RFC 5780 section 7.4) where it is of src's family and the request is long enough. */
size_t tn_stun_answer(const uint8_t *request, size_t len, const struct tn_addr *src,
                      const struct tn_addr *other, uint8_t *out, size_t cap);

/* Reads a Binding success answer to the request with `txid`. TN_EINVAL: malformed, or without an
 * XOR-MAPPED-ADDRESS; TN_EAUTH: another transaction; `mapped` is then untouched. */
TN_MUST_CHECK int tn_stun_consume_answer(const uint8_t *data, size_t len,
                                         const uint8_t txid[TN_STUN_TXID_LEN],
                                         struct tn_addr *mapped);
/* The same, and the responder's other address; zero where it does not tell. */
TN_MUST_CHECK int tn_stun_consume_other(const uint8_t *data, size_t len,
                                        const uint8_t txid[TN_STUN_TXID_LEN],
                                        struct tn_addr *mapped, struct tn_addr *other);

#endif
