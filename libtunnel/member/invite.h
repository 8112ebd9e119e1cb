/* An invite (docs/PROTOCOL.md section 3.3): one line of text that makes one machine a member, once.
 * Who holds it can join, so it is a secret: it comes by file or standard input, never on a command
 * line. Only the node that redeems it sees the seed; the coordinator never does. */
#ifndef TN_MEMBER_INVITE_H
#define TN_MEMBER_INVITE_H

#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "../base/text.h"
#include "cert.h"
#include "url.h"

#define TN_INVITE_PREFIX "tund-invite-1."
/* Bytes behind the prefix, before base64url. */
#define TN_INVITE_MAX_LEN (32 + 2 + 1 + TN_HOST_MAX_LEN + TN_CERT_MAX_LEN + 32 + 4)
/* The text with its NUL, at most. */
#define TN_INVITE_TEXT_SIZE                                                                        \
    (sizeof(TN_INVITE_PREFIX) - 1 + TN_TEXT_BASE64URL_LEN(TN_INVITE_MAX_LEN) + 1)

struct tn_invite {
    struct tn_url coordinator;
    struct tn_cert cert;
    uint8_t invite_seed[32]; /* secret half of cert.invite_public */
};

/* Checks everything that tn_invite_decode would, then writes the text and a NUL; *len (may be NULL)
 * is without the NUL. TN_EINVAL, TN_EAUTH as there; TN_ENOSPC when `cap` is too small;
 * TN_INVITE_TEXT_SIZE is always enough. The text is as secret as the struct. */
TN_MUST_CHECK int tn_invite_encode(const struct tn_invite *i, char *out, size_t cap, size_t *len);

/* Reads an invite; blanks and line ends around it are passed over. In constant time for the secret part.
 *   TN_ENOENT   this is no invite: it does not begin with TN_INVITE_PREFIX
 *   TN_EINVAL   a typing mistake: a letter that cannot be, one too many or too few, or the check
 *               does not match
 *   TN_EDENIED  the check matches, but a field inside cannot be: another program made it
 *   TN_EAUTH    it was altered: the network's signature does not verify, or the seed is not that
 *               of the certified key
 * Where it fails, *i is as it was, or wiped. Whether it is expired or used is not asked here
 * (tn_cert_is_expired, the coordinator). */
TN_MUST_CHECK int tn_invite_decode(struct tn_invite *i, const char *text, size_t len);

void tn_invite_wipe(struct tn_invite *i);

#endif
