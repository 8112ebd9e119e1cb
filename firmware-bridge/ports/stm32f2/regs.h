/* The registers that are used, after ST's reference manual RM0033 and ARM's ARMv7-M manual. */
#ifndef REGS_H
#define REGS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* General-purpose timer 2: 32 bits wide. */
#define TIM2_CR1 REG(0x40000000)
#define TIM2_EGR REG(0x40000014)
#define TIM2_CNT REG(0x40000024)
#define TIM2_PSC REG(0x40000028)
#define TIM2_ARR REG(0x4000002C)
#define TIM_CEN 1u
#define TIM_UG 1u

struct usart {
    volatile uint32_t sr, dr, brr, cr1, cr2, cr3;
};
#define USART1 ((struct usart *)0x40011000)
#define USART3 ((struct usart *)0x40004800)
#define USART_RXNE (1u << 5) /* in sr, and as an interrupt in cr1 */
#define USART_TXE (1u << 7)
#define USART_UE (1u << 13)
#define USART_TE (1u << 3)
#define USART_RE (1u << 2)
#define USART_RTSE (1u << 8)
#define USART_CTSE (1u << 9)

#define NVIC_ISER1 REG(0xE000E104)
#define NVIC_ICER1 REG(0xE000E184)
#define IRQ_USART1 37
#define IRQ_USART3 39

#define SYSTICK_CTRL REG(0xE000E010)
#define SYSTICK_LOAD REG(0xE000E014)
#define SYSTICK_VALUE REG(0xE000E018)

#define SCB_CFSR REG(0xE000ED28)
#define SCB_AIRCR REG(0xE000ED0C)

#endif
