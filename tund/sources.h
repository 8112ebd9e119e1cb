/* Which of our addresses a remote endpoint talks to, so that what we send there
 * leaves from it (a host with several addresses). Learned from authenticated
 * datagrams only; a small table in which a newer entry may push out an older. */
#ifndef TUND_SOURCES_H
#define TUND_SOURCES_H

#include <stdint.h>

#include "libtunnel/base/addr.h"

#define SOURCES_COUNT 256u /* a power of two */

struct sources {
    struct {
        struct tn_addr remote, local;
    } row[SOURCES_COUNT];
};

void sources_clear(struct sources *s);
void sources_learn(struct sources *s, const struct tn_addr *remote, const struct tn_addr *local);
void sources_forget(struct sources *s, const struct tn_addr *remote);
/* NULL: unknown, the system chooses. */
const struct tn_addr *sources_find(const struct sources *s, const struct tn_addr *remote);

#endif
