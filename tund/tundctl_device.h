/* invite --device: a directory with tund_config.h, which the device's firmware is built with. */
#ifndef TUND_TUNDCTL_DEVICE_H
#define TUND_TUNDCTL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/err.h"
#include "libtunnel/member/invite.h"
#include "why.h"

#define DEVICE_CONFIG_NAME "tund_config.h"
/* Bytes of the file's text, its end included, at most. */
#define DEVICE_CONFIG_SIZE (TN_INVITE_TEXT_SIZE + 1024)

/* Where the text goes. Nothing in it is secret. */
struct device_out {
    int dir_fd, fd; /* -1: not open */
    bool replaces;  /* written beside the old file, and then takes its place */
};
#define DEVICE_OUT_NONE ((struct device_out){.dir_fd = -1, .fd = -1})

/* Makes the directory (0700) where there is none, and opens the file in it, for us alone (0600). Without `force`
 * a file that is there already is refused (-EEXIST) and stays as it is. */
TN_MUST_CHECK int device_out_open(struct device_out *o, const char *dir, bool force, struct why *w);
/* Ends it: with err 0 the file is in its place and on the disk; else it is as it was before. Returns err, or
 * what failed now. */
TN_MUST_CHECK int device_out_close(struct device_out *o, const char *dir, int err, struct why *w);

/* The text: the invite as a string, who it is for and until when, and how many bytes it may spend in a day (0: it is
 * not said). Secret, as the invite is. Its length. */
size_t device_config_text(char out[DEVICE_CONFIG_SIZE], const struct tn_cert *cert,
                          const char *invite, const char *until, uint32_t budget);

#endif
