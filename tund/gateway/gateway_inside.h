/* Inside of gateway*.c only.
 *
 *   gateway.c      mappings: their life, their clock, routers
 *   gateway_udp.c  PCP and NAT-PMP: datagrams out and in, announcements, epochs
 *   gateway_igd.c  UPnP: jobs for the child, and what its answers mean
 */
#ifndef TUND_GATEWAY_INSIDE_H
#define TUND_GATEWAY_INSIDE_H

#include "gateway.h"

/* ---- gateway.c ---- */

/* The gateway gave this outside address and port. lease_s 0: for good. */
void gateway_granted(struct gateway *g, struct gateway_mapping *m, const struct tn_addr *external,
                     uint32_t lease_s, uint64_t now_us);
/* The protocol that was asked said no, or nothing: the next one is asked, or none is left, and
 * then all is tried again after retry_s. */
void gateway_refused(struct gateway *g, struct gateway_mapping *m, enum gateway_why why, uint16_t code,
                     uint32_t retry_s, uint64_t now_us);
/* The port that was asked for, or held until now, is not to be had: any other is asked for. */
void gateway_lost_port(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);
/* It is deleted at the gateway, as far as we can know. */
void gateway_ended(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);
/* Asks (again) by the protocol that m->protocol says. */
void gateway_ask(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);
/* Begins with the best protocol. */
void gateway_begin(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);
/* An answer is being waited for. */
bool gateway_is_outstanding(const struct gateway_mapping *m);
/* Renews it within max_wait_us, at a random moment. */
void gateway_renew_soon(struct gateway *g, struct gateway_mapping *m, uint64_t max_wait_us,
                        uint64_t now_us);
uint64_t gateway_random(struct gateway *g, uint64_t below);

/* ---- gateway_udp.c ---- */

/* All tries were made. */
void gateway_udp_no_answer(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);
#define GATEWAY_TRIES 4u /* 250 ms, 500 ms, 1 s, 2 s */
#define GATEWAY_END_TRIES 3u

/* ---- gateway_igd.c ---- */

/* What a status of the child means. */
enum gateway_why gateway_igd_why(uint16_t status);
/* A job of this mapping's is under way, and its answer will count. */
bool gateway_igd_works_for(const struct gateway *g, const struct gateway_mapping *m);
void gateway_igd_ask(struct gateway *g, struct gateway_mapping *m, uint64_t now_us);

#endif
