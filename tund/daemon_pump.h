/* What happens in the loop: inside of daemon*.c only; the rest calls tund_pump. */
#ifndef TUND_DAEMON_PUMP_H
#define TUND_DAEMON_PUMP_H

#include "daemon.h"

void tund_pump_send_now(void *tund, const uint8_t *data, size_t len, const struct tn_addr *to,
                        uint8_t ttl, const struct tn_addr *local); /* an io_send_now */
void tund_pump_udp_handler(struct tund *t, struct udp_handler *out);
/* Starts to watch the TUN and the timer. */
TN_MUST_CHECK int tund_pump_start(struct tund *t);
void tund_pump_network_changed(void *tund);
/* SIGCONT came: as if the network had changed, unless that was noticed already. */
void tund_pump_continued(struct tund *t);

#endif
