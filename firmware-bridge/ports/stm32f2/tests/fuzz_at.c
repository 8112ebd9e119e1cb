/* Bytes of the modem's line, whole and cut, with datagrams, names and time in between. The first byte of
 * each piece says what it is. Whatever came, a sane modem afterwards gets the driver up again. */
#include <stdlib.h>

#include "at_line.h"

static struct line l;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t piece(const uint8_t *p, size_t size)
{
    static const struct at_address to = {{203, 0, 113, 5}, 51820};
    size_t len = size > 1 && (p[0] & 0x3f) < size - 1 ? p[0] & 0x3f : size - 1;

    switch (p[0] >> 6) {
    case 0:
        at_send(&l.at, &to, p + 1, len);
        break;
    case 1:
        line_run_ms(&l, 3 * (unsigned)len);
        break;
    default:
        for (size_t i = 0; i < len; i++)
            at_on_byte(&l.at, p[1 + i], l.now_us);
    }
    at_release(&l.at);
    return len + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    line_init(&l);
    line_until_up(&l, 2);
    for (size_t at = 0; at < size;)
        at += piece(data + at, size - at);
    if (size < 512 && line_until_up(&l, 100) < 0)
        abort();
    return 0;
}
