/* What is said on the control channel: the sizes of its datagrams and the
 * messages inside DATA (PROTOCOL.md sections 4 and 4.1), encoded and decoded. */
#ifndef TN_COORD_MSG_H
#define TN_COORD_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/candlist.h"
#include "../base/err.h"
#include "link.h"

/* First byte of a control datagram; the second is TN_CTL_VERSION. */
#define TN_CTL_INIT 0x90
#define TN_CTL_COOKIE 0x91
#define TN_CTL_RESP 0x92
#define TN_CTL_DATA 0x93
#define TN_CTL_RELAY 0x94
#define TN_CTL_PUNCH 0x95
#define TN_CTL_DIAL 0x96
#define TN_CTL_LOST 0x97        /* lost.h */
#define TN_CTL_BEAT 0x98        /* beat.h */
#define TN_CTL_BEAT_ANSWER 0x99
#define TN_CTL_VERSION 0x01

/* Datagram sizes, bytes. */
#define TN_CTL_INIT_LEN 132
#define TN_CTL_COOKIE_LEN 24
#define TN_CTL_RESP_LEN 86
#define TN_CTL_DATA_HEADER_LEN 16
#define TN_CTL_DATA_OVERHEAD 32 /* header and tag */
#define TN_CTL_COOKIE_VALUE_LEN 16
#define TN_CTL_TAI64N_LEN 12
#define TN_CTL_RESP_PAYLOAD_LEN 26 /* without the tag */
#define TN_CTL_DIAL_LEN 12         /* 96 01 from[1] 00 nonce[8] */
#define TN_DIAL_NONCE_LEN 8
/* CHECK's body is so long that with IP and UDP headers, of either family, it weighs no less than three
 * dial-backs and the answer together. */
#define TN_MSG_CHECK_BODY_LEN 192

/* Largest card, largest message inside DATA (SYNC's answer), largest control datagram. */
#define TN_MSG_CARD_MAX 511 /* as TN_CARD_MAX_LEN of member/card.h */
#define TN_MSG_HEADER_LEN 4
#define TN_MSG_MAX_LEN (TN_MSG_HEADER_LEN + 16 + TN_MSG_CARD_MAX)
#define TN_CTL_MAX_LEN (TN_CTL_DATA_OVERHEAD + TN_MSG_MAX_LEN)

#define TN_MSG_NAME_MAX 63 /* bytes of a member's name */

enum tn_msg_type {
    TN_MSG_PING = 0x01,
    TN_MSG_CANDIDATES = 0x02,
    TN_MSG_JOIN = 0x03,
    TN_MSG_LOOKUP = 0x04,
    TN_MSG_SYNC = 0x05,
    TN_MSG_CONNECT = 0x06,
    TN_MSG_BIND = 0x07,
    TN_MSG_UPDATE = 0x08,
    TN_MSG_BYE = 0x09, /* not answered: with it the session is over */
    TN_MSG_CHECK = 0x0a,
    TN_MSG_LINK = 0x0b,
    TN_MSG_PUNCH = 0x40,
    TN_MSG_NEWS = 0x41,
    TN_MSG_ANEW = 0x42,
    TN_MSG_ANSWER = 0x80, /* bit 7: an answer to the request of that type */
};

enum tn_msg_by {
    TN_BY_IDENTITY = 1,  /* key: 32 bytes */
    TN_BY_ADDRESS = 2,   /* 16 bytes; IPv4 mapped into IPv6 */
    TN_BY_NAME = 3,      /* 1 to 63 bytes, no terminator */
    TN_BY_WIREGUARD = 4, /* 32 bytes */
};

/* Where the coordinator dials back from; bits. */
enum tn_dial_from {
    TN_DIAL_SAME = 1,    /* the address and port that the request came to */
    TN_DIAL_PORT = 2,    /* another port of the same address */
    TN_DIAL_ADDRESS = 4, /* another address */
    TN_DIAL_ALL = 7,
};

/* On the wire up to TN_STATUS_ELSEWHERE; the last is made by the client itself. */
enum tn_status {
    TN_STATUS_OK = 0,
    TN_STATUS_MALFORMED = 1,
    TN_STATUS_NOT_MEMBER = 2,
    TN_STATUS_NO_SUCH_MEMBER = 3,
    TN_STATUS_UNREACHABLE = 4, /* a member, but not connected now */
    TN_STATUS_INVITE_USED = 5,
    TN_STATUS_INVITE_EXPIRED = 6,
    TN_STATUS_BAD_SIGNATURE = 7,
    TN_STATUS_OTHER_NETWORK = 8,
    TN_STATUS_TAKEN = 9, /* the name, address or key is another member's */
    TN_STATUS_OLD_EPOCH = 10,
    TN_STATUS_LIMIT = 11,
    TN_STATUS_TRY_LATER = 12,
    TN_STATUS_STORE = 13,
    TN_STATUS_CLOCK = 14, /* the card says it was made at a time that cannot be */
    TN_STATUS_ELSEWHERE = 15, /* the address to be checked is not where the request came from */
    TN_STATUS_COUNT,
    TN_STATUS_NO_ANSWER = 255, /* never on the wire: the coordinator did not answer */
};

/* A sentence for people; never NULL. */
const char *tn_status_text(uint8_t status);

/* One message, request or answer. Which fields count is told by `type`; an answer whose status is
 * not TN_STATUS_OK has no body. `key` and `card` are borrowed from the caller when encoding, and
 * from the input when decoding. */
struct tn_msg {
    uint8_t type; /* enum tn_msg_type, with TN_MSG_ANSWER in answers */
    uint8_t status;
    uint16_t request_id;
    uint32_t rtt_us;         /* PING: last measured, 0 unknown */
    struct tn_addr observed; /* PING's answer; CHECK: the address to dial */
    uint64_t unix_s;         /* PING's answer: the coordinator's clock, seconds since 1970 */
    uint64_t roster_seq;     /* answers to PING, JOIN and UPDATE; to SYNC: last_seq */
    uint64_t seq;            /* SYNC: after_seq; its answer: seq of the card */
    uint8_t by;              /* LOOKUP: enum tn_msg_by */
    const uint8_t *key;      /* LOOKUP */
    size_t key_len;
    const uint8_t *card; /* JOIN, UPDATE; answers to LOOKUP and SYNC (there it may be empty) */
    size_t card_len;
    uint8_t identity[32]; /* CONNECT, BIND, PUNCH, ANEW */
    uint16_t channel;     /* BIND and its answer: 1 to 65535 */
    uint16_t delay_ms;    /* CONNECT's answer, PUNCH */
    uint8_t nonce[TN_DIAL_NONCE_LEN]; /* CHECK */
    uint8_t from;            /* CHECK: wanted; its answer: sent. Bits of enum tn_dial_from */
    uint8_t context;             /* LINK and its answer: below TN_LINK_CONTEXTS */
    struct tn_link_context link; /* LINK */
    uint8_t cand_count;   /* CANDIDATES, CONNECT, its answer, PUNCH */
    struct tn_cand_wire cand[TN_CANDLIST_MAX]; /* in requests at most TN_CANDLIST_SEND_MAX */
};

/* Writes the message and its length; TN_ENOSPC when cap is too small (TN_MSG_MAX_LEN always
 * suffices), TN_EINVAL for a type or field that cannot be said. */
TN_MUST_CHECK int tn_msg_encode(const struct tn_msg *m, uint8_t *out, size_t cap, size_t *len);

/* Strict: TN_EINVAL for an unknown type or status, a missing byte or one too many. Says nothing on
 * whether an address is fit to be probed. Fields that the type has not are zero. */
TN_MUST_CHECK int tn_msg_decode(const uint8_t *in, size_t len, struct tn_msg *out);

/* A dial-back: what CHECK asked for, in clear, from one of our sockets (`from` has one bit). */
void tn_ctl_dial_encode(uint8_t from, const uint8_t nonce[TN_DIAL_NONCE_LEN],
                        uint8_t out[TN_CTL_DIAL_LEN]);
/* False: no dial-back. */
bool tn_ctl_dial_decode(const uint8_t *datagram, size_t len, uint8_t *from,
                        uint8_t nonce[TN_DIAL_NONCE_LEN]);

/* True for a first byte of 0x90 to 0x94, 0x98 or 0x99 with the version behind it. */
bool tn_ctl_is_control(const uint8_t *datagram, size_t len);

#endif
