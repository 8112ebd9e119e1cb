/* A report on the wire: 05 flags[1] used[4] budget[4] lifetime_s[2] keepalive_s[2]. It is not padded to the
 * size of the other link messages: each byte of it is paid for. */
#include "report.h"

#include "../base/bytes.h"
#include "../base/ct.h"

#define FLAG_LOW 1u
#define PADDING_MAX 15

void tn_report_encode(const struct tn_report *r, uint8_t out[TN_REPORT_LEN])
{
    out[0] = TN_REPORT_FIRST;
    out[1] = r->is_low ? FLAG_LOW : 0;
    tn_put_be32(out + 2, r->used);
    tn_put_be32(out + 6, r->budget);
    tn_put_be16(out + 10, r->lifetime_s);
    tn_put_be16(out + 12, r->keepalive_s);
}

int tn_report_decode(const uint8_t *inner, size_t len, struct tn_report *r)
{
    if (len < TN_REPORT_LEN || len > TN_REPORT_LEN + PADDING_MAX || inner[0] != TN_REPORT_FIRST ||
        (inner[1] & ~FLAG_LOW) || !tn_ct_is_zero(inner + TN_REPORT_LEN, len - TN_REPORT_LEN))
        return TN_EINVAL;
    *r = (struct tn_report){
        .used = tn_get_be32(inner + 2),
        .budget = tn_get_be32(inner + 6),
        .lifetime_s = tn_get_be16(inner + 10),
        .keepalive_s = tn_get_be16(inner + 12),
        .is_low = inner[1] == FLAG_LOW,
    };
    return TN_OK;
}
