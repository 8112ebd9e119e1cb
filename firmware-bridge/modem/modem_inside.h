/* What the modem's files share. */
#ifndef MODEM_INSIDE_H
#define MODEM_INSIDE_H

#include "modem.h"

/* Errors of 3GPP TS 27.007 section 9.2, as +CME ERROR tells them. */
enum modem_cme { CME_NOT_ALLOWED = 3, CME_NOT_SUPPORTED = 4, CME_NO_NETWORK = 30, CME_BAD_PARAMETER = 50 };

/* modem.c: a line with its line ends. */
void modem_say(struct modem *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
void modem_put(struct modem *m, const void *data, size_t len);
void modem_ok(struct modem *m, uint64_t now_us);
void modem_fail(struct modem *m, enum modem_cme error);
/* modem.c: announcements that are due. */
void modem_announce(struct modem *m);
/* modem_socket.c: the commands that begin with +USO and +UDN; false: not one of these. */
bool modem_socket_command(struct modem *m, const char *text, uint64_t now_us);
/* modem_socket.c: all bytes of the datagram have come. */
void modem_socket_send(struct modem *m, uint64_t now_us);
void modem_socket_close_all(struct modem *m);

#endif
