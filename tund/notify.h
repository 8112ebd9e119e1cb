/* sd_notify(3)'s protocol: one datagram to the socket that $NOTIFY_SOCKET names. */
#ifndef TUND_NOTIFY_H
#define TUND_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=...". Does nothing where nobody asked to be told. */
void notify_send(const char *state);

#endif
