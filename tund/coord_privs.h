/* What the coordinator gives up before it reads its first datagram. */
#ifndef TUND_COORD_PRIVS_H
#define TUND_COORD_PRIVS_H

#include <stdbool.h>
#include <sys/types.h>

#include "libtunnel/base/err.h"

#include "why.h"

struct coord_user {
    uid_t uid;
    gid_t gid;
    bool change; /* false: stay who we are */
};

/* Looks the user up; name may be NULL. -ENOENT, or -EPERM where we are not root; *w says so. */
TN_MUST_CHECK int coord_user_find(const char *name, struct coord_user *out, struct why *w);

/* Makes the state directory for a user who could not, and hands it over. Does nothing where it
 * exists, or where we stay who we are. */
TN_MUST_CHECK int coord_user_make_dir(const struct coord_user *u, const char *dir, struct why *w);

/* For good: user and groups, every capability, the right to gain any by exec. A process of root
 * that stays root keeps root's files, but no capability. */
TN_MUST_CHECK int coord_drop_privileges(const struct coord_user *u, struct why *w);

#endif
