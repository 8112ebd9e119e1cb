/* The control session over a stream, for networks that block UDP (PROTOCOL.md section 8). The
 * program makes the connection; here is decided when one is wanted, and what goes by it. */
#ifndef TN_COORD_CLIENT_STREAM_H
#define TN_COORD_CLIENT_STREAM_H

#include "client.h"

/* Should there be a stream? Changes with the event STREAM, which also comes again when the stream
 * that there is has fallen silent, and another one is wanted. */
bool tn_coord_client_wants_stream(const struct tn_coord_client *c);
/* A stream is there and carries datagrams, under this stream address; NULL: it is gone. */
void tn_coord_client_set_stream(struct tn_coord_client *c, const struct tn_addr *a,
                                struct tn_now now);

#endif
