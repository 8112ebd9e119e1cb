/* LOST (PROTOCOL.md section 4.4): "I have no session with this index". It is not authentic, so whoever
 * gets it believes nothing: it may ask sooner than it would have, and not often. Wire format only:
 * server_lost.c and client_lost.c say when. */
#ifndef TN_COORD_LOST_H
#define TN_COORD_LOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_CTL_CALL_LEN 8  /* unasked, after a restart: 97 01 00 00 index[4], the member's own index */
#define TN_CTL_LOST_LEN 16 /* an answer: index as it came, and its datagram's last bytes, echo[8] */
#define TN_CTL_ECHO_LEN 8

/* echo: the last TN_CTL_ECHO_LEN bytes of what is answered; NULL: unasked. Returns the length. */
size_t tn_ctl_lost_encode(uint32_t index, const uint8_t *echo, uint8_t out[TN_CTL_LOST_LEN]);
/* *echo lies in the datagram, or is NULL. False: no LOST. */
bool tn_ctl_lost_decode(const uint8_t *datagram, size_t len, uint32_t *index, const uint8_t **echo);

#endif
