/* What lwIP wants of a compiler and a board. */
#ifndef BRIDGE_LWIP_CC_H
#define BRIDGE_LWIP_CC_H

#include <stdint.h>

/* stack.c */
void bridge_lwip_failed(void) __attribute__((noreturn)); /* an assertion did not hold */
uint32_t bridge_lwip_random(void);

#define LWIP_RAND() bridge_lwip_random()
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) bridge_lwip_random() /* not to be guessed */
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) bridge_lwip_failed()
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H 1
#define X8_F "x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "u"

#endif
