/* Time comes from a free-running counter. Counted interrupts would lose some on a busy machine. */
#include "chip.h"

#include "board.h"
#include "regs.h"
#include "serial.h"

static uint32_t last_us;
static uint64_t wrapped_us;

void chip_init(void)
{
    TIM2_PSC = board_timer_prescaler;
    TIM2_ARR = UINT32_MAX;
    TIM2_EGR = TIM_UG; /* takes the prescaler over */
    TIM2_CR1 = TIM_CEN;
    SYSTICK_LOAD = board_systick_hz / 1000 * CHIP_TICK_MS - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = 7; /* the core's clock, with its interrupt */
    serial_init();
}

uint64_t chip_now_us(void)
{
    uint32_t now_us = TIM2_CNT;

    if (now_us < last_us)
        wrapped_us += (uint64_t)1 << 32;
    last_us = now_us;
    return wrapped_us + now_us;
}

void chip_sleep(void)
{
    __asm__ volatile("wfi");
}
