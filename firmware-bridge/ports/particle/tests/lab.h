/* A coordinator and a laptop on sockets of the loopback, for tests of the port: what a device meets. */
#ifndef PARTICLE_TESTS_LAB_H
#define PARTICLE_TESTS_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lab;

struct lab *lab_new(void);
void lab_free(struct lab *l);
/* An invite for a device, as text; valid as long as the lab. */
const char *lab_invite(struct lab *l, const char *name);
void lab_step(struct lab *l); /* whatever has come is dealt with */
/* The laptop sends an ICMP echo request of `size` bytes to the device. */
void lab_ping(struct lab *l, size_t size, uint16_t seq);
/* The last packet that the laptop got answers that one. */
bool lab_ponged(const struct lab *l, size_t size, uint16_t seq);
/* The laptop sends an IP packet of its own. What it gets is shown to `on_packet`, which may send (NULL: nobody). */
void lab_send(struct lab *l, const uint8_t *packet, size_t len);
void lab_watch(struct lab *l, void (*on_packet)(struct lab *l, const uint8_t *packet, size_t len));
struct tn_addr lab_laptop_address(const struct lab *l);
struct tn_addr lab_device_address(const struct lab *l);
bool lab_knows_device(const struct lab *l);
size_t lab_longest_in(const struct lab *l); /* from anybody to the coordinator */

#ifdef __cplusplus
}
#endif

#endif
