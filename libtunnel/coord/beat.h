/* BEAT and its answer (PROTOCOL.md section 4.3): the smallest datagrams that show both ends of a control
 * session that it lives, for members who pay for each byte. Authentic by a short keyed hash; their
 * counter is the session's own, of which the low 16 bits travel. */
#ifndef TN_COORD_BEAT_H
#define TN_COORD_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/err.h"
#include "session.h"

#define TN_CTL_BEAT_LEN 18
#define TN_CTL_BEAT_ANSWER_LEN 22
#define TN_CTL_OBSERVED_LEN 6

/* First byte and version of a BEAT or an answer? */
bool tn_ctl_is_beat(const uint8_t *datagram, size_t len);
/* Receiver's index of a BEAT or an answer of at least 8 bytes. */
uint32_t tn_ctl_beat_index(const uint8_t *datagram);

/* interval_s: the next one comes within so many seconds. Takes a counter of `s`. TN_ENOKEY when they are
 * used up. */
TN_MUST_CHECK int tn_ctl_beat_create(struct tn_ctl_session *s, uint16_t interval_s,
                                     uint8_t out[TN_CTL_BEAT_LEN]);
/* TN_EINVAL: no BEAT for our index; TN_EREPLAY; TN_EAUTH. Only success changes `s`. */
TN_MUST_CHECK int tn_ctl_beat_consume(struct tn_ctl_session *s, const uint8_t *datagram, size_t len,
                                      uint16_t *interval_s);

/* What is told of an address: its last 4 bytes and its port, enough to see that it has changed. */
void tn_ctl_observed(const struct tn_addr *a, uint8_t out[TN_CTL_OBSERVED_LEN]);
TN_MUST_CHECK int tn_ctl_beat_answer_create(struct tn_ctl_session *s,
                                            const uint8_t observed[TN_CTL_OBSERVED_LEN],
                                            uint8_t out[TN_CTL_BEAT_ANSWER_LEN]);
/* Errors as of tn_ctl_beat_consume. */
TN_MUST_CHECK int tn_ctl_beat_answer_consume(struct tn_ctl_session *s, const uint8_t *datagram,
                                             size_t len, uint8_t observed[TN_CTL_OBSERVED_LEN]);

#endif
