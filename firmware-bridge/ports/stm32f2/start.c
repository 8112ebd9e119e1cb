/* From reset to main, and what becomes of faults.
 *
 * A fault, or an interrupt that nobody handles, tells its number and the fault status on the console and
 * ends: nothing hangs silently. */
#include <stdint.h>

#include "board.h"
#include "chip.h"
#include "regs.h"
#include "serial.h"

extern uint32_t chip_data_begin[], chip_data_end[], chip_bss_begin[], chip_bss_end[], chip_stack_begin[],
    chip_stack_end[];
extern const uint32_t chip_data_load[];

int main(void);
void chip_reset(void);
void chip_fault(void);

#define PAINT 0x5afe57acu

__attribute__((noreturn)) void chip_reset(void)
{
    const uint32_t *from = chip_data_load;
    uint32_t *frame = __builtin_frame_address(0);

    for (uint32_t *p = chip_stack_begin; p < frame - 16; p++)
        *p = PAINT;
    for (uint32_t *p = chip_data_begin; p < chip_data_end; p++)
        *p = *from++;
    for (uint32_t *p = chip_bss_begin; p < chip_bss_end; p++)
        *p = 0;
    board_init();
    chip_init();
    board_end(main());
}

size_t chip_stack_used(void)
{
    const uint32_t *p = chip_stack_begin;

    while (p < chip_stack_end && *p == PAINT)
        p++;
    return (size_t)((const uint8_t *)chip_stack_end - (const uint8_t *)p);
}

static void tell_hex(uint32_t n)
{
    char text[9];

    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[n >> (28 - 4 * i) & 15];
    chip_write(CHIP_CONSOLE, text, 8);
}

__attribute__((noreturn)) void chip_fault(void)
{
    uint32_t number;

    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    chip_write(CHIP_CONSOLE, "\r\nfault ", 8);
    tell_hex(number);
    chip_write(CHIP_CONSOLE, " cfsr ", 6);
    tell_hex(SCB_CFSR);
    chip_write(CHIP_CONSOLE, "\r\n", 2);
    board_end(70);
}

static void on_systick(void)
{
    /* only to wake up */
}

/* The core's own exceptions, then the chip's interrupts up to the last that is switched on: 37 is USART1,
 * 39 is USART3. */
#define FAULT4 chip_fault, chip_fault, chip_fault, chip_fault
#define FAULT8 FAULT4, FAULT4
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*reset)(void);
    void (*core[13])(void);
    void (*systick)(void);
    void (*interrupt[40])(void);
} vectors = {
    chip_stack_end,
    chip_reset,
    {FAULT8, FAULT4, chip_fault},
    on_systick,
    {FAULT8, FAULT8, FAULT8, FAULT8, FAULT4, chip_fault, serial_on_usart1, chip_fault, serial_on_usart3},
};
