#include "mode.h"

#include <string.h>

static const char *const name[TN_MODES] = {
    [TN_MODE_AUTO] = "auto",
    [TN_MODE_DIRECT] = "direct",
    [TN_MODE_RELAY] = "relay",
};

const char *tn_mode_name(uint8_t mode)
{
    return mode < TN_MODES ? name[mode] : "unknown";
}

bool tn_mode_parse(const char *text, uint8_t *mode)
{
    for (uint8_t i = 0; i < TN_MODES; i++) {
        if (strcmp(text, name[i]) == 0) {
            *mode = i;
            return true;
        }
    }
    return false;
}
