/* One candidate: an address where a peer may be reached, and all that is known about it.
 * Everything that `explain` shows is here. Times are tn_now.us; 0 means never. */
#ifndef TN_PATH_CAND_H
#define TN_PATH_CAND_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/candlist.h"
#include "../base/now.h"

/*   NEW -> PUNCHING -> ANSWERED_SMALL -> CHECKED <-> LOST
 *    |        |  ^           |  ^
 *    v        v  |           v  |
 * REFUSED   SILENT        PUNCHING       (a new round)
 */
enum tn_cand_verdict {
    TN_CAND_NEW,            /* known, nothing sent yet */
    TN_CAND_PUNCHING,       /* a round is going on */
    TN_CAND_ANSWERED_SMALL, /* small PINGs pass, long ones do not (yet): carries no data */
    TN_CAND_CHECKED,        /* small and long PINGs were answered: may carry data */
    TN_CAND_SILENT,         /* never answered so far */
    TN_CAND_REFUSED,        /* not probeable, or our own address: nothing is ever sent there */
    TN_CAND_LOST,           /* was checked, then stopped answering */
};

/* Why a way that works was left for one with a better score; it is used again when that is over. */
enum tn_cand_left {
    TN_CAND_KEPT,
    TN_CAND_LOSSY, /* it loses too much */
    TN_CAND_SLOW,  /* its round trip is too long */
};

struct tn_cand {
    struct tn_addr addr;
    uint8_t origin;           /* enum tn_cand_origin */
    uint8_t verdict;          /* enum tn_cand_verdict */
    uint8_t silent_rounds;    /* rounds in a row without any answer */
    uint8_t left;             /* enum tn_cand_left */
    uint8_t loss_samples;     /* that loss_64k rests on; stays at 255 */
    uint16_t loss_64k;        /* of small PINGs and their answers, smoothed; in 65536ths */
    uint32_t rtt_us;          /* smoothed; 0 unknown */
    uint32_t cost_us;         /* its price: score.h */
    uint64_t out_packets;     /* probes, punches and data */
    uint64_t in_packets;      /* authentic ones only */
    uint64_t out_bytes;       /* sealed packets: inner bytes; punches: 4 each */
    uint64_t in_bytes;
    uint64_t added_us;
    uint64_t last_out_us;
    uint64_t last_in_us;      /* the last authentic packet */
    uint64_t last_pong_us;    /* the last answered PING of ours: proof of both directions */
    uint16_t mtu;             /* the longest inner packet that passed in one piece; 0 unknown */
    uint64_t full_ok_us;      /* when that was last seen */
    uint64_t quiet_until_us;  /* left alone until then, after three silent rounds; sooner in TN_MODE_DIRECT */
    uint64_t next_try_us;     /* when the next packet is due by itself; TN_NEVER: with the next CONNECT */
    struct tn_addr observed;  /* our own address as the peer saw it on this way; zero unknown */
};

/* Short lower-case words for people and for JSON ("answered-small", "peer-reflexive"); never NULL. */
const char *tn_cand_verdict_name(uint8_t verdict);
const char *tn_cand_origin_name(uint8_t origin);

#endif
