/* From which of our addresses to send to a remote endpoint, where the system's own choice would be another: a host
 * with several addresses answers from the one that it was asked at. Learned from authenticated datagrams only; a
 * small table in which a newer entry may push out an older.
 *
 * An address is kept only where what leaves with it takes the interface by which the remote's datagram came, as
 * WireGuard's endpoints do in the kernel: after the default route has moved, datagrams still come in by the old
 * interface, and with its address on it an answer would leave by the new one, for a NAT that cannot send back. */
#ifndef TUND_SOURCES_H
#define TUND_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "udp.h"

#define SOURCES_COUNT 256u /* a power of two */
#define SOURCES_ASKS 200u  /* a second at most: each is a question or two to the kernel */

struct sources {
    struct {
        struct udp_source from; /* the last that was judged; remote zero: none */
        bool is_kept;
    } row[SOURCES_COUNT];
    uint64_t second; /* in which `asks` were made */
    uint32_t asks;
};

/* Has what goes to from->remote to be sent from from->local by name? */
typedef bool sources_judge(void *ctx, const struct udp_source *from);

void sources_clear(struct sources *s);
void sources_learn(struct sources *s, const struct udp_source *from, uint64_t now_us,
                   sources_judge *judge, void *ctx);
void sources_forget(struct sources *s, const struct tn_addr *remote);
/* Is the remote known? Then *local is the address to send from, NULL where the system chooses. */
bool sources_find(const struct sources *s, const struct tn_addr *remote, const struct tn_addr **local);

#endif
