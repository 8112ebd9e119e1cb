/* Names of a candidate's verdict and origin. The tables are indexed by the enums,
 * so a new value without a word shows up as a NULL that the tests look for. */
#include "cand.h"

#include <stddef.h>

static const char *const verdict_names[] = {
    [TN_CAND_NEW] = "new",
    [TN_CAND_PUNCHING] = "punching",
    [TN_CAND_ANSWERED_SMALL] = "answered-small",
    [TN_CAND_CHECKED] = "checked",
    [TN_CAND_SILENT] = "silent",
    [TN_CAND_REFUSED] = "refused",
    [TN_CAND_LOST] = "lost",
};

static const char *const origin_names[] = {
    [0] = "relay",
    [TN_CAND_HOST] = "host",
    [TN_CAND_REFLEXIVE] = "reflexive",
    [TN_CAND_MAPPED] = "mapped",
    [TN_CAND_PEER_REFLEXIVE] = "peer-reflexive",
    [TN_CAND_MEMBER] = "member",
    [TN_CAND_TCP] = "tcp",
};

const char *tn_cand_verdict_name(uint8_t verdict)
{
    if (verdict >= sizeof verdict_names / sizeof *verdict_names)
        return "unknown";
    return verdict_names[verdict];
}

const char *tn_cand_origin_name(uint8_t origin)
{
    if (origin >= sizeof origin_names / sizeof *origin_names)
        return "unknown";
    return origin_names[origin];
}
