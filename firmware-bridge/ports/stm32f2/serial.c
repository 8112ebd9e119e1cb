/* The serial lines. Bytes come by interrupt into a ring, which for the modem holds 40 ms of the line; a full ring
 * leaves the byte where it is and its interrupt off until something was read, and RTS holds the
 * sender. Bytes go out by waiting for the transmitter: what the modem is told is short, but for a
 * datagram, whose bytes have to pass anyway. */
#include "serial.h"

#include "board.h"
#include "chip.h"
#include "regs.h"

/* powers of two; who types at the prompt is slower than the modem */
#define CONSOLE_RING 64u
#define MODEM_RING 512u

struct ring {
    volatile uint16_t in, out;
    uint16_t size;
    uint8_t *bytes;
};
static uint8_t console_bytes[CONSOLE_RING], modem_bytes[MODEM_RING];
static struct ring rings[CHIP_LINES] = {
    [CHIP_CONSOLE] = {.size = CONSOLE_RING, .bytes = console_bytes},
    [CHIP_MODEM] = {.size = MODEM_RING, .bytes = modem_bytes},
};
static struct usart *const usarts[CHIP_LINES] = {[CHIP_CONSOLE] = USART1, [CHIP_MODEM] = USART3};
static const uint32_t irq_bits[CHIP_LINES] = {
    [CHIP_CONSOLE] = 1u << (IRQ_USART1 - 32),
    [CHIP_MODEM] = 1u << (IRQ_USART3 - 32),
};

static void on_byte(enum chip_line line)
{
    struct ring *r = &rings[line];
    struct usart *u = usarts[line];

    while (u->sr & USART_RXNE) {
        if ((uint16_t)(r->in - r->out) == r->size) {
            /* not in the USART: QEMU's keeps the line up then, and the handler would run for ever */
            NVIC_ICER1 = irq_bits[line];
            return;
        }
        r->bytes[r->in & (r->size - 1)] = (uint8_t)u->dr;
        r->in++;
    }
}

void serial_on_usart1(void)
{
    on_byte(CHIP_CONSOLE);
}

void serial_on_usart3(void)
{
    on_byte(CHIP_MODEM);
}

void serial_init(void)
{
    USART1->brr = board_usart1_brr;
    USART3->brr = board_usart3_brr;
    USART3->cr3 = board_usart3_cr3;
    for (int i = 0; i < CHIP_LINES; i++)
        usarts[i]->cr1 = USART_UE | USART_TE | USART_RE | USART_RXNE;
    NVIC_ISER1 = irq_bits[CHIP_CONSOLE] | irq_bits[CHIP_MODEM];
}

int chip_read(enum chip_line line)
{
    struct ring *r = &rings[line];
    int byte;

    if (r->in == r->out)
        return -1;
    byte = r->bytes[r->out & (r->size - 1)];
    r->out++;
    NVIC_ISER1 = irq_bits[line];
    return byte;
}

void chip_write(enum chip_line line, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        while (!(usarts[line]->sr & USART_TXE))
            ;
        usarts[line]->dr = p[i];
    }
}
