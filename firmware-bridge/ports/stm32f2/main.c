#include "board.h"
#include "chip.h"
#include "device.h"

static struct device device;

int main(void)
{
    if (device_start(&device, chip_now_us()) != 0) {
        chip_write(CHIP_CONSOLE, "no entropy, or the storage does not work\r\n", 42);
        return 1;
    }
    console_greet(&device);
    for (;;) {
        device_turn(&device, chip_now_us());
        chip_sleep();
    }
}
