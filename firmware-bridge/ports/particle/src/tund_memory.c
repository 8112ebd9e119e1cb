/* The memory of the one device that a program has. In C, because its inside is. */
#include "core/inside.h"
#include "tund_memory.h"

static struct bridge memory;

struct bridge *tund_memory(void)
{
    return &memory;
}
