/* The report of a device, in a WireGuard session (PROTOCOL.md section 5.5). */
#ifndef TN_PATH_REPORT_H
#define TN_PATH_REPORT_H

#include <stddef.h>

#include "../base/err.h"
#include "../base/report.h"

#define TN_REPORT_FIRST 5 /* first byte: enum tn_link_type has the others */
#define TN_REPORT_LEN 14

void tn_report_encode(const struct tn_report *r, uint8_t out[TN_REPORT_LEN]);
/* Up to 15 bytes of zero (WireGuard's padding) may follow. TN_EINVAL, and *r untouched: malformed. */
TN_MUST_CHECK int tn_report_decode(const uint8_t *inner, size_t len, struct tn_report *r);

#endif
