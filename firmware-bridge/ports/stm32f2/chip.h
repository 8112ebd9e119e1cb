/* The chip: time, serial lines, stack. What differs between boards is in board.h. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since the start. To be called at least once an hour: it extends a 32-bit counter. */
uint64_t chip_now_us(void);
void chip_init(void);
/* Sleeps until an interrupt, at most CHIP_TICK_MS. */
void chip_sleep(void);
#define CHIP_TICK_MS 4

/* The two serial lines. Reading: -1 when there is nothing. Writing waits for the hardware alone. */
enum chip_line { CHIP_CONSOLE, CHIP_MODEM, CHIP_LINES };
int chip_read(enum chip_line line);
void chip_write(enum chip_line line, const void *data, size_t len);

/* Bytes of stack that have been used since the start. */
size_t chip_stack_used(void);

#endif
