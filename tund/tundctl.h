/* tundctl's verbs. Each returns the exit code: 0 well, 1 failed, 2 wrong usage.
 * A verb prints its own error, through say_error. */
#ifndef TUND_TUNDCTL_H
#define TUND_TUNDCTL_H

#include <stdbool.h>

#include "tundctl_args.h"

enum tundctl_exit {
    CTL_EXIT_OK = 0,
    CTL_EXIT_FAILED = 1,
    CTL_EXIT_USAGE = 2,
    CTL_EXIT_NOT_DIRECT = 3, /* ping --until-direct: answers came, but none by a direct path */
    CTL_EXIT_NO_UDP = 4,     /* netcheck: no UDP datagram got through */
};

int tundctl_create(const struct args *a);  /* tundctl_enroll.c */
int tundctl_join(const struct args *a);
int tundctl_invite(const struct args *a);  /* tundctl_invite.c */
int tundctl_up(const struct args *a);      /* tundctl_life.c */
int tundctl_down(const struct args *a);
int tundctl_leave(const struct args *a);
int tundctl_status(const struct args *a);  /* tundctl_show.c */
int tundctl_peers(const struct args *a);
int tundctl_version(const struct args *a);
int tundctl_explain(const struct args *a); /* tundctl_explain.c */
int tundctl_ping(const struct args *a);    /* tundctl_ping.c */
int tundctl_netcheck(const struct args *a); /* tundctl_netcheck.c */
int tundctl_path(const struct args *a); /* tundctl_path.c */
int tundctl_relay(const struct args *a); /* tundctl_relay.c */
int tundctl_portmap(const struct args *a); /* tundctl_portmap.c */

/* "tundctl: ..." on standard error; returns `code`. */
int say_error(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* SIGINT or SIGTERM came; what waits ends with -EINTR. */
bool was_interrupted(void);

#endif
