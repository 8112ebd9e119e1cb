/* What a board has in its own way: clocks, random numbers, storage. There is one: board_qemu.c, which takes
 * from the emulator's semihosting what QEMU does not model. Bare metal on another board would be another
 * such file, linked in its place, with that board's clock tree, pins, generator and flash behind these
 * functions. A Particle Electron runs ports/particle instead, where Device OS has all that. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "bridge.h"

/* Clocks and pins; the first thing that runs. */
void board_init(void);
extern const uint32_t board_timer_prescaler; /* of TIM2, for 1 MHz */
extern const uint32_t board_systick_hz;
extern const uint32_t board_usart1_brr, board_usart3_brr;
/* Sets in cr3: hardware handshake on the modem's line. */
extern const uint32_t board_usart3_cr3;

/* From the hardware's generator; 0, or nonzero when it does not work. Never returns what was not
 * random. */
int board_entropy(uint8_t *out, size_t len);
/* Where the device's state is kept. */
extern const struct bridge_storage board_storage;
/* The time of day, unix seconds; 0: not known. */
uint64_t board_unix_time(void);
/* Access point name of the SIM card, into cap bytes; "": the one that it brings. */
void board_apn(char *out, size_t cap);
/* The end: of the emulation with this exit status, or a reset. */
void board_end(int status) __attribute__((noreturn));

#endif
