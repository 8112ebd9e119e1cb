#include "mode.h"

static const char *const name[TN_MODES] = {
    [TN_MODE_AUTO] = "auto",
    [TN_MODE_DIRECT] = "direct",
    [TN_MODE_RELAY] = "relay",
};

const char *tn_mode_name(uint8_t mode)
{
    return mode < TN_MODES ? name[mode] : "unknown";
}
