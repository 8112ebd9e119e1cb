/* Link compression between a member who pays for bytes and the coordinator (PROTOCOL.md section 6.1):
 * headers that both ends know are left out of relayed WireGuard messages, and the other end puts them
 * back, byte for byte. Stateless but for the contexts, which the member sets by sealed LINK messages;
 * no frame ever changes one. Wire format only: client_link.c and server_link.c say when. */
#ifndef TN_COORD_LINK_H
#define TN_COORD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/err.h"
#include "../base/sizes.h"


/* First byte: data names its context. */
#define TN_LINK_DATA 0xa0 /* to 0xa3 */
#define TN_LINK_INITIATION 0xa8
#define TN_LINK_RESPONSE 0xa9

#define TN_LINK_UP_LEN 7    /* header of every frame to the coordinator */
#define TN_LINK_DOWN_LEN 3  /* of data from it */
#define TN_LINK_SHAKE_LEN 5 /* of handshake messages from it */
/* How much longer a message is than its frame, at most: room for it is needed before (in place) ... */
#define TN_LINK_GROWTH_FRONT 13
#define TN_LINK_GROWTH_BACK 32 /* ... and behind */
/* Counters from base on that 16 bits tell apart. */
#define TN_LINK_WINDOW ((uint64_t)1 << 16)

/* One WireGuard session of a member: tx is the member's sending direction. */
struct tn_link_context {
    uint16_t channel;  /* of the relay, the member's own number; 0: the context is not set */
    uint32_t tx_index; /* receiver index of what the member sends */
    uint32_t rx_index; /* of what it gets: its own */
    uint64_t tx_base, rx_base; /* counters from here on, TN_LINK_WINDOW of them, go as 16 bits */
};

/* Is the first byte one of a compressed frame? */
static inline bool tn_link_is_frame(const uint8_t *data, size_t len)
{
    return len && ((data[0] >= TN_LINK_DATA && data[0] < TN_LINK_DATA + TN_LINK_CONTEXTS) ||
                   data[0] == TN_LINK_INITIATION || data[0] == TN_LINK_RESPONSE);
}

/* ---- to the coordinator ---- */

/* Makes the WireGuard message in b a frame, in place. `index` is the coordinator's index of the control
 * session. False, and b untouched: it must go as a plain relay frame (no context has it, a cookie's
 * mac2, another kind of message). Of a handshake message the mac1 is believed to be right. */
bool tn_link_pack_up(struct tn_buf *b, const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                     uint16_t channel, uint32_t index);

/* The header of a frame to the coordinator. */
struct tn_link_head {
    uint8_t kind;     /* TN_LINK_DATA, TN_LINK_INITIATION or TN_LINK_RESPONSE */
    uint8_t context;  /* data */
    uint16_t channel; /* handshake messages */
    uint16_t counter; /* data: the low 16 bits */
    uint32_t index;
};
/* TN_EINVAL: no frame, or of a length that its kind cannot have. */
TN_MUST_CHECK int tn_link_read_up(const uint8_t *frame, size_t len, struct tn_link_head *h);
/* Rebuilds the message at `out`. Data: `ctx` is the one that h names, and must be set. Else
 * `responder` is the public key of who gets the message. Returns its length; 0: it does not fit in cap. */
size_t tn_link_rebuild_up(const struct tn_link_head *h, const uint8_t *frame, size_t len,
                          const struct tn_link_context *ctx, const uint8_t responder[32],
                          uint8_t *out, size_t cap);

/* ---- to the member ---- */

/* Makes the WireGuard message at msg a frame, in place: it then begins at *frame, after msg, and its
 * length is returned. 0, and the message untouched: it must go as a plain relay frame. `member` is
 * the public key of who gets it, `index` his own of the control session. */
size_t tn_link_pack_down(uint8_t *msg, size_t len,
                         const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                         const uint8_t member[32], uint32_t index, uint8_t **frame);
/* The member makes the frame in b a WireGuard message again, in place. TN_EINVAL: malformed, no such
 * context, or not for `index`; TN_ENOSPC: no room around the packet. b is untouched by an error. */
TN_MUST_CHECK int tn_link_unpack_down(struct tn_buf *b,
                                      const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                                      const uint8_t member[32], uint32_t index);

#endif
